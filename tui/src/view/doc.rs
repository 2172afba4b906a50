//! Text for a pane: lines that were broken to its width, and the one that must be seen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Lines.
pub(super) struct Doc {
    pub width: usize,
    pub lines: Vec<Line<'static>>,
    /// The line that must be seen.
    pub focus: Option<usize>,
    /// There is little room: what is nice to have is left out.
    pub tight: bool,
}

/// What a printed line that goes on below is set in by.
const OUTPUT: &str = "    ";

impl Doc {
    /// An empty text.
    pub fn new(width: u16) -> Doc {
        Doc { width: usize::from(width).max(8), lines: Vec::new(), focus: None, tight: false }
    }

    /// A text that is broken where it is too long.
    pub fn para(&mut self, text: &str, style: Style) {
        self.hang("", text, "", style);
    }

    /// The same behind a label; further lines are indented.
    pub fn hang(&mut self, label: &str, text: &str, indent: &str, style: Style) {
        for l in wrap(label, text, indent, self.width) {
            self.lines.push(Line::styled(l, style));
        }
    }

    /// A line as a program printed it. A long one goes on below, for often what matters is at its end; its columns stay.
    pub fn output(&mut self, text: &str) {
        let (mut rest, mut lead) = (text, "");
        let room = self.width.saturating_sub(OUTPUT.len()).max(1);
        loop {
            let width = if lead.is_empty() { self.width.max(1) } else { room };
            let end = rest.char_indices().nth(width).map_or(rest.len(), |x| x.0);
            self.line(&format!("{lead}{}", &rest[..end]), Style::new());
            rest = &rest[end..];
            lead = OUTPUT;
            if rest.is_empty() {
                return;
            }
        }
    }

    /// A line of several styles, cut where it is too long.
    pub fn spans(&mut self, spans: Vec<(String, Style)>) {
        let mut left = self.width;
        let mut out = Vec::new();
        for (text, style) in spans {
            let n = text.chars().count();
            let text = if n > left { cut(&text, left) } else { text };
            left = left.saturating_sub(n);
            if !text.is_empty() {
                out.push(Span::styled(text, style));
            }
        }
        self.lines.push(Line::from(out));
    }

    /// A line, cut where it is too long.
    pub fn line(&mut self, text: &str, style: Style) {
        let text = cut(text, self.width);
        self.lines.push(Line::styled(text, style));
    }

    /// An empty line between what was and what comes.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|l| l.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    /// The next line must be seen.
    pub fn mark(&mut self) {
        self.focus = Some(self.lines.len());
    }

    /// The next line must be seen, unless one before it must.
    pub fn mark_first(&mut self) {
        self.focus.get_or_insert(self.lines.len());
    }

    /// Draws it from a line on; where that is 0, so that the marked line is seen.
    pub fn draw(self, frame: &mut Frame<'_>, area: Rect, scroll: usize) {
        let h = usize::from(area.height);
        let last = self.lines.len().saturating_sub(h);
        let from = match (scroll, self.focus) {
            (0, Some(f)) if f + 1 >= h => (f + h / 3 + 1).saturating_sub(h).min(last),
            (0, _) => 0,
            (n, Some(f)) if f + 1 >= h => ((f + h / 3 + 1).saturating_sub(h).min(last) + n).min(last),
            (n, _) => n.min(last),
        };
        let more = from + h < self.lines.len();
        let shown: Vec<Line<'static>> = self.lines.into_iter().skip(from).take(h).collect();
        frame.render_widget(Paragraph::new(shown), area);
        let x = area.right().saturating_sub(1);
        if from > 0 {
            sign(frame, x, area.y, "▲");
        }
        if more {
            sign(frame, x, area.bottom().saturating_sub(1), "▼");
        }
    }
}

fn sign(frame: &mut Frame<'_>, x: u16, y: u16, s: &str) {
    if let Some(c) = frame.buffer_mut().cell_mut((x, y)) {
        c.set_symbol(s).set_style(super::look::FAINT);
    }
}

/// A text cut to a width, with a sign that it was.
pub(super) fn cut(text: &str, width: usize) -> String {
    let clean = |c: char| if c == '\t' { ' ' } else { c };
    if text.chars().count() <= width {
        return text.chars().map(clean).filter(|c| !c.is_control()).collect();
    }
    let mut out: String = text.chars().map(clean).filter(|c| !c.is_control()).take(width.saturating_sub(1)).collect();
    if width > 0 {
        out.push('…');
    }
    out
}

/// A text in lines of a width, broken at spaces.
pub(super) fn wrap(label: &str, text: &str, indent: &str, width: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut line = label.to_owned();
    let mut fresh = true;
    for word in text.split_whitespace() {
        let mut word: String = word.chars().filter(|c| !c.is_control()).collect();
        let used = line.chars().count();
        if !fresh && used + 1 + word.chars().count() > width {
            out.push(std::mem::replace(&mut line, indent.to_owned()));
            fresh = true;
        }
        // A word longer than a line is broken anywhere.
        while fresh && line.chars().count() + word.chars().count() > width && line.chars().count() + 4 < width {
            let room = width - line.chars().count();
            let rest = word.split_off(word.char_indices().nth(room).map_or(word.len(), |x| x.0));
            line.push_str(&word);
            out.push(std::mem::replace(&mut line, indent.to_owned()));
            word = rest;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(&word);
        fresh = false;
    }
    if !fresh || out.is_empty() {
        out.push(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_at_spaces() {
        assert_eq!(wrap("- ", "one two three", "  ", 9), ["- one two", "  three"]);
        assert_eq!(wrap("", "", "", 9), [""]);
        assert_eq!(wrap("", "abcdefghijkl", "", 8), ["abcdefgh", "ijkl"]);
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}

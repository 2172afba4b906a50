//! A line that is typed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::doc::Doc;
use super::look::{BAD, FAINT, HERE, KEY};
use super::walk::frame_of;
use crate::state::State;
use crate::state::prompt::{Prompt, Purpose};

/// Draws it at the bottom.
pub(super) fn render(_: &State, p: &Prompt, frame: &mut Frame<'_>) {
    let a = frame.area();
    let (title, help) = match p.purpose {
        Purpose::Filter => (
            "show only what has these words",
            "Enter keeps the filter, Esc leaves it as it was; an empty line shows all.",
        ),
        Purpose::Run => (
            "run a line in this world",
            "node1$ iptables -L runs a command there; client> tcp 10.0.0.2:80 sends a probe. Enter runs, Esc closes, Ctrl-U empties the line.",
        ),
        Purpose::Write => ("write what was done as a scenario file", "Enter writes the file, Esc does not."),
    };
    let width = usize::from(a.width).saturating_sub(4);
    let mut d = Doc::new(width as u16);
    if let Some(e) = &p.error {
        for l in e.lines() {
            d.para(l, BAD);
        }
    }
    d.para(help, FAINT);
    let h = (d.lines.len() as u16 + 3).min(a.height);
    let r = Rect::new(0, a.height - h, a.width, h);
    frame.render_widget(Clear, r);
    let inner = frame_of(frame, r, title, true, None);
    frame.render_widget(Paragraph::new(line(p, inner.width.into())), Rect { height: 1, ..inner });
    d.draw(frame, Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner }, 0);
}

/// The line with the cursor in it; what does not fit on the left is not shown.
fn line(p: &Prompt, width: usize) -> Line<'static> {
    let sign = if p.purpose == Purpose::Run { ": " } else { "> " };
    let room = width.saturating_sub(4).max(1);
    let from = p.at.saturating_sub(room);
    let part = |a: usize, b: usize| p.chars.get(a..b.min(p.chars.len())).unwrap_or_default().iter().collect::<String>();
    let at = p.chars.get(p.at).copied().unwrap_or(' ');
    Line::from(vec![
        Span::styled(sign, KEY),
        Span::raw(part(from, p.at)),
        Span::styled(at.to_string(), HERE),
        Span::styled(part(p.at + 1, from + room), Style::new()),
    ])
}

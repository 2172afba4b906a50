//! Panels over the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Clear;

use packetwalk_sim::explain::{self, Why};
use packetwalk_sim::trace::event::Birth;

use super::device;
use super::doc::{Doc, cut};
use super::look::{BAD, FAINT, GOOD, HEAD, HERE, KEY};
use super::steps::short;
use super::walk::{foot, frame_of};
use crate::glossary::WORDS;
use crate::keys::{Binding, Context, IN_A_PANEL, TABLE};
use crate::state::State;
use crate::state::panel::Panel;
use crate::walk::index::Story;

/// Draws one.
pub(super) fn render(state: &State, p: &Panel, frame: &mut Frame<'_>) {
    let area = frame.area();
    let bottom = Rect { y: area.bottom() - 1, height: 1, ..area };
    match p {
        Panel::Help { scroll } => help(state, *scroll, frame),
        Panel::Glossary { chosen } => glossary(*chosen, frame),
        Panel::Device { title, lines, scroll } => device::render(title, lines, *scroll, frame),
        Panel::Why { why, scroll } => why_panel(why, *scroll, frame),
        Panel::Packets { chosen } => packets(state, *chosen, frame),
        Panel::Question { chosen, .. } => question(state, *chosen, frame),
        Panel::Prompt(_) => {}
    }
    foot(state, frame, bottom, Context::Panel);
}

/// The answer of `why`, and how its fixes are tried on the spot.
fn why_panel(w: &Why, scroll: usize, frame: &mut Frame<'_>) {
    let width = frame.area().width.saturating_sub(10).min(96);
    let text = explain::text::wide(w, width.into());
    let inner = window(frame, "why", width.into(), text.lines().count() + 3);
    let mut d = Doc::new(inner.width.saturating_sub(1));
    for l in text.lines() {
        // The first column holds the heads; a command that is too long goes on below itself.
        let indent = l.len() - l.trim_start().len();
        let style = match l.split_whitespace().next() {
            Some("cause" | "behind") if indent == 0 => BAD,
            Some("fix" | "or") if indent == 0 => GOOD,
            _ if l.contains("$ ") && !l.contains("(tried") => KEY,
            _ => Style::new(),
        };
        let begin = indent.max(11);
        let lead: String = l.chars().take(begin).collect();
        let rest: String = l.chars().skip(begin).collect();
        d.hang(&lead, &rest, &" ".repeat(begin + 2), style);
    }
    if !w.fixes.is_empty() {
        d.gap();
        let keys = if w.fixes.len() == 1 {
            "1 types the fix here and tries".to_owned()
        } else {
            format!("1 to {} type a fix here and try", w.fixes.len())
        };
        d.para(&format!("{keys} the probe again; u undoes each line."), FAINT);
    }
    d.draw(frame, inner, scroll);
}

/// A window in the middle: at most so many columns and rows of content.
pub(super) fn window(frame: &mut Frame<'_>, title: &str, width: usize, rows: usize) -> Rect {
    let a = frame.area();
    let w = (width as u16 + 4).min(a.width.saturating_sub(4));
    let h = (rows.min(500) as u16 + 2).min(a.height.saturating_sub(3));
    let r = Rect::new((a.width - w) / 2, (a.height.saturating_sub(1) - h) / 2, w, h);
    frame.render_widget(Clear, r);
    let inner = frame_of(frame, r, title, true, None);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner }
}

fn help(state: &State, scroll: usize, frame: &mut Frame<'_>) {
    let context = if state.walk.is_some() { Context::Walk } else { Context::Browser };
    let counts = |b: &&Binding| b.contexts.contains(&context) || b.group == IN_A_PANEL;
    let all: Vec<&Binding> = TABLE.iter().filter(counts).collect();
    let mut groups: Vec<&str> = Vec::new();
    for b in &all {
        if !groups.contains(&b.group) {
            groups.push(b.group);
        }
    }
    let inner = window(frame, "keys", 76, all.len() + groups.len() * 2);
    let mut d = Doc::new(inner.width.saturating_sub(1));
    for g in groups {
        d.gap();
        d.line(g, HEAD);
        for b in all.iter().filter(|b| b.group == g) {
            let mut keys: Vec<String> = b.keys.iter().map(|k| k.name(state.look.unicode)).collect();
            if keys.len() > 4 {
                // A row of digits.
                keys = vec![keys[0].clone(), "to".into(), keys[keys.len() - 1].clone()];
            }
            d.spans(vec![(format!("  {:<16}", keys.join(" ")), KEY), (b.help.to_owned(), Style::new())]);
        }
    }
    d.draw(frame, inner, scroll);
}

fn glossary(chosen: usize, frame: &mut Frame<'_>) {
    let inner = window(frame, "words, explained", 76, 30);
    let left = Rect { width: 20, ..inner };
    let right = Rect { x: inner.x + 22, width: inner.width.saturating_sub(23), ..inner };
    let mut d = Doc::new(left.width);
    for (i, (w, _)) in WORDS.iter().enumerate() {
        if i == chosen {
            d.mark();
        }
        let mark = if i == chosen { '▶' } else { ' ' };
        d.line(&format!("{mark} {w:<17}"), if i == chosen { HERE } else { Style::new() });
    }
    d.draw(frame, left, 0);
    let Some((word, text)) = WORDS.get(chosen) else { return };
    let mut d = Doc::new(right.width);
    d.line(word, HEAD);
    d.gap();
    d.para(text, Style::new());
    d.gap();
    d.para("Up and down choose; a letter goes to the first word with it.", FAINT);
    d.draw(frame, right, 0);
}

fn birth(s: &Story) -> &'static str {
    match s.birth {
        Birth::Sent => "sent by a program",
        Birth::Copy => "a copy",
        Birth::Answer => "the kernel's answer",
        Birth::Solicit => "asks for a neighbour",
        Birth::Fragment => "a fragment",
        Birth::Reassembled => "put together",
        Birth::Retransmit => "sent again",
        Birth::Encapsulated => "around a frame",
        Birth::Decapsulated => "taken out of a tunnel",
    }
}

fn packets(state: &State, chosen: usize, frame: &mut Frame<'_>) {
    let stories = state.walk.as_ref().and_then(|w| w.index()).map(|i| i.stories.as_slice()).unwrap_or_default();
    let inner = window(frame, "packets of this step", 96, stories.len().max(1));
    if stories.is_empty() {
        let mut d = Doc::new(inner.width);
        d.para("This step sent no packet.", FAINT);
        d.draw(frame, inner, 0);
        return;
    }
    let h = usize::from(inner.height).max(1);
    let from = chosen.saturating_sub(h / 2).min(stories.len().saturating_sub(h));
    let mut d = Doc::new(inner.width);
    for (i, s) in stories.iter().enumerate().skip(from).take(h) {
        let by = s.parent.map(|p| format!(", caused by {}", p + 1)).unwrap_or_default();
        let tail = format!("{}{by}", birth(s));
        let sign = if s.dropped { '✗' } else { ' ' };
        let room = d.width.saturating_sub(tail.chars().count() + 9);
        let mark = if i == chosen { '▶' } else { ' ' };
        let text = format!("{mark}{:>3} {sign} {:<room$} {tail} ", i + 1, cut(&short(&s.title, false), room));
        let style = if s.dropped { BAD } else { Style::new() };
        d.line(&text, if i == chosen { style.patch(HERE) } else { style });
    }
    d.draw(frame, inner, 0);
}

fn question(state: &State, chosen: usize, frame: &mut Frame<'_>) {
    let Some(ask) = state.walk.as_ref().and_then(|w| w.question()) else { return };
    let inner = window(frame, "before the packet leaves: what do you think?", 70, ask.choices.len() + 6);
    let mut d = Doc::new(inner.width.saturating_sub(1));
    d.para(&ask.question, HEAD);
    d.gap();
    for (i, c) in ask.choices.iter().enumerate() {
        let mark = if i == chosen { '▶' } else { ' ' };
        d.hang(&format!("{mark} {}  ", i + 1), c, "     ", if i == chosen { HERE } else { Style::new() });
    }
    d.gap();
    d.para("Enter says it; the end of this step tells whether it is so. Esc passes it over.", FAINT);
    d.draw(frame, inner, 0);
}

//! An open scenario: its panes, the line above and the line below.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use super::look::{BAD, FAINT, FOCUS, GOOD, HEAD, KEY};
use super::{doc, now, packet, picture, steps};
use crate::keys::{Action, Context, TABLE, key_of};
use crate::panes::Pane;
use crate::state::State;
use crate::state::panel::Panel;
use crate::state::walk::WalkState;

/// Draws it.
pub(super) fn render(state: &State, w: &WalkState, frame: &mut Frame<'_>) {
    let panes = w.panes();
    head(w, frame, panes.head);
    let focus = |p: Pane| w.zoom.unwrap_or(w.pane) == p;
    if let Some(r) = panes.steps {
        steps::render(w, frame, r, focus(Pane::Steps));
    }
    if let Some(r) = panes.picture {
        picture::render(w, frame, r, focus(Pane::Picture));
    }
    if let Some(r) = panes.now {
        now::render(state, w, frame, r, focus(Pane::Now));
    }
    if let Some(r) = panes.packet {
        packet::render(w, frame, r, focus(Pane::Packet));
    }
    foot(state, frame, panes.foot, Context::Walk);
}

fn head(w: &WalkState, frame: &mut Frame<'_>, area: Rect) {
    let s = &w.walk.scenario;
    let mut left = vec![Span::styled(format!(" {} ", s.name), HEAD)];
    let right = if w.chapter == 0 {
        let steps = w.walk.chapters() - 1;
        format!("the world; {steps} {} ", if steps == 1 { "step follows" } else { "steps follow" })
    } else {
        let own = if w.walk.planned(w.chapter).is_some_and(|p| p.own) { " (yours)" } else { "" };
        format!("step {}/{}{own}, {}/{} ", w.chapter, w.walk.chapters() - 1, w.pos, w.listing.positions() - 1)
    };
    let (_, good, asked) = w.score();
    let score = if asked > 0 { format!("right answers {good}/{asked}  ") } else { String::new() };
    let room =
        usize::from(area.width).saturating_sub(left[0].width() + right.chars().count() + score.chars().count() + 1);
    let title = doc::cut(&s.title, room);
    let pad = room.saturating_sub(title.chars().count());
    left.push(Span::raw(format!("{title}{} ", " ".repeat(pad))));
    left.push(Span::styled(score, GOOD));
    left.push(Span::raw(right));
    frame.render_widget(Paragraph::new(Line::from(left)), area);
}

/// The line below: a word to the reader, or the keys that matter most.
pub(super) fn foot(state: &State, frame: &mut Frame<'_>, area: Rect, context: Context) {
    let line = match &state.note {
        Some(n) => {
            let text = n.text.lines().next().unwrap_or_default();
            Line::styled(doc::cut(&format!(" {text}"), area.width.into()), if n.error { BAD } else { GOOD })
        }
        None => hints(state, area.width.into(), context),
    };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(line), area);
}

fn hints(state: &State, width: usize, context: Context) -> Line<'static> {
    let mut spans = Vec::new();
    let playing = state.walk.as_ref().is_some_and(|w| w.playing);
    let mut used = 0;
    // The help comes first: whoever is lost reads no further.
    let order = |a: Action| usize::from(a != Action::Help);
    let mut shown: Vec<_> = TABLE.iter().filter(|b| b.contexts.contains(&context)).collect();
    shown.retain(|b| (!b.hint.is_empty() || b.action == Action::Help) && counts(state, context, b.action));
    shown.sort_by_key(|b| order(b.action));
    for b in shown {
        let key = key_of(context, b.action, state.look.unicode);
        let word = match b.action {
            Action::Help => "help",
            Action::Play if playing => "stop",
            _ => b.hint,
        };
        let need = key.chars().count() + word.chars().count() + 3;
        if used + need > width {
            break;
        }
        used += need;
        spans.push(Span::styled(format!(" {key}"), KEY));
        spans.push(Span::styled(format!(" {word} "), FAINT));
    }
    Line::from(spans)
}

/// Whether a key does something in the panel that is open.
fn counts(state: &State, context: Context, a: Action) -> bool {
    match (context, a, &state.panel) {
        (Context::Panel, Action::Open, p) => matches!(p, Some(Panel::Packets { .. } | Panel::Question { .. })),
        (Context::Panel, Action::Number, Some(Panel::Why { why, .. })) => !why.fixes.is_empty(),
        (Context::Panel, Action::Number, _) => false,
        _ => true,
    }
}

/// A box with a title; what is inside.
pub(super) fn frame_of(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    focus: bool,
    bottom: Option<Line<'static>>,
) -> Rect {
    let mut b = Block::bordered().border_style(if focus { FOCUS } else { FAINT });
    if focus {
        b = b.border_type(BorderType::Thick);
    }
    let room = usize::from(area.width).saturating_sub(4);
    b = b.title(Span::styled(format!(" {} ", doc::cut(title, room)), HEAD));
    if let Some(l) = bottom {
        b = b.title_bottom(l);
    }
    let inner = b.inner(area);
    frame.render_widget(b, area);
    inner
}

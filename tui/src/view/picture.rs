//! The picture: where the packet is, which way it came, and where it ended.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use packetwalk_sim::kernel::types::{DevId, NetnsId};
use packetwalk_sim::trace::event::EventKind;
use packetwalk_sim::trace::words;

use super::doc::cut;
use super::look::{BAD, FAINT, HEAD, HERE, PLACE, WAY};
use super::walk::frame_of;
use crate::picture::{Cell, Tag};
use crate::state::walk::WalkState;
use crate::walk::index::NONE;

/// How far back the way is shown.
const WAY_BACK: usize = 128;

/// What is lit.
struct Lit {
    way: BTreeSet<DevId>,
    dev: Option<DevId>,
    space: Option<NetnsId>,
    dropped: bool,
}

/// Draws it.
pub(super) fn render(w: &WalkState, frame: &mut Frame<'_>, area: Rect, focus: bool) {
    let lit = light(w);
    let bottom = w.event().and_then(|(i, e, _)| match &e.kind {
        EventKind::Drop { reason, func } => {
            let why = match super::evidence::culprit(w, i, e) {
                Some((_, x)) if matches!(x.kind, EventKind::Ct { .. }) => "connection tracking",
                _ => words::drop(*reason, func),
            };
            let room = usize::from(area.width).saturating_sub(4);
            let whole = format!(" ✗ {}: {why} ", reason.name());
            // The name stands in the list as well.
            let text = if whole.chars().count() > room { format!(" ✗ {why} ") } else { whole };
            Some(Line::from(Span::styled(cut(&text, room), BAD)))
        }
        _ => None,
    });
    let inner = frame_of(frame, area, "picture", focus, bottom);
    let buffer = frame.buffer_mut();
    for y in 0..usize::from(inner.height) {
        let row = w.picture.grid.row(w.scroll.1 + y);
        for (x, c) in row.iter().skip(w.scroll.0).take(inner.width.into()).enumerate() {
            let Some(cell) = buffer.cell_mut((inner.x + x as u16, inner.y + y as u16)) else { continue };
            let (ch, style) = paint(*c, &lit);
            cell.set_char(ch).set_style(style);
        }
    }
    let (gw, gh) = (w.picture.grid.w, w.picture.grid.h);
    let mut sign = |on: bool, x: u16, y: u16, s: &str| {
        if let Some(c) = buffer.cell_mut((x, y)).filter(|_| on) {
            c.set_symbol(s);
        }
    };
    let (right, low) = (inner.right(), inner.bottom());
    sign(w.scroll.1 > 0, right, inner.y, "▲");
    sign(w.scroll.1 + usize::from(inner.height) < gh, right, low.saturating_sub(1), "▼");
    sign(w.scroll.0 > 0, area.x, low.saturating_sub(1), "←");
    sign(w.scroll.0 + usize::from(inner.width) < gw, right.saturating_sub(1), low, "→");
}

fn light(w: &WalkState) -> Lit {
    let mut lit = Lit { way: BTreeSet::new(), dev: None, space: None, dropped: false };
    let (Some((_, e, item)), Some(index)) = (w.event(), w.index()) else { return lit };
    let events = w.walk.events(w.chapter);
    let mut at = item.visit;
    for _ in 0..WAY_BACK {
        if at == NONE {
            break;
        }
        let Some((seen, i)) = events.get(at as usize).zip(index.items.get(at as usize)) else { break };
        lit.way.extend(seen.dev);
        at = i.visit;
    }
    lit.dropped = matches!(e.kind, EventKind::Drop { .. } | EventKind::Bound { .. });
    // A device that is folded away is shown by its namespace.
    lit.dev = e.dev.filter(|d| w.picture.devs.contains_key(d));
    if lit.dev.is_none() {
        let s = w.world();
        let shown = w.picture.spaces.contains_key(&e.ns);
        let host = s.kernel.hosts.get(s.kernel.ns(e.ns).host.ix()).map(|h| h.root_ns);
        lit.space = if shown { Some(e.ns) } else { host };
    }
    lit
}

fn paint(c: Cell, lit: &Lit) -> (char, Style) {
    let mark = if lit.dropped { '✗' } else { '●' };
    let here = if lit.dropped { BAD.patch(HERE) } else { HERE };
    match c.tag {
        Tag::Mark(d) if lit.dev == Some(d) => (mark, if lit.dropped { BAD } else { HEAD }),
        Tag::Mark(_) => (c.ch, Style::new()),
        Tag::Dev(d) if lit.dev == Some(d) && c.ch != '═' => (c.ch, here),
        Tag::Dev(d) if lit.way.contains(&d) || lit.dev == Some(d) => (c.ch, WAY),
        Tag::Dev(_) => (c.ch, Style::new()),
        Tag::SpaceMark(n) if lit.space == Some(n) => (mark, if lit.dropped { BAD } else { HEAD }),
        Tag::SpaceMark(_) => (if c.ch == ' ' { '─' } else { c.ch }, FAINT),
        Tag::Space(n) if lit.space == Some(n) => (c.ch, here),
        Tag::Space(_) => (c.ch, PLACE),
        Tag::Wire(a, b) if lit.way.contains(&a) && (lit.way.contains(&b) || lit.dev == Some(b)) => (c.ch, WAY),
        Tag::Wire(a, b) if lit.dev == Some(a) && lit.way.contains(&b) => (c.ch, WAY),
        Tag::About(_) | Tag::Border(_) | Tag::Wire(..) => (c.ch, FAINT),
        Tag::None => (c.ch, Style::new()),
    }
}

//! The decisions of a step, grouped by hop.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use packetwalk_sim::trace::clause::clause;
use packetwalk_sim::trace::event::{Birth, EventKind};
use packetwalk_sim::trace::words;

use super::doc::cut;
use super::look::{BAD, FAINT, GOOD, HERE, KEY, NEW, PLACE};
use super::walk::frame_of;
use crate::state::walk::WalkState;
use crate::tell::brief::{brief, leaves};
use crate::walk::line_of;
use crate::walk::listing::Row;

/// Draws them.
pub(super) fn render(w: &WalkState, frame: &mut Frame<'_>, area: Rect, focus: bool) {
    let mut title = match w.chapter {
        0 => "the world".to_owned(),
        n => format!("step {n}"),
    };
    if w.filter.details {
        title.push_str(", all decisions");
    }
    if w.filter.story.is_some() {
        title.push_str(", one packet");
    }
    if !w.filter.words.is_empty() {
        title.push_str(&format!(", with \"{}\"", w.filter.words));
    }
    let inner = frame_of(frame, area, &title, focus, None);
    let h = usize::from(inner.height).max(1);
    let at = w.listing.row_at(w.pos);
    let from = at.saturating_sub(h / 2).min(w.listing.rows.len().saturating_sub(h));
    // The list would tell what is asked.
    let known = if w.must_ask() { 1 } else { h };
    let rows = w.listing.rows.iter().enumerate().skip(from).take(known);
    let mut lines: Vec<Line<'static>> = rows.map(|(i, r)| row(w, *r, i == at, inner.width.into())).collect();
    if w.must_ask() {
        lines.push(Line::styled("  ? what do you think comes?", KEY));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn row(w: &WalkState, r: Row, here: bool, width: usize) -> Line<'static> {
    let mut spans = match r {
        Row::Begin => vec![Span::raw("  "), Span::styled(begin(w), PLACE)],
        Row::End if w.chapter == 0 => vec![Span::styled("  → begins the walk", KEY)],
        Row::End => end(w),
        Row::Hop(n) => hop(w, n as usize, width),
        Row::Event(n) => event(w, n as usize, width),
    };
    // A sign too, where reversed cells cannot be seen: in the first column, or before what stands there.
    let first = spans.first_mut().filter(|_| here);
    if let Some(s) = first {
        s.content = format!("▶{}", s.content.strip_prefix(' ').unwrap_or(&s.content)).into();
    }
    let mut left = width;
    for s in &mut spans {
        let text = cut(&s.content, left);
        left = left.saturating_sub(text.chars().count());
        s.content = text.into();
    }
    if here {
        spans = spans.into_iter().map(|s| s.patch_style(HERE)).collect();
        spans.push(Span::styled(" ".repeat(left), HERE));
    }
    Line::from(spans)
}

fn begin(w: &WalkState) -> String {
    match w.walk.planned(w.chapter) {
        None => w.walk.scenario.title.clone(),
        Some(p) => match line_of(&p.step.action.what) {
            l if !l.is_empty() => l,
            _ if p.step.expect.as_ref().is_some_and(|e| !e.reaches.is_empty()) => "who is to reach whom".into(),
            _ => "a word before what follows".into(),
        },
    }
}

fn end(w: &WalkState) -> Vec<Span<'static>> {
    let Some(d) = w.walk.chapter(w.chapter) else { return Vec::new() };
    let r = &d.result;
    let (text, style) = match (r.outcome(), r.exit) {
        (Some(o), _) if o == packetwalk_sim::trace::Outcome::Reply => (o.as_str().to_owned(), GOOD),
        (Some(o), _) => (o.as_str().to_owned(), BAD),
        (None, Some(0)) => ("done".to_owned(), GOOD),
        (None, Some(n)) => (format!("exit status {n}"), BAD),
        (None, None) => ("done".to_owned(), Style::new()),
    };
    vec![Span::styled(format!("= {text}"), style)]
}

fn hop(w: &WalkState, n: usize, width: usize) -> Vec<Span<'static>> {
    let Some(h) = w.listing.hops.get(n) else { return Vec::new() };
    let events = w.walk.events(w.chapter);
    let Some(index) = w.index() else { return Vec::new() };
    let of = |n: u32| {
        w.listing.shown.get(n as usize).and_then(|i| Some((index.items.get(*i as usize)?, &events[*i as usize])))
    };
    // What ARP for the packet did in between is not what the hop is about.
    let Some((item, e)) = (h.first..h.end).filter_map(of).find(|(item, _)| h.aside || !item.aside) else {
        return Vec::new();
    };
    let s = w.world();
    let sign = if h.folded { '▸' } else { '▾' };
    let lead = if h.aside { ASIDE } else { "" };
    let mut place = format!("{lead}{sign} {}", s.kernel.ns(e.ns).label);
    if h.folded {
        place.push_str(&format!(" ({})", h.end - h.first));
    }
    let story = index.stories.get(item.story as usize);
    // As it is here: its addresses may have been rewritten on the way. A tunnel's datagram is told as what it carries.
    let outer = s.kernel.rec.birth(e.packet).is_some_and(|b| b.1 == Birth::Encapsulated) && !h.aside;
    let own = s.kernel.rec.packet_at(e).filter(|_| !outer).map(words::packet);
    let room = width.saturating_sub(place.chars().count() + 2);
    let again = story.is_some_and(|s| s.birth == Birth::Retransmit);
    let title = own.or_else(|| story.map(|s| s.title.clone())).map(|t| short(&t, again)).unwrap_or_default();
    vec![Span::styled(place, PLACE), Span::styled(format!("  {}", cut(&title, room)), FAINT)]
}

/// What ARP for a packet is set in by, below the packet that waits.
const ASIDE: &str = "  ";

/// A packet in the fewest words: what it is. TCP's flags say that, and come first: there is seldom room for all.
pub(super) fn short(title: &str, again: bool) -> String {
    let text = title.split(", ttl").next().unwrap_or(title);
    let text = if again { format!("{text} (again)") } else { text.to_owned() };
    let flags = text
        .strip_prefix("TCP ")
        .and_then(|t| t.split_once(" ["))
        .and_then(|(ends, f)| Some((ends, f.split_once(']')?.0)));
    match flags {
        Some((ends, flags)) => {
            let again = if again { "again, " } else { "" };
            format!("TCP {flags} {again}{ends}")
        }
        None => text,
    }
}

fn event(w: &WalkState, n: usize, width: usize) -> Vec<Span<'static>> {
    let events = w.walk.events(w.chapter);
    let Some((i, e)) = w.listing.shown.get(n).and_then(|i| Some((*i, events.get(*i as usize)?))) else {
        return Vec::new();
    };
    let aside = w.index().and_then(|x| x.items.get(i as usize)).is_some_and(|i| i.aside);
    let s = w.world();
    let narrow = width < 50;
    let text = match e.kind {
        _ if narrow => brief(s, e),
        EventKind::Tx => leaves(s, e),
        _ => clause(s, &e.kind).1,
    };
    let dev = e.dev.filter(|_| !narrow).map(|d| format!("{} ", s.kernel.dev(d).name)).unwrap_or_default();
    let style = match e.kind {
        EventKind::Drop { .. } | EventKind::Bound { .. } => BAD,
        EventKind::Nat { .. } | EventKind::Encap { .. } | EventKind::Decap { .. } => NEW,
        EventKind::SocketDeliver { .. } | EventKind::SocketCopy { .. } | EventKind::EchoReply => GOOD,
        EventKind::XtMissed { .. } => FAINT,
        _ => Style::new(),
    };
    let sign = match e.kind {
        EventKind::Drop { .. } | EventKind::Bound { .. } => "✗ ",
        EventKind::SocketDeliver { .. } | EventKind::SocketCopy { .. } | EventKind::EchoReply => "✓ ",
        _ => "  ",
    };
    let lead = if aside { ASIDE } else { "" };
    vec![Span::styled(format!("{lead}{sign}"), style), Span::styled(dev, FAINT), Span::styled(text, style)]
}

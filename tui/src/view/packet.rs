//! The packet: its layers, what changed, and its bytes. Outer and inner side by side where it is in a tunnel.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use packetwalk_sim::trace::EventKind;
use packetwalk_sim::wire::packet::Packet;

use super::doc::Doc;
use super::look::{FAINT, HEAD, NEW};
use super::walk::frame_of;
use crate::decode::{Layer, bytes, layers};
use crate::state::walk::WalkState;

/// Events after which a datagram has shown itself.
const AHEAD: usize = 64;
/// Bytes that are shown.
const MAX_BYTES: usize = 1024;

/// Draws it.
pub(super) fn render(w: &WalkState, frame: &mut Frame<'_>, area: Rect, focus: bool) {
    let inner = frame_of(frame, area, "the packet", focus, None);
    let mut d = Doc::new(inner.width.saturating_sub(1));
    match now_and_before(w) {
        Some((now, before)) => {
            show(now, before, &mut d);
            hex(now, before, &mut d);
        }
        None => d.para(nothing(w), FAINT),
    }
    d.draw(frame, inner, w.packet_scroll);
}

/// Why there is no packet to show.
fn nothing(w: &WalkState) -> &'static str {
    match (w.event(), w.at_end()) {
        (Some((_, e, _)), _) if matches!(e.kind, EventKind::Fib { .. } | EventKind::SourceChosen { .. }) => {
            "The packet is not made yet: the host first asks where it is to go."
        }
        (Some(_), _) => "No packet here: this is not about one, or its content was not kept.",
        (None, true) => "The packets have arrived or are gone: one decision back is the last of them.",
        (None, false) => "No packet yet: one decision on is the first of them.",
    }
}

/// The packet at the cursor, and what it was before where this decision changed it.
fn now_and_before(w: &WalkState) -> Option<(&Packet, Option<&Packet>)> {
    let (i, e, item) = w.event()?;
    let rec = &w.world().kernel.rec;
    if let EventKind::Encap { outer, .. } = e.kind {
        // What goes on is the datagram: its first event is not far.
        let ahead = w.walk.events(w.chapter).iter().skip(i).take(AHEAD);
        let first = ahead.filter(|x| x.packet == outer).find_map(|x| rec.packet_at(x));
        return Some((first.or_else(|| rec.packet_at(e))?, None));
    }
    let old = (item.old_snap as usize).checked_sub(1).and_then(|i| rec.snaps.get(i));
    Some((rec.packet_at(e)?, old))
}

/// What an Ethernet address and its name take.
const HALF: usize = 32;

fn show(now: &Packet, before: Option<&Packet>, d: &mut Doc) {
    let new = layers(now);
    let old = before.map(layers).unwrap_or_default();
    if before.is_some() {
        d.line("* changed by this decision, or just before it", FAINT);
    }
    let tunnel = new.iter().any(|l| l.inner);
    let half = (d.width / 2).saturating_sub(1);
    if tunnel && half >= HALF {
        let (mut outer, mut inner) = (Doc::new(half as u16), Doc::new(half as u16));
        outer.line("outer: between the hosts", FAINT);
        inner.line("inner: between the containers", FAINT);
        for l in &new {
            layer(l, &old, if l.inner { &mut inner } else { &mut outer });
        }
        beside(outer, inner, half, d);
    } else {
        let mut was_inner = false;
        for l in &new {
            if l.inner && !was_inner {
                d.line("inner: between the containers", FAINT);
                was_inner = true;
            }
            layer(l, &old, d);
        }
    }
    d.gap();
}

fn beside(left: Doc, right: Doc, half: usize, d: &mut Doc) {
    let n = left.lines.len().max(right.lines.len());
    let (mut l, mut r) = (left.lines.into_iter(), right.lines.into_iter());
    for _ in 0..n {
        let mut line: Line<'static> = l.next().unwrap_or_default();
        let pad = (half + 2).saturating_sub(line.width());
        line.spans.push(" ".repeat(pad).into());
        if line.style != Style::default() {
            let style = line.style;
            line.spans = line.spans.into_iter().map(|s| s.patch_style(style)).collect();
            line.style = Style::default();
        }
        if let Some(x) = r.next() {
            let style = x.style;
            line.spans.extend(x.spans.into_iter().map(|s| s.patch_style(style)));
        }
        d.lines.push(line);
    }
}

fn layer(l: &Layer, old: &[Layer], d: &mut Doc) {
    let was = old.iter().find(|o| o.name == l.name && o.inner == l.inner);
    d.line(l.name, HEAD);
    for f in &l.fields {
        let before = was.and_then(|o| o.fields.iter().find(|x| x.name == f.name)).filter(|x| x.value != f.value);
        match before {
            Some(b) => {
                d.mark_first();
                d.line(&format!("* {:<12} {} → {}", f.name, b.value, f.value), NEW);
            }
            None => d.line(&format!("  {:<12} {}", f.name, f.value), Style::new()),
        }
    }
}

fn hex(now: &Packet, before: Option<&Packet>, d: &mut Doc) {
    let (new, old) = (bytes(now), before.map(bytes));
    let per = if d.width >= 74 { 16 } else { 8 };
    d.line(&format!("{} bytes", new.len()), HEAD);
    for (row, chunk) in new.chunks(per).take(MAX_BYTES / per).enumerate() {
        let mut spans = vec![(format!("{:04x} ", row * per), FAINT)];
        for (i, b) in chunk.iter().enumerate() {
            let at = row * per + i;
            let changed = old.as_ref().is_some_and(|o| o.get(at) != Some(b));
            let gap = if i % 8 == 0 { " " } else { "" };
            spans.push((gap.to_owned(), Style::new()));
            spans.push((format!("{b:02x}"), if changed { NEW } else { Style::new() }));
            spans.push((" ".to_owned(), Style::new()));
        }
        let missing = (per - chunk.len()) * 3;
        let text: String = chunk.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
        spans.push((format!("{} {text}", " ".repeat(missing)), FAINT));
        d.spans(spans);
    }
    if new.len() > MAX_BYTES {
        d.line(&format!("… {} bytes more", new.len() - MAX_BYTES), FAINT);
    }
}

//! The way of a step's packet from device to device, and the answer's way back: for the pictures.

use super::{Event, Trace};
use crate::kernel::types::{DevId, NetnsId};
use crate::scenario::expect::parted::said;
use crate::session::Session;
use crate::trace::clause::clause;
use crate::trace::event::Birth;
use crate::trace::{DropReason, EventKind};
use crate::wire::PacketId;

/// From one device to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// From 1.
    pub number: usize,
    /// Device it was seen at.
    pub from: DevId,
    /// Device it was seen at next.
    pub to: DevId,
    /// It is the answer.
    pub back: bool,
}

/// What happened on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// An address translation.
    Rewrite,
    /// The end, unwanted.
    Drop,
}

/// Something that happened on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// After this hop; 0 before the first.
    pub after: usize,
    /// Namespace.
    pub ns: NetnsId,
    /// Device where it happened, or was seen last.
    pub dev: Option<DevId>,
    /// What.
    pub kind: MarkKind,
    /// In words.
    pub text: String,
}

/// A way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Hops in order.
    pub hops: Vec<Hop>,
    /// What happened on them.
    pub marks: Vec<Mark>,
    /// The first device, also where there is no hop.
    pub start: Option<DevId>,
}

/// The packet that others were made from: copies, fragments, and what a tunnel wraps and unwraps.
pub fn story(t: &Trace, id: PacketId) -> PacketId {
    *chain(t, id).last().unwrap_or(&id)
}

/// A packet and those it was made from, the first one last.
fn chain(t: &Trace, mut id: PacketId) -> Vec<PacketId> {
    let mut out = vec![id];
    // A tunnel in a tunnel in a tunnel …: there is a bound.
    while let Some((
        Some(parent),
        Birth::Copy | Birth::Fragment | Birth::Reassembled | Birth::Encapsulated | Birth::Decapsulated,
    )) = t.birth(id)
        && out.len() < 64
    {
        id = *parent;
        out.push(id);
    }
    out
}

/// The way of the first IPv4 packet among the events of a step, and of what answered it.
pub fn way(s: &Session, events: &[Event]) -> Way {
    let mut w = Way::default();
    let Some(first) = events.iter().position(|e| at_device(s, e)) else { return w };
    let Some(end) = leg(s, events, first, false, &mut w) else { return w };
    let gone = w.marks.iter().any(|m| m.kind == MarkKind::Drop);
    let (ns, root) = (events[end].ns, story(&s.kernel.rec, events[first].packet));
    let answer = |e: &Event| at_device(s, e) && e.ns == ns && story(&s.kernel.rec, e.packet) != root;
    if let Some(i) = events[end..].iter().position(answer).filter(|_| !gone) {
        leg(s, events, end + i, true, &mut w);
    }
    w
}

fn at_device(s: &Session, e: &Event) -> bool {
    matches!(e.kind, EventKind::Rx | EventKind::Tx) && s.kernel.rec.packet_at(e).is_some_and(|p| p.ipv4().is_some())
}

/// One packet from its first event on: index of its last.
fn leg(s: &Session, events: &[Event], first: usize, back: bool, w: &mut Way) -> Option<usize> {
    let rec = &s.kernel.rec;
    let root = story(rec, events[first].packet);
    let mine: Vec<usize> =
        (0..events.len()).filter(|i| events[*i].packet.0 != 0 && story(rec, events[*i].packet) == root).collect();
    // What was flooded comes to many ends; the one that counts is where it was wanted, else where it was dropped.
    let taken = |e: &Event| matches!(e.kind, EventKind::SocketDeliver { .. } | EventKind::EchoReply);
    let lost = |e: &Event| matches!(e.kind, EventKind::Drop { reason, .. } if reason != DropReason::OTHERHOST);
    let end = mine.iter().find(|i| taken(&events[**i]));
    let end = *end.or_else(|| mine.iter().rfind(|i| lost(&events[**i]))).or(mine.last())?;
    let ids = chain(rec, events[end].packet);
    let mut at = None;
    for e in mine.iter().take_while(|i| **i <= end).map(|i| &events[*i]).filter(|e| ids.contains(&e.packet)) {
        if let (EventKind::Rx | EventKind::Tx, Some(dev)) = (&e.kind, e.dev) {
            w.start.get_or_insert(dev);
            if let Some(from) = at.filter(|d| *d != dev) {
                w.hops.push(Hop { number: w.hops.len() + 1, from, to: dev, back });
            }
            at = Some(dev);
        }
        let (kind, text) = match e.kind {
            EventKind::Nat { .. } => (MarkKind::Rewrite, clause(s, &e.kind).1),
            EventKind::Drop { .. } => (MarkKind::Drop, said(s, &events[..=end], e)),
            _ => continue,
        };
        // A bridge has what it hands to the host without receiving it.
        if let (MarkKind::Drop, Some(dev), Some(from)) = (kind, e.dev, at)
            && dev != from
        {
            w.hops.push(Hop { number: w.hops.len() + 1, from, to: dev, back });
        }
        let text = text.strip_prefix("nat: ").unwrap_or(&text).to_owned();
        w.marks.push(Mark { after: w.hops.len(), ns: e.ns, dev: e.dev.or(at), kind, text });
    }
    Some(end)
}

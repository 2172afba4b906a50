//! Where what came parted from what was expected: the place a packet came to, and what happened to it there.

use super::names;
use super::path::rule_met;
use crate::session::Session;
use crate::trace::clause::clause;
use crate::trace::way::story;
use crate::trace::{DropReason, Event, EventKind};

/// The end of the step's packets: the last drop, else the last that happened to any of them.
pub fn end(s: &Session, events: &[Event]) -> Option<String> {
    let ip = |e: &&Event| s.kernel.rec.packet_at(e).is_none_or(|p| p.ipv4().is_some());
    let dropped = |e: &&Event| matches!(e.kind, EventKind::Drop { .. });
    let last = events.iter().filter(ip).rfind(dropped).or_else(|| events.iter().rfind(dropped));
    let last = last.or_else(|| events.iter().filter(ip).rfind(told)).or_else(|| events.iter().rfind(told))?;
    Some(tell(s, events, last))
}

/// What happened next to the packet of an event: its drop, else the last that is known of it.
pub fn after(s: &Session, events: &[Event], i: usize) -> Option<String> {
    let at = events.get(i)?;
    let rec = &s.kernel.rec;
    let id = story(rec, at.packet);
    let mine = |e: &&Event| e.packet.0 != 0 && story(rec, e.packet) == id;
    let rest = events.get(i..)?;
    let dropped = rest.iter().filter(mine).find(|e| matches!(e.kind, EventKind::Drop { .. }));
    let last = dropped.or_else(|| rest.iter().filter(mine).rfind(told))?;
    Some(tell(s, events, last))
}

/// Is it more than a device's word that it had the packet, or a rule that missed?
fn told(e: &&Event) -> bool {
    !matches!(e.kind, EventKind::XtMissed { .. } | EventKind::XtChain { .. } | EventKind::RuleMissed { .. })
}

fn tell(s: &Session, events: &[Event], e: &Event) -> String {
    format!("{}: {}", names(s, e.ns, e.dev).remove(0), said(s, events, e))
}

/// An event in words; a drop by the firewall with the rule or policy that the packet met last.
pub fn said(s: &Session, events: &[Event], e: &Event) -> String {
    let text = clause(s, &e.kind).1;
    let firewall = |r| matches!(r, DropReason::NETFILTER_DROP | DropReason::PACKETWALK_UNMODELLED);
    let filtered = matches!(e.kind, EventKind::Drop { reason, .. } if firewall(reason));
    match filtered.then(|| last_rule(events, e)).flatten() {
        Some(rule) => format!("{text}: {rule}"),
        None => text,
    }
}

/// The rule or policy that the packet of a drop met last.
fn last_rule(events: &[Event], drop: &Event) -> Option<String> {
    let until = events.iter().position(|e| std::ptr::eq(e, drop))?;
    events[..until].iter().rev().filter(|e| e.packet == drop.packet).find_map(|e| rule_met(&e.kind))
}

//! `drop` on the live kernel: the tracepoint tells reason, function and the device that the packet was last seen on.
//!
//! Which line of that is the one expected, the model's own walk tells. The tracepoint names a device without its
//! namespace: where several have one of that name, the place stays open, and is named as such.

use packetwalk_real::recording::{list, text};
use packetwalk_sim::scenario::expect;
use packetwalk_sim::scenario::run::{StepResult, Walk};
use packetwalk_sim::scenario::{At, ExpectDrop};
use packetwalk_sim::trace::{Event, EventKind};
use serde_json::Value;

use super::Checks;

/// Drops that the kernel tells of at another moment, or of another packet in the same memory, or not at all: rows
/// `drops` of [`packetwalk_real::compare::normalise::RULES`].
const UNCERTAIN: [&str; 2] = ["NEIGH_FAILED (neigh_invalidate)", "NOT_SPECIFIED (icmp_echo)"];

/// Holds the drops of a step against the one expected.
pub fn check(c: &mut Checks, w: &Walk, at: (usize, At), result: &StepResult, want: &ExpectDrop, did: &Value) {
    let cannot = |c: &mut Checks, why: &str| c.cannot(at.0, "drop", why);
    if did["drops"].is_null() {
        return cannot(c, "reasons of drops are watched by root alone");
    }
    if !did["drops_lost"].is_null() {
        return cannot(c, "events were lost");
    }
    let Some((i, event)) = expect::dropped(w, result, want) else {
        return cannot(c, "the model's own walk has no such drop, so it is not known how the kernel would tell it");
    };
    let (line, dev) = told(w, result, i, event);
    if UNCERTAIN.iter().any(|u| line.starts_with(u)) {
        return cannot(c, "the kernel does not tell this drop of every packet");
    }
    // What was dropped in nobody's name may be anybody's: it does not prove one.
    let (ours, nobodys) = (list(&did["drops"]), list(&did["drops_nobodys"]));
    let said: Vec<&str> = ours.iter().map(text).collect();
    if !said.contains(&line.as_str()) && nobodys.iter().any(|l| text(l) == line) {
        return cannot(c, "it came from a timer, whose drops could be of somebody else");
    }
    let got = if said.is_empty() { "no drop".into() } else { said.join("; ") };
    c.hold(at, "drop", line.clone(), got, said.contains(&line.as_str()));
    let alike = |d: &str| w.session.kernel.devs.iter().filter(|x| x.alive && x.name == *d).count();
    match dev {
        Some(d) if alike(&d) > 1 => {
            c.cannot(at.0, "drop", &format!("which of the devices named {d} it was: the kernel tells no namespace"));
        }
        Some(_) => {}
        None => c.cannot(at.0, "drop", "where: the packet had been on no device yet"),
    }
    if let Some(rule) = &want.rule {
        let place = &w.session.kernel.ns(event.ns).label;
        c.rule(w, at, "drop", result, &format!("{place} {rule}"), did);
    }
}

/// A drop as the tracepoint would tell it, and the device in it.
fn told(w: &Walk, result: &StepResult, i: usize, event: &Event) -> (String, Option<String>) {
    let trace = &w.session.kernel.rec;
    let EventKind::Drop { reason, func } = &event.kind else { return (String::new(), None) };
    let seen =
        trace.events[result.first_event..i].iter().rev().find_map(|e| match (e.packet == event.packet, &e.kind) {
            (true, EventKind::Rx) => Some(("received on", e.dev?)),
            (true, EventKind::Tx) => Some(("sent by", e.dev?)),
            _ => None,
        });
    let protocol = if trace.packet_at(event).is_none_or(|p| p.ipv4().is_some()) { "ip" } else { "arp" };
    let what = format!("{} ({func}) {protocol}", reason.name());
    match seen {
        Some((how, dev)) => {
            let dev = w.session.kernel.dev(dev).name.to_string();
            (format!("{what}, last {how} {dev}"), Some(dev))
        }
        None => (format!("{what}, on no device yet"), None),
    }
}

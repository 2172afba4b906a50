//! How neighbours changed: `neigh:neigh_update`, `neigh_event_send_done` and `neigh_timer_handler`, on both sides.
//!
//! A change is told as one line: address, device, and whether it is asked for or known from then on. Which of the states of a
//! known neighbour it has, and when that goes over into another, is the clock's and chance's matter (`neigh_rand_reach_time`).
//! The kernel tells of every use and every timer, most of which change nothing, so that each change of the model must have
//! been one of the kernel's, and not the other way round; the entries that are left are compared whole, both ways, as state.
//!
//! The tracepoints name a device and no namespace. What one of our threads did is ours; of what a timer or a softirq did in
//! nobody's name, that on a device of ours.

use std::collections::BTreeSet;
use std::fmt::Display;

use packetwalk_sim::kernel::neigh::Nud;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::{self, EventKind};
use serde_json::{Map, Value};

use super::drops::{LOST, parted};
use super::lookups::is_node;
use crate::recording::{Recording, list, text};
use crate::replay::Played;
use crate::watch::dump::state_name;
use crate::watch::tracepoints::{Event, Neigh};

/// Field of a step: the changes.
const FIELD: &str = "neighbours";

/// Writes down the changes among what happened during a step. Where nothing is written, nothing was watched.
pub fn record(events: &[Event], ours: impl Fn(&str) -> bool, fields: &mut Map<String, Value>) {
    let changed = |e: &Event| match e {
        Event::Neigh(n) if n.at.tid != 0 || ours(&n.dev) => told(n),
        _ => None,
    };
    let lines: BTreeSet<String> = events.iter().filter_map(changed).collect();
    fields.insert(FIELD.into(), lines.into_iter().collect::<Vec<_>>().into());
}

/// An entry that waits for an answer, or had none.
const ASKED: &str = "asked for";
/// An entry with an address (`NUD_VALID`).
const KNOWN: &str = "known";

fn line(dst: impl Display, dev: &str, what: &str) -> String {
    format!("{dst} dev {dev}: {what}")
}

/// What an event leaves behind, if its state has a name.
fn told(n: &Neigh) -> Option<String> {
    let what = match state_name(n.new_state.unwrap_or(n.state).into())? {
        "INCOMPLETE" | "FAILED" => ASKED,
        _ => KNOWN,
    };
    Some(line(n.dst, &n.dev, what))
}

/// The model's changes from an event on, but for those of nodes of a cluster, whose engines talk in the model only.
pub fn modelled(s: &Session, first: usize) -> Value {
    let k = &s.kernel;
    let changed = |e: &trace::Event| match (&e.kind, e.dev) {
        (EventKind::NeighState { ip, .. }, _) if is_node(s, *ip) => None,
        (EventKind::NeighState { new: Nud::Noarp, .. }, _) => None,
        (EventKind::NeighState { ip, new: Nud::Incomplete, .. }, Some(dev)) => {
            Some(line(ip, k.dev(dev).name.as_str(), ASKED))
        }
        (EventKind::NeighState { ip, old, new, .. }, Some(dev)) if !old.is_valid() && new.is_valid() => {
            Some(line(ip, k.dev(dev).name.as_str(), KNOWN))
        }
        _ => None,
    };
    let lines: BTreeSet<String> = k.rec.events[first..].iter().filter_map(changed).collect();
    lines.into_iter().collect::<Vec<_>>().into()
}

/// Is a change among others? An address that is asked for (`__neigh_event_send`) is found before the kernel tells of it,
/// where the answer comes at once: the tracepoint stands behind `local_bh_enable`.
fn among(line: &str, others: &BTreeSet<&str>) -> bool {
    let whose = line.strip_suffix(ASKED);
    others.contains(line) || whose.is_some_and(|w| others.iter().any(|o| o.starts_with(w)))
}

/// Holds the changes of each step against each other: what differs, how many were compared, what could not be. A timer is up to an eighth
/// late, so that what it changes may fall into the step before or behind.
pub fn compare(r: &Recording, played: &Played) -> (Vec<String>, usize, Vec<String>) {
    let (mut found, mut compared, mut not) = (Vec::new(), 0, Vec::new());
    let steps = list(&r.json["steps"]);
    let theirs = |i: Option<usize>| i.and_then(|i| steps.get(i)).into_iter().flat_map(|s| list(&s[FIELD])).map(text);
    for (i, (s, d)) in steps.iter().zip(&played.steps).enumerate() {
        // Of a step whose events did not fit into the ring, `drops` tells.
        if s[FIELD].is_null() || !s[LOST].is_null() {
            continue;
        }
        let near: BTreeSet<&str> = [i.checked_sub(1), Some(i), Some(i + 1)].into_iter().flat_map(theirs).collect();
        let ours = d.fields.get(FIELD).map(list).unwrap_or_default();
        compared += ours.len();
        let extra = ours.iter().map(text).filter(|l| !among(l, &near)).collect();
        let before = not.len();
        parted(r, (&s["n"], "neigh"), extra, &mut found, &mut not);
        compared -= not.len() - before;
    }
    (found, compared, not)
}

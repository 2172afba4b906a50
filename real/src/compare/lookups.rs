//! What routing tables were asked, and what they said: `fib:fib_table_lookup`, on both sides.
//!
//! A lookup is told as one line: destination, source, whether for a packet that came in, and the answer. The kernel asks
//! its tables more than once for what the model asks once (`inet_addr_type`, a command's own checks), so that each lookup
//! of the model must have been one of the kernel's, and not the other way round.
//!
//! The tracepoint is the whole machine's. What one of our threads asked is ours; of what a timer or `ksoftirqd` asked,
//! that about an address of ours.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use packetwalk_sim::kernel::fib::{Route, RouteType};
use packetwalk_sim::kernel::types::{Errno, HostId};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::EventKind;
use packetwalk_sim::trace::event::{FibResult, FlowKey};
use serde_json::{Map, Value};

use super::drops::{LOST, parted};
use crate::recording::{Recording, list, text};
use crate::replay::Played;
use crate::watch::tracepoints::{Event, Fib};

/// Field of a step: the lookups.
const FIELD: &str = "lookups";
/// Index of `lo`, by which what a host sends itself is looked up (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// Writes down the lookups among what happened during a step. Where nothing is written, nothing was watched.
pub fn record(events: &[Event], ours: impl Fn(Ipv4Addr) -> bool, fields: &mut Map<String, Value>) {
    let asked = |e: &Event| match e {
        Event::Fib(f) if f.at.tid != 0 || ours(f.src) || ours(f.dst) => Some(told(f)),
        _ => None,
    };
    let lines: BTreeSet<String> = events.iter().filter_map(asked).collect();
    fields.insert(FIELD.into(), lines.into_iter().collect::<Vec<_>>().into());
}

fn told(f: &Fib) -> String {
    let came = f.iif > LOOPBACK;
    let answer = match (&f.dev, f.err) {
        (Some(dev), 0) => found(f.gateway, dev),
        (_, e) => refused(-e),
    };
    line(f.dst, f.src, came, &answer)
}

fn line(dst: Ipv4Addr, src: Ipv4Addr, came: bool, answer: &str) -> String {
    let src = if src.is_unspecified() { "any".to_owned() } else { src.to_string() };
    format!("{dst} from {src}{}: {answer}", if came { " in" } else { "" })
}

fn found(via: Option<Ipv4Addr>, dev: &str) -> String {
    via.map_or_else(|| format!("dev {dev}"), |via| format!("via {via} dev {dev}"))
}

fn refused(errno: i32) -> String {
    format!("errno {errno}")
}

/// The model's lookups from an event on, but for those from node to node of a cluster.
pub fn modelled(s: &Session, first: usize) -> Value {
    let node = |a| is_node(s, a);
    let gossip = |key: &FlowKey| node(key.dst) && (key.src.is_unspecified() || node(key.src));
    let lines: BTreeSet<String> = s.kernel.rec.events[first..]
        .iter()
        .filter_map(|e| match &e.kind {
            EventKind::Fib { key, result } if !gossip(key) => said(s, key, result),
            _ => None,
        })
        .collect();
    lines.into_iter().collect::<Vec<_>>().into()
}

/// Is it an address of a node of a cluster? Engines of a cluster talk to each other in the model only.
pub(super) fn is_node(s: &Session, a: Ipv4Addr) -> bool {
    let k = &s.kernel;
    let of = |h: &HostId| k.inet_addr_type(k.host(*h).root_ns, a) == RouteType::Local;
    !s.clusters.is_empty() && s.engines.keys().any(of)
}

/// None where no table answered: a rule that refuses asks none, and a namespace without routes has none to ask.
fn said(s: &Session, key: &FlowKey, result: &FibResult) -> Option<String> {
    let answer = match result {
        FibResult::Route { route, .. } => by(s, route),
        FibResult::None | FibResult::Rule { .. } => return None,
    };
    Some(line(key.dst, key.src, key.iif.is_some(), &answer))
}

/// `fib_props`: what a route of each kind answers.
fn by(s: &Session, route: &Route) -> String {
    match route.kind {
        RouteType::Blackhole => refused(Errno::EINVAL.number()),
        RouteType::Unreachable => refused(Errno::EHOSTUNREACH.number()),
        RouteType::Prohibit => refused(Errno::EACCES.number()),
        _ => found(route.via, route.dev.map_or("-", |d| s.kernel.dev(d).name.as_str())),
    }
}

/// A line without what it says of a gateway.
fn without_gateway(line: &str) -> String {
    match line.split_once("via ").and_then(|(before, rest)| Some((before, rest.split_once(' ')?.1))) {
        Some((before, after)) => format!("{before}{after}"),
        None => line.to_owned(),
    }
}

/// Holds the lookups of each step against each other: what differs, how many were compared, what could not be. What the kernel asked
/// in an earlier step counts too: a socket or a tunnel keeps its route (`sk_dst_cache`, `dst_cache`).
pub fn compare(r: &Recording, played: &Played) -> (Vec<String>, usize, Vec<String>) {
    let (mut found, mut compared, mut not) = (Vec::new(), 0, Vec::new());
    let mut theirs = BTreeSet::new();
    for (s, d) in list(&r.json["steps"]).iter().zip(&played.steps) {
        // Of a step whose events did not fit into the ring, `drops` tells.
        if s[FIELD].is_null() || !s[LOST].is_null() {
            continue;
        }
        for l in list(&s[FIELD]).iter().map(text) {
            // The tracepoint leaves the gateway as it was in its memory where a route has none.
            theirs.extend([l.to_owned(), without_gateway(l)]);
        }
        let ours: BTreeSet<&str> = d.fields.get(FIELD).map(|v| list(v).iter().map(text).collect()).unwrap_or_default();
        let before = not.len();
        compared += ours.len();
        let extra = ours.into_iter().filter(|l| !theirs.contains(*l)).collect();
        parted(r, (&s["n"], "lookups"), extra, &mut found, &mut not);
        compared -= not.len() - before;
    }
    (found, compared, not)
}

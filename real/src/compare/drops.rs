//! Where packets ended, and why: reason and function of `skb:kfree_skb`, on both sides.
//!
//! A drop is told as one line: reason, function, protocol, and the device that the packet was last seen on. How often it
//! came is the counters' matter: TCP repeats as the moment wants.
//!
//! The tracepoint is the whole machine's. What one of our threads did is ours, and must be the model's too, unless it is
//! about a packet that we did not capture on a device: a softirq runs in the name of whoever is interrupted, and a timer
//! of elsewhere may have sent what no device has seen. What a timer or `ksoftirqd` did is in nobody's name: it proves a
//! drop of the model, and accuses nobody.

use std::collections::{BTreeMap, BTreeSet};

use packetwalk_sim::kernel::types::DevId;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::{DropReason, EventKind};
use packetwalk_sim::wire::{Body, PacketId};
use serde_json::{Map, Value};

#[cfg(doc)]
use super::normalise;
use crate::recording::{Recording, list, text};
use crate::replay::Played;
use crate::watch::tracepoints::{Drop, Event, Seen};

/// Field of a step: what our threads dropped.
const OURS: &str = "drops";
/// Field of a step: what was dropped in nobody's name.
const NOBODYS: &str = "drops_nobodys";
/// Field of a step: how many events were lost, of drops or of lookups.
pub(super) const LOST: &str = "drops_lost";

/// Field of a recording: the processors of whose idle task perf told nothing.
pub(crate) const UNHEARD: &str = "idle_unheard";

/// A packet that no device has seen. Its memory may have served another before, of which the kernel then tells.
const NOWHERE: &str = ", on no device yet";

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;

/// A frame was captured: device, whether it came in, time (as [`Seen::time_ns`]), length with the Ethernet header.
pub struct Captured<'a> {
    /// Device.
    pub dev: &'a str,
    /// It came in.
    pub received: bool,
    /// When.
    pub time_ns: u64,
    /// Length with the Ethernet header.
    pub len: usize,
}

/// A frame is stamped when it is queued for its receiver, and seen by the tracepoint when that gets to it.
const NEAR_NS: u64 = 5_000_000;
const ETH_HLEN: u32 = 14;

impl Captured<'_> {
    fn is(&self, s: &Seen) -> bool {
        let len = if s.received { s.len + ETH_HLEN } else { s.len };
        s.dev == self.dev
            && s.received == self.received
            && len as usize == self.len
            && s.time_ns.abs_diff(self.time_ns) < NEAR_NS
    }
}

/// Writes down the drops among what happened during a step. Where nothing is written, nothing was watched.
pub fn record(
    events: &[Event],
    captured: &[Captured<'_>],
    function: impl Fn(u64) -> String,
    fields: &mut Map<String, Value>,
) {
    let (mut ours, mut nobodys) = (BTreeSet::new(), BTreeSet::new());
    for e in events {
        let Event::Drop(d) = e else { continue };
        let Some(line) = told(d, &function) else { continue };
        let ours_too = match &d.seen {
            Some(s) => captured.iter().any(|c| c.is(s)),
            None => !d.at.softirq,
        };
        if d.at.tid != 0 && ours_too { &mut ours } else { &mut nobodys }.insert(line);
    }
    let array = |s: BTreeSet<String>| Value::from(s.into_iter().collect::<Vec<_>>());
    fields.insert(OURS.into(), array(ours));
    if !nobodys.is_empty() {
        fields.insert(NOBODYS.into(), array(nobodys));
    }
}

/// Notes how many events are missing of a step.
pub fn lost(lost: u64, fields: &mut Map<String, Value>) {
    if lost > 0 {
        fields.insert(LOST.into(), lost.into());
    }
}

/// Parts what the model alone tells of a step: differences, or what may have been done by a processor whose idle task
/// nobody heard, and is not compared.
pub(super) fn parted(
    r: &Recording,
    (step, what): (&Value, &str),
    extra: Vec<&str>,
    found: &mut Vec<String>,
    not: &mut Vec<String>,
) {
    let cpus: Vec<String> = list(&r.json[UNHEARD]).iter().map(Value::to_string).collect();
    if cpus.is_empty() {
        found.extend(extra.iter().map(|l| format!("step {step}\n      extra {l}")));
    } else {
        let told = |l: &&str| {
            format!("step {step}: {what}: {l}: perf tells nothing of the idle task of CPU {}", cpus.join(", "))
        };
        not.extend(extra.iter().map(told));
    }
}

/// A drop of IPv4 or ARP.
fn told(d: &Drop, function: impl Fn(u64) -> String) -> Option<String> {
    let protocol = match d.protocol {
        ETH_P_IP => "ip",
        ETH_P_ARP => "arp",
        _ => return None,
    };
    let at = d.seen.as_ref().map(|s| (s.dev.as_str(), s.received));
    Some(line(&d.reason, &function(d.location), protocol, at))
}

fn line(reason: &str, function: &str, protocol: &str, at: Option<(&str, bool)>) -> String {
    match at {
        Some((dev, received)) => {
            format!("{reason} ({function}) {protocol}, last {} {dev}", if received { "received on" } else { "sent by" })
        }
        None => format!("{reason} ({function}) {protocol}{NOWHERE}"),
    }
}

/// Where the model's packets were last seen.
#[derive(Default)]
pub struct Sightings {
    /// Events that were looked at.
    next: usize,
    at: BTreeMap<PacketId, (DevId, bool)>,
}

impl Sightings {
    /// The model's drops since it was last asked.
    pub fn drops(&mut self, s: &Session) -> Value {
        let trace = &s.kernel.rec;
        let mut found = BTreeSet::new();
        for e in &trace.events[self.next..] {
            match (&e.kind, e.dev) {
                (EventKind::Tx, Some(dev)) => drop(self.at.insert(e.packet, (dev, false))),
                (EventKind::Rx, Some(dev)) => drop(self.at.insert(e.packet, (dev, true))),
                (EventKind::Drop { reason, func }, _) => {
                    let protocol = match trace.packet_at(e).map(|p| &p.body) {
                        Some(Body::Ipv4(_)) => "ip",
                        Some(Body::Arp(_)) => "arp",
                        _ => continue,
                    };
                    // A queue that drops has taken the packet (`net_dev_queue`).
                    if let (DropReason::QDISC_DROP, Some(dev)) = (reason, e.dev) {
                        self.at.insert(e.packet, (dev, false));
                    }
                    let at = self.at.get(&e.packet).map(|(d, rx)| (s.kernel.dev(*d).name.as_str(), *rx));
                    found.insert(line(&reason.name(), func, protocol, at));
                }
                _ => {}
            }
        }
        self.next = trace.events.len();
        found.into_iter().collect::<Vec<_>>().into()
    }
}

/// What the tracepoint shows and no packet's way ends with: rows `drops` of [`normalise::RULES`].
const KERNELS: &[&str] = &[
    "NO_SOCKET (ping_rcv) ip",
    "QUEUE_PURGE (skb_queue_purge_reason) ",
    "QUEUE_PURGE (sk_stream_kill_queues) ",
    "QUEUE_PURGE (inet_sock_destruct) ",
    "NEIGH_FAILED (neigh_invalidate) ",
    "NOT_SPECIFIED (tcp_v4_rcv) ip",
    "NOT_SPECIFIED (inet_rtm_getroute) ",
    "NOT_SPECIFIED (skb_release_data) ",
];
/// What the model ends a way with and the kernel shows as no drop, or not for certain: likewise.
const MODELS: &[&str] = &["NEIGH_FAILED (neigh_invalidate) ", "NOT_SPECIFIED (icmp_echo) "];

/// Holds the drops of each step against each other: what differs, how many were compared, what could not be.
pub fn compare(r: &Recording, played: &Played) -> (Vec<String>, usize, Vec<String>) {
    let (mut found, mut compared, mut not) = (Vec::new(), 0, Vec::new());
    let set = |v: &Value| -> BTreeSet<String> { list(v).iter().map(|l| text(l).to_owned()).collect() };
    let one_of = |kinds: &[&str], l: &str| kinds.iter().any(|k| l.starts_with(k));
    let steps = list(&r.json["steps"]);
    for (i, (s, d)) in steps.iter().zip(&played.steps).enumerate() {
        if s[OURS].is_null() {
            continue;
        }
        if !s[LOST].is_null() {
            not.push(format!("step {}: drops, lookups, neigh: {} events did not fit into the ring", s["n"], s[LOST]));
            continue;
        }
        let (theirs, mut nobodys) = (set(&s[OURS]), set(&s[NOBODYS]));
        // A timer of the kernel is up to an eighth late: after the step, perhaps.
        nobodys.extend(steps.get(i + 1).map(|s| set(&s[NOBODYS])).unwrap_or_default());
        let ours = d.fields.get(OURS).map(set).unwrap_or_default();
        let accuses = |l: &&String| !one_of(KERNELS, l) && !among(l, &ours);
        let missing: Vec<&String> = theirs.iter().filter(accuses).collect();
        let claims: Vec<&String> = ours.iter().filter(|l| !one_of(MODELS, l)).collect();
        let extra = claims.iter().filter(|l| !among(l, &theirs) && !among(l, &nobodys)).map(|l| l.as_str());
        let before = not.len();
        found.extend(missing.iter().map(|l| format!("step {}\n      missing {l}", s["n"])));
        parted(r, (&s["n"], "drops"), extra.collect(), &mut found, &mut not);
        compared += claims.len() + missing.len() - (not.len() - before);
    }
    (found, compared, not)
}

/// Is a drop among others? One of no device is one of any.
fn among(l: &str, others: &BTreeSet<String>) -> bool {
    let what = |l: &str| l.split_once(", ").map_or(String::new(), |(what, _)| what.to_owned());
    others.iter().any(|o| o == l || ((l.ends_with(NOWHERE) || o.ends_with(NOWHERE)) && what(o) == what(l)))
}

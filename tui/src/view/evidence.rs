//! Evidence for a decision: the chain, the routing table, the neighbours, the connection, the bridge's table, the socket.

mod chain;
mod conntrack;
mod drops;
mod hooks;
mod link;
mod route;

use std::net::Ipv4Addr;

use ratatui::style::Style;

use packetwalk_sim::kernel::neigh::Nud;
use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::DropReason;
use packetwalk_sim::trace::event::{ArpVerdict, CtVerdict, Event, EventKind, Expired};
use packetwalk_sim::trace::words;
use packetwalk_sim::wire::MacAddr;
use packetwalk_sim::wire::packet::{Arp, Body};

use super::doc::Doc;
use super::look::{FAINT, GOOD, HEAD};
use crate::state::device;
use crate::state::walk::WalkState;

/// Lines of a table that are shown around the one that matters.
const AROUND: usize = 40;

/// Writes what fits the event. `i` is its number within the step.
pub(super) fn show(w: &WalkState, i: usize, e: &Event, d: &mut Doc) {
    let s = w.world();
    match &e.kind {
        EventKind::XtChain { .. }
        | EventKind::XtMissed { .. }
        | EventKind::XtMatched { .. }
        | EventKind::XtPolicy { .. } => chain::show(w, i, e, d),
        EventKind::Ct { hook, verdict: _, before, after } => {
            hooks::diagram(*hook, "conntrack", d);
            conntrack::entry(before.as_deref(), after.as_deref(), d);
        }
        EventKind::Nat { hook, before, after } => {
            hooks::diagram(*hook, "nat", d);
            conntrack::rewrite(before, after, d);
        }
        EventKind::Fib { key, result } => route::show(s, w.walk.events(w.chapter), i, (e.ns, key), result, d),
        EventKind::RuleMissed { .. } => route::rules(s, e.ns, d),
        EventKind::SourceCheck { .. } | EventKind::Forward { .. } | EventKind::LocalIn => switches(w, e, d),
        EventKind::NeighWait { ip } => {
            if let Some(asker) = asker(w, i, e, *ip) {
                d.line(&format!("to everybody on the cable: who has {ip}? tell {asker}"), GOOD);
            }
            neighbours(w, e, Some((*ip, Nud::Incomplete, None)), "", d);
        }
        EventKind::Neigh { ip, nud, lladdr } => neighbours(w, e, Some((*ip, *nud, *lladdr)), "", d),
        EventKind::NeighState { ip, new, lladdr, .. } => neighbours(w, e, Some((*ip, *new, *lladdr)), "", d),
        EventKind::Arp { verdict: ArpVerdict::SourceRefused | ArpVerdict::Ignored(_) | ArpVerdict::Filtered } => {
            switches(w, e, d);
        }
        EventKind::Arp { .. } => neighbours(w, e, None, "", d),
        EventKind::Expired { what: Expired::Connection(c) } => conntrack::entry(Some(c), None, d),
        EventKind::Expired { what: Expired::Bridge { .. } } => link::bridge(w, e, d),
        EventKind::Expired { what: Expired::Vxlan { .. } } => link::tunnel(w, e, d),
        EventKind::BrLearn { .. }
        | EventKind::BrLookup { .. }
        | EventKind::BrSkip { .. }
        | EventKind::BrForward { .. }
        | EventKind::BrUp { .. } => link::bridge(w, e, d),
        EventKind::Encap { .. }
        | EventKind::Decap { .. }
        | EventKind::VxlanLookup { .. }
        | EventKind::VxlanLearn { .. }
        | EventKind::VxlanProxy { .. } => link::tunnel(w, e, d),
        EventKind::Tx | EventKind::Rx => link::cable(s, e, d),
        EventKind::Macvlan { .. } => link::sharing(w, e, d),
        EventKind::Fragmented { .. } | EventKind::Segmented { .. } => link::cable(s, e, d),
        EventKind::IcmpError { .. } => quoted(w, i, e, d),
        EventKind::IcmpLimited { .. } => settings(w, e.ns, &["net.ipv4.icmp_ratelimit", "net.ipv4.icmp_ratemask"], d),
        EventKind::PmtuLearned { .. } | EventKind::RedirectTaken { .. } => {
            table(w, "routes", &was(w, e.ns, device::routes), device::routes(s, e.ns), "", d);
        }
        EventKind::SocketDeliver { port, .. } => sockets(w, e.ns, *port, d),
        EventKind::Drop { reason, .. } => dropped(w, i, e, *reason, d),
        _ => {}
    }
}

/// What a packet met last before netfilter dropped it: a rule, a policy, or connection tracking that has no place for it.
pub(super) fn culprit<'w>(w: &'w WalkState, i: usize, e: &Event) -> Option<(usize, &'w Event)> {
    if !matches!(e.kind, EventKind::Drop { reason: DropReason::NETFILTER_DROP, .. }) {
        return None;
    }
    let events = w.walk.events(w.chapter);
    let met = |k: &EventKind| {
        matches!(
            k,
            EventKind::XtMatched { .. }
                | EventKind::XtPolicy { .. }
                | EventKind::EbRule { fits: true, .. }
                | EventKind::EbPolicy { .. }
                | EventKind::Ct { verdict: CtVerdict::Full | CtVerdict::Clash, .. }
        )
    };
    let mut back = (i.saturating_sub(64)..i).rev();
    let j = back.find(|j| events.get(*j).is_some_and(|x| x.packet == e.packet && met(&x.kind)))?;
    Some((j, &events[j]))
}

fn dropped(w: &WalkState, i: usize, e: &Event, reason: DropReason, d: &mut Doc) {
    let s = w.world();
    match reason {
        DropReason::NETFILTER_DROP => match culprit(w, i, e) {
            Some((_, x)) if matches!(x.kind, EventKind::Ct { .. }) => drops::tracking(w, e, d),
            Some((j, x)) => chain::show(w, j, x, d),
            None => {}
        },
        DropReason::NO_SOCKET => sockets(w, e.ns, 0, d),
        DropReason::NEIGH_FAILED => neighbours(w, e, None, "FAILED", d),
        DropReason::IP_RPFILTER | DropReason::IP_INADDRERRORS | DropReason::IP_LOCALNET => {
            switches(w, e, d);
            table(w, "routes", &was(w, e.ns, device::routes), device::routes(s, e.ns), "", d);
        }
        DropReason::NEIGH_CREATEFAIL => {
            drops::room(w, e, d);
            neighbours(w, e, None, "", d);
        }
        DropReason::IP_INNOROUTES | DropReason::IP_OUTNOROUTES => {
            table(w, "routes", &was(w, e.ns, device::routes), device::routes(s, e.ns), "", d);
        }
        DropReason::PKT_TOO_BIG => drops::too_big(w, i, e, d),
        DropReason::OTHERHOST => drops::receiver(w, i, e, d),
        DropReason::QDISC_DROP | DropReason::DEV_READY | DropReason::BRIDGE_INGRESS_STP_STATE => {
            drops::devices(w, e, d)
        }
        DropReason::VXLAN_VNI_NOT_FOUND | DropReason::VXLAN_ENTRY_EXISTS => link::tunnel(w, e, d),
        _ => {}
    }
}

/// A list, the lines with some words lit. What was not there `before` the step is told apart.
fn table(w: &WalkState, title: &str, before: &[String], lines: Vec<String>, lit: &str, d: &mut Doc) {
    if lines.is_empty() {
        d.line(&format!("{title}: none"), FAINT);
        return;
    }
    let new = |l: &String| w.chapter > 0 && !before.contains(l);
    let when = if lines.iter().any(new) { " (+ what this step brought)" } else { "" };
    d.line(&format!("{title}{when}"), HEAD);
    let at = lines.iter().position(|l| !lit.is_empty() && l.contains(lit));
    let from = at.unwrap_or(0).saturating_sub(AROUND / 2);
    for l in lines.iter().skip(from).take(AROUND) {
        let here = !lit.is_empty() && l.contains(lit);
        if here {
            d.mark();
        }
        let (mark, plus) = (if here { '▶' } else { ' ' }, if new(l) { '+' } else { ' ' });
        d.line(&format!("{mark}{plus} {l}"), if here { GOOD } else { Style::new() });
    }
}

/// What a namespace had before this step.
fn was(w: &WalkState, ns: NetnsId, of: fn(&Session, NetnsId) -> Vec<String>) -> Vec<String> {
    let before = w.walk.before(w.chapter);
    if ns.ix() < before.kernel.netns.len() { of(before, ns) } else { Vec::new() }
}

/// The neighbours after the step, but for the one that the event tells of: it as it is now.
fn neighbours(w: &WalkState, e: &Event, now: Option<(Ipv4Addr, Nud, Option<MacAddr>)>, lit: &str, d: &mut Doc) {
    let s = w.world();
    let before = was(w, e.ns, device::neighbours);
    let mut lines = device::neighbours(s, e.ns);
    let mut lit = lit.to_owned();
    if let (Some((ip, nud, mac)), Some(dev)) = (now, e.dev) {
        let head = format!("{ip} dev {} ", s.kernel.dev(dev).name);
        let mac = mac.filter(|_| nud.is_valid()).map_or_else(|| "address unknown".into(), |m| m.to_string());
        lit = format!("{head}{mac} {}", nud.as_str());
        match lines.iter_mut().find(|l| l.starts_with(&head)) {
            Some(l) => l.clone_from(&lit),
            None => lines.push(lit.clone()),
        }
    }
    table(w, "neighbours", &before, lines, &lit, d);
}

/// The address that the question behind an event is asked in: a router asks in its own, whoever sent the packet.
fn asker(w: &WalkState, i: usize, e: &Event, ip: Ipv4Addr) -> Option<Ipv4Addr> {
    let of = |x: &Event| match w.world().kernel.rec.packet_at(x).map(|p| &p.body) {
        Some(Body::Arp(a)) if a.op == Arp::REQUEST && a.tpa == ip => Some(a.spa),
        _ => None,
    };
    let later = w.walk.events(w.chapter).iter().skip(i);
    later.take_while(|x| x.at == e.at).filter(|x| x.ns == e.ns).find_map(of)
}

fn sockets(w: &WalkState, ns: NetnsId, port: u16, d: &mut Doc) {
    let lit = if port == 0 { String::new() } else { format!(":{port}") };
    let before = was(w, ns, device::listeners);
    let now = device::listeners(w.world(), ns);
    // A program that takes one connection no longer listens at the step's end.
    let gone = |l: &&String| port != 0 && l.contains(&lit) && !now.contains(l);
    let lines: Vec<String> = before.iter().filter(gone).cloned().chain(now.iter().cloned()).collect();
    if port != 0 && !lines.iter().any(|l| l.ends_with(&lit)) {
        d.para(&format!("port {port} is that of a program which asked, and waits for the answer"), GOOD);
        d.gap();
    }
    table(w, "programs that listen", &before, lines, &lit, d);
}

/// The packet that a message tells of: its first bytes go along, so that the sender knows which one it was.
fn quoted(w: &WalkState, i: usize, e: &Event, d: &mut Doc) {
    let s = w.world();
    let events = w.walk.events(w.chapter);
    let parent = s.kernel.rec.birth(e.packet).and_then(|b| b.0).unwrap_or(e.packet);
    let before = events[..i.min(events.len())].iter().rev().find(|x| x.packet == parent);
    let Some(p) = before.and_then(|x| s.kernel.rec.packet_at(x)) else { return };
    d.line("the message quotes the packet that it tells of", HEAD);
    d.hang("  ", &words::packet(p), "    ", Style::new());
}

/// The settings that forwarding and the check of sources hang on, as they are after the step: those of the device that
/// the packet is at, too (`IN_DEV_RPFILTER` and `IN_DEV_ROUTE_LOCALNET` ask `all` and the device).
fn switches(w: &WalkState, e: &Event, d: &mut Doc) {
    let k = &w.world().kernel;
    let dev = e.dev.map(|x| k.dev(x).name.to_string());
    let mut names = Vec::new();
    let keys: &[&str] = match e.kind {
        EventKind::Arp { verdict: ArpVerdict::Ignored(_) } => &["arp_ignore"],
        EventKind::Arp { verdict: ArpVerdict::Filtered } => &["arp_filter"],
        _ => &["rp_filter", "route_localnet"],
    };
    if !matches!(e.kind, EventKind::Arp { .. }) {
        names.push("net.ipv4.ip_forward".to_owned());
        names.extend(dev.iter().map(|x| format!("net.ipv4.conf.{x}.forwarding")));
    }
    for key in keys {
        names.push(format!("net.ipv4.conf.all.{key}"));
        names.extend(dev.iter().map(|x| format!("net.ipv4.conf.{x}.{key}")));
    }
    settings(w, e.ns, &names.iter().map(String::as_str).collect::<Vec<_>>(), d);
}

fn settings(w: &WalkState, ns: NetnsId, names: &[&str], d: &mut Doc) {
    d.line("settings here", HEAD);
    for name in names {
        if let Ok(v) = w.world().kernel.sysctl_get(ns, name) {
            d.line(&format!("  {name} = {}", v.trim()), Style::new());
        }
    }
    d.gap();
}

//! Neighbours that were given up: what ended there, or still waits. Why nobody answers is `unanswered`'s.

use super::unanswered::unanswered;
use super::{Found, at, line, with_drop};
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, world};
use crate::kernel::link::IfFlags;
use crate::trace::event::EventKind;
use crate::wire::packet::Arp;

/// A packet was given up because nobody answered for its next hop.
pub fn failed(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let asked = sc.back(i).find_map(|x| match x.kind {
        EventKind::NeighWait { ip } | EventKind::Neigh { ip, .. } => Some((ip, x.dev)),
        _ => None,
    });
    let Some((ip, dev)) = asked else { return };
    let Some(dev) = dev.or(e.dev) else { return };
    if sc.is_outer(e.packet) {
        super::vxlan::wrong_remote(sc, i, ip, out);
    }
    // It had come in where it now is to go out: to a place that does not know its own address any more.
    let came = sc.back(i).any(|x| matches!(x.kind, EventKind::Forward { .. }) && x.ns == e.ns);
    let dst = sc.packet_before(i).and_then(Flow::of).map(|f| f.dst);
    if came
        && dst == Some(ip)
        && let Some(f) = super::address::lost(sc, dev, ip)
    {
        out.push(f);
    }
    let f = unanswered(sc, e.ns, dev, ip, sc.packet_before(i).and_then(Flow::of).map(|f| f.dst));
    out.push(with_drop(sc, i, f));
}

/// The neighbour table has no room: for the next hop, or for somebody who asks.
pub fn table_full(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let s = sc.after;
    let root = world::root(s, e.ns);
    let place = world::place(s, root);
    let host = s.kernel.ns(e.ns).host;
    let all = s.kernel.netns.iter().filter(|n| n.alive && n.host == host && !n.is_switch);
    let entries: usize = all.map(|n| n.neigh.entries.len()).sum();
    let key = "net.ipv4.neigh.default.gc_thresh3";
    let says = format!("the neighbour table of {place} is full, with all its namespaces: there is no room for another");
    let f = Found::new(Cause::NeighbourTableFull, place, says)
        .shown("neighbour: arp_cache: neighbor table overflow!", Some(line(sc, root, "dmesg")))
        .shown(format!("{entries} entries"), Some(line(sc, e.ns, "ip neigh show")))
        .shown("the bound", Some(line(sc, root, format!("sysctl {key}"))))
        .fix(vec![line(sc, root, format!("sysctl -w {key}={}", (2 * entries).max(1024)))]);
    out.push(with_drop(sc, i, f));
}

/// A device with ARP switched off: whoever is next, the frame bears the device's own address (`arp_constructor`).
pub fn asks_nobody(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let Some(d) = sc.events()[i].dev.map(|d| sc.after.kernel.dev(d)) else { return };
    if d.is_loopback() || !d.flags.contains(IfFlags::NOARP) {
        return;
    }
    let Some(p) = sc.packet_before(i).filter(|p| p.src == d.mac && p.dst == d.mac) else { return };
    let Some(ip) = Flow::of(p).map(|f| f.dst) else { return };
    let says = format!("{} does no ARP, so that what goes to {ip} bears its own Ethernet address", at(sc, i));
    let f = Found::new(Cause::NeighbourFailed, at(sc, i), says)
        .shown(format!("{} is NOARP", d.name), Some(line(sc, d.netns, format!("ip link show {}", d.name))))
        .fix(vec![line(sc, d.netns, format!("ip link set {} arp on", d.name))]);
    out.push(f);
}

/// A question that a program asked itself, as `arping` does: no packet waits for the answer, and none is dropped.
pub fn arping(sc: &Scene<'_>, out: &mut Vec<Found>) {
    if !out.is_empty() {
        return;
    }
    let asked = |e: &crate::trace::Event| {
        let a = sc.packet(e).and_then(crate::explain::scene::arp)?;
        let own = e.ns == sc.ns && matches!(e.kind, EventKind::Tx) && a.op == Arp::REQUEST && a.spa != a.tpa;
        own.then_some((a.tpa, e.dev?))
    };
    let waits = |e: &crate::trace::Event| matches!(e.kind, EventKind::NeighWait { .. });
    if let Some((ip, dev)) = sc.events().iter().find_map(asked)
        && !sc.events().iter().any(waits)
    {
        out.push(unanswered(sc, sc.ns, dev, ip, None));
    }
}

/// Packets that still wait for a neighbour when the step ends.
pub fn waiting(sc: &Scene<'_>, out: &mut Vec<Found>) {
    if out.iter().any(|f| f.blocker.cause == Cause::NeighbourFailed) {
        return;
    }
    for (i, e) in sc.events().iter().enumerate() {
        let EventKind::NeighWait { ip } = e.kind else { continue };
        let later = |x: &crate::trace::Event| x.packet == e.packet && matches!(x.kind, EventKind::Tx);
        let Some(dev) = e.dev else { continue };
        if !sc.events()[i..].iter().any(later) {
            if sc.is_outer(e.packet) {
                super::vxlan::wrong_remote(sc, i, ip, out);
            }
            out.push(unanswered(sc, e.ns, dev, ip, sc.packet_before(i).and_then(Flow::of).map(|f| f.dst)));
        }
    }
}

//! Two machines with one Ethernet address, as a copied one has: a bridge sends to where it heard the address last.

use std::net::Ipv4Addr;

use super::{Found, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, Line, world};
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::event::EventKind;
use crate::wire::MacAddr;

/// Frames to an Ethernet address that two machines of the wire have.
pub fn find(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen: Vec<(NetnsId, MacAddr)> = Vec::new();
    for (i, e) in sc.events().iter().enumerate() {
        let (EventKind::Tx, Some(dev)) = (&e.kind, e.dev) else { continue };
        let Some(p) = sc.packet_before(i).filter(|p| !p.dst.is_multicast()) else { continue };
        if seen.contains(&(e.ns, p.dst)) {
            continue;
        }
        seen.push((e.ns, p.dst));
        let near = |o: &&Device| {
            o.mac == p.dst
                && o.netns != e.ns
                && o.master.is_none()
                && !s.kernel.ns(o.netns).is_switch
                && world::wires(s, dev, o.id).is_some()
        };
        let twins: Vec<&Device> = world::devices(s).filter(near).collect();
        let Some(ip) = asked(sc, e.ns, dev, p.dst) else { continue };
        let Some(right) = twins.iter().find(|o| o.addrs.iter().any(|a| a.local == ip)) else { continue };
        for other in twins.iter().filter(|o| o.netns != right.netns) {
            out.push(told(sc, (e.ns, dev), ip, right, other));
        }
    }
}

/// The address that a namespace knows by this Ethernet address.
fn asked(sc: &Scene<'_>, ns: NetnsId, dev: DevId, mac: MacAddr) -> Option<Ipv4Addr> {
    let entries = &sc.after.kernel.ns(ns).neigh.entries;
    entries.iter().find(|(k, n)| k.0 == dev && n.lladdr == mac).map(|(k, _)| k.1)
}

fn told(sc: &Scene<'_>, (asker, dev): (NetnsId, DevId), ip: Ipv4Addr, right: &Device, other: &Device) -> Found {
    let s = sc.after;
    let (here, there) = (world::place(s, other.netns), world::place(s, right.netns));
    let says = format!(
        "{there} and {here} both have the Ethernet address {}, and frames for {ip} may go to either",
        right.mac
    );
    let link = |d: &Device| Some(line(sc, d.netns, format!("ip link show {}", d.name)));
    let mut f = Found::new(Cause::DuplicateAddress, format!("{here}/{}", other.name), says)
        .shown(format!("{ip} lladdr {}", right.mac), Some(line(sc, asker, format!("ip neigh show {ip}"))))
        .shown(format!("{there} has {}", right.mac), link(right))
        .shown(format!("{here} has {}", right.mac), link(other));
    let Some(new) = unused(sc, other.mac) else { return f };
    let mut lines = vec![line(sc, other.netns, format!("ip link set {} address {new}", other.name))];
    for (l, what) in learnt(sc, dev, right, other) {
        f = f.shown(what, Some(line(sc, l.1, "bridge fdb show")));
        lines.push(l.0);
    }
    // Who knew it by the old address learns the new one only when asked.
    let entries = &s.kernel.ns(asker).neigh.entries;
    for a in other.addrs.iter().filter(|a| entries.contains_key(&(dev, a.local))) {
        lines.push(line(sc, asker, format!("ip neigh del {} dev {}", a.local, world::name(s, dev))));
    }
    f.fix(lines)
}

/// An Ethernet address beside this one that nobody has.
fn unused(sc: &Scene<'_>, mac: MacAddr) -> Option<MacAddr> {
    (1..=u8::MAX).find_map(|n| {
        let mut b = mac.0;
        b[5] = b[5].wrapping_add(n);
        world::devices(sc.after).all(|d| d.mac.0 != b).then_some(MacAddr(b))
    })
}

/// Entries of the bridges on the way that lead to the wrong one, and would for as long as they are remembered.
fn learnt(sc: &Scene<'_>, from: DevId, right: &Device, other: &Device) -> Vec<((Line, NetnsId), String)> {
    let s = sc.after;
    let mut all = Vec::new();
    for id in world::wires(s, from, right.id).unwrap_or_default() {
        let d = s.kernel.dev(id);
        let Some(entry) = d.bridge().and_then(|b| b.fdb.get(&right.mac)) else { continue };
        let leads = |to: DevId| world::wires(s, id, to).is_some_and(|w| w.contains(&entry.dev));
        if entry.dev != id && leads(other.id) && !leads(right.id) {
            let port = world::name(s, entry.dev);
            let place = world::place(s, d.netns);
            let del = line(sc, d.netns, format!("bridge fdb del {} dev {port} master", right.mac));
            all.push(((del, d.netns), format!("{} of {place} heard it at {port} last", d.name)));
        }
    }
    all
}

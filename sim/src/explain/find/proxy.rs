//! Routers that lead to an address of another wire, and answer ARP for it or do not.

use std::net::Ipv4Addr;

use super::{Found, at, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::fib::{Flow, Lookup, table};
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, NetnsId};
use crate::wire::MacAddr;

/// Each router on a wire that could answer for an address, as a change to try.
pub fn could(sc: &Scene<'_>, ns: NetnsId, dev: DevId, ip: Ipv4Addr, mut f: Found) -> Found {
    let s = sc.after;
    let told = f.blocker.says.clone();
    for d in world::segment(s, dev).into_iter().map(|d| s.kernel.dev(d)) {
        let all = &s.kernel.ns(d.netns).sysctl.all;
        let router = d.netns != ns && d.master.is_none() && !s.kernel.ns(d.netns).is_switch && d.conf.forwarding != 0;
        if !router || d.conf.proxy_arp != 0 || all.proxy_arp != 0 {
            continue;
        }
        let Lookup::Route(_, route) = s.kernel.lookup_rules_quietly(d.netns, &Flow::to(ip)) else { continue };
        if route.table == table::LOCAL || route.dev.is_none_or(|out| out == d.id) {
            continue;
        }
        let (place, key) = (world::place(s, d.netns), format!("net.ipv4.conf.{}.proxy_arp", d.name));
        f.blocker.says = format!("{told}; {place}/{} could answer for it, and {key} is 0", d.name);
        f = f.shown(format!("{key} = 0"), Some(line(sc, d.netns, format!("sysctl {key}")))).fix(vec![line(
            sc,
            d.netns,
            format!("sysctl -w {key}=1"),
        )]);
    }
    f
}

/// The address is on the wire of another device of the asker's, and its routes do not say so.
pub fn beside(sc: &Scene<'_>, ns: NetnsId, ip: Ipv4Addr, owner: &Device, mut f: Found) -> Found {
    let s = sc.after;
    let told = f.blocker.says.clone();
    let mine = |d: &&Device| d.alive && d.master.is_none() && world::wires(s, d.id, owner.id).is_some();
    for d in s.kernel.devs_of(ns).filter(mine) {
        let route = line(sc, ns, format!("ip route add {ip} dev {}", d.name));
        let up = (!d.is_up()).then(|| line(sc, ns, format!("ip link set {} up", d.name)));
        f.blocker.cause = if d.is_up() { Cause::NoRoute } else { Cause::LinkDown };
        f.blocker.says = format!("{told}; {ip} is on the wire of {}, and no route leads there", d.name);
        f = f.fix(up.into_iter().chain([route]).collect());
    }
    f
}

/// A way out for who has an address and no network: a router on the wire answers for all that it leads to.
pub fn by_wire(sc: &Scene<'_>, ns: NetnsId, mut f: Found) -> Found {
    let s = sc.after;
    let alone = |d: &&Device| !d.is_loopback() && d.addrs.iter().any(|a| a.prefix == 32);
    for d in s.kernel.devs_of(ns).filter(alone) {
        let answers =
            |o: &Device| o.netns != ns && (o.conf.proxy_arp != 0 || s.kernel.ns(o.netns).sysctl.all.proxy_arp != 0);
        if !world::segment(s, d.id).into_iter().any(|o| answers(s.kernel.dev(o))) {
            continue;
        }
        let up = (!d.is_up()).then(|| line(sc, ns, format!("ip link set {} up", d.name)));
        let route = line(sc, ns, format!("ip route add default dev {}", d.name));
        f = f.fix(up.into_iter().chain([route]).collect());
    }
    f
}

/// An entry names an Ethernet address that nobody on that wire has.
pub fn stranger(sc: &Scene<'_>, i: usize, dev: DevId, ip: Ipv4Addr, mac: MacAddr) -> Option<Found> {
    let s = sc.after;
    let ns = sc.events()[i].ns;
    if world::segment(s, dev).into_iter().any(|d| s.kernel.dev(d).mac == mac) {
        return None;
    }
    let says = format!("the neighbour table of {} says {ip} is at {mac}, which nobody on that wire has", at(sc, i));
    let f = Found::new(Cause::StaleNeighbour, at(sc, i), says)
        .shown(format!("{ip} lladdr {mac}"), Some(line(sc, ns, format!("ip neigh show {ip}"))));
    Some(f.fix(vec![line(sc, ns, format!("ip neigh del {ip} dev {}", world::name(s, dev)))]))
}

//! Addresses that are not where others look for them, and the routes that went with them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Found, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, Line, world};
use crate::kernel::fib::{RuleAction, table};
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, NetnsId};

/// Networks of the others on a device's wire, each with the address of one of them.
pub fn beside(sc: &Scene<'_>, d: DevId) -> Vec<(Ipv4Net, Ipv4Addr, NetnsId)> {
    let s = sc.after;
    let own = s.kernel.dev(d).netns;
    let mut all: Vec<(Ipv4Net, Ipv4Addr, NetnsId)> = Vec::new();
    for o in world::segment(s, d).into_iter().map(|x| s.kernel.dev(x)).filter(|o| o.netns != own) {
        for a in &o.addrs {
            if let Ok(n) = Ipv4Net::new(a.local, a.prefix) {
                all.push((n.trunc(), a.local, o.netns));
            }
        }
    }
    all
}

/// The length of the prefix that an address has on a wire.
pub fn prefix(sc: &Scene<'_>, d: DevId, a: Ipv4Addr) -> u8 {
    let s = sc.after;
    let own = s.kernel.dev(d).addrs.iter().filter_map(|x| Ipv4Net::new(x.local, x.prefix).ok());
    let nets = own.chain(beside(sc, d).into_iter().map(|b| b.0));
    nets.filter(|n| n.contains(&a)).map(|n| n.prefix_len()).max().unwrap_or(24)
}

/// An address of a network that others send to though nobody has it.
fn awaited(sc: &Scene<'_>, net: Ipv4Net) -> Option<Ipv4Addr> {
    let s = sc.after;
    let gateways = world::devices(s).flat_map(|d| {
        let ns = s.kernel.ns(d.netns);
        ns.fib.tables.values().flat_map(|t| t.routes.iter().flat_map(|(_, r)| r.iter().filter_map(|r| r.via)))
    });
    let tunnels = world::devices(s).filter_map(|d| d.vxlan()).flat_map(|v| v.cfg.local.into_iter().chain(v.cfg.remote));
    let entries = world::devices(s)
        .filter_map(|d| d.vxlan())
        .flat_map(|v| v.fdb.values().flat_map(|e| e.remotes.iter().map(|r| r.ip)));
    let mut named = gateways.chain(tunnels).chain(entries).chain(world::named_in_rules(s));
    named.find(|g| net.contains(g) && world::owners(s, *g).is_empty())
}

/// An address of a network that others send to though nobody has it; else a free one.
pub fn wanted(sc: &Scene<'_>, net: Ipv4Net) -> Option<Ipv4Addr> {
    awaited(sc, net).or_else(|| world::free_address(sc.after, net))
}

/// The address that a device should have: a container's, as its engine knows it; else one that others wait for.
pub fn right(sc: &Scene<'_>, d: &Device, net: Ipv4Net) -> Option<Ipv4Addr> {
    let endpoint = world::container(sc.after, d.netns)
        .and_then(|(_, c)| c.endpoints.values().find(|p| p.dev == Some(d.id)))
        .and_then(|p| p.ip)
        .filter(|a| net.contains(a));
    endpoint.or_else(|| wanted(sc, net))
}

/// The address that others on a device's wire have a route to by it, and that nobody has: a link without a subnet.
pub fn at_far_end(sc: &Scene<'_>, d: &Device) -> Option<Ipv4Addr> {
    let s = sc.after;
    let ends = world::segment(s, d.id).into_iter().map(|x| s.kernel.dev(x)).filter(|o| o.netns != d.netns);
    let hosts = ends.flat_map(|o| {
        let all = s.kernel.ns(o.netns).fib.tables.values().flat_map(|t| t.routes.iter().flat_map(|(_, r)| r));
        all.filter(|r| r.via.is_none() && r.dev == Some(o.id) && r.dst.prefix_len() == 32).map(|r| r.dst.addr())
    });
    hosts.into_iter().find(|a| world::owners(s, *a).is_empty())
}

/// A packet for an address that nobody has came to a device: it is the one that should have it.
pub fn lost(sc: &Scene<'_>, d: DevId, a: Ipv4Addr) -> Option<Found> {
    let s = sc.after;
    if !world::owners(s, a).is_empty() || a.is_loopback() {
        return None;
    }
    let dev = s.kernel.dev(d);
    let top = dev.master.map_or(dev, |m| s.kernel.dev(m));
    let near = top.addrs.iter().any(|x| Ipv4Net::new(x.local, x.prefix).is_ok_and(|n| n.contains(&a)))
        || beside(sc, top.id).iter().any(|b| b.0.contains(&a))
        || world::expected_on(s, top.id, a);
    if !near {
        return None;
    }
    let place = format!("{}/{}", world::place(s, top.netns), top.name);
    let says = format!("others send to {a} and reach {place}, which does not have that address");
    let add = line(sc, top.netns, format!("ip addr add {a}/{} dev {}", prefix(sc, top.id, a), top.name));
    let f = Found::new(Cause::AddressMissing, place.clone(), says)
        .shown(format!("{place} does not have {a}"), Some(line(sc, top.netns, format!("ip addr show {}", top.name))))
        .fix(vec![add.clone()]);
    let back =
        sc.events().iter().find_map(|e| sc.packet(e).and_then(|p| p.ipv4()).filter(|ip| ip.dst == a).map(|ip| ip.src));
    Some(match back {
        Some(src) => ways(sc, top, src).into_iter().fold(f, |f, w| f.fix(vec![add.clone(), w])),
        None => f,
    })
}

/// Devices without an address on their wire get one, and the route that leads on.
pub fn readdress(sc: &Scene<'_>, ns: NetnsId, dst: Ipv4Addr, mut f: Found) -> Found {
    let s = sc.after;
    for d in s.kernel.devs_of(ns).filter(|d| d.alive && !d.is_loopback() && d.master.is_none()) {
        let mut nets: Vec<Ipv4Net> =
            beside(sc, d.id).into_iter().map(|b| b.0).filter(|n| n.prefix_len() < 31).collect();
        nets.sort_unstable();
        nets.dedup();
        for net in nets.into_iter().take(2) {
            if d.addrs.iter().any(|a| net.contains(&a.local)) {
                continue;
            }
            let Some(a) = right(sc, d, net) else { continue };
            let place = format!("{}/{}", world::place(s, ns), d.name);
            let mut lines = vec![line(sc, ns, format!("ip addr add {a}/{} dev {}", net.prefix_len(), d.name))];
            if !d.is_up() {
                lines.insert(0, line(sc, ns, format!("ip link set {} up", d.name)));
            }
            let on = ways(sc, d, dst);
            if on.is_empty() && !net.contains(&dst) {
                continue;
            }
            if d.addrs.is_empty() {
                f.blocker.cause = Cause::AddressMissing;
                f.blocker.at = place.clone();
                let lost = awaited(sc, net).filter(|w| *w == a).map(|_| format!(" (others look for {a} there)"));
                f.blocker.says = format!(
                    "{place} has no address{}, and so {} has no route by it to {dst}",
                    lost.unwrap_or_default(),
                    world::place(s, ns)
                );
                f = f.shown("no address", Some(line(sc, ns, format!("ip addr show {}", d.name))));
            }
            f = f.fix(lines.clone());
            for way in on {
                f = f.fix(lines.iter().cloned().chain([way]).collect());
            }
        }
    }
    f
}

/// The routes of tables that routing rules ask and that have none: they went with a device's last address.
pub fn emptied(sc: &Scene<'_>, d: &Device, dst: Ipv4Addr) -> Vec<Line> {
    let s = sc.after;
    let fib = &s.kernel.ns(d.netns).fib;
    let empty = fib.rules.iter().filter_map(|r| match r.action {
        RuleAction::Table(t) => Some(t),
        _ => None,
    });
    let mut empty: Vec<u32> = empty
        .filter(|t| *t < table::DEFAULT && fib.tables.get(t).is_none_or(|t| t.routes.iter().next().is_none()))
        .collect();
    empty.dedup();
    let via = beside(sc, d.id)
        .into_iter()
        .find(|(_, _, v)| world::has(s, *v, dst) || world::next_hop(s, *v, dst, None).is_some());
    let Some((_, via, _)) = via else { return Vec::new() };
    empty
        .into_iter()
        .map(|t| line(sc, d.netns, format!("ip route add default via {via} dev {} table {t}", d.name)))
        .collect()
}

/// Routes over a device to an address, by those beside it who have it or lead there.
fn ways(sc: &Scene<'_>, d: &Device, dst: Ipv4Addr) -> Vec<Line> {
    let s = sc.after;
    let Some((_, net)) = world::target(s, d.netns, dst) else { return Vec::new() };
    let mut all = Vec::new();
    for (near, via, v) in beside(sc, d.id) {
        if near.contains(&dst) {
            continue;
        }
        let leads = world::has(s, v, dst) || world::next_hop(s, v, dst, None).is_some();
        if leads && all.len() < 3 {
            all.push(line(sc, d.netns, format!("ip route replace {net} via {via}")));
        }
    }
    all
}

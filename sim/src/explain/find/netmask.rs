//! Netmasks that are not those of the wire: too wide, and what is beyond a router is asked for at once; too narrow, and
//! the router itself is out of reach.

use std::net::Ipv4Addr;

use super::{Found, address, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::fib::{Route, RouteType, table};
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::event::{EventKind, FibResult};

/// The asker's own network is wider than its router's, and has addresses in it that are beyond the router.
pub fn too_wide(sc: &Scene<'_>, dev: DevId, ip: Ipv4Addr, via: Ipv4Addr, mut f: Found) -> Found {
    let s = sc.after;
    let d = s.kernel.dev(dev);
    let net = |a: Ipv4Addr, prefix: u8| ipnet::Ipv4Net::new(a, prefix).ok().map(|n| n.trunc());
    let Some(own) = d.addrs.iter().find(|a| net(a.local, a.prefix).is_some_and(|n| n.contains(&ip))) else { return f };
    let near = world::owners(s, via).into_iter().find(|o| world::wires(s, dev, o.id).is_some());
    let Some(right) = near.and_then(|o| world::net_of(o, via)) else { return f };
    if right.prefix_len() <= own.prefix || right.contains(&ip) || !right.contains(&own.local) {
        return f;
    }
    f.blocker.says =
        format!("{}; the netmask is /{}, and on that wire it is /{}", f.blocker.says, own.prefix, right.prefix_len());
    let mut lines = vec![
        format!("ip addr add {}/{} dev {}", own.local, right.prefix_len(), d.name),
        format!("ip addr del {}/{} dev {}", own.local, own.prefix, d.name),
    ];
    // Only the netmask led there: without it, a route has to.
    let others = s.kernel.ns(d.netns).fib.tables.get(&table::MAIN);
    let leads = |r: &Route| r.gateway().is_some() && r.dst.contains(&ip);
    if !others.is_some_and(|t| t.routes.iter().any(|(_, r)| r.iter().any(leads))) {
        let to = near_net(sc, ip).unwrap_or_else(|| ipnet::Ipv4Net::from(ip));
        lines.push(format!("ip route add {to} via {via}"));
    }
    f.shown(
        format!("{} has {}/{}", d.name, own.local, own.prefix),
        Some(line(sc, d.netns, format!("ip addr show {}", d.name))),
    )
    .fix(lines.iter().map(|l| line(sc, d.netns, l)).collect())
}

/// A host asks for another's address, which by its own netmask is everybody's.
pub fn broadcast(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    for e in sc.events() {
        let EventKind::Fib { key, result: FibResult::Route { route, .. } } = &e.kind else { continue };
        let Some(d) = route.dev.filter(|_| route.kind == RouteType::Broadcast).map(|d| s.kernel.dev(d)) else {
            continue;
        };
        let near = world::owners(s, key.dst).into_iter().find(|o| world::wires(s, d.id, o.id).is_some());
        let Some((o, right)) = near.and_then(|o| Some((o, world::net_of(o, key.dst)?))) else { continue };
        let own = d.addrs.iter().find(|a| {
            right.contains(&a.local) && ipnet::Ipv4Net::new(a.local, a.prefix).is_ok_and(|n| n.broadcast() == key.dst)
        });
        let Some(own) = own.filter(|a| a.prefix > right.prefix_len()) else { continue };
        let place = format!("{}/{}", world::place(s, e.ns), d.name);
        let says = format!(
            "{} is {}'s address, and by the netmask of {place} it is for everybody: that is /{}, and on that wire it is /{}",
            key.dst,
            world::place(s, o.netns),
            own.prefix,
            right.prefix_len()
        );
        let lines = [
            format!("ip addr add {}/{} dev {}", own.local, right.prefix_len(), d.name),
            format!("ip addr del {}/{} dev {}", own.local, own.prefix, d.name),
        ];
        let show = |c: String| Some(line(sc, e.ns, c));
        out.push(
            Found::new(Cause::Refused, place, says)
                .shown(format!("{} is a broadcast address there", key.dst), show(format!("ip route get {}", key.dst)))
                .shown(format!("{} has {}/{}", d.name, own.local, own.prefix), show(format!("ip addr show {}", d.name)))
                .fix(lines.iter().map(|l| line(sc, e.ns, l)).collect()),
        );
    }
}

/// The network of an address as a router on its wire has it.
fn near_net(sc: &Scene<'_>, ip: Ipv4Addr) -> Option<ipnet::Ipv4Net> {
    let owner = world::owners(sc.after, ip).into_iter().next()?;
    let nets = address::beside(sc, owner.id).into_iter().map(|b| b.0);
    nets.filter(|n| n.contains(&ip)).max_by_key(|n| n.prefix_len())
}

/// The host's own network is narrower than that of a router on its wire, and the router is outside of it.
pub fn too_narrow(sc: &Scene<'_>, ns: NetnsId, dst: Ipv4Addr, mut f: Found) -> Found {
    let s = sc.after;
    for d in s.kernel.devs_of(ns).filter(|d| d.is_up() && !d.is_loopback()) {
        for a in &d.addrs {
            let Ok(own) = ipnet::Ipv4Net::new(a.local, a.prefix) else { continue };
            let Some((near, via, v)) = address::beside(sc, d.id)
                .into_iter()
                .find(|(n, via, _)| n.prefix_len() < a.prefix && n.contains(&a.local) && !own.contains(via))
            else {
                continue;
            };
            let leads = world::next_hop(s, v, dst, None);
            if !near.contains(&dst) && leads.is_none() {
                continue;
            }
            f.blocker.says = format!(
                "{}; the netmask of {} is /{}, and on that wire it is /{}, with {via} in it",
                f.blocker.says,
                d.name,
                a.prefix,
                near.prefix_len()
            );
            let mut lines = vec![
                line(sc, ns, format!("ip addr add {}/{} dev {}", a.local, near.prefix_len(), d.name)),
                line(sc, ns, format!("ip addr del {}/{} dev {}", a.local, a.prefix, d.name)),
            ];
            if !near.contains(&dst) {
                lines.push(line(sc, ns, format!("ip route add default via {via}")));
            }
            let show = line(sc, ns, format!("ip addr show {}", d.name));
            f = f.shown(format!("{} has {}/{}", d.name, a.local, a.prefix), Some(show)).fix(lines);
        }
    }
    f
}

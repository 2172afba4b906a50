//! Nobody answers ARP: whoever has the address is beyond something that is down, on another wire, or nowhere.

use std::net::Ipv4Addr;

use super::{Found, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::link::Device;
use crate::kernel::neigh::Nud;
use crate::kernel::types::{DevId, NetnsId};

/// Nobody answers ARP for `ip` on `dev`, for a packet to `dst`: who has the address, and what is between.
pub fn unanswered(sc: &Scene<'_>, ns: NetnsId, dev: DevId, ip: Ipv4Addr, dst: Option<Ipv4Addr>) -> Found {
    let s = sc.after;
    let place = format!("{}/{}", world::place(s, ns), world::name(s, dev));
    let says = format!("nobody answers ARP for {ip} on {place}");
    let mut f = Found::new(Cause::NeighbourFailed, place, says);
    // A packet that was given up went with its entry; `arping` makes none.
    let nud = s.kernel.ns(ns).neigh.entries.get(&(dev, ip)).map(|n| n.nud);
    if let Some(nud) = nud.or(dst.map(|_| Nud::Failed)) {
        f = f.shown(format!("{ip} is {}", nud.as_str()), Some(line(sc, ns, format!("ip neigh show {ip}"))));
    }
    let owners = world::owners(s, ip);
    let near: Vec<&&Device> = owners.iter().filter(|o| world::wires(s, dev, o.id).is_some()).collect();
    if let Some(o) = near.first() {
        f = on_the_wire(sc, dev, o, f);
    } else if let Some(o) = owners.first() {
        f = elsewhere(sc, ns, dev, o, ip, f);
    } else {
        f = nobody(sc, ns, dev, ip, dst, f);
    }
    f
}

/// Whoever has the address is wired to the asker: something between them is down.
fn on_the_wire(sc: &Scene<'_>, dev: DevId, owner: &Device, mut f: Found) -> Found {
    let s = sc.after;
    let way = world::wires(s, dev, owner.id).unwrap_or_default();
    let above = |a: DevId, b: DevId| s.kernel.macvlan_lower(a) == Some(b) || s.kernel.macvlan_lower(b) == Some(a);
    if way.len() == 2 && above(way[0], way[1]) {
        f.blocker.cause = Cause::MacvlanHost;
        f.blocker.says =
            format!("{}: a macvlan and the device it lies on do not hear each other, by design", f.blocker.says);
        return super::shim::find(sc, &way, f);
    }
    if let [a, lower, b] = way[..]
        && above(a, lower)
        && above(lower, b)
    {
        f = super::shim::apart(sc, a, b, f);
    }
    for d in way.iter().map(|d| s.kernel.dev(*d)).filter(|d| !d.is_up()) {
        let place = format!("{}/{}", world::place(s, d.netns), d.name);
        f.blocker.cause = Cause::LinkDown;
        f.blocker.says = format!("{}: {place} on the way is down", f.blocker.says);
        f.blocker.at = place.clone();
        f = f
            .shown(format!("{place} is DOWN"), Some(line(sc, d.netns, format!("ip link show {}", d.name))))
            .fix(vec![line(sc, d.netns, format!("ip link set {} up", d.name))]);
    }
    if f.blocker.cause != Cause::NeighbourFailed {
        return f;
    }
    super::vxlan::not_flooded(sc, &way, owner).unwrap_or_else(|| asked_before(sc, dev, owner, f))
}

/// The question was out before the step began, and by a way that was wrong then: its last repeat may be over.
fn asked_before(sc: &Scene<'_>, dev: DevId, owner: &Device, mut f: Found) -> Found {
    let ns = sc.after.kernel.dev(dev).netns;
    if ns.ix() >= sc.before.kernel.netns.len() {
        return f;
    }
    let waiting = sc.before.kernel.ns(ns).neigh.entries.iter().filter(|(k, n)| k.0 == dev && n.nud == Nud::Incomplete);
    let Some(ip) = waiting.map(|(k, _)| k.1).find(|ip| owner.addrs.iter().any(|a| a.local == *ip)) else { return f };
    f.blocker.says = format!("{}: it was asked before, and has not given up on that question yet", f.blocker.says);
    f.fix(vec![line(sc, ns, format!("ip neigh del {ip} dev {}", world::name(sc.after, dev)))])
}

/// Whoever has the address is on no wire with the asker: an end that is no port, or another network of the same numbers.
fn elsewhere(sc: &Scene<'_>, ns: NetnsId, dev: DevId, owner: &Device, ip: Ipv4Addr, mut f: Found) -> Found {
    let s = sc.after;
    let told = f.blocker.says.clone();
    for (port, bridge) in super::link::loose_ends(sc, dev, owner.id) {
        let (p, b) = (s.kernel.dev(port), s.kernel.dev(bridge));
        f.blocker.cause = Cause::PortNotEnslaved;
        f.blocker.at = format!("{}/{}", world::place(s, p.netns), p.name);
        f.blocker.says = format!("{told}: {} is no port of {}", f.blocker.at, b.name);
        f = f
            .shown(format!("{} has no master", p.name), Some(line(sc, p.netns, format!("ip link show {}", p.name))))
            .fix(super::link::enslave(sc, port, bridge));
    }
    if f.blocker.cause == Cause::PortNotEnslaved {
        return f;
    }
    if let Some(f) = other_card(sc, dev, owner, &f) {
        return f;
    }
    if let Some(swapped) = [ns, owner.netns].into_iter().find_map(|n| super::swapped::find(sc, n)) {
        return swapped;
    }
    let Some(h) = world::next_hop(s, ns, ip, None) else {
        f.blocker.says = format!("{told}: {} has it, and no wire leads there", world::place(s, owner.netns));
        f = super::proxy::could(sc, ns, dev, ip, f);
        f = super::proxy::beside(sc, ns, ip, owner, f);
        f = other_lan(sc, dev, owner, f);
        return super::address::readdress(sc, ns, ip, f);
    };
    // Both ends of a tunnel that does not work: their subnet is one, and no other way is meant.
    let tunnel = |d: DevId| world::segment(s, d).into_iter().any(|x| s.kernel.dev(x).vxlan().is_some());
    let beside = s.kernel.devs_of(owner.netns).any(|d| d.vxlan().is_some());
    if tunnel(dev) && (tunnel(owner.id) || beside) {
        f.blocker.says = format!("{told}: {} has it, beyond a tunnel", world::place(s, owner.netns));
        return f;
    }
    f.blocker.cause = Cause::SubnetOverlap;
    f.blocker.says =
        format!("{told}: the route leads there, but {ip} is {}'s, reached by {}", world::place(s, owner.netns), h.via);
    f = f.shown("the route that wins", Some(line(sc, ns, format!("ip route get {ip}"))));
    f = super::netmask::too_wide(sc, dev, ip, h.via, f);
    f = other_network(sc, ns, dev, f).fix(vec![line(sc, ns, format!("ip route add {ip} via {}", h.via))]);
    super::proxy::could(sc, ns, dev, ip, f)
}

/// The host has the address on another wire, and a card on this one that would answer for it too, and is down.
fn other_card(sc: &Scene<'_>, dev: DevId, owner: &Device, f: &Found) -> Option<Found> {
    let s = sc.after;
    let here = |d: &&Device| !d.is_loopback() && !d.is_up() && world::wires(s, dev, d.id).is_some();
    let d = s.kernel.devs_of(owner.netns).find(here)?;
    let place = format!("{}/{}", world::place(s, d.netns), d.name);
    let says = format!("{}: {} has it, and {place} on this wire is down", f.blocker.says, world::place(s, d.netns));
    let mut found = Found::new(Cause::LinkDown, place.clone(), says);
    found.blocker.evidence.clone_from(&f.blocker.evidence);
    let show = line(sc, d.netns, format!("ip link show {}", d.name));
    Some(found.shown(format!("{place} is DOWN"), Some(show)).fix(vec![line(
        sc,
        d.netns,
        format!("ip link set {} up", d.name),
    )]))
}

/// A container leaves the network whose addresses are others' for the default one.
fn other_network(sc: &Scene<'_>, ns: NetnsId, dev: DevId, f: Found) -> Found {
    let s = sc.after;
    let Some((e, c)) = world::container(s, ns) else { return f };
    let on = c.endpoints.iter().find(|(_, p)| p.dev == Some(dev)).map(|(n, _)| n);
    let other = e.networks.values().find(|n| n.name == "bridge" && !c.endpoints.contains_key(&n.name));
    let (Some(on), Some(other)) = (on, other) else { return f };
    let host = s.kernel.ns(ns).host;
    let change = |verb: &str, n: &str| world::host_line(s, host, &format!("docker network {verb} {n} {}", c.name));
    f.fix(vec![change("disconnect", on), change("connect", &other.name)])
}

/// Both are plugged into switches of LANs, and not of the same.
fn other_lan(sc: &Scene<'_>, dev: DevId, owner: &Device, f: Found) -> Found {
    let s = sc.after;
    let port = |d: DevId| s.kernel.dev(d).veth_peer().filter(|p| s.kernel.ns(s.kernel.dev(*p).netns).is_switch);
    let (Some(here), Some(there)) = (port(dev), port(owner.id)) else { return f };
    let lan = |p: DevId| s.kernel.dev(p).master;
    let (Some(a), Some(b)) = (lan(here), lan(there)) else { return f };
    let (sw, plug) = (s.kernel.dev(there).netns, world::name(s, there));
    f.shown(
        format!("one is on LAN {}, the other on {}", world::name(s, a), world::name(s, b)),
        Some(line(sc, sw, "bridge link show")),
    )
    .fix(vec![line(sc, sw, format!("ip link set {plug} master {}", world::name(s, a)))])
}

/// Nobody has the address: a gateway that lost it, a route to a gateway that is not, or simply no such host.
fn nobody(sc: &Scene<'_>, ns: NetnsId, dev: DevId, ip: Ipv4Addr, dst: Option<Ipv4Addr>, mut f: Found) -> Found {
    let s = sc.after;
    let told = f.blocker.says.clone();
    let prefix =
        s.kernel.dev(dev).addrs.iter().find(|a| ipnet::Ipv4Net::new(a.local, a.prefix).is_ok_and(|n| n.contains(&ip)));
    let prefix = prefix.map_or(24, |a| a.prefix);
    // Without a packet, as `arping` asks: the routes say whether it is a gateway.
    let led_by = || {
        s.kernel
            .ns(ns)
            .fib
            .tables
            .values()
            .any(|t| t.routes.iter().any(|(_, r)| r.iter().any(|r| r.gateway() == Some(ip))))
    };
    let gateway = dst.map_or_else(led_by, |d| d != ip);
    f.blocker.cause = Cause::NoSuchAddress;
    f.blocker.says = format!("{told}: no place of the scenario has that address");
    if gateway {
        f.blocker.cause = Cause::WrongGateway;
        f.blocker.says = format!("{told}: the route leads by it, and no place of the scenario has that address");
        f = f.shown("the route", Some(line(sc, ns, format!("ip route get {}", dst.unwrap_or(ip)))));
    }
    // A device on this wire that stands there without an address: a bridge, or the far end.
    for d in world::segment(s, dev).into_iter().map(|d| s.kernel.dev(d)) {
        let bare = d.netns != ns && d.master.is_none() && d.addrs.is_empty() && !s.kernel.ns(d.netns).is_switch;
        if bare && d.vxlan().is_none() {
            let place = format!("{}/{}", world::place(s, d.netns), d.name);
            f.blocker.cause = Cause::AddressMissing;
            f.blocker.says = format!("{told}: {place} stands on that wire without an address");
            f = f
                .shown(format!("{place} has no address"), Some(line(sc, d.netns, format!("ip addr show {}", d.name))))
                .fix(vec![line(sc, d.netns, format!("ip addr add {ip}/{prefix} dev {}", d.name))]);
        }
    }
    if gateway && let Some(dst) = dst {
        if let Some(h) = world::next_hop(s, ns, dst, Some(ip)) {
            f = f.fix(vec![line(sc, ns, format!("ip route replace {} via {}", h.net, h.via))]).fix(vec![line(
                sc,
                ns,
                format!("ip route replace default via {}", h.via),
            )]);
        }
        // Another route may lead there; where none does, the gateway was but the first blocker.
        if let Some(route) = world::winner(s, ns, dst) {
            f = f.fix(vec![line(sc, ns, format!("ip route del {route}"))]);
        }
    }
    f = super::dnat::wrong_host(sc, ip, f);
    f = super::dnat::wrong_source(sc, ip, f);
    // Others on the wire whose address is another than is asked for: it may have moved.
    for d in world::segment(s, dev).into_iter().map(|d| s.kernel.dev(d)) {
        let end = s.kernel.ns(d.netns).sysctl.all.forwarding == 0 || gateway;
        if d.netns != ns && end && d.master.is_none() && !d.addrs.is_empty() && !s.kernel.ns(d.netns).is_switch {
            f = f.fix(vec![line(sc, d.netns, format!("ip addr add {ip}/{prefix} dev {}", d.name))]);
        }
    }
    f
}

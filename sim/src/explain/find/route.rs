//! Routing: forwarding that is off, routes that are not there, circles.

use std::net::Ipv4Addr;

use super::{Found, address, line, link, masquerade, netmask, with_drop, words};
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::DropReason;
use crate::trace::event::EventKind;

/// A packet for another came to a host that does not forward.
pub fn not_forwarding(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let s = sc.after;
    let place = world::place(s, e.ns);
    let dst = sc.packet_before(i).and_then(Flow::of).map(|f| f.dst);
    if let (Some(d), Some(dst)) = (e.dev, dst)
        && let Some(f) = address::lost(sc, d, dst)
    {
        out.push(with_drop(sc, i, f));
    }
    if let (Some(d), Some(dst)) = (e.dev, dst) {
        out.extend(unplugged(sc, i, d, dst));
    }
    let on = s.kernel.ns(e.ns).sysctl.all.forwarding != 0;
    let key = match e.dev {
        Some(d) if on => format!("net.ipv4.conf.{}.forwarding", world::name(s, d)),
        _ => "net.ipv4.ip_forward".to_owned(),
    };
    let says = format!("{place} does not forward: {key} is 0, and {} is not for it", words(sc, i));
    let f = Found::new(Cause::ForwardingDisabled, place, says)
        .shown(format!("{key} = 0"), Some(line(sc, e.ns, format!("sysctl {key}"))))
        .fix(vec![line(sc, e.ns, format!("sysctl -w {key}=1"))])
        .fix(vec![line(sc, e.ns, "sysctl -w net.ipv4.ip_forward=1")]);
    out.push(with_drop(sc, i, f));
}

/// Whoever has the address hangs on an end that is no port any more: another host heard the frame in its stead.
fn unplugged(sc: &Scene<'_>, i: usize, dev: DevId, dst: Ipv4Addr) -> Vec<Found> {
    let s = sc.after;
    let far = world::owners(s, dst).into_iter().filter(|o| world::wires(s, dev, o.id).is_none());
    let ends = far.flat_map(|o| link::loose_ends(sc, dev, o.id));
    ends.map(|(port, bridge)| {
        let (p, b) = (s.kernel.dev(port), s.kernel.dev(bridge));
        let place = format!("{}/{}", world::place(s, p.netns), p.name);
        let says = format!("{place} is no port of {}, and another host got {}", b.name, words(sc, i));
        Found::new(Cause::PortNotEnslaved, place, says)
            .shown(format!("{} has no master", p.name), Some(line(sc, p.netns, format!("ip link show {}", p.name))))
            .fix(link::enslave(sc, port, bridge))
    })
    .collect()
}

/// There is no route to a destination.
pub fn missing(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let s = sc.after;
    let dst = match &e.kind {
        EventKind::Fib { key, .. } => key.dst,
        _ => match sc.packet_before(i).and_then(Flow::of) {
            Some(f) => f.dst,
            None => return,
        },
    };
    // What is for everybody, and what asks for a way back only to tell an error, is no conversation.
    if dst.is_broadcast() || dst.is_multicast() || dst.is_unspecified() {
        return;
    }
    // Looked up to tell of a packet that is too big, or that no route leads on: that is the cause.
    let told = |x: &crate::trace::Event| {
        let reason = match x.kind {
            EventKind::Drop { reason, .. } => reason,
            _ => return false,
        };
        x.ns == e.ns && matches!(reason, DropReason::PKT_TOO_BIG | DropReason::IP_INNOROUTES)
    };
    let of_its_own = matches!(e.kind, EventKind::Fib { .. });
    if of_its_own && sc.events()[i..].iter().take(6).any(told) {
        return;
    }
    let back = e.ns != sc.ns && (!matches!(e.kind, EventKind::Drop { .. }) || world::has(s, sc.ns, dst));
    let place = world::place(s, e.ns);
    let cause = match back {
        true if masquerade::behind(sc, e.ns) || masquerade::meant(sc, e.ns) => Cause::MasqueradeMissing,
        true => Cause::NoReturnRoute,
        false => Cause::NoRoute,
    };
    let says = match cause {
        Cause::MasqueradeMissing => format!(
            "{place} got the request, and has no route back to {dst}: the source was not translated on its way out"
        ),
        Cause::NoReturnRoute => format!("{place} has no route back to {dst}"),
        _ => format!("{place} has no route to {dst}"),
    };
    let mut f = Found::new(cause, place, says)
        .shown(format!("no route to {dst}"), Some(line(sc, e.ns, format!("ip route get {dst}"))));
    if cause == Cause::MasqueradeMissing {
        f = masquerade::at(sc, e.ns, dst, f);
    }
    f = netmask::too_narrow(sc, e.ns, dst, f);
    f = down(sc, e.ns, dst, f);
    f = tunnel(sc, i, f);
    f = address::readdress(sc, e.ns, dst, f);
    if world::owners(s, dst).is_empty() && !dst.is_loopback() {
        for d in
            s.kernel.devs_of(e.ns).filter(|d| d.alive && d.addrs.is_empty() && d.master.is_none() && !d.is_loopback())
        {
            f.blocker.cause = Cause::AddressMissing;
            f.blocker.says = format!("{dst} is nobody's address, and {} of {} has none", d.name, world::place(s, e.ns));
            f = f.fix(vec![line(
                sc,
                e.ns,
                format!("ip addr add {dst}/{} dev {}", address::prefix(sc, d.id, dst), d.name),
            )]);
        }
    }
    let shut_in = shut_in(sc, e.ns);
    if let Some(n) = &shut_in {
        f.blocker.says = format!("{}: its network {n} is internal, and leads nowhere else", f.blocker.says);
        f = container(sc, e.ns, f);
    }
    f = routes(sc, e.ns, dst, f);
    if shut_in.is_none() {
        f = container(sc, e.ns, f);
    }
    if cause == Cause::NoReturnRoute {
        f = masquerade::at(sc, e.ns, dst, f);
    }
    out.push(with_drop(sc, i, f));
}

/// Routes that would lead there.
pub fn routes(sc: &Scene<'_>, ns: NetnsId, dst: Ipv4Addr, mut f: Found) -> Found {
    let s = sc.after;
    if let Some(hop) = world::next_hop(s, ns, dst, None) {
        f = f.fix(vec![line(sc, ns, format!("ip route add {} via {}", hop.net, hop.via))]);
        if !hop.direct {
            f = f.fix(vec![line(sc, ns, format!("ip route replace default via {}", hop.via))]);
        }
        // Another neighbour may lead there too, and be meant.
        if let Some(other) = world::next_hop(s, ns, dst, Some(hop.via)) {
            f = f.fix(vec![line(sc, ns, format!("ip route add {} via {}", other.net, other.via))]);
        }
    }
    // Its own network, whose route is gone.
    for d in s.kernel.devs_of(ns).filter(|d| d.is_up() && !d.is_loopback()) {
        let nets = d.addrs.iter().filter_map(|a| ipnet::Ipv4Net::new(a.local, a.prefix).ok().map(|n| n.trunc()));
        for net in nets.filter(|n| n.prefix_len() < 32 && n.contains(&dst)) {
            f = f.fix(vec![line(sc, ns, format!("ip route add {net} dev {}", d.name))]);
        }
    }
    f = super::proxy::by_wire(sc, ns, f);
    // A device on the same wire as the one that has the address, without an address of its own.
    for o in world::owners(s, dst) {
        let Some(net) = world::net_of(o, dst) else { continue };
        for d in own_on_wire(sc, ns, o.id) {
            let name = world::name(s, d);
            let dev = s.kernel.dev(d);
            if net.prefix_len() == 32 && !dev.addrs.is_empty() {
                f = f.fix(vec![line(sc, ns, format!("ip route add {dst} dev {name}"))]);
            } else if net.prefix_len() == 32
                && let Some(a) = address::at_far_end(sc, dev)
            {
                f.blocker.cause = Cause::AddressMissing;
                f.blocker.says = format!("{}: {name} has no address, and others send to {a} by it", f.blocker.says);
                let lines = [format!("ip addr add {a}/32 dev {name}"), format!("ip route add {dst} dev {name}")];
                f = f.fix(lines.iter().map(|l| line(sc, ns, l)).collect());
            } else if dev.addrs.iter().any(|a| net.contains(&a.local)) {
                f = f.fix(vec![line(sc, ns, format!("ip route add {net} dev {name}"))]);
            } else if let Some(a) = address::wanted(sc, net) {
                let add = line(sc, ns, format!("ip addr add {a}/{} dev {name}", net.prefix_len()));
                let up = (!dev.is_up()).then(|| line(sc, ns, format!("ip link set {name} up")));
                f = f.fix(up.into_iter().chain([add]).collect());
            }
        }
    }
    f
}

/// Devices of a namespace on the wire of another device.
fn own_on_wire(sc: &Scene<'_>, ns: NetnsId, other: DevId) -> Vec<DevId> {
    let s = sc.after;
    let mut all: Vec<DevId> = world::segment(s, other).into_iter().filter(|d| s.kernel.dev(*d).netns == ns).collect();
    // Ports have no addresses: their bridge has.
    all.retain(|d| s.kernel.dev(*d).master.is_none());
    all
}

/// A device that is down has no routes.
fn down(sc: &Scene<'_>, ns: NetnsId, dst: Ipv4Addr, mut f: Found) -> Found {
    let s = sc.after;
    for d in s.kernel.devs_of(ns).filter(|d| d.alive && !d.is_up()) {
        let near = d.addrs.iter().any(|a| {
            ipnet::Ipv4Net::new(a.local, a.prefix).is_ok_and(|n| n.contains(&dst))
                || d.addrs.iter().any(|x| x.local == dst)
        });
        let up = line(sc, ns, format!("ip link set {} up", d.name));
        if near || d.is_loopback() && (dst.is_loopback() || world::has(s, ns, dst)) {
            f.blocker.cause = Cause::LinkDown;
            f.blocker.says = format!("{} is down in {}, and with it its routes", d.name, world::place(s, ns));
            f = f
                .shown(format!("{} is DOWN", d.name), Some(line(sc, ns, format!("ip link show {}", d.name))))
                .fix(vec![up]);
        } else if !d.is_loopback() {
            if !d.addrs.is_empty() && !f.blocker.says.contains("is down") {
                f.blocker.says = format!("{}; {} is down, and the routes by it are gone", f.blocker.says, d.name);
            }
            // The routes that it carried are gone with it: they must be set anew.
            let route = world::next_hop(s, ns, dst, None)
                .map(|h| line(sc, ns, format!("ip route replace {} via {}", h.net, h.via)));
            let near = world::owners(s, dst).into_iter().any(|o| world::wires(s, d.id, o.id).is_some());
            let straight = near.then(|| line(sc, ns, format!("ip route add {dst} dev {}", d.name)));
            f = f.fix([up].into_iter().chain(route.or(straight)).collect());
        }
    }
    f
}

/// A tunnel whose own address is not there.
fn tunnel(sc: &Scene<'_>, i: usize, mut f: Found) -> Found {
    let s = sc.after;
    let Some(d) = sc.events()[i].dev.map(|d| s.kernel.dev(d)) else { return f };
    let Some(v) = d.vxlan() else { return f };
    let on_its_net = |d: &&Device, a: Ipv4Addr| {
        d.addrs.iter().any(|x| ipnet::Ipv4Net::new(x.local, x.prefix).is_ok_and(|n| n.contains(&a)))
    };
    let Some(local) = v.cfg.local else { return f };
    let near = || s.kernel.devs_of(v.home).find(|d| on_its_net(d, local)).map(|d| d.id);
    let Some(lower) = v.cfg.lower.or_else(near) else { return f };
    if !world::has(s, v.home, local) {
        let place = format!("{}/{}", world::place(s, v.home), world::name(s, lower));
        f.blocker.cause = Cause::AddressMissing;
        f.blocker.says = format!("{} sends from {local}, and {place} does not have that address", d.name);
        f.blocker.at = place;
        // The look-up that failed was for the tunnel's datagram, not for what is in it.
        f.blocker.evidence.clear();
        let p = address::prefix(sc, lower, local);
        f = f
            .shown(
                format!("{} has local {local}", d.name),
                Some(line(sc, d.netns, format!("ip -d link show {}", d.name))),
            )
            .fix(vec![line(sc, v.home, format!("ip addr add {local}/{p} dev {}", world::name(s, lower)))]);
    }
    f
}

/// The network of a container that is on internal ones only.
fn shut_in(sc: &Scene<'_>, ns: NetnsId) -> Option<String> {
    let (e, c) = world::container(sc.after, ns)?;
    let first = world::networks(e, c).next()?.name.clone();
    world::networks(e, c).all(|n| n.internal).then_some(first)
}

/// A container without a way out gets one by another network.
fn container(sc: &Scene<'_>, ns: NetnsId, mut f: Found) -> Found {
    let s = sc.after;
    let Some((e, c)) = world::container(s, ns) else { return f };
    let host = s.kernel.ns(ns).host;
    let leave: Vec<Line> = c
        .endpoints
        .keys()
        .filter(|n| *n == "none")
        .cloned()
        .chain((c.mode == crate::docker::types::Mode::None).then(|| "none".to_owned()))
        .take(1)
        .map(|n| world::host_line(s, host, &format!("docker network disconnect {n} {}", c.name)))
        .collect();
    let mut nets: Vec<&crate::docker::types::Network> = e.networks.values().collect();
    nets.sort_by_key(|n| (n.internal, n.name != "bridge"));
    for n in
        nets.into_iter().filter(|n| !n.internal && n.driver == "bridge" && !c.endpoints.contains_key(&n.name)).take(3)
    {
        let connect = world::host_line(s, host, &format!("docker network connect {} {}", n.name, c.name));
        f = f.fix(leave.iter().cloned().chain([connect]).collect());
    }
    f
}

/// A router whose own way to a destination went with a device or its address: what it sends goes by a lesser route.
fn lost_way(sc: &Scene<'_>, r: NetnsId, dst: Ipv4Addr) -> Option<Found> {
    let s = sc.after;
    let place = world::place(s, r);
    let f = Found::new(Cause::RoutingLoop, place.clone(), String::new());
    let f = address::readdress(sc, r, dst, f);
    if f.blocker.cause == Cause::AddressMissing {
        return Some(f);
    }
    let hop = world::next_hop(s, r, dst, None)?;
    let leads = |d: &&Device| {
        !d.is_up() && d.addrs.iter().any(|a| ipnet::Ipv4Net::new(a.local, a.prefix).is_ok_and(|n| n.contains(&hop.via)))
    };
    let d = s.kernel.devs_of(r).find(leads)?;
    let says = format!(
        "{} is down in {place}, and the route to {} by it is gone: what is for there goes by another, and comes back",
        d.name, hop.net
    );
    Some(
        Found::new(Cause::LinkDown, format!("{place}/{}", d.name), says)
            .shown(format!("{} is DOWN", d.name), Some(line(sc, r, format!("ip link show {}", d.name))))
            .fix(vec![
                line(sc, r, format!("ip link set {} up", d.name)),
                line(sc, r, format!("ip route replace {} via {}", hop.net, hop.via)),
            ]),
    )
}

/// The time to live was used up.
pub fn used_up(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let s = sc.after;
    let Some(flow) = sc.packet_before(i).and_then(Flow::of) else { return };
    let visits = sc.back(i).filter(|x| matches!(x.kind, EventKind::Forward { .. }) && x.ns == e.ns).count();
    let circle = visits > 0 || world::circle(s, e.ns, flow.dst);
    let place = world::place(s, e.ns);
    if circle {
        sc.routers().into_iter().filter_map(|r| lost_way(sc, r, flow.dst)).for_each(|f| out.push(with_drop(sc, i, f)));
    }
    let f = if circle {
        let says = format!(
            "{} goes round in a circle: it came to {place} again until its time to live was used up",
            words(sc, i)
        );
        let f = Found::new(Cause::RoutingLoop, place, says);
        let show = line(sc, sc.ns, format!("traceroute -n {}", flow.dst));
        let mut f = f.shown("the same routers again and again", Some(show));
        for r in sc.routers() {
            f = f.shown(
                format!("the route of {}", world::place(s, r)),
                Some(line(sc, r, format!("ip route get {}", flow.dst))),
            );
            if let Some(h) = world::next_hop(s, r, flow.dst, None) {
                f = f.fix(vec![line(sc, r, format!("ip route replace {} via {}", h.net, h.via))]);
            }
        }
        f
    } else {
        let says = format!("the time to live of {} is used up at {place}", words(sc, i));
        Found::new(Cause::TtlTooSmall, place, says)
    };
    out.push(with_drop(sc, i, f));
}

//! Devices and bridges: what is down, what is no port, what a bridge does not do.

use super::{Found, at, line, with_drop, words};
use crate::explain::scene::{Flow, FlowL4, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::types::DevId;
use crate::trace::DropReason as R;
use crate::trace::event::{ArpVerdict, BrSkip, EventKind};

/// A drop by a device or a bridge.
pub fn dropped(sc: &Scene<'_>, i: usize, reason: R, func: &str, out: &mut Vec<Found>) {
    if let Some(f) = super::source::answer_to_loopback(sc, i) {
        out.push(with_drop(sc, i, f));
        return;
    }
    let found = match reason {
        R::BRIDGE_INGRESS_STP_STATE | R::BRIDGE_NON_FORWARDING_PORT => bridge_down(sc, i),
        R::NO_TX_TARGET => no_port(sc, i),
        R::QDISC_DROP | R::DEV_READY | R::NOT_SPECIFIED if func != "br_handle_frame_finish" => link_down(sc, i),
        R::NOT_SPECIFIED => hairpin(sc, i),
        _ => other(sc, i, reason, func),
    };
    out.push(with_drop(sc, i, found));
}

fn other(sc: &Scene<'_>, i: usize, reason: R, func: &str) -> Found {
    if let Some(f) = echo_ignored(sc, i) {
        return f;
    }
    let says = format!("{} ended in {func}: {}", words(sc, i), crate::trace::words::drop(reason, func));
    Found::new(Cause::Unexplained, at(sc, i), says)
}

/// A host told not to answer pings.
fn echo_ignored(sc: &Scene<'_>, i: usize) -> Option<Found> {
    let e = &sc.events()[i];
    let echo = sc.packet_before(i).and_then(Flow::of).is_some_and(|f| f.l4 == FlowL4::Icmp(8));
    let key = "net.ipv4.icmp_echo_ignore_all";
    if !echo || sc.after.kernel.sysctl_get(e.ns, key).is_ok_and(|v| v.trim() == "0") {
        return None;
    }
    let place = world::place(sc.after, e.ns);
    let f = Found::new(Cause::EchoIgnored, place.clone(), format!("{place} is told not to answer pings"));
    let show = line(sc, e.ns, format!("sysctl {key}"));
    Some(f.shown(format!("{key} = 1"), Some(show)).fix(vec![line(sc, e.ns, format!("sysctl -w {key}=0"))]))
}

fn up(sc: &Scene<'_>, d: DevId) -> Vec<Line> {
    let dev = sc.after.kernel.dev(d);
    vec![line(sc, dev.netns, format!("ip link set {} up", dev.name))]
}

fn shown(sc: &Scene<'_>, d: DevId) -> Option<Line> {
    let dev = sc.after.kernel.dev(d);
    Some(line(sc, dev.netns, format!("ip link show {}", dev.name)))
}

/// A port does not forward: its bridge is down, or the port.
fn bridge_down(sc: &Scene<'_>, i: usize) -> Found {
    let e = &sc.events()[i];
    let s = sc.after;
    let bridge = e.dev.and_then(|d| s.kernel.dev(d).master);
    let Some(b) = bridge else { return link_down(sc, i) };
    if let Some(f) = e.dev.and_then(|d| super::skipped::shut(sc, d)) {
        return f;
    }
    let place = format!("{}/{}", world::place(s, e.ns), world::name(s, b));
    let says = format!("{place} is down: a bridge that is down takes no frames from its ports");
    let name = world::name(s, b);
    Found::new(Cause::LinkDown, place, says).shown(format!("{name} is DOWN"), shown(sc, b)).fix(up(sc, b))
}

/// A device that is down or has no carrier, and what is at its far end.
fn link_down(sc: &Scene<'_>, i: usize) -> Found {
    let e = &sc.events()[i];
    let s = sc.after;
    let Some(d) = e.dev else { return other(sc, i, R::NOT_SPECIFIED, "the device") };
    let dev = s.kernel.dev(d);
    let mut ends: Vec<DevId> = [Some(d), dev.veth_peer(), dev.master].into_iter().flatten().collect();
    if let Some(b) = dev.bridge() {
        ends.extend(&b.ports);
    }
    ends.retain(|x| !s.kernel.dev(*x).is_up());
    let Some(first) = ends.first().copied() else {
        // A bridge whose ports are all shut has no carrier.
        let ports = dev.bridge().map(|b| b.ports.clone()).unwrap_or_default();
        if let Some(f) = ports.into_iter().find_map(|p| super::skipped::shut(sc, p)) {
            return f;
        }
        return other(sc, i, R::NOT_SPECIFIED, "the device");
    };
    let place = format!("{}/{}", world::place(s, s.kernel.dev(first).netns), world::name(s, first));
    let why = if first == d { String::new() } else { format!(", so that {} has no carrier", at(sc, i)) };
    let mut f = Found::new(Cause::LinkDown, place.clone(), format!("{place} is down{why}"))
        .shown(format!("{place} is DOWN"), shown(sc, first));
    for x in ends {
        f = f.fix(up(sc, x));
    }
    f
}

/// The device that a frame is addressed to, or the one that has the address it asks for.
pub fn receiver(sc: &Scene<'_>, i: usize) -> Vec<DevId> {
    let s = sc.after;
    let Some(p) = sc.packet_before(i) else { return Vec::new() };
    if !p.dst.is_multicast() {
        return world::devices(s).filter(|d| d.mac == p.dst && d.master.is_none()).map(|d| d.id).collect();
    }
    let wanted = Flow::of(p).map(|x| x.dst).or(crate::explain::scene::arp(p).map(|a| a.tpa));
    wanted.map(|w| world::owners(s, w).iter().map(|d| d.id).collect()).unwrap_or_default()
}

/// Devices that are down on the wires between two, as a finding.
fn down_between(sc: &Scene<'_>, i: usize, from: DevId, to: DevId) -> Option<Found> {
    let s = sc.after;
    let way = world::wires(s, from, to)?;
    let mut down = way.into_iter().map(|d| s.kernel.dev(d)).filter(|d| !d.is_up());
    let first = down.next()?;
    let place = format!("{}/{}", world::place(s, first.netns), first.name);
    let says = format!("{place} is down: {} cannot get there", words(sc, i));
    let mut f = Found::new(Cause::LinkDown, place.clone(), says).shown(format!("{place} is DOWN"), shown(sc, first.id));
    f = f.fix(up(sc, first.id));
    for d in down {
        f = f.fix(up(sc, d.id));
    }
    Some(f)
}

/// A frame came to a device that it is not for: an end that should be a port hands it to the host.
pub fn astray(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let s = sc.after;
    let Some(d) = e.dev.map(|d| s.kernel.dev(d)) else { return };
    let tunnel_or_end = d.veth_peer().is_some() || d.vxlan().is_some();
    let end = d.master.is_none() && d.addrs.is_empty() && tunnel_or_end;
    // A copy of what a bridge sent to all of its ports: the one that it was for did not get it.
    if !end && sc.packet_before(i).is_some_and(|p| p.dst.is_multicast()) {
        return;
    }
    for to in receiver(sc, i) {
        let down = down_between(sc, i, d.id, to);
        let enough = !end && down.is_some();
        out.extend(down);
        if enough {
            return;
        }
        for (port, bridge) in loose_ends(sc, d.id, to) {
            let why = match port == d.id {
                true => "what comes in by it goes no further".to_owned(),
                false => format!("{} does not get there", words(sc, i)),
            };
            out.push(no_port_of(sc, port, bridge, &why));
        }
    }
}

/// An end that should be a bridge's port and is not.
fn no_port_of(sc: &Scene<'_>, port: DevId, bridge: DevId, why: &str) -> Found {
    let s = sc.after;
    let name = world::name(s, port);
    let place = format!("{}/{name}", world::place(s, s.kernel.dev(port).netns));
    let says = format!("{place} is no port of {}: {why}", world::name(s, bridge));
    Found::new(Cause::PortNotEnslaved, place, says)
        .shown(format!("{name} has no master"), shown(sc, port))
        .fix(enslave(sc, port, bridge))
}

/// The bridge has no port that the frame could leave by.
fn no_port(sc: &Scene<'_>, i: usize) -> Found {
    let e = &sc.events()[i];
    let s = sc.after;
    let bridge = e.dev.map(|d| s.kernel.dev(d).master.unwrap_or(d));
    let Some(b) = bridge else { return other(sc, i, R::NO_TX_TARGET, "br_dev_xmit") };
    if let Some(f) = receiver(sc, i).into_iter().find_map(|to| down_between(sc, i, b, to)) {
        return f;
    }
    let says = format!("{} has no port by which {} could leave", world::name(s, b), words(sc, i));
    let mut f = Found::new(Cause::PortNotEnslaved, format!("{}/{}", world::place(s, e.ns), world::name(s, b)), says)
        .shown("its ports", Some(line(sc, e.ns, format!("bridge link show master {}", world::name(s, b)))));
    let mut loose: Vec<(DevId, DevId)> = receiver(sc, i).into_iter().flat_map(|o| loose_ends(sc, b, o)).collect();
    if loose.is_empty() {
        loose = free_ends(sc, b).into_iter().map(|p| (p, b)).collect();
    }
    for (port, bridge) in loose {
        f.blocker.says = format!("{}: {} is not its port", f.blocker.says, world::name(s, port));
        f = f.shown(format!("{} has no master", world::name(s, port)), shown(sc, port)).fix(enslave(sc, port, bridge));
    }
    f
}

/// Ends in the bridge's own namespace that belong to no bridge and have no address.
fn free_ends(sc: &Scene<'_>, bridge: DevId) -> Vec<DevId> {
    let s = sc.after;
    let ns = s.kernel.dev(bridge).netns;
    let free = |d: &&crate::kernel::link::Device| {
        d.alive && (d.veth_peer().is_some() || d.vxlan().is_some()) && d.master.is_none() && d.addrs.is_empty()
    };
    s.kernel.devs_of(ns).filter(free).map(|d| d.id).collect()
}

/// Ends wired to `to` that lie beside a bridge wired to `from`, and are no port of it: end and bridge.
pub fn loose_ends(sc: &Scene<'_>, from: DevId, to: DevId) -> Vec<(DevId, DevId)> {
    let s = sc.after;
    let bridges: Vec<DevId> =
        world::segment(s, from).into_iter().filter(|d| s.kernel.dev(*d).bridge().is_some()).collect();
    let ours: Vec<DevId> =
        world::segment(s, from).into_iter().filter(|d| s.kernel.dev(*d).bridge().is_none()).collect();
    let theirs: Vec<DevId> = world::segment(s, to);
    let their_bridges: Vec<DevId> = theirs.iter().copied().filter(|d| s.kernel.dev(*d).bridge().is_some()).collect();
    let mut all = Vec::new();
    for (ends, bridges) in [(&theirs, &bridges), (&ours, &their_bridges)] {
        for end in ends {
            let d = s.kernel.dev(*end);
            if d.veth_peer().is_none() && d.vxlan().is_none() || d.master.is_some() {
                continue;
            }
            // A NIC with an address is a host's own, and no port that somebody forgot.
            let cable = d.veth_peer().is_some_and(|p| s.kernel.ns(s.kernel.dev(p).netns).is_switch);
            if cable && !d.addrs.is_empty() {
                continue;
            }
            for b in bridges.iter().filter(|b| s.kernel.dev(**b).netns == d.netns) {
                all.push((*end, *b));
            }
        }
    }
    all
}

/// The line that makes an end a port, and sets it up where it is down.
pub fn enslave(sc: &Scene<'_>, port: DevId, bridge: DevId) -> Vec<Line> {
    let s = sc.after;
    let p = s.kernel.dev(port);
    let mut lines = vec![line(sc, p.netns, format!("ip link set {} master {}", p.name, world::name(s, bridge)))];
    if !p.is_up() {
        lines.extend(up(sc, port));
    }
    lines
}

/// The frame would have to leave by the port that it came in by.
fn hairpin(sc: &Scene<'_>, i: usize) -> Found {
    let skip = sc.back(i).take(8).find_map(|e| match e.kind {
        EventKind::BrSkip { port, why } => Some((port, why)),
        _ => None,
    });
    let e = &sc.events()[i];
    let s = sc.after;
    let Some((port, BrSkip::SamePort)) = skip.or(e.dev.map(|d| (d, BrSkip::SamePort))) else {
        return other(sc, i, R::NOT_SPECIFIED, "br_handle_frame_finish");
    };
    // It is at the far end of that port, and down: the bridge forgot, or never knew, what is behind.
    if let Some(f) = receiver(sc, i).into_iter().find_map(|to| down_between(sc, i, port, to)) {
        return f;
    }
    let name = world::name(s, port);
    let says =
        format!("{} would have to leave by {name}, the port it came in by, and hairpin is off there", words(sc, i));
    Found::new(Cause::HairpinOff, format!("{}/{name}", world::place(s, e.ns)), says)
        .shown("hairpin off", Some(line(sc, e.ns, format!("bridge -d link show dev {name}"))))
        .fix(vec![line(sc, e.ns, format!("bridge link set dev {name} hairpin on"))])
}

/// A host that has the address did not answer.
pub fn no_arp(sc: &Scene<'_>, i: usize, verdict: ArpVerdict, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let Some(d) = e.dev else { return };
    let name = world::name(sc.after, d);
    let (why, key, off) = match verdict {
        ArpVerdict::Ignored(n) => (format!("arp_ignore is {n}"), "arp_ignore", "0"),
        ArpVerdict::Filtered => {
            ("arp_filter is on, and the way back leaves by another device".into(), "arp_filter", "0")
        }
        _ => (format!("{name} does no ARP"), "", ""),
    };
    let says = format!("{} has the address and does not answer ARP: {why}", at(sc, i));
    let f = Found::new(Cause::NeighbourFailed, at(sc, i), says);
    out.push(match key {
        "" => f.fix(vec![line(sc, e.ns, format!("ip link set {name} arp on"))]),
        _ => {
            let keys = [format!("net.ipv4.conf.{name}.{key}"), format!("net.ipv4.conf.all.{key}")];
            let set = keys.iter().map(|k| line(sc, e.ns, format!("sysctl -w {k}={off}"))).collect();
            f.shown(why, Some(line(sc, e.ns, format!("sysctl {}", keys.join(" "))))).fix(set)
        }
    });
}

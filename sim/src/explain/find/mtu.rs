//! Packets that are too big for the way.

use super::{Found, at, line, with_drop, words};
use crate::explain::scene::Scene;
use crate::explain::{Cause, Line, world};
use crate::kernel::fib::{Flow, Lookup};
use crate::kernel::types::DevId;
use crate::kernel::vxlan::{VXLAN_HEADROOM, Vxlan};
use crate::trace::DropReason;
use crate::trace::event::{EventKind, FibResult};
use crate::wire::packet::L4;

/// A packet must not be cut, and is too big for a device.
pub fn too_big(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let s = sc.after;
    // A tunnel turns the packet into its own answer: it is the one from before.
    let tunnel = matches!(e.kind, EventKind::VxlanTooBig { .. });
    let whole = if tunnel { sc.packet_until(i) } else { sc.packet_before(i) };
    let Some(p) = whole else { return };
    let around = if tunnel { VXLAN_HEADROOM as usize } else { 0 };
    let size = p.ipv4().map_or(0, crate::wire::packet::Ipv4::total_len) + around;
    let what = match tunnel {
        true => format!("{}, {size} bytes with the tunnel's headers,", crate::trace::words::packet(p)),
        false => words(sc, i),
    };
    let out_dev = sc
        .back(i)
        .find_map(|x| match x.kind {
            EventKind::Fib { result: FibResult::Route { route, .. }, .. } => route.dev,
            _ => None,
        })
        .or(e.dev);
    let Some(dev) = out_dev else { return };
    let d = s.kernel.dev(dev);
    let place = format!("{}/{}", world::place(s, d.netns), d.name);
    let lost = error_lost(sc, i);
    let cause = if lost { Cause::MtuBlackHole } else { Cause::MtuTooSmall };
    let tail = if lost { ", and the message that says so does not reach the sender" } else { "" };
    let says = format!("{what} is too big for {place}, whose MTU is {}, and must not be cut{tail}", d.mtu);
    let mut f = Found::new(cause, at(sc, i), says)
        .shown(format!("mtu {}", d.mtu), Some(line(sc, d.netns, format!("ip link show {}", d.name))));
    // What the firewall dropped it by, before the packet itself was dropped (`ip_forward`).
    let filtered = |j: &usize| {
        matches!(sc.events()[*j].kind, EventKind::Drop { reason: DropReason::NETFILTER_DROP, .. }) && is_error(sc, *j)
    };
    if let Some(j) = (0..sc.events().len()).find(filtered) {
        let mut by = Vec::new();
        super::firewall::dropped(sc, j, &mut by);
        f.blocker.evidence.extend(by.into_iter().flat_map(|b| b.blocker.evidence));
    }
    // The message itself may have had no way back.
    let back = sc.events()[..i].iter().rev().take(6).find_map(|x| match &x.kind {
        EventKind::Fib { key, result: FibResult::None } if x.ns == e.ns => Some(key.dst),
        _ => None,
    });
    if let Some(dst) = back {
        f = super::route::routes(sc, e.ns, dst, f);
    }
    if lost {
        let clamp = "iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu";
        f = f.fix(vec![line(sc, d.netns, clamp)]);
        for r in sc.routers().into_iter().filter(|r| *r != d.netns) {
            f = f.fix(vec![line(sc, r, clamp)]);
        }
    }
    f = f.fix(raise(sc, dev, size as u32));
    out.push(with_drop(sc, i, f));
}

/// The sender's own device is too small: its kernel refuses at once.
pub fn own(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let report = sc.result.report.as_ref();
    if sc.result.outcome() != Some(crate::trace::Outcome::FragNeeded) || report.is_none_or(|r| r.local_errno.is_none())
    {
        return;
    }
    let route = sc.events().iter().find_map(|x| match x.kind {
        EventKind::Fib { result: FibResult::Route { route, .. }, key } if x.ns == sc.ns && key.iif.is_none() => {
            route.dev.filter(|d| !s.kernel.dev(*d).is_loopback())
        }
        _ => None,
    });
    let Some(dev) = route else { return };
    let d = s.kernel.dev(dev);
    let size = asked(&sc.result.command).map_or(d.mtu + 1, |n| n + 28);
    let place = format!("{}/{}", world::place(s, d.netns), d.name);
    let says = format!("{size} bytes are too many for {place}, whose MTU is {}, and must not be cut", d.mtu);
    let f = Found::new(Cause::MtuTooSmall, place, says)
        .shown(format!("mtu {}", d.mtu), Some(line(sc, d.netns, format!("ip link show {}", d.name))))
        .shown(format!("at most {} bytes of data pass", d.mtu.saturating_sub(28)), None)
        .fix(raise(sc, dev, size));
    out.push(f);
}

/// `-s N` of a probe or of ping.
fn asked(command: &str) -> Option<u32> {
    let mut w = command.split_whitespace();
    w.find(|x| *x == "-s")?;
    w.next()?.parse().ok()
}

/// Greater MTUs, wherever a wire's devices have smaller ones: first below, where tunnels add their headers.
fn raise(sc: &Scene<'_>, dev: DevId, size: u32) -> Vec<Line> {
    let s = sc.after;
    let upper = world::segment(s, dev);
    let mut all: Vec<(DevId, u32)> = Vec::new();
    for d in upper.iter().map(|d| s.kernel.dev(*d)) {
        let whole = size + VXLAN_HEADROOM;
        let carrier = d.vxlan().and_then(|v| v.cfg.lower.or_else(|| carrier(sc, v)));
        all.extend(carrier.into_iter().flat_map(|c| world::segment(s, c)).map(|c| (c, whole)));
        all.extend(s.kernel.macvlan_lower(d.id).map(|l| (l, size)));
    }
    all.extend(upper.into_iter().map(|d| (d, size)));
    let mut lines: Vec<(DevId, Line)> = Vec::new();
    for (id, size) in all {
        let d = s.kernel.dev(id);
        if d.mtu < size && !d.is_loopback() && !lines.iter().any(|l| l.0 == id) {
            lines.push((id, line(sc, d.netns, format!("ip link set {} mtu {size}", d.name))));
        }
    }
    lines.into_iter().map(|l| l.1).collect()
}

/// The device by which a tunnel's datagrams leave, where none is named.
fn carrier(sc: &Scene<'_>, v: &Vxlan) -> Option<DevId> {
    let s = sc.after;
    let to = v.cfg.remote.or_else(|| v.fdb.values().find_map(|e| e.remotes.first().map(|r| r.ip)))?;
    match s.kernel.lookup_rules_quietly(v.home, &Flow::to(to)) {
        Lookup::Route(_, r) => r.dev,
        _ => None,
    }
}

/// The packet of an event is an ICMP "fragmentation needed".
pub fn is_error(sc: &Scene<'_>, i: usize) -> bool {
    let p = sc.packet_before(i).and_then(|p| p.ipv4());
    matches!(p.map(|ip| &ip.l4), Some(L4::Icmp(x)) if x.ty == 3 && x.code == 4)
}

/// An ICMP "fragmentation needed" of the step was dropped, or never came to the sender.
fn error_lost(sc: &Scene<'_>, from: usize) -> bool {
    let is_error = |i| is_error(sc, i);
    let dropped = |(j, e): (usize, &crate::trace::Event)| {
        matches!(e.kind, EventKind::Drop { reason, .. } if reason != DropReason::OTHERHOST) && is_error(j)
    };
    let all = || sc.events().iter().enumerate().skip(from);
    all().any(dropped)
        || !all().any(|(j, e)| matches!(e.kind, EventKind::Rx) && e.ns == sc.ns && is_error(j)) && sent_on(sc, from)
}

/// The packet had left its sender: an own device that is too small refuses at once, and nothing is lost.
fn sent_on(sc: &Scene<'_>, i: usize) -> bool {
    sc.back(i).any(|e| matches!(e.kind, EventKind::Rx))
}

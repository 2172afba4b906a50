//! Sources that a host does not accept: reverse path filter, martians.

use std::net::Ipv4Addr;

use super::{Found, address, at, line, with_drop, words};
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::DropReason;
use crate::trace::event::{ArpVerdict, EventKind};

/// `rp_filter` of a device: the greater of its own and `all` counts; lines that make it loose, and off.
fn filter(sc: &Scene<'_>, ns: NetnsId, dev: DevId) -> (String, Vec<Line>, Vec<Line>) {
    let s = sc.after;
    let name = world::name(s, dev);
    let own = s.kernel.dev(dev).conf.rp_filter;
    let all = s.kernel.ns(ns).sysctl.all.rp_filter;
    let shown =
        format!("net.ipv4.conf.all.rp_filter = {all}, net.ipv4.conf.{name}.rp_filter = {own}: the greater counts");
    let set = |v: u8| {
        let mut lines = Vec::new();
        // Loose wins over strict, so one line is enough; off needs both.
        if v != 0 || own != 0 {
            lines.push(line(sc, ns, format!("sysctl -w net.ipv4.conf.{name}.rp_filter={v}")));
        }
        if v == 0 && all != 0 {
            lines.push(line(sc, ns, "sysctl -w net.ipv4.conf.all.rp_filter=0"));
        }
        lines
    };
    (shown, set(2), set(0))
}

/// A packet was dropped because the way back to its source leaves by another device.
pub fn rp_filter(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let Some(dev) = e.dev else { return };
    let Some(flow) = sc.packet_before(i).and_then(Flow::of) else { return };
    let says = format!(
        "{} came in by {}, and the way back to {} does not leave by it: rp_filter drops it",
        words(sc, i),
        at(sc, i),
        flow.src
    );
    let f = bare(sc, i, dev, flow.src)
        .unwrap_or_else(|| refused(sc, e.ns, dev, flow.src, Found::new(Cause::RpFilter, at(sc, i), says)));
    out.push(with_drop(sc, i, f));
}

/// The device lost its address: from one without any, `rp_filter` takes nothing (`no_addr` in `__fib_validate_source`).
fn bare(sc: &Scene<'_>, i: usize, dev: DevId, src: Ipv4Addr) -> Option<Found> {
    let e = &sc.events()[i];
    let d = sc.after.kernel.dev(dev);
    if !d.addrs.is_empty() {
        return None;
    }
    // As it came: what is translated before routing has another destination by now.
    let came = |j: &usize| {
        let x = &sc.events()[*j];
        x.packet == e.packet && x.ns == e.ns && matches!(x.kind, EventKind::Rx)
    };
    let asked = (0..i).rev().find(came).and_then(|j| Flow::of(sc.packet_before(j)?))?.dst;
    let mut f = address::lost(sc, dev, asked)?;
    f.blocker.says = format!("{}: rp_filter takes nothing from a device without one", f.blocker.says);
    let add = f.fixes.first().cloned().unwrap_or_default();
    let routes = address::emptied(sc, d, src);
    Some(if routes.is_empty() { f } else { f.fix(add.into_iter().chain(routes).collect()) })
}

/// Somebody at the same host answered the ARP question that one of its devices kept silent on.
pub fn answered(sc: &Scene<'_>, i: usize) -> bool {
    let e = &sc.events()[i];
    let asked = |i: usize| sc.packet_before(i).and_then(crate::explain::scene::arp).map(|a| (a.spa, a.tpa));
    let same = |(j, x): (usize, &crate::trace::Event)| {
        x.ns == e.ns && matches!(x.kind, EventKind::Arp { verdict: ArpVerdict::Answered }) && asked(j) == asked(i)
    };
    sc.events().iter().enumerate().any(same)
}

/// An ARP request was not answered because of its source.
pub fn silent(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let Some(dev) = e.dev else { return };
    let Some((src, wanted)) = sc.packet_before(i).and_then(crate::explain::scene::arp).map(|a| (a.spa, a.tpa)) else {
        return;
    };
    if src.is_loopback() {
        out.push(loopback_out(sc, sc.ns, wanted, format!("an ARP request in the name of {src}")));
        return;
    }
    let says = format!(
        "{} keeps silent: an ARP request of {src} came in by it, the way back to {src} does not leave by it, and rp_filter is on",
        at(sc, i)
    );
    out.push(refused(sc, e.ns, dev, src, Found::new(Cause::RpFilter, at(sc, i), says)));
}

fn refused(sc: &Scene<'_>, ns: NetnsId, dev: DevId, src: Ipv4Addr, f: Found) -> Found {
    let (shown, loose, off) = filter(sc, ns, dev);
    let name = world::name(sc.after, dev);
    let via = world::next_hop(sc.after, ns, src, None);
    let mut f = f
        .shown(shown, Some(line(sc, ns, format!("sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.{name}.rp_filter"))))
        .shown(format!("the way back to {src}"), Some(line(sc, ns, format!("ip route get {src}"))))
        .fix(loose)
        .fix(off);
    if let Some(route) = world::winner(sc.after, ns, src) {
        f = f.fix(vec![line(sc, ns, format!("ip route del {route}"))]);
    }
    if let Some(h) = via {
        f = f.fix(vec![match h.direct {
            true => line(sc, ns, format!("ip route add {src} dev {name}")),
            false => line(sc, ns, format!("ip route replace {} via {} dev {name}", h.net, h.via)),
        }]);
    }
    f
}

/// An address that must not come from that wire.
pub fn martian(sc: &Scene<'_>, i: usize, reason: DropReason, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let Some(dev) = e.dev else { return };
    let name = world::name(sc.after, dev);
    let why = match reason {
        DropReason::IP_LOCALNET => "an address of 127.0.0.0/8 must not be on a wire, and route_localnet is off",
        DropReason::IP_LOCAL_SOURCE => "its source is one of the host's own addresses",
        DropReason::IP_INVALID_SOURCE => "its source is no address of a single host",
        _ => "its destination is no address that one may send to",
    };
    let says = format!("{} is refused at {}: {why}", words(sc, i), at(sc, i));
    let key = if reason == DropReason::IP_LOCALNET { "route_localnet" } else { "accept_local" };
    let mut lines = vec![line(sc, e.ns, format!("sysctl -w net.ipv4.conf.{name}.{key}=1"))];
    let f = Found::new(Cause::Martian, at(sc, i), says)
        .shown(
            format!("net.ipv4.conf.{name}.{key} = 0"),
            Some(line(sc, e.ns, format!("sysctl net.ipv4.conf.{name}.{key}"))),
        )
        .fix(lines.clone());
    // Where the far side is asked at a loopback address, it must also send one.
    lines.push(line(sc, sc.ns, "sysctl -w net.ipv4.conf.all.route_localnet=1"));
    out.push(with_drop(sc, i, f.fix(lines)));
}

/// An ARP answer that came for a loopback address: the question was asked in its name, as a packet's own source is
/// (`arp_solicit`), and without `route_localnet` the answer is thrown away (`arp_process`).
pub fn answer_to_loopback(sc: &Scene<'_>, i: usize) -> Option<Found> {
    let e = &sc.events()[i];
    let a = sc.packet_before(i).and_then(crate::explain::scene::arp).filter(|a| a.tpa.is_loopback())?;
    let name = world::name(sc.after, e.dev?);
    let place = at(sc, i);
    let says = format!(
        "{place} asks for {} in the name of {}, an address of 127.0.0.0/8, and does not take the answer",
        a.spa, a.tpa
    );
    let key = format!("net.ipv4.conf.{name}.arp_announce");
    Some(
        Found::new(Cause::Martian, place, says)
            .shown(format!("{} is FAILED", a.spa), Some(line(sc, e.ns, format!("ip neigh show {}", a.spa))))
            .shown(format!("{key} is not 2: any address may ask"), Some(line(sc, e.ns, format!("sysctl {key}"))))
            .fix(vec![line(sc, e.ns, format!("sysctl -w {key}=2"))])
            .fix(vec![line(sc, e.ns, format!("sysctl -w net.ipv4.conf.{name}.route_localnet=1"))]),
    )
}

/// A packet of 127.0.0.0/8 is to leave the host: the device must allow it, and the source must be rewritten.
pub fn loopback_out(sc: &Scene<'_>, ns: NetnsId, dst: Ipv4Addr, what: String) -> Found {
    let s = sc.after;
    let says = format!("{what} has an address of 127.0.0.0/8 as its source, and none such may leave by a real device");
    let mut f = Found::new(Cause::Martian, world::place(s, ns), says);
    let out = s.kernel.devs_of(ns).find(|d| {
        d.addrs
            .iter()
            .any(|a| ipnet::Ipv4Net::new(a.local, a.prefix).is_ok_and(|n| n.contains(&dst)) && !d.is_loopback())
    });
    if let Some(d) = out {
        let key = format!("net.ipv4.conf.{}.route_localnet", d.name);
        let rule = format!("iptables -t nat -A POSTROUTING -o {} -m addrtype --src-type LOCAL -j MASQUERADE", d.name);
        f = f
            .shown(format!("{key} = {}", d.conf.route_localnet), Some(line(sc, ns, format!("sysctl {key}"))))
            .shown("no rule translates the source", Some(line(sc, ns, "iptables -t nat -S POSTROUTING")))
            .fix(vec![line(sc, ns, &rule)])
            .fix(vec![line(sc, ns, format!("sysctl -w {key}=1")), line(sc, ns, rule)]);
    }
    f
}

//! Tunnels: numbers, ports and forwarding entries that do not fit.

use std::net::Ipv4Addr;

use super::{Found, at, line, with_drop, words};
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, NetnsId};
use crate::kernel::vxlan::Vxlan;
use crate::trace::event::EventKind;
use crate::wire::MacAddr;

/// The tunnel that sent the step's datagrams: number, port and device.
fn sender<'a>(sc: &'a Scene<'_>) -> Option<(&'a Device, &'a Vxlan)> {
    let (ns, vni) = sc.events().iter().find_map(|e| match e.kind {
        EventKind::Encap { vni, .. } => Some((e.dev?, vni)),
        _ => None,
    })?;
    let d = sc.after.kernel.dev(ns);
    d.vxlan().filter(|v| v.cfg.vni == vni).map(|v| (d, v))
}

/// Tunnels of a host.
fn tunnels<'a>(sc: &'a Scene<'_>, ns: NetnsId) -> impl Iterator<Item = (&'a Device, &'a Vxlan)> {
    let s = sc.after;
    let host = s.kernel.ns(ns).host;
    world::devices(s).filter(move |d| s.kernel.ns(d.netns).host == host).filter_map(|d| Some((d, d.vxlan()?)))
}

/// The lines that make a tunnel anew with another number and port, and put it where it was.
fn anew(sc: &Scene<'_>, d: &Device, v: &Vxlan, vni: u32, port: u16) -> Vec<Line> {
    let s = sc.after;
    let c = &v.cfg;
    let mut add = format!("ip link add {} type vxlan id {vni} dstport {port}", d.name);
    if let Some(r) = c.remote {
        add.push_str(&format!(" remote {r}"));
    }
    if let Some(l) = c.local {
        add.push_str(&format!(" local {l}"));
    }
    if let Some(l) = c.lower {
        add.push_str(&format!(" dev {}", world::name(s, l)));
    }
    if !c.learning {
        add.push_str(" nolearning");
    }
    if c.proxy {
        add.push_str(" proxy");
    }
    let mut lines = vec![format!("ip link del {}", d.name), add];
    if let Some(m) = d.master {
        lines.push(format!("ip link set {} master {}", d.name, world::name(s, m)));
    }
    for a in &d.addrs {
        lines.push(format!("ip addr add {}/{} dev {}", a.local, a.prefix, d.name));
    }
    if d.is_up() {
        lines.push(format!("ip link set {} up", d.name));
    }
    for (mac, e) in &v.fdb {
        for r in &e.remotes {
            if Some(r.ip) != c.remote {
                lines.push(format!("bridge fdb append {mac} dev {} dst {}", d.name, r.ip));
            }
        }
    }
    lines.into_iter().map(|l| line(sc, d.netns, l)).collect()
}

/// No tunnel of the receiving host has the number.
pub fn vni(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let s = sc.after;
    let Some((from, v)) = sender(sc) else { return };
    let place = world::place(s, e.ns);
    let says = format!("{place} got a datagram of VXLAN network {}, and has no tunnel of that number", v.cfg.vni);
    if let Some((d, _)) = tunnels(sc, e.ns).find(|(d, w)| d.id != from.id && w.cfg.vni == v.cfg.vni && !d.is_up()) {
        let at = format!("{}/{}", world::place(s, d.netns), d.name);
        let says = format!("{at} is down: {place} got a datagram of VXLAN network {} for it", v.cfg.vni);
        let f = Found::new(Cause::LinkDown, at, says)
            .shown(format!("{} is DOWN", d.name), Some(line(sc, d.netns, format!("ip link show {}", d.name))))
            .fix(vec![line(sc, d.netns, format!("ip link set {} up", d.name))]);
        out.push(with_drop(sc, i, f));
        return;
    }
    let mut f = Found::new(Cause::VniMismatch, place, says).shown(
        format!("{} has id {}", from.name, v.cfg.vni),
        Some(line(sc, from.netns, format!("ip -d link show {}", from.name))),
    );
    for (d, w) in tunnels(sc, e.ns).filter(|(d, w)| d.id != from.id && w.cfg.vni != v.cfg.vni) {
        f = f
            .shown(
                format!("{} has id {}", d.name, w.cfg.vni),
                Some(line(sc, d.netns, format!("ip -d link show {}", d.name))),
            )
            .fix(anew(sc, d, w, v.cfg.vni, w.cfg.port))
            .fix(anew(sc, from, v, w.cfg.vni, v.cfg.port));
    }
    out.push(with_drop(sc, i, f));
}

/// Nobody listens on the UDP port of the datagram.
pub fn wrong_port(sc: &Scene<'_>, i: usize, flow: &Flow) -> Found {
    let e = &sc.events()[i];
    let s = sc.after;
    let place = world::place(s, e.ns);
    let port = flow.dport().unwrap_or(0);
    let says = format!("the tunnel sends to UDP port {port}, and no tunnel of {place} listens there");
    let mut f = Found::new(Cause::VxlanPortMismatch, place, says)
        .shown(format!("no socket on UDP port {port}"), Some(line(sc, e.ns, "ss -lun")));
    let Some((from, v)) = sender(sc) else { return f };
    if tunnels(sc, e.ns).next().is_none() {
        return no_tunnel(sc, from, v, flow.dst);
    }
    let same = |w: &Vxlan| w.cfg.vni == v.cfg.vni;
    let none_of_the_number = !tunnels(sc, e.ns).any(|(d, w)| d.id != from.id && same(w));
    for (d, w) in tunnels(sc, e.ns).filter(|(d, w)| d.id != from.id && (same(w) || none_of_the_number)) {
        let show = line(sc, d.netns, format!("ip -d link show {}", d.name));
        f = f.shown(format!("{} has port {}", d.name, w.cfg.port), Some(show));
        if w.cfg.port == v.cfg.port && !d.is_up() {
            f = f.fix(vec![line(sc, d.netns, format!("ip link set {} up", d.name))]);
        }
        f = f.fix(anew(sc, d, w, w.cfg.vni, v.cfg.port)).fix(anew(sc, from, v, v.cfg.vni, w.cfg.port));
        if none_of_the_number {
            f.blocker.says = format!("{}; and {} has id {}", f.blocker.says, d.name, w.cfg.vni);
            f = f.fix(anew(sc, d, w, v.cfg.vni, v.cfg.port));
        }
    }
    f
}

/// The host that the datagram came to has no tunnel at all: the entry that led there names the wrong one.
fn no_tunnel(sc: &Scene<'_>, from: &Device, v: &Vxlan, asked: Ipv4Addr) -> Found {
    let place = format!("{}/{}", world::place(sc.after, from.netns), from.name);
    let says = format!("{place} sends the frame to {asked}, a host that has no tunnel");
    led_astray(sc, (from, v), place, says, asked)
}

/// The tunnel does not know where to send the frame.
pub fn no_target(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let Some(dev) = e.dev.map(|d| sc.after.kernel.dev(d)) else { return };
    let Some(v) = dev.vxlan() else { return };
    let mac = sc.packet_before(i).map(|p| p.dst);
    let says = format!("{} has no entry for {}: it does not know behind which host it is", at(sc, i), words(sc, i));
    let mut f = Found::new(Cause::FdbMissing, at(sc, i), says)
        .shown("its forwarding database", Some(line(sc, dev.netns, format!("bridge fdb show dev {}", dev.name))));
    for fix in entries(sc, dev, v, mac) {
        f = f.fix(fix);
    }
    out.push(with_drop(sc, i, f));
}

/// A tunnel on the way does not send what is for everybody to the host where the receiver is.
pub fn not_flooded(sc: &Scene<'_>, way: &[DevId], owner: &Device) -> Option<Found> {
    let s = sc.after;
    let mut ends = way.iter().map(|d| s.kernel.dev(*d)).filter_map(|d| Some((d, d.vxlan()?)));
    let (dev, v) = ends.next()?;
    let (far, w) = ends.next_back()?;
    let there = w.cfg.local.or_else(|| own_address(sc, w))?;
    let told: Vec<Ipv4Addr> =
        v.fdb.get(&MacAddr::default()).into_iter().flat_map(|e| e.remotes.iter().map(|r| r.ip)).collect();
    if told.contains(&there) {
        return None;
    }
    let place = format!("{}/{}", world::place(s, dev.netns), dev.name);
    let others: Vec<String> = told.iter().map(ToString::to_string).collect();
    let to = if others.is_empty() { "nobody".to_owned() } else { format!("{} only", others.join(", ")) };
    let says = format!(
        "{place} sends what is for everybody to {to}, and {} is behind {there} ({}/{})",
        world::place(s, owner.netns),
        world::place(s, far.netns),
        far.name
    );
    let f = Found::new(Cause::FdbMissing, place, says)
        .shown("its forwarding database", Some(line(sc, dev.netns, format!("bridge fdb show dev {}", dev.name))));
    Some(entries(sc, dev, v, None).into_iter().fold(f, Found::fix))
}

/// The tunnel answers ARP itself, and has no such neighbour in its table.
pub fn no_neighbour(sc: &Scene<'_>, i: usize, ip: Ipv4Addr, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let s = sc.after;
    let Some(dev) = e.dev.map(|d| s.kernel.dev(d)) else { return };
    let owner = world::owners(s, ip).into_iter().find(|o| o.netns != e.ns && world::wires(s, dev.id, o.id).is_some());
    let Some(owner) = owner.filter(|o| s.kernel.ns(o.netns).host != s.kernel.ns(e.ns).host) else { return };
    let says = format!(
        "{} answers ARP for the network, and does not know {ip}, which is {}'s",
        at(sc, i),
        world::place(s, owner.netns)
    );
    let neigh = format!("ip neigh replace {ip} lladdr {} dev {} nud permanent", owner.mac, dev.name);
    let mut f = Found::new(Cause::FdbMissing, at(sc, i), says)
        .shown(format!("no neighbour {ip}"), Some(line(sc, e.ns, format!("ip neigh show dev {}", dev.name))))
        .fix(vec![line(sc, e.ns, &neigh)]);
    if let Some(v) = dev.vxlan() {
        for fix in entries(sc, dev, v, Some(owner.mac)).into_iter().take(4) {
            f = f.fix([line(sc, e.ns, &neigh)].into_iter().chain(fix).collect());
        }
    }
    out.push(f);
}

/// The entry of the tunnel leads to an address that is no host's.
pub fn wrong_remote(sc: &Scene<'_>, i: usize, asked: Ipv4Addr, out: &mut Vec<Found>) {
    let Some((dev, v)) = sender(sc) else { return };
    let place = format!("{}/{}", world::place(sc.after, dev.netns), dev.name);
    let says = format!("{place} sends the frame to {asked}, and nobody is there");
    out.push(with_drop(sc, i, led_astray(sc, (dev, v), place, says, asked)));
}

/// An entry of a tunnel is wrong: others that lead to where the network's other tunnels are, beside it or in its place.
fn led_astray(sc: &Scene<'_>, from: (&Device, &Vxlan), place: String, says: String, asked: Ipv4Addr) -> Found {
    let (dev, v) = from;
    let inner = sc.events().iter().find(|e| matches!(e.kind, EventKind::Encap { .. })).and_then(|e| sc.packet(e));
    let mac = inner.map(|p| p.dst);
    let mut f = Found::new(Cause::FdbMissing, place, says)
        .shown("its forwarding database", Some(line(sc, dev.netns, format!("bridge fdb show dev {}", dev.name))));
    let zero = MacAddr::default();
    let leads_there = v.fdb.get(&zero).is_some_and(|e| e.remotes.iter().any(|r| r.ip == asked));
    for fix in entries(sc, dev, v, mac) {
        f = f.fix(fix.clone());
        if leads_there {
            let del = line(sc, dev.netns, format!("bridge fdb del {zero} dev {} dst {asked}", dev.name));
            f = f.fix(fix.into_iter().chain([del]).collect());
        }
    }
    f
}

/// Entries that lead to the hosts where the network's other tunnels are.
fn entries(sc: &Scene<'_>, dev: &Device, v: &Vxlan, mac: Option<MacAddr>) -> Vec<Vec<Line>> {
    let s = sc.after;
    let zero = MacAddr::default();
    let mut all = Vec::new();
    for d in world::devices(s) {
        let Some(w) = d.vxlan().filter(|w| w.cfg.vni == v.cfg.vni && d.id != dev.id) else { continue };
        let host = s.kernel.host(s.kernel.ns(w.home).host).root_ns;
        let mut remotes: Vec<Ipv4Addr> = w.cfg.local.into_iter().collect();
        let lan = s.kernel.devs_of(host).filter(|x| x.master.is_none() && !x.is_loopback() && x.bridge().is_none());
        remotes.extend(lan.flat_map(|x| x.addrs.iter().map(|a| a.local)));
        remotes.truncate(4);
        let unicast = mac.filter(|m| !m.is_multicast());
        // Whose frame it is decides which host is right.
        let there =
            |m: MacAddr| world::devices(s).any(|x| x.mac == m && s.kernel.ns(x.netns).host == s.kernel.ns(host).host);
        for r in remotes {
            if let Some(m) = unicast.filter(|m| there(*m)) {
                all.push(vec![line(sc, dev.netns, format!("bridge fdb replace {m} dev {} dst {r}", dev.name))]);
            }
            let append = |d: &Device, to: Ipv4Addr| {
                line(sc, d.netns, format!("bridge fdb append {zero} dev {} dst {to}", d.name))
            };
            all.push(vec![append(dev, r)]);
            if let Some(back) = v.cfg.local.or_else(|| own_address(sc, v)) {
                all.push(vec![append(dev, r), append(d, back)]);
            }
        }
    }
    all
}

fn own_address(sc: &Scene<'_>, v: &Vxlan) -> Option<Ipv4Addr> {
    let s = sc.after;
    let lan = s.kernel.devs_of(v.home).find(|x| !x.is_loopback() && x.bridge().is_none() && !x.addrs.is_empty());
    lan.and_then(|d| d.addrs.first()).map(|a| a.local)
}

//! Questions about the world: who has an address, what is wired to what, who is the way to whom.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Line;
use crate::command::iptables::rule_spec;
use crate::docker::Engine;
use crate::docker::types::{Container, Network};
use crate::kernel::fib::{Flow, Lookup, Route, proto, table};
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, HostId, NetnsId};
use crate::kernel::xtables::{TableKind, Variant};
use crate::session::Session;

/// The container that owns a namespace.
pub fn container(s: &Session, ns: NetnsId) -> Option<(&Engine, &Container)> {
    let e = s.engines.get(&s.kernel.ns(ns).host)?;
    let c =
        e.containers.values().find(|c| c.netns == Some(ns) && !matches!(c.mode, crate::docker::types::Mode::Host))?;
    Some((e, c))
}

/// A command line that runs in a namespace, typed where a person would: on the host, for a container.
pub fn line(s: &Session, ns: NetnsId, command: &str) -> Line {
    let label = s.kernel.ns(ns).label.clone();
    if s.kernel.ns(ns).is_switch {
        return Line { place: label, command: command.to_owned() };
    }
    let host = s.kernel.host(s.kernel.ns(ns).host).name.clone();
    // An engine's own namespace has no name but its file.
    let engine = s.engines.get(&s.kernel.ns(ns).host);
    if let Some(o) = engine.and_then(|e| e.overlays.values().find(|o| o.ns == ns)) {
        return Line { place: host, command: format!("nsenter --net=/var/run/docker/netns/{} {command}", o.file) };
    }
    match container(s, ns) {
        Some((_, c)) if label != host => {
            let enter = format!("nsenter -t $(docker inspect -f {{{{.State.Pid}}}} {}) -n", c.name);
            Line { place: host, command: format!("{enter} {command}") }
        }
        _ => Line { place: label, command: command.to_owned() },
    }
}

/// A command line of the host that a namespace lives on.
pub fn host_line(s: &Session, host: HostId, command: &str) -> Line {
    Line { place: s.kernel.host(host).name.clone(), command: command.to_owned() }
}

/// The first namespace of a namespace's host; a switch has none but itself.
pub fn root(s: &Session, ns: NetnsId) -> NetnsId {
    if s.kernel.ns(ns).is_switch { ns } else { s.kernel.host(s.kernel.ns(ns).host).root_ns }
}

/// The name of a namespace.
pub fn place(s: &Session, ns: NetnsId) -> String {
    s.kernel.ns(ns).label.clone()
}

/// The name of a device.
pub fn name(s: &Session, d: DevId) -> String {
    s.kernel.dev(d).name.to_string()
}

/// Devices that are there, of namespaces that are there.
pub fn devices(s: &Session) -> impl Iterator<Item = &Device> {
    s.kernel.devs.iter().filter(|d| d.alive && s.kernel.ns(d.netns).alive)
}

/// Devices that have an address, `lo` aside.
pub fn owners(s: &Session, a: Ipv4Addr) -> Vec<&Device> {
    devices(s).filter(|d| !d.is_loopback() && d.addrs.iter().any(|x| x.local == a)).collect()
}

/// A namespace has the address.
pub fn has(s: &Session, ns: NetnsId, a: Ipv4Addr) -> bool {
    a.is_loopback() || s.kernel.devs_of(ns).any(|d| d.addrs.iter().any(|x| x.local == a))
}

/// The network that an address of a device spans.
pub fn net_of(d: &Device, a: Ipv4Addr) -> Option<Ipv4Net> {
    let x = d.addrs.iter().find(|x| x.local == a)?;
    Ipv4Net::new(a, x.prefix).ok().map(|n| n.trunc())
}

/// The route that a namespace takes to an address, as `ip route del` names it; none where it is one of a connected
/// network's, which comes with the address.
pub fn winner(s: &Session, ns: NetnsId, to: Ipv4Addr) -> Option<String> {
    let Lookup::Route(_, route) = s.kernel.lookup_rules_quietly(ns, &Flow::to(to)) else { return None };
    if route.table == table::LOCAL || route.proto == proto::KERNEL {
        return None;
    }
    Some(route_words(s, &route))
}

/// A route as `ip route` names it.
pub fn route_words(s: &Session, route: &Route) -> String {
    let dst = if route.dst.prefix_len() == 0 { "default".to_owned() } else { route.dst.to_string() };
    let via = route.via.map(|v| format!(" via {v}")).unwrap_or_default();
    let dev = route.dev.map(|d| format!(" dev {}", name(s, d))).unwrap_or_default();
    format!("{dst}{via}{dev}")
}

/// The routes lead from a namespace back to where they led through before.
pub fn circle(s: &Session, from: NetnsId, to: Ipv4Addr) -> bool {
    let mut seen = vec![from];
    while let Some(at) = seen.last() {
        let Lookup::Route(_, route) = s.kernel.lookup_rules_quietly(*at, &Flow::to(to)) else { return false };
        let next = route.via.and_then(|v| owners(s, v).first().map(|d| d.netns));
        match next {
            Some(n) if seen.contains(&n) => return true,
            Some(n) => seen.push(n),
            None => return false,
        }
    }
    false
}

/// Somebody on a device's wire sends to an address straight over it, as to the far end of a point-to-point link.
pub fn expected_on(s: &Session, d: DevId, a: Ipv4Addr) -> bool {
    let own = s.kernel.dev(d).netns;
    segment(s, d).into_iter().map(|x| s.kernel.dev(x)).filter(|o| o.netns != own && o.master.is_none()).any(|o| {
        let looked = s.kernel.lookup_rules_quietly(o.netns, &Flow::to(a));
        matches!(looked, Lookup::Route(_, r) if r.via.is_none() && r.dev == Some(o.id) && r.table != table::LOCAL)
    })
}

/// The rules of a namespace as `iptables -S` prints them, without their chain.
fn rules(s: &Session, ns: NetnsId, tables: &'static [TableKind]) -> impl Iterator<Item = String> {
    let of = move |v: Variant| tables.iter().filter_map(move |t| s.kernel.ns(ns).nf.xt.of(v).get(*t));
    let tables = [Variant::Nft, Variant::Legacy].into_iter().flat_map(of);
    tables.flat_map(|t| t.chains()).flat_map(|c| c.rules.iter().map(|slot| rule_spec(&slot.rule)))
}

/// Namespaces that are there.
fn namespaces(s: &Session) -> impl Iterator<Item = NetnsId> {
    (0u32..).map(NetnsId).take(s.kernel.netns.len()).filter(|n| s.kernel.ns(*n).alive)
}

/// Single addresses that rules of a firewall name: somebody thought that they are there.
pub fn named_in_rules(s: &Session) -> impl Iterator<Item = Ipv4Addr> {
    namespaces(s).flat_map(|n| rules(s, n, &TableKind::ALL)).flat_map(|spec| {
        let words = spec.split([' ', ':']).map(|w| w.strip_suffix("/32").unwrap_or(w).to_owned());
        words.filter_map(|w| w.parse().ok()).collect::<Vec<Ipv4Addr>>()
    })
}

/// A namespace whose rules put another destination in the place of an address, which nobody needs to have for that.
fn translator(s: &Session, from: NetnsId, to: Ipv4Addr) -> Option<NetnsId> {
    let named = format!("-d {to}/32 ");
    let puts = |r: String| r.contains(&named) && (r.contains("-j DNAT") || r.contains("-j REDIRECT"));
    namespaces(s).find(|n| *n != from && rules(s, *n, &[TableKind::Nat]).any(puts))
}

/// Where packets to an address are to go, and the network that a route there is for.
pub fn target(s: &Session, from: NetnsId, to: Ipv4Addr) -> Option<(NetnsId, Ipv4Net)> {
    match owners(s, to).into_iter().find(|d| d.netns != from) {
        Some(d) => Some((d.netns, net_of(d, to)?)),
        None => Some((translator(s, from, to)?, Ipv4Net::from(to))),
    }
}

/// What a device is wired to, whatever is up: veth ends, bridges and their ports, lower devices, and the tunnels of one
/// network.
pub fn segment(s: &Session, from: DevId) -> Vec<DevId> {
    let mut seen = vec![from];
    let mut todo = VecDeque::from([from]);
    while let Some(id) = todo.pop_front() {
        for n in wired(s, id) {
            if !seen.contains(&n) {
                seen.push(n);
                todo.push_back(n);
            }
        }
    }
    seen
}

fn wired(s: &Session, id: DevId) -> Vec<DevId> {
    let d = s.kernel.dev(id);
    let mut next: Vec<DevId> = d.veth_peer().into_iter().chain(d.master).collect();
    if let Some(b) = d.bridge() {
        next.extend(&b.ports);
    }
    if let Some(v) = d.vxlan() {
        let same = |o: &&Device| o.vxlan().is_some_and(|w| w.cfg.vni == v.cfg.vni && o.id != id);
        next.extend(devices(s).filter(same).map(|o| o.id));
    }
    next.extend(s.kernel.macvlan_lower(id));
    let above = |o: &&Device| s.kernel.macvlan_lower(o.id) == Some(id);
    next.extend(devices(s).filter(above).map(|o| o.id));
    next.retain(|n| s.kernel.dev(*n).alive);
    next
}

/// The devices from one to another along the wires, both included; none where they are not wired.
pub fn wires(s: &Session, from: DevId, to: DevId) -> Option<Vec<DevId>> {
    let mut came: Vec<(DevId, DevId)> = vec![(from, from)];
    let mut todo = VecDeque::from([from]);
    while let Some(id) = todo.pop_front() {
        if id == to {
            let mut way = vec![to];
            let mut at = to;
            while at != from {
                at = came.iter().find(|c| c.0 == at)?.1;
                way.push(at);
            }
            way.reverse();
            return Some(way);
        }
        for n in wired(s, id) {
            if !came.iter().any(|c| c.0 == n) {
                came.push((n, id));
                todo.push_back(n);
            }
        }
    }
    None
}

/// A bridge's port whose far end leads back to the bridge by another port.
pub fn comes_round(s: &Session, port: DevId) -> bool {
    let d = s.kernel.dev(port);
    let (Some(bridge), Some(far)) = (d.master, d.veth_peer()) else { return false };
    let mut seen = vec![port, far];
    let mut todo = VecDeque::from([far]);
    while let Some(id) = todo.pop_front() {
        if id == bridge {
            return true;
        }
        for n in wired(s, id).into_iter().filter(|n| s.kernel.dev(*n).is_up()) {
            if !seen.contains(&n) {
                seen.push(n);
                todo.push_back(n);
            }
        }
    }
    false
}

/// A way between namespaces: the next one's address, and the device that leads to it.
pub struct Hop {
    /// Address of the next namespace on the shared network.
    pub via: Ipv4Addr,
    /// The network of the destination.
    pub net: Ipv4Net,
    /// The next namespace has the destination itself.
    pub direct: bool,
}

/// The next hop from a namespace towards an address, by what shares a network and a wire with what; `but` is no way.
pub fn next_hop(s: &Session, from: NetnsId, to: Ipv4Addr, but: Option<Ipv4Addr>) -> Option<Hop> {
    let (target, net) = target(s, from, to)?;
    let mut seen = vec![from];
    let mut todo: VecDeque<(NetnsId, Option<Ipv4Addr>)> = VecDeque::from([(from, None)]);
    while let Some((ns, first)) = todo.pop_front() {
        if ns == target
            && let Some(via) = first
        {
            return Some(Hop { via, net, direct: via == to });
        }
        for (a, n) in adjacent(s, ns, to) {
            if seen.contains(&n) || (ns == from && Some(a) == but) {
                continue;
            }
            seen.push(n);
            todo.push_back((n, first.or(Some(a))));
        }
    }
    None
}

/// The device is a tunnel whose own datagrams go to an address: it is no way there.
fn is_carried_by(d: &Device, to: Ipv4Addr) -> bool {
    d.vxlan().is_some_and(|v| v.cfg.remote == Some(to) || v.fdb.values().any(|e| e.remotes.iter().any(|r| r.ip == to)))
}

/// Namespaces that share a network and a wire with this one, each with its address there; tunnels that need a way to `to`
/// themselves are none.
fn adjacent(s: &Session, ns: NetnsId, to: Ipv4Addr) -> Vec<(Ipv4Addr, NetnsId)> {
    let mut out = Vec::new();
    let way = |d: &&Device| d.alive && !d.is_loopback() && !is_carried_by(d, to);
    for d in s.kernel.devs_of(ns).filter(way) {
        let nets: Vec<Ipv4Net> = d
            .addrs
            .iter()
            .filter_map(|a| Ipv4Net::new(a.local, a.prefix).ok())
            .filter(|n| n.prefix_len() < 32)
            .collect();
        if nets.is_empty() {
            continue;
        }
        for o in segment(s, d.id).into_iter().map(|i| s.kernel.dev(i)).filter(|o| o.netns != ns) {
            for a in &o.addrs {
                if nets.iter().any(|n| n.contains(&a.local)) && !out.iter().any(|x: &(_, _)| x.1 == o.netns) {
                    out.push((a.local, o.netns));
                }
            }
        }
    }
    out
}

/// An address of a network that nobody has: a high one, for the low ones are what gateways and pools take first.
pub fn free_address(s: &Session, net: Ipv4Net) -> Option<Ipv4Addr> {
    net.hosts().take(1024).filter(|a| owners(s, *a).is_empty()).last()
}

/// The networks that a container is on.
pub fn networks<'a>(e: &'a Engine, c: &'a Container) -> impl Iterator<Item = &'a Network> {
    c.endpoints.keys().filter_map(|k| e.network(k))
}

/// The network of an engine whose bridge has this name.
pub fn bridge_network<'a>(s: &'a Session, ns: NetnsId, bridge: &str) -> Option<&'a Network> {
    let host = s.kernel.ns(ns).host;
    s.engines.get(&host)?.networks.values().find(|n| n.bridge_name == bridge)
}

/// The address by which a namespace reaches another beside it, and the network of an address beyond.
pub fn by_way_of(s: &Session, from: NetnsId, router: NetnsId, to: Ipv4Addr) -> Option<(Ipv4Addr, Ipv4Net)> {
    let (via, _) = adjacent(s, from, to).into_iter().find(|(_, n)| *n == router)?;
    let net = owners(s, to).into_iter().find_map(|d| net_of(d, to))?;
    Some((via, net))
}

//! Packets that took another way than the wire that leads to the receiver, and routing rules that nobody asks any more.

use super::{Found, address, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::fib::{RuleAction, table};
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::DropReason;
use crate::trace::event::{EventKind, FibResult};

/// Namespaces of the step that lack a rule every namespace is born with.
pub fn rules(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen: Vec<NetnsId> = Vec::new();
    for e in sc.events() {
        if seen.contains(&e.ns) || s.kernel.ns(e.ns).is_switch {
            continue;
        }
        seen.push(e.ns);
        for (t, name, pref) in [(table::LOCAL, "local", 0), (table::MAIN, "main", 32_766)] {
            let asked = s.kernel.ns(e.ns).fib.rules.iter().any(|r| matches!(r.action, RuleAction::Table(x) if x == t));
            if !asked {
                let place = world::place(s, e.ns);
                let says = format!("no rule of {place} asks routing table {name}: its routes count for nothing");
                let f = Found::new(Cause::RoutingRuleMissing, place, says)
                    .shown(format!("no rule looks up {name}"), Some(line(sc, e.ns, "ip rule show")))
                    .fix(vec![line(sc, e.ns, format!("ip rule add pref {pref} lookup {name}"))]);
                out.push(f);
            }
        }
    }
}

/// Look-ups that a rule of somebody's own decided.
pub fn policy(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen: Vec<(NetnsId, u32)> = Vec::new();
    for e in sc.events() {
        let EventKind::Fib { key, result: FibResult::Route { pref, route } } = &e.kind else { continue };
        if matches!(pref, 0 | 32_766 | 32_767) || seen.contains(&(e.ns, *pref)) {
            continue;
        }
        seen.push((e.ns, *pref));
        let place = world::place(s, e.ns);
        let says = format!("routing rule {pref} of {place} sends what goes to {} by table {}", key.dst, route.table);
        let show = line(sc, e.ns, format!("ip route get {} from {}", key.dst, key.src));
        let f = Found::new(Cause::PolicyRoute, place, says)
            .shown("the rules", Some(line(sc, e.ns, "ip rule show")))
            .shown(format!("table {} wins", route.table), Some(show));
        // An exception for one network leaves the rule to the rest.
        let exception = world::target(s, e.ns, key.dst).map(|(_, net)| {
            vec![line(sc, e.ns, format!("ip rule add to {net} lookup main pref {}", pref.saturating_sub(1)))]
        });
        let f = exception.into_iter().fold(f, Found::fix);
        out.push(f.fix(vec![line(sc, e.ns, format!("ip rule del pref {pref}"))]));
    }
}

/// Look-ups that led by a gateway to a receiver on the very wire of the sender: the network's own route is gone.
pub fn by_gateway(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen: Vec<(NetnsId, std::net::Ipv4Addr)> = Vec::new();
    for e in sc.events() {
        let EventKind::Fib { key, result: FibResult::Route { route, .. } } = &e.kind else { continue };
        let (Some(_), Some(by)) = (route.gateway(), route.dev.map(|d| s.kernel.dev(d))) else { continue };
        if seen.contains(&(e.ns, key.dst)) || s.kernel.ns(e.ns).is_switch {
            continue;
        }
        seen.push((e.ns, key.dst));
        let near =
            world::owners(s, key.dst).into_iter().find(|o| o.netns != e.ns && world::wires(s, by.id, o.id).is_some());
        let Some(net) = near.and_then(|o| world::net_of(o, key.dst)) else { continue };
        if !by.addrs.iter().any(|a| net.contains(&a.local)) {
            continue;
        }
        let place = format!("{}/{}", world::place(s, e.ns), by.name);
        let says = format!("{} is on the wire of {place}, and no route says so: it is sent to a gateway", key.dst);
        let f = Found::new(Cause::NoRoute, place, says)
            .shown("the route that wins", Some(line(sc, e.ns, format!("ip route get {}", key.dst))))
            .fix(vec![line(sc, e.ns, format!("ip route add {net} dev {}", by.name))]);
        out.push(f);
    }
}

/// Look-ups that sent a packet elsewhere than the device whose wire has the receiver on it.
pub fn find(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen: Vec<(NetnsId, std::net::Ipv4Addr)> = Vec::new();
    for e in sc.events() {
        let EventKind::Fib { key, result: FibResult::Route { route, .. } } = &e.kind else { continue };
        let (dst, ns) = (key.dst, e.ns);
        let Some(by) = route.dev.filter(|d| !s.kernel.dev(*d).is_loopback()) else { continue };
        if seen.contains(&(ns, dst)) || s.kernel.ns(ns).is_switch {
            continue;
        }
        seen.push((ns, dst));
        for o in world::owners(s, dst).into_iter().filter(|o| o.netns != ns) {
            let Some(net) = world::net_of(o, dst) else { continue };
            let near: Vec<DevId> = world::segment(s, o.id)
                .into_iter()
                .filter(|d| *d != by && s.kernel.dev(*d).netns == ns && s.kernel.dev(*d).master.is_none())
                .collect();
            if near.is_empty() || world::wires(s, by, o.id).is_some() {
                continue;
            }
            for d in near.into_iter().map(|d| s.kernel.dev(d)) {
                let place = format!("{}/{}", world::place(s, ns), d.name);
                let says = format!(
                    "{dst} is on the wire of {place}, and {} sends to it by {}",
                    world::place(s, ns),
                    world::name(s, by)
                );
                let mut f = Found::new(Cause::NoRoute, place, says)
                    .shown("the route that wins", Some(line(sc, ns, format!("ip route get {dst}"))));
                let mut lines = Vec::new();
                if !d.is_up() {
                    f.blocker.cause = Cause::LinkDown;
                    lines.push(line(sc, ns, format!("ip link set {} up", d.name)));
                }
                if !d.addrs.iter().any(|a| net.contains(&a.local)) {
                    if d.is_up() {
                        f.blocker.cause = Cause::AddressMissing;
                    }
                    if let Some(a) = address::right(sc, d, net) {
                        lines.push(line(sc, ns, format!("ip addr add {a}/{} dev {}", net.prefix_len(), d.name)));
                    }
                } else if lines.is_empty() {
                    lines.push(line(sc, ns, format!("ip route add {net} dev {}", d.name)));
                }
                out.push(f.fix(lines));
            }
        }
    }
}

/// Routes to one network that lead to a host which knows no way on, while another neighbour is nearer.
pub fn astray(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let lost = |x: &crate::trace::Event| matches!(x.kind, EventKind::Drop { reason: DropReason::IP_INNOROUTES, .. });
    for e in sc.events().iter().filter(|e| lost(e)) {
        let at = |x: &&crate::trace::Event| x.packet == e.packet && x.ns != e.ns;
        for x in sc.events().iter().filter(at) {
            let EventKind::Fib { key, result: FibResult::Route { route, .. } } = &x.kind else { continue };
            let Some(via) = route.gateway().filter(|g| world::has(s, e.ns, *g) && route.dst.prefix_len() > 0) else {
                continue;
            };
            let Some(hop) = world::next_hop(s, x.ns, key.dst, None).filter(|h| h.via != via) else { continue };
            let (place, there) = (world::place(s, x.ns), world::place(s, e.ns));
            let says =
                format!("{place} sends to {} by {via}, and {there} has no route there: {} has", route.dst, hop.via);
            let table = if route.table == table::MAIN { String::new() } else { format!(" table {}", route.table) };
            let f = Found::new(Cause::WrongGateway, place, says)
                .shown("the route that wins", Some(line(sc, x.ns, format!("ip route get {}", key.dst))))
                .fix(vec![line(sc, x.ns, format!("ip route replace {} via {}{table}", route.dst, hop.via))]);
            out.push(f);
        }
    }
}

/// Routes that lost to one whose gateway is not on the way: a second default route of a lower metric.
pub fn lesser(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen: Vec<(NetnsId, std::net::Ipv4Addr)> = Vec::new();
    for e in sc.events() {
        let EventKind::Fib { key, result: FibResult::Route { route, .. } } = &e.kind else { continue };
        let Some(via) = route.gateway() else { continue };
        if seen.contains(&(e.ns, key.dst)) || s.kernel.ns(e.ns).is_switch {
            continue;
        }
        seen.push((e.ns, key.dst));
        let Some(hop) = world::next_hop(s, e.ns, key.dst, Some(via)) else { continue };
        let Some(t) = s.kernel.ns(e.ns).fib.tables.get(&route.table) else { continue };
        let all = t.routes.iter().flat_map(|(_, r)| r).filter(|r| r.dst == route.dst);
        let Some(other) = all.into_iter().find(|r| r.gateway() == Some(hop.via) && r.table == route.table) else {
            continue;
        };
        let (place, wins, loses) = (world::place(s, e.ns), world::route_words(s, route), world::route_words(s, other));
        let says = format!(
            "{place} has two routes to {}, and the one that wins leads elsewhere: {wins}, not {loses}",
            key.dst
        );
        let table = if route.table == table::MAIN { String::new() } else { format!(" table {}", route.table) };
        let f = Found::new(Cause::WrongGateway, place, says)
            .shown("the route that wins", Some(line(sc, e.ns, format!("ip route get {}", key.dst))))
            .shown("both", Some(line(sc, e.ns, format!("ip route show{table}"))))
            .fix(vec![line(sc, e.ns, format!("ip route del {wins}{table}"))]);
        out.push(f);
    }
}

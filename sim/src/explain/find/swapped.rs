//! Two cards of a host in each other's sockets: each has its address in the network of the other one's wire.

use ipnet::Ipv4Net;

use super::{Found, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, Line, world};
use crate::kernel::fib::table;
use crate::kernel::link::{Device, IfAddr};
use crate::kernel::types::NetnsId;

/// The networks of a device's own addresses.
fn own(d: &Device) -> impl Iterator<Item = Ipv4Net> + '_ {
    d.addrs.iter().filter_map(|a| Ipv4Net::new(a.local, a.prefix).ok()).map(|n| n.trunc())
}

/// Others on the device's wire have an address in the network.
fn there(sc: &Scene<'_>, d: &Device, net: Ipv4Net) -> bool {
    let s = sc.after;
    let others = world::segment(s, d.id).into_iter().map(|x| s.kernel.dev(x)).filter(|o| o.netns != d.netns);
    others.into_iter().any(|o| o.addrs.iter().any(|a| net.contains(&a.local)))
}

/// Two devices of a host that have each other's addresses.
fn pair<'a>(sc: &'a Scene<'_>, ns: NetnsId) -> Option<(&'a Device, &'a Device)> {
    let all: Vec<&Device> =
        sc.after.kernel.devs_of(ns).filter(|d| !d.is_loopback() && d.master.is_none() && !d.addrs.is_empty()).collect();
    let wrong = |here: &Device, other: &Device| own(here).all(|n| !there(sc, here, n) && there(sc, other, n));
    let pairs = all.iter().enumerate().flat_map(|(i, a)| all[i + 1..].iter().map(move |b| (*a, *b)));
    pairs.into_iter().find(|(a, b)| wrong(a, b) && wrong(b, a))
}

/// The host's cards are exchanged: the change gives each the other's addresses, and sets the routes anew that went with them.
pub fn find(sc: &Scene<'_>, ns: NetnsId) -> Option<Found> {
    let s = sc.after;
    let (a, b) = pair(sc, ns)?;
    let place = world::place(s, ns);
    let text = |d: &Device| d.addrs.iter().map(|x| format!("{}/{}", x.local, x.prefix)).collect::<Vec<_>>().join(" ");
    let says = format!(
        "{place} has {} on {} and {} on {}, and on their wires it is the other way round: the cables or the addresses are \
         exchanged",
        text(a),
        a.name,
        text(b),
        b.name
    );
    let show = |d: &Device| Some(line(sc, ns, format!("ip addr show {}", d.name)));
    let f = Found::new(Cause::AddressMissing, place, says)
        .shown(format!("{} has {}", a.name, text(a)), show(a))
        .shown(format!("{} has {}", b.name, text(b)), show(b));
    let change = |verb: &str, x: &IfAddr, d: &Device| {
        line(sc, ns, format!("ip addr {verb} {}/{} dev {}", x.local, x.prefix, d.name))
    };
    let mut lines: Vec<Line> = Vec::new();
    for (from, _) in [(a, b), (b, a)] {
        lines.extend(from.addrs.iter().map(|x| change("del", x, from)));
    }
    for (from, to) in [(a, b), (b, a)] {
        lines.extend(from.addrs.iter().map(|x| change("add", x, to)));
    }
    let main = s.kernel.ns(ns).fib.tables.get(&table::MAIN);
    let routes = main.into_iter().flat_map(|t| t.routes.iter().flat_map(|(_, r)| r));
    for r in routes.filter(|r| r.dev == Some(a.id) || r.dev == Some(b.id)) {
        if let Some(via) = r.gateway() {
            lines.push(line(sc, ns, format!("ip route add {} via {via}", r.dst)));
        }
    }
    Some(f.fix(lines))
}

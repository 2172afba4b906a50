//! Sources that a router should have put its own address in the place of.

use std::net::Ipv4Addr;

use super::firewall::with_table;
use super::{Found, line};
use crate::command::iptables::rule_spec;
use crate::explain::scene::Scene;
use crate::explain::world;
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::event::{EventKind, Miss, RuleAt};

/// The client lives on the host that forwarded for it: a container or a namespace, in a network of the host's own.
pub fn behind(sc: &Scene<'_>, answers: NetnsId) -> bool {
    let s = sc.after;
    translates(sc, answers).is_some_and(|(router, _)| {
        s.kernel.ns(sc.ns).host == s.kernel.ns(router).host && sc.ns != router && world::root(s, router) == router
    })
}

/// The router translates sources, though not of what leaves by this device.
pub fn meant(sc: &Scene<'_>, answers: NetnsId) -> bool {
    translates(sc, answers).is_some_and(|(router, _)| missed_by_device(sc, router).is_some())
}

/// The router that put the request on the wire of whoever answers, and the device it left by.
fn translates(sc: &Scene<'_>, answers: NetnsId) -> Option<(NetnsId, DevId)> {
    let s = sc.after;
    let forwards: Vec<NetnsId> = sc.routers().into_iter().filter(|n| *n != answers).collect();
    let router = *forwards.last()?;
    let out = sc.events().iter().rev().find_map(|e| match e.kind {
        EventKind::Tx if e.ns == router => e.dev,
        _ => None,
    })?;
    // The last device of the way out: one that the answering side is wired to, and that has an address to hide behind.
    let dev = sc.events().iter().find_map(|e| match (&e.kind, e.dev) {
        (EventKind::Tx, Some(d)) if e.ns == router => {
            let wired = world::segment(s, d).iter().any(|x| s.kernel.dev(*x).netns == answers);
            (wired && !s.kernel.dev(d).addrs.is_empty()).then_some(d)
        }
        _ => None,
    });
    Some((router, dev.unwrap_or(out)))
}

/// The router that forwarded the request translates its source: a change to try, and the rule that was meant to.
pub fn at(sc: &Scene<'_>, answers: NetnsId, client: Ipv4Addr, mut f: Found) -> Found {
    let Some((router, dev)) = translates(sc, answers) else { return f };
    let s = sc.after;
    let net = world::owners(s, client).first().and_then(|d| world::net_of(d, client));
    let src = net.map_or_else(|| client.to_string(), |n| n.to_string());
    let rule = format!("iptables -t nat -A POSTROUTING -s {src} -o {} -j MASQUERADE", world::name(s, dev));
    f = f.shown("no rule translates the source", Some(line(sc, router, "iptables -t nat -S POSTROUTING")));
    if let Some((r, miss)) = missed_by_device(sc, router) {
        let show = format!("{} -nvL {} --line-numbers", with_table(r.variant, r.table), r.chain);
        let what = format!("rule {} of {} does not fit ({}): {}", r.number, r.chain, miss.option, rule_spec(&r.rule));
        f = f.shown(what, Some(line(sc, router, show)));
    }
    f.fix(vec![line(sc, router, rule)])
}

/// A rule that gives packets another source was tried at a router, and is for another device than they leave by.
fn missed_by_device<'a>(sc: &'a Scene<'_>, router: NetnsId) -> Option<(&'a RuleAt, &'a Miss)> {
    let hides = |r: &RuleAt| ["-j MASQUERADE", "-j SNAT"].iter().any(|t| rule_spec(&r.rule).contains(t));
    sc.events().iter().find_map(|e| match &e.kind {
        EventKind::XtMissed { at, miss } if e.ns == router && miss.option == "-o" && hides(at) => Some((at, miss)),
        _ => None,
    })
}

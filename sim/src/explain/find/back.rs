//! Answers that leave by another way than the request came by, though a routing table for that way is there: what was to
//! lead them to it (a mark, a rule) is missing.

use std::net::Ipv4Addr;

use super::{Found, line};
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, world};
use crate::kernel::fib::{FibRule, RuleAction, table};
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::event::{EventKind, FibResult};

/// An answer at the host where its way parts from the request's.
struct Parting {
    ns: NetnsId,
    /// To whom it goes.
    to: Ipv4Addr,
    /// Device that the request came in by.
    by: DevId,
    /// Device that the answer came to the host by; none where it is the host's own.
    iif: Option<DevId>,
    /// The answer's mark.
    mark: u32,
    /// The connection's mark.
    connmark: u32,
}

/// Look-ups for an answer that did not lead to where the request came from.
pub fn find(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen: Vec<(NetnsId, Ipv4Addr)> = Vec::new();
    for (i, e) in sc.events().iter().enumerate() {
        let EventKind::Fib { key, result: FibResult::Route { route, .. } } = &e.kind else { continue };
        let Some(dev) = route.dev.filter(|d| !s.kernel.dev(*d).is_loopback()) else { continue };
        if seen.contains(&(e.ns, key.dst)) || s.kernel.ns(e.ns).is_switch {
            continue;
        }
        let Some(by) = came_by(sc, i, key.dst).filter(|by| *by != dev && Some(*by) != key.iif) else { continue };
        seen.push((e.ns, key.dst));
        let ct = s.kernel.ns(e.ns).nf.ct.iter(s.kernel.now());
        let connmark = ct.filter(|(_, c)| c.tuples[0].src == key.dst).last().map_or(0, |(_, c)| c.mark);
        let at = Parting { ns: e.ns, to: key.dst, by, iif: key.iif, mark: key.mark, connmark };
        out.extend(tables(sc, &at).into_iter().map(|t| told(sc, &at, t, world::name(s, dev))));
    }
}

/// The device by which a host heard from an address before.
fn came_by(sc: &Scene<'_>, i: usize, from: Ipv4Addr) -> Option<DevId> {
    let ns = sc.events()[i].ns;
    sc.events()[..i].iter().enumerate().rev().find_map(|(j, x)| {
        let heard = matches!(x.kind, EventKind::Rx) && x.ns == ns;
        let d = x.dev.filter(|d| heard && sc.after.kernel.dev(*d).master.is_none())?;
        (Flow::of(sc.packet_before(j)?)?.src == from).then_some(d)
    })
}

/// Tables of somebody's own with a route by the device that the request came by.
fn tables(sc: &Scene<'_>, at: &Parting) -> Vec<u32> {
    let fib = &sc.after.kernel.ns(at.ns).fib;
    let own = fib.tables.iter().filter(|(n, _)| !matches!(**n, table::MAIN | table::LOCAL | 0 | 253));
    let leads = |r: &crate::kernel::fib::Route| r.dst.contains(&at.to) && r.dev == Some(at.by);
    own.filter(|(_, t)| t.routes.iter().any(|(_, r)| r.iter().any(leads))).map(|(n, _)| *n).collect()
}

fn told(sc: &Scene<'_>, at: &Parting, t: u32, dev: String) -> Found {
    let s = sc.after;
    let (place, by) = (world::place(s, at.ns), world::name(s, at.by));
    let says = format!(
        "the request came to {place} by {by}, and the answer to {} leaves by {dev}: table {t} would lead it back",
        at.to
    );
    let f = Found::new(Cause::ReplyByOtherWay, place, says)
        .shown(format!("table {t}"), Some(line(sc, at.ns, format!("ip route show table {t}"))));
    let rules: Vec<&FibRule> =
        s.kernel.ns(at.ns).fib.rules.iter().filter(|r| matches!(r.action, RuleAction::Table(x) if x == t)).collect();
    if rules.is_empty() {
        return no_rule(sc, at, t, f);
    }
    rules.into_iter().filter_map(|r| r.fwmark).fold(f, |f, (want, mask)| no_mark(sc, at, want, mask, f))
}

/// Nobody asks the table.
fn no_rule(sc: &Scene<'_>, at: &Parting, t: u32, mut f: Found) -> Found {
    let s = sc.after;
    f.blocker.says = format!("{}, and no routing rule asks it", f.blocker.says);
    f = f.shown(format!("no rule looks up table {t}"), Some(line(sc, at.ns, "ip rule show")));
    if at.connmark != 0 {
        f = f.fix(vec![line(sc, at.ns, format!("ip rule add fwmark {} table {t}", at.connmark))]);
    }
    let own = s.kernel.dev(at.by).addrs.first().map(|a| a.local);
    own.into_iter().fold(f, |f, a| f.fix(vec![line(sc, at.ns, format!("ip rule add from {a} table {t}"))]))
}

/// The rule asks for a mark that the answer does not bear.
fn no_mark(sc: &Scene<'_>, at: &Parting, want: u32, mask: u32, mut f: Found) -> Found {
    let s = sc.after;
    if at.mark & mask == want {
        return f;
    }
    f = f.shown(
        format!("the rule asks for mark {want:#x}, and the answer has {:#x}", at.mark),
        Some(line(sc, at.ns, "ip rule show")),
    );
    let show = line(sc, at.ns, "iptables -t mangle -S");
    let restore = match at.iif.map(|d| world::name(s, d)) {
        Some(iif) => format!("iptables -t mangle -A PREROUTING -i {iif} -j CONNMARK --restore-mark"),
        None => "iptables -t mangle -A OUTPUT -j CONNMARK --restore-mark".to_owned(),
    };
    let restore = line(sc, at.ns, restore);
    if at.connmark & mask == want {
        f.blocker.says = format!("{}, and nothing gives the connection's mark to the answer", f.blocker.says);
        return f.shown(format!("the connection has mark {:#x}", at.connmark), Some(show)).fix(vec![restore]);
    }
    f.blocker.says = format!("{}, and nothing marked the connection", f.blocker.says);
    let by = world::name(s, at.by);
    let set = line(
        sc,
        at.ns,
        format!("iptables -t mangle -A PREROUTING -i {by} -m conntrack --ctstate NEW -j CONNMARK --set-mark {want}"),
    );
    f.shown(format!("the connection has mark {:#x}", at.connmark), Some(show))
        .fix(vec![set.clone()])
        .fix(vec![set, restore])
}

//! Connection tracking: entries that outlived what made them, packets that it does not take for a connection's; and an
//! engine's chains that are gone.

use super::{Found, at, line, words};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::conntrack::L4Id;
use crate::kernel::xtables::{TableKind, Variant};
use crate::trace::event::{CtVerdict, EventKind};

/// Flows of the step whose entry is older than the step.
pub fn stale(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.before;
    let mut seen = Vec::new();
    for e in sc.events() {
        let EventKind::Ct { verdict: CtVerdict::Found(_), after: Some(view), .. } = &e.kind else { continue };
        let t = view.tuples[0];
        if seen.contains(&(e.ns, t)) || e.ns.ix() >= s.kernel.netns.len() {
            continue;
        }
        seen.push((e.ns, t));
        let old = s.kernel.ns(e.ns).nf.ct.iter(s.kernel.now()).any(|(_, c)| c.tuples[0] == t);
        if !old {
            continue;
        }
        let place = world::place(s, e.ns);
        let proto = crate::command::conntrack::proto_name(t.proto);
        let ports = match t.l4 {
            L4Id::Ports { src, dst } => format!(" --sport {src} --dport {dst}"),
            _ => String::new(),
        };
        let spec = format!("-p {proto} -s {} -d {}{ports}", t.src, t.dst);
        let says = format!(
            "{place} has known this flow since before the step: address translation, which only looks at a flow's first \
             packet, is as it was then"
        );
        let f = Found::new(Cause::StaleConntrack, place, says)
            .shown("the entry", Some(line(sc, e.ns, format!("conntrack -L {spec}"))))
            .fix(vec![line(sc, e.ns, format!("conntrack -D {spec}"))]);
        out.push(f);
    }
}

/// A packet that belongs to no connection, and is therefore not translated back.
pub fn invalid(sc: &Scene<'_>, i: usize, why: &str, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let says =
        format!("connection tracking of {} holds {} for INVALID: {why}", world::place(sc.after, e.ns), words(sc, i));
    let key = "net.netfilter.nf_conntrack_tcp_be_liberal";
    let mut back = Vec::new();
    if let Some(f) = sc.packet_before(i).and_then(crate::explain::scene::Flow::of)
        && let Some((via, net)) = world::by_way_of(sc.after, sc.ns, e.ns, f.src)
    {
        back.push(vec![line(sc, sc.ns, format!("ip route replace {net} via {via}"))]);
    }
    let f = Found::new(Cause::ConntrackInvalid, at(sc, i), says)
        .shown("packets that belong to no connection", Some(line(sc, e.ns, "conntrack -S")))
        .fix(vec![line(sc, e.ns, format!("sysctl -w {key}=1"))])
        .fix(vec![line(sc, e.ns, "sysctl -w net.netfilter.nf_conntrack_tcp_loose=0")])
        .fix(vec![line(sc, e.ns, "iptables -I INPUT -m conntrack --ctstate INVALID -j DROP")])
        .fix(vec![line(sc, e.ns, "iptables -I FORWARD -m conntrack --ctstate INVALID -j DROP")]);
    out.push(back.into_iter().fold(f, Found::fix));
}

/// Engines on the way whose chains are not all there.
pub fn rules_missing(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.before;
    let mut hosts: Vec<_> = sc.events().iter().map(|e| sc.after.kernel.ns(e.ns).host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    for host in hosts {
        let Some(e) = s.engines.get(&host).filter(|e| e.running && e.config.iptables) else { continue };
        let root = s.kernel.host(host).root_ns;
        let nft = s.kernel.ns(root).nf.xt.of(Variant::Nft);
        let rules = |t: TableKind, chain: &str| {
            nft.get(t).and_then(|t| t.chains().find(|c| &*c.name == chain)).map_or(0, |c| c.rules.len())
        };
        let gone = nft.get(TableKind::Nat).is_none_or(|t| t.find("DOCKER").is_none())
            || nft.get(TableKind::Filter).is_none_or(|t| t.find("DOCKER").is_none())
            || rules(TableKind::Nat, "PREROUTING") == 0
            || rules(TableKind::Filter, "FORWARD") == 0
            || rules(TableKind::Nat, "POSTROUTING") == 0 && e.config.ip_masq
            || e.containers.values().any(|c| !c.bound.is_empty()) && rules(TableKind::Nat, "DOCKER") == 0;
        if gone {
            let place = world::place(s, root);
            let says = format!("the engine of {place} runs, and its chains are not there: something flushed them");
            let f = Found::new(Cause::DockerRulesMissing, place, says)
                .shown("no rules of Docker", Some(line(sc, root, "iptables-save | grep DOCKER")))
                .fix(vec![line(sc, root, "systemctl restart docker")]);
            out.push(f);
        }
    }
}

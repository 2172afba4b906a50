//! Addresses and ports that a rule put in the place of a packet's own, and that are wrong.

use std::net::Ipv4Addr;

use super::firewall::{engines_own, with_table};
use super::{Found, line};
use crate::command::iptables::rule_spec;
use crate::docker::types::Container;
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::socket::SocketInfo;
use crate::kernel::types::NetnsId;
use crate::trace::event::{Event, EventKind, RuleAt, RuleVerdict};

/// The rule that led packets to a destination, and where.
fn leads_to<'a>(sc: &'a Scene<'_>, dst: Ipv4Addr) -> Option<(NetnsId, &'a RuleAt)> {
    let n = sc.events().iter().position(
        |x| matches!(&x.kind, EventKind::Nat { before, after, .. } if before.dst != after.dst && after.dst == dst),
    )?;
    let router = sc.events()[n].ns;
    let rule = sc.events()[..n].iter().rev().take_while(|x| x.ns == router).find_map(|x| match &x.kind {
        EventKind::XtMatched { at, verdict: RuleVerdict::Nat } => Some(at),
        _ => None,
    });
    Some((router, rule?))
}

/// Answers go to an address that a rule gave packets as their source, and that the router does not have.
pub fn wrong_source(sc: &Scene<'_>, nobody: Ipv4Addr, mut f: Found) -> Found {
    let gives = |x: &Event| matches!(&x.kind, EventKind::Nat { before, after, .. } if before.src != after.src && after.src == nobody);
    let Some(n) = sc.events().iter().position(gives) else { return f };
    let e = &sc.events()[n];
    let rule = sc.events()[..n].iter().rev().take_while(|x| x.ns == e.ns).find_map(|x| match &x.kind {
        EventKind::XtMatched { at, verdict: RuleVerdict::Nat } => Some(at),
        _ => None,
    });
    let (Some(r), Some(dev)) = (rule, e.dev.map(|d| sc.after.kernel.dev(d))) else { return f };
    let place = world::place(sc.after, e.ns);
    f.blocker.says = format!("{}; {place} gives packets that source by a rule, and does not have it", f.blocker.says);
    f = shown(sc, e.ns, r, f);
    for a in dev.addrs.iter().map(|a| a.local).take(2) {
        f = replaced(sc, e.ns, r, &nobody.to_string(), &a.to_string()).into_iter().fold(f, Found::fix);
    }
    f.fix(vec![line(sc, e.ns, format!("ip addr add {nobody}/32 dev {}", dev.name))])
}

/// The rule as evidence.
fn shown(sc: &Scene<'_>, router: NetnsId, r: &RuleAt, f: Found) -> Found {
    let what = format!(
        "rule {} of {} at {} leads there: {}",
        r.number,
        r.chain,
        world::place(sc.after, router),
        rule_spec(&r.rule)
    );
    let show = format!("{} -nvL {} --line-numbers", with_table(r.variant, r.table), r.chain);
    f.shown(what, Some(line(sc, router, show)))
}

/// The rule with something else in it; none where it is an engine's, or nothing changes.
fn replaced(sc: &Scene<'_>, router: NetnsId, r: &RuleAt, old: &str, new: &str) -> Option<Vec<Line>> {
    instead(sc, router, r, &rule_spec(&r.rule).replace(old, new))
}

/// Another rule in the place of one; none where that is an engine's, or they are the same.
fn instead(sc: &Scene<'_>, router: NetnsId, r: &RuleAt, right: &str) -> Option<Vec<Line>> {
    let spec = rule_spec(&r.rule);
    let may = right != spec && !engines_own(sc, router, r, &spec);
    may.then(|| {
        vec![line(sc, router, format!("{} -R {} {} {right}", with_table(r.variant, r.table), r.chain, r.number))]
    })
}

/// Ports that programs of a namespace listen on for a protocol, reachable from outside.
fn listening(sc: &Scene<'_>, ns: NetnsId, proto: &str) -> Vec<u16> {
    let waits = if proto == "tcp" { "LISTEN" } else { "UNCONN" };
    let heard = |x: &&SocketInfo| x.proto == proto && x.state == waits && !x.local.is_loopback();
    let mut ports: Vec<u16> = sc.after.kernel.sockets(ns).iter().filter(heard).map(|x| x.lport).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// A packet ended at the host that was to lead it on: the rule for it is there, and one of its options does not fit.
pub fn unfit(sc: &Scene<'_>, i: usize, flow: &Flow) -> Option<Found> {
    let e = &sc.events()[i];
    let leads = |r: &RuleAt| ["-j DNAT", "-j REDIRECT"].iter().any(|t| rule_spec(&r.rule).contains(t));
    let (r, option) = sc.back(i).find_map(|x| match &x.kind {
        EventKind::XtMissed { at, miss } if x.ns == e.ns && leads(at) => Some((at, miss.option)),
        _ => None,
    })?;
    let spec = rule_spec(&r.rule);
    let mut words: Vec<String> = spec.split_whitespace().map(str::to_owned).collect();
    let has = match option {
        "-i" => world::name(sc.after, e.dev?),
        "-p" => flow.proto().to_owned(),
        "-d" => format!("{}/32", flow.dst),
        _ => return None,
    };
    let at = words.iter().position(|w| w == option).filter(|at| *at == 0 || words[at - 1] != "!")?;
    let asks = std::mem::replace(words.get_mut(at + 1)?, has.clone());
    // The options of a protocol come with its match.
    for n in 1..words.len() {
        if option == "-p" && words[n - 1] == "-m" && words[n] == asks {
            words[n].clone_from(&has);
        }
    }
    let place = world::place(sc.after, e.ns);
    let says = format!(
        "rule {} of chain {} at {place} would lead {} on, and does not fit: it asks for {option} {asks}, and the packet \
         has {has}",
        r.number,
        r.chain,
        super::words(sc, i)
    );
    let show = format!("{} -nvL {} --line-numbers", with_table(r.variant, r.table), r.chain);
    let f = Found::new(Cause::TranslationMissing, place, says).shown(spec, Some(line(sc, e.ns, show)));
    instead(sc, e.ns, r, &words.join(" ")).map(|fix| f.fix(fix))
}

/// Nothing listens on the port that a rule put there, and the program listens on another one.
pub fn wrong_port(sc: &Scene<'_>, i: usize, flow: &Flow, port: u16, f: Found) -> Found {
    let Some((router, r)) = leads_to(sc, flow.dst) else { return f };
    let ns = sc.events()[i].ns;
    let place = world::place(sc.after, ns);
    let mut f = shown(sc, router, r, f);
    for p in listening(sc, ns, flow.proto()).into_iter().filter(|p| *p != port).take(3) {
        f.blocker.says = format!("{}; {place} listens on {p}", f.blocker.says);
        let ways = [(":", ":"), ("--to-ports ", "--to-ports ")];
        let fixes = ways.iter().filter_map(|(a, b)| replaced(sc, router, r, &format!("{a}{port}"), &format!("{b}{p}")));
        f = fixes.fold(f, Found::fix);
    }
    f
}

/// The rule is an engine's, which published the wrong port of a container: a rule before it, until it is published anew.
pub fn published_wrong(sc: &Scene<'_>, i: usize, flow: &Flow, port: u16, mut f: Found) -> Found {
    let s = sc.after;
    let Some((router, _)) = leads_to(sc, flow.dst) else { return f };
    let others = listening(sc, sc.events()[i].ns, flow.proto());
    let Some(right) = others.into_iter().find(|p| *p != port) else { return f };
    let Some(e) = s.engines.get(&s.kernel.ns(router).host) else { return f };
    let has = |c: &Container| c.endpoints.values().any(|p| p.ip == Some(flow.dst));
    let Some(c) = e.containers.values().find(|c| has(c)) else { return f };
    let Some(b) = c.bound.iter().find(|b| b.port == port && b.proto == flow.proto()) else { return f };
    let (host, proto, ip) = (b.host_port, flow.proto(), flow.dst);
    f.blocker.says = format!("{}, and `-p {host}:{right}` would publish that", f.blocker.says);
    let lines = [
        format!(
            "iptables -t nat -I PREROUTING -p {proto} --dport {host} -m addrtype --dst-type LOCAL -j DNAT --to-destination {ip}:{right}"
        ),
        format!("iptables -I DOCKER -d {ip} -p {proto} --dport {right} -j ACCEPT"),
    ];
    f.fix(lines.iter().map(|l| line(sc, router, l)).collect())
}

/// Nobody has the address that a rule put there, and another host beside it listens on the port.
pub fn wrong_host(sc: &Scene<'_>, nobody: Ipv4Addr, f: Found) -> Found {
    let s = sc.after;
    let Some((router, r)) = leads_to(sc, nobody) else { return f };
    let mut f = shown(sc, router, r, f);
    let flow = sc.events().iter().filter_map(|e| sc.packet(e).and_then(Flow::of)).find(|x| x.dst == nobody);
    let Some((flow, port)) = flow.and_then(|x| Some((x, x.dport()?))) else { return f };
    let near = |a: Ipv4Addr| a.octets()[..3] == nobody.octets()[..3];
    for d in world::devices(s).filter(|d| !d.is_loopback() && d.netns != router) {
        let Some(a) = d.addrs.iter().map(|a| a.local).find(|a| near(*a)) else { continue };
        if listening(sc, d.netns, flow.proto()).contains(&port)
            && let Some(fix) = replaced(sc, router, r, &nobody.to_string(), &a.to_string())
        {
            f = f.fix(fix);
        }
    }
    f
}

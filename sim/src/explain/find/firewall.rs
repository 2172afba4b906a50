//! Drops of the firewall: the rule or the policy that decided, and what would let the packet through.

use super::{Found, at, line, with_drop, words};
use crate::command::iptables::rule_spec;
use crate::docker::types::Network;
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::conntrack::CtInfo;
use crate::kernel::netfilter::Hook;
use crate::kernel::types::NetnsId;
use crate::kernel::xtables::{Policy, TableKind, Variant};
use crate::trace::event::{BrVerdict, CtVerdict, EventKind, RuleAt, RuleVerdict};

/// What decided.
enum Decided<'a> {
    Rule(&'a RuleAt, RuleVerdict),
    Policy(Variant, Hook, TableKind),
    Ebtables(String, Option<String>),
    Full,
    Nat,
}

/// A packet was dropped by netfilter.
pub fn dropped(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let found = match decided(sc, i) {
        Some(Decided::Rule(rule, verdict)) => by_rule(sc, i, rule, verdict),
        Some(Decided::Policy(v, h, t)) => by_policy(sc, i, v, h, t),
        Some(Decided::Ebtables(chain, rule)) => ebtables(sc, i, &chain, rule.as_deref()),
        Some(Decided::Full) => full(sc, e.ns),
        Some(Decided::Nat) | None => unnamed(sc, i),
    };
    out.push(with_drop(sc, i, found));
}

/// A rule asked for something that the model does not have: what the packet met, and how to see it.
pub fn unmodelled(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>) {
    let e = &sc.events()[i];
    let rule = sc.back(i).take_while(|x| x.ns == e.ns).find_map(|x| match &x.kind {
        EventKind::XtMatched { at, verdict: RuleVerdict::Unmodelled } => Some(at),
        _ => None,
    });
    let Some(r) = rule else {
        let says = "the packet met something that the model does not have".to_owned();
        out.push(Found::new(Cause::Unmodelled, at(sc, i), says));
        return;
    };
    let (chain, table, spec) = (&r.chain, r.table.name(), rule_spec(&r.rule));
    let says = format!(
        "rule {} of chain {chain} in table {table} decides on {}, and the model does not have what it asks for",
        r.number,
        words(sc, i)
    );
    let show = line(sc, e.ns, format!("iptables -t {table} -nvL {chain} --line-numbers"));
    out.push(Found::new(Cause::Unmodelled, at(sc, i), says).shown(format!("-A {chain} {spec}"), Some(show)));
}

fn decided<'a>(sc: &'a Scene<'_>, i: usize) -> Option<Decided<'a>> {
    let ns = sc.events()[i].ns;
    for e in sc.back(i) {
        if e.ns != ns {
            return None;
        }
        return Some(match &e.kind {
            EventKind::XtMatched { at, verdict: v @ (RuleVerdict::Drop | RuleVerdict::Reject) } => {
                Decided::Rule(at, *v)
            }
            EventKind::XtPolicy { variant, hook, table, policy: Policy::Drop } => {
                Decided::Policy(*variant, *hook, *table)
            }
            EventKind::EbRule { chain, text, fits: true, .. } => {
                Decided::Ebtables(chain.to_string(), Some(text.to_string()))
            }
            EventKind::EbPolicy { chain, policy: Policy::Drop } => Decided::Ebtables(chain.to_string(), None),
            EventKind::Ct { verdict: CtVerdict::Full, .. } => Decided::Full,
            EventKind::Ct { verdict: CtVerdict::Clash, .. } => Decided::Nat,
            EventKind::Nat { .. } => Decided::Nat,
            _ => continue,
        });
    }
    None
}

fn tool(v: Variant) -> &'static str {
    match v {
        Variant::Nft => "iptables",
        Variant::Legacy => "iptables-legacy",
    }
}

/// Which set of tables, where it is not the usual one.
fn of_legacy(v: Variant) -> &'static str {
    match v {
        Variant::Nft => "",
        Variant::Legacy => " of iptables-legacy",
    }
}

/// `iptables -t TABLE`, where it is not the filter.
pub fn with_table(v: Variant, t: TableKind) -> String {
    match t {
        TableKind::Filter => tool(v).to_owned(),
        t => format!("{} -t {}", tool(v), t.name()),
    }
}

/// The last thing that connection tracking said of the packet: it belongs to a connection that is already there.
fn of_a_connection(sc: &Scene<'_>, i: usize) -> bool {
    let said = sc.back(i).find_map(|e| match &e.kind {
        EventKind::Ct { verdict: CtVerdict::Found(info), .. } => Some(*info),
        EventKind::Ct { .. } => Some(CtInfo::New),
        _ => None,
    });
    said.is_some_and(|info| info != CtInfo::New)
}

/// Changes that let the packet pass a hook of a table: an exception for its like, or for what belongs to connections.
fn exceptions(sc: &Scene<'_>, i: usize, v: Variant, t: TableKind, h: Hook) -> Vec<Vec<Line>> {
    let ns = sc.events()[i].ns;
    let iptables = with_table(v, t);
    let user = v == Variant::Nft && t == TableKind::Filter && h == Hook::Forward && has_chain(sc, ns, "DOCKER-USER");
    let chain = if user { "DOCKER-USER" } else { h.name() };
    let mut all = Vec::new();
    let mut add = |spec: &str| all.push(vec![line(sc, ns, format!("{iptables} -I {chain} {spec} -j ACCEPT"))]);
    if on_loopback(sc, i) {
        add(if h == Hook::Output { "-o lo" } else { "-i lo" });
    }
    let outer = sc.is_outer(sc.events()[i].packet);
    let flow = sc.packet_before(i).and_then(Flow::of);
    if outer && let Some(port) = flow.as_ref().and_then(Flow::dport) {
        add(&format!("-p udp --dport {port}"));
    }
    if t != TableKind::Raw && (of_a_connection(sc, i) || flow.as_ref().is_some_and(Flow::answers)) {
        add("-m conntrack --ctstate RELATED,ESTABLISHED");
    }
    if let Some(f) = flow {
        add(&f.spec());
        if !of_a_connection(sc, i) && t == TableKind::Filter {
            // The answers have to come back as well.
            let established = format!("{iptables} -I {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
            let own = line(sc, ns, format!("{iptables} -I {chain} {} -j ACCEPT", f.spec()));
            all.push(vec![own, line(sc, ns, established)]);
        }
    }
    all
}

/// The packet is between programs of one host.
fn on_loopback(sc: &Scene<'_>, i: usize) -> bool {
    sc.events()[i].dev.is_some_and(|d| sc.after.kernel.dev(d).is_loopback())
}

fn has_chain(sc: &Scene<'_>, ns: NetnsId, chain: &str) -> bool {
    let t = sc.after.kernel.ns(ns).nf.xt.of(Variant::Nft).get(TableKind::Filter);
    t.is_some_and(|t| t.find(chain).is_some())
}

fn by_rule(sc: &Scene<'_>, i: usize, rule: &RuleAt, verdict: RuleVerdict) -> Found {
    let ns = sc.events()[i].ns;
    let spec = rule_spec(&rule.rule);
    let iptables = with_table(rule.variant, rule.table);
    let (cause, why) = rule_cause(sc, i, rule, &spec);
    let does = if verdict == RuleVerdict::Reject { "rejects" } else { "drops" };
    let says = format!(
        "rule {} of chain {} in table {}{} {does} {}{why}: {spec}",
        rule.number,
        rule.chain,
        rule.table.name(),
        of_legacy(rule.variant),
        words(sc, i)
    );
    let chain = &rule.chain;
    let mut f = Found::new(cause, at(sc, i), says)
        .shown(format!("-A {chain} {spec}"), Some(line(sc, ns, format!("{iptables} -nvL {chain} --line-numbers"))));
    if cause == Cause::Isolation {
        for fix in join(sc, i) {
            f = f.fix(fix);
        }
    }
    for fix in exceptions(sc, i, rule.variant, rule.table, rule.hook) {
        f = f.fix(fix);
    }
    if !engines_own(sc, ns, rule, &spec) {
        f = f.fix(vec![line(sc, ns, format!("{iptables} -D {chain} {spec}"))]);
    }
    let f = super::hidden::untracked(sc, i, super::hidden::source(sc, i, f));
    past_the_bridge(sc, i, f)
}

/// The engine put the rule there, and puts it there again.
pub fn engines_own(sc: &Scene<'_>, ns: NetnsId, rule: &RuleAt, spec: &str) -> bool {
    let engine = sc.after.engines.get(&sc.after.kernel.ns(ns).host).is_some_and(|e| e.running);
    let chain = &*rule.chain;
    engine
        && (chain.starts_with("DOCKER") && chain != "DOCKER-USER"
            || named_network(sc, ns, spec, "-i").is_some()
            || named_network(sc, ns, spec, "-o").is_some())
}

/// The network whose bridge stands behind an option of a rule.
fn named_network<'a>(sc: &'a Scene<'_>, ns: NetnsId, spec: &str, option: &str) -> Option<&'a Network> {
    let mut w = spec.split_whitespace();
    w.find(|x| *x == option)?;
    world::bridge_network(sc.after, ns, w.next()?)
}

/// What a rule of an engine means.
fn rule_cause(sc: &Scene<'_>, i: usize, rule: &RuleAt, spec: &str) -> (Cause, String) {
    let ns = sc.events()[i].ns;
    if sc.is_outer(sc.events()[i].packet) {
        return (Cause::VxlanPortBlocked, ", a datagram of the tunnel".to_owned());
    }
    if !engines_own(sc, ns, rule, spec) {
        return (Cause::DroppedByRule, String::new());
    }
    let (inside, outside) = (named_network(sc, ns, spec, "-i"), named_network(sc, ns, spec, "-o"));
    let negated = |option: &str| spec.contains(&format!("! {option} "));
    match (inside, outside) {
        (Some(a), Some(b)) if a.id == b.id && !negated("-i") && !negated("-o") => {
            (Cause::IccDisabled, format!(" (containers of network {} may not talk to each other)", a.name))
        }
        (Some(a), Some(b)) if a.id == b.id && !rule.chain.contains("ISOLATION") => {
            (Cause::NotPublished, format!(" (network {} takes from outside only what is published)", a.name))
        }
        (Some(n), _) if rule.table == TableKind::Raw => {
            (Cause::Isolation, format!(" (nobody outside of network {} addresses its containers directly)", n.name))
        }
        _ => (Cause::Isolation, " (Docker keeps its networks apart)".to_owned()),
    }
}

/// The two containers on one network: the one that asks on a network of the other, or the other way round.
fn join(sc: &Scene<'_>, i: usize) -> Vec<Vec<Line>> {
    let Some(f) = sc.packet_before(i).and_then(Flow::of) else { return Vec::new() };
    let owner = |a| world::owners(sc.after, a).first().map(|d| d.netns);
    let (Some(from), Some(to)) = (owner(f.src), owner(f.dst)) else { return Vec::new() };
    let (Some((e, a)), Some((_, b))) = (world::container(sc.after, from), world::container(sc.after, to)) else {
        return Vec::new();
    };
    let host = sc.after.kernel.ns(from).host;
    if host != sc.after.kernel.ns(to).host {
        return Vec::new();
    }
    let connect = |n: &Network, c: &str| {
        vec![world::host_line(sc.after, host, &format!("docker network connect {} {c}", n.name))]
    };
    world::networks(e, b).filter(|n| !a.endpoints.contains_key(&n.name)).map(|n| connect(n, &a.name)).collect()
}

fn by_policy(sc: &Scene<'_>, i: usize, v: Variant, h: Hook, t: TableKind) -> Found {
    let ns = sc.events()[i].ns;
    let outer = sc.is_outer(sc.events()[i].packet);
    let cause = if outer { Cause::VxlanPortBlocked } else { Cause::DroppedByPolicy };
    let says = format!(
        "no rule of chain {} in table {}{} accepts {}, and its policy is DROP",
        h.name(),
        t.name(),
        of_legacy(v),
        words(sc, i)
    );
    let iptables = with_table(v, t);
    let show = line(sc, ns, format!("{iptables} -nvL {}", h.name()));
    let mut f = Found::new(cause, at(sc, i), says).shown(format!("-P {} DROP ({})", h.name(), tool(v)), Some(show));
    for fix in exceptions(sc, i, v, t, h) {
        f = f.fix(fix);
    }
    f = super::hidden::untracked(sc, i, super::hidden::source(sc, i, f));
    f = f.fix(vec![line(sc, ns, format!("{iptables} -P {} ACCEPT", h.name()))]);
    past_the_bridge(sc, i, f)
}

/// A bridged frame need not be shown to iptables at all.
fn past_the_bridge(sc: &Scene<'_>, i: usize, f: Found) -> Found {
    let e = &sc.events()[i];
    // What a bridge handed up, here or on the way, is routed since: it would come to iptables anyway.
    let crosses = sc.back(i).take_while(|x| x.ns == e.ns).find_map(|x| match x.kind {
        EventKind::BrUp { .. } | EventKind::Forward { .. } => Some(false),
        EventKind::BrLookup { verdict, .. } => Some(verdict != BrVerdict::Local),
        _ => None,
    });
    if crosses != Some(true) || !sc.packet_before(i).is_some_and(|p| p.nf.bridged) {
        return f;
    }
    let key = "net.bridge.bridge-nf-call-iptables";
    let root = world::root(sc.after, e.ns);
    f.shown(format!("{key} = 1: iptables sees what the bridge forwards"), Some(line(sc, root, format!("sysctl {key}"))))
        .fix(vec![line(sc, e.ns, format!("sysctl -w {key}=0"))])
}

fn ebtables(sc: &Scene<'_>, i: usize, chain: &str, rule: Option<&str>) -> Found {
    let ns = sc.events()[i].ns;
    let show = line(sc, ns, format!("ebtables -L {chain} --Lc"));
    match rule {
        Some(r) => {
            let says = format!("a rule of ebtables, chain {chain}, drops {}: {r}", words(sc, i));
            Found::new(Cause::DroppedByRule, at(sc, i), says)
                .shown(format!("ebtables -A {chain} {r}"), Some(show))
                .fix(vec![line(sc, ns, format!("ebtables -D {chain} {r}"))])
        }
        None => {
            let says = format!("no rule of ebtables, chain {chain}, accepts {}, and its policy is DROP", words(sc, i));
            Found::new(Cause::DroppedByPolicy, at(sc, i), says)
                .shown(format!("ebtables -P {chain} DROP"), Some(show))
                .fix(vec![line(sc, ns, format!("ebtables -P {chain} ACCEPT"))])
        }
    }
}

fn full(sc: &Scene<'_>, ns: NetnsId) -> Found {
    let root = world::root(sc.after, ns);
    let max = sc.after.kernel.ns(ns).nf.ct.live(sc.after.kernel.now()).max(8);
    let says = "the table of connections is full, and a packet that opens a new one is dropped".to_owned();
    Found::new(Cause::ConntrackFull, world::place(sc.after, ns), says)
        .shown("nf_conntrack: table full, dropping packet", Some(line(sc, root, "conntrack -C")))
        .shown("the bound", Some(line(sc, root, "sysctl net.netfilter.nf_conntrack_max")))
        .fix(vec![line(sc, root, format!("sysctl -w net.netfilter.nf_conntrack_max={}", 2 * max))])
        .fix(vec![line(sc, ns, "conntrack -F")])
}

/// Dropped by netfilter without a rule: address translation, or the model does not say.
fn unnamed(sc: &Scene<'_>, i: usize) -> Found {
    let ns = sc.events()[i].ns;
    if let Some(f) = sc.packet_before(i).and_then(Flow::of).filter(|f| f.src.is_loopback() && !f.dst.is_loopback()) {
        return super::source::loopback_out(sc, ns, f.dst, words(sc, i));
    }
    let says = format!("address translation could not be done for {}", words(sc, i));
    let f = Found::new(Cause::DroppedByRule, at(sc, i), says);
    f.shown("no translation fits", Some(line(sc, ns, "conntrack -L")))
}

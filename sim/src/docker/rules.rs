//! Rules of the engine: the primitives (libnetwork iptables/iptables.go) and, by version, what is programmed when
//! ([`v20`], [`v28`], [`v29`]).
//!
//! The order of calls makes the order of rules, so every list here is a list of calls.

pub mod v20;
pub mod v28;
pub mod v29;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Docker, Profile};
use crate::command::iptables::parse_rule;
use crate::kernel::xtables::{Counters, Policy, Rule, TableKind, Variant, XtChange};

/// A call to `iptables`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `-N`, where there is no such chain.
    Chain(TableKind, &'static str),
    /// `-F` and `-X`, where there is such a chain.
    Drop(TableKind, &'static str),
    /// `-I` where the chain has no such rule.
    Insert(TableKind, &'static str, String),
    /// `-A` where the chain has no such rule.
    Append(TableKind, &'static str, String),
    /// `-D` of one such rule, if there is one.
    Delete(TableKind, &'static str, String),
    /// The jump is taken away and comes back on top.
    Jump(&'static str, &'static str),
}

impl Call {
    /// What takes it back.
    pub fn undo(&self) -> Option<Call> {
        match self {
            Call::Insert(t, c, r) | Call::Append(t, c, r) => Some(Call::Delete(*t, c, r.clone())),
            _ => None,
        }
    }
}

/// What the rules of a bridge network depend on (`bridge.networkConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NetRules {
    pub bridge: String,
    pub net: Ipv4Net,
    pub icc: bool,
    pub masquerade: bool,
    pub internal: bool,
    pub proxy: bool,
    /// `com.docker.network.host_ipv4`.
    pub host_ip: Option<Ipv4Addr>,
    /// Gateway mode `routed`.
    pub routed: bool,
    /// Gateway mode `nat-unprotected`.
    pub unprotected: bool,
    /// `--allow-direct-routing`.
    pub direct: bool,
}

/// A port that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PortRules {
    pub proto: String,
    pub host_ip: Ipv4Addr,
    pub host_port: u16,
    pub ip: Ipv4Addr,
    pub port: u16,
}

/// Calls when the daemon starts, before any network.
pub fn start(p: Profile, proxy: bool) -> Vec<Call> {
    match p {
        Profile::V20 => v20::start(),
        Profile::V28 => v28::start(proxy),
        Profile::V29 => v29::start(proxy),
    }
}

/// Calls when a network is made.
pub fn network(p: Profile, n: &NetRules) -> Vec<Call> {
    match p {
        Profile::V20 => v20::network(n),
        Profile::V28 => v28::network(n),
        Profile::V29 => v29::network(n),
    }
}

/// Calls when a container joins a network with an address.
pub fn endpoint(p: Profile, n: &NetRules, ip: Ipv4Addr) -> Vec<Call> {
    let none = p == Profile::V20 || n.internal || n.routed || n.unprotected || n.direct;
    let rule = format!("-d {ip} ! -i {} -j DROP", n.bridge);
    if none { Vec::new() } else { vec![Call::Append(TableKind::Raw, "PREROUTING", rule)] }
}

/// Calls when a port is published.
pub fn publish(p: Profile, n: &NetRules, b: &PortRules) -> Vec<Call> {
    let (br, ip, port, proto) = (&n.bridge, b.ip, b.port, &b.proto);
    let mut out = Vec::new();
    let dst = if b.host_ip.is_unspecified() { String::new() } else { format!("-d {} ", b.host_ip) };
    if p != Profile::V20 && b.host_ip.is_loopback() {
        let rule = format!("-d {} ! -i lo -p {proto} --dport {} -j DROP", b.host_ip, b.host_port);
        out.push(Call::Append(TableKind::Raw, "PREROUTING", rule));
    }
    let not_in = if n.proxy { format!("! -i {br} ") } else { String::new() };
    if b.host_port != 0 && !n.routed {
        let to = format!("-p {proto} --dport {} -j DNAT --to-destination {ip}:{port}", b.host_port);
        out.push(Call::Append(TableKind::Nat, "DOCKER", format!("{dst}{not_in}{to}")));
    }
    let accept = format!("-d {ip} ! -i {br} -o {br} -p {proto} --dport {port} -j ACCEPT");
    let hairpin =
        Call::Append(TableKind::Nat, "POSTROUTING", format!("-s {ip} -d {ip} -p {proto} --dport {port} -j MASQUERADE"));
    if p == Profile::V20 {
        out.push(Call::Append(TableKind::Filter, "DOCKER", accept));
        out.push(hairpin);
        return out;
    }
    if !n.proxy && !n.routed {
        out.push(hairpin);
    }
    if !n.unprotected {
        out.push(Call::Insert(TableKind::Filter, "DOCKER", accept));
    }
    out
}

/// `iptables -A` with the words of a rule.
pub(super) fn rule(text: &str) -> Option<Rule> {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    parse_rule(Variant::Nft, &words).ok().and_then(|r| r.into_iter().next())
}

impl Docker<'_> {
    /// Carries out calls, one after the other. With `--iptables=false` none.
    pub fn calls(&mut self, calls: &[Call]) {
        if !self.e().config.iptables {
            return;
        }
        for c in calls {
            self.call(c);
        }
    }

    /// Takes calls back.
    pub fn undo(&mut self, calls: &[Call]) {
        let undo: Vec<Call> = calls.iter().filter_map(Call::undo).collect();
        self.calls(&undo);
    }

    fn at(&self, table: TableKind, chain: &str, rule: &Rule) -> Option<usize> {
        let t = self.s.kernel.ns(self.ns()).nf.xt.of(Variant::Nft).get(table)?;
        let c = t.chains().find(|c| *c.name == *chain)?;
        c.rules.iter().position(|r| *r.rule == *rule)
    }

    fn has_chain(&self, table: TableKind, chain: &str) -> bool {
        let t = self.s.kernel.ns(self.ns()).nf.xt.of(Variant::Nft).get(table);
        t.is_some_and(|t| t.find(chain).is_some())
    }

    fn commit(&mut self, change: XtChange) {
        let ns = self.ns();
        if let Err(e) = self.s.kernel.xt_commit(ns, Variant::Nft, &[change]) {
            self.em().log.push(format!("iptables failed: {}", e.errno.strerror()));
        }
    }

    fn call(&mut self, c: &Call) {
        match c {
            Call::Chain(table, chain) => {
                if !self.has_chain(*table, chain) {
                    self.commit(XtChange::NewChain { table: *table, chain: (*chain).into() });
                }
            }
            Call::Drop(table, chain) => {
                if self.has_chain(*table, chain) {
                    self.commit(XtChange::FlushChain { table: *table, chain: (*chain).into() });
                    self.commit(XtChange::DelChain { table: *table, chain: (*chain).into() });
                }
            }
            Call::Insert(table, chain, text) => self.add(*table, chain, text, true),
            Call::Append(table, chain, text) => self.add(*table, chain, text, false),
            Call::Delete(table, chain, text) => {
                let at = rule(text).and_then(|r| self.at(*table, chain, &r));
                if let Some(at) = at {
                    self.commit(XtChange::Delete { table: *table, chain: (*chain).into(), at });
                }
            }
            Call::Jump(from, to) => {
                let text = format!("-j {to}");
                self.call(&Call::Delete(TableKind::Filter, from, text.clone()));
                self.call(&Call::Insert(TableKind::Filter, from, text));
            }
        }
    }

    fn add(&mut self, table: TableKind, chain: &str, text: &str, top: bool) {
        let Some(rule) = rule(text) else {
            self.em().log.push(format!("iptables cannot read: {text}"));
            return;
        };
        if self.at(table, chain, &rule).is_some() {
            return;
        }
        let (chain, counters) = (chain.into(), Counters::default());
        self.commit(if top {
            XtChange::Insert { table, chain, at: 0, rule, counters }
        } else {
            XtChange::Append { table, chain, rule, counters }
        });
    }

    /// `-P FORWARD DROP`.
    pub fn forward_drop(&mut self) {
        self.commit(XtChange::Policy {
            table: TableKind::Filter,
            chain: "FORWARD".into(),
            policy: Policy::Drop,
            counters: None,
        });
    }
}

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
use crate::command::iptables::{parse_rule, refused};
use crate::kernel::types::Errno;
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
    /// A call whose failure the engine tells of, after these words.
    Says(String, Box<Call>),
}

impl Call {
    /// What the engine says before `iptables`' own words where the call fails.
    pub fn says(self, words: String) -> Call {
        Call::Says(words, Box::new(self))
    }

    /// The call itself.
    pub fn bare(&self) -> &Call {
        match self {
            Call::Says(_, c) => c,
            c => c,
        }
    }

    /// What takes it back.
    pub fn undo(&self) -> Option<Call> {
        match self {
            Call::Says(_, c) => c.undo(),
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
    /// `com.docker.network.bridge.trusted_host_interfaces` (28 and later).
    pub trusted: Vec<String>,
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

/// Calls when a container joins a network with an address (`filterDirectAccess`).
pub fn endpoint(p: Profile, n: &NetRules, ip: Ipv4Addr) -> Vec<Call> {
    if p == Profile::V20 || n.internal || n.routed || n.unprotected || n.direct {
        return Vec::new();
    }
    let mut out = Vec::new();
    for dev in &n.trusted {
        let rule = format!("-d {ip} -i {dev} -j ACCEPT");
        out.push(enable(p, "DIRECT ACCESS FILTERING - ACCEPT", Call::Append(TableKind::Raw, "PREROUTING", rule)));
    }
    let rule = format!("-d {ip} ! -i {} -j DROP", n.bridge);
    out.push(enable(p, "DIRECT ACCESS FILTERING - DROP", Call::Append(TableKind::Raw, "PREROUTING", rule)));
    out
}

/// A rule by its name in errors; 20.10 has none for the rules of a port.
fn enable(p: Profile, what: &str, call: Call) -> Call {
    let words = if p == Profile::V20 { String::new() } else { format!("Unable to enable {what} rule: ") };
    call.says(words)
}

/// Calls when a port is published, with the words in the engine's order (`setPerPortIptables`).
pub fn publish(p: Profile, n: &NetRules, b: &PortRules) -> Vec<Call> {
    let (br, ip, port, proto) = (&n.bridge, b.ip, b.port, &b.proto);
    let mut out = Vec::new();
    let dst = if b.host_ip.is_unspecified() { "0/0".to_owned() } else { b.host_ip.to_string() };
    if p != Profile::V20 && b.host_ip.is_loopback() {
        let rule = format!("-p {proto} -d {dst} --dport {} ! -i lo -j DROP", b.host_port);
        out.push(enable(p, "LOOPBACK FILTERING - DROP", Call::Append(TableKind::Raw, "PREROUTING", rule)));
    }
    let not_in = if n.proxy { format!(" ! -i {br}") } else { String::new() };
    if b.host_port != 0 && !n.routed {
        let to = format!("-j DNAT --to-destination {ip}:{port}{not_in}");
        let rule = format!("-p {proto} -d {dst} --dport {} {to}", b.host_port);
        out.push(enable(p, "DNAT", Call::Append(TableKind::Nat, "DOCKER", rule)));
    }
    let accept = format!("! -i {br} -o {br} -p {proto} -d {ip} --dport {port} -j ACCEPT");
    let hairpin = format!("-p {proto} -s {ip} -d {ip} --dport {port} -j MASQUERADE");
    let hairpin = enable(p, "MASQUERADE", Call::Append(TableKind::Nat, "POSTROUTING", hairpin));
    if p == Profile::V20 {
        out.push(enable(p, "", Call::Append(TableKind::Filter, "DOCKER", accept)));
        out.push(hairpin);
        return out;
    }
    if !n.proxy && !n.routed {
        out.push(hairpin);
    }
    if !n.unprotected {
        out.push(enable(p, "OPEN PORT", Call::Insert(TableKind::Filter, "DOCKER", accept)));
    }
    out
}

/// `iptables -A` with the words of a rule.
pub(super) fn rule(text: &str) -> Option<Rule> {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    parse_rule(Variant::Nft, &words).ok().and_then(|r| r.into_iter().next())
}

fn read(text: &str) -> Result<Rule, String> {
    rule(text).ok_or_else(|| format!("iptables cannot read: {text}"))
}

impl Docker<'_> {
    /// Carries out calls, one after the other, up to the first that fails. With `--iptables=false` none.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn calls(&mut self, calls: &[Call]) -> Result<(), String> {
        if !self.e().config.iptables {
            return Ok(());
        }
        calls.iter().try_for_each(|c| self.call(c))
    }

    /// Carries out calls whose failure the engine only writes down.
    pub fn calls_logged(&mut self, calls: &[Call]) {
        for c in calls {
            if let Err(e) = self.calls(std::slice::from_ref(c)) {
                self.em().log.push(e);
            }
        }
    }

    /// Takes calls back.
    pub fn undo(&mut self, calls: &[Call]) {
        let undo: Vec<Call> = calls.iter().filter_map(Call::undo).collect();
        self.calls_logged(&undo);
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

    fn call(&mut self, c: &Call) -> Result<(), String> {
        match c {
            Call::Says(words, c) => return self.call(c).map_err(|e| self.sentence(words, &e)),
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
            Call::Insert(table, chain, text) => return self.add(*table, chain, text, true),
            Call::Append(table, chain, text) => return self.add(*table, chain, text, false),
            Call::Delete(table, chain, text) => {
                let at = rule(text).and_then(|r| self.at(*table, chain, &r));
                if let Some(at) = at {
                    self.commit(XtChange::Delete { table: *table, chain: (*chain).into(), at });
                }
            }
            Call::Jump(from, to) => {
                let text = format!("-j {to}");
                self.call(&Call::Delete(TableKind::Filter, from, text.clone()))?;
                // One more of them further down does not keep it from the top (`EnsureJumpRule`).
                return self.put(TableKind::Filter, from, &text, read(&text)?, true);
            }
        }
        Ok(())
    }

    /// `RawCombinedOutput` puts what failed in brackets; 20.10 links a chain without it (`ProgramChain`).
    fn sentence(&self, words: &str, failed: &str) -> String {
        let raw = self.profile() == Profile::V20 && words.starts_with("Failed to program");
        if raw { format!("{words}{failed}") } else { format!("{words} ({failed})") }
    }

    /// A rule, unless the chain has it.
    fn add(&mut self, table: TableKind, name: &str, text: &str, top: bool) -> Result<(), String> {
        let rule = read(text)?;
        if self.at(table, name, &rule).is_some() {
            return Ok(());
        }
        self.put(table, name, text, rule, top)
    }

    /// A rule, whether the chain has it or not.
    fn put(&mut self, table: TableKind, name: &str, text: &str, rule: Rule, top: bool) -> Result<(), String> {
        let (chain, counters) = (name.into(), Counters::default());
        let change = if top {
            XtChange::Insert { table, chain, at: 0, rule, counters }
        } else {
            XtChange::Append { table, chain, rule, counters }
        };
        let ns = self.ns();
        let done = self.s.kernel.xt_commit(ns, Variant::Nft, &[change]);
        done.map_err(|e| self.failed(table, if top { "-I" } else { "-A" }, name, text, e.errno))
    }

    /// A call that failed, as the engine's log has it (iptables.go `raw`). Up to 20.10 the filter table is named in the
    /// rules of ports alone.
    fn failed(&self, table: TableKind, verb: &str, chain: &str, text: &str, e: Errno) -> String {
        let named = table != TableKind::Filter || self.profile() != Profile::V20 || verb == "-A";
        let table = if named { format!("-t {} ", table.name()) } else { String::new() };
        let line = format!("iptables --wait {table}{verb} {chain} {text}");
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let tables = self.s.kernel.ns(self.ns()).nf.xt.of(Variant::Nft);
        let (said, status) = refused(tables, &words).unwrap_or_else(|| (e.strerror().to_owned(), 4));
        format!("iptables failed: {line}: {said} (exit status {status})")
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

//! Tables as `-L`, `-S` and `iptables-save` print them.

use super::print::{Format, count, header, row, spec};
use crate::kernel::netfilter::Hook;
use crate::kernel::xtables::{Chain, Counters, Policy, Table, TableKind, Tables, Variant};

/// Tables in the order in which `iptables-nft-save` prints them.
const NFT_ORDER: [TableKind; 5] =
    [TableKind::Mangle, TableKind::Security, TableKind::Raw, TableKind::Filter, TableKind::Nat];

/// A chain, or a base chain that does not exist yet: it is shown as if it did.
pub enum Shown<'t> {
    /// There it is.
    Chain(&'t Chain),
    /// Nothing was ever changed in it.
    Missing(Hook),
}

impl Shown<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Shown::Chain(c) => &c.name,
            Shown::Missing(h) => h.name(),
        }
    }

    fn chain(&self) -> Option<&Chain> {
        match self {
            Shown::Chain(c) => Some(c),
            Shown::Missing(_) => None,
        }
    }

    fn policy(&self) -> Option<&'static str> {
        match self {
            Shown::Chain(c) if c.hook.is_none() => None,
            Shown::Chain(Chain { policy: Policy::Drop, .. }) => Some("DROP"),
            _ => Some("ACCEPT"),
        }
    }

    fn counters(&self) -> Counters {
        self.chain().map_or_else(Counters::default, |c| c.counters)
    }
}

/// All chains of a table: base chains by hook, then the others by name.
pub fn chains(table: Option<&Table>, kind: TableKind) -> Vec<Shown<'_>> {
    let base = |h: &Hook| {
        let there = table.and_then(|t| t.chains[t.base[*h as usize]? as usize].as_deref());
        there.map_or(Shown::Missing(*h), Shown::Chain)
    };
    let mut out: Vec<Shown<'_>> = kind.hooks().iter().map(base).collect();
    let mut user: Vec<&Chain> = table.iter().flat_map(|t| t.chains()).filter(|c| c.hook.is_none()).collect();
    user.sort_by(|a, b| a.name.cmp(&b.name));
    out.extend(user.into_iter().map(Shown::Chain));
    out
}

/// `-L`, of all chains or of one, or of one rule.
pub fn list(table: Option<&Table>, kind: TableKind, only: Option<&str>, rule: usize, f: Format) -> String {
    let mut out = String::new();
    for (i, c) in chains(table, kind).iter().filter(|c| only.is_none_or(|o| o == c.name())).enumerate() {
        if rule == 0 {
            out += if i > 0 { "\n" } else { "" };
            out += &head(table, c, f);
            out += &header(f);
        }
        let rules = c.chain().map_or(&[][..], |c| &c.rules);
        for (n, r) in rules.iter().enumerate().filter(|(n, _)| rule == 0 || n + 1 == rule) {
            out += &row(&r.rule, n + 1, r.counters, f);
        }
    }
    out
}

fn head(table: Option<&Table>, c: &Shown<'_>, f: Format) -> String {
    let name = c.name();
    let plain = Format { single: true, ..f };
    match c.policy() {
        Some(p) if f.counts => {
            let n = c.counters();
            let (packets, bytes) = (count(n.packets, plain), count(n.bytes, plain));
            format!("Chain {name} (policy {p} {packets}packets, {bytes}bytes)\n")
        }
        Some(p) => format!("Chain {name} (policy {p})\n"),
        None => format!("Chain {name} ({} references)\n", table.map_or(0, |t| t.references(name))),
    }
}

/// `-S`, of all chains or of one, or of one rule.
pub fn rules(table: Option<&Table>, kind: TableKind, only: Option<&str>, rule: usize, counters: bool) -> String {
    let all = chains(table, kind);
    let shown = || all.iter().filter(|c| only.is_none_or(|o| o == c.name()));
    let mut out = String::new();
    for c in shown().filter(|_| rule == 0) {
        let n = c.counters();
        let tail = if counters { format!(" -c {} {}", n.packets, n.bytes) } else { String::new() };
        out += &match c.policy() {
            Some(p) => format!("-P {} {p}{tail}\n", c.name()),
            None => format!("-N {}\n", c.name()),
        };
    }
    for c in shown() {
        let rules = c.chain().map_or(&[][..], |c| &c.rules);
        for (_, r) in rules.iter().enumerate().filter(|(n, _)| rule == 0 || n + 1 == rule) {
            out += &format!("-A {}{}\n", c.name(), spec(&r.rule, counters.then_some(r.counters)));
        }
    }
    out
}

/// One table of a dump, without the comments around it.
pub fn save_table(table: Option<&Table>, kind: TableKind, counters: bool) -> String {
    let all = chains(table, kind);
    let mut out = format!("*{}\n", kind.name());
    for c in &all {
        let n = c.counters();
        out += &format!(":{} {} [{}:{}]\n", c.name(), c.policy().unwrap_or("-"), n.packets, n.bytes);
    }
    for c in &all {
        for r in c.chain().map_or(&[][..], |c| &c.rules) {
            let n = r.counters;
            if counters {
                out += &format!("[{}:{}] ", n.packets, n.bytes);
            }
            out += &format!("-A {}{}\n", c.name(), spec(&r.rule, None));
        }
    }
    out + "COMMIT\n"
}

/// Tables that a dump of everything has, in its order.
pub fn order(tables: &Tables, variant: Variant) -> Vec<TableKind> {
    match variant {
        Variant::Nft => NFT_ORDER.into_iter().filter(|k| tables.get(*k).is_some()).collect(),
        // The kernel puts a new table before the others.
        Variant::Legacy => tables.order.iter().rev().copied().collect(),
    }
}

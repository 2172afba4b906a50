//! What hooks, tables, connection tracking and address translation decided, in words.

use super::Weight::{self, Detail, Story};
use crate::command::iptables::rule_spec;
use crate::kernel::conntrack::{CtInfo, L4Id, Tuple};
use crate::kernel::xtables::matches::{Match, StatisticMode};
use crate::kernel::xtables::{Policy, TableKind, Variant};
use crate::session::Session;
use crate::trace::event::{CtVerdict, CtView, EventKind, Miss, RuleAt, RuleVerdict, Saw};
use crate::trace::words;

/// Name, clause and weight of an event of the firewall; none for the others.
pub(super) fn clause(s: &Session, kind: &EventKind) -> Option<(&'static str, String, Weight)> {
    Some(match kind {
        EventKind::XtChain { variant, hook, table } => {
            ("xt_chain", format!("enters {}", chain(*variant, *table, hook.name())), Detail)
        }
        EventKind::XtMissed { at, miss } => {
            ("xt_missed", format!("{} missed at {}: {}", place(at), miss_text(s, miss), rule_spec(&at.rule)), Detail)
        }
        EventKind::XtMatched { at, verdict } => {
            let what = match verdict {
                RuleVerdict::Accept => "accepts",
                RuleVerdict::Drop => "drops",
                RuleVerdict::Return => "returns",
                RuleVerdict::Jump => "jumps",
                RuleVerdict::Goto => "goes",
                RuleVerdict::Continue => "fits",
                RuleVerdict::Reject => "rejects",
                RuleVerdict::Nat => "translates",
                RuleVerdict::Unmodelled => "is not modelled",
            };
            let weight = if *verdict == RuleVerdict::Return { Detail } else { Story };
            ("xt_matched", format!("{} {what}{}: {}", place(at), branch(at), rule_spec(&at.rule)), weight)
        }
        EventKind::XtPolicy { variant, hook, table, policy } => {
            let (word, weight) = match policy {
                Policy::Accept => ("ACCEPT", Detail),
                Policy::Drop => ("DROP", Story),
            };
            ("xt_policy", format!("{} policy {word}", chain(*variant, *table, hook.name())), weight)
        }
        EventKind::EbRule { chain, number, text, fits } => {
            let (what, weight) = if *fits { ("fits", Story) } else { ("missed", Detail) };
            ("eb_rule", format!("ebtables {chain} {number} {what}: {text}"), weight)
        }
        EventKind::EbPolicy { chain, .. } => ("eb_policy", format!("ebtables {chain} policy DROP"), Story),
        EventKind::Ct { verdict, before, after, .. } => conntrack(*verdict, before.as_deref(), after.as_deref()),
        EventKind::Nat { before, after, .. } => ("nat", format!("nat: {}", change(before, after)), Story),
        EventKind::Log { line } => ("log", format!("kernel log: {}", line.trim_end()), Story),
        _ => return None,
    })
}

fn chain(variant: Variant, table: TableKind, chain: &str) -> String {
    let set = if variant == Variant::Legacy { "legacy " } else { "" };
    format!("{set}{} {chain}", table.name())
}

/// `filter FORWARD 3`.
fn place(at: &RuleAt) -> String {
    format!("{} {}", chain(at.variant, at.table, &at.chain), at.number)
}

/// What is said of a rule that asks the scenario's seed: another seed may go the other way.
fn branch(at: &RuleAt) -> &'static str {
    let asks = |m: &Match| matches!(m, Match::Statistic(s) if matches!(s.mode, StatisticMode::Random(_)));
    if at.rule.matches.iter().any(asks) { " by the dice (a branch: the seed decides)" } else { "" }
}

/// What a rule asked for, and what the packet had instead: `--dport (it has 80)`.
pub fn miss_text(s: &Session, m: &Miss) -> String {
    let saw = match m.saw {
        Saw::Nothing => return m.option.to_owned(),
        Saw::Num(n) => n.to_string(),
        Saw::Hex(n) => format!("{n:#x}"),
        Saw::Addr(a) => a.to_string(),
        Saw::Mac(a) => a.to_string(),
        Saw::Dev(Some(d)) => s.kernel.dev(d).name.to_string(),
        Saw::Dev(None) => "no device".to_owned(),
        Saw::Dice => return format!("{} (a branch: the seed's dice said no)", m.option),
        Saw::Word(w) => w.to_owned(),
        Saw::Found(w) => return format!("{} ({w})", m.option),
        Saw::Listed(a, n) => return format!("{} ({a} is in the list {})", m.option, words::times(n)),
        Saw::Icmp(ty, code) => words::icmp(ty, code),
        Saw::Flags(f) => words::flags(f),
    };
    format!("{} (it has {saw})", m.option)
}

fn end(addr: std::net::Ipv4Addr, port: Option<u16>) -> String {
    port.map_or_else(|| addr.to_string(), |p| format!("{addr}:{p}"))
}

fn ports(t: &Tuple) -> (Option<u16>, Option<u16>) {
    match t.l4 {
        L4Id::Ports { src, dst } => (Some(src), Some(dst)),
        _ => (None, None),
    }
}

/// The ends that changed: `src 10.1.0.2:40020 becomes 10.2.0.1:40020`.
fn change(before: &Tuple, after: &Tuple) -> String {
    let mut out = Vec::new();
    let ((bs, bd), (a_s, ad)) = (ports(before), ports(after));
    if (before.src, bs) != (after.src, a_s) {
        out.push(format!("src {} becomes {}", end(before.src, bs), end(after.src, a_s)));
    }
    if (before.dst, bd) != (after.dst, ad) {
        out.push(format!("dst {} becomes {}", end(before.dst, bd), end(after.dst, ad)));
    }
    if let (L4Id::Icmp { id: b, .. }, L4Id::Icmp { id: a, .. }) = (before.l4, after.l4)
        && a != b
    {
        out.push(format!("id {b} becomes {a}"));
    }
    if out.is_empty() { "the packet it quotes is translated".into() } else { out.join(", ") }
}

/// `tcp 10.1.0.2:40020 > 10.2.0.2:80`.
pub(super) fn tuple(t: &Tuple) -> String {
    let (src, dst) = ports(t);
    let proto = match t.proto {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        n => format!("protocol {n}"),
    };
    let id = match t.l4 {
        L4Id::Icmp { id, .. } => format!(" id {id}"),
        _ => String::new(),
    };
    format!("{proto} {} > {}{id}", end(t.src, src), end(t.dst, dst))
}

fn conntrack(v: CtVerdict, before: Option<&CtView>, after: Option<&CtView>) -> (&'static str, String, Weight) {
    let of = after.or(before).map(|c| tuple(&c.tuples[0])).unwrap_or_default();
    let mut weight = Story;
    let text = match v {
        CtVerdict::Made => format!("conntrack: NEW, {of}"),
        CtVerdict::Found(info) => {
            let state = match info {
                CtInfo::Established | CtInfo::EstablishedReply => "ESTABLISHED",
                CtInfo::Related | CtInfo::RelatedReply => "RELATED",
                CtInfo::New => "NEW",
                CtInfo::Untracked => "UNTRACKED",
                CtInfo::None => "INVALID",
            };
            let dir = match info {
                CtInfo::EstablishedReply | CtInfo::RelatedReply => ", reply direction",
                _ => "",
            };
            let tcp = match (before.and_then(|b| b.tcp), after.and_then(|a| a.tcp)) {
                (Some(b), Some(a)) if a != b => format!(", {b} becomes {a}"),
                _ => String::new(),
            };
            format!("conntrack: {state}{dir}, {of}{tcp}")
        }
        CtVerdict::Confirmed => {
            weight = Detail;
            let reply = after.map(|c| tuple(&c.tuples[1])).unwrap_or_default();
            format!("conntrack: entry confirmed, {of}, replies as {reply}")
        }
        CtVerdict::Invalid(why) => format!("conntrack: INVALID: {why}"),
        CtVerdict::Untracked => "conntrack: not tracked (NOTRACK)".into(),
        CtVerdict::Clash => format!("conntrack: another connection already has this tuple, {of}"),
        CtVerdict::Full => "conntrack: the table is full (nf_conntrack_max)".into(),
    };
    ("conntrack", text, weight)
}

//! The ways of packets through the rules: which rule took a packet, chain by chain, on both sides.
//!
//! A way is told as one line: table and hook, the packet as it was there, then each rule that fitted with what it said,
//! and the policy where the end was reached. How often a way was gone is the counters' matter: TCP repeats and
//! acknowledges as the moment wants.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::kernel::xtables::{Policy, Variant};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::EventKind;
use packetwalk_sim::trace::event::RuleVerdict;
use packetwalk_sim::wire::{Body, Ipv4, L4, PacketId};
use serde_json::{Map, Value};

use crate::recording::{Recording, list, text};
use crate::replay::Played;
use crate::watch::nftrace::{By, Family, L4 as KeyL4, Passage, Verdict};

/// The ways that were seen on the live kernel, one line each; and whether some of them cannot be told.
pub fn live(passages: &[Passage], own: u16) -> (BTreeSet<String>, bool) {
    let mut out = BTreeSet::new();
    let mut untold = false;
    for p in passages.iter().filter(|p| p.family == Family::Ip) {
        let Some(key) = p.key.as_ref().filter(|k| heard(k.proto, ports(&k.l4))) else { continue };
        let numbered = p.steps.iter().all(|s| !matches!(s.by, By::Rule { number: None, .. }));
        if !p.whole || !numbered {
            untold = true;
            continue;
        }
        let mut line = format!(
            "{} {} {}:",
            p.table,
            p.hook.as_str().to_uppercase(),
            said_of(key.proto, &key.l4, key.src, key.dst, own)
        );
        for s in &p.steps {
            // Writing to a string cannot fail.
            let _ = match s.by {
                By::Rule { number: Some(n), .. } => write!(line, " {}#{n} {}", s.chain, verdict(&s.verdict)),
                By::Policy => write!(line, " policy {}", verdict(&s.verdict)),
                By::End | By::Rule { .. } => Ok(()),
            };
        }
        out.insert(line);
    }
    (out, untold)
}

/// IGMP is not recorded, nor what only the model's engines say to each other.
fn heard(proto: u8, ports: Option<(u16, u16)>) -> bool {
    let engines = |p: u16| matches!(p, 2375 | 2377 | 7946 | 2379 | 2380);
    proto != 2 && !ports.is_some_and(|(a, b)| engines(a) || engines(b))
}

fn ports(l4: &KeyL4) -> Option<(u16, u16)> {
    match l4 {
        KeyL4::Ports { src, dst } => Some((*src, *dst)),
        _ => None,
    }
}

/// A packet as a way names it; ports that the kernel picked have no number.
fn said_of(proto: u8, l4: &KeyL4, src: Ipv4Addr, dst: Ipv4Addr, own: u16) -> String {
    match l4 {
        KeyL4::Ports { src: from, dst: to } => {
            let name = if proto == 6 { "tcp" } else { "udp" };
            format!("{name} {src}:{} > {dst}:{}", port(*from, own), port(*to, own))
        }
        KeyL4::Icmp { kind, code, .. } => format!("icmp {kind}/{code} {src} > {dst}"),
        KeyL4::Other => format!("proto {proto} {src} > {dst}"),
    }
}

fn port(p: u16, own: u16) -> String {
    if p >= 32_768 && !(own..own.saturating_add(20)).contains(&p) { "P".to_owned() } else { p.to_string() }
}

fn verdict(v: &Verdict) -> String {
    match v {
        Verdict::Accept => "accept".into(),
        Verdict::Drop => "drop".into(),
        Verdict::Continue => "continue".into(),
        Verdict::Return => "return".into(),
        Verdict::Jump(_) => "jump".into(),
        Verdict::Goto(_) => "goto".into(),
        Verdict::Stolen => "stolen".into(),
        Verdict::Queue => "queue".into(),
        Verdict::Repeat => "repeat".into(),
        Verdict::Unknown(n) => format!("{n:#x}"),
    }
}

/// A way being gone in the model.
struct Way {
    ns: NetnsId,
    packet: PacketId,
    of: (packetwalk_sim::kernel::netfilter::Hook, packetwalk_sim::kernel::xtables::TableKind),
    line: String,
}

/// The ways that packets went in the model from an event on, by place.
pub fn modelled(s: &Session, first: usize, own: u16) -> Map<String, Value> {
    let trace = &s.kernel.rec;
    let mut ways: Vec<Way> = Vec::new();
    for e in &trace.events[first..] {
        match &e.kind {
            EventKind::XtChain { variant: Variant::Nft, hook, table } => {
                let Some(Body::Ipv4(ip)) = trace.packet_at(e).map(|p| &p.body) else { continue };
                let Some(p) = shown(ip, own) else { continue };
                let line = format!("{} {} {p}:", table.name(), hook.name());
                ways.push(Way { ns: e.ns, packet: e.packet, of: (*hook, *table), line });
            }
            EventKind::XtMatched { at, verdict } if at.variant == Variant::Nft => {
                let way = ways.iter_mut().rev().find(|w| w.ns == e.ns && w.of == (at.hook, at.table));
                if let Some(w) = way {
                    let _ = write!(w.line, " {}#{} {}", at.chain, at.number, said(*verdict));
                }
            }
            // A target that cannot do its work says no (`nf_nat_redirect_ipv4` without an address).
            EventKind::Drop { func: "nft_do_chain", .. } => {
                let way = ways.iter_mut().rev().find(|w| w.packet == e.packet);
                if let Some(w) = way.filter(|w| w.line.ends_with(" accept")) {
                    w.line.truncate(w.line.len() - "accept".len());
                    w.line.push_str("drop");
                }
            }
            EventKind::XtPolicy { variant: Variant::Nft, hook, table, policy } => {
                let way = ways.iter_mut().rev().find(|w| w.ns == e.ns && w.of == (*hook, *table));
                if let Some(w) = way {
                    let _ = write!(w.line, " policy {}", if *policy == Policy::Drop { "drop" } else { "accept" });
                }
            }
            _ => {}
        }
    }
    let mut out = Map::new();
    let mut by_place: std::collections::BTreeMap<String, BTreeSet<String>> = std::collections::BTreeMap::new();
    for w in ways {
        by_place.entry(s.kernel.ns(w.ns).label.clone()).or_default().insert(w.line);
    }
    for (place, lines) in by_place {
        out.insert(place, lines.into_iter().collect::<Vec<_>>().into());
    }
    out
}

/// A packet of the model in the words of `said_of`; none for what the live side does not hear either.
fn shown(ip: &Ipv4, own: u16) -> Option<String> {
    let proto = ip.proto();
    let l4 = match &ip.l4 {
        L4::Tcp(t) => KeyL4::Ports { src: t.sport, dst: t.dport },
        L4::Udp(u) => KeyL4::Ports { src: u.sport, dst: u.dport },
        L4::Icmp(i) => KeyL4::Icmp { kind: i.ty, code: i.code, id: 0, seq: 0 },
        // A trace reads the first bytes of a fragment that has them.
        L4::Raw(_, bytes) if ip.frag_off == 0 => KeyL4::read(proto, bytes),
        L4::Raw(..) => KeyL4::Other,
    };
    heard(proto, ports(&l4)).then(|| said_of(proto, &l4, ip.src, ip.dst, own))
}

/// A target's work in the words of nf_tables, under which `iptables-nft` runs it.
fn said(v: RuleVerdict) -> &'static str {
    match v {
        RuleVerdict::Accept | RuleVerdict::Nat => "accept",
        RuleVerdict::Drop | RuleVerdict::Reject => "drop",
        RuleVerdict::Return => "return",
        RuleVerdict::Jump => "jump",
        RuleVerdict::Goto => "goto",
        RuleVerdict::Continue => "continue",
        RuleVerdict::Unmodelled => "unmodelled",
    }
}

/// Holds the ways of each step against each other: what differs, how many were compared, what could not be.
pub fn compare(r: &Recording, played: &Played) -> (Vec<String>, usize, Vec<String>) {
    let (mut found, mut compared, mut not) = (Vec::new(), 0, Vec::new());
    let empty = Map::new();
    for (s, d) in list(&r.json["steps"]).iter().zip(&played.steps) {
        let Some(theirs) = s["rules"].as_object() else { continue };
        let untold: BTreeSet<&str> = list(&s["rules_untold"]).iter().map(text).collect();
        let ours = d.fields.get("rules").and_then(Value::as_object).unwrap_or(&empty);
        let places: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for place in places {
            if untold.contains(place.as_str()) {
                not.push(format!("step {}: rules of {place}: events were lost, or a chain changed meanwhile", s["n"]));
                continue;
            }
            let lines = |m: &Map<String, Value>| -> BTreeSet<String> {
                m.get(place).map_or(&[][..], |v| list(v)).iter().map(|l| text(l).to_owned()).collect()
            };
            let (a, b) = (lines(theirs), lines(ours));
            compared += a.union(&b).count();
            let missing = a.difference(&b).map(|l| format!("missing {l}"));
            let all: Vec<String> = missing.chain(b.difference(&a).map(|l| format!("extra {l}"))).collect();
            for l in all {
                found.push(format!("step {}  {place}\n      {l}", s["n"]));
            }
        }
    }
    (found, compared, not)
}

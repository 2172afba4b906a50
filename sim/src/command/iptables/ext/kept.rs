//! Extensions that are kept as they were written: what they would say of a packet is not modelled.
//!
//! `name conntrack [options]`: an option with `inv` may be negated, with `multi` be repeated.

use std::sync::Arc;

use super::opt::{Given, Ty, Val, opt};
use super::{Ext, MatchExt, TargetExt, bang};
use crate::kernel::xtables::matches::written::{Asks, WrittenMatch};
use crate::kernel::xtables::matches::{Match, OpaqueMatch};
use crate::kernel::xtables::targets::{OpaqueTarget, Target};

/// A value as it is printed: in quotes where a space or a quote would break it.
fn word(text: &str) -> String {
    let breaks = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\');
    if text.is_empty() || text.contains(breaks) { super::quoted(text) } else { format!(" {text}") }
}

/// All options as written, each with a space before it, in the order in which they are saved; those that may come
/// again stay in their own order.
pub fn as_written(g: &Given) -> String {
    let mut out = String::new();
    let mut items: Vec<_> = g.items.iter().collect();
    if items.iter().all(|i| !i.opt.multi) {
        items.sort_by_key(|i| i.opt.id);
    }
    for i in items {
        out += &format!("{} --{}", bang(i.inv), i.opt.name);
        match i.val {
            Val::None => {}
            Val::Masked(v, u32::MAX) => out += &format!(" 0x{v:x}"),
            Val::Masked(v, m) => out += &format!(" 0x{v:x}/0x{m:x}"),
            _ => out += &word(&i.arg),
        }
        if let Val::Second(s) = &i.val {
            out += &word(s);
        }
    }
    out
}

/// Lists print what is saved, without the dashes.
pub fn listed(name: &str, args: &str) -> String {
    format!(" {name}{}", args.replace(" --", " "))
}

/// A kept match.
pub fn opaque_match(name: &str, args: &str, conntrack: bool) -> Match {
    Match::Opaque(OpaqueMatch { name: Arc::from(name), args: Arc::from(args), conntrack })
}

/// A kept match with what it asks.
pub fn written_match(name: &str, args: &str, conntrack: bool, asks: Asks) -> Match {
    let text = OpaqueMatch { name: Arc::from(name), args: Arc::from(args), conntrack };
    Match::Written(WrittenMatch { text, asks })
}

/// A kept target behind which the walk goes on.
pub fn aside_target(name: &str, args: &str) -> Target {
    Target::Aside(OpaqueTarget { name: Arc::from(name), args: Arc::from(args), conntrack: false })
}

/// A kept target.
pub fn opaque_target(name: &str, args: &str, conntrack: bool) -> Target {
    Target::Opaque(OpaqueTarget { name: Arc::from(name), args: Arc::from(args), conntrack })
}

/// What a kept match asks, where the model knows.
pub fn asks(m: &Match) -> Option<&Asks> {
    match m {
        Match::Written(w) => Some(&w.asks),
        _ => None,
    }
}

/// The options of a kept match.
pub fn match_args(m: &Match) -> &str {
    match m {
        Match::Opaque(o) | Match::Written(WrittenMatch { text: o, .. }) => &o.args,
        _ => "",
    }
}

/// The options of a kept target.
pub fn target_args(t: &Target) -> &str {
    match t {
        Target::Opaque(o) | Target::Aside(o) => &o.args,
        _ => "",
    }
}

macro_rules! kept_match {
    ($name:literal $conntrack:literal [$($opts:expr),* $(,)?]) => {
        Ext {
            name: $name,
            opts: &[$($opts),*],
            check: None,
            build: |g, _| Ok(opaque_match($name, &as_written(g), $conntrack)),
            save: |m| match_args(m).to_owned(),
            list: |m, _, _| listed($name, match_args(m)),
        }
    };
}

macro_rules! kept_target {
    ($name:literal $conntrack:literal [$($opts:expr),* $(,)?]) => {
        Ext {
            name: $name,
            opts: &[$($opts),*],
            check: None,
            build: |g, _| Ok(opaque_target($name, &as_written(g), $conntrack)),
            save: |t| target_args(t).to_owned(),
            list: |t, _, _| listed($name, target_args(t)),
        }
    };
}

static MATCHES: &[MatchExt] = &[
    kept_match!("ah" false [opt("ahspi", 0, Ty::Text).inv()]),
    kept_match!("bpf" false [opt("bytecode", 0, Ty::Text)]),
    kept_match!("cgroup" false [opt("cgroup", 0, Ty::Text).inv(), opt("path", 1, Ty::Text).inv()]),
    kept_match!("cluster" true [opt("cluster-total-nodes", 0, Ty::Text), opt("cluster-local-node", 1, Ty::Text).inv(), opt("cluster-local-nodemask", 2, Ty::Text).inv(), opt("cluster-hash-seed", 3, Ty::Text)]),
    kept_match!("connbytes" true [opt("connbytes", 0, Ty::Text).inv(), opt("connbytes-mode", 1, Ty::Text), opt("connbytes-dir", 2, Ty::Text)]),
    kept_match!("connlabel" true [opt("label", 0, Ty::Text).inv(), opt("set", 1, Ty::None)]),
    kept_match!("cpu" false [opt("cpu", 0, Ty::Text).inv()]),
    kept_match!("dccp" false [opt("source-port", 0, Ty::Text).inv(), opt("sport", 1, Ty::Text).inv(), opt("destination-port", 2, Ty::Text).inv(), opt("dport", 3, Ty::Text).inv(), opt("dccp-types", 4, Ty::Text).inv(), opt("dccp-option", 5, Ty::Text).inv()]),
    kept_match!("devgroup" false [opt("src-group", 0, Ty::Mark).inv(), opt("dst-group", 1, Ty::Mark).inv()]),
    kept_match!("ecn" false [opt("ecn-tcp-cwr", 0, Ty::None).inv(), opt("ecn-tcp-ece", 1, Ty::None).inv(), opt("ecn-ip-ect", 2, Ty::Text).inv()]),
    kept_match!("esp" false [opt("espspi", 0, Ty::Text).inv()]),
    kept_match!("helper" true [opt("helper", 0, Ty::Text).inv()]),
    kept_match!("ipcomp" false [opt("ipcompspi", 0, Ty::Text).inv(), opt("compres", 1, Ty::None)]),
    kept_match!("ipvs" true [opt("ipvs", 0, Ty::None).inv(), opt("vproto", 1, Ty::Text).inv(), opt("vaddr", 2, Ty::Text).inv(), opt("vport", 3, Ty::Text).inv(), opt("vdir", 4, Ty::Text), opt("vmethod", 5, Ty::Text).inv(), opt("vportctl", 6, Ty::Text).inv()]),
    kept_match!("nfacct" false [opt("nfacct-name", 0, Ty::Text)]),
    kept_match!("osf" false [opt("genre", 0, Ty::Text).inv(), opt("ttl", 1, Ty::Text), opt("log", 2, Ty::Text)]),
    kept_match!("policy" false [opt("dir", 0, Ty::Text), opt("pol", 1, Ty::Text), opt("strict", 2, Ty::None), opt("reqid", 3, Ty::Text).inv().multi(), opt("spi", 4, Ty::Text).inv().multi(), opt("tunnel-src", 5, Ty::Text).inv().multi(), opt("tunnel-dst", 6, Ty::Text).inv().multi(), opt("proto", 7, Ty::Text).inv().multi(), opt("mode", 8, Ty::Text).inv().multi(), opt("next", 9, Ty::None).multi()]),
    kept_match!("rateest" false [opt("rateest1", 0, Ty::Text).inv(), opt("rateest", 1, Ty::Text).inv(), opt("rateest2", 2, Ty::Text).inv(), opt("rateest-bps1", 3, Ty::None).inv(), opt("rateest-pps1", 4, Ty::None).inv(), opt("rateest-bps2", 5, Ty::None).inv(), opt("rateest-pps2", 6, Ty::None).inv(), opt("rateest-bps", 7, Ty::None).inv(), opt("rateest-pps", 8, Ty::None).inv(), opt("rateest-delta", 9, Ty::None).inv(), opt("rateest-lt", 10, Ty::None).inv(), opt("rateest-gt", 11, Ty::None).inv(), opt("rateest-eq", 12, Ty::None).inv()]),
    kept_match!("realm" false [opt("realm", 0, Ty::Mark).inv()]),
    kept_match!("sctp" false [opt("source-port", 0, Ty::Text).inv(), opt("sport", 1, Ty::Text).inv(), opt("destination-port", 2, Ty::Text).inv(), opt("dport", 3, Ty::Text).inv(), opt("chunk-types", 4, Ty::Two).inv()]),
    kept_match!("set" false [opt("match-set", 0, Ty::Two).inv(), opt("set", 1, Ty::Two).inv(), opt("return-nomatch", 2, Ty::None), opt("update-counters", 3, Ty::None).inv(), opt("update-subcounters", 4, Ty::None).inv(), opt("packets-eq", 5, Ty::Text).inv(), opt("packets-lt", 6, Ty::Text), opt("packets-gt", 7, Ty::Text), opt("bytes-eq", 8, Ty::Text).inv(), opt("bytes-lt", 9, Ty::Text), opt("bytes-gt", 10, Ty::Text)]),
    kept_match!("socket" false [opt("transparent", 0, Ty::None), opt("nowildcard", 1, Ty::None), opt("restore-skmark", 2, Ty::None)]),
];

static TARGETS: &[TargetExt] = &[
    Ext {
        build: |g, _| Ok(aside_target("AUDIT", &as_written(g))),
        list: |t, _, _| format!(" AUDIT {}", target_args(t).trim_start_matches(" --type ")),
        ..kept_target!("AUDIT" false [opt("type", 0, Ty::Text)])
    },
    kept_target!("CLUSTERIP" true [opt("new", 0, Ty::None), opt("hashmode", 1, Ty::Text), opt("clustermac", 2, Ty::Text), opt("total-nodes", 3, Ty::Text), opt("local-node", 4, Ty::Text), opt("hash-init", 5, Ty::Text)]),
    kept_target!("CONNSECMARK" true [opt("save", 0, Ty::None), opt("restore", 1, Ty::None)]),
    kept_target!("ECN" false [opt("ecn-tcp-remove", 0, Ty::None), opt("ecn-tcp-cwr", 1, Ty::Text), opt("ecn-tcp-ece", 2, Ty::Text), opt("ecn-ip-ect", 3, Ty::Text)]),
    kept_target!("HMARK" false [opt("hmark-tuple", 0, Ty::Text), opt("hmark-src-prefix", 1, Ty::Text), opt("hmark-dst-prefix", 2, Ty::Text), opt("hmark-sport-mask", 3, Ty::Text), opt("hmark-dport-mask", 4, Ty::Text), opt("hmark-spi-mask", 5, Ty::Text), opt("hmark-sport", 6, Ty::Text), opt("hmark-dport", 7, Ty::Text), opt("hmark-spi", 8, Ty::Text), opt("hmark-proto-mask", 9, Ty::Text), opt("hmark-rnd", 10, Ty::Text), opt("hmark-mod", 11, Ty::Text), opt("hmark-offset", 12, Ty::Text)]),
    kept_target!("IDLETIMER" false [opt("timeout", 0, Ty::Text), opt("label", 1, Ty::Text), opt("alarm", 2, Ty::None)]),
    kept_target!("LED" false [opt("led-trigger-id", 0, Ty::Text), opt("led-delay", 1, Ty::Text), opt("led-always-blink", 2, Ty::None)]),
    kept_target!("QUEUE" false []),
    kept_target!("RATEEST" false [opt("rateest-name", 0, Ty::Text), opt("rateest-interval", 1, Ty::Text), opt("rateest-ewmalog", 2, Ty::Text)]),
    kept_target!("SECMARK" false [opt("selctx", 0, Ty::Text)]),
    kept_target!("SET" false [opt("add-set", 0, Ty::Two), opt("del-set", 1, Ty::Two), opt("map-set", 2, Ty::Two), opt("exist", 3, Ty::None), opt("timeout", 4, Ty::Text), opt("map-mark", 5, Ty::None), opt("map-prio", 6, Ty::None), opt("map-queue", 7, Ty::None)]),
    kept_target!("SYNPROXY" true [opt("sack-perm", 0, Ty::None), opt("timestamp", 1, Ty::None), opt("wscale", 2, Ty::Text), opt("mss", 3, Ty::Text), opt("ecn", 4, Ty::None)]),
    kept_target!("TCPOPTSTRIP" false [opt("strip-options", 0, Ty::Text)]),
    kept_target!("TPROXY" false [opt("on-port", 0, Ty::Text), opt("on-ip", 1, Ty::Text), opt("tproxy-mark", 2, Ty::Text)]),
    kept_target!("ULOG" false [opt("ulog-nlgroup", 0, Ty::Text), opt("ulog-prefix", 1, Ty::Text), opt("ulog-cprange", 2, Ty::Text), opt("ulog-qthreshold", 3, Ty::Text)]),
];

/// A kept match by name.
pub fn find_match(name: &str) -> Option<&'static MatchExt> {
    MATCHES.iter().find(|m| m.name == name)
}

/// A kept target by name.
pub fn find_target(name: &str) -> Option<&'static TargetExt> {
    TARGETS.iter().find(|t| t.name == name)
}

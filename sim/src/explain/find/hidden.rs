//! What was done to a packet before it was dropped, so that rules took it for another: its source was translated, or it was
//! taken from connection tracking.

use super::firewall::{engines_own, with_table};
use super::{Found, line};
use crate::command::iptables::rule_spec;
use crate::explain::scene::Scene;
use crate::explain::world;
use crate::kernel::xtables::TableKind;
use crate::trace::event::{EventKind, RuleVerdict};

/// The rule that gave a dropped packet another source, as evidence; without it the packet may pass.
pub fn source(sc: &Scene<'_>, i: usize, f: Found) -> Found {
    let mut back = sc.back(i);
    let translated = back.find_map(|e| match &e.kind {
        EventKind::Nat { before, after, .. } if before.src != after.src => Some((e.ns, before.src, after.src)),
        _ => None,
    });
    let Some((ns, was, is)) = translated else { return f };
    let rule = back.take_while(|e| e.ns == ns).find_map(|e| match &e.kind {
        EventKind::XtMatched { at, verdict: RuleVerdict::Nat } if at.table == TableKind::Nat => Some(at),
        _ => None,
    });
    let Some(r) = rule else { return f };
    let (iptables, chain, spec) = (with_table(r.variant, r.table), &r.chain, rule_spec(&r.rule));
    let place = world::place(sc.after, ns);
    let f = f.shown(
        format!("its source was {was}, until rule {} of {chain} at {place} made {is} of it: {spec}", r.number),
        Some(line(sc, ns, format!("{iptables} -nvL {chain} --line-numbers"))),
    );
    if engines_own(sc, ns, r, &spec) {
        return f;
    }
    f.fix(vec![line(sc, ns, format!("{iptables} -D {chain} {spec}"))])
}

/// Rules that took a dropped packet from connection tracking, where others ask for its state.
pub fn untracked(sc: &Scene<'_>, i: usize, mut f: Found) -> Found {
    let ns = sc.events()[i].ns;
    let here = || sc.back(i).take_while(|e| e.ns == ns);
    if !here().any(|e| matches!(&e.kind, EventKind::XtMissed { miss, .. } if miss.option == "--ctstate")) {
        return f;
    }
    let skips = |spec: &str| spec.contains("-j NOTRACK") || spec.contains("--notrack");
    let rule = here().find_map(|e| match &e.kind {
        EventKind::XtMatched { at, .. } if at.table == TableKind::Raw && skips(&rule_spec(&at.rule)) => Some(at),
        _ => None,
    });
    let Some(r) = rule else { return f };
    let iptables = with_table(r.variant, r.table);
    f = f.shown(
        format!("rule {} of {} took it from connection tracking: {}", r.number, r.chain, rule_spec(&r.rule)),
        Some(line(sc, ns, format!("{iptables} -nvL {} --line-numbers", r.chain))),
    );
    // The answers of the flow may have a rule of their own.
    let raw = sc.after.kernel.ns(ns).nf.xt.of(r.variant).get(TableKind::Raw);
    let all = raw.into_iter().flat_map(|t| t.chains()).flat_map(|c| {
        let specs = c.rules.iter().map(|slot| rule_spec(&slot.rule)).filter(|s| skips(s));
        specs.map(|s| line(sc, ns, format!("{iptables} -D {} {s}", c.name))).collect::<Vec<_>>()
    });
    let all = all.collect();
    f.fix(all)
}

//! A source that was translated on the way: whoever drops the packet may know the sender under its own address only.

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

//! The way of packets, the rules they met, and their drops.

use super::{Failures, names, parted};
use crate::kernel::xtables::{Policy, Variant};
use crate::scenario::run::{StepResult, Walk};
use crate::scenario::{Expect, ExpectDrop};
use crate::session::Session;
use crate::trace::{Event, EventKind};

/// Holds the events of a step against `path`, `hits` and `drop`.
pub(super) fn check(s: &Session, events: &[Event], e: &Expect, arp: bool, f: &mut Failures<'_>) {
    check_path(s, events, &e.path, arp, f);
    for want in &e.hits {
        let met = met(s, events);
        if !met.iter().any(|(places, rule)| fits_hit(want, places, rule)) {
            let mut got: Vec<String> = met.into_iter().map(|(p, r)| format!("{} {r}", p[0])).collect();
            got.dedup();
            let got = if got.is_empty() { "no rule was met".into() } else { got.join("; ") };
            f.add("hits", want, got, parted::end(s, events));
        }
    }
    if let Some(want) = &e.drop {
        check_drop(s, events, want, f);
    }
}

/// Where the rule of a `hits` was met in a step: the place's label, its table, and `CHAIN#NUMBER` or `policy drop`.
///
/// # Errors
/// Why that cannot be said.
pub fn numbered(walk: &Walk, r: &StepResult, want: &str) -> Result<(String, &'static str, String), &'static str> {
    let s = &walk.session;
    let events = s.kernel.rec.events.get(r.first_event..r.end_event).unwrap_or_default();
    let met = |e: &&Event| rule_met(&e.kind).is_some_and(|rule| fits_hit(want, &names(s, e.ns, None), &rule));
    let Some(e) = events.iter().find(met) else { return Err("no rule of the model's walk has these words") };
    let (variant, table, rule) = match &e.kind {
        EventKind::XtMatched { at, .. } => (at.variant, at.table, format!("{}#{}", at.chain, at.number)),
        EventKind::XtPolicy { variant, table, policy: Policy::Drop, .. } => (*variant, *table, "policy drop".into()),
        EventKind::XtPolicy { variant, table, .. } => (*variant, *table, "policy accept".into()),
        _ => return Err("it is no rule"),
    };
    match variant {
        Variant::Nft => Ok((s.kernel.ns(e.ns).label.clone(), table.name(), rule)),
        Variant::Legacy => Err("rules of iptables-legacy are not traced"),
    }
}

fn check_path(s: &Session, events: &[Event], path: &[String], arp: bool, f: &mut Failures<'_>) {
    let visits = visits(s, events, arp);
    let mut want = path.iter();
    let mut next = want.next();
    let mut reached = None;
    for (i, v) in &visits {
        if let Some(w) = next
            && v.iter().any(|n| n == w)
        {
            reached = Some((*i, w));
            next = want.next();
        }
    }
    let Some(missing) = next else { return };
    let mut got: Vec<String> = visits.iter().map(|v| v.1[0].clone()).collect();
    got.dedup();
    let got = if got.is_empty() { "no packets".into() } else { got.join(", ") };
    let parted = match reached {
        Some((i, place)) => parted::after(s, events, i).map(|fate| format!("came as far as {place}; then {fate}")),
        None => parted::end(s, events),
    };
    f.add("path", format!("{} ({missing} was not reached in this order)", path.join(", ")), got, parted);
}

/// The devices that packets visited, in order: index of the event, and all names of the device.
fn visits(s: &Session, events: &[Event], arp: bool) -> Vec<(usize, Vec<String>)> {
    let seen = |e: &Event| matches!(e.kind, EventKind::Rx | EventKind::Tx);
    let wanted = |e: &Event| arp || s.kernel.rec.packet_at(e).is_none_or(|p| p.ipv4().is_some());
    let named = |e: &Event| Some(names(s, e.ns, Some(e.dev?)).into_iter().filter(|n| n.contains('/')).collect());
    let visited = events.iter().enumerate().filter(|(_, e)| seen(e) && wanted(e));
    visited.filter_map(|(i, e)| Some((i, named(e)?))).collect()
}

fn check_drop(s: &Session, events: &[Event], want: &ExpectDrop, f: &mut Failures<'_>) {
    let mut drops = Vec::new();
    let mut hit = false;
    // The rule or policy that each packet met last.
    let mut last: std::collections::BTreeMap<crate::wire::PacketId, String> = std::collections::BTreeMap::new();
    for x in events {
        if let Some(rule) = rule_met(&x.kind) {
            last.insert(x.packet, rule);
        }
        if let EventKind::Drop { reason, func } = x.kind {
            let names = names(s, x.ns, x.dev);
            let rule = last.get(&x.packet).filter(|_| reason == crate::trace::DropReason::NETFILTER_DROP);
            let by = want.rule.as_ref().is_none_or(|w| {
                // With or without the table before the chain.
                rule.is_some_and(|r| has_words(w, r))
            });
            hit |= reason.name() == want.reason && names.contains(&want.at) && by;
            let by = rule.map(|r| format!(", {r}")).unwrap_or_default();
            drops.push(format!("{} at {} ({func}{by})", reason.name(), names[0]));
        }
    }
    if !hit {
        drops.dedup();
        let got = if drops.is_empty() { "no drop".into() } else { drops.join(", ") };
        let rule = want.rule.as_ref().map(|r| format!(" by {r}")).unwrap_or_default();
        f.add("drop", format!("{} at {}{rule}", want.reason, want.at), got, parted::end(s, events));
    }
}

/// A rule or policy that decided something, as `TABLE CHAIN RULE`.
pub(super) fn rule_met(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::XtMatched { at, .. } => {
            Some(format!("{} {} {}", at.table.name(), at.chain, crate::command::iptables::rule_spec(&at.rule)))
        }
        EventKind::XtPolicy { table, hook, policy, .. } => {
            let policy = if *policy == Policy::Drop { "DROP" } else { "ACCEPT" };
            Some(format!("{} {} policy {policy}", table.name(), hook.name()))
        }
        _ => None,
    }
}

/// Every rule and policy that was met, with all names of its place.
fn met(s: &Session, events: &[Event]) -> Vec<(Vec<String>, String)> {
    events.iter().filter_map(|e| Some((names(s, e.ns, None), rule_met(&e.kind)?))).collect()
}

fn fits_hit(want: &str, places: &[String], rule: &str) -> bool {
    let Some((place, rest)) = want.trim_start().split_once(char::is_whitespace) else { return false };
    places.iter().any(|p| p == place) && has_words(rest, rule)
}

/// Every word of `want` stands in `text`, in order.
fn has_words(want: &str, text: &str) -> bool {
    let mut have = text.split_whitespace();
    want.split_whitespace().all(|w| have.any(|h| h == w))
}

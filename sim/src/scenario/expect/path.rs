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
    let all = drops(events);
    if all.iter().any(|d| d.is(s, want)) {
        return;
    }
    let mut told: Vec<String> = all.iter().map(|d| d.told(s)).collect();
    told.dedup();
    let got = if told.is_empty() { "no drop".into() } else { told.join(", ") };
    let rule = want.rule.as_ref().map(|r| format!(" by {r}")).unwrap_or_default();
    f.add("drop", format!("{} at {}{rule}", want.reason, want.at), got, parted::end(s, events));
}

/// The event of a step that is the drop expected of it, and its index in the trace.
pub fn dropped<'w>(walk: &'w Walk, r: &StepResult, want: &ExpectDrop) -> Option<(usize, &'w Event)> {
    let s = &walk.session;
    let events = s.kernel.rec.events.get(r.first_event..r.end_event).unwrap_or_default();
    drops(events).into_iter().find(|d| d.is(s, want)).map(|d| (r.first_event + d.index, d.event))
}

/// A drop among the events of a step.
struct Drop<'e> {
    index: usize,
    event: &'e Event,
    reason: crate::trace::DropReason,
    func: &'static str,
    /// The rule or policy that the packet met last, where the firewall dropped it.
    rule: Option<String>,
}

impl Drop<'_> {
    fn is(&self, s: &Session, want: &ExpectDrop) -> bool {
        // With or without the table before the chain.
        let by = |w: &String| self.rule.as_ref().is_some_and(|r| has_words(w, r));
        self.reason.name() == want.reason
            && names(s, self.event.ns, self.event.dev).contains(&want.at)
            && want.rule.as_ref().is_none_or(by)
    }

    fn told(&self, s: &Session) -> String {
        let by = self.rule.as_ref().map(|r| format!(", {r}")).unwrap_or_default();
        let at = &names(s, self.event.ns, self.event.dev)[0];
        format!("{} at {at} ({}{by})", self.reason.name(), self.func)
    }
}

fn drops(events: &[Event]) -> Vec<Drop<'_>> {
    let mut last = std::collections::BTreeMap::new();
    let mut all = Vec::new();
    for (index, event) in events.iter().enumerate() {
        if let Some(rule) = rule_met(&event.kind) {
            last.insert(event.packet, rule);
        }
        if let EventKind::Drop { reason, func } = event.kind {
            let firewall = reason == crate::trace::DropReason::NETFILTER_DROP;
            let rule = last.get(&event.packet).filter(|_| firewall).cloned();
            all.push(Drop { index, event, reason, func, rule });
        }
    }
    all
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

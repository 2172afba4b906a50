//! Holds a walk against its expectations.

use super::run::{StepResult, Walk};
use super::{At, Expect};
use crate::app::probe::ProbeKind;
use crate::kernel::types::{DevId, NetnsId};
use crate::scenario::What;
use crate::session::Session;
use crate::trace::{Event, EventKind};

/// An expectation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Step, from 1.
    pub step: usize,
    /// Where in the file.
    pub at: At,
    /// Which key of `expect`.
    pub key: &'static str,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
}

/// Every expectation of a walk that does not hold.
pub fn check(walk: &Walk) -> Vec<Failure> {
    let mut out = Vec::new();
    for (step, r) in walk.scenario.steps.iter().zip(&walk.steps) {
        if let Some((refusal, col)) = &r.refusal {
            out.push(Failure {
                step: r.index,
                at: At { line: step.action.at.line, column: step.action.at.column + col },
                key: "run",
                expected: "a command that is modelled".into(),
                got: refusal.to_string(),
            });
            continue;
        }
        if let Some(e) = &step.expect {
            let arp = matches!(&step.action.what, What::Probe { probe, .. } if probe.kind == ProbeKind::Arping);
            check_step(&walk.session, e, r, arp, &mut out);
        }
    }
    out
}

fn check_step(s: &Session, e: &Expect, r: &StepResult, arp: bool, out: &mut Vec<Failure>) {
    let mut fail = |key: &'static str, expected: String, got: String| {
        out.push(Failure { step: r.index, at: e.at, key, expected, got });
    };
    let none = || "nothing".to_owned();
    let report = r.report.as_ref();
    if let Some(want) = e.outcome
        && r.outcome() != Some(want)
    {
        fail("outcome", want.as_str().into(), r.outcome().map_or_else(none, |o| o.as_str().into()));
    }
    if let Some(want) = &e.seen_source {
        let seen = report.and_then(|x| x.seen.clone());
        let bare = seen.as_deref().map(|t| t.split(':').next().unwrap_or(t).to_owned());
        if seen.as_ref() != Some(want) && bare.as_ref() != Some(want) {
            fail("seen-source", want.clone(), seen.unwrap_or_else(none));
        }
    }
    if let Some(want) = &e.by {
        let by = report.and_then(|x| x.by.clone());
        if by.as_ref() != Some(want) {
            fail("by", want.clone(), by.unwrap_or_else(none));
        }
    }
    if let Some(want) = e.reply_ttl {
        let ttl = report.and_then(|x| x.ttl);
        if ttl != Some(want) {
            fail("reply-ttl", want.to_string(), ttl.map_or_else(none, |t| t.to_string()));
        }
    }
    if let Some(want) = e.exit
        && r.exit != Some(want)
    {
        fail("exit", want.to_string(), r.exit.map_or_else(none, |x| x.to_string()));
    }
    for (key, want, got) in [("stdout", &e.stdout, &r.stdout), ("stderr", &e.stderr, &r.stderr)] {
        if let Some(want) = want
            && !fits(want, got)
        {
            fail(key, want.clone(), got.clone());
        }
    }
    let events = s.kernel.rec.events.get(r.first_event..r.end_event).unwrap_or_default();
    if !e.path.is_empty() {
        let visits = visits(s, events, arp);
        let mut want = e.path.iter();
        let mut next = want.next();
        for v in &visits {
            if let Some(w) = next
                && v.iter().any(|n| n == w)
            {
                next = want.next();
            }
        }
        if let Some(missing) = next {
            let mut got: Vec<String> = visits.iter().map(|v| v[0].clone()).collect();
            got.dedup();
            let got = if got.is_empty() { "no packets".into() } else { got.join(", ") };
            fail("path", format!("{} ({missing} was not reached in this order)", e.path.join(", ")), got);
        }
    }
    for want in &e.hits {
        let met = met(s, events);
        if !met.iter().any(|(places, rule)| fits_hit(want, places, rule)) {
            let mut got: Vec<String> = met.into_iter().map(|(p, r)| format!("{} {r}", p[0])).collect();
            got.dedup();
            let got = if got.is_empty() { "no rule was met".into() } else { got.join("; ") };
            fail("hits", want.clone(), got);
        }
    }
    if let Some(want) = &e.drop {
        check_drop(s, events, want, &mut fail);
    }
}

fn check_drop(
    s: &Session,
    events: &[Event],
    want: &super::ExpectDrop,
    fail: &mut impl FnMut(&'static str, String, String),
) {
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
        fail("drop", format!("{} at {}{rule}", want.reason, want.at), got);
    }
}

/// A rule or policy that decided something, as `TABLE CHAIN RULE`.
fn rule_met(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::XtMatched { at, .. } => {
            Some(format!("{} {} {}", at.table.name(), at.chain, crate::command::iptables::rule_spec(&at.rule)))
        }
        EventKind::XtPolicy { table, hook, policy, .. } => {
            let policy = if *policy == crate::kernel::xtables::Policy::Drop { "DROP" } else { "ACCEPT" };
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

/// The devices that packets visited, in order, each with all its names.
fn visits(s: &Session, events: &[Event], arp: bool) -> Vec<Vec<String>> {
    events
        .iter()
        .filter(|e| matches!(e.kind, EventKind::Rx | EventKind::Tx))
        .filter(|e| arp || s.kernel.rec.packet_at(e).is_none_or(|p| p.ipv4().is_some()))
        .filter_map(|e| Some(names(s, e.ns, Some(e.dev?)).into_iter().filter(|n| n.contains('/')).collect()))
        .collect()
}

/// All names of a place, the full one first: `h1/ns:red/eth0`, `h1/red/eth0`, `red/eth0`, `h1/ns:red`, `h1/red`, `red`.
pub fn names(s: &Session, ns: NetnsId, dev: Option<DevId>) -> Vec<String> {
    let label = &s.kernel.ns(ns).label;
    let mut places = vec![label.clone()];
    if let Some((host, rest)) = label.split_once('/') {
        let bare = rest.strip_prefix("ns:").unwrap_or(rest);
        places.push(format!("{host}/{bare}"));
        places.push(bare.to_owned());
    }
    let dev = dev.map(|d| s.kernel.dev(d).name);
    let with: Vec<String> = dev.iter().flat_map(|d| places.iter().map(move |p| format!("{p}/{d}"))).collect();
    with.into_iter().chain(places).collect()
}

/// Whether a text is as expected, where `…` stands for any text; white space at the end does not count.
pub fn fits(want: &str, got: &str) -> bool {
    let (want, got) = (want.trim_end(), got.trim_end());
    let parts: Vec<&str> = want.split('…').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return want == got };
    let Some(mut rest) = got.strip_prefix(first) else { return false };
    for m in middle {
        match rest.find(m) {
            Some(i) => rest = &rest[i + m.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn any_text() {
        assert!(fits("a…c", "abc\n"));
        assert!(fits("…b…", "abc"));
        assert!(!fits("a…d", "abc"));
        assert!(fits("abc\n", "abc"));
        assert!(!fits("ab…b", "ab"));
    }
}

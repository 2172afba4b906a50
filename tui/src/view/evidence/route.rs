//! The routing table with the winner and those that lost.

use packetwalk_sim::kernel::fib::{FibRule, Route, RuleAction};
use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::clause::{clause, route_text};
use packetwalk_sim::trace::event::{Event, EventKind, FibResult, FlowKey};
use ratatui::style::Style;

use super::AROUND;
use crate::tell::route::table_name;
use crate::view::doc::Doc;
use crate::view::look::{BAD, FAINT, GOOD, HEAD};

/// Writes the lookup: the rules that were asked, then the table that decided.
pub(super) fn show(
    s: &Session,
    events: &[Event],
    i: usize,
    (ns, key): (NetnsId, &FlowKey),
    result: &FibResult,
    d: &mut Doc,
) {
    let missed = (i.saturating_sub(16)..i)
        .rev()
        .take_while(|j| events.get(*j).is_some_and(|x| x.ns == ns && matches!(x.kind, EventKind::RuleMissed { .. })));
    let mut missed: Vec<usize> = missed.collect();
    missed.reverse();
    if d.tight {
        // What matters is the route; the rules that did not fit stand below.
        let said = missed.iter().map(|j| clause(s, &events[*j].kind).1).collect();
        short(s, ns, key, result, said, d);
        return;
    }
    d.line("rules say which table is asked", HEAD);
    for j in missed {
        d.line(&format!("  {}", clause(s, &events[j].kind).1), FAINT);
    }
    let (table, winner) = match result {
        FibResult::Route { pref, route } => {
            d.line(&format!("▶ rule {pref} lookup {}", table_name(route.table)), GOOD);
            (route.table, Some(route))
        }
        FibResult::Rule { pref, action } => {
            d.line(&format!("▶ rule {pref} {}", action_text(action)), BAD);
            return;
        }
        FibResult::None => {
            d.line("  no rule led to a route", BAD);
            (packetwalk_sim::kernel::fib::table::MAIN, None)
        }
    };
    d.gap();
    d.line(&format!("table {}: where to with {}?", table_name(table), key.dst), HEAD);
    routes(s, ns, key, (table, winner), d);
}

/// In little room: the rule that decided and the table in one line, the routes, and the rules that did not fit.
fn short(s: &Session, ns: NetnsId, key: &FlowKey, result: &FibResult, missed: Vec<String>, d: &mut Doc) {
    let main = packetwalk_sim::kernel::fib::table::MAIN;
    let (title, found, style) = match result {
        FibResult::Route { pref, route } => {
            let t = table_name(route.table);
            (format!("rule {pref} asks table {t}: where to with {}?", key.dst), Some((route.table, Some(route))), HEAD)
        }
        FibResult::Rule { pref, action } => (format!("▶ rule {pref} {}", action_text(action)), None, BAD),
        FibResult::None => (format!("no rule led to a route for {}; table main:", key.dst), Some((main, None)), BAD),
    };
    d.line(&title, style);
    if let Some(found) = found {
        routes(s, ns, key, found, d);
    }
    for m in missed {
        d.line(&format!("  {m}"), FAINT);
    }
}

/// The routes of a table, the winner first.
fn routes(s: &Session, ns: NetnsId, key: &FlowKey, (table, winner): (u32, Option<&Route>), d: &mut Doc) {
    let lead = format!("table {} ", table_name(table));
    let mut all = s.kernel.routes_of(ns, table);
    let rank = |r: &Route| (Some(r) != winner, !r.dst.contains(&key.dst));
    all.sort_by_key(rank);
    let none = all.is_empty() && winner.is_none();
    if let Some(w) = winner.filter(|w| !all.contains(w)) {
        // The world changed since: the evidence of the decision stands.
        all.insert(0, *w);
    }
    for r in all.iter().take(AROUND) {
        let (mark, word, style) = match (Some(r) == winner, r.dst.contains(&key.dst)) {
            (true, _) => ('▶', "wins: the longest prefix that fits", GOOD),
            (_, true) => (' ', "fits too, but loses", Style::new()),
            _ => (' ', "for others", FAINT),
        };
        let text = route_text(s, r).trim_start_matches(lead.as_str()).to_owned();
        let text = format!("{mark} {text}");
        let room = d.width.saturating_sub(word.chars().count() + 2);
        let pad = room.saturating_sub(text.chars().count()).max(2);
        d.spans(vec![(text, style), (" ".repeat(pad), style), (word.to_owned(), style)]);
    }
    if none {
        d.line("  it is empty", FAINT);
    }
}

fn action_text(a: &RuleAction) -> String {
    match a {
        RuleAction::Table(t) => format!("lookup {}", table_name(*t)),
        RuleAction::Goto(p) => format!("goto {p}"),
        RuleAction::Nop => "nop".into(),
        RuleAction::Blackhole => "blackhole".into(),
        RuleAction::Unreachable => "unreachable".into(),
        RuleAction::Prohibit => "prohibit".into(),
    }
}

/// The rules of a namespace.
pub(super) fn rules(s: &Session, ns: NetnsId, d: &mut Doc) {
    d.line("rules say which table is asked, from the top", HEAD);
    let one = |r: &FibRule| {
        let from = r.src.map_or("all".to_owned(), |p| p.to_string());
        format!("  {}: from {from} {}", r.pref, action_text(&r.action))
    };
    for r in s.kernel.ns(ns).fib.rules.iter().take(AROUND) {
        d.line(&one(r), Style::new());
    }
}

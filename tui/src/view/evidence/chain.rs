//! A chain with the fate of each of its rules: missed and by what, fitted, not reached.

use std::collections::BTreeMap;

use packetwalk_sim::command::iptables::rule_spec;
use packetwalk_sim::kernel::netfilter::Hook;
use packetwalk_sim::kernel::xtables::{Policy, TableKind, Variant};
use packetwalk_sim::trace::clause::miss_text;
use packetwalk_sim::trace::event::{Event, EventKind, RuleVerdict};
use ratatui::style::Style;

use super::{AROUND, hooks};
use crate::state::walk::WalkState;
use crate::view::doc::Doc;
use crate::view::look::{BAD, FAINT, GOOD, HEAD};

/// How far back the fates of a chain are looked for.
const BACK: usize = 20_000;

/// Where a chain is.
#[derive(Clone, PartialEq, Eq)]
struct Place {
    variant: Variant,
    hook: Hook,
    table: TableKind,
    chain: String,
}

fn place(k: &EventKind) -> Option<Place> {
    let base = |variant: &Variant, hook: &Hook, table: &TableKind| Place {
        variant: *variant,
        hook: *hook,
        table: *table,
        chain: hook.name().to_owned(),
    };
    match k {
        EventKind::XtChain { variant, hook, table } | EventKind::XtPolicy { variant, hook, table, .. } => {
            Some(base(variant, hook, table))
        }
        EventKind::XtMissed { at, .. } | EventKind::XtMatched { at, .. } => {
            Some(Place { chain: at.chain.to_string(), ..base(&at.variant, &at.hook, &at.table) })
        }
        _ => None,
    }
}

/// What became of a rule.
struct Fate {
    text: String,
    style: Style,
    sign: char,
}

/// Writes the chain of an event.
pub(super) fn show(w: &WalkState, i: usize, e: &Event, d: &mut Doc) {
    let Some(here) = place(&e.kind) else { return };
    hooks::diagram(here.hook, here.table.name(), d);
    let s = w.world();
    let events = w.walk.events(w.chapter);
    let mut fates: BTreeMap<u32, Fate> = BTreeMap::new();
    let mut present = None;
    for j in (i.saturating_sub(BACK)..=i).rev() {
        let Some(x) = events.get(j) else { break };
        if x.packet != e.packet || x.ns != e.ns {
            continue;
        }
        let same_table =
            place(&x.kind).is_some_and(|p| (p.variant, p.hook, p.table) == (here.variant, here.hook, here.table));
        if !same_table || matches!(x.kind, EventKind::XtChain { .. }) {
            break;
        }
        let (at, fate) = match &x.kind {
            EventKind::XtMissed { at, miss } => {
                (at, Fate { text: format!("missed: {}", miss_text(s, miss)), style: FAINT, sign: '–' })
            }
            EventKind::XtMatched { at, verdict } => (at, matched(*verdict)),
            _ => continue,
        };
        if *at.chain == *here.chain {
            if j == i {
                present = Some(at.number);
            }
            fates.entry(at.number).or_insert(fate);
        }
    }
    list(w, e, &here, &fates, present, d);
}

fn matched(v: RuleVerdict) -> Fate {
    let (text, style) = match v {
        RuleVerdict::Accept => ("fits: accepted", GOOD),
        RuleVerdict::Drop => ("fits: dropped", BAD),
        RuleVerdict::Reject => ("fits: refused", BAD),
        RuleVerdict::Return => ("fits: back to where it came from", GOOD),
        RuleVerdict::Jump => ("fits: jumps there", GOOD),
        RuleVerdict::Goto => ("fits: goes there", GOOD),
        RuleVerdict::Continue => ("fits, and goes on", GOOD),
        RuleVerdict::Nat => ("fits: translated", GOOD),
        RuleVerdict::Unmodelled => ("not modelled", BAD),
    };
    Fate { text: text.to_owned(), style, sign: if style == BAD { '✗' } else { '✓' } }
}

fn list(w: &WalkState, e: &Event, here: &Place, fates: &BTreeMap<u32, Fate>, present: Option<u32>, d: &mut Doc) {
    let policy = matches!(e.kind, EventKind::XtPolicy { .. });
    let ended = matches!(
        e.kind,
        EventKind::XtMatched { verdict, .. } if !matches!(verdict, RuleVerdict::Continue | RuleVerdict::Jump)
    );
    let legacy = if here.variant == Variant::Legacy { " (iptables-legacy)" } else { "" };
    d.line(&format!("chain {} of table {}{legacy}", here.chain, here.table.name()), HEAD);
    let xt = w.world().kernel.ns(e.ns).nf.xt.of(here.variant);
    let chain = xt.get(here.table).and_then(|t| t.chains().find(|c| *c.name == *here.chain));
    let rules = chain.map(|c| c.rules.as_slice()).unwrap_or_default();
    let from = present.map_or(if policy { rules.len() } else { 0 }, |n| n as usize).saturating_sub(AROUND / 2);
    if from > 0 {
        d.line(&format!("  … {from} rules before"), FAINT);
    }
    for (n, slot) in rules.iter().enumerate().skip(from).take(AROUND) {
        let number = n as u32 + 1;
        let mark = if present == Some(number) {
            d.mark();
            '▶'
        } else {
            ' '
        };
        let later = Fate { text: if ended { "not reached".into() } else { String::new() }, style: FAINT, sign: '·' };
        let fate = fates.get(&number).unwrap_or(&later);
        rule(d, &format!("{mark}{number:>3} {} ", fate.sign), &rule_spec(&slot.rule), fate);
        if d.tight && mark == '▶' {
            // Of a rule of several lines the last one says what became of it.
            d.focus = Some(d.lines.len().saturating_sub(1));
        }
    }
    if rules.len() > from + AROUND {
        d.line(&format!("  … {} rules after", rules.len() - from - AROUND), FAINT);
    }
    if let Some(c) = chain.filter(|c| c.hook.is_some()) {
        let word = if c.policy == Policy::Drop { "DROP" } else { "ACCEPT" };
        let (mark, style) = match (policy, c.policy) {
            (true, Policy::Drop) => ('▶', BAD),
            (true, Policy::Accept) => ('▶', GOOD),
            (false, _) => (' ', FAINT),
        };
        if policy {
            d.mark();
        }
        d.line(&format!("{mark}    policy {word}"), style);
    } else if rules.is_empty() {
        d.line("  no rules", FAINT);
    }
}

/// A rule and its fate: on one line where there is room.
fn rule(d: &mut Doc, label: &str, spec: &str, fate: &Fate) {
    let (l, s, f) = (label.chars().count(), spec.chars().count(), fate.text.chars().count());
    let style = if fate.sign == '·' { FAINT } else { Style::new() };
    if l + s + f + 2 <= d.width {
        let pad = " ".repeat(d.width - l - s - f);
        let spec = format!("{spec}{pad}");
        d.spans(vec![(label.to_owned(), fate.style), (spec, style), (fate.text.clone(), fate.style)]);
        return;
    }
    d.hang(label, spec, "        ", style);
    if !fate.text.is_empty() {
        d.hang("      ", &fate.text, "        ", fate.style);
    }
}

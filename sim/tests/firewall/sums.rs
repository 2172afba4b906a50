//! Whether counters add up: those that `iptables-save -c` shows against the events of the trace.

use std::collections::BTreeMap;

use packetwalk_sim::kernel::xtables::Variant;
use packetwalk_sim::trace::EventKind;
use packetwalk_sim::trace::event::RuleVerdict;

use super::naive::counters;
use super::net::Net;

type At = (String, String, usize);
type Count = (u64, u64);

/// Every packet that enters a base chain ends in it once, and every counter is the sum of what the trace tells.
pub fn check(net: &Net, variant: Variant, dump: &str) -> Result<(), String> {
    let shown = counters(dump);
    let mut told: BTreeMap<At, Count> = BTreeMap::new();
    // Base chains that a packet is in.
    let mut open = BTreeMap::new();
    let mut entered: BTreeMap<&str, u64> = BTreeMap::new();
    for e in net.events(net.router) {
        let bytes = || net.s.kernel.rec.packet_at(e).and_then(|p| p.ipv4()).map_or(0, |ip| ip.total_len() as u64);
        let (at, here, ends) = match &e.kind {
            EventKind::XtChain { variant: v, hook, table } if *v == variant => {
                if let Some(before) = open.insert(e.packet, (*table, *hook)) {
                    return Err(format!("{:?} enters {table:?} {hook:?} but has not left {before:?}", e.packet));
                }
                *entered.entry(table.name()).or_default() += 1;
                continue;
            }
            EventKind::XtMatched { at, verdict } if at.variant == variant => {
                use RuleVerdict::{Continue, Goto, Jump, Return};
                let ends = !matches!(verdict, Continue | Goto | Jump | Return);
                ((at.table.name().to_owned(), at.chain.to_string(), at.number as usize), (at.table, at.hook), ends)
            }
            EventKind::XtPolicy { variant: v, hook, table, .. } if *v == variant => {
                ((table.name().to_owned(), hook.name().to_owned(), 0), (*table, *hook), true)
            }
            _ => continue,
        };
        let sum = told.entry(at.clone()).or_default();
        *sum = (sum.0 + 1, sum.1 + bytes());
        if open.get(&e.packet) != Some(&here) {
            return Err(format!("{:?} is at {at:?} without having entered {here:?}", e.packet));
        }
        if ends {
            open.remove(&e.packet);
        }
    }
    if let Some(left) = open.first_key_value() {
        return Err(format!("{left:?} never came to an end"));
    }
    for (at, n) in &shown {
        let want = told.remove(at).unwrap_or_default();
        if want != *n {
            return Err(format!("{at:?} counted {n:?}, the trace tells {want:?}"));
        }
    }
    if let Some(rest) = told.first_key_value() {
        return Err(format!("{rest:?} is not in the dump"));
    }
    conserve(&entered, &shown, dump)
}

/// By the dump alone: what entered a table's base chains was decided by a rule or by a policy.
fn conserve(entered: &BTreeMap<&str, u64>, shown: &BTreeMap<At, Count>, dump: &str) -> Result<(), String> {
    const LAST: [&str; 9] = ["ACCEPT", "DROP", "REJECT", "SNAT", "DNAT", "MASQUERADE", "REDIRECT", "NETMAP", "QUEUE"];
    let mut ended: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut table, mut number) = ("", BTreeMap::new());
    for line in dump.lines() {
        let w: Vec<&str> = line.split_whitespace().collect();
        if let Some(name) = line.strip_prefix('*') {
            (table, number) = (name, BTreeMap::new());
        } else if let Some(chain) = w.first().and_then(|w| w.strip_prefix(':')) {
            *ended.entry(table).or_default() += shown[&(table.to_owned(), chain.to_owned(), 0)].0;
        } else if w.get(1) == Some(&"-A") {
            let n: &mut usize = number.entry(w[2]).or_default();
            *n += 1;
            let target = w.iter().position(|w| *w == "-j").map_or("", |i| w[i + 1]);
            if LAST.contains(&target) {
                *ended.entry(table).or_default() += shown[&(table.to_owned(), w[2].to_owned(), *n)].0;
            }
        }
    }
    for (table, n) in entered {
        if ended.get(table) != Some(n) {
            return Err(format!("{n} packets entered {table}, {:?} were decided", ended.get(table)));
        }
    }
    Ok(())
}

//! Which rules' counters a step moved.

use packetwalk_sim::command::iptables;
use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::kernel::xtables::Variant;
use packetwalk_sim::session::Session;
use serde_json::{Map, Value, json};

/// Packets of every rule, by namespace: table, chain, number and text. FORWARD's policy counts like a rule.
pub(super) type Counted = Vec<(String, Vec<(String, String, usize, String, u64)>)>;

/// The counters of every namespace's rules.
pub(super) fn counters(s: &Session) -> Counted {
    let k = &s.kernel;
    let all = (0..k.netns.len() as u32).map(NetnsId).filter(|n| k.ns(*n).alive && !k.ns(*n).is_switch);
    let of = |ns: NetnsId| {
        let dump = iptables::save(k.ns(ns).nf.xt.of(Variant::Nft), Variant::Nft, true, None);
        let (mut table, mut out) = (String::new(), Vec::new());
        for l in dump.lines() {
            if let Some(t) = l.strip_prefix('*') {
                t.clone_into(&mut table);
            } else if let Some(rest) = l.strip_prefix(":FORWARD ") {
                let (policy, count) = rest.split_once(" [").unwrap_or((rest, "0"));
                let n = count.split(':').next().and_then(|n| n.parse().ok()).unwrap_or(0);
                out.push((table.clone(), "FORWARD".to_owned(), 0, format!("policy {policy}"), n));
            } else if let Some((count, rule)) = l.split_once("] -A ") {
                let n = count.trim_start_matches('[').split(':').next().and_then(|n| n.parse().ok()).unwrap_or(0);
                let (chain, text) = rule.split_once(' ').unwrap_or((rule, ""));
                let at = out.iter().filter(|r| r.0 == table && r.1 == chain && r.2 > 0).count() + 1;
                out.push((table.clone(), chain.to_owned(), at, text.to_owned(), n));
            }
        }
        out
    };
    all.map(|ns| (k.ns(ns).label.clone(), of(ns))).collect()
}

/// What moved between two looks, as a recording notes it.
pub(super) fn hits(before: &Counted, after: &Counted) -> Map<String, Value> {
    let mut out = Map::new();
    for (ns, rules) in after {
        let old = before.iter().find(|b| b.0 == *ns);
        let moved: Vec<Value> = rules
            .iter()
            .filter_map(|(table, chain, at, text, n)| {
                let was = old.and_then(|o| o.1.iter().find(|r| r.0 == *table && r.1 == *chain && r.2 == *at));
                let was = was.filter(|r| r.3 == *text).map_or(0, |r| r.4);
                (*n > was).then(|| json!([table, chain, text, n - was]))
            })
            .collect();
        if !moved.is_empty() {
            out.insert(ns.clone(), moved.into());
        }
    }
    out
}

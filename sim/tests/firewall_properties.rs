//! What holds of every firewall: a second reading of its rules comes to the same end, translation undoes itself, and
//! counters add up.

mod firewall;

use firewall::naive::{Plain, Ruleset, counters};
use firewall::net::{IN, Net, OUT};
use firewall::recorded::run;
use firewall::undo::Told;
use firewall::{rules, sums};
use packetwalk_sim::kernel::xtables::Variant;
use packetwalk_sim::trace::{Event, EventKind, NoTrace, Trace};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

/// A world with these rules on its router.
fn loaded(tool: &str, dump: &str) -> Result<Net, TestCaseError> {
    let mut net = Net::new(1);
    net.restore(tool, dump).map_err(TestCaseError::fail)?;
    Ok(net)
}

/// Whether one packet passes, and what it counts, by the model and by two readings of the rules.
fn one_packet(net: &Net, tool: &str, dump: &str, probe: &str) -> Result<(), TestCaseError> {
    let mut net = net.clone();
    let saved = net.ok("router", &format!("{tool}-save"));
    net.probe(probe);
    let came = net.received(net.router, IN);
    prop_assert_eq!(came.len(), 1, "{} sends one packet", probe);
    let (packet, id) = (Plain::new(came[0], IN), came[0].id);
    // Nobody has some of the addresses: there it waits for a neighbour.
    let waits = |e: &Event| e.packet == id && matches!(e.kind, EventKind::NeighWait { .. });
    let arrived = net.servers.iter().any(|s| !net.received(*s, "eth0").is_empty());
    let passed = arrived || net.events(net.router).any(waits);
    let counted = counters(&net.ok("router", &format!("{tool}-save -c")));
    for text in [dump, saved.as_str()] {
        let mut naive = Ruleset::read(text);
        prop_assert_eq!(naive.forwards(packet.clone(), OUT), passed, "{}\n{:?}\n{}", probe, packet, text);
        // Other base chains have no rules, and see what the router itself sends.
        let ours = |chain: &str| !["INPUT", "OUTPUT", "POSTROUTING"].contains(&chain);
        for (at, hits) in naive.counters().into_iter().filter(|(at, _)| ours(&at.1)) {
            prop_assert_eq!(counted.get(&at), Some(&hits), "{:?}: {}\n{:?}\n{}", at, probe, packet, text);
        }
    }
    Ok(())
}

fn forward_tables() -> impl Strategy<Value = String> {
    (
        rules::table("raw", &["PREROUTING"], 6),
        rules::table("mangle", &["PREROUTING", "FORWARD"], 12),
        rules::table("filter", &["FORWARD"], 16),
    )
        .prop_map(|(r, m, f)| format!("{r}{m}{f}"))
}

fn all_tables() -> impl Strategy<Value = String> {
    const ALL: &[&str] = &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    (
        rules::table("raw", &["PREROUTING", "OUTPUT"], 6),
        rules::table("mangle", ALL, 12),
        rules::table("filter", &["INPUT", "FORWARD", "OUTPUT"], 12),
        rules::nat(),
    )
        .prop_map(|(r, m, f, n)| format!("{r}{m}{f}{n}"))
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn a_second_reading_comes_to_the_same_end(
        dump in forward_tables(), legacy: bool, probes in vec(rules::probe(), 1..5)
    ) {
        let tool = if legacy { "iptables-legacy" } else { "iptables" };
        let mut net = loaded(tool, &dump)?;
        // The servers say nothing, so that the question is the only packet.
        for i in 2..5 {
            net.ok(&format!("server{i}"), "iptables -t raw -A PREROUTING -j DROP");
        }
        for p in probes {
            one_packet(&net, tool, &dump, &p)?;
        }
    }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn translation_undoes_itself(dump in rules::nat(), legacy: bool, probes in vec(rules::dialogue(), 1..6)) {
        let mut net = loaded(if legacy { "iptables-legacy" } else { "iptables" }, &dump)?;
        let told: Vec<_> = probes.iter().map(|p| (p, net.probe(p))).collect();
        let seen = Told::by(&net);
        let fail = |e| TestCaseError::fail(format!("{e}\n{dump}{probes:#?}"));
        seen.check(&net).map_err(fail)?;
        for (p, report) in &told {
            seen.check_report(p, report).map_err(fail)?;
        }
    }

    #[test]
    fn counters_add_up(dump in all_tables(), legacy: bool, probes in vec(rules::dialogue(), 1..6)) {
        let (tool, variant) =
            if legacy { ("iptables-legacy", Variant::Legacy) } else { ("iptables", Variant::Nft) };
        let mut net = loaded(tool, &dump)?;
        for p in &probes {
            net.probe(p);
        }
        // A copy of the world prints: time passes there.
        let counted = net.clone().ok("router", &format!("{tool}-save -c"));
        sums::check(&net, variant, &counted).map_err(|e| TestCaseError::fail(format!("{e}\n{counted}{probes:#?}")))?;
    }

    #[test]
    fn counters_do_not_depend_on_the_recorder(
        mangle in rules::table("mangle", &["FORWARD"], 12),
        filter in rules::table("filter", &["FORWARD"], 16),
        legacy: bool,
        packets in vec((1u8..9, 1u8..9, any::<u8>(), select(vec![53, 80, 443, 8080]), select(vec![4, 5, 63, 64])), 1..12),
    ) {
        let variant = if legacy { Variant::Legacy } else { Variant::Nft };
        let dump = format!("{mangle}{filter}");
        let (read, unread) = (run(Trace::default(), variant, &dump, &packets), run(NoTrace, variant, &dump, &packets));
        prop_assert_eq!(read, unread, "{}", dump);
    }
}

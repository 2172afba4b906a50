//! No text makes `iptables-restore` panic, and what it takes is saved, restored and saved the same.
//!
//! The fuzz target `iptables_restore` asks the same of arbitrary bytes.

mod restore;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use restore::stable;

const TABLES: [&str; 4] = ["filter", "nat", "mangle", "raw"];

/// A dump of rules in one table.
fn dump(table: &str, rules: &[String]) -> String {
    let lines: String = rules.iter().map(|r| format!("{r}\n")).collect();
    format!("*{table}\n:U - [0:0]\n{lines}COMMIT\n")
}

/// Rules as `iptables-save` printed them, each with a table that takes it.
fn corpus() -> Vec<(&'static str, String)> {
    let text = include_str!("../../tests/iptables/rules.txt");
    let saved = text.lines().filter_map(|l| l.split_once(" => ")).map(|(_, s)| s).filter(|s| s.starts_with("-A "));
    let one = saved.flat_map(|s| s.split(" ; "));
    one.filter_map(|rule| {
        let rule = rule.to_owned();
        let table = TABLES.into_iter().find(|t| stable(&dump(t, std::slice::from_ref(&rule))) == Ok(true));
        table.map(|t| (t, rule))
    })
    .collect()
}

/// Damage: at a place, so many characters give way to others.
type Cut = (Index, usize, String);

fn damaged(text: &str, cuts: &[Cut]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, gone, new) in cuts {
        let at = at.index(chars.len() + 1);
        let end = (at + gone).min(chars.len());
        chars.splice(at..end, new.chars());
    }
    chars.into_iter().collect()
}

/// Pieces that mean something in a dump.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "!", " ! ", "\"", "\\", "\n", " ", "-", ":", ",", "/", "0", "1", "65536", "4294967296", "-1", "0x", "é", "\t", "\0", "[1:2]", "[", "]",
    "COMMIT\n", "*nat\n", "#", "-j U", "-g U", "-j ACCEPT", "-p tcp", "-m ", "-N V\n", "-F\n", "-X\n", "-Z\n", "-P INPUT DROP\n",
    ":V - [0:0]\n", ":INPUT DROP [3:4]\n", "-I U 1 ", "-D U 1\n", "-A U\n", "--comment ", "-c 1 2", "-t nat", "+", "\r", "'", "$", "\"\"",
];

fn cut() -> impl Strategy<Value = Cut> {
    let new = prop_oneof![3 => select(PIECES).prop_map(str::to_owned), 1 => "[ -~\\n]{0,4}", 1 => Just(String::new())];
    (any::<Index>(), prop_oneof![0usize..3, 0usize..30], new)
}

#[test]
fn every_rule_of_the_recordings_is_stable() {
    let text = include_str!("../../tests/iptables/rules.txt");
    let saved = text.lines().filter_map(|l| l.split_once(" => ")).map(|(_, s)| s).filter(|s| s.starts_with("-A "));
    let (mut n, mut wrong) = (0, Vec::new());
    for rule in saved.flat_map(|s| s.split(" ; ")) {
        let mut taken = false;
        for table in TABLES {
            match stable(&dump(table, &[rule.to_owned()])) {
                Ok(t) => taken |= t,
                Err(e) => wrong.push(e),
            }
        }
        n += 1;
        if !taken {
            wrong.push(format!("no table takes {rule}\n"));
        }
    }
    assert!(n > 400);
    assert!(wrong.is_empty(), "{} of {n}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn names_of_devices_are_bytes() {
    let rules = ["-A FORWARD -i é0 -o ü+ -j ACCEPT".to_owned()];
    assert_eq!(stable(&dump("filter", &rules)), Ok(true));
}

#[test]
fn damaged_dumps_are_refused_or_stable() {
    let corpus = corpus();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2000);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let lines = (select(TABLES.to_vec()), vec(any::<Index>(), 1..6));
    let inputs = (vec(lines, 1..3), vec(cut(), 0..5));
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let ran = runner.run(&inputs, |(tables, cuts)| {
        let text: String = (tables.iter())
            .map(|(table, picks)| {
                let here: Vec<_> = corpus.iter().filter(|(t, _)| t == table).collect();
                dump(table, &picks.iter().map(|i| i.get(&here).1.clone()).collect::<Vec<_>>())
            })
            .collect();
        let text = damaged(&text, &cuts);
        stable(&text).map(|_| ()).map_err(|e| TestCaseError::fail(format!("{text:?}\n{e}")))
    });
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
}

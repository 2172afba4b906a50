//! `docs/causes.md` lists every cause, and each scenario that it names exists. `PACKETWALK_UPDATE=1` writes it anew.

use packetwalk_sim::explain::{Cause, why};

fn document() -> String {
    let mut out = String::from(
        "# Causes\n\nWhat `packetwalk why` calls the reason of a failed probe, and what `cause:` expects in a scenario. The \
         codes never change. A scenario\nof the library shows each of those that have one: `packetwalk why SCENARIO`.\n\n\
         | code | meaning | scenario |\n|---|---|---|\n",
    );
    for c in Cause::ALL {
        let scenario = if c.scenario().is_empty() { String::new() } else { format!("`{}`", c.scenario()) };
        out.push_str(&format!("| `{}` | {} | {scenario} |\n", c.code(), c.about()));
    }
    out
}

#[test]
fn the_list_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/causes.md");
    if std::env::var_os("PACKETWALK_UPDATE").is_some() {
        std::fs::write(path, document()).expect("it can be written");
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == document(), "docs/causes.md is not up to date: run this test with PACKETWALK_UPDATE=1");
}

#[test]
fn codes_are_unique_and_scenarios_exist() {
    let mut codes: Vec<&str> = Cause::ALL.iter().map(|c| c.code()).collect();
    codes.sort_unstable();
    let all = codes.len();
    codes.dedup();
    assert_eq!(codes.len(), all);
    let mut names = Vec::new();
    for topic in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).expect("it is there").flatten() {
        for f in std::fs::read_dir(topic.path()).into_iter().flatten().flatten() {
            names.push(f.path().file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default());
        }
    }
    for c in Cause::ALL.iter().filter(|c| !c.scenario().is_empty()) {
        assert!(names.iter().any(|n| n == c.scenario()), "{}: there is no scenario {}", c.code(), c.scenario());
    }
}

/// The scenario that the list names shows the cause at one of its steps. What no cause is found for has none.
#[test]
fn each_scenario_shows_its_cause() {
    let mut texts = Vec::new();
    for topic in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).expect("it is there").flatten() {
        for f in std::fs::read_dir(topic.path()).into_iter().flatten().flatten() {
            texts.push(std::fs::read_to_string(f.path()).expect("it can be read"));
        }
    }
    let library: Vec<_> = texts.iter().filter_map(|t| packetwalk_sim::scenario::parse(t).ok()).collect();
    for c in Cause::ALL.iter().filter(|c| **c != Cause::Unexplained) {
        let s = library.iter().find(|s| s.name == c.scenario());
        let s = s.unwrap_or_else(|| panic!("{}: there is no scenario {:?}", c.code(), c.scenario()));
        let shows = |n| why(s, Some(n)).is_ok_and(|w| w.blockers.iter().any(|b| b.cause == *c));
        assert!((1..=s.steps.len()).any(shows), "{} does not show {}", s.name, c.code());
    }
}

/// Two bridges with two cables between them, and no spanning tree: a broadcast goes round until the model's bound, also
/// where it asks for somebody who is not there.
#[test]
fn frames_that_go_round() {
    let text = "name: x\nhosts: {a: 10.0.0.1/24}\nsetup:\n  - |-\n    a$ for b in br0 br1; do ip link add $b type bridge; ip link set $b up; done
    for n in 0 1; do ip link add a$n type veth peer name b$n; ip link set a$n master br0 up; ip link set b$n master br1 up; done
    ip addr add 10.9.0.1/24 dev br0
steps: [a> ping 10.9.0.2]
";
    let s = packetwalk_sim::scenario::parse(text).expect("it is right");
    let w = why(&s, None).expect("it fails");
    let said = packetwalk_sim::explain::text::text(&w);
    // What is found first: nobody has the address, so that no change makes the probe work.
    assert_eq!(w.blockers.iter().map(|b| b.cause).collect::<Vec<_>>(), [Cause::BridgeLoop], "{said}");
    assert!(said.contains("a/br0 and a/br1") && !said.contains("perf trace"), "{said}");
}

/// The sample of the README is what the program prints.
#[test]
fn the_sample_is_real() {
    let readme = include_str!("../README.md");
    let sample = readme.split("<!-- why:").nth(1).and_then(|s| s.split("```text\n").nth(1)?.split("```").next());
    let source = include_str!("../scenarios/several/off-and-dropped.yaml");
    let scenario = packetwalk_sim::scenario::parse(source).expect("it is right");
    let w = why(&scenario, None).expect("it fails");
    assert_eq!(sample, Some(packetwalk_sim::explain::text::text(&w).as_str()));
}

//! Whatever a scenario or a command line holds: no panic, no hang, and the same input gives the same output.

use packetwalk_sim::scenario::{self, run};
use packetwalk_sim::shell::{check_line, parse};
use packetwalk_sim::trace::text;
use proptest::prelude::*;

const GOOD: &str = "name: x\ntitle: t\nhosts:\n  a: 10.0.0.1/24\n  b: {interfaces: {eth0: {lan: lan, address: 10.0.0.2/24, mtu: 1500}}, gateway: 10.0.0.1, serve: [80, 53/udp]}\nseed: 3\nsetup:\n  - a$ true\nsteps:\n  - say: hello\n    run: a$ for i in 1 2; do echo \"$i $((i+1))\" | sed 's/1/x/g'; done\n    expect: {exit: 0, stdout: \"…\"}\n  - sleep: 1.5\n  - a> ping -W 1 10.0.0.2\n  - run: b$ x=${y:-z}; case $x in z*) echo `echo q`;; esac > /tmp/f; cat <<< \"$x\"\n    ask: {question: q, choices: [a, b], answer: a}\n";

/// Pieces of shell that are put together at random.
const SHELL: &[&str] = &[
    "echo",
    " ",
    "a",
    "$",
    "${",
    "}",
    "$((",
    "))",
    "$(",
    ")",
    "(",
    "`",
    "'",
    "\"",
    "\\",
    ";",
    "&&",
    "||",
    "|",
    "&",
    ">",
    "<",
    ">>",
    "2>&1",
    "<<EOF\n",
    "EOF\n",
    "<<<",
    "\n",
    "if ",
    "then ",
    "fi",
    "for i in ",
    "do ",
    "done",
    "while ",
    "case x in ",
    "esac",
    "{ ",
    "[ ",
    "]",
    "[[",
    "*",
    "?",
    "~",
    "#",
    "%",
    "/",
    ":",
    "=",
    "!",
    "1",
    "é",
    "\u{0}",
    "x=",
    "f() ",
    "time ",
    "sed 's/a/b/'",
    "awk '{print $1}'",
    "grep -o x",
    "printf '%5d'",
    "xargs -n1",
    "sh -c ",
    "test -f",
    "seq 3",
    "..",
    ",",
];

fn shell() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(SHELL), 0..24).prop_map(|v| v.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_scenario_text_panics(text in ".{0,200}") {
        let _ = scenario::parse(&text);
    }

    #[test]
    fn no_damaged_scenario_panics(at in 0usize..700, len in 0usize..20, with in ".{0,6}") {
        let chars: Vec<char> = GOOD.chars().collect();
        let at = at.min(chars.len());
        let end = (at + len).min(chars.len());
        let text: String = chars[..at].iter().copied().chain(with.chars()).chain(chars[end..].iter().copied()).collect();
        if let Ok(s) = scenario::parse(&text) {
            let _ = run::walk(&s).map(|w| text::print(&w, &text::Options::default()));
        }
    }

    #[test]
    fn no_line_panics(line in shell()) {
        let _ = check_line(&line);
        let scenario = format!("name: x\nhosts: {{a: 10.0.0.1/24}}\nsteps:\n  - run: {}\n", serde_json::to_string(&format!("a$ {line}")).expect("a string"));
        if let Ok(s) = scenario::parse(&scenario) {
            let _ = run::walk(&s);
        }
    }

    #[test]
    fn columns_lie_within_the_line(line in shell()) {
        if let Err(problems) = parse::parse(&line) {
            for p in problems {
                prop_assert!(p.col <= line.chars().count(), "{} beyond the end of {line:?}", p.col);
            }
        }
    }
}

#[test]
fn the_good_one_is_good_and_the_same_twice() {
    let s = scenario::parse(GOOD).expect("good");
    let show = || {
        let w = run::walk(&s).expect("it walks");
        (
            text::print(&w, &text::Options { verbose: true, ..text::Options::default() }),
            packetwalk_sim::trace::json::walk(&w).to_string(),
        )
    };
    assert_eq!(show(), show());
}

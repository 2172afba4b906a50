//! What a CI job sees of `packetwalk test`: each kind of assertion, each form of the report, parts and exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn packetwalk(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packetwalk")).args(args).env("NO_COLOR", "1").output().expect("it starts")
}

/// Runs `test` on one file.
fn test(text: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("case.yaml");
    std::fs::write(&path, text).expect("written");
    let path = path.display().to_string();
    let o = packetwalk(&[&["test", path.as_str()], more].concat());
    let plain = |b: &[u8]| String::from_utf8_lossy(b).replace(&path, "case.yaml");
    assert!(!plain(&o.stderr).contains("has a bug"), "{}", plain(&o.stderr));
    (o.status.code(), plain(&o.stdout), plain(&o.stderr))
}

fn says(text: &str, all: &[&str]) {
    for s in all {
        assert!(text.contains(s), "it does not say {s:?}:\n{text}");
    }
}

const HEAD: &str = "name: x\nhosts:\n  a: {interfaces: {eth0: 10.0.0.1/24}, serve: [80]}\n  b: {interfaces: {eth0: 10.0.0.2/24}, serve: [80, 53/udp]}\n  c: 10.0.0.3/24\n";

fn world(steps: &str) -> String {
    format!("{HEAD}steps:\n{steps}")
}

#[test]
fn reaches_holds_and_each_cell_stands_alone() {
    let steps = "  - reaches: {a: [b:80, \"b:53/udp\", b, 10.0.0.2:80], c: [a:80], \"[ab]\": [c]}\n  \
                 - run: a$ ip neigh\n    expect: {stdout: \"\"}\n";
    let (code, out, err) = test(&world(steps), &[]);
    assert_eq!(code, Some(0), "{out}{err}");
}

#[test]
fn a_cell_that_fails_tells_where_the_packet_ended() {
    let steps = "  - run: b$ iptables -A INPUT -p tcp --dport 80 -j DROP\n    expect:\n      reaches:\n        a: [b:80, not b:53/udp, b]\n";
    let (code, out, _) = test(&world(steps), &[]);
    assert_eq!(code, Some(1), "{out}");
    says(
        &out,
        &[
            "case.yaml:10:13: step 1, reaches",
            "expected a reaches b:80",
            "got      timeout (10.0.0.2)",
            "parted   b/eth0: DROP NETFILTER_DROP",
            "filter INPUT -p tcp -m tcp --dport 80 -j DROP",
            "case.yaml:10:19",
            "expected a does not reach b:53/udp",
            "got      reply",
        ],
    );
}

#[test]
fn a_closed_port_is_an_answer_and_a_firewalls_refusal_is_none() {
    let closed = "  - reaches: {a: [not b:81]}\n";
    // Nothing listens, yet nothing keeps the packet away: that is no isolation.
    let (code, out, _) = test(&world(closed), &[]);
    assert_eq!(code, Some(1), "{out}");
    says(&out, &["refused by the target itself"]);
    let refused = "  - run: b$ iptables -A INPUT -p tcp -j REJECT --reject-with tcp-reset\n    expect: {reaches: {a: [not b:81, not b:80]}}\n";
    assert_eq!(test(&world(refused), &[]).0, Some(0));
}

#[test]
fn none_tries_what_the_other_rows_name() {
    let steps = "  - run: b$ iptables -A INPUT -s 10.0.0.3 -j DROP\n    expect: {reaches: {a: [b:80], c: none}}\n";
    let (code, out, _) = test(&world(steps), &[]);
    assert_eq!(code, Some(1), "{out}");
    // The target is out of reach, the place of the other row is not.
    says(&out, &["expected c does not reach a"]);
    assert!(!out.contains("c does not reach b:80"), "{out}");
    let (code, _, err) = test(&world("  - reaches: {c: none}\n"), &[]);
    assert_eq!(code, Some(2));
    says(&err, &["case.yaml:7:18", "nothing is tried for `c: none`"]);
}

#[test]
fn unknown_places_and_targets_are_told_with_their_column() {
    let steps = "  - reaches: {a: [bb:80, b:0, b:80/sctp, n1/net:x], d: [a]}\n";
    let (code, _, err) = test(&world(steps), &[]);
    assert_eq!(code, Some(2), "{err}");
    says(
        &err,
        &[
            "case.yaml:7:19",
            "hosts, namespaces and containers here: a, b, c",
            "0 is no port",
            "`sctp` is neither tcp nor udp",
            "`n1`",
            "case.yaml:7:53",
        ],
    );
    let empty = "  - reaches: {a: []}\n  - expect: {cause: [], state: {a$ true: []}, reaches: {a: [b]}}\n";
    let (code, _, err) = test(&world(empty), &[]);
    assert_eq!(code, Some(2), "{err}");
    says(&err, &["`a` has no targets", "`cause` names no cause", "no text is expected", "case.yaml: 3 problems"]);
    let later = "  - reaches: {a: [\"x*\"]}\n";
    let (code, _, err) = test(&world(later), &[]);
    assert_eq!(code, Some(2), "{err}");
    says(&err, &["case.yaml:7:19", "no host, namespace or container fits"]);
}

#[test]
fn within_state_and_cause() {
    let good = "  - run: a> tcp 10.0.0.2:80\n    expect:\n      outcome: reply\n      within: 100ms\n      state:\n        b$ ip -br addr show eth0: \"…10.0.0.2/24…\"\n        a$ ip neigh: [\"10.0.0.2…\", \"…REACHABLE\"]\n";
    let (code, out, err) = test(&world(good), &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    let bad = "  - run: a> ping -W 2 10.0.0.9\n    expect:\n      within: 10ms\n      cause: no-route\n      state:\n        b$ ip route: \"…default…\"\n";
    let (code, out, _) = test(&world(bad), &[]);
    assert_eq!(code, Some(1), "{out}");
    says(&out, &["step 1, within", "expected 10ms", "step 1, state", "…default…", "case.yaml:12:9", "step 1, cause"]);
    let (code, _, err) =
        test(&world("  - run: a$ true\n    expect: {within: soon, cause: \"No Way\", state: {a$ frob: x}}\n"), &[]);
    assert_eq!(code, Some(2));
    says(&err, &["`soon` is no span of time", "`No Way` is no code", "the tool frob"]);
}

#[test]
fn a_path_that_breaks_off_tells_what_happened_there() {
    let steps = "  - run: c$ ip route add default via 10.0.0.1\n  - run: c> ping -W 1 172.16.0.1\n    expect: {outcome: reply, path: [c/eth0, a/eth0, b/eth0]}\n";
    let (code, out, _) = test(&world(steps), &[]);
    assert_eq!(code, Some(1), "{out}");
    says(
        &out,
        &[
            "parted   came as far as a/eth0; then a/eth0: DROP IP_INADDRERRORS",
            "(b/eth0 was not reached in this order)",
        ],
    );
}

const FAILS: &str = "  - run: a$ echo hi\n    expect: {stdout: \"h<o>, 100%\"}\n";

#[test]
fn junit_is_xml_with_the_failure_in_it() {
    let (code, out, _) = test(&world(FAILS), &["--format", "junit"]);
    assert_eq!(code, Some(1));
    let mut reader = quick_xml::Reader::from_str(&out);
    let mut seen = Vec::new();
    loop {
        match reader.read_event().expect("XML") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(e) => {
                seen.push(String::from_utf8_lossy(e.name().as_ref()).into_owned());
                assert!(e.attributes().all(|a| a.is_ok()));
            }
            _ => {}
        }
    }
    assert_eq!(seen, ["testsuites", "testsuite", "testcase", "failure"], "{out}");
    says(&out, &["tests=\"1\"", "failures=\"1\"", "expected h&lt;o&gt;, 100%"]);
    let (code, out, _) = test("name: [", &["--format", "junit"]);
    assert_eq!(code, Some(2));
    says(&out, &["errors=\"1\"", "<error"]);
}

#[test]
fn github_annotations_name_file_line_and_column() {
    let (code, out, _) = test(&world(FAILS), &["--format", "github"]);
    assert_eq!(code, Some(1));
    says(&out, &["::error file=case.yaml,line=8,col=22,title=x%3A step 1%2C stdout::expected h<o>, 100%25%0Agot"]);
    let (code, out, _) = test("name: X y\nhosts: {a: 10.0.0.300/24}\nsteps: [a$ true]\n", &["--format", "github"]);
    assert_eq!(code, Some(2));
    says(&out, &["::error file=case.yaml,line=1,col=7", "::error file=case.yaml,line=2,col=12"]);
}

#[test]
fn every_form_of_the_report() {
    let steps = "  - run: b$ iptables -A INPUT -s 10.0.0.3 -j DROP\n  - run: c> tcp -W 1 10.0.0.2:80\n    expect:\n      outcome: reply\n      \
                 path: [c/eth0, b/eth0, c/eth0]\n      reaches: {a: [b:80, not b], c: b:80}\n";
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/forms");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for form in ["text", "json", "junit", "github"] {
        let (code, out, _) = test(&world(steps), &["--format", form]);
        assert_eq!(code, Some(1));
        settings.bind(|| insta::assert_snapshot!(format!("test-{form}"), out));
    }
}

/// A folder of scenarios, each with a number; those that are divisible by three fail, one is no scenario.
fn suite(n: usize) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    for i in 0..n {
        let want = if i % 3 == 0 { "no" } else { "hi" };
        let text = format!(
            "name: s{i:02}\nhosts: {{a: 10.0.0.1/24}}\nsteps:\n  - run: a$ echo hi\n    expect: {{stdout: {want}}}\n"
        );
        let text = if i == 5 { "name: [".to_owned() } else { text };
        std::fs::write(dir.path().join(format!("s{i:02}.yaml")), text).expect("written");
    }
    let path = dir.path().to_owned();
    (dir, path)
}

fn names(path: &Path, more: &[&str]) -> Vec<String> {
    let o = packetwalk(&[&["test", "--format", "json", &path.display().to_string()], more].concat());
    let v: Value = serde_json::from_slice(&o.stdout).expect("JSON");
    let file = |x: &Value| x["file"].as_str().and_then(|f| f.rsplit('/').next()).unwrap_or_default().to_owned();
    v["scenarios"].as_array().map(|l| l.iter().map(file).collect()).unwrap_or_default()
}

#[test]
fn many_at_once_come_out_in_order_and_alike() {
    let (_dir, path) = suite(12);
    let folder = path.display().to_string();
    let one = packetwalk(&["test", &folder, "--jobs", "1"]);
    let many = packetwalk(&["test", &folder, "--jobs", "8"]);
    assert_eq!(one.status.code(), Some(2));
    assert_eq!((one.status.code(), &one.stdout, &one.stderr), (many.status.code(), &many.stdout, &many.stderr));
    says(
        &String::from_utf8_lossy(&one.stdout),
        &["FAIL s00", "ok   s01", "BAD  ", "7 passed, 4 failed, 1 could not be run"],
    );
    assert_eq!(names(&path, &[]).len(), 12);
}

#[test]
fn parts_are_disjoint_and_complete() {
    let (_dir, path) = suite(11);
    let all = names(&path, &[]);
    let parts: Vec<Vec<String>> = (1..=3).map(|k| names(&path, &["--partition", &format!("{k}/3")])).collect();
    let mut together: Vec<String> = parts.concat();
    together.sort();
    assert_eq!(together, all);
    assert_eq!(parts[0], names(&path, &["--partition", "1/3"]));
    for bad in ["0/3", "4/3", "a/b", "3", "1/0", "-1/3"] {
        let o = packetwalk(&["test", &path.display().to_string(), "--partition", bad]);
        assert_eq!(o.status.code(), Some(2), "{bad}");
    }
    assert_eq!(packetwalk(&["test", "--jobs", "0"]).status.code(), Some(2));
}

//! The command line: exit codes, clear errors, and no panic and no hang on bad input.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

fn packetwalk(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packetwalk")).args(args).env("NO_COLOR", "1").output().expect("it starts")
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("case.yaml");
    std::fs::File::create(&path).and_then(|mut f| f.write_all(text.as_bytes())).expect("written");
    (dir, path)
}

/// Runs `test` on a text: bad input, and all of these must be said.
fn refused(text: &str, says: &[&str]) {
    let (_dir, path) = file(text);
    for command in ["run", "test"] {
        let o = packetwalk(&[command, &path.display().to_string()]);
        let err = String::from_utf8_lossy(&o.stderr);
        assert_eq!(o.status.code(), Some(2), "{command}: {err}");
        assert!(!err.contains("has a bug"), "{err}");
        for s in says {
            assert!(err.contains(s), "{command} does not say {s:?}:\n{err}");
        }
    }
}

const HEAD: &str = "name: x\nhosts: {a: 10.0.0.1/24}\n";

#[test]
fn no_arguments_print_the_help() {
    let o = packetwalk(&[]);
    assert!(o.status.success());
    let text = String::from_utf8_lossy(&o.stdout);
    assert!(text.contains("run") && text.contains("test") && text.contains("tui"), "{text}");
}

#[test]
fn list_schema_and_completions() {
    assert!(String::from_utf8_lossy(&packetwalk(&["list"]).stdout).contains("namespaces"));
    assert!(serde_json::from_slice::<serde_json::Value>(&packetwalk(&["schema"]).stdout).is_ok());
    assert!(String::from_utf8_lossy(&packetwalk(&["completions", "bash"]).stdout).contains("packetwalk"));
}

#[test]
fn a_wrong_name_is_met_with_the_right_one() {
    let o = packetwalk(&["run", "namespacse"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&o.stderr).contains("did you mean `namespaces`?"));
    assert_eq!(packetwalk(&["run", "/no/such/file.yaml"]).status.code(), Some(2));
    assert_eq!(packetwalk(&["walk", "x"]).status.code(), Some(2));
}

/// Every command that takes a scenario tells what is wrong with what it was given, and what to do, and exits with 2.
#[test]
fn each_command_tells_bad_input() {
    let (_dir, garbage) = file("name: x\nhosts: {a: 10.0.0.1/24}\nsteps: [a> fly]\n");
    let garbage = garbage.display().to_string();
    let (_other, binary) = file("");
    std::fs::write(&binary, [0xff, 0xfe, 0x00, 0x80]).expect("written");
    let binary = binary.display().to_string();
    let rules = format!("node1={garbage}");
    let (_third, dump) = file("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n");
    let dump = dump.display().to_string();
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path().display().to_string();
    for (args, says) in [
        (&["why", "namespacse"][..], "did you mean `namespaces`?"),
        (&["why", "bridge-publish", "0"], "help: steps are numbered from 1"),
        (&["why", "bridge-publish", "99"], "there is no step 99: the scenario has 3"),
        (&["why", "bridge-publish", "two"], "invalid value 'two'"),
        (&["why", "bridge-publish", "2"], "help: name a step with a probe"),
        (&["why", &garbage], "case.yaml:3:"),
        (&["why", &binary], "help: save it as UTF-8"),
        (&["why", &folder], "is a directory, not a scenario"),
        (&["why", "/dev/null"], "is no regular file"),
        (&["diff", "veth", &garbage], "case.yaml:3:"),
        (&["diff", "veth", "--rules", &rules], "line 1 failed"),
        (
            &["filter", &garbage, "--in", "eth0", "--src", "192.0.2.9", "--dst", "192.0.2.1", "--dport", "1"],
            "line 1 failed",
        ),
        (
            &["filter", &dump, "--in", "a/b", "--src", "192.0.2.9", "--dst", "192.0.2.1", "--dport", "1"],
            "`a/b` is no name",
        ),
        (&["filter", &dump, "--in", "a", "--src", "::1", "--dst", "192.0.2.1", "--dport", "1"], "IPv6 is not modelled"),
        (
            &[
                "filter",
                &dump,
                "--in",
                "a",
                "--src",
                "192.0.2.9",
                "--dst",
                "192.0.2.1",
                "--dport",
                "1",
                "--proto",
                "icmp",
            ],
            "only tcp and udp have ports",
        ),
        (&["tui", "veth"], "draws on a terminal"),
        (&["test", &folder], "help: name another folder"),
        (&["test", "--partition", "4/3"], "there is no part 4 of 3"),
        (&["test", "--jobs", "0", "veth"], "invalid value '0'"),
        (&["test", "--format", "xml", "veth"], "possible values: text, json, junit, github"),
        (&["run", "veth", "--format", "svg", "--step", "99"], "help: steps are numbered from 1"),
    ] {
        let o = packetwalk(args);
        let said = format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr));
        assert_eq!(o.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(says) && !said.contains("has a bug"), "{args:?} does not say {says:?}:\n{said}");
    }
}

#[test]
fn broken_yaml() {
    refused("name: [", &["case.yaml:", "no YAML"]);
    refused("name: x\n\thosts: 1\n", &["case.yaml:"]);
    refused("a: &x [*x]\n", &["case.yaml:"]);
    refused("", &["case.yaml:1:1"]);
    refused("name: x\n---\nname: y\n", &["case.yaml:3:1", "a second document begins"]);
    refused(&format!("{HEAD}steps:\n  - run: \"a> ping \\0\"\n"), &["case.yaml:4:10", "a NUL character"]);
    refused(
        &format!("{HEAD}steps:\n  - run: a> ping 10.0.0.1\n    expect: {{exit: 0}}\n"),
        &["case.yaml:5:20", "a probe has no `exit`"],
    );
    refused(&"[".repeat(100_000), &["nested deeper"]);
    refused(&"- ".repeat(100_000), &["case.yaml:"]);
    refused(&format!("x: {}", "{a: ".repeat(5000)), &["nested deeper"]);
}

#[test]
fn every_problem_at_once() {
    let text = "name: X y\nhosts:\n  a: 10.0.0.300/24\n  b: {interfaces: {eth0: {adress: 10.0.0.2/33}}}\n\
                steps:\n  - run: c$ ip addr\n  - rnu: a$ true\n  - a$ pnig 10.0.0.1\n  - run: a$ true\n    expect: {outcome: replay}\n";
    refused(
        text,
        &[
            "case.yaml:1:7",
            "case.yaml:3:6",
            "did you mean `address`?",
            "case.yaml:6:10",
            "no host or namespace `c`",
            "did you mean `run`?",
            "did you mean `ping`?",
            "case.yaml:8:8",
            "did you mean `reply`?",
            "problems",
        ],
    );
}

#[test]
fn columns_inside_command_lines() {
    refused(&format!("{HEAD}steps:\n  - run: a$ true && frob -x\n"), &["case.yaml:4:21", "the tool frob"]);
    refused(&format!("{HEAD}steps:\n  - run: \"a$ echo 'x\"\n"), &["case.yaml:4:", "quote"]);
    refused(&format!("{HEAD}steps:\n  - a$ if true; then\n"), &["syntax error"]);
}

#[test]
fn dockerd_images_and_hits_are_read_strictly() {
    refused(
        "name: x\nimages: {own: {listn: [80]}}\nhosts: {a: {dockerd: {bipp: 1}}}\nsteps:\n  - run: a$ true\n    expect: {hits: [x]}\n",
        &["`listn`", "`bipp`", "write PLACE TABLE CHAIN"],
    );
}

#[test]
fn ten_megabytes() {
    let mut text = format!("{HEAD}steps:\n");
    while text.len() < 10 << 20 {
        text.push_str("  - run: a$ echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    }
    refused(&text, &["a scenario may have"]);
}

#[test]
fn endless_loops_end() {
    let (_dir, path) = file(&format!("{HEAD}steps:\n  - run: a$ while true; do :; done\n"));
    let o = packetwalk(&["test", &path.display().to_string()]);
    assert_ne!(o.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&o.stderr).contains("has a bug"));
}

#[test]
fn packets_that_loop_for_ever_are_cut_and_explained() {
    let build = "ip link add br0 type bridge; ip link add br1 type bridge; ip link add x0 type veth peer name x1; \
                 ip link add y0 type veth peer name y1; for d in x0 y0; do ip link set $d master br0 up; done; \
                 for d in x1 y1; do ip link set $d master br1 up; done; ip link set br0 up; ip link set br1 up; \
                 ip addr add 10.7.0.1/24 dev br0";
    let (_dir, path) = file(&format!("{HEAD}steps:\n  - run: a$ {build}\n  - run: a> ping -W 1 10.7.0.2\n"));
    let o = packetwalk(&["run", &path.display().to_string()]);
    let text = String::from_utf8_lossy(&o.stdout);
    assert!(text.contains("go round for ever") && text.contains("PACKETWALK_BOUND"), "{text}");
}

#[test]
fn failing_expectations_exit_with_1() {
    let (_dir, path) = file(&format!("{HEAD}steps:\n  - run: a$ echo hi\n    expect: {{stdout: ho}}\n"));
    let o = packetwalk(&["test", &path.display().to_string()]);
    let text = String::from_utf8_lossy(&o.stdout);
    assert_eq!(o.status.code(), Some(1), "{text}");
    assert!(text.contains("FAIL") && text.contains("expected ho") && text.contains("got      hi"), "{text}");
    let o = packetwalk(&["test", "--format", "json", &path.display().to_string()]);
    let v: serde_json::Value = serde_json::from_slice(&o.stdout).expect("JSON");
    assert_eq!(v["scenarios"][0]["failures"][0]["expected"], "ho");
}

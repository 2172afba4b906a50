//! `packetwalk doctor`: text at 80 columns, JSON, an exit status that says the same, and nothing left behind.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

fn doctor(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packetwalk")).arg("doctor").args(args).output().expect("the program runs")
}

#[test]
fn json_and_exit_status() {
    let out = doctor(&["--format", "json"]);
    let report: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.len() > 20, "{report}");
    for c in checks {
        let there = c["ok"].as_bool().expect("ok");
        assert!(!c["what"].as_str().unwrap().is_empty() && !c["costs"].as_str().unwrap().is_empty(), "{c}");
        assert_eq!(there, c["remedy"].as_str().unwrap().is_empty(), "what is missing has a remedy: {c}");
    }
    let complete = checks.iter().all(|c| c["ok"] == true);
    assert_eq!(out.status.code(), Some(if complete { 0 } else { 3 }), "{report:#}");
}

#[test]
fn text_fits_and_nothing_stays() {
    let state = || {
        let links = fs::read_to_string("/proc/net/dev").unwrap();
        let names: Vec<String> = links.lines().map(|l| l.split(':').next().unwrap().to_owned()).collect();
        (names, fs::read_to_string("/proc/self/mounts").unwrap())
    };
    let before = state();
    let out = doctor(&[]);
    assert_eq!(before, state());
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.starts_with("Linux ") && text.contains("network namespaces"), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
}

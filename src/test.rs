//! `packetwalk test`.

use std::path::{Path, PathBuf};

use packetwalk_sim::scenario::expect::{Failure, check};
use serde_json::{Value, json};

use crate::load::{self, Loaded};
use crate::{End, Format, out, problem};

/// Arguments of `test`.
#[derive(clap::Args)]
pub struct Args {
    /// Files, directories or library names; the whole library where left out
    paths: Vec<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs it.
pub fn run(a: &Args) -> End {
    let mut names: Vec<String> = Vec::new();
    let mut bad = 0usize;
    if a.paths.is_empty() {
        names.extend(load::library().into_iter().map(|x| x.1));
    }
    for p in &a.paths {
        let path = Path::new(p);
        if path.exists() {
            let mut files: Vec<PathBuf> = Vec::new();
            if let Err(e) = load::files_under(path, &mut files) {
                problem::error(&format!("{p}: {e}"), "");
                bad += 1;
            }
            if files.is_empty() {
                problem::error(&format!("there are no scenarios (*.yaml) under {p}"), "");
                bad += 1;
            }
            names.extend(files.into_iter().map(|f| f.display().to_string()));
        } else {
            names.push(p.clone());
        }
    }
    let (mut passed, mut failed) = (0usize, 0usize);
    let mut report: Vec<Value> = Vec::new();
    for n in &names {
        let Some(l) = load::load(n) else {
            bad += 1;
            report.push(json!({"scenario": n, "result": "bad-input"}));
            continue;
        };
        let Some(w) = crate::run::walk(&l) else {
            bad += 1;
            report.push(json!({"scenario": l.scenario.name, "file": l.file, "result": "bad-input"}));
            continue;
        };
        let failures = check(&w);
        if failures.is_empty() {
            passed += 1;
        } else {
            failed += 1;
        }
        if a.format == Format::Text {
            out::print(&text(&l, &failures));
        }
        let list: Vec<Value> = failures
            .iter()
            .map(|f| {
                json!({"step": f.step, "line": f.at.line, "column": f.at.column, "key": f.key,
                "expected": f.expected, "got": f.got})
            })
            .collect();
        let result = if failures.is_empty() { "pass" } else { "fail" };
        report.push(json!({"scenario": l.scenario.name, "file": l.file, "result": result, "failures": list}));
    }
    match a.format {
        Format::Text => out::print(&format!("\n{passed} passed, {failed} failed, {bad} could not be run\n")),
        Format::Json => out::print(&format!(
            "{:#}\n",
            json!({"schema_version": 1, "passed": passed, "failed": failed, "bad": bad, "scenarios": report})
        )),
    }
    match (bad, failed) {
        (0, 0) => End::Good,
        (0, _) => End::Failed,
        _ => End::Bad,
    }
}

fn text(l: &Loaded, failures: &[Failure]) -> String {
    let mut t = format!("{:<5}{}\n", if failures.is_empty() { "ok" } else { "FAIL" }, l.scenario.name);
    for f in failures {
        t.push_str(&format!("     {}:{}:{}: step {}, {}\n", l.file, f.at.line, f.at.column, f.step, f.key));
        for (label, value) in [("expected", &f.expected), ("got", &f.got)] {
            for (i, line) in value.lines().enumerate() {
                let label = if i == 0 { label } else { "" };
                t.push_str(&format!("       {label:<9}{line}\n"));
            }
        }
    }
    t
}

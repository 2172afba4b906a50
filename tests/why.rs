//! The catalogue of failures: `why` names the cause of each, and a change that was proved to mend it; and of scenarios
//! with several faults every one.

mod common;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use packetwalk_sim::explain::{Cause, text, why};
use packetwalk_sim::scenario::{self, Scenario};

use common::files;

fn library() -> Vec<Scenario> {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), &mut all);
    all.iter().filter_map(|p| scenario::parse(&std::fs::read_to_string(p).ok()?).ok()).collect()
}

fn entry(line: &str) -> Result<(), Failed> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, name, step, causes @ ..] = words.as_slice() else { return Err("a line needs four words".into()) };
    let s = library().into_iter().find(|s| s.name == *name).ok_or_else(|| format!("there is no scenario {name}"))?;
    let w = why(&s, Some(step.parse()?))?;
    let got: Vec<&str> = w.blockers.iter().map(|b| b.cause.code()).collect();
    if got != causes {
        return Err(format!("expected {causes:?}\n{}", text::text(&w)).into());
    }
    if w.fixes.is_empty() {
        return Err(format!("no change mends it\n{}", text::text(&w)).into());
    }
    Ok(())
}

/// Scenarios with several faults: all of them are found, and mended together.
fn several(s: &Scenario) -> Result<(), Failed> {
    let w = why(s, None)?;
    if w.blockers.len() < 2 || w.fixes.is_empty() {
        return Err(format!("not every fault was found\n{}", text::text(&w)).into());
    }
    // Each step that is expected to fail says what is in the way, and one less each time.
    let expected = |step: &scenario::Step| step.expect.as_ref().map_or(0, |e| e.cause.len());
    match s.steps.iter().map(expected).find(|n| *n > 0) {
        Some(n) if n == w.blockers.len() => Ok(()),
        n => Err(format!("the scenario names {n:?} causes\n{}", text::text(&w)).into()),
    }
}

/// A line of the catalogue: number, symptom, and why no failing probe shows it.
fn catalogue() -> Vec<[&'static str; 3]> {
    let lines = include_str!("why/catalogue.txt").lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    lines
        .map(|l| {
            let mut w = l.split('|').map(str::trim);
            std::array::from_fn(|_| w.next().unwrap_or_default())
        })
        .collect()
}

/// The scenarios of a number, as the table shows them: name, step and causes.
fn shown(id: &str) -> Vec<String> {
    let words = |l: &'static str| l.split_whitespace().collect::<Vec<_>>();
    let lines = include_str!("why/failures.txt").lines().map(words).filter(|w| w.first() == Some(&id));
    lines.map(|w| format!("`{}`, step {}: {}", w[1], w[2], w[3..].join(", "))).collect()
}

fn document() -> String {
    let mut out = String::from(
        "# Why pings fail\n\nWhat people report, and where the library shows it: `packetwalk why SCENARIO STEP` names the \
         cause and a change that was tried. What no\nfailing probe can show has its reason.\n\n\
         | | symptom | shown by |\n|---|---|---|\n",
    );
    for [id, symptom, why] in catalogue() {
        let scenarios = shown(id);
        let by = if scenarios.is_empty() { format!("not by a failing probe ({why})") } else { scenarios.join("; ") };
        out.push_str(&format!("| {id} | {symptom} | {by} |\n"));
    }
    out
}

/// Each number has either scenarios or a reason, none is missing, and the scenarios that a reason names are there.
fn catalogue_is_whole() -> Result<(), Failed> {
    let rows = [("F", 16), ("L", 11), ("N", 13), ("B", 8), ("D", 2), ("M", 3), ("V", 10)];
    let want: Vec<String> = rows.iter().flat_map(|(c, n)| (1..=*n).map(move |i| format!("{c}{i:02}"))).collect();
    let got: Vec<&str> = catalogue().iter().map(|r| r[0]).collect();
    if got != want {
        return Err(format!("expected {want:?}, got {got:?}").into());
    }
    let names: Vec<String> = library().into_iter().map(|s| s.name).collect();
    for [id, _, why] in catalogue() {
        match (shown(id).is_empty(), why.is_empty()) {
            (true, true) => return Err(format!("{id} has neither a scenario nor a reason").into()),
            (false, false) => return Err(format!("{id} has a scenario: it needs no reason").into()),
            _ => {}
        }
        // The last part of a reason may be a scenario's name in quotes.
        let named = why.rsplit_once("; `").and_then(|(_, rest)| rest.split('`').next());
        if let Some(n) = named.filter(|n| !n.contains(' ') && !names.iter().any(|x| x == n)) {
            return Err(format!("{id}: there is no scenario {n}").into());
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/failures.md");
    if std::env::var_os("PACKETWALK_UPDATE").is_some() {
        std::fs::write(path, document())?;
    }
    match std::fs::read_to_string(path).unwrap_or_default() == document() {
        true => Ok(()),
        false => Err("docs/failures.md is not up to date: run this test with PACKETWALK_UPDATE=1".into()),
    }
}

fn no_wider_than_80() -> Result<(), Failed> {
    for s in library() {
        let Ok(w) = why(&s, None) else { continue };
        let text = text::text(&w);
        // A command is never wrapped: it is to be copied.
        let wide = text.lines().find(|l| l.chars().count() > 80 && !l.contains("$ "));
        if let Some(l) = wide {
            return Err(format!("{}: {l}", s.name).into());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut trials = Vec::new();
    let lines = include_str!("why/failures.txt").lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    for l in lines.clone() {
        let name: Vec<&str> = l.split_whitespace().take(3).collect();
        trials.push(Trial::test(name.join("::"), move || entry(l)));
    }
    let mut ids: Vec<&str> = lines.filter_map(|l| l.split_whitespace().next()).collect();
    ids.dedup();
    trials.push(Trial::test("at_least_45_of_the_catalogue", move || match ids.len() {
        n if n >= 45 => Ok(()),
        n => Err(format!("{n} entries").into()),
    }));
    let many: Vec<Scenario> = library().into_iter().filter(|s| s.topics.iter().any(|t| t == "several")).collect();
    let count = many.len();
    for s in many {
        trials.push(Trial::test(format!("several::{}", s.name), move || several(&s)));
    }
    trials.push(Trial::test("at_least_15_with_several_faults", move || match count {
        n if n >= 15 => Ok(()),
        n => Err(format!("{n} scenarios").into()),
    }));
    trials.push(Trial::test("catalogue_is_whole", catalogue_is_whole));
    trials.push(Trial::test("text_fits_80_columns", no_wider_than_80));
    trials.push(Trial::test("codes_are_found_again", || {
        match Cause::ALL.iter().find(|c| Cause::by_code(c.code()) != Some(**c)) {
            None => Ok(()),
            Some(c) => Err(c.code().into()),
        }
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

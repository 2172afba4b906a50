//! The hunt: random scenarios on the live kernel and in the model. A divergence shrinks to a smallest scenario, which
//! is written to `tests/regressions` and stays.
//!
//! - `PACKETWALK_FUZZ_CASES=N`: so many cases, with progress and a summary by mechanism;
//! - `PACKETWALK_FUZZ_SEED=N`: the first seed, otherwise the one of ordinary runs;
//! - `PACKETWALK_FUZZ_INTO=FOLDER`: where smallest scenarios go instead, and the folder whose scenarios are run;
//! - `PACKETWALK_FUZZ_WORKERS=N`: labs side by side, otherwise eight for each core, and two in ordinary runs.

#[path = "differential/case.rs"]
mod case;
#[path = "differential/change.rs"]
mod change;
#[path = "differential/hunt.rs"]
mod hunt;
#[path = "differential/judge.rs"]
mod judge;
#[path = "differential/mistake.rs"]
mod mistake;
#[path = "differential/plan.rs"]
mod plan;
#[path = "differential/probe.rs"]
mod probe;
#[path = "differential/render.rs"]
mod render;
#[path = "differential/rule.rs"]
mod rule;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hunt::{Found, Wanted};
use judge::{Verdict, judge};
use libtest_mimic::{Arguments, Failed, Trial};
use packetwalk_real::stage;

/// Seeds and cases of ordinary runs. Nobody develops with these seeds.
const SEED: u64 = 7_000_000;
const CASES: u64 = 150;

/// The smallest scenario there is: whether the machine can do any.
const NOTHING: &str =
    "name: nothing\ntitle: Nothing\nhosts:\n  h1: 10.0.0.1/24\nsteps:\n  - 'h1> ping -W 1 10.0.0.1'\n";

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn regressions() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    std::env::var_os("PACKETWALK_FUZZ_INTO").map_or_else(own, PathBuf::from)
}

/// Why this machine cannot run any case.
fn missing() -> Option<String> {
    let mut lab = match hunt::lab() {
        Ok(l) => l,
        Err(e) => return Some(e),
    };
    match judge(&mut lab, NOTHING) {
        Verdict::Impossible(why) => Some(why),
        _ => None,
    }
}

/// A scenario that once diverged does no more. As in the hunt, what differs three times on end is no chance; what
/// differed and then did not is told, and fails nothing.
fn regression(file: &Path) -> Result<(), Failed> {
    const TRIES: usize = 3;
    let text = std::fs::read_to_string(file)?;
    let mut lab = hunt::lab()?;
    let mut last = Vec::new();
    for n in 1..=TRIES {
        match judge(&mut lab, &text) {
            Verdict::Equal => return Ok(()),
            Verdict::Differs(how) => {
                // Nobody reads: no reason to fail.
                let head = how.first().and_then(|h| h.lines().next()).unwrap_or_default();
                let line = format!("{}: try {n} of {TRIES} differs: {head}\n", file.display());
                let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
                last = how;
            }
            Verdict::Chance(what) => return Err(format!("not compared: {what}").into()),
            Verdict::Impossible(why) => return Err(why.into()),
        }
    }
    Err(last.join("\n").into())
}

fn seeds() -> Result<(), Failed> {
    let asked = number("PACKETWALK_FUZZ_CASES");
    let into = regressions();
    let chances =
        std::env::var_os("PACKETWALK_FUZZ_INTO").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    let seed = number("PACKETWALK_FUZZ_SEED").unwrap_or(SEED);
    let found = hunt::hunt(&Wanted { seed, cases: asked.unwrap_or(CASES), progress: asked.is_some(), into, chances });
    let text = summary(&found);
    if asked.is_some() {
        // Nobody reads: no reason to fail.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }
    if found.divergent.is_empty() && found.impossible.is_empty() { Ok(()) } else { Err(text.into()) }
}

fn summary(f: &Found) -> String {
    let mut t = String::from("\nmechanism                        cases  divergent\n");
    for (word, (n, bad)) in &f.words {
        let _ = writeln!(t, "{word:<32} {n:>5}  {bad:>9}");
    }
    for (seed, how) in &f.once {
        let _ = writeln!(t, "seed {seed}, once and not again: {how}");
    }
    for (seed, file, how) in &f.divergent {
        let _ = writeln!(
            t,
            "seed {seed}, {}: {how}",
            file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into())
        );
    }
    for (what, n) in &f.chance {
        let _ = writeln!(t, "not compared: {what}: {n}");
    }
    for why in &f.impossible {
        let _ = writeln!(t, "not run: {why}");
    }
    let mut slow = f.slow.clone();
    slow.sort();
    if let Some((half, _)) = slow.get(slow.len() / 2) {
        let worst = slow.iter().rev().take(5).map(|(t, seed)| format!("{seed} {:.1} s", t.as_secs_f64()));
        let worst: Vec<String> = worst.collect();
        let _ =
            writeln!(t, "half of the cases take {:.2} s or less; longest: {}", half.as_secs_f64(), worst.join(", "));
    }
    let mean = f.size.map(|n| n as f64 / f.cases.max(1) as f64);
    let _ = writeln!(t, "a case has {:.1} namespaces and {:.1} bridges on average", mean[0], mean[1]);
    let secs = f.took.as_secs_f64();
    let (n, bad) = (f.cases, f.divergent.len());
    let rate = n as f64 / secs;
    let _ = writeln!(t, "{n} cases in {secs:.1} s, {rate:.1}/s; divergent {bad}, once and not again {}", f.once.len());
    t
}

fn main() -> ExitCode {
    if let Some(code) = stage::take_part() {
        return code;
    }
    let args = Arguments::from_args();
    let why = if args.list { None } else { missing() };
    let trial = |name: String, run: Box<dyn FnOnce() -> Result<(), Failed> + Send>| match &why {
        Some(w) => Trial::test(name, run).with_kind(w.clone()).with_ignored_flag(true),
        None => Trial::test(name, run),
    };
    let mut all = vec![trial("seeds".into(), Box::new(seeds))];
    for file in hunt::files(&regressions()) {
        let name = file.file_stem().map_or_else(String::new, |n| n.to_string_lossy().into());
        all.push(trial(name, Box::new(move || regression(&file))));
    }
    libtest_mimic::run(&args, all).exit_code()
}

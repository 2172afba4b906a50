//! Every scenario of the library on the live kernel: model and kernel must not differ anywhere.
//!
//! Where this machine cannot build a lab the tests are ignored, with the reason; `PACKETWALK_LIVE=must` makes that a
//! failure. A scenario whose comparison diverges is run up to twice more, because the machine may have been too busy to
//! keep the scenario's times; that it took another run is printed, and it fails where the last one diverges too. Those that
//! are known to differ, or must not be run, are in `tests/live/differences.txt`, each with its reason.
//!
//! `PACKETWALK_RECORD=1` keeps what was recorded, where the model does not differ from it, in `tests/recordings/library`:
//! everybody's tests hold the model against that (`tests/recorded.rs`).

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use common::files;
use libtest_mimic::{Arguments, Failed, Trial};

/// How often a scenario is run before its divergence counts.
const RUNS: usize = 3;

/// The smallest scenario: whether this machine can build a lab at all.
const SMALLEST: &str = "veth";

fn packetwalk(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packetwalk")).args(args).output().expect("the program runs")
}

fn compare(scenario: &str) -> Output {
    let Some(file) = recording_of(Path::new(scenario)) else { return packetwalk(&["compare", "--all", scenario]) };
    let new = file.with_extension("new");
    let made = packetwalk(&["record", scenario, "-o", &new.display().to_string()]);
    match made.status.code() {
        Some(0) => {}
        // Not to be built here: what is compared of it.
        Some(3) => return packetwalk(&["compare", "--all", scenario]),
        _ => return made,
    }
    let o = packetwalk(&["compare", "--all", "--against", &new.display().to_string(), scenario]);
    let kept = if o.status.success() { std::fs::rename(&new, &file) } else { std::fs::remove_file(&new) };
    kept.expect("the folder of recordings can be written");
    o
}

/// Where a scenario's recording is kept, if it is to be.
fn recording_of(scenario: &Path) -> Option<PathBuf> {
    std::env::var_os("PACKETWALK_RECORD").filter(|v| v == "1")?;
    let name = scenario.file_stem().filter(|_| scenario.extension().is_some())?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/library");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join(name).with_extension("json"))
}

/// How a scenario is known to differ, and why.
fn known(file: &Path) -> Option<(&'static str, &'static str)> {
    let name = file.file_stem()?.to_str()?;
    let line = |l: &'static str| {
        let mut w = l.splitn(2, char::is_whitespace);
        (w.next() == Some(name)).then(|| w.next().unwrap_or_default().trim())
    };
    let rest = include_str!("live/differences.txt").lines().find_map(line)?;
    rest.split_once(char::is_whitespace).map(|(how, why)| (how, why.trim()))
}

fn equal(path: &Path) -> Result<(), Failed> {
    let file = &path.display().to_string();
    let first = compare(file);
    match (known(path), first.status.code()) {
        (Some(("always", why)), Some(0)) => {
            return Err(format!("equal, though it is listed as different: {why}").into());
        }
        (None, Some(0)) | (Some(_), Some(0 | 1)) => return Ok(()),
        _ => {}
    }
    let mut last = first;
    for run in 2..=RUNS {
        let again = compare(file);
        if again.status.success() {
            eprintln!("{file}: equal at run {run} only; before:\n{}", said(&last));
            return Ok(());
        }
        last = again;
    }
    Err(said(&last).into())
}

fn said(o: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr))
}

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // A lab is itself several processes; more at once would make the scenarios' times wrong.
    args.test_threads.get_or_insert(1);
    let probe = if args.list { None } else { Some(compare(SMALLEST)) };
    let cannot = probe.filter(|o| o.status.code() == Some(3)).map(|o| said(&o));
    let must = std::env::var_os("PACKETWALK_LIVE").is_some_and(|v| v == "must");
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), &mut found);
    let trial = |file: PathBuf| {
        let name = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(&file).display().to_string();
        if let Some(("never", why)) = known(&file) {
            return Trial::test(name, || Ok(())).with_kind(why).with_ignored_flag(true);
        }
        match &cannot {
            Some(why) if !must => {
                let why = why.clone();
                let kind = why.lines().next().unwrap_or("no lab").to_owned();
                Trial::test(name, move || Err(why.into())).with_kind(kind).with_ignored_flag(true)
            }
            Some(why) => {
                let why = why.clone();
                Trial::test(name, move || Err(why.into()))
            }
            None => Trial::test(name, move || equal(&file)),
        }
    };
    let trials = found.into_iter().map(trial).collect();
    libtest_mimic::run(&args, trials).exit_code()
}

//! The library's recordings of the live kernel, in `tests/recordings/library`: model and kernel must not differ, on any
//! machine and without privilege.
//!
//! A recording is of one text: who changes a scenario records it anew, which takes root (`tests/live.rs` says how).

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use common::files;
use libtest_mimic::{Arguments, Failed, Trial};

fn equal(recording: &Path, scenario: &Path) -> Result<(), Failed> {
    let mut cmd = Command::new(env!("CARGO_BIN_EXE_packetwalk"));
    let o = cmd.args(["compare", "--all", "--against"]).arg(recording).arg(scenario).output()?;
    if o.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr)).into())
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scenarios: Vec<PathBuf> = Vec::new();
    files(&root.join("scenarios"), &mut scenarios);
    let mut left: Vec<PathBuf> = std::fs::read_dir(root.join("tests/recordings/library"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .collect();
    let mut trials = Vec::new();
    for s in scenarios {
        let Some(at) = left.iter().position(|r| r.file_stem() == s.file_stem()) else { continue };
        let r = left.swap_remove(at);
        let name = s.file_stem().map_or_else(String::new, |n| n.to_string_lossy().into());
        trials.push(Trial::test(name, move || equal(&r, &s)));
    }
    trials.push(Trial::test("each is of a scenario", move || match left.first() {
        Some(r) => Err(format!("{}: the library has no such scenario", r.display()).into()),
        None => Ok(()),
    }));
    libtest_mimic::run(&args, trials).exit_code()
}

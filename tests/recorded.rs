//! The library's recordings of the live kernel, in `tests/recordings/library`: model and kernel must not differ, on any
//! machine and without privilege.
//!
//! A recording is of one text: who changes a scenario records it anew, which takes root (`tests/live.rs` says how).

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use common::files;
use libtest_mimic::{Arguments, Failed, Trial};
use packetwalk_real::compare::compare;
use packetwalk_real::recording::Recording;
use packetwalk_real::replay;

fn equal(recording: &Path, scenario: &Path) -> Result<(), Failed> {
    let mut cmd = Command::new(env!("CARGO_BIN_EXE_packetwalk"));
    let o = cmd.args(["compare", "--all", "--against"]).arg(recording).arg(scenario).output()?;
    if o.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr)).into())
}

/// A drop that only the model tells of differs, unless a processor's idle task was not heard there: then it is not
/// compared, and that is said.
fn unheard() -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("tests/recordings/library/forward-drop.json"))?;
    let mut r: serde_json::Value = serde_json::from_str(&text)?;
    let steps = r["steps"].as_array_mut().ok_or("no steps")?;
    steps.iter_mut().for_each(|s| s["drops"] = serde_json::json!([]));
    let folder = tempfile::tempdir()?;
    let run = |r: &serde_json::Value| -> Result<(bool, String), Failed> {
        let file = folder.path().join("forward-drop.json");
        std::fs::write(&file, r.to_string())?;
        let mut cmd = Command::new(env!("CARGO_BIN_EXE_packetwalk"));
        let o = cmd
            .args(["compare", "--against"])
            .arg(&file)
            .arg(root.join("scenarios/docker/forward-drop.yaml"))
            .output()?;
        let words = String::from_utf8_lossy(&o.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((o.status.success(), words))
    };
    let (equal, told) = run(&r)?;
    if equal || !told.contains("NETFILTER_DROP") {
        return Err(format!("a drop is missing there, and that is no difference:\n{told}").into());
    }
    r["idle_unheard"] = serde_json::json!([1]);
    let (equal, told) = run(&r)?;
    if !equal || !told.contains("perf tells nothing of the idle task of CPU 1") || told.ends_with("not compared 0") {
        return Err(format!("it may have been done unheard:\n{told}").into());
    }
    Ok(())
}

/// A timer that fires while the end is looked at: both what was before it and what was after it is equal, and what never
/// was differs. The FIN of a client whose server hears nothing is repeated.
fn looked() -> Result<(), Failed> {
    const SCENARIO: &str = "name: looked\ntitle: A FIN again\nhosts:\n  h1: {interfaces: {eth0: {lan: lan, address: 10.0.0.1/24}}, serve: [80]}\n  h2: 10.0.0.2/24\nsteps: ['h2> http -W 0.1 10.0.0.1:80']\n";
    let rule = "iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j DROP";
    let steps = serde_json::json!([
        {"n": 1, "op": "cmd", "host": "h1", "cmd": rule, "ns": 1_000_000},
        {"n": 2, "op": "probe", "from": "h2", "what": "http -W 0.1 10.0.0.1:80", "ns": 101_000_000},
    ]);
    let mut r = Recording { json: serde_json::json!({"by": "packetwalk", "scenario": SCENARIO, "steps": steps}) };
    let play = |r: &Recording| Ok::<_, Failed>(replay::play(r, replay::world(r)?));
    let state = |r: &Recording| Ok::<_, Failed>(compare(r, &play(r)?).0[2].clone());
    r.json["state"] = serde_json::json!({"end": {"ns": play(&r)?.states[0].1, "looked_ns": 1_000_000_000}});
    let before = state(&r)?;
    let late = play(&r)?.late.ok_or("nothing happens within a second")?;
    r.json["state"]["end"]["ns"] = late.into();
    let after = state(&r)?;
    r.json["state"]["end"]["looked_ns"] = 0.into();
    let at_once = state(&r)?;
    if !before.is_empty() || !after.is_empty() || !at_once.iter().any(|d| d.contains("conntrack")) {
        return Err(format!("before: {before:?}\nafter: {after:?}\nwith no time for it: {at_once:?}").into());
    }
    Ok(())
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
    trials.push(Trial::test("what an idle processor may have done unheard", unheard));
    trials.push(Trial::test("what happens while the end is looked at", looked));
    trials.push(Trial::test("each is of a scenario", move || match left.first() {
        Some(r) => Err(format!("{}: the library has no such scenario", r.display()).into()),
        None => Ok(()),
    }));
    libtest_mimic::run(&args, trials).exit_code()
}

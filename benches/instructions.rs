//! Instructions per device reception, counted by valgrind's callgrind: the difference of two runs of `pingall`,
//! so that building the world does not count. Steady on noisy machines, unlike seconds.
//!
//! `cargo bench --bench instructions`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What one run took: instructions, receptions.
fn measure(pingall: &Path, n: u32, trace: bool) -> Result<(u64, u64), String> {
    let mut c = Command::new("valgrind");
    c.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(pingall).arg(n.to_string());
    if trace {
        c.arg("--trace");
    }
    let out = c.output().map_err(|e| format!("valgrind: {e} (install the package valgrind)"))?;
    let (text, log) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if !out.status.success() {
        return Err(format!("pingall {n} failed under valgrind:\n{log}"));
    }
    let number = |text: &str, after: &str| {
        let rest = text.split(after).nth(1)?;
        rest.split_whitespace().next()?.replace(',', "").parse::<u64>().ok()
    };
    let instructions = number(&log, "Collected :").ok_or_else(|| format!("no count in:\n{log}"))?;
    let receptions = number(&text, "receptions").ok_or_else(|| format!("no receptions in: {text}"))?;
    Ok((instructions, receptions))
}

/// The example beside this benchmark's own binary: `target/release/deps/…` → `target/release/examples/pingall`.
fn pingall() -> Result<PathBuf, String> {
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let p = me.ancestors().nth(2).map(|d| d.join("examples/pingall")).filter(|p| p.is_file());
    p.ok_or_else(|| "build the example first: cargo build --release --example pingall".to_owned())
}

fn run() -> Result<(), String> {
    let bin = pingall()?;
    for trace in [false, true] {
        let (i1, r1) = measure(&bin, 20, trace)?;
        let (i2, r2) = measure(&bin, 60, trace)?;
        let per = (i2 - i1) as f64 / (r2 - r1) as f64;
        println!("{}: {per:.1} instructions per reception", if trace { "full trace" } else { "no recorder" });
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

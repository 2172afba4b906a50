//! Instructions counted by valgrind's callgrind: per device reception of `pingall`, per rule that misses, per packet
//! among many tracked connections, per container started, per ping over an overlay network of fifty hosts; per frame of
//! the screen, and per step on it. Each is the difference of two runs, so that building the world does not count.
//! Steady on noisy machines, unlike seconds.
//!
//! `cargo bench --bench instructions`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The number that follows a word.
fn number(text: &str, after: &str) -> Option<u64> {
    let rest = text.split(after).nth(1)?;
    rest.split_whitespace().next()?.replace(',', "").parse().ok()
}

/// What one run took, and what it printed.
fn count(bin: &Path, args: &[String]) -> Result<(u64, String), String> {
    let mut c = Command::new("valgrind");
    c.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(bin).args(args);
    let out = c.output().map_err(|e| format!("valgrind: {e} (install the package valgrind)"))?;
    let (text, log) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if !out.status.success() {
        return Err(format!("{} {} failed under valgrind:\n{log}", bin.display(), args.join(" ")));
    }
    let instructions = number(&log, "Collected :").ok_or_else(|| format!("no count in:\n{log}"))?;
    Ok((instructions, text.into_owned()))
}

/// An example beside this benchmark's own binary: `target/release/deps/…` → `target/release/examples/NAME`. It is built
/// first, or what is measured might be an older one.
fn example(name: &str) -> Result<PathBuf, String> {
    let built = Command::new(env!("CARGO")).args(["build", "--release", "--example", name]).status();
    if !built.is_ok_and(|s| s.success()) {
        return Err(format!("the example {name} cannot be built"));
    }
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let p = me.ancestors().nth(2).map(|d| d.join("examples").join(name)).filter(|p| p.is_file());
    p.ok_or_else(|| format!("the example {name} was built, and is not beside {}", me.display()))
}

/// Instructions per device reception.
fn receptions() -> Result<(), String> {
    let bin = example("pingall")?;
    for trace in [false, true] {
        let run = |n: u32| {
            let mut args = vec![n.to_string()];
            args.extend(trace.then(|| "--trace".to_owned()));
            let (instructions, text) = count(&bin, &args)?;
            let r = number(&text, "receptions").ok_or_else(|| format!("no receptions in: {text}"))?;
            Ok::<_, String>((instructions, r))
        };
        let ((i1, r1), (i2, r2)) = (run(20)?, run(60)?);
        let per = (i2 - i1) as f64 / (r2 - r1) as f64;
        println!("{}: {per:.1} instructions per reception", if trace { "full trace" } else { "no recorder" });
    }
    Ok(())
}

/// What `PACKETS` more of them cost each: `firewall WHAT N PACKETS`.
fn per_packet(what: &str, n: u32, packets: u32) -> Result<f64, String> {
    let bin = example("firewall")?;
    let run = |p: u32| Ok::<_, String>(count(&bin, &[what.into(), n.to_string(), p.to_string()])?.0);
    let (few, many) = (run(packets)?, run(3 * packets)?);
    Ok((many - few) as f64 / f64::from(2 * packets))
}

/// An overlay network of 50 hosts with 40 containers each: what the example prints of it, and instructions per ping.
fn overlay() -> Result<(), String> {
    let bin = example("overlay")?;
    let args = |pings: u32| ["50".to_owned(), "40".to_owned(), pings.to_string()];
    let out = Command::new(&bin).args(args(1000)).output().map_err(|e| e.to_string())?;
    print!("{}", String::from_utf8_lossy(&out.stdout));
    let (few, many) = (count(&bin, &args(100))?.0, count(&bin, &args(1100))?.0);
    println!("overlay: {:.0} instructions per ping", (many - few) as f64 / 1000.0);
    Ok(())
}

/// What a container more costs its engine, half of them with a published port.
fn per_container() -> Result<f64, String> {
    let bin = example("docker")?;
    let run = |n: u32| Ok::<_, String>(count(&bin, &[n.to_string(), "20".into(), (n / 2).to_string()])?.0);
    let (few, many) = (run(100)?, run(300)?);
    Ok((many - few) as f64 / 200.0)
}

/// A frame of 1,000 namespaces is to take less than 5 ms of a processor, which carries out at least so many meanwhile.
const FRAME: f64 = 5_000_000.0;

/// Steps of a turn of the example.
const STEPS: f64 = 48.0;

/// What the screen takes: per frame of a world with many namespaces, and per step at the begin and at the end of a long
/// trace, which must not differ.
fn screen() -> Result<(), String> {
    let bin = example("screen")?;
    let per = |what: &str, n: u32, turns: u32| {
        let run = |t: u32| Ok::<_, String>(count(&bin, &[what.into(), n.to_string(), t.to_string()])?.0);
        let (few, many) = (run(turns)?, run(3 * turns)?);
        Ok::<_, String>((many - few) as f64 / f64::from(2 * turns))
    };
    let frame = per("frame", 1000, 20)?;
    println!("screen: {frame:.0} instructions per frame of 1000 namespaces");
    let (begin, end) = (per("begin", 100_000, 4)? / STEPS, per("end", 100_000, 4)? / STEPS);
    println!("screen: {begin:.0} instructions per step at the begin of 100000 events, {end:.0} at their end");
    if frame > FRAME {
        return Err(format!("a frame takes more than {FRAME:.0} instructions"));
    }
    if end > begin * 1.25 {
        return Err("a step at the end of a long trace is slower than one at its begin".into());
    }
    Ok(())
}

fn run() -> Result<(), String> {
    screen()?;
    receptions()?;
    overlay()?;
    println!("docker run: {:.0} instructions per container", per_container()?);
    let (none, many) = (per_packet("rules", 0, 100)?, per_packet("rules", 10_000, 100)?);
    println!("10000 rules that miss: {:.1} instructions per rule and packet", (many - none) / 10_000.0);
    for n in [1000, 1_000_000] {
        println!("conntrack among {n} entries: {:.0} instructions per packet", per_packet("conntrack", n, 20_000)?);
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

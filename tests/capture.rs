//! A capture as an independent program reads it: `tshark` of Wireshark.
//!
//! Where it is not installed the test is ignored, with the reason; `PACKETWALK_LIVE=must` makes that a failure.

use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

const FIELDS: [&str; 5] = ["frame.interface_name", "frame.time_epoch", "frame.comment", "ip.dst", "tcp.dstport"];

/// The lines that tshark makes of a capture file.
fn read(file: &Path) -> Result<Vec<Vec<String>>, Failed> {
    let mut c = Command::new("tshark");
    c.arg("-r").arg(file).args(["-T", "fields", "-E", "separator=\t", "-o", "ip.check_checksum:TRUE"]);
    let o = c.args(FIELDS.iter().flat_map(|f| ["-e", f])).output()?;
    if !o.status.success() {
        return Err(String::from_utf8_lossy(&o.stderr).into_owned().into());
    }
    let text = String::from_utf8_lossy(&o.stdout).into_owned();
    Ok(text.lines().map(|l| l.split('\t').map(str::to_owned).collect()).collect())
}

/// Frames with a wrong header or checksum, as tshark counts them.
fn malformed(file: &Path) -> Result<usize, Failed> {
    let filter = "_ws.malformed || ip.checksum.status == \"Bad\"";
    let args = ["-o", "ip.check_checksum:TRUE", "-Y", filter];
    let o = Command::new("tshark").arg("-r").arg(file).args(args).output()?;
    Ok(String::from_utf8_lossy(&o.stdout).lines().count())
}

fn capture() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("walk.pcapng");
    let exe = env!("CARGO_BIN_EXE_packetwalk");
    let args = ["run", "bridge-publish", "--format", "pcapng", "-o"];
    let o = Command::new(exe).args(args).arg(&file).output()?;
    if !o.status.success() {
        return Err(String::from_utf8_lossy(&o.stderr).into_owned().into());
    }
    let frames = read(&file)?;
    let at = |name: &str, dst: &str| frames.iter().find(|f| f[0] == name && f[3] == dst);
    let before = at("client/eth0", "192.168.91.128").ok_or("no frame of the client")?;
    let after = at("node1/web/eth0", "172.17.0.2").ok_or("no frame at the container")?;
    if (before[4].as_str(), after[4].as_str()) != ("8080", "80") {
        return Err(format!("ports: {before:?}, {after:?}").into());
    }
    // Nanoseconds of the virtual clock: nine digits after the point.
    if before[1].rsplit('.').next().map(str::len) != Some(9) || before[1] >= after[1] {
        return Err(format!("times: {} and {}", before[1], after[1]).into());
    }
    let told = frames.iter().any(|f| f[0] == "node1/eth0" && f[2].contains("becomes 172.17.0.2:80"));
    if !told {
        return Err("no comment tells of the translation".into());
    }
    match malformed(&file)? {
        0 => Ok(()),
        n => Err(format!("{n} frames are malformed").into()),
    }
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let there = Command::new("tshark").arg("--version").output().is_ok_and(|o| o.status.success());
    let must = std::env::var_os("PACKETWALK_LIVE").is_some_and(|v| v == "must");
    let trial = match (there, must) {
        (true, _) => Trial::test("tshark reads a capture", capture),
        (false, true) => {
            Trial::test("tshark reads a capture", || Err("tshark is missing: Debian package tshark".into()))
        }
        (false, false) => {
            Trial::test("tshark reads a capture", || Ok(())).with_kind("no tshark").with_ignored_flag(true)
        }
    };
    libtest_mimic::run(&args, vec![trial]).exit_code()
}

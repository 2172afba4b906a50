//! A lab of ten namespaces, built, probed, watched and taken down, against the same as a shell script of `ip`,
//! `iptables` and `ping`: run by turns, as root. `cargo run --release -p packetwalk-real --example lab_speed [RUNS]`.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use packetwalk_real::stage::{self, Lab};

/// Hosts on each of the two LANs; with the router and the switch they are ten namespaces.
const HOSTS: usize = 4;

fn main() -> ExitCode {
    if let Some(code) = stage::take_part() {
        return code;
    }
    let runs = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(15);
    match measure(runs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn measure(runs: usize) -> io::Result<()> {
    let exe = std::env::current_exe()?;
    let (mut labs, mut scripts) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        labs.push(timed(|| lab(&exe))?);
        scripts.push(timed(|| script(&script_text()))?);
    }
    let (l, s) = (told("lab", labs), told("script", scripts));
    println!("the lab takes {:.0}% of the script's time (medians)", 100.0 * l / s);
    Ok(())
}

fn timed(what: impl FnOnce() -> io::Result<()>) -> io::Result<Duration> {
    let began = Instant::now();
    what()?;
    Ok(began.elapsed())
}

fn told(name: &str, mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let median = ms(times[times.len() / 2]);
    println!("{name:<7} min {:6.1} ms  median {median:6.1} ms  of {}", ms(times[0]), times.len());
    median
}

/// The lab, with all its watching, until its processes are gone.
fn lab(exe: &Path) -> io::Result<()> {
    let mut lab = Lab::start(exe)?;
    let recording = lab.record(&scenario(), &mut |_, _| {}).map_err(io::Error::other)?;
    if let Some(p) = std::env::var_os("KEEP") {
        std::fs::write(p, recording.to_string())?;
    }
    drop(lab);
    Ok(())
}

/// Host `n` of LAN `lan`.
fn hosts() -> impl Iterator<Item = (usize, usize, String)> {
    (1..=2).flat_map(|lan| (1..=HOSTS).map(move |n| (lan, n, format!("h{lan}{n}"))))
}

fn scenario() -> String {
    let mut t =
        "name: speed\ntitle: speed\nhosts:\n  r:\n    interfaces: {eth0: {lan: l1, address: 10.0.1.254/24}, eth1: \
                 {lan: l2, address: 10.0.2.254/24}}\n    sysctl: {net.ipv4.ip_forward: 1}\n"
            .to_owned();
    for (lan, n, name) in hosts() {
        let _ = writeln!(
            t,
            "  {name}: {{interfaces: {{eth0: {{lan: l{lan}, address: 10.0.{lan}.{n}/24}}}}, gateway: 10.0.{lan}.254}}"
        );
    }
    t.push_str("steps:\n  - run: r$ iptables -A FORWARD -p icmp -j ACCEPT\n  - run: r$ iptables -P FORWARD DROP\n");
    for (lan, n, name) in hosts() {
        let _ = writeln!(t, "  - run: {name}> ping 10.0.{}.{n}", 3 - lan);
    }
    t
}

fn script_text() -> String {
    let mut t = "set -e\nmount -t tmpfs tmpfs /run\nip netns add sw\nip netns add r\n".to_owned();
    for lan in 1..=2 {
        let _ = writeln!(t, "ip -n sw link add l{lan} type bridge\nip -n sw link set l{lan} up");
        let _ = writeln!(t, "ip -n sw link add r{lan} type veth peer name eth{} netns r", lan - 1);
        let _ = writeln!(t, "ip -n sw link set r{lan} master l{lan} up");
        let _ = writeln!(t, "ip -n r addr add 10.0.{lan}.254/24 dev eth{0}\nip -n r link set eth{0} up", lan - 1);
    }
    t.push_str("ip netns exec r sysctl -qw net.ipv4.ip_forward=1\n");
    for (lan, n, name) in hosts() {
        let _ = writeln!(t, "ip netns add {name}");
        let _ = writeln!(t, "ip -n sw link add {name} type veth peer name eth0 netns {name}");
        let _ = writeln!(t, "ip -n sw link set {name} master l{lan} up");
        let _ = writeln!(t, "ip -n {name} addr add 10.0.{lan}.{n}/24 dev eth0\nip -n {name} link set eth0 up");
        let _ = writeln!(t, "ip -n {name} link set lo up\nip -n {name} route add default via 10.0.{lan}.254");
    }
    t.push_str("ip netns exec r iptables -A FORWARD -p icmp -j ACCEPT\nip netns exec r iptables -P FORWARD DROP\n");
    for (lan, n, name) in hosts() {
        let _ = writeln!(t, "ip netns exec {name} ping -q -c 1 -W 1 10.0.{}.{n} > /dev/null", 3 - lan);
    }
    t.push_str("ip netns del sw\nip netns del r\n");
    for (_, _, name) in hosts() {
        let _ = writeln!(t, "ip netns del {name}");
    }
    t
}

fn script(text: &str) -> io::Result<()> {
    let mut cmd = Command::new("unshare");
    cmd.args(["--net", "--mount", "sh", "-c", text]).stdin(Stdio::null()).stdout(Stdio::null());
    let done = cmd.status()?;
    if done.success() { Ok(()) } else { Err(io::Error::other(format!("the script: {done}"))) }
}

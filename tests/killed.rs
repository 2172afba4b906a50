//! `packetwalk compare` killed at random moments leaves no process, namespace, mount or file; nor does a lab that panics.
//!
//! `PACKETWALK_KILLS=200` kills so many times, `PACKETWALK_SEED=…` at other moments.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the moments are those of real processes")]
#![expect(clippy::zombie_processes, reason = "runs are waited for by their number, as orphans are")]

#[path = "killed/lineage.rs"]
mod lineage;
#[path = "killed/place.rs"]
mod place;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};

/// One with processes of containers, one with hosts and a router, one with containers on two hosts, and one with
/// namespaces that lines make.
const SCENARIOS: [&str; 4] = ["bridge-publish", "rp-filter", "cross-host", "namespaces"];
/// A lab lives no longer than this; later moments would find none.
const LATEST: Duration = Duration::from_millis(2500);
/// What a run leaves.
const NOTHING: [&str; 0] = [];
/// The kernel takes namespaces down on a thread of its own (`cleanup_net`).
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let mut args = Arguments::from_args();
    // Lineage cannot tell two tests of one process apart.
    args.test_threads = Some(1);
    let may = geteuid().is_root();
    if may {
        nix::sys::prctl::set_child_subreaper(true).expect("a subreaper");
    }
    let trial = |name: &str, what: fn()| {
        let run = move || thread::spawn(what).join().map_err(|p| Failed::from(words(&*p)));
        Trial::test(name, run).with_ignored_flag(!may)
    };
    let all = vec![
        trial("killed_at_random_moments", killed_at_random_moments),
        trial("ctrl_c_and_sigterm", ctrl_c_and_sigterm),
        trial("panic", panic),
        trial("one_after_the_other", one_after_the_other),
        trial("not_one_namespace", not_one_namespace),
        trial("written_elsewhere", written_elsewhere),
    ];
    libtest_mimic::run(&args, all).exit();
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
}

/// SplitMix64: the moments are the same in every run of a seed.
struct Dice(u64);

impl Dice {
    fn new() -> Dice {
        Dice(number("PACKETWALK_SEED", 1))
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn number(name: &str, else_: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(else_)
}

/// A run of the program, in a process group of its own as a shell gives it one.
fn start(scenario: &str) -> Pid {
    // Under `nohup` SIGHUP is ignored, and in the background of a shell SIGINT: the program would inherit it.
    let mut cmd = Command::new("env");
    cmd.args(["--default-signal=HUP,INT", place::PROGRAM, "compare", scenario])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = cmd.process_group(0).spawn().expect("the program starts");
    Pid::from_raw(child.id() as i32)
}

/// Waits for the run to end, and takes in what became ours meanwhile.
fn end(front: Pid) -> ExitStatus {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match waitpid(front, Some(WaitPidFlag::WNOHANG)).expect("our child") {
            WaitStatus::Exited(_, code) => return ExitStatus::from_raw(code << 8),
            WaitStatus::Signaled(_, signal, _) => return ExitStatus::from_raw(signal as i32),
            _ if Instant::now() > until => panic!("the program does not end: {:?}", lineage::descendants()),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Waits until something holds; says what stands in the way where it does not in time.
fn in_time<T: std::fmt::Debug>(what: &str, left: impl Fn() -> Option<T>) {
    let until = Instant::now() + PATIENCE;
    while let Some(l) = left() {
        assert!(Instant::now() < until, "{what}: {l:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// No process of ours is there any more, and none of these namespaces.
fn nothing_lives(met: &BTreeSet<String>) {
    in_time("processes are left", || {
        // Orphans are ours to bury.
        while waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)).is_ok_and(|s| s != WaitStatus::StillAlive) {}
        Some(lineage::descendants()).filter(|d| !d.is_empty())
    });
    in_time("network namespaces are left", || {
        let left: Vec<String> = lineage::all_namespaces().intersection(met).cloned().collect();
        Some(left).filter(|l| !l.is_empty())
    });
}

/// The namespaces of a run, its own aside: that of this process.
fn namespaces_of_run() -> BTreeSet<String> {
    let ours = lineage::namespaces([std::process::id()]);
    lineage::namespaces(lineage::descendants().into_keys()).difference(&ours).cloned().collect()
}

/// Who is killed, and how.
#[derive(Clone, Copy, Debug)]
enum Whom {
    Front(Signal),
    Group(Signal),
    OneOfTheLab,
}

impl Whom {
    fn roll(dice: &mut Dice) -> Whom {
        match dice.below(6) {
            0 | 1 => Whom::Front(Signal::SIGKILL),
            2 => Whom::Front(Signal::SIGTERM),
            3 => Whom::Group([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP][dice.below(3) as usize]),
            _ => Whom::OneOfTheLab,
        }
    }

    /// Kills; says whether the run itself must have died of it.
    fn strike(self, front: Pid, dice: &mut Dice) -> Option<Signal> {
        // What is gone already cannot be killed.
        match self {
            Whom::Front(s) => kill(front, s).ok().map(|()| s),
            Whom::Group(s) => killpg(front, s).ok().map(|()| s),
            Whom::OneOfTheLab => {
                let all: Vec<u32> =
                    lineage::descendants().into_keys().filter(|p| *p != front.as_raw() as u32).collect();
                if !all.is_empty() {
                    let one = all[dice.below(all.len() as u64) as usize];
                    let _ = kill(Pid::from_raw(one as i32), Signal::SIGKILL);
                }
                None
            }
        }
    }
}

fn killed_at_random_moments() {
    place::enter();
    let mut dice = Dice::new();
    let before = place::look();
    let (kills, mut early) = (number("PACKETWALK_KILLS", 25), 0);
    for n in 0..kills {
        let scenario = SCENARIOS[dice.below(SCENARIOS.len() as u64) as usize];
        let after = Duration::from_micros(dice.below(LATEST.as_micros() as u64));
        let whom = Whom::roll(&mut dice);
        let front = start(scenario);
        thread::sleep(after);
        let met = namespaces_of_run();
        early += u64::from(!met.is_empty());
        let of = whom.strike(front, &mut dice);
        let status = end(front);
        nothing_lives(&met);
        assert_eq!(place::look().since(&before), NOTHING, "kill {n}: {scenario} {whom:?} after {after:?}");
        // A run that had ended by itself is a zombie, which takes a signal and does not die of it.
        let died = status.signal();
        assert!(died.is_none() || died == of.map(|s| s as i32), "kill {n}: {scenario} {whom:?}: {status:?}");
    }
    eprintln!("{kills} kills, {early} of them with namespaces there");
    assert!(early * 4 > kills, "the moments were mostly too late: {early} of {kills}");
}

/// A shell tells 128 and the signal's number of a program that died of one.
fn ctrl_c_and_sigterm() {
    place::enter();
    for (signal, shell) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let front = start("bridge-publish");
        in_time("no lab comes up", || namespaces_of_run().is_empty().then_some(()));
        let met = namespaces_of_run();
        killpg(front, signal).expect("it runs");
        let status = end(front);
        assert_eq!(status.code().unwrap_or(128 + status.signal().unwrap_or(0)), shell, "{signal}");
        nothing_lives(&met);
    }
}

/// A lab that panics says so, and goes.
fn panic() {
    place::enter();
    let before = place::look();
    let scenario = include_str!("../scenarios/docker/bridge-publish.yaml");
    let request = serde_json::json!({"scenario": scenario, "panic_after": 2});
    let mut cmd = Command::new(place::PROGRAM);
    cmd.arg("__lab-outer").arg(std::process::id().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut lab = cmd.spawn().expect("the program starts");
    let mut input = lab.stdin.take().expect("its input");
    writeln!(input, "{request}").expect("it listens");
    in_time("no lab comes up", || namespaces_of_run().is_empty().then_some(()));
    let met = namespaces_of_run();
    let out = lab.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.contains("packetwalk has a bug, please report it") && out.status.code() == Some(101), "{out:?}");
    drop(input);
    nothing_lives(&met);
    assert_eq!(place::look().since(&before), NOTHING);
}

/// A lab that has run a scenario and waits for the next has no thread left that would keep a host.
fn one_after_the_other() {
    place::enter();
    let scenario = include_str!("../scenarios/docker/cross-host.yaml");
    let mut cmd = Command::new(place::PROGRAM);
    cmd.arg("__lab-outer").arg(std::process::id().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut lab = cmd.spawn().expect("the program starts");
    let (mut input, answers) = (lab.stdin.take().expect("its input"), lab.stdout.take().expect("its output"));
    let mut answers = BufReader::new(answers).lines();
    for _ in 0..3 {
        writeln!(input, "{}", serde_json::json!({"scenario": scenario})).expect("it listens");
        let recorded = answers.by_ref().map(|l| l.expect("it answers")).any(|l| l.starts_with("{\"recording\""));
        assert!(recorded, "no recording");
        in_time("hosts are listened for", || {
            let threads = lineage::threads();
            assert!(!threads.is_empty(), "no lab is left");
            threads.contains(&"engine".to_owned()).then_some(threads)
        });
    }
    drop(input);
    assert!(lab.wait().expect("it ends").success());
    nothing_lives(&BTreeSet::new());
}

/// The kernel's own count: in a user namespace that may have one network namespace, one can be made only where none is
/// left, not even one that only a socket or a device holds (`inc_net_namespaces`).
fn not_one_namespace() {
    place::enter();
    let mut dice = Dice::new();
    let mut user = Command::new("unshare");
    user.args(["--user", "--map-root-user", "sleep", "600"]).stdin(Stdio::null());
    let mut user = user.spawn().expect("unshare, of util-linux");
    let id = user.id().to_string();
    let own = || std::fs::read_link("/proc/self/ns/user").expect("a user namespace");
    in_time("no user namespace comes up", || {
        let theirs = std::fs::read_link(format!("/proc/{id}/ns/user"));
        theirs.is_ok_and(|t| t == own()).then_some(())
    });
    let inside = |words: &[&str]| {
        let mut cmd = Command::new("nsenter");
        cmd.args(["--user", "--preserve-credentials", "-t", &id]).args(words);
        cmd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        cmd.spawn().map(|c| Pid::from_raw(c.id() as i32)).expect("nsenter, of util-linux")
    };
    let allow = |n: u32, then: &str| {
        let line = format!("echo {n} > /proc/sys/user/max_net_namespaces && {then}");
        end(inside(&["sh", "-c", &line])).success()
    };
    for _ in 0..4 {
        assert!(allow(1000, "exec unshare --net true"), "a user namespace can have none");
        let front = inside(&[place::PROGRAM, "compare", "bridge-publish"]);
        thread::sleep(Duration::from_millis(400 + dice.below(1200)));
        assert!(!allow(1, "exec unshare --net true"), "no lab came up");
        kill(front, Signal::SIGKILL).expect("it runs");
        end(front);
        in_time("a network namespace is left", || (!allow(1, "exec unshare --net true")).then_some(()));
    }
    user.kill().and_then(|()| user.wait()).expect("our own child");
}

/// What a scenario writes where a host has nothing of its own does not reach the machine.
fn written_elsewhere() {
    place::enter();
    let before = place::look();
    let text = "name: w\ntitle: w\nhosts:\n  a: {interfaces: {eth0: {lan: x, address: 10.0.0.1/24}}}\nsteps:\n  - run: \"a$ echo 1 > /etc/pw; echo 1 > /opt/pw; echo 1 > \
                /var/pw; echo 1 > /mnt/pw; echo 77 > /proc/sys/kernel/panic; echo 1 > /run/pw\"\n";
    let panic = || std::fs::read_to_string("/proc/sys/kernel/panic").expect("a setting");
    let was = panic();
    let request = serde_json::json!({ "scenario": text });
    let mut cmd = Command::new(place::PROGRAM);
    cmd.arg("__lab-outer").arg(std::process::id().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut lab = cmd.spawn().expect("the program starts");
    writeln!(lab.stdin.take().expect("its input"), "{request}").expect("it listens");
    let out = lab.wait_with_output().expect("it ends");
    assert!(String::from_utf8_lossy(&out.stdout).contains("\"recording\""), "{out:?}");
    assert_eq!(panic(), was);
    assert_eq!(place::look().since(&before), NOTHING);
}

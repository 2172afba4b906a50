//! The processes of a lab, and what keeps it apart from the machine.
//!
//! The program starts itself again twice. The **outer** stage leaves the machine's namespaces: a user namespace where we
//! are not root, then mount, PID, network, UTS and IPC namespaces. The **inner** stage is process 1 of that PID
//! namespace and holds the whole lab: network namespaces by file descriptor, processes as its children, files on its own
//! tmpfs. Each stage dies with the one that started it (`PR_SET_PDEATHSIG`), and a PID namespace dies with its process
//! 1, so that nothing is left behind, whichever of them is killed and however.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getegid, geteuid, getppid, pipe2};

use crate::lab::{Answer, Request};

/// First argument of the outer stage.
pub const OUTER: &str = "__lab-outer";
/// First argument of the inner stage.
pub const INNER: &str = "__lab-inner";

/// Why the lab cannot be set up on this machine, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Missing {
    /// What is missing, by name.
    pub what: &'static str,
    /// What the kernel said.
    pub why: String,
    /// The remedy.
    pub help: &'static str,
}

/// Starts a lab's processes: `exe` is this program. Requests go to its standard input, answers come from its standard
/// output, one JSON object a line.
///
/// # Errors
/// Where the program cannot be started.
pub fn start(exe: &Path) -> io::Result<Child> {
    Command::new(exe)
        .arg0("packetwalk-lab")
        .arg(OUTER)
        .arg(std::process::id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
}

/// Where this process is one of a lab's, a stage or a tool that is ours there, it does its part and says how it ended.
/// Every program that starts a lab calls it first.
pub fn take_part() -> Option<ExitCode> {
    if let Some(code) = crate::shim::run() {
        return Some(code);
    }
    let mut args = std::env::args().skip(1);
    match args.next()?.as_str() {
        OUTER => Some(outer(&args.next().unwrap_or_default())),
        INNER => Some(inner(&args.next().unwrap_or_default())),
        _ => None,
    }
}

/// The outer stage: leaves the machine's namespaces, starts the inner stage and waits for it.
pub fn outer(parent: &str) -> ExitCode {
    match leave(parent) {
        Ok(code) => code,
        Err(m) => {
            crate::lab::answer_missing(&m);
            ExitCode::from(3)
        }
    }
}

fn leave(parent: &str) -> Result<ExitCode, Missing> {
    if !geteuid().is_root() {
        own_user()?;
    }
    // After the user namespace: a change of credentials forgets it.
    die_with(Pid::from_raw(parent.parse().unwrap_or(0)))?;
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    unshare(all).map_err(|e| Missing {
        what: "namespaces",
        why: e.desc().to_owned(),
        help: "run as root, or allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1, user.max_user_namespaces=10000",
    })?;
    let (theirs, _ours) = pipe2(OFlag::O_CLOEXEC).map_err(|e| ended(e.desc()))?;
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|e| ended(e.desc()))?;
    let held = theirs.as_raw_fd().to_string();
    let inner = Command::new("/proc/self/exe").arg0("packetwalk-lab").args([INNER, &held]).status();
    let status = inner.map_err(|e| Missing {
        what: "a PID namespace",
        why: e.to_string(),
        help: "raise user.max_pid_namespaces, or run as root",
    })?;
    Ok(ExitCode::from(status.code().unwrap_or(128 + status.signal().unwrap_or(0)) as u8))
}

/// Leaves the machine's network, for what is tried and goes with this process.
///
/// # Errors
/// What is not allowed.
pub(crate) fn away_with_network() -> Result<(), Missing> {
    if !geteuid().is_root() {
        own_user()?;
    }
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| Missing {
        what: "network namespaces",
        why: e.desc().to_owned(),
        help: "run as root, or allow user namespaces",
    })
}

/// A user namespace in which we are root.
fn own_user() -> Result<(), Missing> {
    let (uid, gid) = (geteuid(), getegid());
    let missing = |why: String| Missing {
        what: "user namespaces",
        why,
        help: "run as root, or allow them: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces=10000",
    };
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| missing(e.desc().to_owned()))?;
    let write = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text).map_err(|e| missing(format!("{file}: {e}")))
    };
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("0 {uid} 1"))?;
    write("gid_map", format!("0 {gid} 1"))
}

/// The kernel kills this process when its parent ends; where that has ended already, at once.
fn die_with(parent: Pid) -> Result<(), Missing> {
    let missing = |why: String| Missing { what: "PR_SET_PDEATHSIG", why, help: "this kernel is too old" };
    prctl::set_pdeathsig(Some(Signal::SIGKILL)).map_err(|e| missing(e.desc().to_owned()))?;
    if parent.as_raw() != 0 && getppid() != parent {
        return Err(ended("the program that wanted the lab has ended"));
    }
    Ok(())
}

/// The inner stage: process 1 of the PID namespace.
pub fn inner(held: &str) -> ExitCode {
    // Not to its end by unwinding: what waits for threads might wait for ever.
    std::panic::set_hook(Box::new(|info| {
        crate::lab::answer_bug(&info.to_string());
        std::process::exit(101);
    }));
    match stay_with_outer(held.parse().unwrap_or(-1)).and_then(|()| own_mounts()) {
        Ok(()) => crate::lab::serve(),
        Err(m) => {
            crate::lab::answer_missing(&m);
            ExitCode::from(3)
        }
    }
}

/// The inner stage ends with the outer one. Seen from inside the parent has no number; that it ended before the kernel
/// was asked to tell shows at a pipe: `held` is our end, and only the outer stage has the other.
fn stay_with_outer(held: RawFd) -> Result<(), Missing> {
    die_with(Pid::from_raw(0))?;
    let mut pipe = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(format!("/proc/self/fd/{held}"))
        .map_err(|e| ended(&e.to_string()))?;
    let _ = nix::unistd::close(held);
    // Nothing is ever written: the end of it is the end of the outer stage.
    match pipe.read(&mut [0]) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
        _ => Err(ended("the outer stage has ended")),
    }
}

/// There is no more parent.
fn ended(why: &str) -> Missing {
    Missing { what: "PR_SET_PDEATHSIG", why: why.to_owned(), help: "start it again" }
}

/// A mount tree of our own, in which what is the machine's cannot be written, with the PID namespace's `/proc`.
fn own_mounts() -> Result<(), Missing> {
    let none = None::<&str>;
    let missing = |what: &'static str| {
        move |e: nix::Error| Missing {
            what,
            why: e.desc().to_owned(),
            help: "inside a container: run it with --privileged, or with --security-opt systempaths=unconfined",
        }
    };
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(missing("a mount namespace"))?;
    crate::sys::read_only(c"/").map_err(|e| Missing {
        what: "a file system that cannot be written",
        why: e.to_string(),
        help: "mount_setattr(2) is of Linux 5.12; inside a container: run it with --security-opt seccomp=unconfined",
    })?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), quiet, none).map_err(missing("a /proc of its own"))?;
    own_settings().map_err(missing("settings of its own"))
}

/// Settings that may be written: a network namespace's, and the number of the next process. The others are the machine's.
const SETTINGS: [&str; 2] = ["/proc/sys/net", "/proc/sys/kernel/ns_last_pid"];

/// Leaves of `/proc/sys` only those writable.
fn own_settings() -> nix::Result<()> {
    let none = None::<&str>;
    let bind = |path: &str, flags| mount(Some(path), path, none, MsFlags::MS_BIND | flags, none);
    for path in ["/proc/sysrq-trigger", "/proc/sys"].into_iter().filter(|p| Path::new(p).exists()) {
        bind(path, MsFlags::empty())?;
        for s in SETTINGS.iter().filter(|s| s.starts_with(path) && Path::new(s).exists()) {
            bind(s, MsFlags::empty())?;
        }
        let keep = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        bind(path, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | keep)?;
    }
    Ok(())
}

/// A lab that answers, one process away.
pub struct Lab {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    may_idle: bool,
}

/// Why a lab did not record a scenario.
#[derive(Debug, thiserror::Error)]
pub enum NoRecording {
    /// This machine cannot do it.
    #[error("{what}: {why}")]
    Missing {
        /// What is missing, by name.
        what: String,
        /// What the kernel said.
        why: String,
        /// The remedy.
        help: String,
    },
    /// This scenario cannot be run.
    #[error("{0}")]
    Problem(String),
    /// The lab's process ended or said what nobody understands.
    #[error("the lab ended: {0}")]
    Ended(String),
}

impl Lab {
    /// Starts one; `exe` is this program.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn start(exe: &Path) -> io::Result<Lab> {
        let mut child = start(exe)?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| io::Error::other("the lab has no output"))?;
        Ok(Lab { child, input, output: BufReader::new(output), may_idle: false })
    }

    /// Where perf tells nothing of a processor's idle task, it is kept from going idle while a scenario runs, which slows
    /// down what else the machine does. From now on it may: what is missing then is told ([`crate::compare::drops`]).
    pub fn may_idle(&mut self, may: bool) {
        self.may_idle = may;
    }

    /// Runs a scenario on the live kernel; `progress` is told how many lines of how many are done.
    ///
    /// # Errors
    /// Why there is no recording.
    pub fn record(
        &mut self,
        scenario: &str,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<serde_json::Value, NoRecording> {
        let ended = |e: io::Error| NoRecording::Ended(e.to_string());
        let request = Request { scenario: scenario.to_owned(), panic_after: None, may_idle: self.may_idle };
        let mut line = serde_json::to_string(&request).map_err(|e| NoRecording::Problem(e.to_string()))?;
        line.push('\n');
        if let Some(input) = &mut self.input {
            // Where it could not even begin, it has said why before it ended.
            let _ = input.write_all(line.as_bytes()).and_then(|()| input.flush());
        }
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).map_err(ended)? == 0 {
                return Err(NoRecording::Ended("without a word".into()));
            }
            match serde_json::from_str(&line) {
                Ok(Answer::Progress(done, of)) => progress(done, of),
                Ok(Answer::Recording(r)) => return Ok(*r),
                Ok(Answer::Missing { what, why, help }) => return Err(NoRecording::Missing { what, why, help }),
                Ok(Answer::Problem(p)) => return Err(NoRecording::Problem(p)),
                Err(e) => return Err(NoRecording::Ended(e.to_string())),
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The end of its input ends it; what it holds goes with it.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

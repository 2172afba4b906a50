//! The process that tries things, away from the machine's namespaces.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use super::{About, Check, Group, devices, netfilter, tools, watching};
use crate::limits;

/// Its first argument; a second one says that it is only there to be started in a PID namespace.
const DOCTOR: &str = "__doctor";
const EVERYTHING: &str = "every comparison";
const ALLOW: &str = "run as root, or allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), \
                     kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces=10000";

/// Starts it and reads what it found.
pub(super) fn start(exe: &Path) -> io::Result<Vec<Check>> {
    let out = Command::new(exe).arg(DOCTOR).stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    serde_json::from_slice(&out.stdout)
        .map_err(|e| io::Error::other(format!("the process that tries things ended early ({}): {e}", out.status)))
}

/// Where this process was started as the doctor's, it does its part.
#[must_use]
pub fn stage() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    let first = args.next()?;
    if first == limits::KIND {
        return Some(ExitCode::from(limits::try_kind(&args.next()?)));
    }
    if first != DOCTOR {
        return None;
    }
    if args.next().is_none() {
        let all = serde_json::to_string(&all()).unwrap_or_default();
        let _ = io::stdout().write_all(all.as_bytes());
    }
    Some(ExitCode::SUCCESS)
}

/// Leaves namespace by namespace; what is tried inside is tried only where nothing of the machine can be met.
fn all() -> Vec<Check> {
    let mut out = Vec::new();
    let own = |what, result: nix::Result<()>| {
        let about = About { group: Group::Namespaces, what, costs: EVERYTHING, remedy: ALLOW };
        about.tried(result.map(|()| String::new()).map_err(|e| e.desc()))
    };
    if geteuid().is_root() {
        out.push(Check { detail: "not needed by root".into(), ..own("user namespaces", Ok(())) });
    } else {
        out.push(own("user namespaces", own_user()));
    }
    // After the change of credentials, which forgets it.
    let _ = prctl::set_pdeathsig(Some(Signal::SIGKILL));
    out.push(own("mount namespaces", own_mounts()));
    let net = unshare(CloneFlags::CLONE_NEWNET);
    out.push(own("network namespaces", net));
    if net.is_ok() {
        out.extend(devices::all());
        out.extend(netfilter::all());
        out.extend(watching::inside());
        out.extend(tools::all());
    }
    // Last: once its first process has ended, nothing can be started in it any more.
    out.push(own("PID namespaces", unshare(CloneFlags::CLONE_NEWPID).and_then(|()| first_process())));
    out
}

/// A user namespace in which we are root.
fn own_user() -> nix::Result<()> {
    let (uid, gid) = (geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    let write = |file: &str, text: String| {
        let done = std::fs::write(format!("/proc/self/{file}"), text);
        done.map_err(|e| nix::Error::from_raw(e.raw_os_error().unwrap_or(0)))
    };
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("0 {uid} 1"))?;
    write("gid_map", format!("0 {gid} 1"))
}

/// A mount tree of our own with a `/run` of its own, which `ip netns` and locks of iptables need.
fn own_mounts() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, none)
}

/// A PID namespace lives from its first process on.
fn first_process() -> nix::Result<()> {
    let run = Command::new("/proc/self/exe").args([DOCTOR, "first"]).status();
    run.map(drop).map_err(|e| nix::Error::from_raw(e.raw_os_error().unwrap_or(0)))
}

//! A host: a mount namespace with files of its own and a `/run` of its own, held by a thread that starts the host's
//! commands.
//!
//! `ip netns add` binds namespaces under `/run/netns`; with a `/run` each, the names of two hosts do not meet.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::netns::NetNs;

type Job = Box<dyn FnOnce() + Send>;

/// A host.
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its own network namespace.
    pub net: NetNs,
    /// Its `/run`, a way into its mount namespace for whoever is outside; or why it has none.
    run: OnceCell<io::Result<File>>,
    made: Receiver<io::Result<File>>,
    jobs: Sender<Job>,
}

/// What a command did.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Exit status; 128 and the signal's number where one ended it.
    pub rc: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Folders that a host has to itself.
const OWN: [&str; 5] = ["/run", "/tmp", "/root", "/var/lib", "/mnt"];

/// Where a host finds the tools that are ours, ahead of its own.
pub const TOOLS: &str = "/run/packetwalk/bin";

/// Tools of an image that print otherwise than the host's.
const IMAGE: &[&str] = &[
    "arp",
    "arping",
    "cat",
    "hostname",
    "ifconfig",
    "ip",
    "nc",
    "netstat",
    "nslookup",
    "ping",
    "route",
    "sh",
    "traceroute",
    "wget",
];

impl Host {
    /// Makes one, with files to begin with: path and text. Its mounts are made meanwhile ([`Host::settled`]).
    ///
    /// # Errors
    /// Where the kernel allows no namespace of ours.
    pub fn make(name: &str, files: Vec<(String, String)>) -> io::Result<Host> {
        let net = NetNs::make()?;
        let (jobs, todo) = channel::<Job>();
        let (ready, made) = channel();
        let (host, inside) = (name.to_owned(), net.clone());
        thread::Builder::new().name(format!("host {name}")).spawn(move || {
            let done = settle(&host, &inside, &files).and_then(|()| File::open("/run"));
            let ok = done.is_ok();
            // The one that waits for it is there until it has this.
            let _ = ready.send(done);
            if ok {
                todo.iter().for_each(|job| job());
            }
        })?;
        Ok(Host { name: name.to_owned(), net, run: OnceCell::new(), made, jobs })
    }

    /// Waits until its mounts are made; its `/run`.
    ///
    /// # Errors
    /// Where the kernel allows no mount of ours.
    pub fn settled(&self) -> io::Result<&File> {
        let run = self.run.get_or_init(|| self.made.recv().map_err(io::Error::other).flatten());
        run.as_ref()
            .map_err(|e| e.raw_os_error().map_or_else(|| io::Error::other(e.to_string()), io::Error::from_raw_os_error))
    }

    /// The namespaces that have a name here (`/run/netns`).
    pub fn named(&self) -> Vec<(String, NetNs)> {
        let Ok(run) = self.settled() else { return Vec::new() };
        let dir = format!("/proc/self/fd/{}/netns", run.as_raw_fd());
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut all: Vec<(String, NetNs)> = entries
            .filter_map(|e| Some((e.file_name().into_string().ok()?, NetNs::open(e.path()).ok()?)))
            // A name whose mount is gone is a plain file.
            .filter(|(_, n)| n.is_net())
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Runs something on the host's thread: in its mount namespace and its network namespace.
    ///
    /// # Errors
    /// Where the thread is gone.
    pub fn run<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let (tell, told) = channel();
        let job: Job = Box::new(move || {
            let _ = tell.send(what());
        });
        self.jobs.send(job).map_err(|_| io::Error::other("the host's thread has ended"))?;
        told.recv().map_err(io::Error::other)
    }

    /// Starts a command in a network namespace; what it did is told when it has ended.
    ///
    /// # Errors
    /// Where the host's thread is gone.
    pub fn start(
        &self,
        net: &NetNs,
        mut cmd: Command,
        tell: impl FnOnce(io::Result<Ran>) + Send + 'static,
    ) -> io::Result<()> {
        let net = net.clone();
        // A thread of the host's thread is in its mount namespace, and leaves it free for what the command asks for.
        let job: Job = Box::new(move || {
            thread::spawn(move || {
                tell(net.enter().and_then(|()| collect(&mut cmd)));
            });
        });
        self.jobs.send(job).map_err(|_| io::Error::other("the host's thread has ended"))
    }
}

/// The host's thread leaves for a mount namespace of its own.
fn settle(name: &str, net: &NetNs, files: &[(String, String)]) -> io::Result<()> {
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?;
    nix::unistd::sethostname(name)?;
    net.enter()?;
    let none = None::<&str>;
    for dir in OWN.iter().filter(|d| Path::new(d).is_dir()) {
        mount(Some("tmpfs"), *dir, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    }
    own_etc();
    std::fs::create_dir_all("/run/netns")?;
    std::fs::create_dir_all(TOOLS)?;
    image_tools()?;
    for tool in crate::shim::NAMES {
        std::os::unix::fs::symlink("/proc/1/exe", format!("{TOOLS}/{tool}"))?;
    }
    // Where sysfs cannot be mounted, brctl will say so itself.
    let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, none);
    for (path, text) in files {
        place(path, text)?;
    }
    std::env::set_current_dir("/root").or_else(|_| std::env::set_current_dir("/"))
}

/// What is written under `/etc` stays in the host. Where the kernel has no overlayfs for us, `/etc` cannot be written,
/// and only the files that a host begins with are its own.
fn own_etc() {
    let dir = "/run/packetwalk/etc";
    let made = ["upper", "work"].iter().try_for_each(|d| std::fs::create_dir_all(format!("{dir}/{d}")));
    // `userxattr` is how overlayfs keeps its notes where the user namespace is not the first (Linux 5.11).
    for more in ["", ",userxattr"] {
        let how = format!("lowerdir=/etc,upperdir={dir}/upper,workdir={dir}/work{more}");
        let overlay = mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::empty(), Some(how.as_str()));
        if made.is_ok() && overlay.is_ok() {
            return;
        }
    }
}

/// The tools of an image are busybox', where this machine has it.
fn image_tools() -> io::Result<()> {
    let dir = crate::shim::IMAGE_TOOLS;
    std::fs::create_dir_all(dir)?;
    let Some(busybox) = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|b| Path::new(b).exists()) else {
        return Ok(());
    };
    for tool in IMAGE {
        std::os::unix::fs::symlink(busybox, format!("{dir}/{tool}"))?;
    }
    Ok(())
}

/// Puts a file in its place: bound over what is there, or written where the folder is ours.
fn place(path: &str, text: &str) -> io::Result<()> {
    let of_ours = OWN.iter().any(|d| path.starts_with(&format!("{d}/")));
    if of_ours || !Path::new(path).exists() {
        if let Some(dir) = Path::new(path).parent() {
            std::fs::create_dir_all(dir)?;
        }
        return std::fs::write(path, text);
    }
    let copy = format!("/run/packetwalk/{}", path.replace('/', "_"));
    std::fs::write(&copy, text)?;
    // A file that is a link (resolv.conf often is) is followed.
    let target = std::fs::canonicalize(path)?;
    let none = None::<&str>;
    Ok(mount(Some(copy.as_str()), &target, none, MsFlags::MS_BIND, none)?)
}

/// Runs a command and collects what it says. Its output goes to files, not pipes: a program that it leaves in the
/// background holds them, and is not waited for.
fn collect(cmd: &mut Command) -> io::Result<Ran> {
    let file = |name: &CStr| Ok::<File, io::Error>(memfd_create(name, MFdFlags::MFD_CLOEXEC)?.into());
    let (mut out, mut err) = (file(c"out")?, file(c"err")?);
    let status = cmd.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?).status()?;
    let rc = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(Ran { rc, out: text(&mut out)?, err: text(&mut err)? })
}

fn text(from: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.seek(SeekFrom::Start(0))?;
    from.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

//! Network namespaces by file descriptor.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use nix::sched::{CloneFlags, setns, unshare};

/// The namespace of the thread that opens it.
const OWN: &str = "/proc/thread-self/ns/net";

/// A network namespace; it lives as long as a clone of this does, or a process or device in it.
#[derive(Clone, Debug)]
pub struct NetNs {
    fd: Arc<OwnedFd>,
    /// Its inode number.
    pub ino: u64,
}

thread_local! {
    /// Where this thread is, once it was asked or went there itself.
    static HERE: RefCell<Option<NetNs>> = const { RefCell::new(None) };
}

impl NetNs {
    /// Makes one. The calling thread stays where it is.
    ///
    /// # Errors
    /// As `unshare(2)`.
    pub fn make() -> io::Result<NetNs> {
        let _back = Back(NetNs::current()?);
        unshare(CloneFlags::CLONE_NEWNET)?;
        NetNs::open(OWN)
    }

    /// The calling thread's.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn current() -> io::Result<NetNs> {
        if let Some(here) = HERE.with_borrow(Clone::clone) {
            return Ok(here);
        }
        let here = NetNs::open(OWN)?;
        HERE.set(Some(here.clone()));
        Ok(here)
    }

    /// The one that a file stands for.
    ///
    /// # Errors
    /// Where there is none.
    pub fn open(path: impl AsRef<std::path::Path>) -> io::Result<NetNs> {
        let f = File::open(path)?;
        let ino = f.metadata()?.ino();
        Ok(NetNs { fd: Arc::new(f.into()), ino })
    }

    /// Whether it is one: on the namespace file system, not a plain file.
    pub fn is_net(&self) -> bool {
        nix::sys::statfs::fstatfs(&self.fd).is_ok_and(|s| s.filesystem_type() == nix::sys::statfs::NSFS_MAGIC)
    }

    /// Its descriptor.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The calling thread enters it (`setns` is per thread).
    ///
    /// # Errors
    /// As `setns(2)`.
    pub fn enter(&self) -> io::Result<()> {
        setns(self.fd.as_fd(), CloneFlags::CLONE_NEWNET)?;
        HERE.set(Some(self.clone()));
        Ok(())
    }

    /// Runs something in it; the calling thread is where it was afterwards. To go there and back takes a few microseconds,
    /// a thread of its own a hundred.
    ///
    /// # Errors
    /// Where it cannot be entered.
    pub fn run<T>(&self, what: impl FnOnce() -> T) -> io::Result<T> {
        let _back = Back(NetNs::current()?);
        self.enter()?;
        Ok(what())
    }
}

/// Where a thread returns to, whatever happens meanwhile.
struct Back(NetNs);

impl Drop for Back {
    fn drop(&mut self) {
        if let Err(e) = self.0.enter() {
            // Whatever it did next would be done to another namespace.
            eprintln!("packetwalk: cannot return to a namespace: {e}");
            std::process::abort();
        }
    }
}

//! Network namespaces by file descriptor.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace; it lives as long as a clone of this does, or a process or device in it.
#[derive(Clone, Debug)]
pub struct NetNs {
    fd: Arc<OwnedFd>,
    /// Its inode number.
    pub ino: u64,
}

impl NetNs {
    /// Makes one. The calling thread stays where it is.
    ///
    /// # Errors
    /// As `unshare(2)`.
    pub fn make() -> io::Result<NetNs> {
        on_own_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            NetNs::current()
        })
    }

    /// The calling thread's.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn current() -> io::Result<NetNs> {
        NetNs::open("/proc/thread-self/ns/net")
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
        Ok(setns(self.fd.as_fd(), CloneFlags::CLONE_NEWNET)?)
    }

    /// Runs something in it, on a thread of its own.
    ///
    /// # Errors
    /// Where it cannot be entered.
    pub fn run<T: Send>(&self, what: impl FnOnce() -> T + Send) -> io::Result<T> {
        on_own_thread(|| {
            self.enter()?;
            Ok(what())
        })
    }
}

fn on_own_thread<T: Send>(what: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|s| match s.spawn(what).join() {
        Ok(r) => r,
        Err(p) => std::panic::resume_unwind(p),
    })
}

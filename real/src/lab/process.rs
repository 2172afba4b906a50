//! Processes with a number that we choose: what `docker inspect` tells of a container must be there under `/proc`.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::netns::NetNs;

/// How often another process may take the number before us.
const TRIES: usize = 100;

/// The number that was given out last in this PID namespace; the next process gets the next (pid_namespaces(7)).
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";
/// Numbers of other processes begin here, out of the way of those that we choose.
const OTHERS: u32 = 20_000;

/// Leaves the low numbers to those that we choose.
///
/// # Errors
/// Where the kernel cannot choose numbers (`CONFIG_CHECKPOINT_RESTORE`).
pub fn reserve() -> io::Result<()> {
    std::fs::write(LAST_PID, OTHERS.to_string())
}

/// A process that does nothing in a namespace, until it is dropped.
pub struct Pause(Child);

impl Pause {
    /// Starts one with this number (`/proc/sys/kernel/ns_last_pid`, pid_namespaces(7)).
    ///
    /// # Errors
    /// Where the number is taken.
    pub fn start(pid: u32, net: &NetNs) -> io::Result<Pause> {
        net.run(|| {
            let before = std::fs::read_to_string(LAST_PID)?;
            for _ in 0..TRIES {
                std::fs::write(LAST_PID, (pid - 1).to_string())?;
                let mut cmd = Command::new("/proc/self/exe");
                cmd.arg0("packetwalk-pause").env(crate::shim::IN_LAB, "1");
                cmd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                let p = Pause(cmd.spawn()?);
                std::fs::write(LAST_PID, before.trim())?;
                if p.0.id() == pid {
                    return Ok(p);
                }
            }
            Err(io::Error::other("another process has it"))
        })?
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        // A process that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

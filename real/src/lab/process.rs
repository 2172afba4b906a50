//! Processes with a number that we choose: what `docker inspect` tells of a container must be there under `/proc`.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::netns::NetNs;

/// How often another process may take the number before us.
const TRIES: usize = 100;

/// A process that does nothing in a namespace, until it is dropped.
pub struct Pause(Child);

impl Pause {
    /// Starts one with this number (`/proc/sys/kernel/ns_last_pid`, pid_namespaces(7)).
    ///
    /// # Errors
    /// Where the number is taken.
    pub fn start(pid: u32, net: &NetNs) -> io::Result<Pause> {
        net.run(|| {
            for _ in 0..TRIES {
                std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())?;
                let mut cmd = Command::new("/proc/self/exe");
                cmd.arg0("packetwalk-pause").env(crate::shim::IN_LAB, "1");
                cmd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                let p = Pause(cmd.spawn()?);
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

//! Whose a process is (include/linux/cred.h): what `-m owner` asks of the socket that sends.

use super::Kernel;
use super::types::{Pid, SockId};
use crate::trace::Recorder;

/// User and groups of a process; root's unless somebody changed them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cred {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// Root's.
pub(crate) static ROOT: Cred = Cred { uid: 0, gid: 0, groups: Vec::new() };

impl Cred {
    /// It may do everything.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }
}

impl<R: Recorder> Kernel<R> {
    /// Whose a process is.
    pub fn cred(&self, pid: Pid) -> &Cred {
        self.creds.get(&pid).unwrap_or(&ROOT)
    }

    /// Gives a process to a user (`commit_creds`).
    pub fn set_cred(&mut self, pid: Pid, cred: &Cred) {
        if *cred == ROOT {
            self.creds.shift_remove(&pid);
        } else {
            self.creds.insert(pid, cred.clone());
        }
    }

    /// Who opened a socket (`f_cred`).
    pub(crate) fn sock_cred(&self, id: SockId) -> &Cred {
        self.sock(id).process.as_ref().map_or(&ROOT, |(pid, _)| self.cred(*pid))
    }
}

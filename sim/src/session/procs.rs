//! Processes of a world, by number: what `$!`, `kill`, `wait` and `/proc/PID/ns/net` speak of.

use indexmap::IndexMap;

use super::Session;
use super::watch::Signal;
use crate::FxBuild;
use crate::kernel::types::{HostId, NetnsId, Pid};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcEntry {
    /// Host it runs on.
    pub host: HostId,
    /// Namespace it runs in.
    pub ns: NetnsId,
    /// Its name.
    pub name: String,
    /// It still runs.
    pub alive: bool,
}

/// The processes of a world.
#[derive(Clone, Debug, Default)]
pub struct Procs {
    next: u32,
    /// By number, in the order they began.
    pub table: IndexMap<Pid, ProcEntry, FxBuild>,
    /// Names under `/run/netns` that are links to a process' namespace: they lead nowhere once it has ended.
    links: Vec<(Pid, HostId, String)>,
}

impl Session {
    /// A number for a process that is about to begin.
    pub fn new_pid(&mut self, host: HostId, ns: NetnsId, name: &str) -> Pid {
        self.procs.next += 1;
        let pid = Pid(1000 + self.procs.next);
        self.procs.table.insert(pid, ProcEntry { host, ns, name: name.to_owned(), alive: true });
        pid
    }

    /// The process has ended.
    pub fn pid_gone(&mut self, pid: Pid) {
        if let Some(p) = self.procs.table.get_mut(&pid) {
            p.alive = false;
        }
        let (dead, links) = std::mem::take(&mut self.procs.links).into_iter().partition(|(p, ..)| *p == pid);
        self.procs.links = links;
        for (_, host, name) in dead {
            let Some(ns) = self.kernel.hosts[host.ix()].named.shift_remove(&name) else { continue };
            self.dead_link(host, &name, &format!("/proc/{}/ns/net", pid.0));
            self.kernel.netns_put(ns);
        }
    }

    /// A name of a process' namespace.
    pub(crate) fn names_process(&mut self, host: HostId, name: &str, pid: Pid) {
        self.procs.links.push((pid, host, name.to_owned()));
    }

    /// The namespace of a process that runs on a host.
    pub fn ns_of_pid(&self, host: HostId, pid: Pid) -> Option<NetnsId> {
        self.procs.table.get(&pid).filter(|p| p.host == host && p.alive).map(|p| p.ns)
    }

    /// Sends a signal to a process; false where there is none.
    pub fn kill(&mut self, pid: Pid, signal: Signal) -> bool {
        let mut alive = self.procs.table.get(&pid).is_some_and(|p| p.alive);
        if let Some(app) = self.apps.of_pid(pid) {
            alive &= self.apps.get(app).exit.is_none();
            if alive {
                self.signal(app, signal);
            }
        }
        self.pid_gone(pid);
        alive
    }

    /// Waits until a process has ended, at most a day of virtual time: its exit status, where it had one. None
    /// where it never ends.
    pub fn wait(&mut self, pid: Pid) -> Option<i32> {
        let mut status = Some(0);
        if let Some(app) = self.apps.of_pid(pid) {
            let ended = self.run_until_exit(app, None);
            status = self.apps.get(app).exit.filter(|_| ended);
        }
        self.pid_gone(pid);
        status
    }
}

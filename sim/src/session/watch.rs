//! Programs that wait for what comes, and where programs in the background write to.

use super::Session;
use crate::app::AppId;
use crate::command::{conntrack, tcpdump};
use crate::kernel::types::{HostId, NetnsId};

/// Where a standard descriptor of a process leads.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Target {
    /// The terminal of the host: the output of the step that runs there.
    #[default]
    Terminal,
    /// A file of the world.
    File(String),
    /// `/dev/null`.
    Null,
    /// A pipe or `$( … )`: whoever reads it does so once, so nothing can come later.
    Pipe,
}

/// Where a program in the background writes to.
#[derive(Clone, Debug)]
pub(super) struct Output {
    app: AppId,
    host: HostId,
    ns: NetnsId,
    to: [Target; 2],
}

/// What a program waits for.
#[derive(Clone, Debug)]
pub enum Watching {
    /// `conntrack -E`.
    Connections(conntrack::Listener),
    /// `tcpdump`.
    Frames(Box<tcpdump::Capture>),
}

/// A program that waits.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    app: AppId,
    what: Watching,
}

/// A signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// `SIGHUP`.
    Hup,
    /// `SIGINT`.
    Int,
    /// `SIGKILL`, which no program sees.
    Kill,
    /// `SIGTERM`.
    Term,
}

impl Signal {
    /// A signal as `kill` takes it, without the dash.
    pub fn read(text: &str) -> Option<Signal> {
        Some(match text.strip_prefix("SIG").unwrap_or(text) {
            "1" | "HUP" => Signal::Hup,
            "2" | "INT" => Signal::Int,
            "9" | "KILL" => Signal::Kill,
            "15" | "TERM" => Signal::Term,
            _ => return None,
        })
    }

    /// Exit status, as a shell tells it, of a process that the signal ended.
    pub fn status(self) -> i32 {
        128 + match self {
            Signal::Hup => 1,
            Signal::Int => 2,
            Signal::Kill => 9,
            Signal::Term => 15,
        }
    }
}

impl Session {
    /// What a background program writes goes there.
    pub fn redirect(&mut self, app: AppId, host: HostId, ns: NetnsId, to: [Target; 2]) {
        self.outputs.push(Output { app, host, ns, to });
        self.flush_outputs();
    }

    /// A program that is running is handed what comes from now on.
    pub fn watch(&mut self, app: AppId, what: Watching) {
        self.watchers.push(Watcher { app, what });
    }

    /// Takes what was written to the terminal of a host and not shown yet.
    pub fn take_terminal(&mut self, host: HostId) -> [String; 2] {
        self.terminals.get_mut(&host).map(std::mem::take).unwrap_or_default()
    }

    /// Sends a signal to a program.
    pub fn signal(&mut self, app: AppId, signal: Signal) {
        self.hear();
        let mut status = signal.status();
        if let Some(i) = self.watchers.iter().position(|w| w.app == app) {
            let w = self.watchers.swap_remove(i);
            let said = match &w.what {
                Watching::Connections(l) => l.signalled(signal),
                Watching::Frames(c) => c.signalled(signal),
            };
            if let Some([out, err]) = said {
                self.apps.say(app, &out, &err);
                status = 0;
            }
            self.unlisten(&w);
        }
        self.apps.kill(&mut self.kernel, app, status);
        self.flush_outputs();
    }

    /// Hands what happened to those who wait for it. Who has heard enough ends.
    pub(super) fn hear(&mut self) {
        for w in &mut self.watchers {
            if self.apps.get(w.app).exit.is_some() {
                continue;
            }
            let woken = self.apps.watch_mut(w.app).is_some_and(crate::app::watch::Watch::take_woken);
            let heard = match &mut w.what {
                Watching::Connections(l) => {
                    self.kernel.ct_expire(l.ns);
                    l.hear(&self.kernel, &self.procs)
                }
                Watching::Frames(c) => c.hear(&self.kernel, woken),
            };
            self.apps.say(w.app, &heard.out, &heard.err);
            if let Some(status) = heard.exit {
                self.apps.kill(&mut self.kernel, w.app, status);
            }
        }
        for w in std::mem::take(&mut self.watchers) {
            match self.apps.get(w.app).exit {
                Some(_) => self.unlisten(&w),
                None => self.watchers.push(w),
            }
        }
    }

    fn unlisten(&mut self, w: &Watcher) {
        if let Watching::Connections(l) = &w.what {
            self.kernel.ns_mut(l.ns).nf.ct.unlisten();
        }
    }

    pub(super) fn has_watchers(&self) -> bool {
        !self.watchers.is_empty()
    }

    /// Brings what programs in the background wrote to where it goes.
    pub(super) fn flush_outputs(&mut self) {
        let mut i = 0;
        while let Some(o) = self.outputs.get(i) {
            let (app, host, ns, to) = (o.app, o.host, o.ns, o.to.clone());
            let texts = self.apps.take_output(app);
            for (n, (text, to)) in texts.into_iter().zip(to).enumerate().filter(|(_, (t, _))| !t.is_empty()) {
                match to {
                    Target::Terminal => self.terminals.entry(host).or_default()[n].push_str(&text),
                    // The disk of the world cannot be full, and the file was opened before.
                    Target::File(path) => drop(self.write_file(host, ns, &path, &text, true)),
                    Target::Null | Target::Pipe => {}
                }
            }
            if self.apps.get(app).exit.is_some() {
                self.outputs.swap_remove(i);
            } else {
                i += 1;
            }
        }
    }
}

/// What a waiting program does with what it heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// It writes.
    pub out: String,
    /// It writes to standard error.
    pub err: String,
    /// It ends, with this status.
    pub exit: Option<i32>,
}

//! Letting the world run: until a time, or until a program has ended; and the bound on storms.

use std::net::Ipv4Addr;

use super::Session;
use crate::app::probe::{Probe, ProbeReport};
use crate::app::{AppId, Program, TIMED_OUT, Wake};
use crate::command::Proc;
use crate::command::wrap::sh;
use crate::journal::Entry;
use crate::kernel::softirq::Stepped;
use crate::kernel::types::{HostId, Nanos, NetnsId, Pid, SEC};
use crate::trace::{Outcome, Recorder};

/// Frames that the devices of a world may receive in one step. A loop of bridges sends more, for ever.
const FRAMES_PER_STEP: u64 = 200_000;
/// Frames that may be under way at once.
const FRAMES_IN_FLIGHT: usize = 50_000;
/// A program that waits for nothing is ended after so long.
const LONGEST_RUN: Nanos = 86_400 * SEC;

/// How many frames the present step has used.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    step: usize,
    /// The kernel's count of receptions at which the step's frames are cut.
    limit: u64,
    /// The bound was reached in this step.
    pub hit: bool,
}

impl Default for Storm {
    fn default() -> Storm {
        Storm { step: 0, limit: FRAMES_PER_STEP, hit: false }
    }
}

impl Session {
    /// Lets the world run for a time.
    pub fn advance(&mut self, for_ns: Nanos) {
        let until = self.kernel.now().saturating_add(for_ns);
        self.run(until, |_| false);
        let q = &mut self.kernel.queue;
        q.now = q.now.max(until);
    }

    /// Starts a program in a namespace.
    pub fn spawn(&mut self, host: HostId, ns: NetnsId, pid: Pid, name: &str, program: Program) -> AppId {
        let app = self.apps.spawn(&mut self.kernel, host, ns, pid, name, program);
        self.apps.dispatch(&mut self.kernel);
        self.run_commands();
        app
    }

    /// Runs what programs want run, each in the namespace of its program. These are tools that take no time and
    /// change nothing, or the program would not have begun.
    fn run_commands(&mut self) {
        while let Some((id, c)) = self.apps.commands.pop_front() {
            let (host, ns) = (self.apps.get(id).host, self.apps.get(id).ns);
            let pid = self.new_pid(host, ns, "sh");
            let mut p = Proc::new(self, host, ns, pid);
            p.env = c.env;
            let ran = sh(&mut p, &["sh".to_owned(), "-c".to_owned(), c.line]);
            let (out, err) = (std::mem::take(&mut p.out), std::mem::take(&mut p.err));
            self.pid_gone(pid);
            self.apps.say(id, "", &ran.map_or_else(|r| format!("{r}\n"), |_| err));
            self.apps.ran(&mut self.kernel, id, c.pair, out.into());
        }
    }

    /// Lets the world run until a program has ended, or until a deadline; says whether it ended.
    pub fn run_until_exit(&mut self, app: AppId, deadline: Option<Nanos>) -> bool {
        let until = deadline.unwrap_or(self.kernel.now().saturating_add(LONGEST_RUN));
        self.run(until, |s| s.apps.get(app).exit.is_some());
        let ended = self.apps.get(app).exit.is_some();
        if !ended {
            if deadline.is_some() {
                let q = &mut self.kernel.queue;
                q.now = q.now.max(until);
            }
            self.signal(app, super::watch::Signal::Term);
        }
        ended
    }

    /// `timeout` ends a program that still runs.
    fn time_out(&mut self, app: AppId) {
        if self.apps.get(app).exit.is_none() {
            self.signal(app, super::watch::Signal::Term);
        }
    }

    /// Was the bound on frames reached in this step?
    pub fn storm(&self) -> bool {
        self.storm.hit
    }

    fn run(&mut self, until: Nanos, done: impl Fn(&Session) -> bool) {
        self.run_events(until, done);
        if self.has_watchers() {
            self.hear();
        }
        self.flush_outputs();
    }

    fn run_events(&mut self, until: Nanos, done: impl Fn(&Session) -> bool) {
        if self.storm.step != self.marks.present {
            let limit = self.kernel.receptions + FRAMES_PER_STEP;
            self.storm = Storm { step: self.marks.present, limit, hit: false };
        }
        while !done(self) {
            match self.kernel.step(until) {
                Stepped::Idle => return,
                Stepped::Done => {}
                Stepped::App { app, token: TIMED_OUT } => self.time_out(AppId(app)),
                Stepped::App { app, token } => self.apps.wake(&mut self.kernel, AppId(app), Wake::Timer(token)),
            }
            if self.kernel.softirq_is_through() {
                self.apps.dispatch(&mut self.kernel);
            }
            self.run_commands();
            if self.has_watchers() {
                self.hear();
            }
            while let Some((app, mail)) = self.apps.mail.pop_front() {
                // What an engine does of its own accord stands between marks without words.
                self.kernel.note(Entry::Begin(Vec::new()));
                self.cluster_mail(app, mail);
                self.kernel.note(Entry::End(0, String::new(), String::new()));
            }
            if self.too_many_frames() {
                self.storm.hit = true;
                self.kernel.cut_frames();
                // What still comes may take a little before it is cut again.
                self.storm.limit = self.kernel.receptions + 1_000;
            }
        }
    }

    /// One of the bounds on frames is reached.
    fn too_many_frames(&mut self) -> bool {
        let k = &mut self.kernel;
        std::mem::take(&mut k.circles)
            || k.receptions > self.storm.limit
            || k.queue.frames_in_flight() > FRAMES_IN_FLIGHT
    }

    /// Sends a probe from a namespace and waits for its outcome.
    pub fn probe(&mut self, host: HostId, ns: NetnsId, probe: &Probe) -> ProbeReport {
        let unknown = self.kernel.unmodelled;
        let sport = self.next_sport;
        self.next_sport = if sport > 60_000 { 40_000 } else { sport + 20 };
        let mut found = self.probe_lookup(host, ns, probe, sport);
        if self.kernel.unmodelled != unknown {
            found.outcome = Some(Outcome::Unmodelled);
        }
        let dst: Option<Ipv4Addr> = found.addrs.as_deref().and_then(|a| a.first()?.parse().ok());
        let Some(program) = dst.and_then(|dst| probe.program(dst, sport)) else { return found };
        let resolved = found.resolved();
        let pid = self.new_pid(host, ns, "probe");
        let app = self.spawn(host, ns, pid, "probe", program);
        self.run_until_exit(app, None);
        self.pid_gone(pid);
        let mut report = ProbeReport { resolved, ..self.apps.get(app).report.clone() };
        if self.kernel.unmodelled != unknown {
            report.outcome = Some(Outcome::Unmodelled);
        }
        report
    }
}

impl<R: Recorder> crate::kernel::Kernel<R> {
    /// Drops every frame under way: they go round for ever.
    pub(crate) fn cut_frames(&mut self) {
        use crate::trace::{DropReason, EventKind};
        for f in self.queue.take_frames() {
            let mut p = f.packet;
            let ns = self.dev(f.dev).netns;
            let kind = EventKind::Drop { reason: DropReason::PACKETWALK_BOUND, func: "frames of one step" };
            self.rec.event(self.queue.now, ns, Some(f.dev), Some(&mut p), kind);
        }
    }
}

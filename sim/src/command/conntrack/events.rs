//! `conntrack -E`: what happens to connections from now on.

use super::NAME;
use super::filter::Filter;
use super::opts::{Line, Table};
use super::print::{Style, event_line};
use crate::app::watch::Watch;
use crate::command::{Exit, Proc};
use crate::kernel::Kernel;
use crate::kernel::conntrack::types::{CtEvent, CtEventKind};
use crate::kernel::types::{NetnsId, Pid};
use crate::session::procs::Procs;
use crate::session::watch::{Heard, Signal, Watching};
use crate::trace::Trace;

/// Which kinds of events: the groups that the socket joins (`-e`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mask {
    new: bool,
    update: bool,
    destroy: bool,
}

impl Default for Mask {
    fn default() -> Mask {
        Mask { new: true, update: true, destroy: true }
    }
}

impl Mask {
    /// Reads `NEW,UPDATES,DESTROY` or `ALL`.
    pub(super) fn read(v: &str) -> Result<Mask, String> {
        let mut m = Mask { new: false, update: false, destroy: false };
        for word in v.split(',') {
            match word.to_ascii_uppercase().as_str() {
                "ALL" => m = Mask::default(),
                "NEW" => m.new = true,
                "UPDATES" => m.update = true,
                "DESTROY" => m.destroy = true,
                _ => return Err(format!("Bad parameter `{word}'")),
            }
        }
        Ok(m)
    }

    fn has(self, kind: CtEventKind) -> bool {
        match kind {
            CtEventKind::New => self.new,
            CtEventKind::Update => self.update,
            CtEventKind::Destroy => self.destroy,
        }
    }
}

/// A running `conntrack -E`.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where it listens.
    pub ns: NetnsId,
    filter: Filter,
    mask: Mask,
    style: Style,
    /// It shows connections, and not expectations or IPv6, of which there are none.
    any: bool,
    /// Events of the namespace that it has looked at.
    seen: usize,
    shown: usize,
}

/// Starts it.
pub(super) fn run(p: &mut Proc<'_>, line: Line) -> Exit {
    p.must_end("conntrack -E", false)?;
    let seen = p.sess.kernel.ns_mut(p.ns).nf.ct.listen();
    let any = line.table == Table::Conntrack && !line.ipv6;
    let Line { filter, mask, style, .. } = line;
    let l = Listener { ns: p.ns, filter, mask, style, any, seen, shown: 0 };
    p.run_watcher("conntrack", Watch::default(), Watching::Connections(l), "")
}

impl Listener {
    /// Prints what happened since. Each line is written at once.
    pub fn hear(&mut self, k: &Kernel<Trace>, procs: &Procs) -> Heard {
        let events = &k.ns(self.ns).nf.ct.events;
        let mut heard = Heard::default();
        for e in events.iter().skip(self.seen) {
            if self.any && self.mask.has(e.kind) && self.filter.passes(&e.conn) {
                self.shown += 1;
                heard.out.push_str(&self.line(e, procs));
            }
        }
        self.seen = events.len();
        heard
    }

    fn line(&self, e: &CtEvent, procs: &Procs) -> String {
        let mut line = event_line(e, self.style);
        if e.portid != 0 {
            line.push_str(&format!(" [USERSPACE] portid={}", e.portid));
            // Its name, where a process has that number.
            if let Some(p) = procs.table.get(&Pid(e.portid)) {
                line.push_str(&format!(" progname={}", p.name));
            }
        }
        line.push('\n');
        line
    }

    /// Its last words on a signal; none where it does not live to say them.
    pub fn signalled(&self, signal: Signal) -> Option<[String; 2]> {
        let catches = matches!(signal, Signal::Int | Signal::Term);
        catches.then(|| [String::new(), format!("{NAME}: {} flow events have been shown.\n", self.shown)])
    }
}

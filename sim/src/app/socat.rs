//! socat: two addresses, and what one has to read goes to the other, both ways.

mod half;
mod open;
mod spec;

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::probe::local_class;
use super::{Cx, Wake};
use crate::kernel::tcp::TcpRead;
use crate::kernel::types::{Errno, MSEC, Nanos, SockId};
use crate::trace::{Outcome, Recorder};
use half::Half;
pub use spec::{Address, Connect, Listen, SocatSpec, Waits};

/// Two open addresses.
#[derive(Clone, Debug)]
struct Pair {
    n: u32,
    first: Half,
    second: Option<Half>,
    /// Both are open, and it has begun to read.
    reads: bool,
    /// When it ends if nothing happens.
    ends: Option<Nanos>,
}

/// A line that the shell is to run.
#[derive(Clone, Debug)]
pub struct Command {
    /// The line.
    pub line: String,
    /// Which pair of addresses it is for.
    pub pair: u32,
    /// What it finds in its environment.
    pub env: Vec<(String, String)>,
}

/// The program.
#[derive(Clone, Debug)]
pub struct Socat {
    spec: SocatSpec,
    listener: Option<SockId>,
    pairs: Vec<Pair>,
    begun: u32,
}

/// What timers are about; the number of a pair stands in front.
const OUTPUT: u32 = 0;
const OVER: u32 = 1;
const CONNECTING: u32 = 2;
const QUIET: u32 = 3;
const BEGIN: u32 = 4;
const KINDS: u32 = 5;

/// What passes until a command's output is read: a fork, an exec, a shell (measured: 1.7 ms).
const BEFORE_OUTPUT: Nanos = 3 * MSEC / 2;
/// What passes between a connection's beginning and the first look at what there is to read.
const BEFORE_READING: Nanos = 3 * MSEC / 10;
/// What passes between its output and its end.
const BEFORE_OVER: Nanos = MSEC;

impl Socat {
    /// A program that does as told.
    pub fn new(spec: SocatSpec) -> Socat {
        Socat { spec, listener: None, pairs: Vec::new(), begun: 0 }
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => self.start(cx),
            Wake::Sock(s) if Some(s) == self.listener => self.somebody(cx, s),
            Wake::Sock(s) => {
                if let Some(i) = self.pairs.iter().position(|p| p.has(s)) {
                    self.turn(cx, i);
                }
            }
            Wake::Timer(t) => self.timer(cx, t / KINDS, t % KINDS),
        }
    }

    fn start<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        match self.spec.first.clone() {
            Address::Listen(l) => {
                if let Err((call, e)) = self.listen(cx, &l) {
                    log(cx, 'E', &format!("{call}(5, {{AF=2 {}:{}}}, 16): {}", l.at, l.port, e.strerror()));
                    cx.app.report.outcome = Some(local_class(e));
                    cx.exit(1);
                }
            }
            first => {
                let n = self.begun;
                self.begun += 1;
                if let Some(half) = self.open(cx, n, &first, &[]) {
                    self.pairs.push(Pair { n, first: half, second: None, reads: false, ends: None });
                    self.turn(cx, self.pairs.len() - 1);
                }
            }
        }
    }

    /// A peer is there: the second address is opened for it.
    fn begin<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, first: Half, env: Vec<(String, String)>) {
        let n = self.begun;
        self.begun += 1;
        self.pairs.push(Pair { n, first, second: None, reads: false, ends: None });
        self.second(cx, self.pairs.len() - 1, &env);
    }

    fn second<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, i: usize, env: &[(String, String)]) {
        let (n, address) = (self.pairs[i].n, self.spec.second.clone());
        match self.open(cx, n, &address, env) {
            Some(half) => {
                self.pairs[i].second = Some(half);
                self.turn(cx, i);
            }
            None => self.end(cx, i, 1),
        }
    }

    fn failed<R: Recorder>(&self, cx: &mut Cx<'_, R>, e: Errno) {
        if self.listener.is_none() {
            cx.app.report.outcome = Some(local_class(e));
        }
    }

    /// A command has run: this is what it wrote.
    pub fn ran<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, pair: u32, text: Bytes) {
        let Some(p) = self.pairs.iter_mut().find(|p| p.n == pair) else { return };
        for h in [Some(&mut p.first), p.second.as_mut()].into_iter().flatten() {
            if let Half::Run { output, .. } = h {
                *output = Some(text.clone());
            }
        }
        cx.timer(BEFORE_OUTPUT, pair * KINDS + OUTPUT);
        cx.timer(BEFORE_OUTPUT + BEFORE_OVER, pair * KINDS + OVER);
    }

    fn timer<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, pair: u32, what: u32) {
        let Some(i) = self.pairs.iter().position(|p| p.n == pair) else { return };
        let p = &mut self.pairs[i];
        match what {
            QUIET => {
                if p.ends.is_some_and(|at| at <= cx.k.now()) {
                    self.end(cx, i, 0);
                }
                return;
            }
            CONNECTING => {
                if p.connecting() {
                    self.connect_failed(cx, i, Errno::ETIMEDOUT, true);
                }
                return;
            }
            BEGIN => p.reads = true,
            _ => {
                for h in [Some(&mut p.first), p.second.as_mut()].into_iter().flatten() {
                    h.ran(what == OVER);
                }
            }
        }
        self.turn(cx, i);
    }

    fn connect_failed<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, i: usize, e: Errno, gave_up: bool) {
        let address = if self.pairs[i].second.is_some() { &self.spec.second } else { &self.spec.first };
        if let Address::Connect(c) = address {
            self.no_connection(cx, c, e, gave_up);
        }
        self.failed(cx, e);
        self.end(cx, i, 1);
    }

    /// Says why there is no connection; `gave_up`: it waited no longer.
    fn no_connection<R: Recorder>(&self, cx: &mut Cx<'_, R>, c: &Connect, e: Errno, gave_up: bool) {
        let (a, port) = c.to;
        let (what, last) = match gave_up {
            true => (format!("connecting to AF=2 {a}:{port}"), "Operation now in progress"),
            false => (format!("connect(5, AF=2 {a}:{port}, 16)"), e.strerror()),
        };
        let text = format!("{what}: {}", e.strerror());
        if !self.spec.newer {
            return log(cx, 'E', &text);
        }
        log(cx, 'W', &text);
        log(cx, 'E', &format!("{}: {last}", c.text));
    }

    /// Moves what there is to move.
    fn turn<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, i: usize) {
        match self.pairs[i].is_up(cx) {
            Ok(true) => {}
            Ok(false) => return,
            Err(e) => return self.connect_failed(cx, i, e, false),
        }
        let p = &mut self.pairs[i];
        let Some(second) = &mut p.second else { return self.second(cx, i, &[]) };
        if !p.reads {
            return cx.timer(BEFORE_READING, p.n * KINDS + BEGIN);
        }
        let ways = if self.spec.one_way.is_some() { 1 } else { 2 };
        let (mut moved, mut ended) = (false, 0);
        for back in [false, true] {
            let (from, to) = match back {
                false => (&mut p.first, &mut *second),
                true => (&mut *second, &mut p.first),
            };
            if self.spec.one_way == Some(back) {
                continue;
            }
            match from.pump(cx, to) {
                Ok(half::Pumped { some, end }) => {
                    moved |= some;
                    ended += usize::from(end);
                }
                Err(e) => {
                    log(cx, 'E', &format!("read(5, {BUFFER}, 8192): {}", e.strerror()));
                    let refused = e == Errno::ECONNREFUSED;
                    cx.app.report.outcome = Some(if refused { Outcome::UnreachablePort } else { local_class(e) });
                    return self.end(cx, i, 1);
                }
            }
        }
        if ended == ways {
            return self.end(cx, i, 0);
        }
        let quiet = if ended > 0 { Some(self.spec.linger) } else { self.spec.idle };
        let p = &mut self.pairs[i];
        if let Some(t) = quiet
            && (moved || p.ends.is_none())
        {
            p.ends = Some(cx.k.now() + t);
            cx.timer(t, p.n * KINDS + QUIET);
        }
    }

    /// Closes a pair; without `fork` this is the end of it all.
    fn end<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, i: usize, status: i32) {
        let p = self.pairs.remove(i);
        for h in [Some(&p.first), p.second.as_ref()].into_iter().flatten() {
            let Some(s) = h.sock().filter(|s| Some(*s) != self.listener) else { continue };
            if matches!(h, Half::Tcp { .. }) {
                // `xioclose` shuts down before the process ends, and by then the other end has closed as well: what it
                // had sent and nobody read brings no reset (measured).
                while matches!(cx.k.tcp_recv(s), Ok(TcpRead::Data(_))) {}
            }
            cx.close(s);
        }
        if !matches!(&self.spec.first, Address::Listen(l) if l.fork) {
            cx.exit(status);
        }
    }
}

impl Pair {
    fn has(&self, s: SockId) -> bool {
        self.first.sock() == Some(s) || self.second.as_ref().and_then(Half::sock) == Some(s)
    }

    /// Are both that are open connected?
    fn is_up<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<bool, Errno> {
        Ok(self.first.is_up(cx)? && self.second.as_mut().map_or(Ok(true), |h| h.is_up(cx))?)
    }

    fn connecting(&self) -> bool {
        [Some(&self.first), self.second.as_ref()]
            .into_iter()
            .flatten()
            .any(|h| matches!(h, Half::Tcp { up: false, .. }))
    }
}

/// Where it reads to, of which its errors tell.
const BUFFER: &str = "0x55d133074000";

/// How many connections may wait for `accept`: socat's own default.
const BACKLOG: u32 = 5;

/// The variables that a command finds (`xiosetsockaddrenv`).
fn peers(peer: (Ipv4Addr, u16), sock: (Ipv4Addr, u16)) -> Vec<(String, String)> {
    let v = |n: &str, v: String| (format!("SOCAT_{n}"), v);
    vec![
        v("PEERADDR", peer.0.to_string()),
        v("PEERPORT", peer.1.to_string()),
        v("SOCKADDR", sock.0.to_string()),
        v("SOCKPORT", sock.1.to_string()),
    ]
}

/// A line of its log, as it goes to standard error. The world begins in 1970.
fn log<R: Recorder>(cx: &mut Cx<'_, R>, level: char, text: &str) {
    let line = line(cx.k.now(), cx.app.pid, level, text);
    cx.app.err.push_str(&line);
}

/// What socat tells; `E` is an error, `W` a warning.
pub fn line(now: Nanos, pid: crate::kernel::types::Pid, level: char, text: &str) -> String {
    let s = now / crate::kernel::types::SEC;
    let (day, h, m) = (1 + s / 86_400, s / 3_600 % 24, s / 60 % 60);
    format!("1970/01/{day:02} {h:02}:{m:02}:{:02} socat[{}] {level} {text}\n", s % 60, pid.0)
}

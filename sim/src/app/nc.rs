//! netcat (the OpenBSD one that Debian installs): a connection or datagrams from standard input.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::probe::{icmp_class, local_class};
use super::{Cx, Wake};
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::tcp::TcpRead;
use crate::kernel::types::{Errno, MSEC, Nanos, SEC, SockId};
use crate::trace::{Outcome, Recorder};

/// What is asked.
#[derive(Clone, Debug)]
pub struct NcSpec {
    /// Listens instead of connecting.
    pub listen: bool,
    /// UDP.
    pub udp: bool,
    /// Destination; the address to listen on.
    pub addr: Ipv4Addr,
    /// Port.
    pub port: u16,
    /// Own address and port.
    pub source: (Option<Ipv4Addr>, u16),
    /// Only connects (`-z`).
    pub scan: bool,
    /// Tells about connections (`-v`).
    pub verbose: bool,
    /// Goes on after the first client (`-k`).
    pub keep: bool,
    /// Broadcasts are allowed (`-b`).
    pub broadcast: bool,
    /// Shuts the connection down after standard input ended (`-N`).
    pub shutdown: bool,
    /// Gives up after so long without anything happening (`-w`).
    pub timeout: Option<Nanos>,
    /// Ends so long after standard input ended (`-q`).
    pub quit_after: Option<Nanos>,
    /// What standard input says.
    pub input: Bytes,
}

/// The program.
#[derive(Clone, Debug)]
pub struct Nc {
    spec: NcSpec,
    listener: Option<SockId>,
    conn: Option<SockId>,
    up: bool,
    turn: u32,
}

/// Standard input ended so long ago.
const QUIT: u32 = u32::MAX - 1;
/// Tokens of the steps of a scan by UDP begin here.
const SCAN: u32 = 1 << 30;
/// How long a scan waits for an error, in seconds (`UDP_SCAN_TIMEOUT`).
const SCAN_SECONDS: u64 = 3;

impl Nc {
    /// A program that does as told.
    pub fn new(spec: NcSpec) -> Nc {
        Nc { spec, listener: None, conn: None, up: false, turn: 0 }
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => {
                if let Err(e) = self.open(cx) {
                    self.fail(cx, e);
                }
            }
            Wake::Sock(s) if Some(s) == self.listener => self.listening(cx, s),
            Wake::Sock(s) if Some(s) == self.conn => self.talk(cx, s),
            Wake::Sock(_) => {}
            Wake::Timer(QUIT) => cx.exit(0),
            Wake::Timer(t) if t >= SCAN => self.scan_on(cx, t - SCAN),
            Wake::Timer(t) if t == self.turn => {
                if self.conn.is_some() && !self.up && !self.spec.udp {
                    return self.fail(cx, Errno::ETIMEDOUT);
                }
                cx.exit(i32::from(self.spec.listen && !self.up));
            }
            Wake::Timer(_) => {}
        }
    }

    /// Something happened: the idle timer begins anew.
    fn touch<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        if let Some(t) = self.spec.timeout {
            self.turn += 1;
            // The answer to what was just sent is there before a wait can begin.
            cx.timer(t.max(MSEC), self.turn);
        }
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        let kind = if self.spec.udp { SockKind::Udp } else { SockKind::Tcp(Box::default()) };
        let s = cx.socket(kind);
        let o = &mut cx.k.sock_mut(s).opts;
        o.reuseaddr = true;
        o.broadcast = self.spec.broadcast;
        if self.spec.listen {
            cx.k.sock_bind(s, self.spec.addr, self.spec.port)?;
            if self.spec.udp {
                self.conn = Some(s);
            } else {
                cx.k.tcp_listen(s, 1)?;
                self.listener = Some(s);
            }
            return Ok(());
        }
        if let (src, port) = self.spec.source
            && (src.is_some() || port != 0)
        {
            cx.k.sock_bind(s, src.unwrap_or(Ipv4Addr::UNSPECIFIED), port)?;
        }
        self.conn = Some(s);
        if self.spec.udp && self.spec.scan {
            cx.k.udp_connect(s, self.spec.addr, self.spec.port)?;
            // Without -v nobody wants to know (1.219).
            match self.spec.verbose {
                true => self.scan_on(cx, 0),
                false => cx.exit(0),
            }
            return Ok(());
        }
        self.touch(cx);
        if self.spec.udp {
            cx.k.udp_connect(s, self.spec.addr, self.spec.port)?;
            self.up = true;
            if !self.spec.input.is_empty() {
                // An error of the network comes back as the next call's.
                let _ = cx.k.udp_sendto(s, None, self.spec.input.clone());
            }
            if self.spec.timeout.is_none() {
                cx.timer(self.spec.quit_after.unwrap_or(SEC), QUIT);
            }
            return Ok(());
        }
        cx.k.sock_mut(s).opts.recverr = true;
        cx.k.tcp_connect(s, self.spec.addr, self.spec.port)
    }

    /// A step of `udptest`: a byte at once, another when what it set off is through, then one each second.
    fn scan_on<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, turn: u32) {
        let Some(s) = self.conn else { return };
        let seconds = self.spec.timeout.map_or(SCAN_SECONDS, |t| t / SEC);
        if u64::from(turn) <= seconds + 1 {
            // An error of the network comes back by itself, and ends it: before the next byte, or before the socket is
            // closed after the last.
            let _ = cx.k.udp_sendto(s, None, Bytes::from_static(b"X"));
            let second = (1..=seconds).contains(&u64::from(turn));
            return cx.timer(if second { SEC } else { MSEC }, SCAN + turn + 1);
        }
        let (a, p) = (self.spec.addr, self.spec.port);
        cx.app.err.push_str(&format!("Connection to {a} {p} port [udp/{}] succeeded!\n", service(p)));
        cx.exit(0);
    }

    fn fail<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, e: Errno) {
        let (a, p) = (self.spec.addr, self.spec.port);
        let proto = if self.spec.udp { "udp" } else { "tcp" };
        let line = match self.spec.listen {
            true => format!("nc: {}\n", e.strerror()),
            false => format!("nc: connect to {a} port {p} ({proto}) failed: {}\n", e.strerror()),
        };
        if self.spec.verbose || self.spec.listen {
            cx.app.err.push_str(&line);
        }
        let q = self.conn.and_then(|s| cx.k.sock_errq(s));
        let r = &mut cx.app.report;
        r.outcome = Some(match q.and_then(|q| q.icmp) {
            Some((t, c)) => icmp_class(t, c),
            None => local_class(e),
        });
        cx.exit(1);
    }

    fn listening<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        if self.conn.is_some() {
            return;
        }
        let Some(c) = cx.k.tcp_accept(s) else { return };
        cx.adopt(c);
        self.conn = Some(c);
        if self.spec.verbose {
            let k = cx.k.sock(c);
            let line = format!("Connection received on {} {}\n", k.remote, k.rport);
            cx.app.err.push_str(&line);
        }
        self.connected(cx, c);
        self.talk(cx, c);
    }

    fn connected<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        self.up = true;
        self.touch(cx);
        if !self.spec.input.is_empty() {
            // A connection that is gone already shows at the next read.
            let _ = cx.k.tcp_send(s, self.spec.input.clone());
        }
        if self.spec.shutdown {
            cx.k.tcp_shutdown(s);
        }
        if let Some(q) = self.spec.quit_after {
            cx.timer(q, QUIT);
        }
    }

    fn talk<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        if self.spec.udp {
            return self.datagrams(cx, s);
        }
        if !self.up {
            if let Some(e) = cx.k.sock_take_err(s) {
                return self.fail(cx, e);
            }
            if !cx.k.tcp_is_connected(s) {
                return;
            }
            if self.spec.verbose {
                let (a, p) = (self.spec.addr, self.spec.port);
                let line = format!("Connection to {a} {p} port [tcp/{}] succeeded!\n", service(p));
                cx.app.err.push_str(&line);
            }
            cx.app.report.connected = Some(true);
            if self.spec.scan {
                cx.app.report.outcome = Some(Outcome::Reply);
                return cx.exit(0);
            }
            self.connected(cx, s);
        }
        loop {
            match cx.k.tcp_recv(s) {
                Ok(TcpRead::Data(d)) => self.took(cx, &d),
                Ok(TcpRead::Empty) => return,
                Ok(TcpRead::Eof) | Err(_) => break,
            }
        }
        cx.close(s);
        self.conn = None;
        if self.spec.listen && self.spec.keep {
            self.up = false;
            return;
        }
        cx.app.report.outcome.get_or_insert(Outcome::Closed);
        cx.exit(0);
    }

    fn took<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, d: &[u8]) {
        cx.app.out.push_str(&String::from_utf8_lossy(d));
        cx.app.report.outcome = Some(Outcome::Reply);
        self.touch(cx);
    }

    fn datagrams<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        if let Some(e) = cx.k.sock_take_err(s) {
            cx.app.report.outcome =
                Some(if e == Errno::ECONNREFUSED { Outcome::UnreachablePort } else { local_class(e) });
            // It was connected, which is all that its status says (readwrite in netcat.c); -z asks for more (udptest).
            return cx.exit(i32::from(self.spec.scan));
        }
        while let Some(Rcv::Udp { from, payload, .. }) = cx.k.sock_recv(s) {
            if self.spec.scan {
                // A scan reads nothing.
                cx.app.report.outcome = Some(Outcome::Reply);
                continue;
            }
            self.took(cx, &payload);
            if self.spec.listen && cx.k.sock(s).rport == 0 {
                self.up = true;
                // The first sender is the one it talks to from then on.
                let _ = cx.k.udp_connect(s, from.0, from.1);
                if !self.spec.input.is_empty() {
                    let _ = cx.k.udp_sendto(s, None, self.spec.input.clone());
                }
            }
        }
    }
}

/// Names of `/etc/services` that `nc -v` shows.
pub fn service(port: u16) -> &'static str {
    match port {
        21 => "ftp",
        22 => "ssh",
        25 => "smtp",
        53 => "domain",
        80 => "http",
        443 => "https",
        3306 => "mysql",
        5432 => "postgresql",
        6379 => "redis",
        8080 => "http-alt",
        _ => "*",
    }
}

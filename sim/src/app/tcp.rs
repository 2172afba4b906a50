//! One connection: connect, ask, read the answer, close (`tcp`, `http` and `bulk` probes, `curl`).

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::probe::{icmp_class, local_class, read_line};
use super::{Cx, Wake};
use crate::kernel::socket::SockKind;
use crate::kernel::tcp::TcpRead;
use crate::kernel::types::{Errno, Nanos, SockId};
use crate::trace::{Outcome, Recorder};

/// How the answer ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// With the first line.
    Line,
    /// When the peer closes.
    Close,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct TcpSpec {
    /// Destination.
    pub dst: Ipv4Addr,
    /// Port.
    pub port: u16,
    /// Own port; 0 lets the kernel choose.
    pub sport: u16,
    /// Own address.
    pub src: Option<Ipv4Addr>,
    /// Device.
    pub dev: Option<String>,
    /// Time to live.
    pub ttl: Option<u8>,
    /// What is sent once connected.
    pub request: Bytes,
    /// How the answer ends.
    pub until: Until,
    /// Bytes are counted into the report (`bulk`).
    pub count: bool,
    /// How long all of it may take.
    pub timeout: Nanos,
    /// It is HTTP: the report has the status line.
    pub http: bool,
}

/// The program.
#[derive(Clone, Debug)]
pub struct TcpClient {
    spec: TcpSpec,
    sock: Option<SockId>,
    connected: bool,
    /// What came back.
    pub got: Vec<u8>,
}

/// What a client needs from the last byte of its answer until it closes.
const READING: Nanos = 60_000;
/// Timer: the answer is read.
const READ_IT: u32 = 1;

impl TcpClient {
    /// A program that asks as told.
    pub fn new(spec: TcpSpec) -> TcpClient {
        TcpClient { spec, sock: None, connected: false, got: Vec::new() }
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => {
                if let Err(e) = self.open(cx) {
                    self.local(cx, e);
                }
            }
            Wake::Sock(s) if Some(s) == self.sock => self.progress(cx, s),
            Wake::Sock(_) => {}
            Wake::Timer(READ_IT) => self.finish(cx, Outcome::Reply),
            Wake::Timer(_) => {
                let o = match (self.connected, self.got.is_empty()) {
                    (false, _) => Outcome::Timeout,
                    (true, _) => Outcome::Stall,
                };
                self.finish(cx, o);
            }
        }
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        let s = cx.socket(SockKind::Tcp(Box::default()));
        self.sock = Some(s);
        if let Some(d) = &self.spec.dev {
            cx.k.sock_bind_dev(s, d)?;
        }
        let o = &mut cx.k.sock_mut(s).opts;
        o.ttl = self.spec.ttl;
        o.reuseaddr = true;
        if self.spec.sport != 0 || self.spec.src.is_some() {
            cx.k.sock_bind(s, self.spec.src.unwrap_or(Ipv4Addr::UNSPECIFIED), self.spec.sport)?;
        }
        cx.k.sock_mut(s).opts.recverr = true;
        cx.timer(self.spec.timeout, 0);
        cx.k.tcp_connect(s, self.spec.dst, self.spec.port)
    }

    fn local<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, e: Errno) {
        let r = &mut cx.app.report;
        r.local_errno = Some(format!("{e:?}"));
        self.finish(cx, local_class(e));
    }

    /// Connected, refused, data, end.
    fn progress<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        if !self.connected {
            if let Some(e) = cx.k.tcp_so_error(s) {
                let o = local_class(e);
                let q = cx.k.sock_errq(s);
                let r = &mut cx.app.report;
                let mut outcome = o;
                match q.and_then(|q| q.icmp.map(|i| (q, i))) {
                    Some((q, (t, c))) => {
                        outcome = icmp_class(t, c);
                        r.by = Some(q.from.to_string());
                        r.icmp = Some((t, c));
                    }
                    None => r.local_errno = Some(format!("{e:?}")),
                }
                return self.finish(cx, outcome);
            }
            if !cx.k.tcp_is_connected(s) {
                return;
            }
            self.connected = true;
            cx.app.report.connected = Some(true);
            let request = self.spec.request.clone();
            if let Err(e) = cx.k.tcp_send(s, request) {
                return self.broken(cx, e);
            }
        }
        loop {
            match cx.k.tcp_recv(s) {
                Ok(TcpRead::Data(d)) => {
                    self.got.extend_from_slice(&d);
                    if self.spec.until == Until::Line && self.got.ends_with(b"\n") {
                        // It reads the line, and by the time it closes the server's FIN is there.
                        return cx.timer(READING, READ_IT);
                    }
                }
                Ok(TcpRead::Eof) => {
                    let o = if self.got.is_empty() { Outcome::Closed } else { Outcome::Reply };
                    return self.finish(cx, o);
                }
                Ok(TcpRead::Empty) => return,
                Err(e) => return self.broken(cx, e),
            }
        }
    }

    fn broken<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, e: Errno) {
        let o = match e {
            Errno::ECONNRESET | Errno::EPIPE => Outcome::Reset,
            e => local_class(e),
        };
        self.finish(cx, o);
    }

    fn finish<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, o: Outcome) {
        let text = String::from_utf8_lossy(&self.got).into_owned();
        let r = &mut cx.app.report;
        r.outcome = Some(o);
        let mut body = text.as_str();
        if self.spec.http
            && let Some((head, rest)) = text.split_once("\r\n\r\n")
        {
            r.status = head.lines().next().map(str::to_owned);
            body = rest;
        }
        read_line(body, r);
        if self.spec.count && self.connected {
            r.bytes = Some(self.got.len() as u64);
        }
        cx.exit(0);
    }
}

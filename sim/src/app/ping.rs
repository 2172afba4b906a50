//! Echo requests: the `ping` probe, and the engine of the `ping` command.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::probe::{icmp_class, local_class};
use super::{Cx, Wake};
use crate::kernel::ip::PmtuDisc;
use crate::kernel::socket::raw::{echo_request, quoted};
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::{Errno, Nanos, SEC, SockId};
use crate::trace::{Outcome, Recorder};
use crate::wire::{Icmp, Ipv4, L4};

/// What is asked.
#[derive(Clone, Debug)]
pub struct PingSpec {
    /// Destination.
    pub dst: Ipv4Addr,
    /// Bytes of data.
    pub size: usize,
    /// How many; none for ever.
    pub count: Option<u32>,
    /// Between two.
    pub interval: Nanos,
    /// How long to wait for the last answer.
    pub timeout: Nanos,
    /// Time to live.
    pub ttl: Option<u8>,
    /// DF.
    pub pmtudisc: PmtuDisc,
    /// Device to send by.
    pub dev: Option<String>,
    /// Source address.
    pub src: Option<Ipv4Addr>,
    /// ICMP id.
    pub ident: u16,
    /// Type of service.
    pub tos: u8,
    /// Allowed to ping a broadcast address.
    pub broadcast: bool,
    /// The first data bytes are the time, as iputils sends them.
    pub stamped: bool,
    /// The data are the time and zeros, as busybox sends them.
    pub blank: bool,
    /// First sequence number.
    pub first_seq: u16,
    /// Stops with the first answer or error: a probe.
    pub once: bool,
    /// Ends when the kernel refuses to send, as busybox' does.
    pub fatal: bool,
    /// In the background: how it tells of itself as it goes.
    pub tell: Option<Tell>,
}

/// How a command tells what happens: the words are its own.
#[derive(Clone, Debug)]
pub struct Tell {
    /// Its first line.
    pub head: String,
    /// The host as it was written.
    pub host: String,
    /// `-q`: only the summary.
    pub quiet: bool,
    /// `-I`.
    pub bound: bool,
    /// `-v`: answers are told with their ICMP id.
    pub ident: Option<u16>,
    /// All that it has to say after that so far, and with the summary once it has ended: standard output, standard error, and the
    /// exit status.
    pub told: fn(&Ping, &Tell, bool) -> ([String; 2], i32),
}

impl PingSpec {
    /// One echo request with 56 bytes.
    pub fn probe(dst: Ipv4Addr, ident: u16, timeout: Nanos) -> PingSpec {
        PingSpec {
            dst,
            size: 56,
            count: Some(1),
            interval: SEC,
            timeout,
            ttl: None,
            pmtudisc: PmtuDisc::Want,
            dev: None,
            src: None,
            ident,
            tos: 0,
            broadcast: false,
            stamped: false,
            blank: false,
            first_seq: 1,
            once: true,
            fatal: false,
            tell: None,
        }
    }
}

/// Something that happened to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PingEvent {
    /// An answer.
    Reply {
        /// Sender.
        from: Ipv4Addr,
        /// Sequence number.
        seq: u16,
        /// TTL as it arrived.
        ttl: u8,
        /// Bytes of the ICMP message.
        bytes: usize,
        /// Round trip.
        rtt: Nanos,
        /// Not the first answer to this request.
        dup: bool,
    },
    /// An ICMP error.
    Error {
        /// Sender.
        from: Ipv4Addr,
        /// Sequence number of the request.
        seq: u16,
        /// Type and code.
        icmp: (u8, u8),
        /// The four bytes after the checksum.
        info: u32,
        /// TTL as it arrived.
        ttl: u8,
    },
    /// The kernel refused to send.
    Local {
        /// Sequence number.
        seq: u16,
        /// errno.
        errno: Errno,
    },
}

/// The program.
#[derive(Clone, Debug)]
pub struct Ping {
    spec: PingSpec,
    sock: Option<SockId>,
    sent: Vec<(u16, Nanos, bool)>,
    /// How often in a row the kernel had no room for it.
    nobufs: Nanos,
    /// What happened, in order, and when.
    pub events: Vec<(Nanos, PingEvent)>,
    /// Path MTU that a refusal to send met.
    pub mtu: u32,
    /// When it began and ended.
    pub span: (Nanos, Nanos),
    /// errno of a failed set-up.
    pub failed: Option<Errno>,
    /// Bytes that were told.
    said: [usize; 2],
}

/// At most so long between two tries of what the kernel had no room for.
const NOBUFS_WAIT: Nanos = SEC / 2;
const SEND: u32 = 1;
const GIVE_UP: u32 = 2;

impl Ping {
    /// A program that asks as told.
    pub fn new(spec: PingSpec) -> Ping {
        Ping {
            spec,
            sock: None,
            sent: Vec::new(),
            nobufs: 0,
            events: Vec::new(),
            mtu: 0,
            span: (0, 0),
            failed: None,
            said: [0; 2],
        }
    }

    /// Requests that left.
    pub fn transmitted(&self) -> usize {
        self.sent.len()
    }

    /// When the last request left.
    pub fn last_sent(&self) -> Nanos {
        self.sent.last().map_or(self.span.0, |s| s.1)
    }

    /// Requests that had left by a time.
    pub fn transmitted_by(&self, at: Nanos) -> usize {
        self.sent.iter().filter(|s| s.1 <= at).count()
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => {
                self.span.0 = cx.k.now();
                match self.open(cx) {
                    Ok(()) => self.send(cx),
                    Err(e) => {
                        self.failed = Some(e);
                        self.finish(cx, Some(e));
                    }
                }
            }
            Wake::Sock(_) => self.read(cx),
            Wake::Timer(SEND) => self.send(cx),
            Wake::Timer(_) => self.finish(cx, None),
        }
        self.tell(cx);
    }

    /// Writes what is new since it last did.
    fn tell<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let Some(t) = &self.spec.tell else { return };
        let (text, status) = (t.told)(self, t, cx.app.exit.is_some());
        if cx.app.exit.is_some() {
            cx.app.exit = Some(status);
        }
        let [rest, err] = &text;
        let out = format!("{}{rest}", t.head);
        cx.app.out.push_str(out.get(self.said[0]..).unwrap_or(""));
        cx.app.err.push_str(err.get(self.said[1]..).unwrap_or(""));
        self.said = [out.len(), err.len()];
    }

    /// Bytes of data.
    pub fn size(&self) -> usize {
        self.spec.size
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        let s = cx.socket(SockKind::Raw { proto: 1 });
        self.sock = Some(s);
        if let Some(d) = &self.spec.dev {
            cx.k.sock_bind_dev(s, d)?;
        }
        let o = &mut cx.k.sock_mut(s).opts;
        o.ttl = self.spec.ttl;
        o.tos = self.spec.tos;
        o.pmtudisc = self.spec.pmtudisc;
        o.broadcast = self.spec.broadcast;
        if let Some(a) = self.spec.src {
            cx.k.sock_bind(s, a, 0)?;
        }
        Ok(())
    }

    fn data(&self) -> Bytes {
        if self.spec.blank {
            return vec![0; self.spec.size].into();
        }
        let mut d: Vec<u8> = (0..self.spec.size).map(|i| i as u8).collect();
        if self.spec.stamped && d.len() >= 16 {
            // The time, which no two runs share: zero here.
            d[..16].fill(0);
        }
        d.into()
    }

    fn send<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let Some(s) = self.sock else { return };
        let seq = self.spec.first_seq.wrapping_add(self.sent.len() as u16);
        let now = cx.k.now();
        self.sent.push((seq, now, false));
        let mut r = cx.k.raw_sendto(s, self.spec.dst, echo_request(self.spec.ident, seq, self.data()));
        let full = r == Err(Errno::ENOBUFS);
        let wait = (self.spec.interval / 2).min(NOBUFS_WAIT);
        self.nobufs = if full { self.nobufs + 1 } else { 0 };
        if full && self.spec.once {
            // `raw_sendmsg`: a socket that does not ask for errors is not told.
            r = Ok(());
        } else if full && self.nobufs * wait < self.spec.timeout {
            // `pinger` of iputils: it was not sent, and soon is tried again.
            self.sent.pop();
            return cx.timer(wait, SEND);
        }
        if let Err(errno) = r {
            if errno == Errno::EMSGSIZE {
                self.mtu = cx.k.path_mtu(s, self.spec.dst);
            }
            self.events.push((now, PingEvent::Local { seq, errno }));
            if self.spec.once || self.spec.fatal {
                return self.finish(cx, Some(errno));
            }
        }
        if self.spec.count.is_none_or(|c| (self.sent.len() as u32) < c) {
            cx.timer(self.spec.interval, SEND);
        } else if self.sent.iter().all(|s| s.2) || (r.is_err() && self.spec.count == Some(1)) {
            self.finish(cx, None);
        } else {
            // With answers so far, the last one is waited for no longer than one interval.
            let some = self.sent.iter().any(|s| s.2) && !self.spec.once;
            cx.timer(if some { self.spec.interval.min(self.spec.timeout) } else { self.spec.timeout }, GIVE_UP);
        }
    }

    fn read<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let Some(s) = self.sock else { return };
        while let Some(Rcv::Raw(ip)) = cx.k.sock_recv(s) {
            let L4::Icmp(i) = &ip.l4 else { continue };
            match i.ty {
                0 => self.reply(cx, &ip, i),
                3 | 5 | 11 | 12 => self.error(cx, &ip, i),
                _ => {}
            }
            if cx.app.exit.is_some() {
                return;
            }
        }
    }

    fn reply<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, ip: &Ipv4, i: &Icmp) {
        let (ident, seq) = ((i.rest >> 16) as u16, i.rest as u16);
        let Some(sent) = self.sent.iter_mut().find(|s| s.0 == seq).filter(|_| ident == self.spec.ident) else { return };
        let (rtt, dup) = (cx.k.now() - sent.1, sent.2);
        sent.2 = true;
        let bytes = 8 + i.payload.len();
        self.events.push((cx.k.now(), PingEvent::Reply { from: ip.src, seq, ttl: ip.ttl, bytes, rtt, dup }));
        if self.spec.once {
            let r = &mut cx.app.report;
            r.outcome = Some(Outcome::Reply);
            r.by = Some(ip.src.to_string());
            r.ttl = Some(ip.ttl);
            r.bytes = Some(bytes as u64);
            return self.finish(cx, None);
        }
        self.maybe_done(cx);
    }

    fn maybe_done<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let all_sent = self.spec.count.is_some_and(|c| self.sent.len() as u32 >= c);
        if all_sent && self.sent.iter().all(|s| s.2) {
            self.finish(cx, None);
        }
    }

    fn error<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, ip: &Ipv4, i: &Icmp) {
        let Some((ident, seq)) = quoted(i).and_then(|q| echo_of(&q.l4)) else { return };
        if ident != self.spec.ident || !self.sent.iter().any(|s| s.0 == seq) {
            return;
        }
        let (from, icmp) = (ip.src, (i.ty, i.code));
        self.events.push((cx.k.now(), PingEvent::Error { from, seq, icmp, info: i.rest, ttl: ip.ttl }));
        if i.ty == 5 {
            cx.app.report.notes.push((Ipv4Addr::from(i.rest).to_string(), from.to_string()));
            return;
        }
        if self.spec.once {
            let r = &mut cx.app.report;
            r.outcome = Some(icmp_class(i.ty, i.code));
            r.by = Some(from.to_string());
            r.icmp = Some(icmp);
            r.ttl = Some(ip.ttl);
            if icmp == (3, 4) {
                r.mtu = Some(i.rest & 0xffff);
            }
            return self.finish(cx, None);
        }
        if let Some(s) = self.sent.iter_mut().find(|s| s.0 == seq) {
            s.2 = true;
        }
        self.maybe_done(cx);
    }

    fn finish<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, local: Option<Errno>) {
        self.span.1 = cx.k.now();
        let r = &mut cx.app.report;
        if let Some(e) = local {
            r.outcome = Some(local_class(e));
            r.local_errno = Some(format!("{e:?}"));
        }
        if r.outcome.is_none() {
            r.outcome = Some(Outcome::Timeout);
        }
        cx.exit(0);
    }
}

/// Identifier and number of an echo message, which the first piece of a fragmented one shows too.
fn echo_of(l4: &L4) -> Option<(u16, u16)> {
    match l4 {
        L4::Icmp(q) => Some(((q.rest >> 16) as u16, q.rest as u16)),
        L4::Raw(1, b) => {
            let at = |n: usize| Some(u16::from_be_bytes([*b.get(n)?, *b.get(n + 1)?]));
            Some((at(4)?, at(6)?))
        }
        _ => None,
    }
}

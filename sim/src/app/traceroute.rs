//! Hop by hop: the `traceroute` probe (UDP to rising ports, or echo requests), and the tools of that name.
//!
//! Linux' own `traceroute` (2.1.2, `do_it` in traceroute.c) has up to sixteen probes under way: it sends all of them
//! without a look at what came back, and only then reads. The others ask one by one.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::probe::{icmp_class, local_class, read_line};
use super::{Cx, Wake};
use crate::kernel::ip::PmtuDisc;
use crate::kernel::socket::raw::{echo_request, quoted};
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::{Errno, MSEC, Nanos, SockId};
use crate::trace::{Outcome, Recorder};
use crate::wire::L4;

/// What is asked.
#[derive(Clone, Debug)]
pub struct TraceSpec {
    /// Destination.
    pub dst: Ipv4Addr,
    /// Echo requests instead of UDP.
    pub icmp: bool,
    /// Most hops.
    pub max: u8,
    /// Wait for each hop.
    pub wait: Nanos,
    /// Own port or ICMP id of hop 0; 0: the kernel chooses a port for each probe.
    pub sport: u16,
    /// Device.
    pub dev: Option<String>,
    /// Source address.
    pub src: Option<Ipv4Addr>,
    /// Probes for each hop.
    pub queries: u8,
    /// Bytes of data.
    pub data: Bytes,
    /// First port; it rises with each probe.
    pub port: u16,
    /// DF bit: the tool sends without.
    pub pmtudisc: PmtuDisc,
    /// Whose way it is done in.
    pub style: Style,
}

/// Whose way of asking it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The probe's: own port or ICMP id for each hop, one by one, and three that stay silent are the end.
    Probe,
    /// busybox': one port for all, one by one; the first two bytes of data are number and TTL.
    Busybox,
    /// Linux': this many under way. `hasty`: an answer of the same or of a later hop shortens the wait.
    Linux {
        /// `-N`: probes under way.
        squeries: usize,
        /// No `-w` was given.
        hasty: bool,
    },
}

impl Style {
    fn under_way(self) -> usize {
        match self {
            Style::Linux { squeries, .. } => squeries,
            Style::Probe | Style::Busybox => 1,
        }
    }
}

/// One probe's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// TTL.
    pub ttl: u8,
    /// Who answered.
    pub from: Option<Ipv4Addr>,
    /// How.
    pub outcome: Outcome,
    /// Type and code of an ICMP error.
    pub icmp: Option<(u8, u8)>,
    /// Round trip.
    pub rtt: Nanos,
}

/// A probe that was sent.
#[derive(Clone, Debug)]
struct Sent {
    sock: Option<SockId>,
    sport: u16,
    seq: u16,
    at: Nanos,
    /// The kernel refused it: the socket outlives that a little, so that an ICMP error to oneself still finds it, as it
    /// does within the system call.
    refused: Option<Outcome>,
    hop: Option<Hop>,
}

impl Sent {
    fn rtt(&self) -> Option<Nanos> {
        self.hop.as_ref().filter(|h| h.from.is_some()).map(|h| h.rtt)
    }
}

/// The program.
#[derive(Clone, Debug)]
pub struct Traceroute {
    spec: TraceSpec,
    sent: Vec<Sent>,
    /// Probes whose number is at or beyond this one are not looked at.
    end: usize,
    turn: u32,
    /// What was found, as far as it can be told.
    pub hops: Vec<Hop>,
    /// The errno that ended it: Linux' tool doesn't go on after a failed `send`.
    pub failed: Option<Errno>,
}

/// What the tool adds to a round trip before it multiplies it (`DEF_WAIT_PREC`), and by what (`DEF_HERE_FACTOR`,
/// `DEF_NEAR_FACTOR`).
const WAIT_PREC: Nanos = MSEC;
const HERE: Nanos = 3;
const NEAR: Nanos = 10;

impl Traceroute {
    /// A program that asks as told.
    pub fn new(spec: TraceSpec) -> Traceroute {
        let end = usize::from(spec.max) * usize::from(spec.queries);
        Traceroute { spec, sent: Vec::new(), end, turn: 0, hops: Vec::new(), failed: None }
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Sock(s) => {
                let Some(n) = self.sent.iter().position(|p| p.sock == Some(s) && p.hop.is_none()) else { return };
                if self.sent[n].refused.is_none() && self.read(cx, n, s) {
                    self.go_on(cx);
                }
            }
            Wake::Start => self.go_on(cx),
            Wake::Timer(t) if t == self.turn => self.go_on(cx),
            Wake::Timer(_) => {}
        }
    }

    /// Tells what can be told, sends what may be under way and waits for the probe whose turn it is to be told.
    fn go_on<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let (mut n, mut under_way) = (self.hops.len(), 0);
        while n < self.end && under_way < self.spec.style.under_way() {
            if n == self.hops.len() && self.due(n).is_some_and(|t| cx.k.now() >= t) {
                let how = self.sent[n].refused.take().unwrap_or(Outcome::Timeout);
                self.found(cx, n, None, how, None);
            }
            if let Some(h) = self.sent.get(n).and_then(|p| p.hop.clone()) {
                if !matches!(h.outcome, Outcome::TtlExceeded | Outcome::Timeout) {
                    self.end = self.end.min(usize::from(h.ttl) * usize::from(self.spec.queries));
                }
                if n == self.hops.len() {
                    self.hops.push(h);
                    if self.silent() {
                        return self.finish(cx);
                    }
                }
                n += 1;
                continue;
            }
            if n == self.sent.len() && !self.send(cx) {
                return self.finish(cx);
            }
            (n, under_way) = (n + 1, under_way + 1);
        }
        let Some(due) = self.due(self.hops.len()).filter(|_| self.hops.len() < self.end) else {
            return self.finish(cx);
        };
        self.turn += 1;
        // `poll` counts milliseconds.
        cx.timer(due.saturating_sub(cx.k.now()).div_ceil(MSEC) * MSEC, self.turn);
    }

    /// When a probe is given up, if it is under way (`get_timeout`).
    fn due(&self, n: usize) -> Option<Nanos> {
        let p = self.sent.get(n).filter(|p| p.hop.is_none())?;
        if p.refused.is_some() {
            return Some(p.at + MSEC);
        }
        let queries = usize::from(self.spec.queries);
        let first = n - n % queries;
        let here = self.sent[first..].iter().take(queries).find_map(Sent::rtt).map(|t| HERE * (t + WAIT_PREC));
        let near = || self.sent[n + 1..].iter().find_map(Sent::rtt).map(|t| NEAR * (t + WAIT_PREC));
        let hint = match self.spec.style {
            Style::Linux { hasty: true, .. } => here.or_else(near),
            _ => None,
        };
        Some(p.at + hint.map_or(self.spec.wait, |t| t.min(self.spec.wait)))
    }

    fn silent(&self) -> bool {
        self.spec.style == Style::Probe
            && self.hops.len() >= 3
            && self.hops[self.hops.len() - 3..].iter().all(|h| h.outcome == Outcome::Timeout)
    }

    /// Sends the next one; false: that is the end of it all.
    fn send<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> bool {
        let seq = (self.sent.len() + 1) as u16;
        let sport = self.spec.sport.wrapping_add(if self.spec.style == Style::Probe { seq } else { 0 });
        self.sent.push(Sent { sock: None, sport, seq, at: cx.k.now(), refused: None, hop: None });
        let n = self.sent.len() - 1;
        let Err(e) = self.try_send(cx, n) else { return true };
        if matches!(self.spec.style, Style::Linux { .. }) {
            self.failed = Some(e);
            return false;
        }
        self.sent[n].refused = Some(local_class(e));
        true
    }

    fn ttl(&self, n: usize) -> u8 {
        (n / usize::from(self.spec.queries) + 1) as u8
    }

    fn try_send<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, n: usize) -> Result<(), Errno> {
        let kind = if self.spec.icmp { SockKind::Raw { proto: 1 } } else { SockKind::Udp };
        let s = cx.socket(kind);
        let (ttl, sport, seq) = (self.ttl(n), self.sent[n].sport, self.sent[n].seq);
        self.sent[n].sock = Some(s);
        if let Some(d) = &self.spec.dev {
            cx.k.sock_bind_dev(s, d)?;
        }
        let o = &mut cx.k.sock_mut(s).opts;
        o.ttl = Some(ttl);
        o.reuseaddr = !matches!(self.spec.style, Style::Linux { .. });
        o.pmtudisc = self.spec.pmtudisc;
        o.recverr = !self.spec.icmp;
        let data = self.data(ttl, seq);
        let src = self.spec.src.unwrap_or(Ipv4Addr::UNSPECIFIED);
        if self.spec.icmp {
            if let Some(a) = self.spec.src {
                cx.k.sock_bind(s, a, 0)?;
            }
            return cx.k.raw_sendto(s, self.spec.dst, echo_request(sport, seq, data));
        }
        cx.k.sock_bind(s, src, sport)?;
        cx.k.udp_connect(s, self.spec.dst, self.spec.port.wrapping_add(seq))?;
        cx.k.udp_sendto(s, None, data)
    }

    fn data(&self, ttl: u8, seq: u16) -> Bytes {
        if self.spec.style != Style::Busybox || self.spec.data.len() < 2 {
            return self.spec.data.clone();
        }
        let mut d = self.spec.data.to_vec();
        (d[0], d[1]) = (seq as u8, ttl);
        d.into()
    }

    /// Reads what came to a probe's socket: was it its answer?
    fn read<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, n: usize, s: SockId) -> bool {
        if let Some(q) = cx.k.sock_errq(s) {
            match q.icmp {
                Some((t, c)) => self.found(cx, n, Some(q.from), icmp_class(t, c), Some((t, c))),
                None => self.found(cx, n, None, local_class(q.errno), None),
            }
            return true;
        }
        let mine = u32::from(self.sent[n].sport) << 16 | u32::from(self.sent[n].seq);
        while let Some(r) = cx.k.sock_recv(s) {
            match r {
                Rcv::Udp { from, payload, .. } => {
                    read_line(&String::from_utf8_lossy(&payload), &mut cx.app.report);
                    self.found(cx, n, Some(from.0), Outcome::Reply, None);
                    return true;
                }
                Rcv::Raw(ip) => {
                    let L4::Icmp(i) = &ip.l4 else { continue };
                    if i.ty == 0 && i.rest == mine {
                        self.found(cx, n, Some(ip.src), Outcome::Reply, None);
                        return true;
                    }
                    let quoted = quoted(i).is_some_and(|q| matches!(q.l4, L4::Icmp(x) if x.rest == mine));
                    if matches!(i.ty, 3 | 11 | 12) && quoted {
                        self.found(cx, n, Some(ip.src), icmp_class(i.ty, i.code), Some((i.ty, i.code)));
                        return true;
                    }
                }
                Rcv::Packet(..) => {}
            }
        }
        false
    }

    fn found<R: Recorder>(
        &mut self,
        cx: &mut Cx<'_, R>,
        n: usize,
        from: Option<Ipv4Addr>,
        outcome: Outcome,
        icmp: Option<(u8, u8)>,
    ) {
        let rtt = cx.k.now() - self.sent[n].at;
        self.sent[n].hop = Some(Hop { ttl: self.ttl(n), from, outcome, icmp, rtt });
        if let Some(s) = self.sent[n].sock.take() {
            cx.close(s);
        }
    }

    fn finish<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let name = |h: &Hop| h.from.map_or_else(|| "*".to_owned(), |a| a.to_string());
        let r = &mut cx.app.report;
        r.outcome = self.failed.map(local_class).or(self.hops.last().map(|h| h.outcome));
        r.hops = Some(self.hops.iter().map(|h| (h.ttl, name(h), h.outcome)).collect());
        cx.exit(i32::from(self.failed.is_some()));
    }
}

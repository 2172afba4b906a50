//! Hop by hop: the `traceroute` probe (UDP to rising ports, or echo requests).

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
    /// Own port or ICMP id of hop 0.
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
    /// Each probe has its own port and socket (the probe's way), or one id counts up.
    pub stop_after_silence: bool,
    /// busybox' way: one port for all probes, whose first two bytes of data are number and TTL.
    pub numbered: bool,
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

/// The program.
#[derive(Clone, Debug)]
pub struct Traceroute {
    spec: TraceSpec,
    sock: Option<SockId>,
    ttl: u8,
    query: u8,
    sent_at: Nanos,
    seq: u16,
    turn: u32,
    /// The kernel refused the probe under way: the socket outlives that a little, so that an ICMP error to oneself
    /// still finds it, as it does within the system call.
    refused: Option<Outcome>,
    /// What was found.
    pub hops: Vec<Hop>,
}

impl Traceroute {
    /// A program that asks as told.
    pub fn new(spec: TraceSpec) -> Traceroute {
        Traceroute { spec, sock: None, ttl: 1, query: 0, sent_at: 0, seq: 0, turn: 0, refused: None, hops: Vec::new() }
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => self.send(cx),
            Wake::Sock(s) if Some(s) == self.sock && self.refused.is_none() => self.read(cx, s),
            Wake::Timer(t) if t == self.turn => {
                let how = self.refused.take().unwrap_or(Outcome::Timeout);
                self.hop(cx, None, how, None);
            }
            _ => {}
        }
    }

    fn send<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        self.turn += 1;
        self.sent_at = cx.k.now();
        self.seq += 1;
        let wait = match self.try_send(cx) {
            Ok(()) => self.spec.wait,
            Err(e) => {
                self.refused = Some(local_class(e));
                MSEC
            }
        };
        cx.timer(wait, self.turn);
    }

    fn try_send<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        if let Some(s) = self.sock.take() {
            cx.close(s);
        }
        let kind = if self.spec.icmp { SockKind::Raw { proto: 1 } } else { SockKind::Udp };
        let s = cx.socket(kind);
        self.sock = Some(s);
        if let Some(d) = &self.spec.dev {
            cx.k.sock_bind_dev(s, d)?;
        }
        let o = &mut cx.k.sock_mut(s).opts;
        o.ttl = Some(self.ttl);
        o.reuseaddr = true;
        o.pmtudisc = self.spec.pmtudisc;
        o.recverr = !self.spec.icmp;
        let sport = self.sport();
        let data = self.data();
        let src = self.spec.src.unwrap_or(Ipv4Addr::UNSPECIFIED);
        if self.spec.icmp {
            if let Some(a) = self.spec.src {
                cx.k.sock_bind(s, a, 0)?;
            }
            return cx.k.raw_sendto(s, self.spec.dst, echo_request(sport, self.seq, data));
        }
        cx.k.sock_bind(s, src, sport)?;
        cx.k.udp_connect(s, self.spec.dst, self.spec.port.wrapping_add(self.seq))?;
        cx.k.udp_sendto(s, None, data)
    }

    fn sport(&self) -> u16 {
        self.spec.sport.wrapping_add(if self.spec.numbered { 0 } else { self.seq })
    }

    fn data(&self) -> Bytes {
        if !self.spec.numbered || self.spec.data.len() < 2 {
            return self.spec.data.clone();
        }
        let mut d = self.spec.data.to_vec();
        (d[0], d[1]) = (self.seq as u8, self.ttl);
        d.into()
    }

    fn read<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        if let Some(q) = cx.k.sock_errq(s) {
            return match q.icmp {
                Some((t, c)) => self.hop(cx, Some(q.from), icmp_class(t, c), Some((t, c))),
                None => self.hop(cx, None, local_class(q.errno), None),
            };
        }
        while let Some(r) = cx.k.sock_recv(s) {
            match r {
                Rcv::Udp { from, payload, .. } => {
                    read_line(&String::from_utf8_lossy(&payload), &mut cx.app.report);
                    return self.hop(cx, Some(from.0), Outcome::Reply, None);
                }
                Rcv::Raw(ip) => {
                    let L4::Icmp(i) = &ip.l4 else { continue };
                    let mine = u32::from(self.sport()) << 16 | u32::from(self.seq);
                    if i.ty == 0 && i.rest == mine {
                        return self.hop(cx, Some(ip.src), Outcome::Reply, None);
                    }
                    let quoted = quoted(i).is_some_and(|q| matches!(q.l4, L4::Icmp(x) if x.rest == mine));
                    if matches!(i.ty, 3 | 11 | 12) && quoted {
                        return self.hop(cx, Some(ip.src), icmp_class(i.ty, i.code), Some((i.ty, i.code)));
                    }
                }
                Rcv::Packet(..) => {}
            }
        }
    }

    fn hop<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, from: Option<Ipv4Addr>, o: Outcome, icmp: Option<(u8, u8)>) {
        let rtt = cx.k.now() - self.sent_at;
        self.hops.push(Hop { ttl: self.ttl, from, outcome: o, icmp, rtt });
        self.query += 1;
        if self.query < self.spec.queries {
            return self.send(cx);
        }
        self.query = 0;
        let at_end = |h: &Hop| !matches!(h.outcome, Outcome::TtlExceeded | Outcome::Timeout);
        let arrived = self.hops.iter().rev().take(self.spec.queries as usize).any(at_end);
        let silent = self.spec.stop_after_silence
            && self.hops.len() >= 3
            && self.hops[self.hops.len() - 3..].iter().all(|h| h.outcome == Outcome::Timeout);
        if arrived || silent || self.ttl >= self.spec.max {
            return self.finish(cx);
        }
        self.ttl += 1;
        self.send(cx);
    }

    fn finish<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let name = |h: &Hop| h.from.map_or_else(|| "*".to_owned(), |a| a.to_string());
        let r = &mut cx.app.report;
        r.outcome = self.hops.last().map(|h| h.outcome);
        r.hops = Some(self.hops.iter().map(|h| (h.ttl, name(h), h.outcome)).collect());
        cx.exit(0);
    }
}

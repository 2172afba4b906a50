//! One datagram and its answer (`udp` probes).

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::probe::{icmp_class, local_class, read_line};
use super::{Cx, Wake};
use crate::kernel::ip::PmtuDisc;
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::{Errno, MSEC, Nanos, SockId};
use crate::trace::{Outcome, Recorder};

/// What is asked.
#[derive(Clone, Debug)]
pub struct UdpSpec {
    /// Destination.
    pub dst: Ipv4Addr,
    /// Port.
    pub port: u16,
    /// Own port.
    pub sport: u16,
    /// Own address.
    pub src: Option<Ipv4Addr>,
    /// Device.
    pub dev: Option<String>,
    /// Time to live.
    pub ttl: Option<u8>,
    /// DF.
    pub pmtudisc: PmtuDisc,
    /// Data.
    pub payload: Bytes,
    /// Takes an answer from anybody.
    pub unconnected: bool,
    /// How long to wait.
    pub timeout: Nanos,
}

/// The program.
#[derive(Clone, Debug)]
pub struct UdpClient {
    spec: UdpSpec,
    sock: Option<SockId>,
    /// The system call failed: only the end is to come.
    failed: bool,
}

impl UdpClient {
    /// A program that asks as told.
    pub fn new(spec: UdpSpec) -> UdpClient {
        UdpClient { spec, sock: None, failed: false }
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => match self.open(cx) {
                Ok(()) => cx.timer(self.spec.timeout, 0),
                Err(e) => {
                    cx.app.report.local_errno = Some(format!("{e:?}"));
                    cx.app.report.outcome = Some(local_class(e));
                    // The socket outlives the refusal a little: an ICMP error to oneself still finds it.
                    self.failed = true;
                    cx.timer(MSEC, 0);
                }
            },
            _ if self.failed => {
                if matches!(why, Wake::Timer(_)) {
                    cx.exit(0);
                }
            }
            Wake::Sock(s) => self.read(cx, s),
            Wake::Timer(_) => finish(cx, Outcome::Timeout),
        }
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        let s = cx.socket(SockKind::Udp);
        self.sock = Some(s);
        if let Some(d) = &self.spec.dev {
            cx.k.sock_bind_dev(s, d)?;
        }
        let o = &mut cx.k.sock_mut(s).opts;
        o.ttl = self.spec.ttl;
        o.pmtudisc = self.spec.pmtudisc;
        o.reuseaddr = true;
        o.recverr = true;
        cx.k.sock_bind(s, self.spec.src.unwrap_or(Ipv4Addr::UNSPECIFIED), self.spec.sport)?;
        let to = (self.spec.dst, self.spec.port);
        if self.spec.unconnected {
            cx.k.udp_sendto(s, Some(to), self.spec.payload.clone())
        } else {
            cx.k.udp_connect(s, to.0, to.1)?;
            cx.k.udp_sendto(s, None, self.spec.payload.clone())
        }
    }

    fn read<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        if let Some(q) = cx.k.sock_errq(s) {
            return match q.icmp {
                Some((t, c)) => {
                    let r = &mut cx.app.report;
                    r.by = Some(q.from.to_string());
                    r.icmp = Some((t, c));
                    finish(cx, icmp_class(t, c));
                }
                None => local(cx, q.errno),
            };
        }
        if let Some(Rcv::Udp { from, ttl, payload, .. }) = cx.k.sock_recv(s) {
            let r = &mut cx.app.report;
            r.by = Some(format!("{}:{}", from.0, from.1));
            r.ttl = Some(ttl);
            read_line(&String::from_utf8_lossy(&payload), r);
            finish(cx, Outcome::Reply);
        }
    }
}

fn local<R: Recorder>(cx: &mut Cx<'_, R>, e: Errno) {
    cx.app.report.local_errno = Some(format!("{e:?}"));
    finish(cx, local_class(e));
}

fn finish<R: Recorder>(cx: &mut Cx<'_, R>, o: Outcome) {
    cx.app.report.outcome = Some(o);
    cx.exit(0);
}

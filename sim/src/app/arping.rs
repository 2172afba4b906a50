//! ARP requests by hand: the `arping` probe and the engine of the `arping` command.

use std::net::Ipv4Addr;

use super::probe::local_class;
use super::{Cx, Wake};
use crate::kernel::dev::PktType;
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::{Errno, Nanos, SockId};
use crate::trace::{Outcome, Recorder};
use crate::wire::{Arp, Body, MacAddr, Packet, PacketId};

/// What is asked.
#[derive(Clone, Debug)]
pub struct ArpingSpec {
    /// Address asked for.
    pub dst: Ipv4Addr,
    /// Device.
    pub dev: String,
    /// Source address; the device's first where left out.
    pub src: Option<Ipv4Addr>,
    /// How many.
    pub count: u32,
    /// Between two.
    pub interval: Nanos,
    /// How long to wait after the last.
    pub timeout: Nanos,
    /// Announces the own address: `-U` (request) or `-A` (reply).
    pub announce: Option<u16>,
    /// An announcement leaves the target's Ethernet address zero, as an engine's does.
    pub zero_target: bool,
    /// Stops with the first answer (`-f`).
    pub first: bool,
    /// Asks every time by broadcast (`-b`); else by unicast after the first answer.
    pub broadcast: bool,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArpAnswer {
    /// Address that answered.
    pub mac: MacAddr,
    /// It came as a broadcast.
    pub broadcast: bool,
    /// Round trip.
    pub rtt: Nanos,
}

/// The program.
#[derive(Clone, Debug)]
pub struct Arping {
    spec: ArpingSpec,
    sock: Option<SockId>,
    own: (MacAddr, Ipv4Addr),
    sent_at: Nanos,
    to: MacAddr,
    /// Requests that left.
    pub sent: u32,
    /// Of them, those that went to everybody.
    pub broadcasts: u32,
    /// Answers.
    pub answers: Vec<ArpAnswer>,
    /// Why it could not begin.
    pub failed: Option<Errno>,
    /// It ends instead of sending again.
    pub ending: bool,
}

const SEND: u32 = 1;

impl Arping {
    /// A program that asks as told.
    pub fn new(spec: ArpingSpec) -> Arping {
        Arping {
            spec,
            sock: None,
            own: (MacAddr::ZERO, Ipv4Addr::UNSPECIFIED),
            sent_at: 0,
            to: MacAddr::BROADCAST,
            sent: 0,
            broadcasts: 0,
            answers: Vec::new(),
            failed: None,
            ending: false,
        }
    }

    /// What is asked.
    pub fn spec(&self) -> &ArpingSpec {
        &self.spec
    }

    /// The address it asks from.
    pub fn source(&self) -> Ipv4Addr {
        self.own.1
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => {
                if let Err(e) = self.open(cx).and_then(|()| self.send(cx)) {
                    self.failed = Some(e);
                    let r = &mut cx.app.report;
                    r.outcome = Some(local_class(e));
                    r.local_errno = Some(format!("{e:?}"));
                    cx.exit(2);
                }
            }
            Wake::Sock(s) => self.read(cx, s),
            Wake::Timer(_) if self.ending => cx.exit(0),
            Wake::Timer(SEND) => {
                // A device that went down meanwhile: the next one will tell.
                let _ = self.send(cx);
            }
            Wake::Timer(_) => self.finish(cx),
        }
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        let dev = cx.k.dev_by_name(cx.app.ns, &self.spec.dev).ok_or(Errno::ENODEV)?;
        let s = cx.socket(SockKind::Packet { ethertype: 0x0806 });
        cx.k.sock_mut(s).dev = Some(dev);
        self.sock = Some(s);
        let d = cx.k.dev(dev);
        let first = d.addrs.first().map_or(Ipv4Addr::UNSPECIFIED, |a| a.local);
        self.own = (d.mac, self.spec.src.unwrap_or(first));
        Ok(())
    }

    fn send<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        let Some(s) = self.sock else { return Ok(()) };
        let (sha, spa) = self.own;
        let arp = match self.spec.announce {
            // A gratuitous reply names its own address as the target's; a gratuitous request leaves it open.
            Some(op) => {
                let tha = match op {
                    _ if self.spec.zero_target => MacAddr::ZERO,
                    Arp::REPLY => sha,
                    _ => MacAddr::BROADCAST,
                };
                Arp { op, sha, spa: self.spec.dst, tha, tpa: self.spec.dst }
            }
            None => Arp { op: Arp::REQUEST, sha, spa, tha: self.request_tha(), tpa: self.spec.dst },
        };
        let p = Packet::new(PacketId(0), sha, self.to, Body::Arp(arp));
        cx.k.packet_send(s, p)?;
        self.sent += 1;
        self.sent_at = cx.k.now();
        self.broadcasts += u32::from(self.to.is_broadcast());
        if self.sent < self.spec.count {
            cx.timer(self.spec.interval, SEND);
        } else {
            cx.timer(self.spec.timeout, 0);
        }
        Ok(())
    }

    /// The command fills the field with its broadcast address, the probe with zeros.
    fn request_tha(&self) -> MacAddr {
        if self.spec.broadcast { MacAddr::ZERO } else { self.to }
    }

    fn read<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        while let Some(Rcv::Packet(p, ty)) = cx.k.sock_recv(s) {
            let Body::Arp(a) = p.body else { continue };
            if a.op != Arp::REPLY || a.spa != self.spec.dst || self.spec.announce.is_some() {
                continue;
            }
            let rtt = cx.k.now() - self.sent_at;
            let broadcast = ty == PktType::Broadcast;
            self.answers.push(ArpAnswer { mac: a.sha, broadcast, rtt });
            if !self.spec.broadcast {
                self.to = a.sha;
            }
            if self.spec.first {
                return self.finish(cx);
            }
        }
    }

    fn finish<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let r = &mut cx.app.report;
        r.outcome = Some(if self.answers.is_empty() { Outcome::Timeout } else { Outcome::Reply });
        r.macs = Some(self.answers.iter().map(|a| a.mac.to_string()).collect());
        let quiet = self.answers.is_empty() && self.spec.announce.is_none();
        cx.exit(i32::from(quiet));
    }
}

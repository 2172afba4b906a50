//! ARP packets as they arrive (`arp_rcv`, `arp_process`).

use std::net::Ipv4Addr;

use super::{Nud, Update};
use crate::engine::Timer;
use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::fib::{RouteType, scope};
use crate::kernel::link::IfFlags;
use crate::kernel::route::OutputKey;
use crate::kernel::types::{DevId, Nanos};
use crate::trace::event::{ArpVerdict, Birth};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Arp, Body, Packet};

impl<R: Recorder> Kernel<R> {
    /// `arp_rcv`.
    pub(crate) fn arp_rcv(&mut self, dev: DevId, ty: PktType, mut p: Packet) {
        let Body::Arp(a) = p.body else { return };
        let d = &self.devs[dev.ix()];
        let verdict = if d.flags.contains(IfFlags::NOARP) || d.is_loopback() {
            ArpVerdict::NoArp
        } else if ty == PktType::OtherHost || ty == PktType::Loopback {
            ArpVerdict::NotOurs
        } else {
            self.arp_process(dev, ty, a, &mut p, false)
        };
        if R::ON {
            self.ev(dev, &mut p, EventKind::Arp { verdict });
            match verdict {
                ArpVerdict::Bad => self.drop_at(dev, &mut p, DropReason::NOT_SPECIFIED, "arp_process"),
                _ => self.consume(dev, &mut p, "ARP packet read"),
            }
        }
    }

    /// A held-back question is answered at last (`neigh_proxy_process`).
    pub(crate) fn arp_parked(&mut self, dev: DevId, mut p: Packet) {
        if let Body::Arp(a) = p.body
            && self.devs[dev.ix()].alive
        {
            self.arp_process(dev, PktType::Broadcast, a, &mut p, true);
        }
    }

    fn arp_process(&mut self, dev: DevId, ty: PktType, a: Arp, p: &mut Packet, parked: bool) -> ArpVerdict {
        let ns = self.devs[dev.ix()].netns;
        if a.tpa.is_multicast() || (a.tpa.is_loopback() && !self.route_localnet(dev)) {
            return ArpVerdict::Bad;
        }
        let d = &self.devs[dev.ix()];
        let all = &self.netns[ns.ix()].sysctl.all;
        if a.spa == a.tpa && (d.conf.drop_gratuitous_arp != 0 || all.drop_gratuitous_arp != 0) {
            return ArpVerdict::Unsolicited;
        }
        if a.spa.is_unspecified() {
            // Somebody checks whether the address is taken (RFC 5227).
            if a.op == Arp::REQUEST
                && self.inet_addr_type(ns, a.tpa) == RouteType::Local
                && self.arp_ignore(dev, a.spa, a.tpa).is_none()
            {
                self.arp_answer(dev, a, p);
                return ArpVerdict::Answered;
            }
            return ArpVerdict::NotOurs;
        }
        let mut verdict = ArpVerdict::NotOurs;
        if a.op == Arp::REQUEST {
            match self.arp_request(dev, ty, a, p, parked) {
                Ok(v) => return v,
                Err(v) => verdict = v,
            }
        }
        self.arp_learn(dev, ty, a, p).unwrap_or(verdict)
    }

    /// A question: answered, or (`Err`) only looked at for what it tells of the asker.
    fn arp_request(
        &mut self,
        dev: DevId,
        ty: PktType,
        a: Arp,
        p: &mut Packet,
        parked: bool,
    ) -> Result<ArpVerdict, ArpVerdict> {
        // Most questions of a broadcast are for somebody else; without rules, proxying or a route that could
        // matter, the answer is no.
        let ns = self.devs[dev.ix()].netns;
        if self.arp_plainly_not_ours(dev, a.tpa) {
            return Err(ArpVerdict::NotOurs);
        }
        let rt = match self.ip_route_input_arp(dev, a.spa, a.tpa) {
            Ok(rt) => rt,
            // A neighbour that lies behind the same device is not ours to answer for (`__mkroute_input`).
            Err(DropReason::NOT_SPECIFIED | DropReason::IP_INVALID_DEST) => return Err(ArpVerdict::NotOurs),
            Err(_) => return Err(ArpVerdict::SourceRefused),
        };
        if rt.error.is_some() {
            return Err(ArpVerdict::NotOurs);
        }
        if rt.kind == RouteType::Local {
            if let Some(level) = self.arp_ignore(dev, a.spa, a.tpa) {
                return Ok(ArpVerdict::Ignored(level));
            }
            let d = &self.devs[dev.ix()];
            if (d.conf.arp_filter != 0 || self.netns[ns.ix()].sysctl.all.arp_filter != 0) && self.arp_filter(dev, a) {
                return Ok(ArpVerdict::Filtered);
            }
            if !self.neigh_event_ns(dev, a, p) {
                return Ok(ArpVerdict::TableFull);
            }
            self.arp_answer(dev, a, p);
            return Ok(ArpVerdict::Answered);
        }
        let forwards = self.devs[dev.ix()].conf.forwarding != 0;
        if forwards && rt.kind == RouteType::Unicast && self.arp_proxies(dev, rt.dev, a.tpa) {
            if !self.neigh_event_ns(dev, a, p) {
                return Ok(ArpVerdict::TableFull);
            }
            let delay = self.devs[dev.ix()].neigh_parms.proxy_delay;
            if parked || ty == PktType::Host || delay == 0 {
                self.arp_answer(dev, a, p);
            } else {
                let wait: Nanos = self.rng.below(delay);
                self.park(dev, p.clone(), wait);
            }
            return Ok(ArpVerdict::Proxied);
        }
        Err(ArpVerdict::NotOurs)
    }

    /// Holds a packet back for a while.
    fn park(&mut self, dev: DevId, p: Packet, wait: Nanos) {
        let slot = self.parked.len() as u32;
        self.parked.push(Some((dev, p)));
        self.queue.mod_timer(wait, Timer::Parked(slot));
    }

    /// Can it be said without a routing lookup that the question is for somebody else?
    #[inline]
    fn arp_plainly_not_ours(&self, dev: DevId, tpa: Ipv4Addr) -> bool {
        let d = &self.devs[dev.ix()];
        let n = &self.netns[d.netns.ix()];
        d.conf.forwarding == 0 && !n.fib.custom_rules && !n.fib.hint.may_have(tpa)
    }

    /// `arp_fwd_proxy`, `pneigh_lookup`: do we answer for an address beyond us?
    fn arp_proxies(&self, dev: DevId, out: DevId, tpa: Ipv4Addr) -> bool {
        let d = &self.devs[dev.ix()];
        let n = &self.netns[d.netns.ix()];
        let on = d.conf.proxy_arp != 0 || n.sysctl.all.proxy_arp != 0;
        let pvlan = d.conf.proxy_arp_pvlan != 0 && out == dev;
        let listed = n.neigh.proxies.iter().any(|(x, a)| *a == tpa && x.is_none_or(|x| x == dev));
        (on && out != dev) || pvlan || (listed && out != dev)
    }

    /// The asker is noted (`neigh_event_ns`), if there is room.
    fn neigh_event_ns(&mut self, dev: DevId, a: Arp, p: &mut Packet) -> bool {
        if self.neigh_make(dev, a.spa).is_none() {
            return false;
        }
        // A permanent entry keeps its address.
        let _ =
            self.neigh_update(dev, a.spa, Some(a.sha), Nud::Stale, Update { override_: true, admin: false }, Some(p));
        true
    }

    fn arp_answer(&mut self, dev: DevId, a: Arp, p: &mut Packet) {
        let sha = self.devs[dev.ix()].mac;
        let reply = Arp { op: Arp::REPLY, sha, spa: a.tpa, tha: a.sha, tpa: a.spa };
        self.arp_send(dev, a.sha, reply, Some(p.id), Birth::Answer);
    }

    /// `arp_ignore`: the level that forbids an answer.
    fn arp_ignore(&self, dev: DevId, sip: Ipv4Addr, tip: Ipv4Addr) -> Option<u8> {
        let d = &self.devs[dev.ix()];
        let ns = d.netns;
        let level = d.conf.arp_ignore.max(self.netns[ns.ix()].sysctl.all.arp_ignore);
        let ok = match level {
            1 => self.inet_confirm_addr(ns, Some(dev), None, tip, scope::HOST),
            2 => self.inet_confirm_addr(ns, Some(dev), Some(sip), tip, scope::HOST),
            3 => self.inet_confirm_addr(ns, None, None, tip, scope::LINK),
            4..=8 => level != 8,
            _ => true,
        };
        (!ok).then_some(level as u8)
    }

    /// `arp_filter`: would the answer leave by another device?
    fn arp_filter(&mut self, dev: DevId, a: Arp) -> bool {
        let ns = self.devs[dev.ix()].netns;
        let key = OutputKey { src: a.tpa, ..OutputKey::to(a.spa, 0) };
        self.ip_route_output(ns, key, None).map_or(true, |rt| rt.dev != dev)
    }

    /// What an ARP packet tells of its sender: known ones are brought up to date, new ones only with `arp_accept`.
    fn arp_learn(&mut self, dev: DevId, ty: PktType, a: Arp, p: &mut Packet) -> Option<ArpVerdict> {
        let now = self.queue.now;
        let ns = self.devs[dev.ix()].netns;
        let d = &self.devs[dev.ix()];
        let accept = d.conf.arp_accept.max(self.netns[ns.ix()].sysctl.all.arp_accept);
        let accept = match accept {
            0 => false,
            1 => true,
            _ => self.inet_addr_onlink(dev, a.spa, a.spa),
        };
        let known = self.netns[ns.ix()].neigh.entries.get(&(dev, a.spa)).map(|n| n.updated);
        if known.is_none() && !accept {
            return (a.op == Arp::REPLY).then_some(ArpVerdict::Unsolicited);
        }
        let locktime = d.neigh_parms.locktime;
        let unicast = self.inet_addr_type(ns, a.spa) == RouteType::Unicast;
        // A gratuitous answer names its own address as the target's too.
        let garp = a.tpa == a.spa && unicast && (a.op == Arp::REQUEST || a.tha == a.sha);
        if known.is_none() {
            if !(garp || (a.op == Arp::REPLY && unicast)) {
                return None;
            }
            self.neigh_make(dev, a.spa)?;
        }
        let override_ = garp || known.is_some_and(|u| now > u + locktime);
        // Only an answer addressed to us proves that the way is open in both directions.
        let state = if a.op != Arp::REPLY || ty != PktType::Host { Nud::Stale } else { Nud::Reachable };
        let flags = Update { override_, admin: false };
        match self.neigh_update(dev, a.spa, Some(a.sha), state, flags, Some(p)) {
            Ok(()) => Some(ArpVerdict::Learned),
            Err(_) => Some(ArpVerdict::Unsolicited),
        }
    }
}

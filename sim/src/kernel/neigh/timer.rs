//! Timers of entries, probes and failure (`neigh_timer_handler`, `neigh_invalidate`, `arp_solicit`).

use std::net::Ipv4Addr;

use super::Nud;
use crate::kernel::Kernel;
use crate::kernel::fib::{RouteType, scope};
use crate::kernel::types::{DevId, MSEC};
use crate::trace::event::Birth;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Arp, MacAddr};

impl<R: Recorder> Kernel<R> {
    /// `neigh_timer_handler`.
    pub(crate) fn neigh_timer(&mut self, dev: DevId, ip: Ipv4Addr, generation: u32) {
        let now = self.queue.now;
        let ns = self.devs[dev.ix()].netns;
        let parms = self.devs[dev.ix()].neigh_parms;
        let Some(n) = self.netns[ns.ix()].neigh.entries.get(&(dev, ip)) else { return };
        if n.timer_gen != generation || !n.nud.in_timer() {
            return;
        }
        let (nud, confirmed, used, probes) = (n.nud, n.confirmed, n.used, n.probes);
        let next;
        match nud {
            Nud::Reachable => {
                if now <= confirmed + parms.base_reachable_time {
                    next = confirmed + parms.base_reachable_time;
                } else if now <= used + parms.delay_probe_time {
                    self.neigh_set(dev, ip, Nud::Delay, None);
                    next = now + parms.delay_probe_time;
                } else {
                    return self.neigh_set(dev, ip, Nud::Stale, None);
                }
            }
            Nud::Delay => {
                if now <= confirmed + parms.delay_probe_time {
                    self.neigh_set(dev, ip, Nud::Reachable, None);
                    next = confirmed + parms.base_reachable_time;
                } else {
                    self.neigh_set(dev, ip, Nud::Probe, None);
                    if let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) {
                        n.probes = 0;
                    }
                    self.neigh_arm(dev, ip, now + parms.retrans_time.max(10 * MSEC));
                    return self.neigh_probe(dev, ip);
                }
            }
            _ => {
                let max = parms.ucast_solicit
                    + parms.app_solicit
                    + if nud == Nud::Probe { parms.mcast_resolicit } else { parms.mcast_solicit };
                if probes >= max {
                    self.neigh_set(dev, ip, Nud::Failed, None);
                    return self.neigh_invalidate(dev, ip);
                }
                self.neigh_arm(dev, ip, now + parms.retrans_time.max(10 * MSEC));
                return self.neigh_probe(dev, ip);
            }
        }
        // Never sooner than the kernel looks again (HZ/100).
        self.neigh_arm(dev, ip, next.max(now + 10 * MSEC));
    }

    /// Nobody answered: every packet that waited is reported unreachable (`neigh_invalidate`).
    pub(crate) fn neigh_invalidate(&mut self, dev: DevId, ip: Ipv4Addr) {
        let ns = self.devs[dev.ix()].netns;
        let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) else { return };
        let waiting = std::mem::take(&mut n.queue);
        for mut p in waiting {
            self.link_failure(dev, &mut p);
            self.drop_at(dev, &mut p, DropReason::NEIGH_FAILED, "neigh_invalidate");
        }
    }

    /// One more question (`neigh_probe`, `arp_solicit`).
    pub(crate) fn neigh_probe(&mut self, dev: DevId, ip: Ipv4Addr) {
        let ns = self.devs[dev.ix()].netns;
        let d = &self.devs[dev.ix()];
        let parms = d.neigh_parms;
        let announce = d.conf.arp_announce.max(self.netns[ns.ix()].sysctl.all.arp_announce);
        let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) else { return };
        let probes = n.probes;
        n.probes += 1;
        let (lladdr, valid) = (n.lladdr, n.nud.is_valid());
        // The latest packet that waits lends its source address.
        let (asked, parent) = match n.queue.back() {
            Some(p) => (p.ipv4().map(|ip| ip.src), Some(p.id)),
            None => (None, None),
        };
        let asked = asked.filter(|s| self.inet_addr_type(ns, *s) == RouteType::Local);
        let spa = match announce {
            0 => asked,
            // Only one that shares a subnet with the target.
            1 => asked.filter(|s| self.inet_addr_onlink(dev, ip, *s)),
            _ => None,
        };
        let spa = spa.or_else(|| self.inet_select_addr(dev, Some(ip), scope::LINK));
        let spa = spa.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let to = if probes < parms.ucast_solicit {
            if !valid {
                return;
            }
            lladdr
        } else if probes < parms.ucast_solicit + parms.app_solicit {
            return;
        } else {
            MacAddr::BROADCAST
        };
        let sha = self.devs[dev.ix()].mac;
        let a = Arp { op: Arp::REQUEST, sha, spa, tha: MacAddr::ZERO, tpa: ip };
        self.arp_send(dev, to, a, parent, Birth::Solicit);
    }

    /// `arp_xmit`.
    pub(crate) fn arp_send(
        &mut self,
        dev: DevId,
        to: MacAddr,
        a: Arp,
        parent: Option<crate::wire::PacketId>,
        why: Birth,
    ) {
        use crate::wire::{Body, Packet};
        if self.devs[dev.ix()].flags.contains(crate::kernel::link::IfFlags::NOARP) {
            return;
        }
        let id = self.packet_id();
        if R::ON {
            self.rec.born(id, parent, why);
        }
        let p = Packet::new(id, self.devs[dev.ix()].mac, to, Body::Arp(a));
        self.dev_queue_xmit(dev, p);
    }

    /// Announces the device's addresses when it comes up or changes its own (`inetdev_send_gratuitous_arp`).
    pub(crate) fn arp_notify(&mut self, dev: DevId, always: bool) {
        let d = self.dev(dev);
        let on = d.conf.arp_notify != 0 || self.ns(d.netns).sysctl.all.arp_notify != 0;
        if !(on || always) || !d.is_up() {
            return;
        }
        let (sha, addrs) = (d.mac, d.addrs.clone());
        for a in addrs {
            let arp = Arp { op: Arp::REQUEST, sha, spa: a.local, tha: MacAddr::ZERO, tpa: a.local };
            self.arp_send(dev, MacAddr::BROADCAST, arp, None, Birth::Sent);
        }
    }

    /// Does the device forget its neighbours when the carrier goes (`arp_evict_nocarrier`, both must say so)?
    pub(crate) fn evicts_without_carrier(&self, dev: DevId) -> bool {
        let d = self.dev(dev);
        d.conf.arp_evict_nocarrier != 0 && self.ns(d.netns).sysctl.all.arp_evict_nocarrier != 0
    }

    /// Forgets the neighbours of a device (`neigh_flush_dev`).
    pub(crate) fn neigh_flush_dev(&mut self, dev: DevId, keep_permanent: bool) {
        let ns = self.dev(dev).netns;
        let mut waiting = Vec::new();
        let now = self.queue.now;
        let rec_on = R::ON;
        let mut states = Vec::new();
        self.ns_mut(ns).neigh.entries.retain(|(d, ip), n| {
            if *d != dev || (keep_permanent && n.nud == Nud::Permanent) {
                return true;
            }
            waiting.extend(std::mem::take(&mut n.queue));
            if rec_on {
                states.push((*ip, n.nud));
            }
            false
        });
        for (ip, old) in states {
            let kind = EventKind::NeighState { ip, old, new: Nud::None, lladdr: None };
            self.rec.event(now, ns, Some(dev), None, kind);
        }
        for mut p in waiting {
            self.drop_at(dev, &mut p, DropReason::QUEUE_PURGE, "neigh_destroy");
        }
    }
}

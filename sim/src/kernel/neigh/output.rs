//! The last step of sending: the next hop's link-layer address (`ip_finish_output2`, `neigh_resolve_output`).

use std::net::Ipv4Addr;

use super::{Neigh, Nud};
use crate::engine::Timer;
use crate::kernel::Kernel;
use crate::kernel::dev::is_gso;
use crate::kernel::types::{DevId, Errno, MSEC};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{MacAddr, Packet};

/// What a queued packet costs beside its bytes (`skb->truesize` of a small packet).
const SKB_OVERHEAD: usize = 640;

impl<R: Recorder> Kernel<R> {
    /// Sends a packet to a next hop on a device's link: was it taken?
    ///
    /// # Errors
    /// ENOBUFS: the neighbour table is full.
    pub(crate) fn neigh_output(&mut self, dev: DevId, hop: Ipv4Addr, mut p: Packet) -> Result<bool, Errno> {
        let d = &self.devs[dev.ix()];
        p.touch();
        p.src = d.mac;
        if d.is_loopback() {
            p.dst = MacAddr::ZERO;
            return Ok(self.dev_queue_xmit(dev, p));
        }
        self.neigh_resolve_output(dev, hop, p)
    }

    /// `neigh_resolve_output`, `__neigh_event_send`.
    fn neigh_resolve_output(&mut self, dev: DevId, hop: Ipv4Addr, mut p: Packet) -> Result<bool, Errno> {
        let now = self.queue.now;
        let ns = self.devs[dev.ix()].netns;
        let Some(n) = self.neigh_make(dev, hop) else {
            // `net_info_ratelimited` of neigh_alloc.
            if R::ON {
                let line = "neighbour: arp_cache: neighbor table overflow!".into();
                self.ev(dev, &mut p, EventKind::Log { line });
            }
            self.drop_at(dev, &mut p, DropReason::NEIGH_CREATEFAIL, "ip_finish_output2");
            return Err(Errno::ENOBUFS);
        };
        n.used = now;
        let (nud, lladdr) = (n.nud, n.lladdr);
        // What needs no asking is no decision.
        if R::ON && nud != Nud::Noarp {
            let lladdr = nud.is_valid().then_some(lladdr);
            self.ev(dev, &mut p, EventKind::Neigh { ip: hop, nud, lladdr });
        }
        match nud {
            Nud::Reachable | Nud::Permanent | Nud::Noarp | Nud::Delay | Nud::Probe => {
                p.dst = lladdr;
                p.touch();
                return Ok(self.dev_queue_xmit(dev, p));
            }
            Nud::Stale => {
                let delay = self.devs[dev.ix()].neigh_parms.delay_probe_time;
                self.neigh_set(dev, hop, Nud::Delay, Some(&mut p));
                self.neigh_arm(dev, hop, now + delay);
                p.dst = lladdr;
                p.touch();
                return Ok(self.dev_queue_xmit(dev, p));
            }
            Nud::Incomplete => self.neigh_queue(dev, hop, p),
            Nud::None | Nud::Failed => {
                let parms = self.devs[dev.ix()].neigh_parms;
                if parms.mcast_solicit + parms.app_solicit == 0 {
                    self.neigh_set(dev, hop, Nud::Failed, Some(&mut p));
                    self.drop_at(dev, &mut p, DropReason::NEIGH_FAILED, "__neigh_event_send");
                    return Ok(true);
                }
                if let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, hop)) {
                    n.probes = parms.ucast_solicit;
                }
                self.neigh_set(dev, hop, Nud::Incomplete, Some(&mut p));
                self.neigh_arm(dev, hop, now + parms.retrans_time.max(10 * MSEC));
                self.neigh_queue(dev, hop, p);
                self.neigh_probe(dev, hop);
            }
        }
        Ok(true)
    }

    /// Does a packet that a test picks still wait for the neighbour?
    pub(crate) fn neigh_holds(&self, dev: DevId, hop: Ipv4Addr, test: impl Fn(&Packet) -> bool) -> bool {
        let ns = self.devs[dev.ix()].netns;
        self.netns[ns.ix()].neigh.entries.get(&(dev, hop)).is_some_and(|n| n.queue.iter().any(test))
    }

    /// The neighbour's address, where it needs no confirmation (`NUD_CONNECTED`).
    pub(crate) fn neigh_connected(&self, dev: DevId, ip: Ipv4Addr) -> Option<MacAddr> {
        let n = self.netns[self.devs[dev.ix()].netns.ix()].neigh.entries.get(&(dev, ip))?;
        matches!(n.nud, Nud::Permanent | Nud::Noarp | Nud::Reachable).then_some(n.lladdr)
    }

    /// `neigh_confirm`: who sends knows that it is there.
    pub(crate) fn neigh_confirm(&mut self, dev: DevId, ip: Ipv4Addr) {
        let (ns, now) = (self.devs[dev.ix()].netns, self.queue.now);
        if let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) {
            n.confirmed = now;
        }
    }

    /// Is the neighbour's address known?
    pub(crate) fn neigh_is_valid(&self, dev: DevId, ip: Ipv4Addr) -> bool {
        let ns = self.devs[dev.ix()].netns;
        self.netns[ns.ix()].neigh.entries.get(&(dev, ip)).is_some_and(|n| n.nud.is_valid())
    }

    /// `neigh_event_send` without a packet: asks for a neighbour that nothing waits for yet.
    pub(crate) fn neigh_event_send(&mut self, dev: DevId, ip: Ipv4Addr) {
        let now = self.queue.now;
        let parms = self.devs[dev.ix()].neigh_parms;
        if self.neigh_make(dev, ip).is_none() {
            return;
        }
        let ns = self.devs[dev.ix()].netns;
        let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) else { return };
        if matches!(n.nud, Nud::None | Nud::Failed) {
            n.probes = parms.ucast_solicit;
            self.neigh_set(dev, ip, Nud::Incomplete, None);
            self.neigh_arm(dev, ip, now + parms.retrans_time.max(10 * MSEC));
            self.neigh_probe(dev, ip);
        }
    }

    /// A packet waits for the address; the oldest make room (`unres_qlen_bytes`).
    fn neigh_queue(&mut self, dev: DevId, hop: Ipv4Addr, mut p: Packet) {
        let ns = self.devs[dev.ix()].netns;
        let limit = self.devs[dev.ix()].neigh_parms.queue_len_bytes as usize;
        self.ev(dev, &mut p, EventKind::NeighWait { ip: hop });
        let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, hop)) else { return };
        let cost = |p: &Packet| p.frame_len() + SKB_OVERHEAD * if is_gso(p) { 4 } else { 1 };
        let mut total: usize = n.queue.iter().map(cost).sum();
        let mut out = Vec::new();
        while total + cost(&p) > limit {
            let Some(old) = n.queue.pop_front() else { break };
            total -= cost(&old);
            out.push(old);
        }
        n.queue.push_back(p);
        for mut old in out {
            self.drop_at(dev, &mut old, DropReason::NEIGH_QUEUEFULL, "__neigh_event_send");
        }
    }

    /// Changes an entry's state and says so.
    pub(crate) fn neigh_set(&mut self, dev: DevId, ip: Ipv4Addr, new: Nud, p: Option<&mut Packet>) {
        let now = self.queue.now;
        let ns = self.devs[dev.ix()].netns;
        let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) else { return };
        let old = n.nud;
        n.nud = new;
        n.updated = now;
        let lladdr = new.is_valid().then_some(n.lladdr);
        if R::ON && old != new {
            self.rec.event(now, ns, Some(dev), p, EventKind::NeighState { ip, old, new, lladdr });
        }
    }

    /// Sets an entry's timer; an older one no longer counts.
    pub(crate) fn neigh_arm(&mut self, dev: DevId, ip: Ipv4Addr, at: u64) {
        let ns = self.devs[dev.ix()].netns;
        let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) else { return };
        n.timer_gen += 1;
        let generation = n.timer_gen;
        self.queue.mod_timer(at.saturating_sub(self.queue.now), Timer::Neigh { dev, ip, generation });
    }
}

impl Neigh {
    /// A new entry, before anything is known.
    pub fn new(now: u64) -> Neigh {
        Neigh {
            lladdr: MacAddr::ZERO,
            nud: Nud::None,
            probes: 0,
            used: now,
            confirmed: now,
            updated: now,
            timer_gen: 0,
            queue: Default::default(),
            extern_learn: false,
        }
    }
}

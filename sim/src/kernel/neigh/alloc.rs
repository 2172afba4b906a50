//! Room in the neighbour table (`neigh_alloc`, `neigh_forced_gc`): one table for all namespaces of a host.
//!
//! What the periodic collection (`neigh_periodic_work`, above `gc_thresh1`) would take away stays until room is needed.

use std::net::Ipv4Addr;

use super::{Neigh, Nud};
use crate::kernel::Kernel;
use crate::kernel::types::{DevId, HostId, Nanos, NetnsId, SEC};
use crate::trace::Recorder;

/// How old news of an entry must be before it may be taken away, and how often that is tried below `gc_thresh3`.
const AGE: Nanos = 5 * SEC;

/// What a host remembers of its neighbour table (`struct neigh_table`).
#[derive(Clone, Copy, Debug, Default)]
pub struct NeighRoom {
    /// At most so many entries are there: counted anew only where it may matter.
    at_most: u32,
    /// When entries were last taken away (`last_flush`).
    last_flush: Nanos,
}

impl<R: Recorder> Kernel<R> {
    /// `neigh_alloc`: is there room for one more? Entries of `lo`, permanent ones, and those that another program learnt
    /// need none.
    pub(crate) fn neigh_alloc(&mut self, dev: DevId) -> bool {
        let d = &self.devs[dev.ix()];
        let (ns, host) = (d.netns, self.netns[d.netns.ix()].host);
        if d.is_loopback() || self.netns[ns.ix()].is_switch || host.ix() >= self.hosts.len() {
            return true;
        }
        let s = self.host_sysctl(ns);
        let (thresh2, thresh3) = (s.gc_thresh2.max(0) as u32, s.gc_thresh3.max(0) as u32);
        let now = self.queue.now;
        if self.hosts[host.ix()].neigh.at_most >= thresh2.min(thresh3) {
            let entries = self.gc_list(host).count() as u32;
            self.hosts[host.ix()].neigh.at_most = entries;
            let flushed = self.hosts[host.ix()].neigh.last_flush;
            if entries >= thresh3 || (entries >= thresh2 && now > flushed + AGE) {
                let shrunk = self.neigh_forced_gc(host, (entries + 1).saturating_sub(thresh2));
                if shrunk == 0 && entries >= thresh3 {
                    return false;
                }
                self.hosts[host.ix()].neigh.at_most -= shrunk;
            }
        }
        self.hosts[host.ix()].neigh.at_most += 1;
        true
    }

    /// Entries that may be taken away for others (`gc_list`). Linux has them in the order in which they were made; here those
    /// of one namespace come together.
    fn gc_list(&self, host: HostId) -> impl Iterator<Item = (NetnsId, DevId, Ipv4Addr, &Neigh)> {
        let of = move |n: &(NetnsId, &crate::kernel::netns::Netns)| n.1.alive && n.1.host == host && !n.1.is_switch;
        let all = (0u32..).map(NetnsId).zip(&self.netns).filter(of);
        all.flat_map(|(id, ns)| ns.neigh.entries.iter().map(move |(k, n)| (id, k.0, k.1, n)))
            .filter(|(_, d, _, n)| !self.devs[d.ix()].is_loopback() && n.nud != Nud::Permanent && !n.extern_learn)
    }

    /// `neigh_forced_gc`: entries that no timer holds go, if they failed, need no ARP, or are old.
    fn neigh_forced_gc(&mut self, host: HostId, max_clean: u32) -> u32 {
        let now = self.queue.now;
        let idle = |n: &Neigh| !n.nud.in_timer() && n.queue.is_empty();
        let old = |n: &Neigh| matches!(n.nud, Nud::Failed | Nud::Noarp) || n.updated + AGE < now;
        let gone: Vec<(NetnsId, DevId, Ipv4Addr)> = self
            .gc_list(host)
            .filter(|(_, _, ip, n)| idle(n) && (old(n) || ip.is_multicast()))
            .map(|(ns, dev, ip, _)| (ns, dev, ip))
            .take(max_clean.max(1) as usize)
            .collect();
        for (ns, dev, ip) in &gone {
            self.netns[ns.ix()].neigh.entries.shift_remove(&(*dev, *ip));
        }
        self.hosts[host.ix()].neigh.last_flush = now;
        gone.len() as u32
    }
}

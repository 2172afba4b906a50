//! `neigh_update`: news about a neighbour, from ARP or from an administrator.

use std::net::Ipv4Addr;

use super::{Neigh, Nud};
use crate::kernel::Kernel;
use crate::kernel::fib::RouteType;
use crate::kernel::link::IfFlags;
use crate::kernel::types::{DevId, Errno, NetnsId};
use crate::op::{NeighVerb, OpError};
use crate::trace::{DropReason, Recorder};
use crate::wire::{MacAddr, Packet};

/// `NEIGH_UPDATE_F_*`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    /// A different address replaces the known one.
    pub override_: bool,
    /// The request of an administrator.
    pub admin: bool,
}

impl<R: Recorder> Kernel<R> {
    /// `__neigh_update`. The entry must exist.
    pub(crate) fn neigh_update(
        &mut self,
        dev: DevId,
        ip: Ipv4Addr,
        lladdr: Option<MacAddr>,
        new: Nud,
        flags: Update,
        p: Option<&mut Packet>,
    ) -> Result<(), Errno> {
        let now = self.queue.now;
        let ns = self.devs[dev.ix()].netns;
        let parms = self.devs[dev.ix()].neigh_parms;
        let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) else { return Err(Errno::ENOENT) };
        let old = n.nud;
        if !flags.admin && matches!(old, Nud::Noarp | Nud::Permanent) {
            return Err(Errno::EPERM);
        }
        if !new.is_valid() {
            n.timer_gen += 1;
            self.neigh_set(dev, ip, new, p);
            if matches!(old, Nud::Incomplete | Nud::Probe) && new == Nud::Failed {
                self.neigh_invalidate(dev, ip);
            }
            return Ok(());
        }
        let have = n.lladdr;
        let lladdr = match lladdr {
            Some(l) => l,
            None if old.is_valid() => have,
            None => return Err(Errno::EINVAL),
        };
        if new.is_connected() {
            n.confirmed = now;
        }
        let mut new = new;
        if old.is_valid() {
            if lladdr != have && !flags.override_ {
                return Ok(());
            }
            if lladdr == have && new == Nud::Stale && !flags.admin {
                new = old;
            }
        }
        if lladdr != have {
            n.lladdr = lladdr;
            n.updated = now;
            if !new.is_connected() {
                n.confirmed = now.saturating_sub(2 * parms.base_reachable_time);
            }
        }
        if new != old {
            n.timer_gen += 1;
            if new == Nud::Probe {
                n.probes = 0;
            }
            self.neigh_set(dev, ip, new, p);
            if new.in_timer() {
                let at = if new == Nud::Reachable { now + parms.base_reachable_time } else { now };
                self.neigh_arm(dev, ip, at);
            }
        }
        if !old.is_valid() {
            self.neigh_send_queue(dev, ip);
        }
        Ok(())
    }

    /// The address is known: what waited leaves, in order.
    fn neigh_send_queue(&mut self, dev: DevId, ip: Ipv4Addr) {
        let ns = self.devs[dev.ix()].netns;
        loop {
            let Some(n) = self.netns[ns.ix()].neigh.entries.get_mut(&(dev, ip)) else { return };
            let Some(mut p) = n.queue.pop_front() else { return };
            p.dst = n.lladdr;
            n.used = self.queue.now;
            p.touch();
            self.dev_queue_xmit(dev, p);
        }
    }

    /// Makes an entry where there is none (`__neigh_lookup` with creation); none where the table is full.
    #[inline]
    pub(crate) fn neigh_make(&mut self, dev: DevId, ip: Ipv4Addr) -> Option<&mut Neigh> {
        let ns = self.devs[dev.ix()].netns;
        let i = match self.netns[ns.ix()].neigh.entries.get_index_of(&(dev, ip)) {
            Some(i) => i,
            None if !self.neigh_alloc(dev) => return None,
            None => self.neigh_new(dev, ip),
        };
        self.netns[ns.ix()].neigh.entries.get_index_mut(i).map(|e| e.1)
    }

    fn neigh_new(&mut self, dev: DevId, ip: Ipv4Addr) -> usize {
        let ns = self.devs[dev.ix()].netns;
        let mut n = Neigh::new(self.queue.now);
        if let Some(mac) = self.needs_no_arp(dev, ip) {
            (n.nud, n.lladdr) = (Nud::Noarp, mac);
        }
        self.netns[ns.ix()].neigh.entries.insert_full((dev, ip), n).0
    }

    /// `arp_constructor`: who need not be asked for, and why not. An address that is a broadcast on any device of the
    /// namespace is one on all of them (`inet_addr_type_dev_table` looks no device up; measured).
    fn needs_no_arp(&self, dev: DevId, ip: Ipv4Addr) -> Option<MacAddr> {
        let d = &self.devs[dev.ix()];
        let kind = self.inet_addr_type(d.netns, ip);
        if kind == RouteType::Multicast {
            Some(MacAddr::from_ipv4_multicast(ip))
        } else if d.flags.contains(IfFlags::NOARP) {
            Some(d.mac)
        } else if kind == RouteType::Broadcast {
            Some(MacAddr::BROADCAST)
        } else {
            None
        }
    }

    /// `ip neigh add|change|replace` (`neigh_add`).
    pub(crate) fn op_neigh_add(
        &mut self,
        dev: DevId,
        dst: Ipv4Addr,
        verb: NeighVerb,
        lladdr: Option<MacAddr>,
        nud: Nud,
        extern_learn: bool,
    ) -> Result<(), OpError> {
        let ns = self.dev(dev).netns;
        let known = self.ns(ns).neigh.entries.contains_key(&(dev, dst));
        match (known, verb) {
            (true, NeighVerb::Add) => return Err(Errno::EEXIST.into()),
            (false, NeighVerb::Change) => return Err(Errno::ENOENT.into()),
            _ => {}
        }
        if !known && nud == Nud::Permanent && lladdr.is_none() && !self.dev(dev).flags.contains(IfFlags::NOARP) {
            return Err(Errno::EINVAL.into());
        }
        if !known && (nud == Nud::Permanent || extern_learn) {
            // `exempt_from_gc`: these are not counted.
            self.neigh_new(dev, dst);
        } else if self.neigh_make(dev, dst).is_none() {
            return Err(Errno::ENOBUFS.into());
        }
        let flags = Update { override_: verb != NeighVerb::Add || !known, admin: true };
        let r = self.neigh_update(dev, dst, lladdr, nud, flags, None);
        if let Some(n) = self.ns_mut(ns).neigh.entries.get_mut(&(dev, dst)) {
            n.extern_learn |= extern_learn;
        }
        if r.is_err() && !known {
            self.ns_mut(ns).neigh.entries.shift_remove(&(dev, dst));
        }
        r.map_err(OpError::from)
    }

    /// `ip neigh del` (`neigh_delete`): the entry fails and is forgotten.
    pub(crate) fn op_neigh_del(&mut self, dev: DevId, dst: Ipv4Addr) -> Result<(), OpError> {
        let ns = self.dev(dev).netns;
        if !self.ns(ns).neigh.entries.contains_key(&(dev, dst)) {
            return Err(Errno::ENOENT.into());
        }
        let flags = Update { override_: true, admin: true };
        self.neigh_update(dev, dst, None, Nud::Failed, flags, None)?;
        let gone = self.ns_mut(ns).neigh.entries.shift_remove(&(dev, dst));
        // An entry that was set to another state than failed still holds what waited for it.
        for mut p in gone.map(|n| n.queue).unwrap_or_default() {
            self.drop_at(dev, &mut p, DropReason::QUEUE_PURGE, "neigh_destroy");
        }
        Ok(())
    }

    /// `ip neigh add|del proxy` (`pneigh_create`, `pneigh_delete`).
    pub(crate) fn op_neigh_proxy(
        &mut self,
        ns: NetnsId,
        dev: Option<DevId>,
        dst: Ipv4Addr,
        add: bool,
    ) -> Result<(), OpError> {
        let list = &mut self.ns_mut(ns).neigh.proxies;
        let at = list.iter().position(|x| *x == (dev, dst));
        match (at, add) {
            (None, true) => list.push((dev, dst)),
            (Some(i), false) => {
                list.remove(i);
            }
            (Some(_), true) => {}
            (None, false) => return Err(Errno::ENOENT.into()),
        }
        Ok(())
    }
}

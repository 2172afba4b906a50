//! The forwarding database of a VXLAN device (`vxlan_fdb_add`, `vxlan_fdb_delete`, `vxlan_snoop`).

use std::net::Ipv4Addr;

use super::{Vxlan, VxlanDst, VxlanFdb, VxlanFdbState, VxlanRemote};
use crate::kernel::Kernel;
use crate::kernel::types::{DevId, Errno, Nanos};
use crate::op::{NeighVerb, OpError};
use crate::trace::{DropReason, Recorder};
use crate::wire::MacAddr;

impl Vxlan {
    /// The entry of an address; one that is too old is forgotten on the way (Linux's collector runs when the
    /// first expires).
    pub(crate) fn find(&mut self, mac: MacAddr, now: Nanos) -> Option<&mut VxlanFdb> {
        let i = self.fdb.get_index_of(&mac)?;
        if self.expired(self.fdb.get_index(i)?.1, now) {
            self.fdb.shift_remove_index(i);
            return None;
        }
        self.fdb.get_index_mut(i).map(|(_, e)| e)
    }

    fn expired(&self, e: &VxlanFdb, now: Nanos) -> bool {
        e.state == VxlanFdbState::Reachable
            && !e.extern_learn
            && self.cfg.ageing != 0
            && e.updated + self.cfg.ageing <= now
    }

    /// What was learnt and ages: address, host, and when it is too old.
    pub(crate) fn learnt(&self) -> impl Iterator<Item = (MacAddr, Ipv4Addr, Nanos)> + '_ {
        let ageing = self.cfg.ageing;
        let ages = move |e: &VxlanFdb| e.state == VxlanFdbState::Reachable && !e.extern_learn && ageing != 0;
        let all = self.fdb.iter().filter(move |x| ages(x.1));
        all.filter_map(move |(m, e)| Some((*m, e.remotes.first()?.ip, e.updated + ageing)))
    }

    /// Entries that have not expired, newest first, as the kernel lists them.
    pub fn entries(&self, now: Nanos) -> impl Iterator<Item = (MacAddr, &VxlanFdb)> + '_ {
        self.fdb.iter().rev().filter(move |(_, e)| !self.expired(e, now)).map(|(m, e)| (*m, e))
    }

    /// A new entry, or one more destination of the one that is there.
    pub(crate) fn insert(
        &mut self,
        mac: MacAddr,
        r: VxlanRemote,
        state: VxlanFdbState,
        now: Nanos,
        extern_learn: bool,
    ) {
        let fresh = || VxlanFdb { remotes: Vec::new(), state, updated: now, used: now, extern_learn };
        let e = self.fdb.entry(mac).or_insert_with(fresh);
        if !e.remotes.contains(&r) {
            e.remotes.push(r);
        }
    }

    /// Takes a destination away, and the entry with its last one; one that is not there changes nothing.
    pub(crate) fn remove_remote(&mut self, mac: MacAddr, r: VxlanRemote) {
        let Some(e) = self.fdb.get_mut(&mac) else { return };
        if !e.remotes.contains(&r) {
            return;
        }
        if e.remotes.len() > 1 {
            e.remotes.retain(|x| *x != r);
        } else {
            self.fdb.shift_remove(&mac);
        }
    }

    /// `vxlan_fdb_parse`: what was left out is the device's own.
    fn remote(&self, d: &VxlanDst) -> VxlanRemote {
        VxlanRemote {
            ip: d.ip.unwrap_or(Ipv4Addr::UNSPECIFIED),
            port: d.port.unwrap_or(self.cfg.port),
            vni: d.vni.unwrap_or(self.cfg.vni),
            dev: d.via,
        }
    }

    /// `vxlan_fdb_update`.
    fn update(
        &mut self,
        mac: MacAddr,
        r: VxlanRemote,
        state: VxlanFdbState,
        verb: NeighVerb,
        extern_learn: bool,
        now: Nanos,
    ) -> Result<(), OpError> {
        let several = mac.is_multicast() || mac == MacAddr::ZERO;
        let limit = self.cfg.maxaddress as usize;
        let full = limit != 0 && self.fdb.len() >= limit;
        let Some(e) = self.find(mac, now) else {
            return match verb {
                NeighVerb::Change => Err(Errno::ENOENT.into()),
                NeighVerb::Replace if several => Err(Errno::EOPNOTSUPP.into()),
                _ if full => Err(Errno::ENOSPC.into()),
                _ => {
                    self.insert(mac, r, state, now, extern_learn);
                    Ok(())
                }
            };
        };
        if verb == NeighVerb::Add {
            return Err(Errno::EEXIST.into());
        }
        if (e.state, e.extern_learn) != (state, extern_learn) {
            (e.state, e.extern_learn, e.updated) = (state, extern_learn, now);
        }
        match verb {
            NeighVerb::Replace if several => {
                return Err(OpError::ext(Errno::EOPNOTSUPP, "Cannot replace non-unicast fdb entries"));
            }
            NeighVerb::Replace if !e.remotes.contains(&r) => {
                if let Some(first) = e.remotes.first_mut() {
                    *first = r;
                    e.updated = now;
                }
            }
            NeighVerb::Append if several && !e.remotes.contains(&r) => {
                e.remotes.push(r);
                e.updated = now;
            }
            _ => {}
        }
        Ok(())
    }
}

impl<R: Recorder> Kernel<R> {
    /// `bridge fdb add|append|replace` on a VXLAN device itself.
    pub(crate) fn vxlan_fdb_add(
        &mut self,
        dev: DevId,
        mac: MacAddr,
        dst: &VxlanDst,
        state: VxlanFdbState,
        verb: NeighVerb,
        extern_learn: bool,
    ) -> Result<(), OpError> {
        let now = self.queue.now;
        let Some(v) = self.dev_mut(dev).vxlan_mut() else { return Err(Errno::EOPNOTSUPP.into()) };
        if dst.ip.is_none() {
            return Err(Errno::EINVAL.into());
        }
        let r = v.remote(dst);
        v.update(mac, r, state, verb, extern_learn, now)
    }

    /// `bridge fdb del` on a VXLAN device itself: with a destination only that one goes, and one that the entry
    /// does not have is no error.
    pub(crate) fn vxlan_fdb_del(&mut self, dev: DevId, mac: MacAddr, dst: &VxlanDst) -> Result<(), OpError> {
        let now = self.queue.now;
        let Some(v) = self.dev_mut(dev).vxlan_mut() else { return Err(Errno::EOPNOTSUPP.into()) };
        if v.find(mac, now).is_none() {
            return Err(Errno::ENOENT.into());
        }
        match dst.ip {
            Some(ip) if !ip.is_unspecified() => {
                let r = v.remote(dst);
                v.remove_remote(mac, r);
            }
            _ => {
                v.fdb.shift_remove(&mac);
            }
        }
        Ok(())
    }

    /// `vxlan_snoop`: notes where a sender is. Tells whether it is new (`None` inside: it was unknown before), or
    /// the reason why the packet must be dropped.
    pub(crate) fn vxlan_snoop(
        &mut self,
        dev: DevId,
        from: Ipv4Addr,
        src: MacAddr,
    ) -> Result<Option<Option<Ipv4Addr>>, DropReason> {
        if !src.is_valid_unicast() {
            return Err(DropReason::MAC_INVALID_SOURCE);
        }
        let now = self.queue.now;
        let Some(v) = self.dev_mut(dev).vxlan_mut() else { return Ok(None) };
        let (port, vni) = (v.cfg.port, v.cfg.vni);
        if let Some(e) = v.find(src, now) {
            e.updated = now;
            let state = e.state;
            let Some(first) = e.remotes.first_mut() else { return Ok(None) };
            if first.ip == from && first.dev.is_none() {
                return Ok(None);
            }
            if state != VxlanFdbState::Reachable {
                return Err(DropReason::VXLAN_ENTRY_EXISTS);
            }
            let old = std::mem::replace(&mut first.ip, from);
            return Ok(Some(Some(old)));
        }
        let r = VxlanRemote { ip: from, port, vni, dev: None };
        // A full table learns nothing more.
        let made = v.update(src, r, VxlanFdbState::Reachable, NeighVerb::Add, false, now).is_ok();
        Ok(made.then_some(None))
    }
}

//! The forwarding database (net/bridge/br_fdb.c).

use super::{BrPort, Bridge, FdbEntry, FdbKind, PortState};
use crate::kernel::Kernel;
use crate::kernel::types::{DevId, Errno, Nanos};
use crate::op::{NeighVerb, OpError};
use crate::trace::{EventKind, Recorder};
use crate::wire::{MacAddr, Packet};

impl<R: Recorder> Kernel<R> {
    /// The entry of an address; learnt ones that are too old are forgotten on the way
    /// (Linux's collector runs exactly when one expires).
    #[inline]
    pub(crate) fn br_fdb_find(&mut self, br: DevId, mac: MacAddr) -> Option<&mut FdbEntry> {
        let now = self.queue.now;
        let b = self.devs[br.ix()].bridge_mut()?;
        let i = b.fdb.get_index_of(&mac)?;
        if expired(b.fdb.get_index(i)?.1, b.ageing_time, now) {
            b.fdb.swap_remove_index(i);
            return None;
        }
        b.fdb.get_index_mut(i).map(|(_, e)| e)
    }

    /// Looks a destination up to send to it.
    #[inline]
    pub(crate) fn br_fdb_lookup(&mut self, br: DevId, mac: MacAddr) -> Option<FdbEntry> {
        let now = self.queue.now;
        let e = self.br_fdb_find(br, mac)?;
        e.used = now;
        Some(*e)
    }

    /// Does the FDB hold this address at this port (for `locked` ports)?
    pub(crate) fn br_fdb_knows(&mut self, br: DevId, mac: MacAddr, port: DevId) -> bool {
        self.br_fdb_find(br, mac).is_some_and(|e| e.dev == port && e.kind != FdbKind::Local)
    }

    /// Notes where a frame came from (`br_fdb_update`). A static entry moves too, unless it is sticky.
    pub(crate) fn br_fdb_update(&mut self, br: DevId, port: DevId, p: &mut Packet) {
        let now = self.queue.now;
        let src = p.src;
        let Some(b) = self.devs[br.ix()].bridge() else { return };
        if b.ageing_time == 0 {
            return;
        }
        if let Some(e) = self.br_fdb_find(br, src) {
            if e.kind == FdbKind::Local {
                return;
            }
            e.updated = now;
            if e.dev != port && !e.sticky {
                let moved_from = Some(e.dev);
                e.dev = port;
                self.ev(port, p, EventKind::BrLearn { port, moved_from });
            }
            return;
        }
        let entry = FdbEntry {
            dev: port,
            kind: FdbKind::Learned,
            updated: now,
            used: now,
            by_user: false,
            sticky: false,
            extern_learn: false,
        };
        if let Some(b) = self.devs[br.ix()].bridge_mut() {
            b.fdb.insert(src, entry);
        }
        self.ev(port, p, EventKind::BrLearn { port, moved_from: None });
    }

    /// An address of the bridge or a port (`fdb_add_local`); where two have the same, the first keeps it.
    pub(crate) fn br_fdb_add_local(&mut self, br: DevId, dev: DevId, mac: MacAddr) {
        let now = self.queue.now;
        let Some(b) = self.devs[br.ix()].bridge_mut() else { return };
        if !mac.is_valid_unicast() || b.fdb.get(&mac).is_some_and(|e| e.kind == FdbKind::Local) {
            return;
        }
        let e = FdbEntry {
            dev,
            kind: FdbKind::Local,
            updated: now,
            used: now,
            by_user: false,
            sticky: false,
            extern_learn: false,
        };
        b.fdb.shift_remove(&mac);
        b.fdb.insert(mac, e);
    }

    /// An address is no longer `dev`'s (`fdb_delete_local`): another holder of the same one inherits the entry.
    pub(crate) fn br_fdb_del_local(&mut self, br: DevId, dev: DevId, mac: MacAddr) {
        let Some(b) = self.devs[br.ix()].bridge() else { return };
        if !b.fdb.get(&mac).is_some_and(|e| e.kind == FdbKind::Local && e.dev == dev && !e.by_user) {
            return;
        }
        let heir = b.ports.iter().copied().find(|p| *p != dev && self.devs[p.ix()].mac == mac);
        let heir = heir.or_else(|| (dev != br && self.devs[br.ix()].mac == mac).then_some(br));
        let Some(b) = self.devs[br.ix()].bridge_mut() else { return };
        match heir {
            Some(h) => {
                if let Some(e) = b.fdb.get_mut(&mac) {
                    e.dev = h;
                }
            }
            None => {
                b.fdb.shift_remove(&mac);
            }
        }
    }

    /// A port goes down or leaves (`br_fdb_delete_by_port`): `all` takes its static and own entries too.
    pub(crate) fn br_fdb_delete_by_port(&mut self, br: DevId, port: DevId, all: bool) {
        let mac = self.devs[port.ix()].mac;
        if all {
            self.br_fdb_del_local(br, port, mac);
        }
        let Some(b) = self.devs[br.ix()].bridge_mut() else { return };
        b.fdb.retain(|_, e| e.dev != port || (!all && e.kind != FdbKind::Learned));
    }

    /// Entries of a bridge that have not expired, in the order they were made.
    pub fn fdb_of(&self, br: DevId) -> Vec<(MacAddr, FdbEntry)> {
        let Some(b) = self.devs[br.ix()].bridge() else { return Vec::new() };
        let now = self.queue.now;
        b.fdb.iter().filter(|(_, e)| !expired(e, b.ageing_time, now)).map(|(m, e)| (*m, *e)).collect()
    }

    /// `bridge fdb add|append|replace` (`br_fdb_add`).
    pub(crate) fn op_fdb_add(
        &mut self,
        dev: DevId,
        mac: MacAddr,
        kind: FdbKind,
        verb: NeighVerb,
        (sticky, extern_learn): (bool, bool),
    ) -> Result<(), OpError> {
        let br = self.fdb_bridge(dev)?;
        if !mac.is_valid_unicast() {
            return Err(Errno::EINVAL.into());
        }
        // `fdb_add_entry`: a port that cannot learn takes only what does not age; what others learnt is no matter of its.
        let learns = |p: &BrPort| matches!(p.state, PortState::Learning | PortState::Forwarding) || extern_learn;
        if kind == FdbKind::Learned && self.dev(dev).port.as_ref().is_some_and(|p| !learns(p)) {
            return Err(Errno::EPERM.into());
        }
        let now = self.queue.now;
        let found = self.br_fdb_find(br, mac).copied();
        match (found, verb) {
            (Some(_), NeighVerb::Add) => return Err(Errno::EEXIST.into()),
            (None, NeighVerb::Change) => return Err(Errno::ENOENT.into()),
            _ => {}
        }
        let e = FdbEntry { dev, kind, updated: now, used: now, by_user: true, sticky, extern_learn };
        if let Some(b) = self.devs[br.ix()].bridge_mut() {
            b.fdb.insert(mac, e);
        }
        Ok(())
    }

    /// `bridge fdb del` (`br_fdb_delete`).
    pub(crate) fn op_fdb_del(&mut self, dev: DevId, mac: MacAddr) -> Result<(), OpError> {
        let br = self.fdb_bridge(dev)?;
        match self.br_fdb_find(br, mac).copied() {
            Some(e) if e.dev == dev => {
                if let Some(b) = self.devs[br.ix()].bridge_mut() {
                    b.fdb.shift_remove(&mac);
                }
                Ok(())
            }
            _ => Err(Errno::ENOENT.into()),
        }
    }

    /// `self` asks the device's own filter, which only a bridge has here.
    pub(crate) fn fdb_target(&self, dev: DevId, on_self: bool) -> Result<(), OpError> {
        if on_self && self.dev(dev).bridge().is_none() {
            return Err(Errno::EOPNOTSUPP.into());
        }
        Ok(())
    }

    fn fdb_bridge(&self, dev: DevId) -> Result<DevId, OpError> {
        let d = self.dev(dev);
        match d.master {
            Some(m) => Ok(m),
            None if d.bridge().is_some() => Ok(dev),
            None => Err(Errno::EOPNOTSUPP.into()),
        }
    }
}

impl Bridge {
    /// What was learnt and ages: address, port, and when it is too old.
    pub(crate) fn learnt(&self) -> impl Iterator<Item = (MacAddr, DevId, Nanos)> + '_ {
        let ages = |e: &&FdbEntry| e.kind == FdbKind::Learned && !e.extern_learn;
        self.fdb.iter().filter(move |x| ages(&x.1)).map(|(m, e)| (*m, e.dev, e.updated + self.ageing_time))
    }
}

#[inline]
fn expired(e: &FdbEntry, ageing: u64, now: u64) -> bool {
    e.kind == FdbKind::Learned && !e.extern_learn && e.updated + ageing <= now
}

//! The table: slots that packets refer to, and the hash that finds confirmed connections.

use super::types::{
    Conn, Conntrack, CtDir, CtEvent, CtEventKind, CtRef, Limbo, MAX_EVENTS, ProtoState, Status, Tuple, Zone,
};
use crate::kernel::types::{Nanos, SEC};
use crate::trace::event::CtView;

/// How long a connection outside the table is kept for packets that still refer to it: longer than the resolution
/// of a neighbour takes, for which a bridged packet may wait between two hooks.
const LIMBO_TIME: Nanos = 5 * SEC;
/// Most connections kept outside the table.
const LIMBO_MAX: usize = 1024;
/// Connections from which on the table is swept as it grows.
const SWEEP_MIN: u32 = 1024;
/// `NF_CT_EVICTION_RANGE`: hash buckets that `early_drop` looks at.
const EVICTION_RANGE: u64 = 8;

impl Conn {
    /// In the table, and its time has passed (`nf_ct_is_expired`).
    #[inline]
    pub fn is_expired(&self, now: Nanos) -> bool {
        self.status.contains(Status::CONFIRMED) && self.expires <= now
    }

    /// In the table (`nf_ct_is_confirmed`, and not dying).
    #[inline]
    pub fn in_table(&self) -> bool {
        self.status.contains(Status::CONFIRMED) && !self.status.contains(Status::DYING)
    }

    /// Time left at `now`, in nanoseconds (`nf_ct_expires`).
    pub fn left(&self, now: Nanos) -> Nanos {
        if self.status.contains(Status::CONFIRMED) { self.expires.saturating_sub(now) } else { self.expires }
    }

    /// The key of a direction in the hash.
    #[inline]
    pub(crate) fn key(&self, dir: CtDir) -> (Tuple, u16) {
        (self.tuples[dir as usize], self.zone.in_dir(dir))
    }

    /// `nf_ct_refresh`: it lives this long from now on.
    #[inline]
    pub(crate) fn refresh(&mut self, now: Nanos, extra: Nanos) {
        if self.status.contains(Status::FIXED_TIMEOUT) {
            return;
        }
        self.expires = if self.status.contains(Status::CONFIRMED) { now.saturating_add(extra) } else { extra };
    }

    /// `nf_ct_acct_update`: one more packet of this length in bytes.
    #[inline]
    pub(crate) fn account(&mut self, dir: CtDir, len: usize) {
        if let Some(a) = &mut self.acct {
            let c = &mut a[dir as usize];
            c.packets += 1;
            c.bytes += len as u64;
        }
    }
}

impl Conntrack {
    /// Looks a tuple up in a zone (`__nf_conntrack_find_get`); one that expired is not there.
    #[inline]
    pub fn find(&self, tuple: &Tuple, zone: Zone, now: Nanos) -> Option<(CtRef, CtDir)> {
        let (r, dir) = self.find_any(tuple, zone)?;
        self.get(r).is_some_and(|c| !c.is_expired(now)).then_some((r, dir))
    }

    /// As [`Conntrack::find`], expired or not.
    #[inline]
    fn find_any(&self, tuple: &Tuple, zone: Zone) -> Option<(CtRef, CtDir)> {
        let (o, r) = (zone.in_dir(CtDir::Original), zone.in_dir(CtDir::Reply));
        // `nf_ct_zone_equal`: the zones must agree in the direction that was found.
        let fits = |(ct, dir): (CtRef, CtDir), id: u16| (zone.in_dir(dir) == id).then_some((ct, dir));
        let hit = self.hash.get(&(*tuple, o)).copied().and_then(|h| fits(h, o));
        if hit.is_some() || o == r {
            return hit;
        }
        self.hash.get(&(*tuple, r)).copied().and_then(|h| fits(h, r))
    }

    /// Takes a connection in that is not confirmed yet. Those of packets that went before and were never confirmed
    /// are freed here.
    pub(crate) fn alloc(&mut self, now: Nanos, conn: Conn) -> CtRef {
        self.sweep_limbo(now);
        let slot = match self.free.pop() {
            Some(s) => s,
            None => {
                self.slots.push((0, None));
                (self.slots.len() - 1) as u32
            }
        };
        let s = &mut self.slots[slot as usize];
        s.1 = Some(conn);
        let ct = CtRef { slot, generation: s.0 };
        self.limbo.push_back(Limbo { ct, since: now, dead: false });
        ct
    }

    fn sweep_limbo(&mut self, now: Nanos) {
        while let Some(l) = self.limbo.front().copied() {
            if self.limbo.len() < LIMBO_MAX && l.since.saturating_add(LIMBO_TIME) >= now {
                return;
            }
            self.limbo.pop_front();
            let unused = self.get(l.ct).is_some_and(|c| l.dead || !c.status.contains(Status::CONFIRMED));
            if unused {
                self.release(l.ct);
            }
        }
    }

    /// `nf_conntrack_free`: the slot may be used again, by another generation.
    pub(crate) fn release(&mut self, ct: CtRef) {
        let Some(s) = self.slots.get_mut(ct.slot as usize).filter(|s| s.0 == ct.generation) else { return };
        if s.1.take().is_some() {
            s.0 = s.0.wrapping_add(1);
            self.free.push(ct.slot);
        }
    }

    /// `__nf_conntrack_hash_insert`, and the timeout begins to run. In the reply direction only for `NAT_CLASH`.
    pub(crate) fn insert(&mut self, ct: CtRef, now: Nanos) {
        let id = self.next_id;
        let Some(c) = self.get_mut(ct) else { return };
        c.id = id;
        c.status |= Status::CONFIRMED;
        c.expires = c.expires.saturating_add(now);
        let (expires, clash) = (c.expires, c.status.contains(Status::NAT_CLASH));
        let keys = [c.key(CtDir::Original), c.key(CtDir::Reply)];
        self.next_id = id.wrapping_add(1);
        if !clash {
            self.hash.insert(keys[0], (ct, CtDir::Original));
        }
        // A connection to oneself has one tuple for both directions. Linux puts the reply in front, and finds that.
        self.hash.insert(keys[1], (ct, CtDir::Reply));
        self.count += 1;
        self.earliest = if self.count == 1 { expires } else { self.earliest.min(expires) };
    }

    /// A connection of the table now expires at this time.
    #[inline]
    pub fn note_expiry(&mut self, expires: Nanos) {
        self.earliest = self.earliest.min(expires);
    }

    /// `nf_ct_delete`: out of the table. Packets that refer to it find it for a while yet. Says whether it was there.
    pub(crate) fn kill(&mut self, ct: CtRef, now: Nanos) -> bool {
        self.kill_by(ct, now, 0)
    }

    /// The same at the request of a netlink socket, which listeners are told.
    pub(crate) fn kill_by(&mut self, ct: CtRef, now: Nanos, portid: u32) -> bool {
        let Some(c) = self.get_mut(ct) else { return false };
        if c.status.contains(Status::DYING) {
            return false;
        }
        let was = c.status.contains(Status::CONFIRMED);
        c.status |= Status::DYING;
        let keys = [c.key(CtDir::Original), c.key(CtDir::Reply)];
        if was {
            for k in keys {
                if self.hash.get(&k).is_some_and(|h| h.0 == ct) {
                    self.hash.remove(&k);
                }
            }
            self.count -= 1;
            self.event(CtEventKind::Destroy, ct, now, portid);
        }
        self.limbo.push_back(Limbo { ct, since: now, dead: true });
        true
    }

    /// Takes out what expired (`gc_worker`).
    pub fn expire(&mut self, now: Nanos) {
        if self.count == 0 || now < self.earliest {
            return;
        }
        let mut earliest = Nanos::MAX;
        for slot in 0..self.slots.len() as u32 {
            let (generation, Some(c)) = &self.slots[slot as usize] else { continue };
            let ct = CtRef { slot, generation: *generation };
            if !c.in_table() {
                continue;
            }
            if c.is_expired(now) {
                self.kill(ct, now);
            } else {
                earliest = earliest.min(c.expires);
            }
        }
        self.earliest = earliest;
        self.sweep_limbo(now);
    }

    /// What expired in a span of time and is in the table yet: when, and what it was.
    pub(crate) fn expired_since(&self, since: Nanos, now: Nanos) -> Vec<(Nanos, CtView)> {
        if self.count == 0 || now < self.earliest {
            return Vec::new();
        }
        let all = self.slots.iter().filter_map(|s| s.1.as_ref());
        let gone = all.filter(|c| c.in_table() && c.is_expired(now) && c.expires > since);
        let mut gone: Vec<&Conn> = gone.filter(|c| !c.status.contains(Status::NAT_CLASH)).collect();
        gone.sort_by_key(|c| (c.expires, c.id));
        gone.into_iter().map(|c| (c.expires, c.view(now))).collect()
    }

    /// The table has doubled since it was swept last.
    #[inline]
    pub(crate) fn has_grown(&self) -> bool {
        self.count >= self.sweep_at.max(SWEEP_MIN)
    }

    /// Sweeps where the table has doubled since it was swept last, so that what expired does not pile up and no
    /// connection pays for more than its own share.
    pub(crate) fn sweep_if_grown(&mut self, now: Nanos) {
        if !self.has_grown() {
            return;
        }
        self.expire(now);
        self.sweep_at = self.count.saturating_mul(2);
    }

    /// Connections in the table that did not expire (`nf_conntrack_count`).
    pub fn live(&self, now: Nanos) -> u32 {
        if self.count == 0 || now < self.earliest {
            return self.count;
        }
        self.slots.iter().filter(|s| s.1.as_ref().is_some_and(|c| c.in_table() && !c.is_expired(now))).count() as u32
    }

    /// What `conntrack -L` lists: the connections of the table that did not expire, in the order they came into it.
    pub fn iter(&self, now: Nanos) -> impl Iterator<Item = (CtRef, &Conn)> {
        let mut all: Vec<(CtRef, &Conn)> = (0u32..)
            .zip(&self.slots)
            .filter_map(|(slot, (generation, c))| Some((CtRef { slot, generation: *generation }, c.as_ref()?)))
            .filter(|(_, c)| c.in_table() && !c.is_expired(now) && !c.status.contains(Status::NAT_CLASH))
            .collect();
        all.sort_by_key(|(_, c)| c.id);
        all.into_iter()
    }

    /// `early_drop`: makes room in a full table. Linux looks for a connection that is not assured in 8 of its hash
    /// buckets. Where the scenario's dice would have to say what they hold, the model takes the mean: if at least
    /// one is to be expected there, the oldest goes; else none.
    pub(crate) fn early_drop(&mut self, buckets: u64, now: Nanos) -> bool {
        let mut oldest: Option<(u32, CtRef)> = None;
        let mut nodes = 0u64;
        for (slot, (generation, c)) in (0u32..).zip(&self.slots) {
            let Some(c) = c else { continue };
            if !c.in_table() || c.status.contains(Status::ASSURED) {
                continue;
            }
            nodes += 2;
            if oldest.is_none_or(|(id, _)| c.id < id) {
                oldest = Some((c.id, CtRef { slot, generation: *generation }));
            }
        }
        match oldest {
            Some((_, ct)) if nodes * EVICTION_RANGE >= buckets => self.kill(ct, now),
            _ => false,
        }
    }

    /// A socket joins the events' groups (`ctnetlink_bind_event`): it hears of what comes after so many events.
    pub fn listen(&mut self) -> usize {
        self.listeners += 1;
        self.events.len()
    }

    /// A listener leaves; after the last one nothing is kept.
    pub fn unlisten(&mut self) {
        self.listeners = self.listeners.saturating_sub(1);
        if self.listeners == 0 {
            self.events.clear();
        }
    }

    /// Does a connection that is made now get the extension for events (`nf_ct_ecache_ext_add`)? By default
    /// (`nf_conntrack_events` 2) only where somebody listens.
    pub(crate) fn wants_events(&self, sysctl: i32) -> bool {
        sysctl == 1 || (sysctl == 2 && self.listeners > 0)
    }

    /// Tells the listeners (`nf_conntrack_eventmask_report`).
    #[inline]
    pub(crate) fn event(&mut self, kind: CtEventKind, ct: CtRef, now: Nanos, portid: u32) {
        if self.listeners == 0 || self.events.len() >= MAX_EVENTS {
            return;
        }
        if let Some(conn) = self.get(ct).filter(|c| c.ecache).cloned() {
            self.events.push_back(CtEvent { at: now, kind, conn, portid });
        }
    }

    /// A connection as it is made (`__nf_conntrack_alloc`).
    pub(crate) fn blank(tuples: [Tuple; 2], zone: Zone, now: Nanos, acct: bool, ecache: bool) -> Conn {
        Conn {
            tuples,
            zone,
            status: Status::empty(),
            expires: 0,
            mark: 0,
            proto: ProtoState::None,
            acct: acct.then(Default::default),
            masq_dev: None,
            id: 0,
            born: now,
            ecache,
        }
    }
}

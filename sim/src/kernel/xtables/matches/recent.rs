//! `-m recent` (xt_recent): who came when.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::kernel::Kernel;
use crate::kernel::types::Nanos;
use crate::kernel::xtables::shared::{Jiffies, jiffies};
use crate::kernel::xtables::view::{Fit, HookAt, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;
use crate::wire::Packet;

/// What is done with the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum RecentOp {
    Set,
    Rcheck,
    Update,
    Remove,
}

impl RecentOp {
    fn option(self) -> &'static str {
        match self {
            RecentOp::Set => "--set",
            RecentOp::Rcheck => "--rcheck",
            RecentOp::Update => "--update",
            RecentOp::Remove => "--remove",
        }
    }
}

/// `-m recent` (revision 1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecentMatch {
    /// Exactly one of four.
    pub op: RecentOp,
    /// `!` before it.
    pub inv: bool,
    /// `--seconds`, 0 where not given.
    pub seconds: u32,
    /// `--hitcount`, 0 where not given.
    pub hitcount: u32,
    /// `--rttl`: the TTL must be the one that was seen.
    pub rttl: bool,
    /// `--reap`: who was not seen for so many seconds is forgotten.
    pub reap: bool,
    /// `--rdest`: the destination counts, not the source.
    pub dest: bool,
    /// `--mask`.
    pub mask: u32,
    /// `--name`.
    pub name: Arc<str>,
}

/// Most addresses of a list (`ip_list_tot`): behind that the one seen longest ago goes.
const IP_LIST_TOT: usize = 100;
/// Most times of an address, where no rule asks for more.
const STAMPS: usize = 32;

/// A list (`struct recent_table`).
#[derive(Clone, Debug)]
pub struct RecentTable {
    /// `--mask` of the rule that made it.
    mask: u32,
    /// Most times that are kept of an address: a power of two.
    stamps: usize,
    /// Those seen longest ago come first.
    entries: VecDeque<Entry>,
}

/// An address (`struct recent_entry`).
#[derive(Clone, Debug)]
struct Entry {
    addr: u32,
    ttl: u8,
    /// When it was seen, in a ring.
    stamps: Vec<Jiffies>,
    /// Where the next time goes.
    index: usize,
}

impl Entry {
    fn saw(&mut self, now: Jiffies, most: usize) {
        self.index %= most;
        match self.stamps.get_mut(self.index) {
            Some(s) => *s = now,
            None => self.stamps.push(now),
        }
        self.index += 1;
    }
}

impl RecentMatch {
    /// Times that it wants kept (`nstamp_mask`).
    fn stamps(&self) -> usize {
        if self.hitcount == 0 { STAMPS } else { (self.hitcount as usize).next_power_of_two() }
    }

    /// `recent_mt_check`: numbers that the kernel refuses.
    pub(crate) fn is_valid(&self) -> bool {
        const MAX_NSTAMPS: u32 = 65_536;
        let counts = self.seconds > 0 || self.hitcount > 0 || self.rttl || self.reap;
        let sets = matches!(self.op, RecentOp::Set | RecentOp::Remove);
        !(sets && counts) && self.hitcount < MAX_NSTAMPS
    }

    /// The list that a rule makes.
    pub(crate) fn table(&self) -> RecentTable {
        RecentTable { mask: self.mask, stamps: self.stamps(), entries: VecDeque::new() }
    }

    /// `recent_mt`.
    pub(crate) fn check<R: Recorder>(&self, table: u64, k: &mut Kernel<R>, at: &HookAt, p: &Packet) -> Fit {
        let Some(ip) = p.ipv4() else { return Ok(()) };
        let addr = if self.dest { ip.dst } else { ip.src };
        // As it was before it was forwarded.
        let own = p.nf.sock > 0 && at.iif.is_none();
        let ttl = ip.ttl.wrapping_add(u8::from(at.oif.is_some() && !own));
        let now = k.queue.now;
        let Some(t) = k.netns[at.ns.ix()].nf.xt.shared.recent(table) else { return Ok(()) };
        let listed = self.listed(t, addr, ttl, now);
        let fits = self.look(t, addr, ttl, now);
        ask(fits, self.op.option(), || Saw::Listed(addr, listed))
    }

    /// The entry of an address.
    fn find(&self, t: &RecentTable, addr: u32, ttl: u8) -> Option<usize> {
        let of_ttl = |e: &Entry| !self.rttl || ttl == e.ttl || ttl == 0 || e.ttl == 0;
        t.entries.iter().position(|e| e.addr == addr && of_ttl(e))
    }

    /// How often an address was seen, as far back as the rule looks.
    fn listed(&self, t: &RecentTable, addr: Ipv4Addr, ttl: u8, now: Nanos) -> u32 {
        let young = |i: usize| self.young(&t.entries[i], jiffies(now)) as u32;
        self.find(t, u32::from(addr) & t.mask, ttl).map_or(0, young)
    }

    fn young(&self, e: &Entry, now: Jiffies) -> usize {
        let since = self.since(now);
        e.stamps.iter().filter(|s| self.seconds == 0 || **s >= since).count()
    }

    /// What was before counts no more.
    fn since(&self, now: Jiffies) -> Jiffies {
        now.saturating_sub(u64::from(self.seconds) * crate::kernel::xtables::shared::HZ)
    }

    fn look(&self, t: &mut RecentTable, addr: Ipv4Addr, ttl: u8, now: Nanos) -> bool {
        let (addr, now) = (u32::from(addr) & t.mask, jiffies(now));
        let Some(i) = self.find(t, addr, ttl) else {
            if self.op != RecentOp::Set {
                return self.inv;
            }
            if t.entries.len() >= IP_LIST_TOT {
                t.entries.pop_front();
            }
            t.entries.push_back(Entry { addr, ttl, stamps: vec![now], index: 1 });
            return !self.inv;
        };
        let since = self.since(now);
        let hit = match self.op {
            RecentOp::Set => true,
            RecentOp::Remove => {
                t.entries.remove(i);
                return !self.inv;
            }
            RecentOp::Rcheck | RecentOp::Update => self.young(&t.entries[i], now) >= self.hitcount.max(1) as usize,
        };
        if self.reap {
            t.reap(since);
        }
        let fits = hit != self.inv;
        if self.op == RecentOp::Set || (self.op == RecentOp::Update && fits) {
            t.seen(addr, ttl, now);
        }
        fits
    }
}

impl RecentTable {
    /// Another rule uses it, which may want more times kept: then what it knew is forgotten.
    pub(crate) fn used_by(&mut self, m: &RecentMatch) {
        if m.stamps() > self.stamps {
            self.stamps = m.stamps();
            self.entries.clear();
        }
    }

    /// `recent_entry_update`: it was seen just now.
    fn seen(&mut self, addr: u32, ttl: u8, now: Jiffies) {
        let Some(i) = self.entries.iter().position(|e| e.addr == addr) else { return };
        let Some(mut e) = self.entries.remove(i) else { return };
        e.ttl = ttl;
        e.saw(now, self.stamps);
        self.entries.push_back(e);
    }

    /// `recent_entry_reap`: the one that was seen longest ago, where that is before `since`.
    fn reap(&mut self, since: Jiffies) {
        let last = self.entries.front().and_then(|e| e.stamps.get(e.index.wrapping_sub(1)));
        if last.is_some_and(|s| *s < since) {
            self.entries.pop_front();
        }
    }
}

//! `-m hashlimit` (xt_hashlimit, revision 3): a bucket for each address or port.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::written::Answer;
use crate::kernel::Kernel;
use crate::kernel::types::{MSEC, Nanos};
use crate::kernel::xtables::shared::{JIFFY, Jiffies, jiffies};
use crate::kernel::xtables::view::{HookAt, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;
use crate::wire::{Ipv4, L4, parse};

/// `-m hashlimit`: packets, not bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HashlimitMatch {
    /// `--hashlimit-name`.
    pub name: Arc<str>,
    /// `--hashlimit-above`.
    pub above: bool,
    /// What a packet costs, in microseconds.
    pub cost: u64,
    /// `--hashlimit-burst`.
    pub burst: u64,
    /// `--hashlimit-mode`: source, source port, destination, destination port.
    pub by: [bool; 4],
    /// `--hashlimit-srcmask`, `--hashlimit-dstmask`.
    pub masks: [u32; 2],
    /// `--hashlimit-htable-expire`, in milliseconds: how long a bucket that nobody asks is kept.
    pub expire: u64,
    /// `--hashlimit-htable-gcinterval`, in milliseconds.
    pub gc: u64,
}

/// What a bucket is for: addresses and ports, zero where they do not count.
type Key = (u32, u16, u32, u16);

/// The buckets (`struct xt_hashlimit_htable`), with the settings of the rule that made them.
#[derive(Clone, Debug)]
pub struct HashlimitTable {
    made: Nanos,
    of: HashlimitMatch,
    buckets: BTreeMap<Key, Bucket>,
}

/// `struct dsthash_ent`: credit in microseconds.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    credit: u64,
    prev: Jiffies,
    expires: Nanos,
}

impl HashlimitMatch {
    /// The buckets that a rule makes.
    pub(crate) fn table(&self, now: Nanos) -> HashlimitTable {
        HashlimitTable { made: now, of: self.clone(), buckets: BTreeMap::new() }
    }

    /// `hashlimit_mt`.
    pub(crate) fn check<R: Recorder>(&self, table: u64, k: &mut Kernel<R>, at: &HookAt, ip: &Ipv4) -> Answer {
        let now = k.queue.now;
        let Some(t) = k.netns[at.ns.ix()].nf.xt.shared.hashlimit(table) else { return Ok(()).into() };
        // The ports of a packet that ends before them.
        let Some(key) = t.of.key(ip) else { return Answer::Hotdrop };
        let within = t.take(key, now);
        let option = if self.above { "--hashlimit-above" } else { "--hashlimit-upto" };
        let word = if within { "within the limit" } else { "the limit is spent" };
        ask(within != self.above, option, || Saw::Found(word)).into()
    }

    /// `hashlimit_init_dst`.
    fn key(&self, ip: &Ipv4) -> Option<Key> {
        let (src, dst) = (u32::from(ip.src) & self.masks[0], u32::from(ip.dst) & self.masks[1]);
        let ports = if self.by[1] || self.by[3] { ports(ip)? } else { (0, 0) };
        let when = |on: bool, v: u32| if on { v } else { 0 };
        let port = |on: bool, v: u16| if on { v } else { 0 };
        Some((when(self.by[0], src), port(self.by[1], ports.0), when(self.by[2], dst), port(self.by[3], ports.1)))
    }
}

/// Ports of a protocol that has them (`proto_ports_offset`), zero for others.
fn ports(ip: &Ipv4) -> Option<(u16, u16)> {
    match &ip.l4 {
        L4::Raw(6 | 17 | 33 | 132 | 136, b) => parse::ports(b),
        l4 => Some(l4.ports().unwrap_or_default()),
    }
}

impl HashlimitTable {
    /// Takes a packet's price out of a bucket, where it is there.
    fn take(&mut self, key: Key, now: Nanos) -> bool {
        let cap = self.of.cost * self.of.burst;
        let expires = now + self.of.expire * MSEC;
        let collected = self.collected(now);
        let fresh = Bucket { credit: cap, prev: jiffies(now), expires };
        let b = self
            .buckets
            .entry(key)
            .and_modify(|b| {
                if b.expires <= collected {
                    *b = fresh
                }
            })
            .or_insert(fresh);
        b.expires = expires;
        let passed = jiffies(now) - b.prev;
        b.prev += passed;
        b.credit = (b.credit + passed * (JIFFY / 1000)).min(cap);
        let within = b.credit >= self.of.cost;
        if within {
            b.credit -= self.of.cost;
        }
        within
    }

    /// When expired buckets were last thrown away (`htable_gc`).
    fn collected(&self, now: Nanos) -> Nanos {
        let every = (self.of.gc * MSEC).max(1);
        self.made + (now - self.made) / every * every
    }
}

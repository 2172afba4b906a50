//! The numbers that a namespace gives to others (net/core/net_namespace.c: `net->netns_ids`, an IDR).

use std::collections::{BTreeMap, BTreeSet};

use super::types::NetnsId;

/// The numbers of one namespace: each other one has the lowest that was free when it was first spoken of.
#[derive(Clone, Debug, Default)]
pub struct Nsids {
    by_ns: BTreeMap<NetnsId, u32>,
    /// Numbers below the highest that nobody has any more.
    freed: BTreeSet<u32>,
}

impl Nsids {
    /// A namespace gets a number, unless it has one (`alloc_netid`).
    pub(crate) fn alloc(&mut self, other: NetnsId) {
        if self.by_ns.contains_key(&other) {
            return;
        }
        let lowest = self.lowest();
        self.freed.remove(&lowest);
        self.by_ns.insert(other, lowest);
    }

    /// The number that the next one gets.
    pub fn lowest(&self) -> u32 {
        let next = u32::try_from(self.by_ns.len()).unwrap_or(u32::MAX);
        self.freed.first().copied().unwrap_or(next)
    }

    /// A namespace is gone, and its number is free (`unhash_nsid`).
    pub(crate) fn remove(&mut self, other: NetnsId) {
        self.freed.extend(self.by_ns.remove(&other));
    }

    /// The number of a namespace.
    pub fn get(&self, other: NetnsId) -> Option<u32> {
        self.by_ns.get(&other).copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (NetnsId, u32)> {
        self.by_ns.iter().map(|(ns, id)| (*ns, *id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given() {
        let mut ids = Nsids::default();
        (0..5).for_each(|n| ids.alloc(NetnsId(10 + n)));
        ids.alloc(NetnsId(12));
        for gone in [13, 11, 99] {
            ids.remove(NetnsId(gone));
        }
        (0..3).for_each(|n| ids.alloc(NetnsId(20 + n)));
        let all: Vec<(u32, u32)> = ids.iter().map(|(ns, id)| (ns.0, id)).collect();
        assert_eq!(all, [(10, 0), (12, 2), (14, 4), (20, 1), (21, 3), (22, 5)]);
    }
}

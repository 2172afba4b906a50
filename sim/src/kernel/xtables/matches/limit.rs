//! `-m limit` on the virtual clock (xt_limit; iptables-nft uses nf_tables' own bucket, nft_limit).

use super::LimitMatch;
use crate::kernel::types::Nanos;
use crate::kernel::xtables::view::{Fit, ask};
use crate::trace::event::Saw;

impl LimitMatch {
    /// One packet's price in nanoseconds.
    fn cost(&self) -> u64 {
        u64::from(self.avg.max(1)) * 100_000
    }

    /// What is remembered: tokens in nanoseconds, and when they were last counted.
    pub(crate) fn start(&self, now: Nanos) -> [u64; 2] {
        [self.cost() * u64::from(self.burst), now]
    }

    /// Takes a packet's price out of the bucket.
    pub(crate) fn check(&self, memory: &mut [u64; 2], now: Nanos) -> Fit {
        let most = self.cost() * u64::from(self.burst);
        let have = memory[0].saturating_add(now.saturating_sub(memory[1])).min(most);
        memory[1] = now;
        let fits = have >= self.cost();
        memory[0] = if fits { have - self.cost() } else { have };
        ask(fits, "--limit", || Saw::Word("the limit is spent"))
    }
}

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

    /// Takes a packet's price out of the bucket. What is remembered is what was taken and not yet given back, and
    /// when it was last counted: all zero for a full bucket.
    pub(crate) fn check(&self, memory: &mut [u64; 2], now: Nanos) -> Fit {
        let most = self.cost() * u64::from(self.burst);
        let taken = memory[0].saturating_sub(now.saturating_sub(memory[1]));
        let fits = taken + self.cost() <= most;
        *memory = [if fits { taken + self.cost() } else { taken }, now];
        ask(fits, "--limit", || Saw::Found("the limit is spent"))
    }
}

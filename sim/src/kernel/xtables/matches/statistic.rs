//! `-m statistic` (xt_statistic); its random numbers are the scenario's.

use super::{StatisticMatch, StatisticMode};
use crate::engine::Rng;
use crate::kernel::xtables::view::{Fit, ask};
use crate::trace::event::Saw;

impl StatisticMatch {
    /// What is remembered: packets so far, modulo `every`.
    pub(crate) fn check(&self, memory: &mut [u64; 2], rng: &mut Rng) -> Fit {
        match self.mode {
            StatisticMode::Random(p) => {
                let dice = (rng.next_u64() >> 33) as u32;
                ask((dice < p) != self.inv, "--probability", || Saw::Dice)
            }
            StatisticMode::Nth { every, packet } => {
                let n = memory[0];
                memory[0] = (n + 1) % u64::from(every.max(1));
                let fits = n == u64::from(packet);
                ask(fits != self.inv, "--every", || Saw::Num(n))
            }
        }
    }
}

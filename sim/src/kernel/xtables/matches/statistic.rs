//! `-m statistic` (xt_statistic); its random numbers are the scenario's.

use super::{StatisticMatch, StatisticMode};
use crate::engine::Rng;
use crate::kernel::xtables::view::{Fit, ask};
use crate::trace::event::Saw;

impl StatisticMatch {
    /// What is remembered: packets since the last one that fitted.
    pub(crate) fn start(&self) -> [u64; 2] {
        match self.mode {
            // `nth.count` begins so that packet number `packet` is the first to fit.
            StatisticMode::Nth { every, packet } => [u64::from(every).saturating_sub(u64::from(packet)), 0],
            StatisticMode::Random(_) => [0, 0],
        }
    }

    pub(crate) fn check(&self, memory: &mut [u64; 2], rng: &mut Rng) -> Fit {
        match self.mode {
            StatisticMode::Random(p) => {
                let dice = (rng.next_u64() >> 33) as u32;
                ask((dice < p) != self.inv, "--probability", || Saw::Word("the dice said no"))
            }
            StatisticMode::Nth { every, .. } => {
                memory[0] += 1;
                let n = memory[0];
                let fits = n > u64::from(every);
                if fits {
                    memory[0] = 0;
                }
                ask(fits != self.inv, "--every", || Saw::Num(n))
            }
        }
    }
}

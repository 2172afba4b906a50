//! What the rules of a chain come to: computed when the chain changes, so that a change of one chain does not ask all
//! rules of all tables again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::{self, Hooks};
use super::types::{Chain, RuleSlot, Table};

/// A stretch of a chain's rules, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    /// Hooks that all of its rules may be reached from.
    pub hooks: Hooks,
    /// The chain that its last rule jumps to, as the first of its chain to do so.
    pub jump: Option<u32>,
}

/// What the rules of a chain come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Sum {
    /// Its stretches: the kernel's walk over them meets what it would meet over the rules, in the same order.
    pub stretches: Vec<Stretch>,
    /// Rules that need connection tracking.
    pub ct_users: u32,
    /// A rule shares a table with others ([`super::shared`]).
    pub shares: bool,
}

impl Sum {
    fn of(rules: &[RuleSlot]) -> Sum {
        let mut sum = Sum::default();
        let mut hooks = check::ANY;
        for r in rules {
            hooks &= check::hooks(&r.rule);
            sum.ct_users += u32::from(r.rule.needs_conntrack());
            sum.shares |= super::shared::shares(&r.rule);
            let jump = (r.jump != u32::MAX).then_some(r.jump);
            if jump.is_some() && !sum.stretches.iter().any(|s| s.jump == jump) {
                sum.stretches.push(Stretch { hooks, jump });
                hooks = check::ANY;
            }
        }
        if hooks != check::ANY {
            sum.stretches.push(Stretch { hooks, jump: None });
        }
        sum
    }
}

/// Which chains of a table have changed.
#[derive(Clone, Debug, Default)]
pub(super) enum Changed {
    /// None.
    #[default]
    Nothing,
    /// These, by their slots.
    Rules(Vec<usize>),
    /// There are other chains than before, or all of them changed.
    Chains,
}

impl Changed {
    /// So has one more.
    pub fn chain(&mut self, ix: usize) {
        match self {
            Changed::Nothing => *self = Changed::Rules(vec![ix]),
            Changed::Rules(all) if !all.contains(&ix) => all.push(ix),
            Changed::Rules(_) | Changed::Chains => {}
        }
    }

    fn has(&self, ix: usize) -> bool {
        match self {
            Changed::Nothing => false,
            Changed::Rules(all) => all.contains(&ix),
            Changed::Chains => true,
        }
    }
}

impl Table {
    /// After a change: names of chains become their slots, and what changed is summed up anew.
    pub(super) fn sum_up(&mut self, changed: &Changed) {
        let slots = self.chains.iter().enumerate();
        let by_name: BTreeMap<Arc<str>, u32> =
            slots.filter_map(|(ix, c)| Some((c.as_ref()?.name.clone(), u32::try_from(ix).ok()?))).collect();
        let places = self.chains.iter_mut().enumerate().filter(|(ix, _)| changed.has(*ix));
        for chain in places.filter_map(|(_, place)| place.as_mut()) {
            if !leads_there(chain, &by_name) {
                for r in &mut Arc::make_mut(chain).rules {
                    r.jump = slot_of(r, &by_name);
                }
            }
            let sum = Sum::of(&chain.rules);
            if sum != chain.sum {
                Arc::make_mut(chain).sum = sum;
            }
        }
    }
}

fn slot_of(r: &RuleSlot, by_name: &BTreeMap<Arc<str>, u32>) -> u32 {
    r.rule.target.chain().and_then(|to| by_name.get(to).copied()).unwrap_or(u32::MAX)
}

fn leads_there(c: &Chain, by_name: &BTreeMap<Arc<str>, u32>) -> bool {
    c.rules.iter().all(|r| r.jump == slot_of(r, by_name))
}

//! What rules remember together: lists of `recent` and buckets of `hashlimit` by name, connections of `connlimit` by
//! rule. A table is there as long as a rule uses it (`recent_table_lookup`, `htable_find_get`, `nf_conncount_init`).

use std::sync::Arc;

use super::matches::Match;
use super::matches::connlimit::ConnlimitTable;
use super::matches::hashlimit::HashlimitTable;
use super::matches::recent::RecentTable;
use super::matches::written::{Asks, WrittenMatch};
use super::types::{Rule, RuleSlot, Table as XtTable, Tables};
use crate::kernel::types::{MSEC, Nanos};

/// The kernel's ticks (`CONFIG_HZ=250`): these modules know no shorter time.
pub(crate) type Jiffies = u64;
/// Ticks of a second.
pub(crate) const HZ: u64 = 250;
/// Length of a tick.
pub(crate) const JIFFY: Nanos = 4 * MSEC;

/// A time in ticks.
pub(crate) fn jiffies(t: Nanos) -> Jiffies {
    t / JIFFY
}

#[derive(Clone, Debug)]
enum Table {
    Recent(RecentTable),
    Hashlimit(HashlimitTable),
    Connlimit(ConnlimitTable),
}

impl Table {
    /// The table that a match makes, where it needs one.
    fn of(asks: &Asks, now: Nanos) -> Option<Table> {
        match asks {
            Asks::Recent(r) => Some(Table::Recent(r.table())),
            Asks::Hashlimit(h) => Some(Table::Hashlimit(h.table(now))),
            Asks::Connlimit(_) => Some(Table::Connlimit(ConnlimitTable::default())),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Slot {
    /// None for a rule's own.
    name: Option<Arc<str>>,
    table: Table,
}

/// The rule has a part in such a table.
pub(super) fn shares(rule: &Rule) -> bool {
    let part = |m: &Match| match m {
        Match::Written(w) => matches!(w.asks, Asks::Recent(_) | Asks::Hashlimit(_) | Asks::Connlimit(_)),
        _ => false,
    };
    rule.matches.iter().any(part)
}

/// The rules of the chains that have a part in such a table.
fn sharing(all: &mut Tables) -> impl Iterator<Item = &mut RuleSlot> {
    let there = |t: &&mut Arc<XtTable>| t.chains().any(|c| c.sum.shares);
    let tables = all.by_kind.iter_mut().flatten().filter(there).map(Arc::make_mut);
    let chains = tables.flat_map(|t| t.chains.iter_mut().flatten()).filter(|c| c.sum.shares);
    chains.flat_map(|c| &mut Arc::make_mut(c).rules)
}

/// The tables of a namespace. Their numbers begin with 1.
#[derive(Clone, Debug, Default)]
pub struct Shared(Vec<Option<Slot>>);

macro_rules! of_kind {
    ($name:ident, $kind:ident, $table:ty) => {
        /// A table by its number.
        pub(crate) fn $name(&mut self, number: u64) -> Option<&mut $table> {
            match &mut self.0.get_mut((number as usize).checked_sub(1)?)?.as_mut()?.table {
                Table::$kind(t) => Some(t),
                _ => None,
            }
        }
    };
}

impl Shared {
    of_kind!(recent, Recent, RecentTable);
    of_kind!(hashlimit, Hashlimit, HashlimitTable);
    of_kind!(connlimit, Connlimit, ConnlimitTable);

    /// Rules have changed: each that shares something gets its table's number, and tables that no rule uses are gone.
    pub(crate) fn settle(&mut self, variants: &mut [Tables; 2], now: Nanos) {
        let mut used = vec![false; self.0.len()];
        for slot in variants.iter_mut().flat_map(sharing) {
            for (m, memory) in slot.rule.matches.iter().zip(&mut slot.memory) {
                let Match::Written(w) = m else { continue };
                let there = match &w.asks {
                    Asks::Recent(_) | Asks::Hashlimit(_) => self.named(&w.asks),
                    Asks::Connlimit(_) => (memory[0] as usize).checked_sub(1),
                    // It remembers by itself.
                    Asks::String(_) | Asks::Quota { .. } | Asks::Tcpmss { .. } => continue,
                };
                let Some(i) = there.or_else(|| self.make(w, now)) else { continue };
                if let (Asks::Recent(m), Some(Some(Slot { table: Table::Recent(t), .. }))) =
                    (&w.asks, self.0.get_mut(i))
                {
                    t.used_by(m);
                }
                memory[0] = i as u64 + 1;
                used.resize(self.0.len().max(used.len()), false);
                used[i] = true;
            }
        }
        for (slot, used) in self.0.iter_mut().zip(&used) {
            if !used {
                *slot = None;
            }
        }
    }

    fn named(&self, asks: &Asks) -> Option<usize> {
        let is = |s: &Slot| {
            let name = match (&s.table, asks) {
                (Table::Recent(_), Asks::Recent(r)) => &r.name,
                (Table::Hashlimit(_), Asks::Hashlimit(h)) => &h.name,
                _ => return false,
            };
            s.name.as_ref() == Some(name)
        };
        self.0.iter().position(|s| s.as_ref().is_some_and(is))
    }

    fn make(&mut self, w: &WrittenMatch, now: Nanos) -> Option<usize> {
        let slot = Some(Slot { name: w.table_name().cloned(), table: Table::of(&w.asks, now)? });
        match self.0.iter().position(Option::is_none) {
            Some(free) => {
                self.0[free] = slot;
                Some(free)
            }
            None => {
                self.0.push(slot);
                Some(self.0.len() - 1)
            }
        }
    }
}

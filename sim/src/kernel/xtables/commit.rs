//! Changes of tables: a batch is carried out whole or not at all (`nf_tables_commit`, `do_replace`).

use std::sync::Arc;

use super::check;
use super::sum::{Changed, Sum};
use super::types::{Chain, Counters, Policy, Rule, RuleSlot, Table, TableKind, Tables, Variant};
use crate::journal::Entry;
use crate::kernel::Kernel;
use crate::kernel::netfilter::Hook;
use crate::kernel::types::{Errno, NetnsId};
use crate::op::{Op, OpReply};
use crate::trace::Recorder;

/// One change of a table.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum XtChange {
    /// Makes the table, if it does not exist yet: ip_tables' with all its base chains, nf_tables' without any
    /// (`iptables` makes a base chain when it first changes it, and so do the other changes here).
    Use {
        table: TableKind,
    },
    /// Empties the table (`iptables-restore` without `-n`): ip_tables' loses all rules and user chains, nf_tables'
    /// is deleted.
    Reset {
        table: TableKind,
    },
    NewChain {
        table: TableKind,
        chain: Arc<str>,
    },
    DelChain {
        table: TableKind,
        chain: Arc<str>,
    },
    RenameChain {
        table: TableKind,
        from: Arc<str>,
        to: Arc<str>,
    },
    FlushChain {
        table: TableKind,
        chain: Arc<str>,
    },
    /// `-P`; with counters where a dump gives them.
    Policy {
        table: TableKind,
        chain: Arc<str>,
        policy: Policy,
        counters: Option<Counters>,
    },
    Append {
        table: TableKind,
        chain: Arc<str>,
        rule: Rule,
        counters: Counters,
    },
    /// Before the rule with this number, from 0.
    Insert {
        table: TableKind,
        chain: Arc<str>,
        at: usize,
        rule: Rule,
        counters: Counters,
    },
    Replace {
        table: TableKind,
        chain: Arc<str>,
        at: usize,
        rule: Rule,
        counters: Counters,
    },
    Delete {
        table: TableKind,
        chain: Arc<str>,
        at: usize,
    },
    /// Counters to zero: of one rule, or of a whole chain with its policy.
    Zero {
        table: TableKind,
        chain: Arc<str>,
        rule: Option<usize>,
    },
}

impl XtChange {
    /// The table that it changes.
    pub fn table(&self) -> TableKind {
        match self {
            XtChange::Use { table }
            | XtChange::Reset { table }
            | XtChange::NewChain { table, .. }
            | XtChange::DelChain { table, .. }
            | XtChange::RenameChain { table, .. }
            | XtChange::FlushChain { table, .. }
            | XtChange::Policy { table, .. }
            | XtChange::Append { table, .. }
            | XtChange::Insert { table, .. }
            | XtChange::Replace { table, .. }
            | XtChange::Delete { table, .. }
            | XtChange::Zero { table, .. } => *table,
        }
    }
}

/// A refusal: which change, and the errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XtError {
    /// Index of the change in its batch.
    pub at: usize,
    /// The errno.
    pub errno: Errno,
}

impl<R: Recorder> Kernel<R> {
    /// Carries out a batch of changes: all of them, or none.
    ///
    /// # Errors
    /// The first change that is refused; the tables are as before.
    pub fn xt_commit(&mut self, ns: NetnsId, variant: Variant, batch: &[XtChange]) -> Result<(), XtError> {
        let done = self.xt_carry_out(ns, variant, batch);
        if self.journal.is_some() {
            let told = done.map(|()| OpReply::Done).map_err(|e| e.errno);
            let op = Op::Xtables { netns: ns, variant, batch: batch.to_vec() };
            self.note(Entry::Op(op, told, Vec::new()));
        }
        done
    }

    fn xt_carry_out(&mut self, ns: NetnsId, variant: Variant, batch: &[XtChange]) -> Result<(), XtError> {
        let now = self.queue.now;
        let nf = &mut self.ns_mut(ns).nf;
        let old = &nf.xt.variants[variant as usize];
        let Some(new) = carry_out(old, variant, batch) else {
            let last = XtError { at: batch.len().saturating_sub(1), errno: Errno::EINVAL };
            return Err(refusals(old, variant, batch).first().copied().unwrap_or(last));
        };
        // A table of nf_tables that is reset is a new one, and so are its hooks.
        let anew = |k: TableKind| {
            variant == Variant::Nft && batch.iter().any(|c| matches!(c, XtChange::Reset { table } if *table == k))
        };
        for (kind, hook) in TableKind::ALL.into_iter().flat_map(|k| k.hooks().iter().map(move |h| (k, *h))) {
            let there = |t: &Tables| t.get(kind).is_some_and(|t| t.base[hook as usize].is_some());
            if there(&new) && (!there(old) || anew(kind)) {
                nf.xt.first[kind as usize][hook as usize] = variant;
            }
        }
        nf.xt.variants[variant as usize] = new;
        nf.xt.shared.settle(&mut nf.xt.variants, now);
        nf.xt.ct_users = nf.xt.variants.iter().flat_map(all_chains).map(|c| c.sum.ct_users).sum();
        nf.active = nf.xt.ct_users > 0 || nf.xt.variants.iter().flat_map(all_chains).any(|c| c.hook.is_some());
        Ok(())
    }

    /// Every change of a batch that would be refused: what nf_tables answers to one.
    pub fn xt_refusals(&self, ns: NetnsId, variant: Variant, batch: &[XtChange]) -> Vec<XtError> {
        refusals(self.ns(ns).nf.xt.of(variant), variant, batch)
    }
}

fn all_chains(t: &Tables) -> impl Iterator<Item = &Chain> {
    t.by_kind.iter().flatten().flat_map(|t| t.chains())
}

/// The tables after a batch, where all of it can be carried out.
fn carry_out(old: &Tables, variant: Variant, batch: &[XtChange]) -> Option<Tables> {
    let mut work = Work::new(old, variant, true);
    batch.iter().try_for_each(|c| work.change(c)).ok()?;
    work.finish().ok()?;
    Some(work.tables)
}

/// Every change that is refused. The kernel goes on after a refusal; a rule that makes the table invalid stays in
/// sight until the batch is taken back, and so every later one is refused too.
fn refusals(old: &Tables, variant: Variant, batch: &[XtChange]) -> Vec<XtError> {
    let mut work = Work::new(old, variant, true);
    let mut out = Vec::new();
    for (at, change) in batch.iter().enumerate() {
        let done = work.change(change);
        let whole = if done.is_ok() && check::adds(change) { work.finish() } else { Ok(()) };
        out.extend(done.and(whole).err().map(|errno| XtError { at, errno }));
    }
    out
}

/// Tables as they will be after changes that are only planned: what a tool sees while it puts a batch together.
pub struct Draft {
    work: Work,
    /// The changes so far.
    pub changes: Vec<XtChange>,
}

impl Draft {
    /// Nothing is planned yet.
    pub fn new(tables: &Tables, variant: Variant) -> Self {
        Draft { work: Work::new(tables, variant, false), changes: Vec::new() }
    }

    /// The tables as they will be; jumps are by name only.
    pub fn tables(&self) -> &Tables {
        &self.work.tables
    }

    /// Plans a change.
    ///
    /// # Errors
    /// There is no such chain or rule; what only the kernel knows is not asked.
    pub fn push(&mut self, change: XtChange) -> Result<(), Errno> {
        self.work.change(&change)?;
        self.changes.push(change);
        Ok(())
    }
}

/// Tables under change.
struct Work {
    variant: Variant,
    tables: Tables,
    touched: [bool; 5],
    /// By `TableKind as usize`.
    rules: [Changed; 5],
    /// The kernel looks at each rule.
    checked: bool,
    /// Something other than coming to be happened to a table.
    changed: [bool; 5],
    /// Base chains whose counters the batch gives.
    given: Vec<(TableKind, Arc<str>)>,
}

impl Work {
    fn new(tables: &Tables, variant: Variant, checked: bool) -> Self {
        let (touched, changed) = ([false; 5], [false; 5]);
        Work {
            variant,
            tables: tables.clone(),
            touched,
            rules: Default::default(),
            checked,
            changed,
            given: Vec::new(),
        }
    }

    fn change(&mut self, change: &XtChange) -> Result<(), Errno> {
        if !matches!(change, XtChange::Use { .. }) {
            self.changed[change.table() as usize] = true;
        }
        match change {
            XtChange::Use { table } => {
                self.table(*table);
            }
            XtChange::Reset { table } => self.reset(*table),
            XtChange::NewChain { table, chain } => {
                let t = self.table(*table);
                if t.find(chain).is_some() {
                    return Err(Errno::EEXIST);
                }
                t.add_chain(Chain::new(chain.clone(), None));
                self.rules[*table as usize] = Changed::Chains;
            }
            XtChange::DelChain { table, chain } => self.delete_chain(*table, chain)?,
            XtChange::RenameChain { table, from, to } => {
                self.existing(*table)?.rename(from, to)?;
                self.rules[*table as usize] = Changed::Chains;
            }
            XtChange::FlushChain { table, chain } => self.chain(*table, chain)?.rules.clear(),
            XtChange::Policy { table, chain, policy, counters } => {
                let legacy = self.variant == Variant::Legacy;
                let c = self.chain(*table, chain)?;
                if c.hook.is_none() {
                    return Err(Errno::ENOENT);
                }
                c.policy = *policy;
                c.counted = true;
                c.counters = counters.unwrap_or_default();
                if legacy && counters.is_some() {
                    self.given.push((*table, chain.clone()));
                }
            }
            XtChange::Append { table, chain, rule, counters } => {
                let slot = self.slot(*table, chain, rule, *counters)?;
                self.chain(*table, chain)?.rules.push(slot);
            }
            XtChange::Insert { table, chain, at, rule, counters } => {
                let slot = self.slot(*table, chain, rule, *counters)?;
                let c = self.chain(*table, chain)?;
                if *at > c.rules.len() {
                    return Err(Errno::E2BIG);
                }
                c.rules.insert(*at, slot);
            }
            XtChange::Replace { table, chain, at, rule, counters } => {
                let slot = self.slot(*table, chain, rule, *counters)?;
                *self.chain(*table, chain)?.rules.get_mut(*at).ok_or(Errno::E2BIG)? = slot;
            }
            XtChange::Delete { table, chain, at } => {
                let c = self.chain(*table, chain)?;
                if *at >= c.rules.len() {
                    return Err(Errno::ENOENT);
                }
                c.rules.remove(*at);
            }
            XtChange::Zero { table, chain, rule } => self.zero(*table, chain, *rule)?,
        }
        Ok(())
    }

    /// The table, made where it does not exist.
    fn table(&mut self, kind: TableKind) -> &mut Table {
        self.touched[kind as usize] = true;
        let place = &mut self.tables.by_kind[kind as usize];
        if place.is_none() {
            self.tables.order.push(kind);
        }
        let legacy = self.variant == Variant::Legacy;
        let new = || {
            let mut t = Table::default();
            for hook in kind.hooks().iter().filter(|_| legacy) {
                t.add_base(*hook, true);
            }
            Arc::new(t)
        };
        Arc::make_mut(place.get_or_insert_with(new))
    }

    fn existing(&mut self, kind: TableKind) -> Result<&mut Table, Errno> {
        self.touched[kind as usize] = true;
        self.tables.by_kind[kind as usize].as_mut().map(Arc::make_mut).ok_or(Errno::ENOENT)
    }

    /// A chain that changes; a base chain is made where it does not exist.
    fn chain(&mut self, kind: TableKind, name: &str) -> Result<&mut Chain, Errno> {
        let base = Hook::by_name(name).filter(|h| kind.hooks().contains(h));
        let counted = self.variant == Variant::Legacy || self.tables.counting;
        let t = match base {
            Some(_) => self.table(kind),
            None => self.existing(kind)?,
        };
        let (ix, made) = match (t.find(name), base) {
            (Some(ix), _) => (ix, false),
            (None, Some(hook)) => (t.add_base(hook, counted), true),
            (None, None) => return Err(Errno::ENOENT),
        };
        match made {
            true => self.rules[kind as usize] = Changed::Chains,
            false => self.rules[kind as usize].chain(ix),
        }
        self.existing(kind)?.chain_mut(ix).ok_or(Errno::ENOENT)
    }

    fn reset(&mut self, kind: TableKind) {
        self.rules[kind as usize] = Changed::Chains;
        if self.variant == Variant::Nft {
            self.tables.by_kind[kind as usize] = None;
            self.tables.order.retain(|k| *k != kind);
            return;
        }
        for place in &mut self.table(kind).chains {
            match place {
                Some(c) if c.hook.is_some() => Arc::make_mut(c).rules.clear(),
                _ => *place = None,
            }
        }
    }

    fn delete_chain(&mut self, kind: TableKind, name: &str) -> Result<(), Errno> {
        let legacy = self.variant == Variant::Legacy;
        let t = self.existing(kind)?;
        let ix = t.find(name).ok_or(Errno::ENOENT)?;
        let used = t.references(name) > 0;
        let Some(c) = t.chains[ix].as_ref() else { return Err(Errno::ENOENT) };
        match (legacy, c.hook.is_some()) {
            (true, true) => return Err(Errno::EINVAL),
            (true, false) if used => return Err(Errno::EMLINK),
            (true, false) if !c.rules.is_empty() => return Err(Errno::ENOTEMPTY),
            (false, _) if used || !c.rules.is_empty() => return Err(Errno::EBUSY),
            _ => {}
        }
        if let Some(hook) = c.hook {
            t.base[hook as usize] = None;
        }
        t.chains[ix] = None;
        self.rules[kind as usize] = Changed::Chains;
        Ok(())
    }

    /// A rule as it stands in a chain, after what the kernel asks of it alone (`checkentry`).
    fn slot(&mut self, kind: TableKind, chain: &str, rule: &Rule, counters: Counters) -> Result<RuleSlot, Errno> {
        if self.checked {
            check::rule(self.variant, kind, rule)?;
        }
        // The chain first: a rule for a chain that is missing says nothing of its target.
        self.chain(kind, chain)?;
        if let Some(to) = rule.target.chain().filter(|_| self.checked) {
            let t = self.existing(kind)?;
            let Some(target) = t.find(to).and_then(|ix| t.chains[ix].as_ref()) else { return Err(Errno::ENOENT) };
            if target.hook.is_some() {
                return Err(if self.variant == Variant::Legacy { Errno::EINVAL } else { Errno::EOPNOTSUPP });
            }
        }
        Ok(RuleSlot { ip: rule.ip, memory: fresh_memory(rule), rule: Arc::new(rule.clone()), jump: u32::MAX, counters })
    }

    fn zero(&mut self, kind: TableKind, name: &str, rule: Option<usize>) -> Result<(), Errno> {
        let nft = self.variant == Variant::Nft;
        let t = self.existing(kind)?;
        let ix = t.find(name).ok_or(Errno::ENOENT)?;
        let Some(c) = t.chain_mut(ix) else { return Err(Errno::ENOENT) };
        if let Some(at) = rule {
            let r = c.rules.get_mut(at).ok_or(Errno::E2BIG)?;
            r.forget(nft);
            return Ok(());
        }
        if c.hook.is_some() {
            c.counters = Counters::default();
            c.counted = true;
        }
        for r in &mut c.rules {
            // iptables-nft replaces the rules that counted something, and only those.
            let replaced = nft && r.counters != Counters::default();
            r.forget(replaced);
        }
        Ok(())
    }

    /// Finds the chains that are jumped to, and looks whether the whole is valid.
    fn finish(&mut self) -> Result<(), Errno> {
        for kind in TableKind::ALL.into_iter().filter(|k| self.touched[*k as usize]) {
            let Some(t) = self.tables.by_kind[kind as usize].as_mut().map(Arc::make_mut) else { continue };
            t.sum_up(&self.rules[kind as usize]);
            if self.variant == Variant::Legacy && self.changed[kind as usize] {
                // `do_replace` brings in a whole new table: what matches remember is lost, and iptables 1.8.9
                // brings back the counters of rules, but of policies only where it was told them.
                for c in t.chains.iter_mut().flatten().map(Arc::make_mut) {
                    c.rules.iter_mut().for_each(|r| r.memory = fresh_memory(&r.rule));
                    if !self.given.iter().any(|(k, name)| *k == kind && *name == c.name) {
                        c.counters = Counters::default();
                    }
                }
            }
            check::table(self.variant, t)?;
        }
        Ok(())
    }
}

/// What the matches of a new rule remember: nothing yet.
fn fresh_memory(rule: &Rule) -> Vec<[u64; 2]> {
    let any = rule.matches.iter().any(super::matches::Match::has_memory);
    if any { vec![[0; 2]; rule.matches.len()] } else { Vec::new() }
}

impl RuleSlot {
    /// Counts from zero; a rule that was replaced also forgets what its matches remember.
    fn forget(&mut self, replaced: bool) {
        self.counters = Counters::default();
        if replaced {
            self.memory = fresh_memory(&self.rule);
        }
    }
}

impl Chain {
    fn new(name: Arc<str>, hook: Option<Hook>) -> Self {
        let (policy, counters) = (Policy::Accept, Counters::default());
        Chain { name, rules: Vec::new(), hook, policy, counters, counted: false, sum: Sum::default() }
    }
}

impl Table {
    /// Puts a chain into a free slot.
    fn add_chain(&mut self, chain: Chain) -> usize {
        let chain = Arc::new(chain);
        match self.chains.iter().position(Option::is_none) {
            Some(free) => {
                self.chains[free] = Some(chain);
                free
            }
            None => {
                self.chains.push(Some(chain));
                self.chains.len() - 1
            }
        }
    }

    fn add_base(&mut self, hook: Hook, counted: bool) -> usize {
        let ix = self.add_chain(Chain { counted, ..Chain::new(Arc::from(hook.name()), Some(hook)) });
        self.base[hook as usize] = u32::try_from(ix).ok();
        ix
    }

    /// How many rules jump to a chain: what `-L` calls its references.
    pub fn references(&self, name: &str) -> usize {
        let rules = self.chains().flat_map(|c| &c.rules);
        rules.filter(|r| r.rule.target.chain().is_some_and(|to| **to == *name)).count()
    }

    fn rename(&mut self, from: &str, to: &Arc<str>) -> Result<(), Errno> {
        if self.find(to).is_some() {
            return Err(Errno::EEXIST);
        }
        let ix = self.find(from).ok_or(Errno::ENOENT)?;
        for r in self.chains.iter_mut().flatten().flat_map(|c| &mut Arc::make_mut(c).rules) {
            if r.rule.target.chain().is_some_and(|t| **t == *from) {
                Arc::make_mut(&mut r.rule).target.set_chain(to);
            }
        }
        if let Some(c) = self.chain_mut(ix) {
            c.name = to.clone();
        }
        Ok(())
    }
}

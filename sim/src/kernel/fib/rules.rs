//! `ip rule` (net/core/fib_rules.c).

use std::collections::BTreeMap;

use super::{Fib, FibRule, FibTable, LocalHint, RuleAction, proto, table};
use crate::kernel::Kernel;
use crate::kernel::types::{Errno, NetnsId};
use crate::op::{OpError, RuleMatch};
use crate::trace::Recorder;

impl FibRule {
    /// A rule that matches everything.
    pub fn all(pref: u32, action: RuleAction) -> FibRule {
        FibRule {
            pref,
            invert: false,
            src: None,
            dst: None,
            iif: None,
            oif: None,
            fwmark: None,
            tos: 0,
            ipproto: None,
            sport: None,
            dport: None,
            uidrange: None,
            suppress_prefixlength: None,
            suppress_ifgroup: None,
            action,
            proto: proto::KERNEL,
        }
    }
}

impl Default for Fib {
    fn default() -> Self {
        Fib::new()
    }
}

impl Fib {
    /// The tables and rules a namespace starts with (`fib_default_rules_init`).
    pub fn new() -> Fib {
        let t = [table::LOCAL, table::MAIN];
        Fib {
            tables: t.into_iter().map(|n| (n, FibTable::default())).collect::<BTreeMap<_, _>>(),
            rules: vec![
                FibRule::all(0, RuleAction::Table(table::LOCAL)),
                FibRule::all(32766, RuleAction::Table(table::MAIN)),
                FibRule::all(32767, RuleAction::Table(table::DEFAULT)),
            ],
            hint: LocalHint::default(),
            custom_rules: false,
        }
    }
}

impl<R: Recorder> Kernel<R> {
    /// `fib_nl_newrule`.
    pub(crate) fn op_rule_add(&mut self, ns: NetnsId, rule: &FibRule, auto_pref: bool) -> Result<(), OpError> {
        let mut rule = rule.clone();
        let fib = &self.ns(ns).fib;
        if auto_pref {
            // fib_default_rule_pref: one before the second rule.
            rule.pref = fib.rules.get(1).map_or(0, |r| r.pref.saturating_sub(1));
        }
        if let RuleAction::Goto(to) = rule.action
            && to <= rule.pref
        {
            return Err(OpError::ext(Errno::EINVAL, "Backward goto not supported"));
        }
        if fib.rules.contains(&rule) {
            return Err(Errno::EEXIST.into());
        }
        let fib = &mut self.ns_mut(ns).fib;
        if let RuleAction::Table(t) = rule.action {
            fib.tables.entry(t).or_default();
        }
        let at = fib.rules.iter().position(|r| r.pref > rule.pref).unwrap_or(fib.rules.len());
        fib.rules.insert(at, rule);
        fib.custom_rules = true;
        self.rt_cache_flush(ns);
        Ok(())
    }

    /// `fib_nl_delrule`.
    pub(crate) fn op_rule_del(&mut self, ns: NetnsId, m: &RuleMatch) -> Result<(), OpError> {
        let fib = &mut self.ns_mut(ns).fib;
        let at = fib.rules.iter().position(|r| fits(r, m)).ok_or(OpError::from(Errno::ENOENT))?;
        fib.rules.remove(at);
        // Once told apart, local and main stay two tables (`fib_unmerge`).
        fib.custom_rules = true;
        self.rt_cache_flush(ns);
        Ok(())
    }
}

fn fits(r: &FibRule, m: &RuleMatch) -> bool {
    fn same<T: PartialEq>(want: &Option<T>, have: &Option<T>) -> bool {
        want.is_none() || want == have
    }
    m.pref.is_none_or(|p| p == r.pref)
        && (!m.invert || r.invert)
        && same(&m.src, &r.src)
        && same(&m.dst, &r.dst)
        && same(&m.iif, &r.iif)
        && same(&m.oif, &r.oif)
        && same(&m.fwmark, &r.fwmark)
        && m.tos.is_none_or(|t| t == r.tos)
        && m.table.is_none_or(|t| r.action == RuleAction::Table(t))
        && m.action.is_none_or(|a| a == r.action)
        && same(&m.ipproto, &r.ipproto)
        && same(&m.sport, &r.sport)
        && same(&m.dport, &r.dport)
        && same(&m.suppress_prefixlength, &r.suppress_prefixlength)
}

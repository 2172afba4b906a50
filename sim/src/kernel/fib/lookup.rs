//! Lookups (`fib_lookup`, `fib_table_lookup`).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{FibResult, FibRule, FibTable, Route, RouteType, RuleAction, scope, table};
use crate::kernel::Kernel;
use crate::kernel::types::{DevId, Errno, NetnsId};
use crate::trace::event::{FlowKey, RuleMiss};
use crate::trace::{EventKind, Recorder};
use crate::wire::Packet;

/// A lookup key (`struct flowi4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Destination.
    pub dst: Ipv4Addr,
    /// Source, unspecified while none is chosen.
    pub src: Ipv4Addr,
    /// Incoming device; none for what the host itself sends (`iif lo`).
    pub iif: Option<DevId>,
    /// Outgoing device asked for.
    pub oif: Option<DevId>,
    /// Mark.
    pub mark: u32,
    /// Type of service.
    pub tos: u8,
    /// Protocol.
    pub proto: u8,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Least scope a route must have.
    pub scope: u8,
    /// Routes whose device has no carrier count in spite of `ignore_routes_with_linkdown`.
    pub ignore_linkstate: bool,
}

impl Flow {
    /// A key with nothing but a destination.
    pub fn to(dst: Ipv4Addr) -> Flow {
        Flow {
            dst,
            src: Ipv4Addr::UNSPECIFIED,
            iif: None,
            oif: None,
            mark: 0,
            tos: 0,
            proto: 0,
            sport: 0,
            dport: 0,
            scope: scope::UNIVERSE,
            ignore_linkstate: false,
        }
    }

    fn key(&self) -> FlowKey {
        FlowKey { src: self.src, dst: self.dst, iif: self.iif, oif: self.oif, mark: self.mark }
    }
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A route; and the preference of the rule that led to it.
    Route(u32, Route),
    /// A route or rule that refuses.
    Refused(u32, Errno, Option<Route>),
    /// Nothing.
    None,
}

/// What one table says.
enum InTable {
    Found(Route),
    Refused(Errno, Route),
    Throw,
    Miss,
}

impl<R: Recorder> Kernel<R> {
    /// `fib_table_lookup`: the longest prefix whose route may be used.
    #[inline]
    fn table_lookup(&self, t: &FibTable, f: &Flow) -> InTable {
        let host = Ipv4Net::new_assert(f.dst, 32);
        let Some((_, best)) = t.routes.get_lpm(&host) else { return InTable::Miss };
        if let Some(r) = self.pick(best, f) {
            return r;
        }
        // The longest does not do: ask the shorter ones, from the longest down.
        let mut covers: Vec<&Vec<Route>> = t.routes.cover(&host).map(|(_, v)| v).collect();
        covers.pop();
        covers.iter().rev().find_map(|v| self.pick(v, f)).unwrap_or(InTable::Miss)
    }

    #[inline]
    fn pick(&self, routes: &[Route], f: &Flow) -> Option<InTable> {
        for r in routes {
            if (r.tos != 0 && r.tos != f.tos & 0x1c) || r.scope < f.scope {
                continue;
            }
            match r.kind {
                RouteType::Blackhole => return Some(InTable::Refused(Errno::EINVAL, *r)),
                RouteType::Unreachable => return Some(InTable::Refused(Errno::EHOSTUNREACH, *r)),
                RouteType::Prohibit => return Some(InTable::Refused(Errno::EACCES, *r)),
                RouteType::Throw => return Some(InTable::Throw),
                _ => {}
            }
            if r.linkdown && !f.ignore_linkstate && self.ignores_linkdown(r) {
                continue;
            }
            if f.oif.is_some() && f.oif != r.dev {
                continue;
            }
            return Some(InTable::Found(*r));
        }
        None
    }

    fn ignores_linkdown(&self, r: &Route) -> bool {
        r.dev.is_some_and(|d| {
            let d = self.dev(d);
            d.conf.ignore_routes_with_linkdown != 0 || self.ns(d.netns).sysctl.all.ignore_routes_with_linkdown != 0
        })
    }

    /// `fib_lookup`: asks the rules in order. `p` is the packet the question is about, for the record.
    #[inline]
    pub fn fib_lookup(&mut self, ns: NetnsId, f: &Flow, p: Option<&mut Packet>) -> Lookup {
        if self.ns(ns).fib.custom_rules {
            return self.fib_lookup_rules(ns, f, p);
        }
        let r = self.fib_lookup_plain(ns, f);
        if R::ON {
            self.note_fib(ns, f, &r, p);
        }
        r
    }

    /// With the three rules of the start only, local and main are one trie: the longer prefix of the two wins.
    #[inline]
    fn fib_lookup_plain(&self, ns: NetnsId, f: &Flow) -> Lookup {
        let tables = &self.ns(ns).fib.tables;
        let ask = |id: u32| tables.get(&id).map_or(InTable::Miss, |t| self.table_lookup(t, f));
        let (l, m);
        if self.ns(ns).fib.hint.may_have(f.dst) {
            match ask(table::LOCAL) {
                InTable::Found(r) if r.dst.prefix_len() == 32 => return Lookup::Route(0, r),
                x => l = x,
            }
        } else {
            l = InTable::Miss;
        }
        m = ask(table::MAIN);
        let len = |x: &InTable| match x {
            InTable::Found(r) | InTable::Refused(_, r) => i32::from(r.dst.prefix_len()),
            InTable::Throw | InTable::Miss => -1,
        };
        let (pref, best) = if len(&l) >= len(&m) && len(&l) >= 0 { (0, l) } else { (32766, m) };
        match best {
            InTable::Found(r) => Lookup::Route(pref, r),
            InTable::Refused(e, r) => Lookup::Refused(pref, e, Some(r)),
            InTable::Throw | InTable::Miss => match ask(table::DEFAULT) {
                InTable::Found(r) => Lookup::Route(32767, r),
                InTable::Refused(e, r) => Lookup::Refused(32767, e, Some(r)),
                InTable::Throw | InTable::Miss => Lookup::None,
            },
        }
    }

    fn fib_lookup_rules(&mut self, ns: NetnsId, f: &Flow, mut p: Option<&mut Packet>) -> Lookup {
        let rules = self.ns(ns).fib.rules.clone();
        let mut skip_to = 0;
        let mut result = Lookup::None;
        for rule in &rules {
            if rule.pref < skip_to {
                continue;
            }
            let miss = match self.rule_misses(ns, rule, f) {
                Some(why) => why,
                None => match self.rule_action(ns, rule, f) {
                    RuleEnd::Done(l) => {
                        result = l;
                        break;
                    }
                    RuleEnd::Next(why) => why,
                    RuleEnd::Goto(pref) => {
                        skip_to = pref;
                        continue;
                    }
                },
            };
            if R::ON {
                let kind = EventKind::RuleMissed { pref: rule.pref, action: rule.action, why: miss };
                self.rec.event(self.queue.now, ns, None, p.as_deref_mut(), kind);
            }
        }
        if R::ON {
            self.note_fib(ns, f, &result, p);
        }
        result
    }

    fn note_fib(&mut self, ns: NetnsId, f: &Flow, r: &Lookup, p: Option<&mut Packet>) {
        let result = match r {
            Lookup::Route(pref, route) | Lookup::Refused(pref, _, Some(route)) => {
                FibResult::Route { pref: *pref, route: *route }
            }
            Lookup::Refused(pref, e, None) => {
                let action = match e {
                    Errno::EINVAL => RuleAction::Blackhole,
                    Errno::EACCES => RuleAction::Prohibit,
                    _ => RuleAction::Unreachable,
                };
                FibResult::Rule { pref: *pref, action }
            }
            Lookup::None => FibResult::None,
        };
        self.rec.event(self.queue.now, ns, None, p, EventKind::Fib { key: f.key(), result });
    }

    /// `fib_rule_match`, `fib4_rule_match`: the first thing that does not fit.
    fn rule_misses(&self, ns: NetnsId, r: &FibRule, f: &Flow) -> Option<RuleMiss> {
        let is = |want: &Option<super::super::types::IfName>, dev: Option<DevId>| match (want, dev) {
            (None, _) => true,
            (Some(n), Some(d)) => self.dev(d).name == *n,
            (Some(_), None) => false,
        };
        // What the host itself sends counts as coming from `lo`.
        let lo = self.ns(ns).devs.get(&1).copied();
        let miss = if !is(&r.iif, f.iif.or(lo)) {
            Some(RuleMiss::Iif)
        } else if !is(&r.oif, f.oif) {
            Some(RuleMiss::Oif)
        } else if r.fwmark.is_some_and(|(v, m)| (v ^ f.mark) & m != 0) {
            Some(RuleMiss::Mark)
        } else if r.src.is_some_and(|n| !n.contains(&f.src)) {
            Some(RuleMiss::Src)
        } else if r.dst.is_some_and(|n| !n.contains(&f.dst)) {
            Some(RuleMiss::Dst)
        } else if r.tos != 0 && r.tos != f.tos & 0x1c {
            Some(RuleMiss::Tos)
        } else if r.ipproto.is_some_and(|x| x != f.proto) {
            Some(RuleMiss::Proto)
        } else if r.sport.is_some_and(|(a, b)| f.sport < a || f.sport > b)
            || r.dport.is_some_and(|(a, b)| f.dport < a || f.dport > b)
        {
            Some(RuleMiss::Port)
        } else if r.uidrange.is_some_and(|(a, _)| a > 0) {
            // Every process of the model is root's.
            Some(RuleMiss::Uid)
        } else {
            None
        };
        match (miss, r.invert) {
            (None, true) => Some(RuleMiss::Inverted),
            (Some(_), true) => None,
            (m, false) => m,
        }
    }

    /// `fib4_rule_action`, `fib4_rule_suppress`.
    fn rule_action(&self, ns: NetnsId, r: &FibRule, f: &Flow) -> RuleEnd {
        let id = match r.action {
            RuleAction::Table(t) => t,
            RuleAction::Goto(p) => return RuleEnd::Goto(p),
            RuleAction::Nop => return RuleEnd::Next(RuleMiss::NoRoute),
            RuleAction::Blackhole => return RuleEnd::Done(Lookup::Refused(r.pref, Errno::EINVAL, None)),
            RuleAction::Unreachable => return RuleEnd::Done(Lookup::Refused(r.pref, Errno::ENETUNREACH, None)),
            RuleAction::Prohibit => return RuleEnd::Done(Lookup::Refused(r.pref, Errno::EACCES, None)),
        };
        let Some(t) = self.ns(ns).fib.tables.get(&id) else { return RuleEnd::Next(RuleMiss::NoRoute) };
        match self.table_lookup(t, f) {
            InTable::Found(route) => {
                let short = r.suppress_prefixlength.is_some_and(|n| route.dst.prefix_len() <= n);
                let group = r.suppress_ifgroup.is_some_and(|g| route.dev.is_some_and(|d| self.dev(d).group == g));
                if short || group {
                    RuleEnd::Next(RuleMiss::Suppressed)
                } else {
                    RuleEnd::Done(Lookup::Route(r.pref, route))
                }
            }
            InTable::Refused(e, route) => RuleEnd::Done(Lookup::Refused(r.pref, e, Some(route))),
            InTable::Throw => RuleEnd::Next(RuleMiss::Throw),
            InTable::Miss => RuleEnd::Next(RuleMiss::NoRoute),
        }
    }

    /// Kind of an address by the local table alone (`inet_addr_type`).
    pub fn inet_addr_type(&self, ns: NetnsId, addr: Ipv4Addr) -> RouteType {
        self.inet_addr_type_in(ns, addr, table::LOCAL, None)
    }

    /// `inet_addr_type_table`, `inet_dev_addr_type`.
    pub(crate) fn inet_addr_type_in(&self, ns: NetnsId, a: Ipv4Addr, t: u32, dev: Option<DevId>) -> RouteType {
        if a.is_unspecified() || a.is_broadcast() {
            return RouteType::Broadcast;
        }
        if a.is_multicast() {
            return RouteType::Multicast;
        }
        if t == table::LOCAL && !self.ns(ns).fib.hint.may_have(a) {
            return RouteType::Unicast;
        }
        let flow = Flow { ignore_linkstate: true, ..Flow::to(a) };
        match self.ns(ns).fib.tables.get(&t).map(|t| self.table_lookup(t, &flow)) {
            Some(InTable::Found(r)) if dev.is_none() || dev == r.dev => r.kind,
            _ => RouteType::Unicast,
        }
    }

    /// Looks one table up, then everything (`fib_check_nh` asks the route's own table first).
    pub(crate) fn fib_lookup_from(&self, ns: NetnsId, t: u32, f: &Flow) -> Option<Result<Route, Errno>> {
        let first = self.ns(ns).fib.tables.get(&t).map(|t| self.table_lookup(t, f));
        match first {
            Some(InTable::Found(r)) => return Some(Ok(r)),
            Some(InTable::Refused(..) | InTable::Throw | InTable::Miss) | None => {}
        }
        let l =
            if self.ns(ns).fib.custom_rules { self.lookup_rules_quietly(ns, f) } else { self.fib_lookup_plain(ns, f) };
        match l {
            Lookup::Route(_, r) => Some(Ok(r)),
            Lookup::Refused(_, e, _) => Some(Err(e)),
            Lookup::None => None,
        }
    }

    /// Looks one table up.
    pub(crate) fn fib_lookup_from_table(&self, ns: NetnsId, t: u32, f: &Flow) -> Option<Route> {
        match self.ns(ns).fib.tables.get(&t).map(|t| self.table_lookup(t, f)) {
            Some(InTable::Found(r)) => Some(r),
            _ => None,
        }
    }

    /// A lookup that is part of a configuration request and leaves no event.
    pub fn lookup_rules_quietly(&self, ns: NetnsId, f: &Flow) -> Lookup {
        if !self.ns(ns).fib.custom_rules {
            return self.fib_lookup_plain(ns, f);
        }
        let mut skip_to = 0;
        for rule in &self.ns(ns).fib.rules {
            if rule.pref < skip_to || self.rule_misses(ns, rule, f).is_some() {
                continue;
            }
            match self.rule_action(ns, rule, f) {
                RuleEnd::Done(l) => return l,
                RuleEnd::Next(_) => {}
                RuleEnd::Goto(p) => skip_to = p,
            }
        }
        Lookup::None
    }
}

enum RuleEnd {
    Done(Lookup),
    Next(RuleMiss),
    Goto(u32),
}

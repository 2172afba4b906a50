//! Adding, replacing and removing routes (`fib_table_insert`, `fib_create_info`, `fib_table_delete`),
//! and what happens to them when a device goes or an address leaves.

use std::net::Ipv4Addr;

use super::{Flow, Route, RouteType, proto, scope, table};
use crate::kernel::Kernel;
use crate::kernel::types::{DevId, Errno, NetnsId};
use crate::op::{OpError, RouteSpec, RouteVerb};
use crate::trace::Recorder;

fn ext(e: Errno, m: &str) -> OpError {
    OpError::ext(e, m)
}

impl RouteType {
    fn is_error(self) -> bool {
        matches!(self, RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw)
    }

    /// Smallest scope that a route of this kind may have (`fib_props`).
    fn least_scope(self) -> u8 {
        match self {
            RouteType::Local => scope::HOST,
            RouteType::Broadcast | RouteType::Anycast => scope::LINK,
            _ => scope::UNIVERSE,
        }
    }
}

impl<R: Recorder> Kernel<R> {
    /// `RTM_NEWROUTE`.
    pub(crate) fn op_route_add(&mut self, ns: NetnsId, verb: RouteVerb, s: &RouteSpec) -> Result<(), OpError> {
        let route = self.fib_create_info(ns, s)?;
        self.fib_table_insert(ns, verb, route)?;
        Ok(())
    }

    /// `fib_create_info` with `fib_check_nh`: is it a route at all?
    fn fib_create_info(&self, ns: NetnsId, s: &RouteSpec) -> Result<Route, OpError> {
        if s.host_bits {
            return Err(ext(Errno::EINVAL, "Invalid prefix for given prefix length"));
        }
        let default_scope = match s.kind {
            RouteType::Local => scope::HOST,
            RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast => scope::LINK,
            RouteType::Unicast if s.via.is_none() => scope::LINK,
            _ => scope::UNIVERSE,
        };
        let mut r = Route {
            dst: s.dst,
            table: s.table,
            kind: s.kind,
            proto: s.proto.unwrap_or(proto::BOOT),
            scope: s.scope.unwrap_or(default_scope),
            tos: s.tos,
            metric: s.metric.unwrap_or(0),
            prefsrc: s.prefsrc,
            via: s.via,
            dev: s.dev,
            onlink: s.onlink,
            linkdown: false,
            dead: false,
            mtu: s.mtu.map(|m| m.0),
            mtu_lock: s.mtu.is_some_and(|m| m.1),
            advmss: s.advmss,
            nh_scope: scope::HOST,
        };
        if r.kind.least_scope() > r.scope {
            return Err(ext(Errno::EINVAL, "Invalid scope"));
        }
        if r.kind.is_error() {
            if r.via.is_some() || r.dev.is_some() {
                let m = "Gateway, device and multipath can not be specified for this route type";
                return Err(ext(Errno::EINVAL, m));
            }
        } else if r.scope > scope::HOST {
            return Err(ext(Errno::EINVAL, "Invalid scope"));
        } else if r.scope == scope::HOST {
            if r.via.is_some() {
                return Err(ext(Errno::EINVAL, "Route with host scope can not have a gateway"));
            }
            if r.dev.is_none() {
                return Err(Errno::ENODEV.into());
            }
            r.nh_scope = scope::NOWHERE;
        } else {
            self.fib_check_nh(ns, &mut r)?;
        }
        if let Some(src) = r.prefsrc
            && !self.valid_prefsrc(ns, &r, src)
        {
            return Err(ext(Errno::EINVAL, "Invalid prefsrc address"));
        }
        Ok(r)
    }

    /// `fib_valid_prefsrc`.
    pub(crate) fn valid_prefsrc(&self, ns: NetnsId, r: &Route, src: Ipv4Addr) -> bool {
        if r.kind == RouteType::Local && r.dst.addr() == src && r.dst.prefix_len() == 32 {
            return true;
        }
        let t = if r.table == table::MAIN { table::LOCAL } else { r.table };
        self.inet_addr_type_in(ns, src, t, None) == RouteType::Local
            || self.inet_addr_type_in(ns, src, table::LOCAL, None) == RouteType::Local
    }

    /// `fib_check_nh`: the gateway must be reachable by a route of narrower scope.
    fn fib_check_nh(&self, ns: NetnsId, r: &mut Route) -> Result<(), OpError> {
        let Some(gw) = r.via else {
            if r.onlink {
                let m = "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set";
                return Err(ext(Errno::EINVAL, m));
            }
            let Some(dev) = r.dev else { return Err(Errno::ENODEV.into()) };
            if !self.dev(dev).is_up() {
                return Err(ext(Errno::ENETDOWN, "Device for nexthop is not up"));
            }
            r.linkdown = !self.dev(dev).carrier;
            return Ok(());
        };
        if r.onlink {
            if r.scope >= scope::LINK {
                return Err(ext(Errno::EINVAL, "Nexthop has invalid scope"));
            }
            let Some(dev) = r.dev else { return Err(ext(Errno::ENODEV, "Nexthop device required for onlink")) };
            if !self.dev(dev).is_up() {
                return Err(ext(Errno::ENETDOWN, "Nexthop device is not up"));
            }
            if self.inet_addr_type_in(ns, gw, table::LOCAL, Some(dev)) != RouteType::Unicast {
                return Err(ext(Errno::EINVAL, "Nexthop has invalid gateway"));
            }
            r.linkdown = !self.dev(dev).carrier;
            r.nh_scope = scope::LINK;
            return Ok(());
        }
        if r.scope >= scope::LINK {
            return Err(ext(Errno::EINVAL, "Nexthop has invalid scope"));
        }
        let f = Flow { oif: r.dev, scope: (r.scope + 1).max(scope::LINK), ignore_linkstate: true, ..Flow::to(gw) };
        let bad = |e| ext(e, "Nexthop has invalid gateway");
        let found = match self.fib_lookup_from(ns, r.table, &f) {
            Some(Ok(x)) => x,
            Some(Err(e)) => return Err(bad(e)),
            None => return Err(bad(Errno::ENETUNREACH)),
        };
        if !matches!(found.kind, RouteType::Unicast | RouteType::Local) {
            return Err(bad(Errno::EINVAL));
        }
        let Some(dev) = found.dev else { return Err(ext(Errno::EINVAL, "No egress device for nexthop")) };
        r.dev = Some(dev);
        r.nh_scope = found.scope;
        r.linkdown = !self.dev(dev).carrier;
        if !self.dev(dev).is_up() {
            return Err(Errno::ENETDOWN.into());
        }
        Ok(())
    }

    /// `fib_table_insert`.
    pub(crate) fn fib_table_insert(&mut self, ns: NetnsId, verb: RouteVerb, r: Route) -> Result<(), OpError> {
        let fib = &mut self.ns_mut(ns).fib;
        if r.table == table::LOCAL {
            fib.hint.note(r.dst);
        }
        let t = fib.tables.entry(r.table).or_default();
        let list = t.routes.entry(r.dst).or_default();
        // Routes of one prefix: higher tos first, then lower metric.
        let same = |x: &Route| x.tos == r.tos && x.metric == r.metric;
        let first = list.iter().position(same);
        let exact = list.iter().position(|x| same(x) && Route { linkdown: r.linkdown, ..*x } == r);
        let result = match (first, verb) {
            (Some(_), RouteVerb::Add | RouteVerb::Test) => Err(Errno::EEXIST),
            (Some(i), RouteVerb::Replace | RouteVerb::Change) => match exact {
                Some(e) if e == i => Ok(()),
                Some(_) => Err(Errno::EEXIST),
                None => {
                    list[i] = r;
                    Ok(())
                }
            },
            (Some(_), RouteVerb::Append | RouteVerb::Prepend) if exact.is_some() => Err(Errno::EEXIST),
            (Some(i), RouteVerb::Prepend) => {
                list.insert(i, r);
                Ok(())
            }
            (Some(i), RouteVerb::Append) => {
                let after = list[i..].iter().take_while(|x| same(x)).count() + i;
                list.insert(after, r);
                Ok(())
            }
            (None, RouteVerb::Change | RouteVerb::Test) => Err(Errno::ENOENT),
            (None, _) => {
                let at = list
                    .iter()
                    .position(|x| x.tos < r.tos || (x.tos == r.tos && x.metric > r.metric))
                    .unwrap_or(list.len());
                list.insert(at, r);
                Ok(())
            }
        };
        if list.is_empty() {
            t.routes.remove(&r.dst);
        }
        self.rt_cache_flush(ns);
        result.map_err(OpError::from)
    }

    /// `RTM_DELROUTE`, `fib_table_delete`: the first that has all that is given.
    pub(crate) fn op_route_del(&mut self, ns: NetnsId, s: &RouteSpec, match_kind: bool) -> Result<(), OpError> {
        if s.host_bits {
            return Err(ext(Errno::EINVAL, "Invalid prefix for given prefix length"));
        }
        let Some(t) = self.ns_mut(ns).fib.tables.get_mut(&s.table) else {
            return Err(Errno::ESRCH.into());
        };
        let Some(list) = t.routes.get_mut(&s.dst) else { return Err(Errno::ESRCH.into()) };
        let fits = |r: &Route| {
            r.tos == s.tos
                && (!match_kind || r.kind == s.kind)
                && s.scope.is_none_or(|x| x == scope::NOWHERE || x == r.scope)
                && s.prefsrc.is_none_or(|x| Some(x) == r.prefsrc)
                && s.proto.is_none_or(|x| x == r.proto)
                && s.metric.is_none_or(|x| x == 0 || x == r.metric)
                && s.via.is_none_or(|x| Some(x) == r.via)
                && s.dev.is_none_or(|x| Some(x) == r.dev)
                && s.mtu.is_none_or(|x| Some(x.0) == r.mtu)
        };
        let at = list.iter().position(fits).ok_or(OpError::from(Errno::ESRCH))?;
        list.remove(at);
        if list.is_empty() {
            t.routes.remove(&s.dst);
        }
        self.rt_cache_flush(ns);
        Ok(())
    }

    /// Removes the routes that a test picks, from every table of a namespace.
    pub(crate) fn fib_remove(&mut self, ns: NetnsId, gone: impl Fn(&Route) -> bool) {
        for t in self.ns_mut(ns).fib.tables.values_mut() {
            let mut empty = Vec::new();
            for (net, list) in t.routes.iter_mut() {
                list.retain(|r| !gone(r));
                if list.is_empty() {
                    empty.push(net);
                }
            }
            for n in empty {
                t.routes.remove(&n);
            }
        }
        self.fib_rehint(ns);
        self.rt_cache_flush(ns);
    }

    /// Routes of the local table went: its filter is made anew.
    fn fib_rehint(&mut self, ns: NetnsId) {
        let fib = &mut self.ns_mut(ns).fib;
        fib.hint = super::LocalHint::default();
        for n in fib.tables.get(&table::LOCAL).into_iter().flat_map(|t| t.routes.keys()) {
            fib.hint.note(n);
        }
    }

    /// The carrier came or went: routes are marked (`RTNH_F_LINKDOWN`), those to oneself are not.
    pub(crate) fn fib_sync_carrier(&mut self, dev: DevId) {
        let (ns, down) = (self.dev(dev).netns, !self.dev(dev).carrier);
        for t in self.ns_mut(ns).fib.tables.values_mut() {
            for (_, list) in t.routes.iter_mut() {
                for r in list.iter_mut().filter(|r| r.dev == Some(dev) && r.scope != scope::HOST) {
                    r.linkdown = down;
                }
            }
        }
    }

    /// Routes of a table by prefix, shortest first within one address.
    pub fn routes_of(&self, ns: NetnsId, t: u32) -> Vec<Route> {
        let Some(t) = self.ns(ns).fib.tables.get(&t) else { return Vec::new() };
        let mut out: Vec<Route> = t.routes.iter().flat_map(|(_, l)| l.iter().copied()).collect();
        // The trie walks by address, then longer prefixes first within one leaf (`fn_trie_dump_leaf`).
        out.sort_by_key(|r| (u32::from(r.dst.addr()), 32 - r.dst.prefix_len()));
        out
    }
}

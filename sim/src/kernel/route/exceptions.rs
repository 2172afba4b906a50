//! Learnt path MTUs and redirects (`struct fib_nh_exception`).

use std::net::Ipv4Addr;

use indexmap::IndexMap;

use super::Dst;
use crate::FxBuild;
use crate::kernel::Kernel;
use crate::kernel::fib::RouteType;
use crate::kernel::types::{DevId, Nanos, NetnsId, SEC};
use crate::trace::{EventKind, Recorder};
use crate::wire::Packet;

/// What was learnt about one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Device and gateway of the route it belongs to: another route has its own.
    pub dev: DevId,
    /// Gateway of that route.
    pub via: Option<Ipv4Addr>,
    /// New gateway, from a redirect.
    pub gateway: Option<Ipv4Addr>,
    /// Path MTU in bytes.
    pub pmtu: Option<u32>,
    /// The MTU was below `min_pmtu` and is locked.
    pub lock: bool,
    /// When it is forgotten.
    pub expires: Nanos,
}

/// Exceptions of a namespace, by destination.
#[derive(Clone, Debug, Default)]
pub struct Exceptions {
    /// In the order they were learnt.
    pub by_dst: IndexMap<Ipv4Addr, Vec<Exception>, FxBuild>,
}

impl<R: Recorder> Kernel<R> {
    /// The exception that holds for a route to a destination now.
    #[inline]
    pub(crate) fn exception(&self, ns: NetnsId, dst: Ipv4Addr, dev: DevId, via: Option<Ipv4Addr>) -> Option<Exception> {
        let all = &self.ns(ns).exceptions.by_dst;
        if all.is_empty() {
            return None;
        }
        let now = self.queue.now;
        all.get(&dst)?.iter().find(|e| e.dev == dev && e.via == via && e.expires > now).copied()
    }

    fn exception_mut(&mut self, ns: NetnsId, dst: Ipv4Addr, dev: DevId, via: Option<Ipv4Addr>) -> &mut Exception {
        let now = self.queue.now;
        let list = self.ns_mut(ns).exceptions.by_dst.entry(dst).or_default();
        list.retain(|e| e.expires > now);
        let i = list.iter().position(|e| e.dev == dev && e.via == via).unwrap_or_else(|| {
            list.push(Exception { dev, via, gateway: None, pmtu: None, lock: false, expires: 0 });
            list.len() - 1
        });
        &mut list[i]
    }

    /// `__ip_rt_update_pmtu`.
    pub(crate) fn update_pmtu(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, mtu: u32, p: Option<&mut Packet>) {
        let old = self.dst_mtu(rt);
        if old < mtu || rt.kind != RouteType::Unicast {
            return;
        }
        let s = &self.ns(ns).sysctl;
        let (min, expires) = (s.min_pmtu as u32, self.queue.now + s.mtu_expires_s as u64 * SEC);
        let (mtu, lock) = if mtu < min { (old.min(min), true) } else { (mtu, false) };
        let via = rt.route.and_then(|r| r.via);
        let e = self.exception_mut(ns, dst, rt.dev, via);
        e.pmtu = Some(mtu);
        e.lock = lock;
        e.expires = expires;
        if R::ON {
            self.rec.event(self.queue.now, ns, Some(rt.dev), p, EventKind::PmtuLearned { dst, mtu });
        }
    }

    /// A redirect is taken (`update_or_create_fnhe`), for five minutes.
    pub(crate) fn take_redirect(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, gw: Ipv4Addr, p: &mut Packet) {
        let expires = self.queue.now + 300 * SEC;
        let via = rt.route.and_then(|r| r.via);
        let e = self.exception_mut(ns, dst, rt.dev, via);
        e.gateway = Some(gw);
        e.expires = expires;
        if R::ON {
            let kind = EventKind::RedirectTaken { dst, gateway: gw };
            self.rec.event(self.queue.now, ns, Some(rt.dev), Some(p), kind);
        }
    }

    /// Routes changed: exceptions whose route is gone go too. They belong to the next hop, so others stay.
    pub(crate) fn rt_cache_flush(&mut self, ns: NetnsId) {
        if self.ns(ns).exceptions.by_dst.is_empty() {
            return;
        }
        let mut hops: Vec<(DevId, Option<Ipv4Addr>)> = Vec::new();
        for t in self.ns(ns).fib.tables.values() {
            hops.extend(t.routes.values().flatten().filter_map(|r| r.dev.map(|d| (d, r.via))));
        }
        self.ns_mut(ns).exceptions.by_dst.retain(|_, l| {
            l.retain(|e| hops.contains(&(e.dev, e.via)));
            !l.is_empty()
        });
    }

    /// `dst_mtu`: the path MTU a sender counts with.
    #[inline]
    pub(crate) fn dst_mtu(&self, rt: &Dst) -> u32 {
        rt.pmtu.unwrap_or_else(|| self.devs[rt.dev.ix()].mtu.min(65535))
    }
}

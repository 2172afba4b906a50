//! `-m addrtype` (xt_addrtype): asks the local table only (`inet_addr_type`).

use std::net::Ipv4Addr;

use super::AddrtypeMatch;
use crate::kernel::Kernel;
use crate::kernel::fib::{Flow, RouteType, table};
use crate::kernel::types::{DevId, NetnsId};
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

/// `RTN_*` of a kind of route: the bit that `--src-type` and `--dst-type` set.
pub fn rtn(kind: RouteType) -> u16 {
    1 << match kind {
        RouteType::Unicast => 1,
        RouteType::Local => 2,
        RouteType::Broadcast => 3,
        RouteType::Anycast => 4,
        RouteType::Multicast => 5,
        RouteType::Blackhole => 6,
        RouteType::Unreachable => 7,
        RouteType::Prohibit => 8,
        RouteType::Throw => 9,
    }
}

impl<R: Recorder> Kernel<R> {
    /// `inet_addr_type`, `inet_dev_addr_type`: what an address is to this namespace, or to one of its devices.
    pub(crate) fn inet_addr_type(&self, ns: NetnsId, a: Ipv4Addr, dev: Option<DevId>) -> RouteType {
        if a.is_unspecified() || a.is_broadcast() || a.octets()[0] == 0 {
            return RouteType::Broadcast;
        }
        if a.is_multicast() {
            return RouteType::Multicast;
        }
        match self.fib_lookup_from_table(ns, table::LOCAL, &Flow::to(a)) {
            Some(r) if dev.is_none() || r.dev == dev => r.kind,
            _ => RouteType::Unicast,
        }
    }
}

impl AddrtypeMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let dev = if self.limit_iface_in {
            cx.at.iif
        } else if self.limit_iface_out {
            cx.at.oif
        } else {
            None
        };
        for (set, inv, a, option) in [
            (self.src, self.inv_src, cx.ip.src, "--src-type"),
            (self.dst, self.inv_dst, cx.ip.dst, "--dst-type"),
        ] {
            if set != 0 {
                let kind = cx.k.inet_addr_type(cx.at.ns, a, dev);
                ask((set & rtn(kind) != 0) != inv, option, || Saw::Word(kind.as_str()))?;
            }
        }
        Ok(())
    }
}

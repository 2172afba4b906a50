//! `-m rpfilter` (ipt_rpfilter): would an answer leave by the way the packet came?

use std::net::Ipv4Addr;

use super::RpfilterMatch;
use crate::kernel::fib::{Flow, Lookup, RouteType};
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl RpfilterMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let (src, dst) = (cx.ip.src, cx.ip.dst);
        let lo = cx.at.iif.is_some_and(|d| cx.k.dev(d).is_loopback());
        // What came round by `lo`, and who asks for an address from 0.0.0.0, is let through.
        if lo || (src.is_unspecified() && (dst.is_multicast() || dst.is_broadcast())) {
            return ask(!self.invert, "-m rpfilter", || Saw::Word("loopback"));
        }
        if src.is_unspecified() || src.is_multicast() || src.is_broadcast() {
            return ask(self.invert, "-m rpfilter", || Saw::Addr(src));
        }
        let known = |a: Ipv4Addr| if a.is_multicast() || a.is_broadcast() { Ipv4Addr::UNSPECIFIED } else { a };
        let f = Flow {
            src: known(dst),
            mark: if self.validmark { cx.p.mark } else { 0 },
            tos: cx.ip.tos,
            oif: if self.loose { None } else { cx.at.iif },
            ..Flow::to(src)
        };
        let fits = match cx.k.lookup_rules_quietly(cx.at.ns, &f) {
            Lookup::Route(_, r) => {
                let kind = r.kind == RouteType::Unicast || (self.accept_local && r.kind == RouteType::Local);
                kind && (self.loose || r.dev == cx.at.iif || r.kind == RouteType::Local)
            }
            _ => false,
        };
        ask(fits != self.invert, "-m rpfilter", || Saw::Addr(src))
    }
}

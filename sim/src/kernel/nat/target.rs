//! What `SNAT`, `DNAT`, `MASQUERADE`, `REDIRECT` and `NETMAP` ask for.

use std::net::Ipv4Addr;

use super::Manip;
use super::setup::Range;
use crate::kernel::Kernel;
use crate::kernel::conntrack::CtRef;
use crate::kernel::fib::scope;
use crate::kernel::netfilter::{Hook, Verdict};
use crate::kernel::xtables::Variant;
use crate::kernel::xtables::targets::{NatKind, NatTarget};
use crate::kernel::xtables::view::HookAt;
use crate::kernel::xtables::walk::Walked;
use crate::trace::Recorder;
use crate::wire::Packet;

impl<R: Recorder> Kernel<R> {
    /// A nat rule fitted.
    pub(super) fn nat_target(
        &mut self,
        (at, v): (&HookAt, Variant),
        ct: CtRef,
        t: &NatTarget,
        p: &mut Packet,
    ) -> Verdict {
        let manip = Manip::of(at.hook);
        let Some(ip) = p.ipv4() else { return Verdict::Accept };
        let one = |a: Ipv4Addr| Some((a, a));
        let addrs = match t.kind {
            NatKind::Snat | NatKind::Dnat => t.addrs,
            NatKind::Netmap => {
                let Some((net, mask)) = t.addrs else { return Verdict::Accept };
                let old = if manip == Manip::Src { ip.src } else { ip.dst };
                let mask = u32::from(mask);
                one(Ipv4Addr::from((u32::from(old) & !mask) | (u32::from(net) & mask)))
            }
            NatKind::Masquerade => {
                if ip.src.is_unspecified() {
                    return Verdict::Accept;
                }
                let Some(oif) = at.oif else { return Verdict::Accept };
                let Some(a) = self.inet_select_addr(oif, Some(at.nexthop), scope::UNIVERSE) else {
                    return self.xt_end(at, v, Walked::Drop, p);
                };
                if let Some(c) = self.netns[at.ns.ix()].nf.ct.get_mut(ct) {
                    c.masq_dev = Some(oif);
                }
                one(a)
            }
            NatKind::Redirect => {
                let to = match (at.hook, at.iif) {
                    (Hook::Output, _) => Some(Ipv4Addr::LOCALHOST),
                    (_, Some(d)) => self.dev(d).addrs.first().map(|a| a.local),
                    _ => None,
                };
                let Some(a) = to else {
                    return self.xt_end(at, v, Walked::Drop, p);
                };
                one(a)
            }
        };
        let range =
            Range { addrs, ports: t.ports, base: t.base, random: t.random || t.random_fully, persistent: t.persistent };
        self.nat_setup(at.ns, ct, &range, manip);
        Verdict::Accept
    }
}

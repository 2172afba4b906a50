//! Running a hook: what is registered there, in order of priority (`nf_hook_slow`).

use std::net::Ipv4Addr;

use super::{Hook, Verdict};
use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::fib::RouteType;
use crate::kernel::ip::Rx;
use crate::kernel::types::{DevId, NetnsId};
use crate::kernel::xtables::view::HookAt;
use crate::kernel::xtables::walk::Walked;
use crate::kernel::xtables::{TableKind, Variant};
use crate::trace::{DropReason, Recorder};
use crate::wire::Packet;

impl<R: Recorder> Kernel<R> {
    /// Runs the hook over a packet; what does not come back has been dropped or kept, and the trace says why.
    #[inline]
    pub(crate) fn nf_hook(&mut self, at: &HookAt, p: &mut Packet) -> Verdict {
        if !self.netns[at.ns.ix()].nf.active || p.ipv4().is_none() {
            return Verdict::Accept;
        }
        self.nf_hook_slow(at, p)
    }

    /// Shows a packet to the FORWARD hook as if it came by one device and left by another; says whether it may.
    pub fn forward_hook(&mut self, iif: DevId, oif: DevId, p: &mut Packet) -> bool {
        let ns = self.devs[iif.ix()].netns;
        let at = HookAt { oif: Some(oif), ..HookAt::received(ns, Hook::Forward, iif, PktType::Host) };
        self.nf_hook(&at, p) == Verdict::Accept
    }

    fn nf_hook_slow(&mut self, at: &HookAt, p: &mut Packet) -> Verdict {
        for step in steps(at.hook) {
            let before = routing_key(p);
            match self.nf_step(*step, at, p) {
                Verdict::Accept => {}
                v => return v,
            }
            // Of the tables on OUTPUT only mangle looks the way up again, and NAT when it changed the destination.
            if at.hook == Hook::Output && routing_key(p) != before {
                let after = routing_key(p);
                let again = match step {
                    Step::Table(TableKind::Mangle) => true,
                    Step::Nat => after.1 != before.1,
                    _ => false,
                };
                if again && !self.nf_reroute(at, p) {
                    return Verdict::Drop;
                }
            }
        }
        Verdict::Accept
    }

    /// The new way, at once (`ip_route_me_harder` in `nf_nat_ipv4_local_fn`, `ipt_mangle_out`): without one the packet
    /// sees no further table.
    fn nf_reroute(&mut self, at: &HookAt, p: &mut Packet) -> bool {
        let way = self.ip_route_me_harder(at.ns, p);
        let found = way.is_ok();
        if !found {
            self.nf_drop(at, p, DropReason::NETFILTER_DROP, "nf_hook_slow");
        }
        self.rerouted = Some(way);
        found
    }

    fn nf_step(&mut self, step: Step, at: &HookAt, p: &mut Packet) -> Verdict {
        let tracking = self.netns[at.ns.ix()].nf.xt.ct_users > 0;
        match step {
            Step::Table(t) => {
                for v in self.netns[at.ns.ix()].nf.xt.order(t, at.hook) {
                    let end = self.xt_walk(at, v, t, p);
                    match self.xt_end(at, v, end, p) {
                        Verdict::Accept => {}
                        other => return other,
                    }
                }
                Verdict::Accept
            }
            Step::Defrag if tracking => self.nf_defrag(at, p),
            Step::Track if tracking => match at.dev() {
                Some(dev) => self.nf_conntrack_in(at.ns, at.hook, dev, p),
                None => Verdict::Accept,
            },
            Step::Nat if self.nat_registered(at.ns) => self.nf_nat_fn(at, p),
            Step::Confirm if tracking => match at.dev() {
                Some(dev) => self.nf_conntrack_confirm(at.ns, at.hook, dev, p),
                None => Verdict::Accept,
            },
            _ => Verdict::Accept,
        }
    }

    /// Turns the end of a walk into a verdict, and answers where the rule says so.
    pub(crate) fn xt_end(&mut self, at: &HookAt, v: Variant, end: Walked, p: &mut Packet) -> Verdict {
        let func = match v {
            Variant::Nft => "nft_do_chain",
            Variant::Legacy => "nf_hook_slow",
        };
        match end {
            // NAT targets live in the nat table only; `xt_commit` sees to that.
            Walked::Accept | Walked::Nat(_) => return Verdict::Accept,
            Walked::Drop => self.nf_drop(at, p, DropReason::NETFILTER_DROP, func),
            Walked::Reject(with) => {
                self.xt_reject(at, with, p);
                self.nf_drop(at, p, DropReason::NETFILTER_DROP, func);
            }
            Walked::Unmodelled => {
                self.unmodelled += 1;
                self.nf_drop(at, p, DropReason::PACKETWALK_UNMODELLED, func);
            }
        }
        Verdict::Drop
    }

    /// `ipv4_conntrack_defrag`: tracking sees whole datagrams only.
    fn nf_defrag(&mut self, at: &HookAt, p: &mut Packet) -> Verdict {
        let fragment = p.ipv4().is_some_and(crate::wire::Ipv4::is_fragment);
        let Some(dev) = at.dev().filter(|_| fragment) else { return Verdict::Accept };
        let rx = Rx { dev, sock_dev: dev, ty: at.ty, kind: RouteType::Unicast, local: false };
        match self.ip_defrag(rx, p.clone()) {
            Some(whole) => {
                *p = whole;
                Verdict::Accept
            }
            None => Verdict::Stolen,
        }
    }
}

/// What a route is looked up by.
fn routing_key(p: &Packet) -> (Ipv4Addr, Ipv4Addr, u32, u8) {
    p.ipv4().map_or((Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, 0, 0), |ip| (ip.src, ip.dst, p.mark, ip.tos))
}

/// What is registered at a hook, by priority (`enum nf_ip_hook_priorities`).
fn steps(hook: Hook) -> &'static [Step] {
    use TableKind::{Filter, Mangle, Raw, Security};
    match hook {
        Hook::Prerouting => &[Step::Defrag, Step::Table(Raw), Step::Track, Step::Table(Mangle), Step::Nat],
        Hook::Output => &[
            Step::Defrag,
            Step::Table(Raw),
            Step::Track,
            Step::Table(Mangle),
            Step::Nat,
            Step::Table(Filter),
            Step::Table(Security),
        ],
        Hook::Forward => &[Step::Table(Mangle), Step::Table(Filter), Step::Table(Security)],
        Hook::Input => &[Step::Table(Mangle), Step::Table(Filter), Step::Table(Security), Step::Nat, Step::Confirm],
        Hook::Postrouting => &[Step::Table(Mangle), Step::Nat, Step::Confirm],
    }
}

impl Hook {
    /// Who looks at a packet at this hook, one after the other: tables by name, and `conntrack`.
    pub fn stations(self) -> impl Iterator<Item = &'static str> {
        steps(self).iter().filter_map(|s| match s {
            Step::Defrag => None,
            Step::Table(t) => Some(t.name()),
            Step::Nat => Some(TableKind::Nat.name()),
            Step::Track | Step::Confirm => Some("conntrack"),
        })
    }
}

/// What may be registered at a hook.
#[derive(Clone, Copy)]
enum Step {
    Defrag,
    Table(TableKind),
    Track,
    Nat,
    Confirm,
}

impl HookAt {
    /// A hook where nothing is routed yet.
    pub(crate) fn received(ns: NetnsId, hook: Hook, dev: DevId, ty: PktType) -> HookAt {
        let (nexthop, kind) = (Ipv4Addr::UNSPECIFIED, RouteType::Unicast);
        HookAt { ns, hook, iif: Some(dev), oif: None, ty, nexthop, mtu: u32::MAX, kind }
    }
}

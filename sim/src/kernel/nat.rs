//! Network address translation (net/netfilter/nf_nat_core.c, nf_nat_proto.c, nf_nat_masquerade.c, nf_nat_redirect.c).
//!
//! The first packet of a connection asks the nat tables; what they say is kept in the connection, and every later
//! packet of either direction is rewritten by it without asking anybody.

mod icmp;
mod manip;
mod setup;
mod target;

use super::Kernel;
use super::conntrack::{CtDir, CtInfo, CtRef, Status, tuple_of};
use super::netfilter::{Hook, Verdict};
use super::types::{DevId, NetnsId};
use super::xtables::view::HookAt;
use super::xtables::walk::Walked;
use super::xtables::{TableKind, Variant};
use crate::FxBuild;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{L4, Packet};

/// Which address a hook may rewrite (`HOOK2MANIP`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manip {
    /// Source: POSTROUTING and INPUT.
    Src,
    /// Destination: PREROUTING and OUTPUT.
    Dst,
}

impl Manip {
    /// Of a hook; FORWARD has none.
    pub fn of(hook: Hook) -> Manip {
        match hook {
            Hook::Prerouting | Hook::Output => Manip::Dst,
            _ => Manip::Src,
        }
    }

    pub(crate) fn done(self) -> Status {
        match self {
            Manip::Src => Status::SRC_NAT_DONE,
            Manip::Dst => Status::DST_NAT_DONE,
        }
    }

    pub(crate) fn bit(self) -> Status {
        match self {
            Manip::Src => Status::SRC_NAT,
            Manip::Dst => Status::DST_NAT,
        }
    }

    /// The bit that tells whether a packet of this direction is rewritten.
    pub(crate) fn bit_in(self, dir: CtDir) -> Status {
        match (self, dir) {
            (Manip::Src, CtDir::Original) | (Manip::Dst, CtDir::Reply) => Status::SRC_NAT,
            _ => Status::DST_NAT,
        }
    }
}

/// Key of a source: address, port or id, protocol, zone.
type SourceKey = (std::net::Ipv4Addr, u16, u8, u16);

/// What NAT keeps per namespace beside the connections.
#[derive(Clone, Debug, Default)]
pub struct Nat {
    /// Connections by their source (`nf_nat_bysource`), newest last: a source keeps the translation it has.
    pub(crate) by_source: hashbrown::HashMap<SourceKey, Vec<CtRef>, FxBuild>,
}

impl<R: Recorder> Kernel<R> {
    /// The namespace has nat hooks: a nat table was made in either variant.
    #[inline]
    pub(crate) fn nat_registered(&self, ns: NetnsId) -> bool {
        let v = &self.netns[ns.ix()].nf.xt.variants;
        v[0].by_kind[TableKind::Nat as usize].is_some() || v[1].by_kind[TableKind::Nat as usize].is_some()
    }

    /// `nf_nat_ipv4_fn`, `nf_nat_inet_fn`.
    pub(crate) fn nf_nat_fn(&mut self, at: &HookAt, p: &mut Packet) -> Verdict {
        let Some(ct) = p.nf.ct else { return Verdict::Accept };
        let manip = Manip::of(at.hook);
        let info = p.nf.ctinfo;
        let Some(c) = self.netns[at.ns.ix()].nf.ct.get(ct) else { return Verdict::Accept };
        let related = matches!(info, CtInfo::Related | CtInfo::RelatedReply);
        if related && matches!(p.ipv4().map(|ip| &ip.l4), Some(L4::Icmp(_))) {
            return self.nat_icmp_reply(at, ct, p);
        }
        // A reset that REJECT sends belongs to a connection whose first packet got no further.
        if (related || info == CtInfo::New) && !c.status.contains(manip.done()) {
            match self.nat_ask(at, ct, manip, p) {
                Verdict::Accept => {}
                v => return v,
            }
        } else if at.hook == Hook::Postrouting
            && info.dir() == CtDir::Original
            && c.masq_dev.is_some()
            && c.masq_dev != at.oif
        {
            // The way has changed: the address that was taken belongs to another device.
            self.ct_kill(at.ns, ct);
            self.nf_drop(at, p, DropReason::NETFILTER_DROP, "nf_hook_slow");
            return Verdict::Drop;
        }
        self.nat_packet(at, ct, manip, p);
        Verdict::Accept
    }

    /// Asks the nat tables about a new connection; without a rule it keeps its addresses, under a free port.
    fn nat_ask(&mut self, at: &HookAt, ct: CtRef, manip: Manip, p: &mut Packet) -> Verdict {
        for v in [Variant::Nft, Variant::Legacy] {
            match self.xt_walk(at, v, TableKind::Nat, p) {
                Walked::Accept => {}
                Walked::Nat(t) => match self.nat_target((at, v), ct, &t, p) {
                    Verdict::Accept => {}
                    v => return v,
                },
                other => return self.xt_end(at, v, other, p),
            }
            if self.netns[at.ns.ix()].nf.ct.get(ct).is_some_and(|c| c.status.contains(manip.done())) {
                return Verdict::Accept;
            }
        }
        self.nat_null_binding(at.ns, ct, manip);
        Verdict::Accept
    }

    /// `nf_nat_packet`: rewrites the packet as its connection says.
    fn nat_packet(&mut self, at: &HookAt, ct: CtRef, manip: Manip, p: &mut Packet) {
        let Some(c) = self.netns[at.ns.ix()].nf.ct.get(ct) else { return };
        let dir = p.nf.ctinfo.dir();
        if !c.status.contains(manip.bit_in(dir)) {
            return;
        }
        let Some(target) = super::conntrack::nf_ct_invert(&c.tuples[dir.other() as usize]) else { return };
        let before = if R::ON { p.ipv4().and_then(tuple_of) } else { None };
        manip::packet(p, &target, manip);
        if let Some(before) = before
            && let Some(after) = p.ipv4().and_then(tuple_of)
            && before != after
        {
            self.xt_event(at, p, || EventKind::Nat { hook: at.hook, before, after });
        }
    }

    /// A device went down: connections that took its address are forgotten (`masq_device_event`).
    pub(crate) fn nat_device_down(&mut self, dev: DevId) {
        let ns = self.devs[dev.ix()].netns;
        self.nat_forget(ns, |c| c.masq_dev == Some(dev));
    }

    /// An address went: connections that took it are forgotten (`masq_inet_event`).
    pub(crate) fn nat_addr_gone(&mut self, dev: DevId, addr: std::net::Ipv4Addr) {
        let ns = self.devs[dev.ix()].netns;
        self.nat_forget(ns, |c| c.masq_dev == Some(dev) && c.tuples[1].dst == addr);
    }

    fn nat_forget(&mut self, ns: NetnsId, gone: impl Fn(&super::conntrack::Conn) -> bool) {
        let now = self.queue.now;
        let list: Vec<CtRef> = self.netns[ns.ix()].nf.ct.iter(now).filter(|(_, c)| gone(c)).map(|(r, _)| r).collect();
        for r in list {
            self.ct_kill(ns, r);
        }
    }
}

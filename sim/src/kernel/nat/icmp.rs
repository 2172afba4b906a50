//! ICMP errors about translated packets (`nf_nat_icmp_reply_translation`): the packet they quote is put back
//! into the words of whoever is to read them, and so are their own addresses.

use super::{Manip, manip};
use crate::kernel::Kernel;
use crate::kernel::conntrack::{CtRef, Status, nf_ct_invert, tuple_of};
use crate::kernel::netfilter::Verdict;
use crate::kernel::xtables::view::HookAt;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{L4, Packet};

impl<R: Recorder> Kernel<R> {
    pub(super) fn nat_icmp_reply(&mut self, at: &HookAt, ct: CtRef, p: &mut Packet) -> Verdict {
        let Some(c) = self.netns[at.ns.ix()].nf.ct.get(ct) else { return Verdict::Accept };
        let manip = Manip::of(at.hook);
        let dir = p.nf.ctinfo.dir();
        let (status, other) = (c.status, c.tuples[dir.other() as usize]);
        let Some(ip) = p.ipv4() else { return Verdict::Accept };
        let L4::Icmp(i) = &ip.l4 else { return Verdict::Accept };
        let nat = Status::SRC_NAT | Status::DST_NAT;
        if i.ty == 5 && (!status.contains(Status::SRC_NAT_DONE | Status::DST_NAT_DONE) || status.intersects(nat)) {
            // A redirect about a translated connection would be a lie.
            self.nf_drop(at, p, DropReason::NETFILTER_DROP, "nf_hook_slow");
            return Verdict::Drop;
        }
        if !status.contains(manip.bit_in(dir)) {
            return Verdict::Accept;
        }
        let before = if R::ON { tuple_of(ip) } else { None };
        let mut inner = i.payload.to_vec();
        let reverse = match manip {
            Manip::Src => Manip::Dst,
            Manip::Dst => Manip::Src,
        };
        manip::quoted(&mut inner, &other, reverse);
        let Some(target) = nf_ct_invert(&other) else { return Verdict::Accept };
        if let Some(ip) = p.ipv4_mut() {
            match manip {
                Manip::Src => ip.src = target.src,
                Manip::Dst => ip.dst = target.dst,
            }
            if let L4::Icmp(i) = &mut ip.l4 {
                i.payload = inner.into();
            }
        }
        if let Some(before) = before
            && let Some(after) = p.ipv4().and_then(tuple_of)
        {
            self.xt_event(at, p, || EventKind::Nat { hook: at.hook, before, after });
        }
        Verdict::Accept
    }
}

//! ICMP: queries are connections, errors speak of others (net/netfilter/nf_conntrack_proto_icmp.c).

use super::tuple::{inner_tuple, nf_ct_invert};
use super::types::{CtDir, CtInfo, CtRef, L4Id};
use crate::kernel::Kernel;
use crate::kernel::types::NetnsId;
use crate::trace::Recorder;
use crate::wire::{Ipv4, L4, Packet};

/// `NR_ICMP_TYPES`: the highest type that is known.
const NR_ICMP_TYPES: u8 = 18;

/// `nf_conntrack_icmp_packet`: only requests begin a connection.
pub(super) fn valid_new(original: L4Id) -> bool {
    matches!(original, L4Id::Icmp { ty: 8 | 13 | 15 | 17, .. })
}

/// `icmp_is_err`.
fn is_error(ty: u8) -> bool {
    matches!(ty, 3 | 4 | 5 | 11 | 12)
}

/// What `nf_conntrack_icmpv4_error` made of a message.
pub(super) enum IcmpError {
    /// It is no error: to be tracked as a query.
    No,
    /// It speaks of this connection; the relation says in which direction it goes.
    Related(CtRef, CtInfo),
    /// It speaks of nothing that is known.
    Invalid(&'static str),
}

impl<R: Recorder> Kernel<R> {
    /// `nf_conntrack_icmpv4_error`, `nf_conntrack_inet_error`.
    pub(super) fn nf_conntrack_icmpv4_error(&self, ns: NetnsId, p: &Packet, ip: &Ipv4) -> IcmpError {
        let L4::Icmp(i) = &ip.l4 else { return IcmpError::Invalid("short packet") };
        if i.ty > NR_ICMP_TYPES {
            return IcmpError::Invalid("invalid icmp type");
        }
        if !is_error(i.ty) {
            return IcmpError::No;
        }
        // The quoted packet went the other way: its answer would look like this.
        let Some(inner) = inner_tuple(ip).and_then(|t| nf_ct_invert(&t)) else {
            return IcmpError::Invalid("it quotes nothing that could be tracked");
        };
        let table = &self.netns[ns.ix()].nf.ct;
        let Some((ct, dir)) = table.find(&inner, p.nf.zone, self.queue.now) else {
            return IcmpError::Invalid("it speaks of no known connection");
        };
        if table.get(ct).is_none_or(|c| c.tuples[dir as usize].dst != ip.dst) {
            return IcmpError::Invalid("outer daddr is not the inner one's");
        }
        let info = if dir == CtDir::Reply { CtInfo::RelatedReply } else { CtInfo::Related };
        IcmpError::Related(ct, info)
    }
}

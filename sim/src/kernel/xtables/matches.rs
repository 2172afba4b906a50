//! The matches (`-m`): one file each, holding what it asks and how it looks.
//!
//! A match answers with nothing when it fits, else with the first thing that did not.

pub mod addrtype;
pub mod connlimit;
pub(crate) mod conntrack;
pub mod hashlimit;
mod icmp;
mod iprange;
mod length;
mod limit;
mod mac;
mod mark;
mod multiport;
mod owner;
mod physdev;
mod pkttype;
pub mod recent;
mod rpfilter;
mod statistic;
pub mod string;
mod tcp;
mod tos;
mod ttl;
mod udp;
pub mod written;

use std::net::Ipv4Addr;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::types::IfMatch;
use crate::wire::MacAddr;

/// Ports from .. to, both included.
pub type Ports = (u16, u16);

/// `-m tcp` (xt_tcpudp).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct TcpMatch {
    pub sports: Ports,
    pub inv_sports: bool,
    pub dports: Ports,
    pub inv_dports: bool,
    /// `--tcp-flags MASK COMP`; both 0 where not given.
    pub flags_mask: u8,
    pub flags_cmp: u8,
    pub inv_flags: bool,
    /// `--tcp-option`; 0 where not given.
    pub option: u8,
    pub inv_option: bool,
}

impl Default for TcpMatch {
    fn default() -> Self {
        TcpMatch {
            sports: (0, 65535),
            inv_sports: false,
            dports: (0, 65535),
            inv_dports: false,
            flags_mask: 0,
            flags_cmp: 0,
            inv_flags: false,
            option: 0,
            inv_option: false,
        }
    }
}

/// `-m udp` (xt_tcpudp).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct UdpMatch {
    pub sports: Ports,
    pub inv_sports: bool,
    pub dports: Ports,
    pub inv_dports: bool,
}

impl Default for UdpMatch {
    fn default() -> Self {
        UdpMatch { sports: (0, 65535), inv_sports: false, dports: (0, 65535), inv_dports: false }
    }
}

/// `-m icmp`: type 255 fits all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct IcmpMatch {
    pub ty: u8,
    pub code: (u8, u8),
    pub inv: bool,
}

/// Which ports `-m multiport` looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum MultiportSide {
    Source,
    Destination,
    Either,
}

/// `-m multiport`: up to 15 ports, a range counts twice.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct MultiportMatch {
    pub side: MultiportSide,
    pub ports: ArrayVec<Ports, 15>,
    pub inv: bool,
}

/// `-m iprange`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct IprangeMatch {
    pub src: Option<(Ipv4Addr, Ipv4Addr)>,
    pub inv_src: bool,
    pub dst: Option<(Ipv4Addr, Ipv4Addr)>,
    pub inv_dst: bool,
}

/// `-m mac --mac-source`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct MacMatch {
    pub addr: MacAddr,
    pub inv: bool,
}

/// `-m mark`, `-m connmark`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct MarkMatch {
    pub mark: u32,
    pub mask: u32,
    pub inv: bool,
}

/// States of `--ctstate` and `--state`, as a set of bits.
#[allow(missing_docs)]
pub mod ctstate {
    pub const INVALID: u16 = 1 << 0;
    pub const ESTABLISHED: u16 = 1 << 1;
    pub const RELATED: u16 = 1 << 2;
    pub const NEW: u16 = 1 << 3;
    pub const SNAT: u16 = 1 << 6;
    pub const DNAT: u16 = 1 << 7;
    pub const UNTRACKED: u16 = 1 << 8;
}

/// A value that may be negated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Neg<T> {
    pub value: T,
    pub inv: bool,
}

/// `-m conntrack` (xt_conntrack revision 3); every option may be absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct ConntrackMatch {
    /// Bits of [`ctstate`].
    pub state: Option<Neg<u16>>,
    /// `IPS_*` bits: EXPECTED 1, SEEN_REPLY 2, ASSURED 4, CONFIRMED 8; NONE is an empty set.
    pub status: Option<Neg<u16>>,
    pub proto: Option<Neg<u8>>,
    /// Address and mask.
    pub origsrc: Option<Neg<(Ipv4Addr, Ipv4Addr)>>,
    pub origdst: Option<Neg<(Ipv4Addr, Ipv4Addr)>>,
    pub replsrc: Option<Neg<(Ipv4Addr, Ipv4Addr)>>,
    pub repldst: Option<Neg<(Ipv4Addr, Ipv4Addr)>>,
    pub origsrcport: Option<Neg<Ports>>,
    pub origdstport: Option<Neg<Ports>>,
    pub replsrcport: Option<Neg<Ports>>,
    pub repldstport: Option<Neg<Ports>>,
    /// Seconds left.
    pub expire: Option<Neg<(u32, u32)>>,
    /// `--ctdir`: true for ORIGINAL.
    pub original: Option<bool>,
}

/// `-m addrtype`: sets of `1 << RTN_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct AddrtypeMatch {
    pub src: u16,
    pub inv_src: bool,
    pub dst: u16,
    pub inv_dst: bool,
    pub limit_iface_in: bool,
    pub limit_iface_out: bool,
}

/// `-m physdev`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct PhysdevMatch {
    pub physin: Option<Neg<IfMatch>>,
    pub physout: Option<Neg<IfMatch>>,
    /// `--physdev-is-in`; false in it means negated.
    pub is_in: Option<bool>,
    pub is_out: Option<bool>,
    pub is_bridged: Option<bool>,
}

/// `-m limit`: one packet each `avg` / 10000 seconds, `burst` at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct LimitMatch {
    pub avg: u32,
    pub burst: u32,
}

/// `-m statistic`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatisticMode {
    /// Probability in units of 1 / 0x80000000.
    Random(u32),
    /// One packet of `every`, beginning with packet number `packet`.
    #[allow(missing_docs)]
    Nth { every: u32, packet: u32 },
}

/// `-m statistic`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct StatisticMatch {
    pub mode: StatisticMode,
    pub inv: bool,
}

/// `-m owner`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct OwnerMatch {
    pub uid: Option<Neg<(u32, u32)>>,
    pub gid: Option<Neg<(u32, u32)>>,
    /// `--socket-exists`; false in it means negated.
    pub socket_exists: Option<bool>,
    pub suppl_groups: bool,
}

/// How `-m ttl` compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum TtlMode {
    Eq,
    Ne,
    Lt,
    Gt,
}

/// `-m ttl`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct TtlMatch {
    pub mode: TtlMode,
    pub ttl: u8,
}

/// `-m length`: bytes of the IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct LengthMatch {
    pub min: u16,
    pub max: u16,
    pub inv: bool,
}

/// `-m tos`, and `-m dscp` (whose value is shifted by two).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct TosMatch {
    pub value: u8,
    pub mask: u8,
    pub inv: bool,
}

/// `-m pkttype`: `PACKET_HOST` 0, `PACKET_BROADCAST` 1, `PACKET_MULTICAST` 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct PkttypeMatch {
    pub ty: u8,
    pub inv: bool,
}

/// `-m rpfilter`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct RpfilterMatch {
    pub loose: bool,
    pub validmark: bool,
    pub accept_local: bool,
    pub invert: bool,
}

/// A match that is known by name and text only: what it would say is not modelled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpaqueMatch {
    /// `-m NAME`.
    pub name: Arc<str>,
    /// Its options as `iptables-save` prints them, without `-m NAME`.
    pub args: Arc<str>,
    /// It makes the namespace track connections.
    pub conntrack: bool,
}

/// A match of a rule.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Match {
    Tcp(TcpMatch),
    Udp(UdpMatch),
    Icmp(IcmpMatch),
    Multiport(MultiportMatch),
    Iprange(IprangeMatch),
    Mac(MacMatch),
    Mark(MarkMatch),
    Connmark(MarkMatch),
    Conntrack(ConntrackMatch),
    /// `-m state`: bits of [`ctstate`].
    State(Neg<u16>),
    Addrtype(AddrtypeMatch),
    Physdev(PhysdevMatch),
    Limit(LimitMatch),
    Statistic(StatisticMatch),
    Comment(Arc<str>),
    Owner(OwnerMatch),
    Ttl(TtlMatch),
    Length(LengthMatch),
    Tos(TosMatch),
    Dscp(TosMatch),
    Pkttype(PkttypeMatch),
    Rpfilter(RpfilterMatch),
    /// Kept as it is printed, with what it asks.
    Written(written::WrittenMatch),
    Opaque(OpaqueMatch),
}

impl Match {
    /// It makes the namespace track connections.
    pub fn needs_conntrack(&self) -> bool {
        match self {
            Match::Conntrack(_) | Match::State(_) | Match::Connmark(_) => true,
            Match::Opaque(o) => o.conntrack,
            Match::Written(w) => w.text.conntrack,
            _ => false,
        }
    }

    /// It remembers something between packets.
    pub fn has_memory(&self) -> bool {
        matches!(self, Match::Limit(_) | Match::Statistic(_) | Match::Written(_))
    }
}

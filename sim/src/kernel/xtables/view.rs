//! What a packet is at a hook: the part that is the same for every rule, and what matches may ask of it.

use std::net::Ipv4Addr;

use super::types::{IfMatch, IpMatch};
use crate::kernel::Kernel;
use crate::kernel::conntrack::{Conn, CtInfo};
use crate::kernel::dev::PktType;
use crate::kernel::fib::RouteType;
use crate::kernel::netfilter::Hook;
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::Recorder;
use crate::trace::event::{Miss, Saw};
use crate::wire::packet::TcpFlags;
use crate::wire::{Ipv4, L4, Packet, parse};

/// Where a packet is looked at (`struct nf_hook_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookAt {
    /// Namespace.
    pub ns: NetnsId,
    /// Hook.
    pub hook: Hook,
    /// Device it came in by.
    pub iif: Option<DevId>,
    /// Device it leaves by.
    pub oif: Option<DevId>,
    /// To whom its frame was addressed.
    pub ty: PktType,
    /// Next hop, where it is already routed (for MASQUERADE).
    pub nexthop: Ipv4Addr,
    /// MTU of the way on, where it is already routed (for TCPMSS).
    pub mtu: u32,
    /// Kind of its route, where it is already routed (for REJECT in OUTPUT).
    pub kind: RouteType,
}

impl HookAt {
    /// The device that events about the packet name.
    pub fn dev(&self) -> Option<DevId> {
        match self.hook {
            Hook::Prerouting | Hook::Input => self.iif,
            _ => self.oif.or(self.iif),
        }
    }
}

/// The part of a packet that every rule asks about, taken once for a walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub src: u32,
    pub dst: u32,
    pub proto: u8,
    /// Second or further fragment.
    pub later_fragment: bool,
    pub iif: u128,
    pub oif: u128,
}

impl Head {
    pub fn of<R: Recorder>(k: &Kernel<R>, at: &HookAt, ip: &Ipv4) -> Head {
        let key = |d: Option<DevId>| d.map_or(0, |d| IfMatch::key(&k.dev(d).name));
        Head {
            src: ip.src.into(),
            dst: ip.dst.into(),
            proto: ip.proto(),
            later_fragment: ip.frag_off != 0,
            iif: key(at.iif),
            oif: key(at.oif),
        }
    }
}

impl IpMatch {
    /// Fits, without a word about why not (`ip_packet_match`).
    #[inline]
    pub(crate) fn fits(&self, h: &Head) -> bool {
        if ((h.src & self.src_mask) != self.src) != self.inv_src
            || ((h.dst & self.dst_mask) != self.dst) != self.inv_dst
        {
            return false;
        }
        (self.proto == 0 || (h.proto != self.proto) == self.inv_proto)
            && (self.iif.mask == 0 || self.iif.fits(h.iif) != self.inv_iif)
            && (self.oif.mask == 0 || self.oif.fits(h.oif) != self.inv_oif)
            && (!self.frag || h.later_fragment != self.inv_frag)
    }

    /// The first thing that does not fit, in the order in which the kernel asks.
    pub(crate) fn miss(&self, h: &Head, at: &HookAt) -> Option<Miss> {
        let miss = |option, saw| Some(Miss { option, saw });
        if ((h.src & self.src_mask) != self.src) != self.inv_src {
            return miss("-s", Saw::Addr(h.src.into()));
        }
        if ((h.dst & self.dst_mask) != self.dst) != self.inv_dst {
            return miss("-d", Saw::Addr(h.dst.into()));
        }
        if self.iif.mask != 0 && self.iif.fits(h.iif) == self.inv_iif {
            return miss("-i", Saw::Dev(at.iif));
        }
        if self.oif.mask != 0 && self.oif.fits(h.oif) == self.inv_oif {
            return miss("-o", Saw::Dev(at.oif));
        }
        if self.proto != 0 && (h.proto != self.proto) != self.inv_proto {
            return miss("-p", Saw::Word(proto_word(h.proto)));
        }
        if self.frag && h.later_fragment == self.inv_frag {
            return miss("-f", Saw::Word(if h.later_fragment { "a later fragment" } else { "no later fragment" }));
        }
        None
    }
}

/// Name of a protocol as evidence.
pub(crate) fn proto_word(p: u8) -> &'static str {
    match p {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        132 => "sctp",
        _ => "another protocol",
    }
}

/// What a match may ask.
pub(crate) struct Cx<'a, R> {
    pub k: &'a Kernel<R>,
    pub at: &'a HookAt,
    pub p: &'a Packet,
    pub ip: &'a Ipv4,
}

impl<R: Recorder> Cx<'_, R> {
    /// Ports of TCP, UDP and their kind; of a fragment only the first has them.
    #[inline]
    pub fn ports(&self) -> Option<(u16, u16)> {
        match &self.ip.l4 {
            L4::Raw(6 | 17 | 33 | 132 | 136, b) if self.ip.frag_off == 0 => parse::ports(b),
            l4 => l4.ports(),
        }
    }

    /// Flags of a TCP segment, whole or its first fragment.
    pub fn tcp_flags(&self) -> Option<TcpFlags> {
        match &self.ip.l4 {
            L4::Tcp(t) => Some(t.flags),
            L4::Raw(6, b) if self.ip.frag_off == 0 => b.get(13).map(|f| TcpFlags::from_bits_truncate(*f)),
            _ => None,
        }
    }

    /// The connection of the packet.
    #[inline]
    pub fn ct(&self) -> Option<(&Conn, CtInfo)> {
        let r = self.p.nf.ct?;
        Some((self.k.ns(self.at.ns).nf.ct.get(r)?, self.p.nf.ctinfo))
    }
}

/// Fits, or the option that did not with what it saw.
pub(crate) type Fit = Result<(), Miss>;

/// The answer of one option.
#[inline]
pub(crate) fn ask(fits: bool, option: &'static str, saw: impl FnOnce() -> Saw) -> Fit {
    if fits { Ok(()) } else { Err(Miss { option, saw: saw() }) }
}

//! What a packet is recognised by: the headers that a trace event carries.

use std::net::Ipv4Addr;

use etherparse::Ipv4HeaderSlice;

/// A packet as it was at one hook. NAT changes it between hooks: the IP id stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketKey {
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// IP protocol.
    pub proto: u8,
    /// IP id.
    pub ip_id: u16,
    /// Time to live.
    pub ttl: u8,
    /// Total length.
    pub len: u16,
    /// Fragment offset, in bytes.
    pub offset: u16,
    /// What the transport header says.
    pub l4: L4,
}

/// Of the transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum L4 {
    /// TCP and UDP.
    Ports {
        /// Source port.
        src: u16,
        /// Destination port.
        dst: u16,
    },
    /// ICMP.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// Identifier of an echo; 0 otherwise.
        id: u16,
        /// Sequence number of an echo; 0 otherwise.
        seq: u16,
    },
    /// Another protocol, or not the first fragment.
    Other,
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

impl PacketKey {
    /// Reads an IPv4 header and the first bytes behind it; none if it is no IPv4.
    pub(super) fn read(network: &[u8], transport: &[u8]) -> Option<Self> {
        let ip = Ipv4HeaderSlice::from_slice(network).ok()?;
        let offset = ip.fragments_offset().value() * 8;
        let proto = ip.protocol().0;
        let l4 = if offset == 0 { L4::read(proto, transport) } else { L4::Other };
        Some(PacketKey {
            src: ip.source_addr(),
            dst: ip.destination_addr(),
            proto,
            ip_id: ip.identification(),
            ttl: ip.ttl(),
            len: ip.total_len(),
            offset,
            l4,
        })
    }
}

impl L4 {
    /// Reads the first bytes behind an IPv4 header.
    pub fn read(proto: u8, b: &[u8]) -> Self {
        let at = |i: usize| b.get(i..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_be_bytes(*b));
        match (proto, b) {
            (TCP | UDP, [_, _, _, _, ..]) => L4::Ports { src: at(0), dst: at(2) },
            (ICMP, &[kind, code, ..]) => {
                let echo = matches!(kind, 0 | 8);
                L4::Icmp { kind, code, id: if echo { at(4) } else { 0 }, seq: if echo { at(6) } else { 0 } }
            }
            _ => L4::Other,
        }
    }
}

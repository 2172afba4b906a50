//! A packet as the model carries it: the headers as fields, the payload as shared bytes.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bitflags::bitflags;
use bytes::Bytes;

use super::MacAddr;
use crate::kernel::netfilter::SkbNf;

/// One packet's number in a run; a clone made by a flood gets a number of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct PacketId(pub u32);

impl PacketId {
    /// That of a packet which the recorder is not told of, and of all that comes of it.
    pub const UNTOLD: PacketId = PacketId(u32::MAX);
}

/// An Ethernet frame with its content, plus what Linux keeps beside it in the `sk_buff`.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Number of this packet in the run.
    pub id: PacketId,
    /// Snapshot of the present content in the recorder, 0 where there is none (see `trace`).
    pub snap: u32,
    /// Destination address of the frame.
    pub dst: MacAddr,
    /// Source address of the frame.
    pub src: MacAddr,
    /// `skb->mark`: set by the firewall or a socket, read by `ip rule`.
    pub mark: u32,
    /// How often its TCP socket had chosen a new hash when it sent this (`skb->hash` from `sk_txhash`).
    pub rehash: u8,
    /// Ports of bridges that received it since it was sent or routed: a loop of bridges has no other end.
    pub bridged: u16,
    /// Device that received it, by its arena number plus one; 0 for what the host itself sends (`skb_iif`). On its way
    /// round `lo`: the device that has the address it goes to (`rt_iif`).
    pub iif: u32,
    /// What netfilter keeps beside it.
    pub nf: SkbNf,
    /// What the frame carries.
    pub body: Body,
}

/// The payload of an Ethernet frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// EtherType 0x0806.
    Arp(Arp),
    /// EtherType 0x0800; copies made by a flood share it until one of them changes.
    Ipv4(Arc<Ipv4>),
    /// Any other EtherType: carried by bridges, read by nobody.
    Other(u16, Bytes),
}

/// ARP over Ethernet for IPv4 (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub op: u16,
    /// Sender hardware address.
    pub sha: MacAddr,
    /// Sender protocol address.
    pub spa: Ipv4Addr,
    /// Target hardware address.
    pub tha: MacAddr,
    /// Target protocol address.
    pub tpa: Ipv4Addr,
}

impl Arp {
    /// `ARPOP_REQUEST`.
    pub const REQUEST: u16 = 1;
    /// `ARPOP_REPLY`.
    pub const REPLY: u16 = 2;
}

/// An IPv4 packet (RFC 791).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// Type of service: DSCP and ECN.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// The don't-fragment bit.
    pub df: bool,
    /// The more-fragments bit.
    pub mf: bool,
    /// Fragment offset in units of 8 bytes.
    pub frag_off: u16,
    /// Time to live, in hops.
    pub ttl: u8,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Largest segment of a TCP super-packet in bytes of payload (`gso_size`), 0 for an ordinary packet.
    /// Linux lets a segmented packet pass every MTU that its segments pass.
    pub gso_size: u16,
    /// Header options, a multiple of 4 bytes; nearly always empty.
    pub options: Bytes,
    /// What follows the header.
    pub l4: L4,
}

/// The payload of an IPv4 packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum L4 {
    /// Protocol 1.
    Icmp(Icmp),
    /// Protocol 17.
    Udp(Udp),
    /// Protocol 6.
    Tcp(Tcp),
    /// Any other protocol, or a fragment: protocol number and the bytes as they are.
    Raw(u8, Bytes),
}

/// An ICMP message (RFC 792).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub ty: u8,
    /// Code.
    pub code: u8,
    /// The four bytes after the checksum: id and sequence, gateway, or next-hop MTU.
    pub rest: u32,
    /// Data; for an error the packet it speaks of, as bytes.
    pub payload: Bytes,
}

/// A UDP datagram (RFC 768).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Data.
    pub payload: Bytes,
}

bitflags! {
    /// Flags of a TCP segment.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct TcpFlags: u8 {
        /// No more data from the sender.
        const FIN = 0x01;
        /// Synchronise sequence numbers.
        const SYN = 0x02;
        /// Reset the connection.
        const RST = 0x04;
        /// Push.
        const PSH = 0x08;
        /// The acknowledgment number counts.
        const ACK = 0x10;
        /// The urgent pointer counts.
        const URG = 0x20;
    }
}

/// A TCP segment (RFC 9293).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Receive window as it stands in the header (unscaled).
    pub window: u16,
    /// Options.
    pub opts: TcpOpts,
    /// Data.
    pub payload: Bytes,
}

/// The TCP options that Linux sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOpts {
    /// Maximum segment size in bytes, SYN only.
    pub mss: Option<u16>,
    /// SACK permitted, SYN only.
    pub sack_perm: bool,
    /// Window scale, SYN only.
    pub wscale: Option<u8>,
    /// Timestamps: value and echo (RFC 7323).
    pub ts: Option<(u32, u32)>,
    /// What came out of order (RFC 2018).
    pub sack: SackBlocks,
}

/// SACK blocks, left and right edge each, in the order sent: the one that changed last is first, a duplicate (RFC 2883)
/// before it. At most three next to timestamps, else four (`TCP_NUM_SACKS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlocks {
    n: u8,
    blocks: [(u32, u32); 4],
}

impl FromIterator<(u32, u32)> for SackBlocks {
    fn from_iter<I: IntoIterator<Item = (u32, u32)>>(blocks: I) -> Self {
        let mut out = SackBlocks::default();
        blocks.into_iter().for_each(|b| out.push(b));
        out
    }
}

impl SackBlocks {
    /// Adds a block where there is room.
    pub fn push(&mut self, block: (u32, u32)) {
        if let Some(b) = self.blocks.get_mut(usize::from(self.n)) {
            *b = block;
            self.n += 1;
        }
    }

    /// The blocks.
    pub fn as_slice(&self) -> &[(u32, u32)] {
        &self.blocks[..usize::from(self.n)]
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }
}

impl Packet {
    /// A frame that nobody handled yet.
    pub fn new(id: PacketId, src: MacAddr, dst: MacAddr, body: Body) -> Packet {
        Packet { id, snap: 0, dst, src, mark: 0, rehash: 0, bridged: 0, iif: 0, nf: SkbNf::default(), body }
    }

    /// EtherType of the frame.
    pub fn ethertype(&self) -> u16 {
        match &self.body {
            Body::Ipv4(_) => 0x0800,
            Body::Arp(_) => 0x0806,
            Body::Other(t, _) => *t,
        }
    }

    /// `skb->len` at the device: the frame's length in bytes, Ethernet header included.
    pub fn frame_len(&self) -> usize {
        14 + match &self.body {
            Body::Arp(_) => 28,
            Body::Ipv4(ip) => ip.total_len(),
            Body::Other(_, b) => b.len(),
        }
    }

    /// The content changed: the recorder must take a new snapshot.
    #[inline]
    pub fn touch(&mut self) {
        self.snap = 0;
    }

    /// The IPv4 packet inside, if it is one.
    #[inline]
    pub fn ipv4(&self) -> Option<&Ipv4> {
        match &self.body {
            Body::Ipv4(ip) => Some(ip),
            _ => None,
        }
    }

    /// The IPv4 packet inside, to be changed; marks the packet as touched.
    #[inline]
    pub fn ipv4_mut(&mut self) -> Option<&mut Ipv4> {
        self.snap = 0;
        match &mut self.body {
            Body::Ipv4(ip) => Some(Arc::make_mut(ip)),
            _ => None,
        }
    }
}

impl Ipv4 {
    /// Protocol number.
    #[inline]
    pub fn proto(&self) -> u8 {
        match &self.l4 {
            L4::Icmp(_) => 1,
            L4::Tcp(_) => 6,
            L4::Udp(_) => 17,
            L4::Raw(p, _) => *p,
        }
    }

    /// Header length in bytes.
    #[inline]
    pub fn header_len(&self) -> usize {
        20 + self.options.len()
    }

    /// Total length in bytes, header included.
    #[inline]
    pub fn total_len(&self) -> usize {
        self.header_len() + self.l4.len()
    }

    /// Part of a datagram that was cut: `ip_is_fragment`.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.mf || self.frag_off != 0
    }
}

impl L4 {
    /// Length in bytes, transport header included.
    pub fn len(&self) -> usize {
        match self {
            L4::Icmp(i) => 8 + i.payload.len(),
            L4::Udp(u) => 8 + u.payload.len(),
            L4::Tcp(t) => t.header_len() + t.payload.len(),
            L4::Raw(_, b) => b.len(),
        }
    }

    /// Carries nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Source and destination port, of what has any.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self {
            L4::Udp(u) => Some((u.sport, u.dport)),
            L4::Tcp(t) => Some((t.sport, t.dport)),
            L4::Icmp(_) | L4::Raw(..) => None,
        }
    }
}

impl Tcp {
    /// Header length in bytes, options included.
    pub fn header_len(&self) -> usize {
        20 + self.opts.len()
    }

    /// Sequence space that the segment takes: data, plus one for SYN and FIN each.
    pub fn seq_len(&self) -> u32 {
        self.payload.len() as u32
            + u32::from(self.flags.contains(TcpFlags::SYN))
            + u32::from(self.flags.contains(TcpFlags::FIN))
    }
}

impl TcpOpts {
    /// Length of the options in bytes as Linux lays them out (`tcp_options_write`).
    pub fn len(&self) -> usize {
        let mut n = 0;
        if self.mss.is_some() {
            n += 4;
        }
        // SACK-permitted takes the place of the two NOPs before the timestamps.
        match (self.ts.is_some(), self.sack_perm) {
            (true, _) => n += 12,
            (false, true) => n += 4,
            (false, false) => {}
        }
        if self.wscale.is_some() {
            n += 4;
        }
        if !self.sack.is_empty() {
            n += 4 + 8 * self.sack.as_slice().len();
        }
        n
    }

    /// No option at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Packet {
    /// Ports of a UDP datagram.
    #[inline]
    pub fn udp_ports(&self) -> Option<(u16, u16)> {
        match &self.body {
            Body::Ipv4(ip) => match &ip.l4 {
                L4::Udp(u) => Some((u.sport, u.dport)),
                _ => None,
            },
            _ => None,
        }
    }
}

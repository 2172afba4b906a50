//! Tuples, connections and their table.

use hashbrown::HashMap;
use std::net::Ipv4Addr;

use bitflags::bitflags;

use crate::FxBuild;
use crate::kernel::types::{DevId, Nanos};

/// A connection: slot and generation, so that a reference to one that is gone finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub struct CtRef {
    pub slot: u32,
    pub generation: u32,
}

/// Relation of a packet to its connection (`enum ip_conntrack_info`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum CtInfo {
    /// `IP_CT_ESTABLISHED`, original direction.
    Established,
    /// `IP_CT_RELATED`: an ICMP error about the original direction.
    Related,
    /// `IP_CT_NEW`: original direction, no reply seen yet.
    New,
    /// `IP_CT_ESTABLISHED_REPLY`.
    EstablishedReply,
    /// `IP_CT_RELATED_REPLY`.
    RelatedReply,
    /// `IP_CT_UNTRACKED`: NOTRACK.
    Untracked,
    /// No connection (yet): before tracking, or INVALID.
    #[default]
    None,
}

impl CtInfo {
    /// `CTINFO2DIR`.
    #[inline]
    pub fn dir(self) -> CtDir {
        match self {
            CtInfo::EstablishedReply | CtInfo::RelatedReply => CtDir::Reply,
            _ => CtDir::Original,
        }
    }
}

/// Direction of a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum CtDir {
    Original = 0,
    Reply = 1,
}

impl CtDir {
    /// The other one.
    #[inline]
    pub fn other(self) -> CtDir {
        match self {
            CtDir::Original => CtDir::Reply,
            CtDir::Reply => CtDir::Original,
        }
    }
}

/// The part of a tuple below IP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum L4Id {
    /// TCP, UDP and whoever has ports.
    Ports { src: u16, dst: u16 },
    /// ICMP queries.
    Icmp { id: u16, ty: u8, code: u8 },
    /// Any other protocol.
    None,
}

/// One direction of a connection (`struct nf_conntrack_tuple`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub struct Tuple {
    pub src: Ipv4Addr,
    pub dst: Ipv4Addr,
    pub proto: u8,
    pub l4: L4Id,
}

bitflags! {
    /// `enum ip_conntrack_status`, the kernel's bits.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Status: u32 {
        /// `IPS_EXPECTED`.
        const EXPECTED = 1;
        /// `IPS_SEEN_REPLY`.
        const SEEN_REPLY = 1 << 1;
        /// `IPS_ASSURED`: not evicted early.
        const ASSURED = 1 << 2;
        /// `IPS_CONFIRMED`: in the table.
        const CONFIRMED = 1 << 3;
        /// `IPS_SRC_NAT`.
        const SRC_NAT = 1 << 4;
        /// `IPS_DST_NAT`.
        const DST_NAT = 1 << 5;
        /// `IPS_SEQ_ADJUST`.
        const SEQ_ADJUST = 1 << 6;
        /// `IPS_SRC_NAT_DONE`.
        const SRC_NAT_DONE = 1 << 7;
        /// `IPS_DST_NAT_DONE`.
        const DST_NAT_DONE = 1 << 8;
        /// `IPS_DYING`.
        const DYING = 1 << 9;
        /// `IPS_FIXED_TIMEOUT`.
        const FIXED_TIMEOUT = 1 << 10;
        /// `IPS_UNTRACKED` has no bit any more; `IPS_NAT_CLASH`.
        const NAT_CLASH = 1 << 12;
    }
}

/// A zone (`struct nf_conntrack_zone`): tuples of different zones never meet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[allow(missing_docs)]
pub struct Zone {
    pub id: u16,
    /// Counts in this direction only; both where none.
    pub dir: Option<CtDir>,
}

impl Zone {
    /// `nf_ct_zone_id`: the zone's number in a direction.
    #[inline]
    pub fn in_dir(self, dir: CtDir) -> u16 {
        match self.dir {
            Some(d) if d != dir => 0,
            _ => self.id,
        }
    }
}

/// One side of a tracked TCP connection (`struct ip_ct_tcp_state`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct TcpCtDir {
    pub td_end: u32,
    pub td_maxend: u32,
    pub td_maxwin: u32,
    pub td_maxack: u32,
    pub td_scale: u8,
    /// `IP_CT_TCP_FLAG_*`.
    pub flags: u8,
}

/// A tracked TCP connection (`struct ip_ct_tcp`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct TcpCt {
    pub seen: [TcpCtDir; 2],
    /// `enum tcp_conntrack`.
    pub state: u8,
    pub last_dir: u8,
    pub retrans: u8,
    pub last_index: u8,
    pub last_seq: u32,
    pub last_ack: u32,
    pub last_end: u32,
    pub last_win: u16,
    pub last_wscale: u8,
    pub last_flags: u8,
}

/// What a protocol keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ProtoState {
    Tcp(TcpCt),
    /// When it becomes a stream (`stream_ts`).
    Udp {
        stream_ts: Nanos,
    },
    None,
}

/// A connection (`struct nf_conn`).
#[derive(Clone, Debug)]
pub struct Conn {
    /// Original and reply direction.
    pub tuples: [Tuple; 2],
    /// Zone.
    pub zone: Zone,
    /// Status bits.
    pub status: Status,
    /// When it expires.
    pub expires: Nanos,
    /// `CONNMARK`.
    pub mark: u32,
    /// Protocol state.
    pub proto: ProtoState,
    /// Packets and bytes of both directions, where `nf_conntrack_acct` is on.
    pub acct: Option<[super::super::xtables::Counters; 2]>,
    /// Device whose address MASQUERADE took (`masq_index`).
    pub masq_dev: Option<DevId>,
    /// A number that only grows: the order in which connections came into the table.
    pub id: u32,
    /// When it was made.
    pub born: Nanos,
}

/// The table of a namespace.
#[derive(Clone, Debug, Default)]
pub struct Conntrack {
    /// Connections by slot, each with the generation of its slot.
    pub slots: Vec<(u32, Option<Conn>)>,
    /// Slots that are free.
    pub free: Vec<u32>,
    /// Confirmed connections by tuple and zone of either direction.
    pub hash: HashMap<(Tuple, u16), (CtRef, CtDir), FxBuild>,
    /// `nf_conntrack_count`: confirmed connections.
    pub count: u32,
    /// Next `Conn::id`.
    pub next_id: u32,
}

impl Conntrack {
    /// A connection, if it still exists.
    #[inline]
    pub fn get(&self, r: CtRef) -> Option<&Conn> {
        self.slots.get(r.slot as usize).filter(|s| s.0 == r.generation).and_then(|s| s.1.as_ref())
    }

    /// A connection, to be changed.
    #[inline]
    pub fn get_mut(&mut self, r: CtRef) -> Option<&mut Conn> {
        self.slots.get_mut(r.slot as usize).filter(|s| s.0 == r.generation).and_then(|s| s.1.as_mut())
    }
}

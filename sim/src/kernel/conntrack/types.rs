//! Tuples, connections and their table.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use hashbrown::HashMap;

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
        /// `IPS_NAT_CLASH`: in the table by its reply only, for a second; the original belongs to another.
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conn {
    /// Original and reply direction.
    pub tuples: [Tuple; 2],
    /// Zone.
    pub zone: Zone,
    /// Status bits.
    pub status: Status,
    /// When it expires; before it is confirmed, how long it will live from then on.
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
    /// It carries the extension for events (`nf_ct_ecache_ext_add`): without it nobody hears of it.
    pub ecache: bool,
}

/// What `conntrack -S` counts (`struct ip_conntrack_stat`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CtStats {
    /// NAT found the tuple it wanted in use (`nf_conntrack_tuple_taken`).
    pub found: u32,
    /// Packets that belong to no connection and can begin none.
    pub invalid: u32,
    /// Connections put in by hand (`conntrack -I`), not by packets.
    pub insert: u32,
    /// Connections that could not go into the table, because another has the tuple.
    pub insert_failed: u32,
    /// Packets dropped: the table is full, or a clash could not be resolved.
    pub drop: u32,
    /// Connections that had to make room for new ones.
    pub early_drop: u32,
    /// ICMP errors that speak of no connection.
    pub error: u32,
    /// Look-ups that another CPU disturbed: never here.
    pub search_restart: u32,
    /// Clashes where the packet took over the other connection.
    pub clash_resolve: u32,
    /// Hash chains that grew too long: never here.
    pub chaintoolong: u32,
}

/// Kind of a [`CtEvent`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CtEventKind {
    /// It went into the table (`IPCT_NEW`).
    New,
    /// Its state, status or mark changed.
    Update,
    /// It left the table (`IPCT_DESTROY`).
    Destroy,
}

/// What `conntrack -E` hears of.
#[derive(Clone, Debug)]
pub struct CtEvent {
    /// Virtual time.
    pub at: Nanos,
    /// What happened.
    pub kind: CtEventKind,
    /// The connection after it.
    pub conn: Conn,
    /// The netlink port whose request caused it; 0 where packets or time did.
    pub portid: u32,
}

/// A connection outside the table that packets may still refer to: not confirmed yet, or taken out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limbo {
    pub ct: CtRef,
    pub since: Nanos,
    /// It was taken out of the table; else it was just made.
    pub dead: bool,
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
    /// Confirmed connections, those that expired and were not swept yet among them; see [`Conntrack::live`].
    pub count: u32,
    /// Next `Conn::id`.
    pub next_id: u32,
    /// Counters.
    pub stats: CtStats,
    /// How many listen to [`Conntrack::events`] (`ctnetlink_has_listener`).
    pub listeners: u32,
    /// What happened since somebody listens, at most [`MAX_EVENTS`].
    pub events: VecDeque<CtEvent>,
    /// No connection of the table expires before this.
    pub(crate) earliest: Nanos,
    /// What expired until then has been told ([`crate::kernel::expiry`]).
    pub(crate) expired_until: Nanos,
    /// Number of connections at which the table is swept next.
    pub(crate) sweep_at: u32,
    /// Connections outside the table.
    pub(crate) limbo: VecDeque<Limbo>,
}

/// Most events kept for a listener; later ones are lost, as by a netlink socket whose buffer is full.
pub const MAX_EVENTS: usize = 100_000;

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

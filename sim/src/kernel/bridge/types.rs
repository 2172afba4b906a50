//! State of a bridge and its ports (`struct net_bridge`, `struct net_bridge_port`).

use indexmap::IndexMap;

use crate::FxBuild;
use crate::kernel::types::{DevId, Nanos};
use crate::wire::MacAddr;

/// A bridge.
#[derive(Clone, Debug)]
pub struct Bridge {
    /// Ports, newest first, the order in which it floods (`br->port_list`).
    pub ports: Vec<DevId>,
    /// It had a port once: since then its `tso_max_size` is that of its ports, and the largest without one
    /// (`br_set_gso_limits`).
    pub gso_limits_set: bool,
    /// Forwarding database.
    pub fdb: IndexMap<MacAddr, FdbEntry, FxBuild>,
    /// Learnt entries older than this are forgotten.
    pub ageing_time: Nanos,
    /// Spanning tree on. The protocol itself is not modelled; the setting is shown.
    pub stp: bool,
    /// `forward_delay`; with STP off a port forwards at once all the same.
    pub forward_delay: Nanos,
    /// `mcast_snooping`.
    pub mcast_snooping: bool,
    /// What it tells of the group it joined.
    pub reports: crate::kernel::igmp::Reports,
    /// `nf_call_iptables` of this bridge.
    pub nf_call_iptables: bool,
    /// `nf_call_ip6tables` of this bridge.
    pub nf_call_ip6tables: bool,
    /// `nf_call_arptables` of this bridge.
    pub nf_call_arptables: bool,
    /// `group_fwd_mask`: link-local groups that are forwarded.
    pub group_fwd_mask: u16,
    /// `priority`, the upper half of the bridge id.
    pub priority: u16,
}

/// An entry of the forwarding database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdbEntry {
    /// Port it points to; the bridge itself for a local entry.
    pub dev: DevId,
    /// How it came about.
    pub kind: FdbKind,
    /// When a frame from this address was last seen.
    pub updated: Nanos,
    /// When a frame was last sent to it.
    pub used: Nanos,
    /// Added by a user (`added_by_user`).
    pub by_user: bool,
    /// `sticky`: never moves to another port.
    pub sticky: bool,
    /// `extern_learn`.
    pub extern_learn: bool,
}

/// Kind of a forwarding entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FdbKind {
    /// Learnt from traffic; ages.
    Learned,
    /// `static`: does not age (`NUD_NOARP`).
    Static,
    /// `permanent`: an address of the bridge or a port; frames to it go up (`BR_FDB_LOCAL`).
    Local,
}

/// State of a port (IEEE 802.1D).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PortState {
    Disabled = 0,
    Listening = 1,
    Learning = 2,
    Forwarding = 3,
    Blocking = 4,
}

impl PortState {
    /// The word `bridge link` prints.
    pub fn as_str(self) -> &'static str {
        match self {
            PortState::Disabled => "disabled",
            PortState::Listening => "listening",
            PortState::Learning => "learning",
            PortState::Forwarding => "forwarding",
            PortState::Blocking => "blocking",
        }
    }
}

/// Settings of a bridge port.
#[derive(Clone, Debug)]
pub struct BrPort {
    /// State.
    pub state: PortState,
    /// Number within the bridge, from 1.
    pub port_no: u16,
    /// `cost`, 2 for a veth.
    pub cost: u32,
    /// `priority`.
    pub priority: u16,
    /// `hairpin`: a frame may leave by the port it came in by.
    pub hairpin: bool,
    /// `guard` (BPDU guard).
    pub guard: bool,
    /// `learning`.
    pub learning: bool,
    /// `flood`: unknown unicast goes out here.
    pub flood: bool,
    /// `mcast_flood`.
    pub mcast_flood: bool,
    /// `bcast_flood`.
    pub bcast_flood: bool,
    /// `neigh_suppress`.
    pub neigh_suppress: bool,
    /// `isolated`: does not talk to other isolated ports.
    pub isolated: bool,
    /// `locked`: only known sources may send.
    pub locked: bool,
}

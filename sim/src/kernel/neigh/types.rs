//! The neighbour table as a value (`struct neighbour`, `struct neigh_parms`).

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use indexmap::IndexMap;

use crate::FxBuild;
use crate::kernel::types::{DevId, Nanos};
use crate::wire::{MacAddr, Packet};

/// State of an entry (`NUD_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Nud {
    None,
    Incomplete,
    Reachable,
    Stale,
    Delay,
    Probe,
    Failed,
    Noarp,
    Permanent,
}

impl Nud {
    /// The word `ip neigh` prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Nud::None => "NONE",
            Nud::Incomplete => "INCOMPLETE",
            Nud::Reachable => "REACHABLE",
            Nud::Stale => "STALE",
            Nud::Delay => "DELAY",
            Nud::Probe => "PROBE",
            Nud::Failed => "FAILED",
            Nud::Noarp => "NOARP",
            Nud::Permanent => "PERMANENT",
        }
    }

    /// `NUD_VALID`: the address may be used.
    #[inline]
    pub fn is_valid(self) -> bool {
        matches!(self, Nud::Permanent | Nud::Noarp | Nud::Reachable | Nud::Probe | Nud::Stale | Nud::Delay)
    }

    /// `NUD_CONNECTED`: the address may be used without a second thought.
    #[inline]
    pub fn is_connected(self) -> bool {
        matches!(self, Nud::Permanent | Nud::Noarp | Nud::Reachable)
    }

    /// `NUD_IN_TIMER`.
    pub fn in_timer(self) -> bool {
        matches!(self, Nud::Incomplete | Nud::Reachable | Nud::Delay | Nud::Probe)
    }
}

/// An entry of the neighbour table.
#[derive(Clone, Debug)]
pub struct Neigh {
    /// Its link-layer address, zero while unknown.
    pub lladdr: MacAddr,
    /// State.
    pub nud: Nud,
    /// Solicitations sent since it was last confirmed.
    pub probes: u32,
    /// When a packet was last sent to it.
    pub used: Nanos,
    /// When it last proved to be there.
    pub confirmed: Nanos,
    /// When state or address last changed.
    pub updated: Nanos,
    /// Which of its timers counts: an older one that fires is ignored.
    pub timer_gen: u32,
    /// Packets waiting for the address (`arp_queue`).
    pub queue: VecDeque<Packet>,
    /// `NTF_EXT_LEARNED`.
    pub extern_learn: bool,
}

/// The ARP table of a namespace.
#[derive(Clone, Debug, Default)]
pub struct NeighTable {
    /// Entries by device and address, in the order they were made.
    pub entries: IndexMap<(DevId, Ipv4Addr), Neigh, FxBuild>,
    /// `ip neigh add proxy`: device (or none for all) and address.
    pub proxies: Vec<(Option<DevId>, Ipv4Addr)>,
}

/// `net.ipv4.neigh.DEV.*`, times in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighParms {
    /// Unicast probes before multicast ones (`ucast_solicit`).
    pub ucast_solicit: u32,
    /// Broadcast probes (`mcast_solicit`).
    pub mcast_solicit: u32,
    /// Probes by a user daemon (`app_solicit`).
    pub app_solicit: u32,
    /// Broadcast probes after unicast ones failed (`mcast_resolicit`).
    pub mcast_resolicit: u32,
    /// Between two probes (`retrans_time_ms`).
    pub retrans_time: Nanos,
    /// How long a confirmation holds, before it is spread by half (`base_reachable_time_ms`).
    pub base_reachable_time: Nanos,
    /// From first use of a stale entry to its first probe (`delay_first_probe_time`).
    pub delay_probe_time: Nanos,
    /// Stale entries unused for longer may go (`gc_stale_time`).
    pub gc_staletime: Nanos,
    /// Bytes that may wait (`unres_qlen_bytes`).
    pub queue_len_bytes: u32,
    /// Longest random wait before a proxied answer (`proxy_delay`).
    pub proxy_delay: Nanos,
    /// A second answer within this time is ignored (`locktime`).
    pub locktime: Nanos,
    /// Random wait before the first answer (`anycast_delay`).
    pub anycast_delay: Nanos,
}

impl Default for NeighParms {
    /// `arp_tbl.parms` of net/ipv4/arp.c.
    fn default() -> Self {
        const S: Nanos = 1_000_000_000;
        NeighParms {
            ucast_solicit: 3,
            mcast_solicit: 3,
            app_solicit: 0,
            mcast_resolicit: 0,
            retrans_time: S,
            base_reachable_time: 30 * S,
            delay_probe_time: 5 * S,
            gc_staletime: 60 * S,
            queue_len_bytes: 212_992,
            proxy_delay: 8 * S / 10,
            locktime: S,
            anycast_delay: S,
        }
    }
}

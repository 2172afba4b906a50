//! Network devices (`struct net_device`), what `ip link` shows and sets.

mod create;
mod set;
pub mod watch;

pub use create::VETH_QUEUES;

use std::net::Ipv4Addr;

use bitflags::bitflags;
use ipnet::Ipv4Net;

use super::Kernel;
use super::bridge::{BrPort, Bridge};
use super::macvlan::MacvlanMode;
use super::neigh::NeighParms;
use super::sysctl::DevConf;
use super::types::{DevId, IfName, NetnsId};
use super::vxlan::Vxlan;
use crate::trace::Recorder;
use crate::wire::MacAddr;

bitflags! {
    /// Device flags as user space sees them (`IFF_*`), less the running state.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct IfFlags: u32 {
        /// Administratively up.
        const UP = 0x1;
        /// Broadcast address valid.
        const BROADCAST = 0x2;
        /// Is a loopback device.
        const LOOPBACK = 0x8;
        /// No ARP (`ip link set … arp off`).
        const NOARP = 0x80;
        /// Receives all frames.
        const PROMISC = 0x100;
        /// Receives all multicast frames.
        const ALLMULTI = 0x200;
        /// Supports multicast.
        const MULTICAST = 0x1000;
    }
}

/// Where a device's address came from (`addr_assign_type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddrAssign {
    /// Fixed by the hardware.
    Perm,
    /// Made up by the kernel.
    Random,
    /// A bridge's, taken from its ports.
    Stolen,
    /// Set from user space.
    Set,
}

/// What kind of device it is, with what only that kind has.
#[derive(Clone, Debug)]
pub enum DevKind {
    /// `lo`.
    Loopback,
    /// One end of a veth pair; the other end, while it exists.
    Veth {
        /// The other end.
        peer: Option<DevId>,
    },
    /// A bridge.
    Bridge(Box<Bridge>),
    /// A VXLAN tunnel.
    Vxlan(Box<Vxlan>),
    /// One more Ethernet address on another device.
    Macvlan {
        /// The device it lies on.
        lower: DevId,
        /// What it does with frames of its siblings.
        mode: MacvlanMode,
    },
}

/// An IPv4 address of a device (`struct in_ifaddr`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfAddr {
    /// The address itself (`ifa_local`).
    pub local: Ipv4Addr,
    /// The far address of a point-to-point one, else the same (`ifa_address`).
    pub peer: Ipv4Addr,
    /// Prefix length in bits.
    pub prefix: u8,
    /// Broadcast address, where one was given.
    pub broadcast: Option<Ipv4Addr>,
    /// Scope, as in routes: 0 global, 253 link, 254 host.
    pub scope: u8,
    /// Added after another of the same subnet (`IFA_F_SECONDARY`).
    pub secondary: bool,
    /// `IFA_F_NOPREFIXROUTE`.
    pub noprefixroute: bool,
    /// Label; the device's name at the time where none was given.
    pub label: String,
}

impl IfAddr {
    /// An address of a subnet, with the subnet's broadcast address; on /31 and /32 there is none.
    pub fn new(local: Ipv4Addr, prefix: u8) -> IfAddr {
        let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        IfAddr {
            local,
            peer: local,
            prefix,
            broadcast: (prefix < 31).then(|| Ipv4Addr::from(u32::from(local) | hosts)),
            scope: 0,
            secondary: false,
            noprefixroute: false,
            label: String::new(),
        }
    }

    /// The subnet it stands for: peer and prefix, host bits cleared.
    pub fn net(&self) -> Ipv4Net {
        Ipv4Net::new_assert(self.peer, self.prefix).trunc()
    }

    /// Has a far end of its own (`peer`).
    pub fn is_ptp(&self) -> bool {
        self.local != self.peer
    }
}

/// Counters of a device (`struct rtnl_link_stats64`), in packets and bytes.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LinkStats {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub rx_dropped: u64,
    pub rx_errors: u64,
    pub multicast: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub tx_dropped: u64,
    pub tx_errors: u64,
    /// Times the carrier changed (`carrier_changes` in sysfs).
    pub carrier_changes: u32,
}

/// `operstate` (RFC 2863), `IF_OPER_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum OperState {
    Unknown,
    Down,
    LowerLayerDown,
    Up,
}

impl OperState {
    /// The word `ip link` prints.
    pub fn as_str(self) -> &'static str {
        match self {
            OperState::Unknown => "UNKNOWN",
            OperState::Down => "DOWN",
            OperState::LowerLayerDown => "LOWERLAYERDOWN",
            OperState::Up => "UP",
        }
    }
}

/// A network device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its own number.
    pub id: DevId,
    /// Namespace that holds it.
    pub netns: NetnsId,
    /// Number within the namespace.
    pub ifindex: u32,
    /// False after it was deleted.
    pub alive: bool,
    /// Name.
    pub name: IfName,
    /// Ethernet address.
    pub mac: MacAddr,
    /// Where the address came from.
    pub mac_assign: AddrAssign,
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// Set by hand: a bridge's MTU no longer follows its ports.
    pub mtu_set_by_user: bool,
    /// Flags.
    pub flags: IfFlags,
    /// It was up since it came into its namespace: it has its queueing discipline.
    pub was_up: bool,
    /// `netif_carrier_ok`: the far end listens (`LOWER_UP`).
    pub carrier: bool,
    /// The carrier as link_watch last saw it (`dev_activate`): without it nothing is sent.
    pub active: bool,
    /// RFC 2863 state.
    pub operstate: OperState,
    /// `txqueuelen` in packets.
    pub txqlen: u32,
    /// Transmit queues that it was made with.
    pub num_tx_queues: u32,
    /// Receive queues that it was made with.
    pub num_rx_queues: u32,
    /// Interface group.
    pub group: u32,
    /// Alias (`ip link set … alias`).
    pub alias: Option<String>,
    /// Bridge it is a port of.
    pub master: Option<DevId>,
    /// Settings as a port; present while `master` is.
    pub port: Option<Box<BrPort>>,
    /// Macvlans on it that are up, in the order they came up: their addresses are let in.
    pub macvlans: Vec<DevId>,
    /// How many macvlans lie on it, up or down.
    pub macvlan_count: u32,
    /// What it is.
    pub kind: DevKind,
    /// IPv4 addresses, primary ones of a subnet before their secondaries.
    pub addrs: Vec<IfAddr>,
    /// `net.ipv4.conf.DEV`.
    pub conf: DevConf,
    /// `net.ipv4.neigh.DEV`.
    pub neigh_parms: NeighParms,
    /// Counters.
    pub stats: LinkStats,
}

impl Device {
    /// Administratively up (`IFF_UP`).
    #[inline]
    pub fn is_up(&self) -> bool {
        self.flags.contains(IfFlags::UP)
    }

    /// Up, and with a state that is as good (`IFF_RUNNING`, `netif_oper_up`).
    #[inline]
    pub fn is_oper_up(&self) -> bool {
        self.is_up() && matches!(self.operstate, OperState::Up | OperState::Unknown)
    }

    /// Up with a carrier (`IFF_LOWER_UP`).
    #[inline]
    pub fn is_lower_up(&self) -> bool {
        self.is_up() && self.carrier
    }

    /// Up, and link_watch saw a carrier: it sends.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.is_up() && self.active
    }

    /// `IFF_LOOPBACK`.
    #[inline]
    pub fn is_loopback(&self) -> bool {
        matches!(self.kind, DevKind::Loopback)
    }

    /// The other end of a veth pair.
    #[inline]
    pub fn veth_peer(&self) -> Option<DevId> {
        match self.kind {
            DevKind::Veth { peer } => peer,
            _ => None,
        }
    }

    /// The bridge, if it is one.
    #[inline]
    pub fn bridge(&self) -> Option<&Bridge> {
        match &self.kind {
            DevKind::Bridge(b) => Some(b),
            _ => None,
        }
    }

    /// The bridge, to be changed.
    #[inline]
    pub fn bridge_mut(&mut self) -> Option<&mut Bridge> {
        match &mut self.kind {
            DevKind::Bridge(b) => Some(b),
            _ => None,
        }
    }

    /// The tunnel, if it is a VXLAN device.
    #[inline]
    pub fn vxlan(&self) -> Option<&Vxlan> {
        match &self.kind {
            DevKind::Vxlan(v) => Some(v),
            _ => None,
        }
    }

    /// The tunnel, to be changed.
    #[inline]
    pub fn vxlan_mut(&mut self) -> Option<&mut Vxlan> {
        match &mut self.kind {
            DevKind::Vxlan(v) => Some(v),
            _ => None,
        }
    }

    /// Takes every frame: it was told to, or has addresses of macvlans to listen for.
    #[inline]
    pub fn is_promisc(&self) -> bool {
        !self.macvlans.is_empty() || self.flags.contains(IfFlags::PROMISC)
    }

    /// `info_kind` of `ip -d link`: `veth`, `bridge` …; none for `lo`.
    pub fn info_kind(&self) -> Option<&'static str> {
        match self.kind {
            DevKind::Loopback => None,
            DevKind::Veth { .. } => Some("veth"),
            DevKind::Bridge(_) => Some("bridge"),
            DevKind::Vxlan(_) => Some("vxlan"),
            DevKind::Macvlan { .. } => Some("macvlan"),
        }
    }
}

/// The device that another one is tied to, as netlink tells it (`IFLA_LINK`, `IFLA_LINK_NETNSID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfLink {
    /// Its number, in its own namespace.
    pub ifindex: u32,
    /// Its namespace.
    pub netns: NetnsId,
    /// The device; none where only the namespace is meant (a tunnel that left its own).
    pub dev: Option<DevId>,
}

impl<R: Recorder> Kernel<R> {
    /// What a device is tied to: the other end of a veth pair, the lower device of a macvlan, the namespace that a
    /// VXLAN device was made in when it has left it.
    pub fn iflink(&self, d: &Device) -> Option<IfLink> {
        let to = |id: DevId| {
            let l = self.dev(id);
            IfLink { ifindex: l.ifindex, netns: l.netns, dev: Some(id) }
        };
        match &d.kind {
            DevKind::Veth { peer } => peer.map(to),
            DevKind::Macvlan { lower, .. } => Some(to(*lower)),
            DevKind::Vxlan(v) if v.home != d.netns => Some(IfLink { ifindex: d.ifindex, netns: v.home, dev: None }),
            _ => None,
        }
    }

    /// `dev_get_iflink`, where it is not the device's own number.
    pub fn iflink_index(&self, d: &Device) -> Option<u32> {
        self.iflink(d).and_then(|l| l.dev).map(|l| self.dev(l).ifindex).filter(|i| *i != d.ifindex)
    }
}

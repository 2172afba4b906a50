//! A VXLAN device as a value (`struct vxlan_dev`, `struct vxlan_fdb`).

use std::net::Ipv4Addr;

use indexmap::IndexMap;

use crate::FxBuild;
use crate::kernel::types::{DevId, Nanos, NetnsId, SockId};
use crate::wire::MacAddr;

/// Bytes that VXLAN over IPv4 puts before a frame, the inner Ethernet header counted (`VXLAN_HEADROOM`).
pub const VXLAN_HEADROOM: u32 = 50;

/// UDP port of a device that names none (`vxlan_port`); IANA's is 4789.
pub const VXLAN_PORT: u16 = 8472;

/// The DF bit of the outer header (`enum ifla_vxlan_df`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VxlanDf {
    /// Never set: what is too big for the way is cut.
    #[default]
    Unset,
    /// Always set.
    Set,
    /// As the inner packet has it.
    Inherit,
}

impl VxlanDf {
    /// The word of `ip link`.
    pub fn as_str(self) -> &'static str {
        match self {
            VxlanDf::Unset => "unset",
            VxlanDf::Set => "set",
            VxlanDf::Inherit => "inherit",
        }
    }
}

/// Settings of a VXLAN device (`struct vxlan_config`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VxlanCfg {
    /// Network identifier, 24 bits.
    pub vni: u32,
    /// UDP port, own and of the remotes.
    pub port: u16,
    /// Destination of what the forwarding database does not know.
    pub remote: Option<Ipv4Addr>,
    /// Source address of the outer packets.
    pub local: Option<Ipv4Addr>,
    /// Lower device (`dev`).
    pub lower: Option<DevId>,
    /// Outer time to live, 0 for the namespace's default.
    pub ttl: u8,
    /// `ttl inherit`.
    pub ttl_inherit: bool,
    /// Outer type of service; 1 stands for the inner packet's (`tos inherit`).
    pub tos: u8,
    /// Outer DF bit.
    pub df: VxlanDf,
    /// Source ports, lowest and highest; zeros for the namespace's range.
    pub srcport: (u16, u16),
    /// Learns from what arrives where senders are.
    pub learning: bool,
    /// Answers ARP requests from the neighbour table.
    pub proxy: bool,
    /// Route short circuit.
    pub rsc: bool,
    /// Tells user space of unknown Ethernet addresses.
    pub l2miss: bool,
    /// Tells user space of unknown IP addresses.
    pub l3miss: bool,
    /// Age at which learnt entries are forgotten.
    pub ageing: Nanos,
    /// Most entries of the forwarding database, 0 for no limit.
    pub maxaddress: u32,
    /// UDP checksums over IPv4.
    pub udp_csum: bool,
    /// Zero checksums are sent over IPv6.
    pub udp6_zero_csum_tx: bool,
    /// Zero checksums are taken over IPv6.
    pub udp6_zero_csum_rx: bool,
}

impl Default for VxlanCfg {
    fn default() -> Self {
        VxlanCfg {
            vni: 0,
            port: VXLAN_PORT,
            remote: None,
            local: None,
            lower: None,
            ttl: 0,
            ttl_inherit: false,
            tos: 0,
            df: VxlanDf::Unset,
            srcport: (0, 0),
            learning: true,
            proxy: false,
            rsc: false,
            l2miss: false,
            l3miss: false,
            ageing: 300_000_000_000,
            maxaddress: 0,
            udp_csum: true,
            udp6_zero_csum_tx: false,
            udp6_zero_csum_rx: false,
        }
    }
}

/// A VXLAN device.
#[derive(Clone, Debug)]
pub struct Vxlan {
    /// Namespace it was made in: socket and routes of the outer packets stay there when the device moves.
    pub home: NetnsId,
    /// Settings.
    pub cfg: VxlanCfg,
    /// Device that the default entry was made with (`default_dst.remote_ifindex`).
    pub default_via: Option<DevId>,
    /// Forwarding database, in the order the entries were made.
    pub fdb: IndexMap<MacAddr, VxlanFdb, FxBuild>,
    /// The UDP socket, shared with the other devices of the port; present while the device is up.
    pub sock: Option<SockId>,
}

/// State of an entry of the forwarding database (`NUD_*`, as far as `bridge fdb` tells them apart).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VxlanFdbState {
    /// `permanent`.
    Permanent,
    /// `static`: does not age.
    Static,
    /// Learnt, or added as `dynamic`: ages.
    Reachable,
}

impl VxlanFdbState {
    /// The word that `bridge fdb` prints.
    pub fn as_str(self) -> &'static str {
        match self {
            VxlanFdbState::Permanent => "permanent",
            VxlanFdbState::Static => "static",
            VxlanFdbState::Reachable => "",
        }
    }
}

/// One destination of an entry (`struct vxlan_rdst`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VxlanRemote {
    /// Where the other end is; unspecified for an address on this side.
    pub ip: Ipv4Addr,
    /// UDP port.
    pub port: u16,
    /// Network identifier.
    pub vni: u32,
    /// `via`: device it must leave by.
    pub dev: Option<DevId>,
}

/// An entry of the forwarding database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VxlanFdb {
    /// Destinations: one, or for groups and the all-zero address several that each get a copy.
    pub remotes: Vec<VxlanRemote>,
    /// State.
    pub state: VxlanFdbState,
    /// When a frame from this address was last seen, or the entry changed.
    pub updated: Nanos,
    /// When a frame was last sent to it.
    pub used: Nanos,
    /// `extern_learn`.
    pub extern_learn: bool,
}

/// One destination as `bridge fdb` names it: what is left out is the device's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VxlanDst {
    /// `dst`.
    pub ip: Option<Ipv4Addr>,
    /// `port`.
    pub port: Option<u16>,
    /// `vni`.
    pub vni: Option<u32>,
    /// `via`.
    pub via: Option<DevId>,
}

/// A setting that a device is made with and keeps; changing it is refused by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum VxlanFixed {
    TtlInherit,
    Proxy,
    Rsc,
    L2miss,
    L3miss,
    Limit,
    PortRange,
    Port,
    UdpCsum,
    UdpZeroCsum6Tx,
    UdpZeroCsum6Rx,
}

impl VxlanFixed {
    /// The kernel's sentence.
    pub fn refusal(self) -> &'static str {
        match self {
            VxlanFixed::TtlInherit => "vxlan: cannot change TTL_INHERIT flag",
            VxlanFixed::Proxy => "vxlan: cannot change PROXY flag",
            VxlanFixed::Rsc => "vxlan: cannot change RSC flag",
            VxlanFixed::L2miss => "vxlan: cannot change L2MISS flag",
            VxlanFixed::L3miss => "vxlan: cannot change L3MISS flag",
            VxlanFixed::Limit => "Cannot change limit",
            VxlanFixed::PortRange => "Cannot change port range",
            VxlanFixed::Port => "Cannot change port",
            VxlanFixed::UdpCsum => "Cannot change UDP_CSUM flag",
            VxlanFixed::UdpZeroCsum6Tx => "vxlan: cannot change UDP_ZERO_CSUM6_TX flag",
            VxlanFixed::UdpZeroCsum6Rx => "vxlan: cannot change UDP_ZERO_CSUM6_RX flag",
        }
    }
}

/// One change of a device (`vxlan_changelink`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum VxlanSet {
    /// The identifier, which may only be told again.
    Vni(u32),
    Remote(Ipv4Addr),
    Local(Ipv4Addr),
    Lower(DevId),
    Ttl(u8),
    Tos(u8),
    Df(VxlanDf),
    Learning(bool),
    Ageing(Nanos),
    /// One that is refused.
    Fixed(VxlanFixed),
}

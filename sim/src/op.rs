//! Ops: the smallest changes of kernel state, each what one netlink message, ioctl, sysctl write or
//! system call asks for.
//!
//! Commands and the Docker engine emit them, [`crate::kernel::Kernel::apply`] carries them out and
//! answers as Linux would: with nothing, or with an errno and the kernel's own sentence
//! (netlink's extended acknowledgment).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::kernel::bridge::{FdbKind, PortState};
use crate::kernel::fib::{FibRule, RouteType, table};
use crate::kernel::link::IfAddr;
use crate::kernel::macvlan::MacvlanMode;
use crate::kernel::neigh::Nud;
use crate::kernel::types::{DevId, Errno, HostId, IfName, Nanos, NetnsId};
use crate::kernel::vxlan::{VxlanCfg, VxlanDst, VxlanFdbState, VxlanSet};
use crate::kernel::xtables::{TableKind, Variant, XtChange};
use crate::wire::MacAddr;

/// A refusal: the errno, and what the kernel adds in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .msg.as_deref().unwrap_or(.errno.strerror()))]
pub struct OpError {
    /// What the system call returns.
    pub errno: Errno,
    /// `NLMSGERR_ATTR_MSG`, without the full stop that `ip` adds.
    pub msg: Option<String>,
}

impl From<Errno> for OpError {
    fn from(errno: Errno) -> Self {
        OpError { errno, msg: None }
    }
}

impl OpError {
    /// A refusal with the kernel's sentence.
    pub fn ext(errno: Errno, msg: impl Into<String>) -> Self {
        OpError { errno, msg: Some(msg.into()) }
    }
}

/// What an op answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OpReply {
    /// Done.
    #[default]
    Done,
    /// A namespace was made.
    Netns(NetnsId),
    /// A device was made.
    Dev(DevId),
}

/// Where a device goes by its name: the namespace, and the name within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSpec {
    /// Namespace it is made in.
    pub netns: NetnsId,
    /// Name, or a pattern such as `veth%d`; none lets the kernel choose by kind.
    pub name: Option<String>,
    /// Address; none lets the kernel make one up.
    pub mac: Option<MacAddr>,
    /// MTU.
    pub mtu: Option<u32>,
    /// ifindex asked for.
    pub index: Option<u32>,
    /// Transmit queue length.
    pub txqlen: Option<u32>,
    /// `numtxqueues`; none is what its kind has.
    pub num_tx_queues: Option<u32>,
    /// `numrxqueues`.
    pub num_rx_queues: Option<u32>,
    /// `up` already at creation.
    pub up: bool,
}

impl LinkSpec {
    /// One with this name and nothing else asked for.
    #[must_use]
    pub fn named(netns: NetnsId, name: &str) -> LinkSpec {
        LinkSpec {
            netns,
            name: Some(name.to_owned()),
            mac: None,
            mtu: None,
            index: None,
            txqlen: None,
            num_tx_queues: None,
            num_rx_queues: None,
            up: false,
        }
    }
}

/// A setting of a device's neighbours (`NDTPA_*`, linux/neighbour.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighParm {
    /// `NDTPA_BASE_REACHABLE_TIME`.
    BaseReachableTime,
    /// `NDTPA_RETRANS_TIME`.
    RetransTime,
    /// `NDTPA_GC_STALETIME`.
    GcStaletime,
    /// `NDTPA_DELAY_PROBE_TIME`.
    DelayProbeTime,
    /// `NDTPA_QUEUE_LEN`, in packets.
    QueueLen,
    /// `NDTPA_APP_PROBES`.
    AppProbes,
    /// `NDTPA_UCAST_PROBES`.
    UcastProbes,
    /// `NDTPA_MCAST_PROBES`.
    McastProbes,
    /// `NDTPA_ANYCAST_DELAY`.
    AnycastDelay,
    /// `NDTPA_PROXY_DELAY`.
    ProxyDelay,
    /// `NDTPA_LOCKTIME`.
    Locktime,
}

/// A kind of device to make, with its own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewLink {
    /// A veth pair; the other end.
    Veth {
        /// The other end.
        peer: LinkSpec,
    },
    /// A bridge with these settings.
    Bridge(Vec<BridgeSet>),
    /// A VXLAN tunnel.
    Vxlan(Box<VxlanCfg>),
    /// One more Ethernet address on a device.
    Macvlan {
        /// The device it lies on; it must be named.
        lower: Option<DevId>,
        /// Mode.
        mode: MacvlanMode,
    },
}

/// One setting of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeSet {
    /// `ageing_time`.
    AgeingTime(Nanos),
    /// `stp_state`.
    Stp(bool),
    /// `forward_delay`.
    ForwardDelay(Nanos),
    /// `mcast_snooping`.
    McastSnooping(bool),
    /// `nf_call_iptables`.
    NfCallIptables(bool),
    /// `nf_call_ip6tables`.
    NfCallIp6tables(bool),
    /// `nf_call_arptables`.
    NfCallArptables(bool),
    /// `group_fwd_mask`.
    GroupFwdMask(u16),
    /// `priority`.
    Priority(u16),
    /// `fdb_flush`.
    FdbFlush,
}

/// One setting of a bridge port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PortSet {
    State(PortState),
    Cost(u32),
    Priority(u16),
    Hairpin(bool),
    Guard(bool),
    Learning(bool),
    Flood(bool),
    McastFlood(bool),
    BcastFlood(bool),
    NeighSuppress(bool),
    Isolated(bool),
    Locked(bool),
}

/// One change of a device, as `RTM_SETLINK` orders them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// `netns`: moves it, under a new name where one is given.
    Netns(NetnsId),
    /// `address`.
    Mac(MacAddr),
    /// `mtu`.
    Mtu(u32),
    /// `name`.
    Name(String),
    /// `alias`.
    Alias(Option<String>),
    /// `up` or `down`.
    Up(bool),
    /// `arp on|off`.
    Arp(bool),
    /// `multicast on|off`.
    Multicast(bool),
    /// `allmulticast on|off`.
    Allmulti(bool),
    /// `promisc on|off`.
    Promisc(bool),
    /// `txqueuelen`.
    Txqlen(u32),
    /// `group`.
    Group(u32),
    /// `master DEV` or `nomaster`.
    Master(Option<DevId>),
    /// `type bridge …`.
    Bridge(BridgeSet),
    /// `type vxlan …`: all of them, or none.
    Vxlan(Vec<VxlanSet>),
    /// `type macvlan mode …`.
    Macvlan(MacvlanMode),
    /// `type bridge_slave …`, `bridge link set`.
    Port(PortSet),
}

/// A route as `RTM_NEWROUTE` and `RTM_DELROUTE` name it; what is left out matches or defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// Destination.
    pub dst: Ipv4Net,
    /// Host bits were set in what was given: the kernel refuses it.
    pub host_bits: bool,
    /// Table.
    pub table: u32,
    /// Kind.
    pub kind: RouteType,
    /// `proto`; none matches any on deletion.
    pub proto: Option<u8>,
    /// `scope`; none lets `ip` choose by kind and gateway, and matches any on deletion.
    pub scope: Option<u8>,
    /// `tos`.
    pub tos: u8,
    /// `metric`.
    pub metric: Option<u32>,
    /// `src`.
    pub prefsrc: Option<Ipv4Addr>,
    /// `via`.
    pub via: Option<Ipv4Addr>,
    /// `dev`.
    pub dev: Option<DevId>,
    /// `onlink`.
    pub onlink: bool,
    /// `mtu`, and whether it is locked.
    pub mtu: Option<(u32, bool)>,
    /// `advmss`.
    pub advmss: Option<u32>,
}

impl RouteSpec {
    /// The default route by a gateway, a device or both.
    pub fn default_route(via: Option<Ipv4Addr>, dev: Option<DevId>) -> RouteSpec {
        RouteSpec {
            dst: Ipv4Net::default(),
            host_bits: false,
            table: table::MAIN,
            kind: RouteType::Unicast,
            proto: None,
            scope: None,
            tos: 0,
            metric: None,
            prefsrc: None,
            via,
            dev,
            onlink: false,
            mtu: None,
            advmss: None,
        }
    }
}

/// How a route is added (`NLM_F_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteVerb {
    /// `add`: refused where one with the same prefix, tos and metric exists.
    Add,
    /// `replace`: takes the place of one, or is added.
    Replace,
    /// `change`: takes the place of one, which must exist.
    Change,
    /// `append`: after those with the same key.
    Append,
    /// `prepend`: before them.
    Prepend,
    /// `test`.
    Test,
}

/// How a neighbour or FDB entry is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighVerb {
    /// Must not exist.
    Add,
    /// Must exist.
    Change,
    /// Either.
    Replace,
    /// FDB only: one more destination.
    Append,
}

/// A change of kernel state.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// `unshare(CLONE_NEWNET)` and, with a name, the mount under `/run/netns`.
    NetnsAdd {
        /// Host whose kernel makes it.
        host: HostId,
        /// Name under `/run/netns`.
        name: Option<String>,
        /// Place name; `HOST/ns:NAME` where left out.
        label: Option<String>,
    },
    /// `umount` and `unlink` of a name; the namespace goes with its last user.
    NetnsDel {
        /// Host.
        host: HostId,
        /// Name under `/run/netns`.
        name: String,
    },
    /// `RTM_NEWLINK` with `NLM_F_CREATE`.
    LinkAdd {
        /// Where, and as what.
        spec: LinkSpec,
        /// Its kind.
        kind: NewLink,
    },
    /// `RTM_DELLINK`.
    LinkDel {
        /// Device.
        dev: DevId,
    },
    /// `RTM_NEWLINK` on a device that exists: all changes, in the kernel's order, until one is refused.
    LinkSet {
        /// Device.
        dev: DevId,
        /// Changes.
        changes: Vec<LinkChange>,
    },
    /// `RTM_NEWADDR`.
    AddrAdd {
        /// Device.
        dev: DevId,
        /// Address; an empty label stands for the device's name.
        addr: IfAddr,
        /// `replace` or `change`: an existing one is not refused.
        replace: bool,
    },
    /// `RTM_DELADDR`: matched by what is given.
    AddrDel {
        /// Device.
        dev: DevId,
        /// Address.
        local: Ipv4Addr,
        /// Prefix length, where one was given.
        prefix: Option<u8>,
        /// Far address, where one was given.
        peer: Option<Ipv4Addr>,
        /// Label, where one was given.
        label: Option<String>,
    },
    /// `RTM_NEWROUTE`.
    RouteAdd {
        /// Namespace.
        netns: NetnsId,
        /// How.
        verb: RouteVerb,
        /// Route.
        route: RouteSpec,
    },
    /// `RTM_DELROUTE`: the first that matches.
    RouteDel {
        /// Namespace.
        netns: NetnsId,
        /// Route.
        route: RouteSpec,
        /// The kind was given and must match.
        match_kind: bool,
    },
    /// Forgets learnt path MTUs and redirects (`ip route flush cache`).
    RouteFlushCache {
        /// Namespace.
        netns: NetnsId,
    },
    /// `RTM_NEWRULE`; without a preference it goes before the lowest but the first.
    RuleAdd {
        /// Namespace.
        netns: NetnsId,
        /// Rule; `pref` 0 with `auto_pref` lets the kernel choose.
        rule: FibRule,
        /// No preference was given.
        auto_pref: bool,
    },
    /// `RTM_DELRULE`: the first that has all that is given.
    RuleDel {
        /// Namespace.
        netns: NetnsId,
        /// What it must have.
        rule: RuleMatch,
    },
    /// `RTM_NEWNEIGH`.
    NeighAdd {
        /// Device.
        dev: DevId,
        /// Address.
        dst: Ipv4Addr,
        /// How.
        verb: NeighVerb,
        /// Link-layer address.
        lladdr: Option<MacAddr>,
        /// State, `permanent` where none was given.
        nud: Nud,
        /// `extern_learn`.
        extern_learn: bool,
    },
    /// `RTM_DELNEIGH`.
    NeighDel {
        /// Device.
        dev: DevId,
        /// Address.
        dst: Ipv4Addr,
    },
    /// `RTM_NEWNEIGH` with `NTF_PROXY`.
    NeighProxy {
        /// Namespace.
        netns: NetnsId,
        /// Device, or all.
        dev: Option<DevId>,
        /// Address answered for.
        dst: Ipv4Addr,
        /// Add, or delete.
        add: bool,
    },
    /// `RTM_NEWNEIGH` of family `AF_BRIDGE` for a VXLAN device's own table.
    VxlanFdbAdd {
        /// Device.
        dev: DevId,
        /// Address; all zeros for the default, a group.
        mac: MacAddr,
        /// Destination.
        dst: VxlanDst,
        /// State.
        state: VxlanFdbState,
        /// How.
        verb: NeighVerb,
        /// `extern_learn`.
        extern_learn: bool,
    },
    /// `RTM_DELNEIGH` of family `AF_BRIDGE` for a VXLAN device's own table.
    VxlanFdbDel {
        /// Device.
        dev: DevId,
        /// Address.
        mac: MacAddr,
        /// Destination; without an address all of them.
        dst: VxlanDst,
    },
    /// `RTM_NEWNEIGH` of family `AF_BRIDGE`.
    FdbAdd {
        /// Port, or the bridge itself.
        dev: DevId,
        /// `master` (the default) or `self`.
        on_self: bool,
        /// Address.
        mac: MacAddr,
        /// Kind: `permanent`, `static` or `dynamic`.
        kind: FdbKind,
        /// How.
        verb: NeighVerb,
        /// `sticky`.
        sticky: bool,
        /// `extern_learn`.
        extern_learn: bool,
    },
    /// `RTM_DELNEIGH` of family `AF_BRIDGE`.
    FdbDel {
        /// Port, or the bridge itself.
        dev: DevId,
        /// `master` or `self`.
        on_self: bool,
        /// Address.
        mac: MacAddr,
    },
    /// `RTM_SETNEIGHTBL` of the ARP table and a device.
    NeighTbl {
        /// Device.
        dev: DevId,
        /// Settings, times in ms.
        parms: Vec<(NeighParm, u64)>,
    },
    /// Writes a file under `/proc/sys`; the name with dots, as `sysctl` takes it.
    Sysctl {
        /// Namespace of the writer.
        netns: NetnsId,
        /// Name such as `net.ipv4.ip_forward`.
        name: String,
        /// Text written.
        value: String,
    },
    /// A batch for nf_tables, or a new table for ip_tables: all of it or nothing.
    Xtables {
        /// Namespace.
        netns: NetnsId,
        /// Which set of tables.
        variant: Variant,
        /// The changes.
        batch: Vec<XtChange>,
    },
    /// Tables of `ip6tables` that are not there yet. What it puts into them is not modelled: there is no IPv6.
    Ip6Tables {
        /// Namespace.
        netns: NetnsId,
        /// The tables.
        tables: Vec<TableKind>,
    },
}

/// What `ip rule del` was given: only these fields are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RuleMatch {
    pub pref: Option<u32>,
    pub invert: bool,
    pub src: Option<Ipv4Net>,
    pub dst: Option<Ipv4Net>,
    pub iif: Option<IfName>,
    pub oif: Option<IfName>,
    pub fwmark: Option<(u32, u32)>,
    pub tos: Option<u8>,
    pub table: Option<u32>,
    pub action: Option<crate::kernel::fib::RuleAction>,
    pub ipproto: Option<u8>,
    pub sport: Option<(u16, u16)>,
    pub dport: Option<(u16, u16)>,
    pub suppress_prefixlength: Option<u8>,
}

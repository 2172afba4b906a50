//! Network namespaces (`struct net`) and the hosts they belong to.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::fib::Fib;
use super::mib::Mib;
use super::neigh::NeighTable;
use super::nsid::Nsids;
use super::socket::SocketTable;
use super::sysctl::NetSysctl;
use super::types::{DevId, HostId, NetnsId, Pid};
use super::{frag::Frags, icmp::IcmpLimits, route::Exceptions};

/// One machine: a kernel with its own namespaces.
#[derive(Clone, Debug)]
pub struct Host {
    /// Name in the scenario.
    pub name: String,
    /// The namespace it booted with.
    pub root_ns: NetnsId,
    /// `ip netns` names: `/run/netns/NAME`.
    pub named: IndexMap<String, NetnsId>,
    /// Room in its neighbour table.
    pub neigh: crate::kernel::neigh::NeighRoom,
}

/// A network namespace.
#[derive(Clone, Debug)]
pub struct Netns {
    /// Host whose kernel it lives in.
    pub host: HostId,
    /// Place name as in the recordings: `h1`, `h1/ns:red`, `sw`.
    pub label: String,
    /// False once the last name and process let go of it.
    pub alive: bool,
    /// Is it the switch of a LAN, that belongs to no host of the scenario?
    pub is_switch: bool,
    /// Devices by ifindex.
    pub devs: BTreeMap<u32, DevId>,
    /// Next free ifindex.
    pub next_ifindex: u32,
    /// Ids this namespace gave to others (`peernet2id`, shown as `link-netnsid`).
    pub nsids: Nsids,
    /// Routing tables and rules.
    pub fib: Fib,
    /// Learnt path MTUs and redirects.
    pub exceptions: Exceptions,
    /// ARP table.
    pub neigh: NeighTable,
    /// Settings under `/proc/sys/net` that are not per device.
    pub sysctl: NetSysctl,
    /// SNMP counters.
    pub mib: Mib,
    /// Sockets.
    pub socks: SocketTable,
    /// Fragments waiting for the rest.
    pub frags: Frags,
    /// Token buckets of `icmp_ratelimit` and `ip_error`.
    pub icmp_limits: IcmpLimits,
    /// The firewall: tables, connection tracking.
    pub nf: Box<super::netfilter::Netfilter>,
    /// Counter behind the IP ids of packets without a connection.
    pub ip_id: u16,
    /// VXLAN devices that were made in it, wherever they are now (`vxlan_net`).
    pub vxlans: Vec<DevId>,
    /// Processes that run in it.
    pub pids: Vec<Pid>,
    /// A file that it is mounted on holds it, beside those of `ip netns`.
    pub mounted: bool,
}

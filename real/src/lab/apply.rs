//! Ops on the live kernel: what the model did to its own, over netlink, under `/proc/sys` and by `iptables-restore`.
//!
//! Devices go by the names that they had in the model at the time: both sides call them alike.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use packetwalk_sim::journal::Called;
use packetwalk_sim::kernel::bridge::FdbKind;
use packetwalk_sim::kernel::fib::RouteType;
use packetwalk_sim::kernel::link::{IfAddr, VETH_QUEUES};
use packetwalk_sim::kernel::macvlan::MacvlanMode;
use packetwalk_sim::kernel::neigh::Nud;
use packetwalk_sim::kernel::types::{DevId, NetnsId};
use packetwalk_sim::kernel::vxlan::{VxlanCfg, VxlanDf, VxlanDst, VxlanFdbState};
use packetwalk_sim::op::{BridgeSet, LinkChange, LinkSpec, NeighVerb, NewLink, Op, PortSet, RouteSpec, RouteVerb};

use super::netns::NetNs;
use crate::netlink::attr::Write as _;
use crate::netlink::{self, APPEND, CREATE, EXCL, Netlink, NlError, REPLACE, Request};

/// Nanoseconds of one tick of `USER_HZ`, in which bridges tell times.
const TICK: u64 = 10_000_000;
const SEC: u64 = 1_000_000_000;

/// Where the model's namespaces are on the live kernel.
#[derive(Default)]
pub struct Places {
    /// Namespaces.
    pub nets: BTreeMap<NetnsId, NetNs>,
}

/// A device: its namespace and its index there.
type Dev = (NetNs, u32);

/// Why an op could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The kernel refused.
    #[error("{0}")]
    Kernel(#[from] NlError),
    /// A file or process of ours.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Something of the model that has no counterpart here.
    #[error("{0}")]
    Other(String),
}

impl Failed {
    /// The errno, where the kernel refused.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Failed::Kernel(e) => Some(e.errno),
            Failed::Io(e) => e.raw_os_error().map(Errno::from_raw),
            Failed::Other(_) => None,
        }
    }
}

impl Places {
    /// A namespace.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn net(&self, ns: NetnsId) -> Result<NetNs, Failed> {
        self.nets.get(&ns).cloned().ok_or_else(|| Failed::Other(format!("namespace {} is not there", ns.0)))
    }

    /// A device: its namespace and its index.
    fn dev(&self, dev: DevId, called: &[Called]) -> Result<Dev, Failed> {
        let c = called.iter().find(|c| c.dev == dev);
        let c = c.ok_or_else(|| Failed::Other(format!("device {} is not there", dev.0)))?;
        let net = self.net(c.netns)?;
        let index = net.run(|| index_of(&c.name))??;
        Ok((net, index))
    }

    /// Sends a request about a device in its namespace.
    fn on_dev(&self, dev: DevId, called: &[Called], make: impl FnOnce(u32) -> Request + Send) -> Result<(), Failed> {
        let (net, index) = self.dev(dev, called)?;
        send(&net, make(index))
    }

    /// Carries an op out.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn apply(&self, op: &Op, called: &[Called]) -> Result<(), Failed> {
        match op {
            Op::LinkAdd { spec, kind } => self.link_add(spec, kind, called),
            Op::LinkDel { dev } => self.on_dev(*dev, called, |i| link_request(libc::RTM_DELLINK, 0, i, None, |_| {})),
            Op::LinkSet { dev, changes } => {
                let mut at = self.dev(*dev, called)?;
                changes.iter().try_for_each(|c| self.link_set(&mut at, called, c))
            }
            Op::AddrAdd { dev, addr, replace } => {
                let flags = if *replace { CREATE | REPLACE } else { CREATE | EXCL };
                self.on_dev(*dev, called, |i| address(libc::RTM_NEWADDR, flags, i, addr))
            }
            Op::AddrDel { dev, local, prefix, peer, label } => {
                let mut a = IfAddr::new(*local, prefix.unwrap_or(32));
                a.peer = peer.unwrap_or(*local);
                a.label = label.clone().unwrap_or_default();
                self.on_dev(*dev, called, |i| address(libc::RTM_DELADDR, 0, i, &a))
            }
            Op::RouteAdd { netns, verb, route } => {
                let flags = match verb {
                    RouteVerb::Add => CREATE | EXCL,
                    RouteVerb::Replace => CREATE | REPLACE,
                    RouteVerb::Change => REPLACE,
                    RouteVerb::Append => CREATE | APPEND,
                    RouteVerb::Prepend => CREATE,
                    RouteVerb::Test => EXCL,
                };
                self.route(*netns, libc::RTM_NEWROUTE, flags, route, called)
            }
            Op::RouteDel { netns, route, .. } => self.route(*netns, libc::RTM_DELROUTE, 0, route, called),
            Op::NeighAdd { dev, dst, verb, lladdr, nud, .. } => {
                let state = nud_bits(*nud);
                self.on_dev(*dev, called, |i| {
                    let mut r = neighbour(libc::RTM_NEWNEIGH, neigh_flags(*verb), libc::AF_INET as u8, i, state, 0);
                    r.body.put(NDA_DST, &dst.octets());
                    if let Some(m) = lladdr {
                        r.body.put(NDA_LLADDR, &m.0);
                    }
                    r
                })
            }
            Op::NeighDel { dev, dst } => self.on_dev(*dev, called, |i| {
                let mut r = neighbour(libc::RTM_DELNEIGH, 0, libc::AF_INET as u8, i, 0, 0);
                r.body.put(NDA_DST, &dst.octets());
                r
            }),
            Op::VxlanFdbAdd { dev, mac, dst, state, verb, .. } => {
                let nud = match state {
                    VxlanFdbState::Permanent => 0x80,
                    VxlanFdbState::Static => 0x40,
                    VxlanFdbState::Reachable => 0x02,
                };
                let via = self.via(dst, called)?;
                self.on_dev(*dev, called, |i| {
                    vxlan_fdb(libc::RTM_NEWNEIGH, neigh_flags(*verb), i, nud, &mac.0, dst, via)
                })
            }
            Op::VxlanFdbDel { dev, mac, dst } => {
                let via = self.via(dst, called)?;
                self.on_dev(*dev, called, |i| vxlan_fdb(libc::RTM_DELNEIGH, 0, i, 0x80, &mac.0, dst, via))
            }
            Op::FdbAdd { dev, on_self, mac, kind, verb, .. } => {
                let nud = match kind {
                    FdbKind::Local => 0x80,
                    FdbKind::Static => 0x40,
                    FdbKind::Learned => 0x02,
                };
                let flag = if *on_self { NTF_SELF } else { NTF_MASTER };
                self.on_dev(*dev, called, |i| {
                    let mut r = neighbour(libc::RTM_NEWNEIGH, neigh_flags(*verb), libc::AF_BRIDGE as u8, i, nud, flag);
                    r.body.put(NDA_LLADDR, &mac.0);
                    r
                })
            }
            Op::FdbDel { dev, on_self, mac } => {
                let flag = if *on_self { NTF_SELF } else { NTF_MASTER };
                self.on_dev(*dev, called, |i| {
                    let mut r = neighbour(libc::RTM_DELNEIGH, 0, libc::AF_BRIDGE as u8, i, 0, flag);
                    r.body.put(NDA_LLADDR, &mac.0);
                    r
                })
            }
            Op::Sysctl { netns, name, value } => {
                let path = sysctl_path(name);
                let write = move || std::fs::write(&path, value);
                Ok(self.net(*netns)?.run(write)??)
            }
            Op::NetnsAdd { .. } | Op::NetnsDel { .. } => Ok(()),
            Op::RouteFlushCache { .. }
            | Op::RuleAdd { .. }
            | Op::RuleDel { .. }
            | Op::NeighProxy { .. }
            | Op::NeighTbl { .. } => Err(Failed::Other(format!("no engine does this: {op:?}"))),
            Op::Ip6Tables { netns, tables } => self.net(*netns)?.run(|| super::rules::restore_v6(tables))?,
            Op::Xtables { .. } => Err(Failed::Other("rules go by iptables-restore".into())),
        }
    }

    fn via(&self, dst: &VxlanDst, called: &[Called]) -> Result<Option<u32>, Failed> {
        dst.via.map(|d| self.dev(d, called).map(|(_, i)| i)).transpose()
    }

    fn link_add(&self, spec: &LinkSpec, kind: &NewLink, called: &[Called]) -> Result<(), Failed> {
        let net = self.net(spec.netns)?;
        let lower = match kind {
            NewLink::Macvlan { lower: Some(l), .. } => Some(self.dev(*l, called)?),
            NewLink::Vxlan(c) => c.lower.map(|l| self.dev(l, called)).transpose()?,
            _ => None,
        };
        let peer_net = match kind {
            NewLink::Veth { peer } => Some((peer.clone(), self.net(peer.netns)?)),
            _ => None,
        };
        let mut r = link_request(libc::RTM_NEWLINK, CREATE | EXCL, spec.index.unwrap_or(0), Some(spec.up), |b| {
            link_attributes(b, spec);
            if peer_net.is_some() {
                veth_queues(b, spec);
            }
        });
        if let (NewLink::Macvlan { .. }, Some((_, index))) = (kind, &lower) {
            r.body.put_u32(libc::IFLA_LINK, *index);
        }
        r.body.put_nest(libc::IFLA_LINKINFO, |b| match kind {
            NewLink::Veth { .. } => {
                b.put_str(INFO_KIND, "veth");
                if let Some((peer, net)) = &peer_net {
                    b.put_nest(INFO_DATA, |b| {
                        b.put_nest(VETH_INFO_PEER, |b| {
                            b.extend(ifinfo(peer.index.unwrap_or(0), Some(peer.up)));
                            link_attributes(b, peer);
                            veth_queues(b, peer);
                            b.put_u32(libc::IFLA_NET_NS_FD, net.fd().as_raw_fd() as u32);
                        });
                    });
                }
            }
            NewLink::Bridge(sets) => {
                b.put_str(INFO_KIND, "bridge");
                b.put_nest(INFO_DATA, |b| sets.iter().for_each(|s| bridge_set(b, *s)));
            }
            NewLink::Vxlan(c) => {
                b.put_str(INFO_KIND, "vxlan");
                b.put_nest(INFO_DATA, |b| vxlan(b, c, lower.as_ref().map(|l| l.1)));
            }
            NewLink::Macvlan { mode, .. } => {
                b.put_str(INFO_KIND, "macvlan");
                b.put_nest(INFO_DATA, |b| b.put_u32(1, macvlan_mode(*mode)));
            }
        });
        send(&net, r)
    }

    /// One change of a device; `at` follows it into another namespace.
    fn link_set(&self, at: &mut Dev, called: &[Called], change: &LinkChange) -> Result<(), Failed> {
        if let LinkChange::Netns(to) = change {
            let target = self.net(*to)?;
            let fd = target.fd().as_raw_fd() as u32;
            let (net, index) = at.clone();
            let name = net.run(move || nix::net::if_::if_indextoname(index))?.map_err(std::io::Error::from)?;
            send(&net, link_request(libc::RTM_NEWLINK, 0, index, None, |b| b.put_u32(libc::IFLA_NET_NS_FD, fd)))?;
            // It may get another index where its own is taken.
            let name = name.to_string_lossy().into_owned();
            let index = target.run(|| index_of(&name))??;
            *at = (target, index);
            return Ok(());
        }
        let master = match change {
            LinkChange::Master(Some(m)) => self.dev(*m, called)?.1,
            _ => 0,
        };
        let flag = |on: bool, bit: i32| (if on { bit as u32 } else { 0 }, bit as u32);
        let flags = match change {
            LinkChange::Up(on) => Some(flag(*on, libc::IFF_UP)),
            LinkChange::Arp(on) => Some(flag(!*on, libc::IFF_NOARP)),
            LinkChange::Multicast(on) => Some(flag(*on, libc::IFF_MULTICAST)),
            LinkChange::Allmulti(on) => Some(flag(*on, libc::IFF_ALLMULTI)),
            LinkChange::Promisc(on) => Some(flag(*on, libc::IFF_PROMISC)),
            _ => None,
        };
        let r = {
            let mut r = link_request(libc::RTM_NEWLINK, 0, at.1, None, |b| match change {
                LinkChange::Mac(m) => b.put(libc::IFLA_ADDRESS, &m.0),
                LinkChange::Mtu(m) => b.put_u32(libc::IFLA_MTU, *m),
                LinkChange::Name(n) => b.put_str(libc::IFLA_IFNAME, n),
                LinkChange::Alias(a) => b.put_str(libc::IFLA_IFALIAS, a.as_deref().unwrap_or("")),
                LinkChange::Txqlen(n) => b.put_u32(libc::IFLA_TXQLEN, *n),
                LinkChange::Group(g) => b.put_u32(libc::IFLA_GROUP, *g),
                LinkChange::Master(_) => b.put_u32(libc::IFLA_MASTER, master),
                LinkChange::Bridge(s) => b.put_nest(libc::IFLA_LINKINFO, |b| {
                    b.put_str(INFO_KIND, "bridge");
                    b.put_nest(INFO_DATA, |b| bridge_set(b, *s));
                }),
                LinkChange::Port(p) => b.put_nest(libc::IFLA_LINKINFO, |b| {
                    b.put_str(INFO_SLAVE_KIND, "bridge");
                    b.put_nest(INFO_SLAVE_DATA, |b| port_set(b, *p));
                }),
                _ => {}
            });
            if let Some((value, mask)) = flags {
                r.body[8..12].copy_from_slice(&value.to_ne_bytes());
                r.body[12..16].copy_from_slice(&mask.to_ne_bytes());
            }
            r
        };
        send(&at.0, r)
    }

    fn route(&self, ns: NetnsId, kind: u16, flags: u16, route: &RouteSpec, called: &[Called]) -> Result<(), Failed> {
        let oif = route.dev.map(|d| self.dev(d, called).map(|x| x.1)).transpose()?;
        send(&self.net(ns)?, route_request(kind, flags, route, oif))
    }
}

/// The index of a device of this thread's namespace.
fn index_of(name: &str) -> Result<u32, Failed> {
    nix::net::if_::if_nametoindex(name).map_err(|e| Failed::Io(e.into()))
}

/// Sends a request to the kernel in a namespace.
fn send(net: &NetNs, request: Request) -> Result<(), Failed> {
    net.run(move || -> Result<(), Failed> { Ok(Netlink::open(netlink::ROUTE)?.ack(&request)?) })?
}

/// `/proc/sys` file of a name with dots; a device's dots are slashes there, as in sysctl(8).
fn sysctl_path(name: &str) -> String {
    let swapped: String = name
        .chars()
        .map(|c| {
            if c == '.' {
                '/'
            } else if c == '/' {
                '.'
            } else {
                c
            }
        })
        .collect();
    format!("/proc/sys/{swapped}")
}

const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const INFO_SLAVE_KIND: u16 = 4;
const INFO_SLAVE_DATA: u16 = 5;
const VETH_INFO_PEER: u16 = 1;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_PORT: u16 = 6;
const NDA_VNI: u16 = 7;
const NDA_IFINDEX: u16 = 8;
const NTF_SELF: u8 = 0x02;
const NTF_MASTER: u8 = 0x04;

/// `struct ifinfomsg`.
fn ifinfo(index: u32, up: Option<bool>) -> Vec<u8> {
    let mut h = vec![0u8; 16];
    h[4..8].copy_from_slice(&index.to_ne_bytes());
    if let Some(up) = up {
        h[8..12].copy_from_slice(&u32::from(up).to_ne_bytes());
        h[12..16].copy_from_slice(&u32::from(up).to_ne_bytes());
    }
    h
}

fn link_request(kind: u16, flags: u16, index: u32, up: Option<bool>, fill: impl FnOnce(&mut Vec<u8>)) -> Request {
    let mut r = Request::new(kind, flags, &ifinfo(index, up));
    fill(&mut r.body);
    r
}

fn link_attributes(b: &mut Vec<u8>, spec: &LinkSpec) {
    if let Some(n) = &spec.name {
        b.put_str(libc::IFLA_IFNAME, n);
    }
    if let Some(m) = spec.mac {
        b.put(libc::IFLA_ADDRESS, &m.0);
    }
    if let Some(m) = spec.mtu {
        b.put_u32(libc::IFLA_MTU, m);
    }
    if let Some(q) = spec.txqlen {
        b.put_u32(libc::IFLA_TXQLEN, q);
    }
    if let Some(n) = spec.num_tx_queues {
        b.put_u32(libc::IFLA_NUM_TX_QUEUES, n);
    }
    if let Some(n) = spec.num_rx_queues {
        b.put_u32(libc::IFLA_NUM_RX_QUEUES, n);
    }
}

/// The number of queues that the model's veth has, whatever number of processors there is. Asked for, it is also the number
/// in use; otherwise all but one are let go, with two waits for a grace period (`veth_init_queues`).
fn veth_queues(b: &mut Vec<u8>, spec: &LinkSpec) {
    if spec.num_tx_queues.is_none() {
        b.put_u32(libc::IFLA_NUM_TX_QUEUES, VETH_QUEUES);
    }
    if spec.num_rx_queues.is_none() {
        b.put_u32(libc::IFLA_NUM_RX_QUEUES, VETH_QUEUES);
    }
}

/// `IFLA_BR_*` (linux/if_link.h).
fn bridge_set(b: &mut Vec<u8>, s: BridgeSet) {
    match s {
        BridgeSet::ForwardDelay(t) => b.put_u32(1, (t / TICK) as u32),
        BridgeSet::AgeingTime(t) => b.put_u32(4, (t / TICK) as u32),
        BridgeSet::Stp(on) => b.put_u32(5, on.into()),
        BridgeSet::Priority(p) => b.put(6, &p.to_ne_bytes()),
        BridgeSet::GroupFwdMask(m) => b.put(9, &m.to_ne_bytes()),
        BridgeSet::FdbFlush => b.put(22, &[]),
        BridgeSet::McastSnooping(on) => b.put(23, &[on.into()]),
        BridgeSet::NfCallIptables(on) => b.put(36, &[on.into()]),
        BridgeSet::NfCallIp6tables(on) => b.put(37, &[on.into()]),
        BridgeSet::NfCallArptables(on) => b.put(38, &[on.into()]),
    }
}

/// `IFLA_BRPORT_*` (linux/if_link.h).
fn port_set(b: &mut Vec<u8>, p: PortSet) {
    let mut bit = |kind: u16, on: bool| b.put(kind, &[on.into()]);
    match p {
        PortSet::Hairpin(on) => bit(4, on),
        PortSet::Guard(on) => bit(5, on),
        PortSet::Learning(on) => bit(8, on),
        PortSet::Flood(on) => bit(9, on),
        PortSet::McastFlood(on) => bit(27, on),
        PortSet::BcastFlood(on) => bit(30, on),
        PortSet::NeighSuppress(on) => bit(32, on),
        PortSet::Isolated(on) => bit(33, on),
        PortSet::Locked(on) => bit(39, on),
        PortSet::State(s) => b.put(1, &[s as u8]),
        PortSet::Priority(v) => b.put(2, &v.to_ne_bytes()),
        PortSet::Cost(c) => b.put_u32(3, c),
    }
}

/// `IFLA_VXLAN_*` (linux/if_link.h).
fn vxlan(b: &mut Vec<u8>, c: &VxlanCfg, lower: Option<u32>) {
    b.put_u32(1, c.vni);
    if let Some(a) = c.remote {
        b.put(2, &a.octets());
    }
    if let Some(i) = lower {
        b.put_u32(3, i);
    }
    if let Some(a) = c.local {
        b.put(4, &a.octets());
    }
    b.put(5, &[c.ttl]);
    b.put(6, &[c.tos]);
    b.put(7, &[c.learning.into()]);
    b.put_u32(8, (c.ageing / SEC) as u32);
    if c.maxaddress != 0 {
        b.put_u32(9, c.maxaddress);
    }
    if c.srcport != (0, 0) {
        let range = [c.srcport.0.to_be_bytes(), c.srcport.1.to_be_bytes()].concat();
        b.put(10, &range);
    }
    b.put(11, &[c.proxy.into()]);
    b.put(12, &[c.rsc.into()]);
    b.put(13, &[c.l2miss.into()]);
    b.put(14, &[c.l3miss.into()]);
    b.put(15, &c.port.to_be_bytes());
    b.put(18, &[c.udp_csum.into()]);
    if c.df != VxlanDf::Unset {
        b.put(29, &[if c.df == VxlanDf::Set { 1 } else { 2 }]);
    }
}

/// `MACVLAN_MODE_*` (linux/if_link.h).
fn macvlan_mode(m: MacvlanMode) -> u32 {
    match m {
        MacvlanMode::Private => 1,
        MacvlanMode::Vepa => 2,
        MacvlanMode::Bridge => 4,
    }
}

/// `struct ifaddrmsg` and its attributes.
fn address(kind: u16, flags: u16, index: u32, a: &IfAddr) -> Request {
    let i = index.to_ne_bytes();
    let noprefix: u32 = if a.noprefixroute { 0x200 } else { 0 };
    let mut r = Request::new(kind, flags, &[libc::AF_INET as u8, a.prefix, 0, a.scope, i[0], i[1], i[2], i[3]]);
    r.body.put(2, &a.local.octets());
    r.body.put(1, &a.peer.octets());
    if let Some(bc) = a.broadcast.filter(|_| kind == libc::RTM_NEWADDR) {
        r.body.put(4, &bc.octets());
    }
    if !a.label.is_empty() {
        r.body.put_str(3, &a.label);
    }
    if noprefix != 0 {
        r.body.put_u32(8, noprefix);
    }
    r
}

/// `struct rtmsg` and its attributes.
fn route_request(kind: u16, flags: u16, route: &RouteSpec, oif: Option<u32>) -> Request {
    let del = kind == libc::RTM_DELROUTE;
    // As `ip route` chooses (iproute_modify).
    let scope = route.scope.unwrap_or(match route.kind {
        _ if del => 255,
        RouteType::Local => 254,
        RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast => 253,
        RouteType::Unicast if route.via.is_none() => 253,
        _ => 0,
    });
    let table = if route.table < 256 { route.table as u8 } else { 252 };
    let proto = route.proto.unwrap_or(if del { 0 } else { 3 });
    let onlink: u32 = if route.onlink { 4 } else { 0 };
    let f = onlink.to_ne_bytes();
    let kind_no = route.kind.number();
    let head = [
        libc::AF_INET as u8,
        route.dst.prefix_len(),
        0,
        route.tos,
        table,
        proto,
        scope,
        kind_no,
        f[0],
        f[1],
        f[2],
        f[3],
    ];
    let mut r = Request::new(kind, flags, &head);
    if route.dst.prefix_len() > 0 {
        r.body.put(1, &route.dst.network().octets());
    }
    if let Some(i) = oif {
        r.body.put_u32(4, i);
    }
    if let Some(a) = route.via {
        r.body.put(5, &a.octets());
    }
    if let Some(m) = route.metric {
        r.body.put_u32(6, m);
    }
    if let Some(a) = route.prefsrc {
        r.body.put(7, &a.octets());
    }
    if route.table >= 256 {
        r.body.put_u32(15, route.table);
    }
    if route.mtu.is_some() || route.advmss.is_some() {
        r.body.put_nest(8, |b| {
            if let Some((m, locked)) = route.mtu {
                if locked {
                    b.put_u32(1, 1 << 2);
                }
                b.put_u32(2, m);
            }
            if let Some(m) = route.advmss {
                b.put_u32(8, m);
            }
        });
    }
    r
}

fn neigh_flags(v: NeighVerb) -> u16 {
    match v {
        NeighVerb::Add => CREATE | EXCL,
        NeighVerb::Change => REPLACE,
        NeighVerb::Replace => CREATE | REPLACE,
        NeighVerb::Append => CREATE | APPEND,
    }
}

/// `NUD_*` (linux/neighbour.h).
fn nud_bits(n: Nud) -> u16 {
    match n {
        Nud::None => 0,
        Nud::Incomplete => 0x01,
        Nud::Reachable => 0x02,
        Nud::Stale => 0x04,
        Nud::Delay => 0x08,
        Nud::Probe => 0x10,
        Nud::Failed => 0x20,
        Nud::Noarp => 0x40,
        Nud::Permanent => 0x80,
    }
}

/// `struct ndmsg`.
fn neighbour(kind: u16, flags: u16, family: u8, index: u32, state: u16, ntf: u8) -> Request {
    let mut h = [0u8; 12];
    h[0] = family;
    h[4..8].copy_from_slice(&index.to_ne_bytes());
    h[8..10].copy_from_slice(&state.to_ne_bytes());
    h[10] = ntf;
    Request::new(kind, flags, &h)
}

fn vxlan_fdb(kind: u16, flags: u16, index: u32, nud: u16, mac: &[u8], dst: &VxlanDst, via: Option<u32>) -> Request {
    let mut r = neighbour(kind, flags, libc::AF_BRIDGE as u8, index, nud, NTF_SELF);
    r.body.put(NDA_LLADDR, mac);
    if let Some(a) = dst.ip {
        r.body.put(NDA_DST, &a.octets());
    }
    if let Some(p) = dst.port {
        r.body.put(NDA_PORT, &p.to_be_bytes());
    }
    if let Some(v) = dst.vni {
        r.body.put_u32(NDA_VNI, v);
    }
    if let Some(i) = via {
        r.body.put_u32(NDA_IFINDEX, i);
    }
    r
}

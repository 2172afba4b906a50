//! Making and removing devices and namespaces (net/core/rtnetlink.c, net_namespace.c, drivers/net/veth.c).

use std::collections::BTreeMap;

use super::{AddrAssign, DevKind, Device, IfFlags, LinkStats, OperState};
use crate::journal::Entry;
use crate::kernel::Kernel;
use crate::kernel::bridge::Bridge;
use crate::kernel::fib::Fib;
use crate::kernel::macvlan::MacvlanMode;
use crate::kernel::netns::{Host, Netns};
use crate::kernel::nsid::Nsids;
use crate::kernel::sysctl::NetSysctl;
use crate::kernel::types::{DevId, Errno, HostId, IfName, NetnsId};
use crate::kernel::vxlan::{Vxlan, VxlanCfg};
use crate::op::{LinkSpec, NewLink, OpError};
use crate::trace::Recorder;
use crate::wire::MacAddr;

/// USER_HZ seconds in nanoseconds.
const SEC: u64 = 1_000_000_000;

/// Queues of a veth that asks for no number: as many as there are processors (`veth_get_num_queues`), of which the
/// recorded machines have two.
pub const VETH_QUEUES: u32 = 2;

/// As many queues as the kernel takes (`rtnl_create_link`).
fn check_queues(spec: &LinkSpec) -> Result<(), OpError> {
    let bad = |n: Option<u32>| n.is_some_and(|n| !(1..=4096).contains(&n));
    if bad(spec.num_tx_queues) {
        return Err(OpError::ext(Errno::EINVAL, "Invalid number of transmit queues"));
    }
    if bad(spec.num_rx_queues) {
        return Err(OpError::ext(Errno::EINVAL, "Invalid number of receive queues"));
    }
    Ok(())
}

impl<R: Recorder> Kernel<R> {
    /// A machine boots: its first namespace, with `lo` down.
    pub fn add_host(&mut self, name: &str) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        self.hosts.push(Host {
            name: name.to_owned(),
            root_ns: NetnsId(0),
            named: indexmap::IndexMap::new(),
            neigh: Default::default(),
        });
        let ns = self.new_netns(id, name.to_owned());
        self.hosts[id.ix()].root_ns = ns;
        self.note(Entry::Host(id, ns));
        id
    }

    /// The namespace of the LANs' switches, which belongs to no host of the scenario.
    pub fn add_switch(&mut self, name: &str) -> NetnsId {
        let ns = self.new_netns(HostId(u32::MAX), name.to_owned());
        let n = self.ns_mut(ns);
        n.is_switch = true;
        // A switch has no firewall.
        n.sysctl.bridge_nf_call_iptables = 0;
        n.sysctl.bridge_nf_call_ip6tables = 0;
        n.sysctl.bridge_nf_call_arptables = 0;
        self.note(Entry::Switch(ns));
        ns
    }

    /// A new namespace with `lo` down (`copy_net_ns`).
    pub fn new_netns(&mut self, host: HostId, label: String) -> NetnsId {
        let id = NetnsId(self.netns.len() as u32);
        self.netns.push(Netns {
            host,
            label,
            alive: true,
            is_switch: false,
            devs: BTreeMap::new(),
            next_ifindex: 1,
            nsids: Nsids::default(),
            fib: Fib::new(),
            exceptions: Default::default(),
            neigh: Default::default(),
            sysctl: NetSysctl { igmp_link_local_mcast_reports: self.igmp_reports.into(), ..NetSysctl::default() },
            mib: Default::default(),
            socks: Default::default(),
            frags: Default::default(),
            icmp_limits: Default::default(),
            vxlans: Vec::new(),
            nf: Box::new(crate::kernel::netfilter::Netfilter::counting(self.chains_count)),
            ip_id: (self.rng.next_u64() & 0x7fff) as u16,
            pids: Vec::new(),
            mounted: false,
        });
        let name = IfName::from("lo").expect("short");
        let lo = self.new_device(id, name, MacAddr::ZERO, AddrAssign::Perm, 65536, DevKind::Loopback, None);
        let d = self.dev_mut(lo);
        d.flags = IfFlags::LOOPBACK;
        d.carrier = true;
        id
    }

    #[expect(clippy::too_many_arguments, reason = "one place, called for all kinds of devices")]
    fn new_device(
        &mut self,
        netns: NetnsId,
        name: IfName,
        mac: MacAddr,
        mac_assign: AddrAssign,
        mtu: u32,
        kind: DevKind,
        index: Option<u32>,
    ) -> DevId {
        let id = DevId(self.devs.len() as u32);
        let queues = if matches!(kind, DevKind::Veth { .. }) { VETH_QUEUES } else { 1 };
        let ifindex = index.unwrap_or_else(|| self.alloc_ifindex(netns));
        let ns = self.ns_mut(netns);
        ns.devs.insert(ifindex, id);
        let (conf, neigh_parms) = (ns.sysctl.default, ns.sysctl.neigh_default);
        self.devs.push(Device {
            id,
            netns,
            ifindex,
            alive: true,
            name,
            mac,
            mac_assign,
            mtu,
            mtu_set_by_user: false,
            flags: IfFlags::BROADCAST | IfFlags::MULTICAST,
            was_up: false,
            carrier: false,
            active: false,
            operstate: OperState::Unknown,
            txqlen: 1000,
            num_tx_queues: queues,
            num_rx_queues: queues,
            group: 0,
            alias: None,
            master: None,
            port: None,
            macvlans: Vec::new(),
            macvlan_count: 0,
            kind,
            addrs: Vec::new(),
            conf,
            neigh_parms,
            stats: LinkStats::default(),
        });
        id
    }

    /// `dev_new_index`: the next free number, going up.
    fn alloc_ifindex(&mut self, ns: NetnsId) -> u32 {
        let n = self.ns_mut(ns);
        while n.devs.contains_key(&n.next_ifindex) {
            n.next_ifindex += 1;
        }
        n.next_ifindex += 1;
        n.next_ifindex - 1
    }

    /// A name that is free: as given, or the first free number for a pattern with `%d`.
    pub(crate) fn check_name(&self, ns: NetnsId, want: &str) -> Result<IfName, OpError> {
        if want.len() > 15 {
            return Err(OpError::ext(Errno::ERANGE, "Attribute failed policy validation"));
        }
        let bad = |c: char| c == '/' || c == ':' || c.is_whitespace();
        if want.is_empty() || want == "." || want == ".." || want.contains(bad) {
            return Err(Errno::EINVAL.into());
        }
        let name = match want.split_once("%d") {
            Some((a, b)) => (0..32768)
                .map(|i| format!("{a}{i}{b}"))
                .find(|n| self.dev_by_name(ns, n).is_none())
                .ok_or(OpError::from(Errno::ENOMEM))?,
            None => want.to_owned(),
        };
        if self.dev_by_name(ns, &name).is_some() {
            return Err(Errno::EEXIST.into());
        }
        IfName::from(&name).map_err(|_| OpError::from(Errno::ERANGE))
    }

    fn create(&mut self, spec: &LinkSpec, default_name: &str, kind: DevKind) -> Result<DevId, OpError> {
        let name = self.check_name(spec.netns, spec.name.as_deref().unwrap_or(default_name))?;
        if let Some(m) = spec.mac
            && !m.is_valid_unicast()
        {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        if let Some(mtu) = spec.mtu {
            check_mtu(mtu, 68, 65535)?;
        }
        if let Some(i) = spec.index
            && self.ns(spec.netns).devs.contains_key(&i)
        {
            return Err(Errno::EBUSY.into());
        }
        let (mac, assign) = match spec.mac {
            Some(m) => (m, AddrAssign::Set),
            None => {
                // The dice are rolled all the same, so that what comes after does not change.
                let rolled = self.rng.mac();
                let live = self.rolled_macs.get_mut(name.as_str()).and_then(std::collections::VecDeque::pop_front);
                (live.unwrap_or(rolled), AddrAssign::Random)
            }
        };
        let id = self.new_device(spec.netns, name, mac, assign, spec.mtu.unwrap_or(1500), kind, spec.index);
        let d = self.dev_mut(id);
        if let Some(q) = spec.txqlen {
            d.txqlen = q;
        }
        d.num_tx_queues = spec.num_tx_queues.unwrap_or(d.num_tx_queues);
        d.num_rx_queues = spec.num_rx_queues.unwrap_or(d.num_rx_queues);
        Ok(id)
    }

    /// `RTM_NEWLINK` with `NLM_F_CREATE`.
    pub(crate) fn op_link_add(&mut self, spec: &LinkSpec, kind: &NewLink) -> Result<DevId, OpError> {
        // The device's own name is looked at before the peer is made.
        if let Some(n) = &spec.name
            && !n.contains("%d")
        {
            self.check_name(spec.netns, n)?;
        }
        check_queues(spec)?;
        match kind {
            NewLink::Veth { peer } => {
                check_queues(peer)?;
                let p = self.create(peer, "veth%d", DevKind::Veth { peer: None })?;
                if peer.up {
                    // It is brought up before it has its own peer (veth_open).
                    self.destroy(p);
                    return Err(Errno::ENOTCONN.into());
                }
                let d = match self.create(spec, "veth%d", DevKind::Veth { peer: Some(p) }) {
                    Ok(d) => d,
                    Err(e) => {
                        self.destroy(p);
                        return Err(e);
                    }
                };
                self.dev_mut(p).kind = DevKind::Veth { peer: Some(d) };
                self.note_nsids(d);
                // Both begin without a carrier, which link_watch notes.
                self.update_operstate(p);
                self.update_operstate(d);
                if spec.up {
                    self.set_up(d, true)?;
                }
                Ok(d)
            }
            NewLink::Bridge(sets) => {
                let bridge = DevKind::Bridge(Box::new(Bridge {
                    ports: Vec::new(),
                    gso_limits_set: false,
                    fdb: Default::default(),
                    ageing_time: 300 * SEC,
                    stp: false,
                    forward_delay: 15 * SEC,
                    mcast_snooping: true,
                    reports: Default::default(),
                    nf_call_iptables: false,
                    nf_call_ip6tables: false,
                    nf_call_arptables: false,
                    group_fwd_mask: 0,
                    priority: 0x8000,
                }));
                let d = self.create(spec, "bridge%d", bridge)?;
                let dev = self.dev_mut(d);
                dev.carrier = true;
                dev.mtu_set_by_user = spec.mtu.is_some();
                let mac = dev.mac;
                self.br_fdb_add_local(d, d, mac);
                if spec.mac.is_some() {
                    // An address of its own is a new bridge id, and that looks at the ports: there is none.
                    self.br_carrier_check(d);
                }
                for s in sets {
                    self.set_bridge(d, *s)?;
                }
                if spec.up {
                    self.set_up(d, true)?;
                }
                Ok(d)
            }
            NewLink::Vxlan(cfg) => self.vxlan_add(spec, cfg),
            NewLink::Macvlan { lower, mode } => self.macvlan_add(spec, *lower, *mode),
        }
    }

    /// `vxlan_newlink`.
    fn vxlan_add(&mut self, spec: &LinkSpec, cfg: &VxlanCfg) -> Result<DevId, OpError> {
        self.vxlan_validate(spec.netns, cfg)?;
        let max = self.vxlan_max_mtu(cfg.lower);
        let mtu = match (spec.mtu, max) {
            (Some(m), Some(max)) if m >= 68 => Some(m.min(max)),
            (None, max) => max,
            (m, _) => m,
        };
        let v = Vxlan::new(spec.netns, cfg.clone(), self.queue.now);
        let d = self.create(&LinkSpec { mtu, ..spec.clone() }, "vxlan%d", DevKind::Vxlan(Box::new(v)))?;
        self.ns_mut(spec.netns).vxlans.push(d);
        self.dev_mut(d).carrier = true;
        if spec.up {
            self.set_up(d, true)?;
        }
        Ok(d)
    }

    /// `macvlan_common_newlink`.
    fn macvlan_add(&mut self, spec: &LinkSpec, lower: Option<DevId>, mode: MacvlanMode) -> Result<DevId, OpError> {
        let lower = self.macvlan_validate(lower, spec.mtu)?;
        let l = self.dev(lower);
        let (mtu, carrier) = (spec.mtu.or(Some(l.mtu)), l.carrier);
        let d = self.create(&LinkSpec { mtu, ..spec.clone() }, "macvlan%d", DevKind::Macvlan { lower, mode })?;
        self.dev_mut(lower).macvlan_count += 1;
        let m = self.dev_mut(d);
        m.carrier = carrier;
        m.stats.carrier_changes += u32::from(!carrier);
        self.update_operstate(d);
        self.note_nsids(d);
        if spec.up {
            self.set_up(d, true)?;
        }
        Ok(d)
    }

    /// Two ends in two namespaces: each gives the other an id (`peernet2id_alloc`, when the link is announced).
    pub(crate) fn note_nsids(&mut self, dev: DevId) {
        let d = self.dev(dev);
        let Some(far) = self.iflink(d) else { return };
        let (a, b, both) = (d.netns, far.netns, d.veth_peer().is_some());
        if a == b {
            return;
        }
        if both {
            self.note_nsid(b, a);
        }
        self.note_nsid(a, b);
    }

    /// A namespace gives another one an id, unless it has one (`peernet2id_alloc`).
    pub(crate) fn note_nsid(&mut self, of: NetnsId, other: NetnsId) {
        self.ns_mut(of).nsids.alloc(other);
    }

    /// `RTM_DELLINK`.
    pub(crate) fn op_link_del(&mut self, dev: DevId) -> Result<(), OpError> {
        let d = self.dev(dev);
        match &d.kind {
            DevKind::Loopback => Err(Errno::EOPNOTSUPP.into()),
            DevKind::Veth { peer } => {
                let peer = *peer;
                self.destroy(dev);
                if let Some(p) = peer {
                    self.destroy(p);
                }
                Ok(())
            }
            DevKind::Bridge(b) => {
                for p in b.ports.clone() {
                    self.br_del_if(dev, p);
                }
                self.destroy(dev);
                Ok(())
            }
            DevKind::Vxlan(v) => {
                let home = v.home;
                self.destroy(dev);
                self.ns_mut(home).vxlans.retain(|d| *d != dev);
                Ok(())
            }
            DevKind::Macvlan { lower, .. } => {
                let lower = *lower;
                self.destroy(dev);
                self.dev_mut(lower).macvlan_count -= 1;
                Ok(())
            }
        }
    }

    /// `unregister_netdevice`.
    fn destroy(&mut self, dev: DevId) {
        if !self.dev(dev).alive {
            return;
        }
        if self.dev(dev).is_up() {
            // Cannot fail: only going up is ever refused.
            let _ = self.set_up(dev, false);
        }
        self.vxlan_lower_gone(dev);
        self.macvlan_lower_gone(dev);
        if let Some(br) = self.dev(dev).master {
            self.br_del_if(br, dev);
        }
        self.inet_flush_dev(dev);
        let d = self.dev_mut(dev);
        d.alive = false;
        let (ns, ix) = (d.netns, d.ifindex);
        self.ns_mut(ns).devs.remove(&ix);
    }

    /// The last name and the last process let go of a namespace: its devices go (`cleanup_net`).
    pub fn netns_put(&mut self, ns: NetnsId) {
        let n = self.ns(ns);
        let Some(host) = self.hosts.get(n.host.ix()) else { return };
        let named = host.named.values().any(|x| *x == ns);
        if named || n.mounted || !n.pids.is_empty() || host.root_ns == ns || !n.alive {
            return;
        }
        let devs: Vec<DevId> = n.devs.values().copied().collect();
        for d in devs {
            if self.dev(d).alive && !self.dev(d).is_loopback() {
                // Every kind but `lo` can be deleted.
                let _ = self.op_link_del(d);
            }
        }
        self.vxlan_home_gone(ns);
        self.ns_mut(ns).alive = false;
        for n in &mut self.netns {
            n.nsids.remove(ns);
        }
    }
}

/// `dev_validate_mtu`.
pub(crate) fn check_mtu(mtu: u32, min: u32, max: u32) -> Result<(), OpError> {
    if mtu < min {
        return Err(OpError::ext(Errno::EINVAL, "mtu less than device minimum"));
    }
    if mtu > max {
        return Err(OpError::ext(Errno::EINVAL, "mtu greater than device maximum"));
    }
    Ok(())
}

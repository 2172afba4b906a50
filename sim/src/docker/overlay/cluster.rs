//! What engines share: the members of a cluster, its networks with their numbers and addresses, and what each member
//! told of its endpoints (moby/swarmkit manager, allocator; libnetwork networkdb, datastore).
//!
//! An entry exists once, in the log of the member that has the endpoint. What a member knows of another is how far it
//! heard that one's log, so a world with many thousand entries is copied quickly.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use crate::app::AppId;
use crate::docker::types::{Network, Subnet};
use crate::kernel::types::HostId;
use crate::wire::MacAddr;

/// VNI of the first network of a swarm (`ovmanager`), and of a store of keys (`idm`).
pub const FIRST_VNI: (u32, u32) = (4096, 256);

/// How a cluster is held together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `docker swarm`.
    Swarm {
        /// Words that let a worker and a manager in.
        tokens: [String; 2],
    },
    /// `--cluster-store`: where it is.
    Store(String),
}

/// An endpoint on a network, as its member tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Network: its place among the cluster's.
    pub network: usize,
    /// Endpoint.
    pub endpoint: String,
    /// Address.
    pub ip: Ipv4Addr,
    /// Ethernet address.
    pub mac: MacAddr,
    /// Names that it answers to; none for a load balancer.
    pub names: Vec<String>,
}

/// One line of a member's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// An endpoint came.
    Join(Entry),
    /// The endpoint of a line left.
    Leave(u32),
}

/// A member.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its host.
    pub host: HostId,
    /// 25 characters.
    pub id: String,
    /// Name of its host.
    pub name: String,
    /// It takes part in the managers' decisions.
    pub manager: bool,
    /// It belongs to the cluster.
    pub member: bool,
    /// When it left.
    pub left: Option<crate::kernel::types::Nanos>,
    /// `docker node rm` took it out of the list.
    pub removed: bool,
    /// Address that others reach it by, also by VXLAN.
    pub addr: Ipv4Addr,
    /// Its talk with the others.
    pub app: Option<AppId>,
    /// It was let in among those who talk.
    pub talking: bool,
    /// What it told of its endpoints.
    pub log: Vec<Change>,
    /// Name by which `docker network inspect` lists it.
    pub peer: String,
}

/// A network of a cluster.
#[derive(Clone, Debug)]
pub struct Shared {
    /// As engines have it.
    pub net: Network,
    /// VXLAN numbers, one for each subnet.
    pub vnis: Vec<u32>,
    /// It was removed.
    pub gone: bool,
    /// The address given last, where they are given in turn.
    last: Option<Ipv4Addr>,
    used: BTreeSet<Ipv4Addr>,
    /// Nodes that left with a container on it: to the managers its task is there until the node is removed.
    pub left_behind: Vec<usize>,
    /// Addresses of load balancers, by node, that a manager gave before the node needed them.
    balancers: IndexMap<usize, Ipv4Addr, crate::FxBuild>,
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// What holds it together.
    pub kind: Kind,
    /// Members, in the order they came.
    pub nodes: Vec<Node>,
    /// Networks, in the order they were made; those that are gone keep their place.
    pub networks: Vec<Shared>,
    /// Services, in the order they were made.
    pub services: Vec<crate::docker::service::Service>,
    by_id: IndexMap<String, usize, crate::FxBuild>,
    next_vni: u32,
    /// Where automatic pools come from, and their length.
    pub pool: (Ipv4Net, u8),
    /// Port of its tunnels.
    pub data_port: u16,
}

impl Cluster {
    /// A node leaves, and a container of its had this address.
    pub fn leave_behind(&mut self, network: usize, node: usize, ip: Option<Ipv4Addr>) {
        let s = &mut self.networks[network];
        s.left_behind.push(node);
        s.used.extend(ip);
    }

    /// Is there a task on the network whose node left?
    pub fn haunted(&self, network: usize) -> bool {
        self.networks[network].left_behind.iter().any(|n| !self.nodes[*n].removed)
    }

    /// A cluster without members.
    pub fn new(kind: Kind) -> Cluster {
        let next_vni = if matches!(kind, Kind::Swarm { .. }) { FIRST_VNI.0 } else { FIRST_VNI.1 };
        let base = Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), 8).unwrap_or_default();
        let (nodes, networks, services) = (Vec::new(), Vec::new(), Vec::new());
        Cluster {
            kind,
            nodes,
            networks,
            services,
            by_id: IndexMap::default(),
            next_vni,
            pool: (base, 24),
            data_port: super::PORT,
        }
    }

    /// A swarm gives numbers and addresses in turn; a store the lowest that is free.
    pub fn is_swarm(&self) -> bool {
        matches!(self.kind, Kind::Swarm { .. })
    }

    /// `swarm` or `global`.
    pub fn scope(&self) -> &'static str {
        if self.is_swarm() { "swarm" } else { "global" }
    }

    /// The place of a network, by its id.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied().filter(|i| !self.networks[*i].gone)
    }

    /// A network by name, id or beginning of an id.
    pub fn find(&self, key: &str) -> Option<&Shared> {
        let there = || self.networks.iter().filter(|s| !s.gone);
        let named = there().find(|s| s.net.name == key);
        named.or_else(|| there().find(|s| key.len() >= 2 && s.net.id.starts_with(key)))
    }

    /// The next free pool.
    ///
    /// # Errors
    /// None is left.
    pub fn next_pool(&self) -> Result<Ipv4Net, String> {
        let (base, len) = self.pool;
        let taken: BTreeSet<Ipv4Addr> =
            self.networks.iter().filter(|s| !s.gone).flat_map(|s| &s.net.subnets).map(|s| s.net.network()).collect();
        let wide: Vec<Ipv4Net> = self
            .networks
            .iter()
            .filter(|s| !s.gone)
            .flat_map(|s| &s.net.subnets)
            .map(|s| s.net)
            .filter(|n| n.prefix_len() != len)
            .collect();
        let free = |p: &Ipv4Net| {
            !taken.contains(&p.network()) && !wide.iter().any(|w| w.contains(&p.network()) || p.contains(&w.network()))
        };
        let mut pools = base.subnets(len).map_err(|e| e.to_string())?;
        pools.find(free).ok_or_else(|| {
            "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"
                .to_owned()
        })
    }

    /// Does a subnet meet one that is in use?
    pub fn overlaps(&self, net: &Ipv4Net) -> bool {
        let all = self.networks.iter().filter(|s| !s.gone).flat_map(|s| &s.net.subnets);
        all.into_iter().any(|s| s.net.contains(&net.network()) || net.contains(&s.net.network()))
    }

    /// Adds a network: numbers are chosen, gateways taken.
    pub fn add(&mut self, mut net: Network, given: Vec<u32>) -> usize {
        let mut vnis = given;
        while vnis.len() < net.subnets.len() {
            vnis.push(self.vni());
        }
        let list: Vec<String> = vnis.iter().map(u32::to_string).collect();
        if self.is_swarm() {
            net.options.insert("com.docker.network.driver.overlay.vxlanid_list".into(), list.join(","));
        }
        let used = net.subnets.iter().flat_map(|s| s.gateway.into_iter().chain(s.aux.values().copied())).collect();
        self.by_id.insert(net.id.clone(), self.networks.len());
        let last = net.subnets.first().and_then(|s| s.gateway);
        self.networks.push(Shared {
            net,
            vnis,
            gone: false,
            last,
            used,
            left_behind: Vec::new(),
            balancers: IndexMap::default(),
        });
        self.networks.len() - 1
    }

    fn vni(&mut self) -> u32 {
        if self.is_swarm() {
            self.next_vni += 1;
            return self.next_vni - 1;
        }
        let taken: BTreeSet<u32> = self.networks.iter().filter(|s| !s.gone).flat_map(|s| s.vnis.clone()).collect();
        (self.next_vni..).find(|v| !taken.contains(v)).unwrap_or(self.next_vni)
    }

    /// Takes an address: the one wanted, else the next (swarm) or the lowest (store).
    ///
    /// # Errors
    /// It is taken, or none is left.
    pub fn take(&mut self, network: usize, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, String> {
        let swarm = self.is_swarm();
        let Some(s) = self.networks.get_mut(network) else { return Err("there is no such network".into()) };
        if let Some(a) = wanted {
            return if s.used.insert(a) { Ok(a) } else { Err("Address already in use".into()) };
        }
        let after = s.last.filter(|_| swarm);
        let (used, subnets) = (&s.used, &s.net.subnets);
        let found = subnets.iter().find_map(|n| next_free(n, used, after.filter(|a| n.net.contains(a))));
        let Some(a) = found else {
            let (name, id) = (&s.net.name, &s.net.id);
            return Err(format!("no available IPv4 addresses on this network's address pools: {name} ({id})"));
        };
        s.used.insert(a);
        s.last = Some(a);
        Ok(a)
    }

    /// A node will need a load balancer on a network.
    pub fn reserve_balancer(&mut self, network: usize, node: usize) {
        if self.networks.get(network).is_some_and(|s| !s.balancers.contains_key(&node))
            && let Ok(a) = self.take(network, None)
        {
            self.networks[network].balancers.insert(node, a);
        }
    }

    /// The address of a node's load balancer: what was set aside, else the next.
    ///
    /// # Errors
    /// None is left.
    pub fn balancer_address(&mut self, network: usize, node: usize) -> Result<Ipv4Addr, String> {
        match self.networks.get_mut(network).and_then(|s| s.balancers.swap_remove(&node)) {
            Some(a) => Ok(a),
            None => self.take(network, None),
        }
    }

    /// Gives an address back.
    pub fn free(&mut self, network: usize, a: Ipv4Addr) {
        if let Some(s) = self.networks.get_mut(network) {
            s.used.remove(&a);
        }
    }
}

/// The first free address of a subnet, or the first after one, going round.
fn next_free(s: &Subnet, used: &BTreeSet<Ipv4Addr>, after: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
    let range = s.range.unwrap_or(s.net);
    let (first, last) = (u32::from(range.network()), u32::from(range.broadcast()));
    let ends = s.net.prefix_len() < 31;
    let good = |a: &Ipv4Addr| !(ends && (*a == s.net.network() || *a == s.net.broadcast())) && !used.contains(a);
    let from = after.map_or(first, |a| u32::from(a).saturating_add(1)).clamp(first, last);
    (from..=last).chain(first..from).map(Ipv4Addr::from).find(good)
}

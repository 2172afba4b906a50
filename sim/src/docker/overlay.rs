//! The overlay driver (libnetwork drivers/overlay): a namespace for each network that has a container on the host, with
//! a bridge and a VXLAN device for each subnet. In reading order: [`cluster`] (what engines share), `network` (making
//! and removing), [`balancer`] (the address that each node takes), [`peers`] (the entries of endpoints elsewhere).

pub mod balancer;
pub mod cluster;
mod network;
pub mod peers;

use std::net::Ipv4Addr;

use super::types::{Endpoint, Engine, Mode, Network, Profile};
use super::{Docker, link};
use crate::kernel::types::{DevId, MSEC, Nanos, NetnsId, SEC};
use crate::kernel::vxlan::VxlanCfg;
use crate::op::{LinkChange, NewLink, Op, OpReply, RouteSpec, RouteVerb};

pub use balancer::Balancer;
pub use network::{NOT_MANAGER, WORKER};

/// IANA's port for VXLAN, which the driver uses.
pub const PORT: u16 = 4789;
/// What a manager needs to give a container its address (the attachment task).
const ATTACH_NS: u64 = 400 * MSEC;
/// How long an engine waits for it (`swarmRequestTimeout`).
const ATTACH_TIMEOUT_NS: u64 = 20 * SEC;

/// An overlay network's namespace on a host (`networkSandbox`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overlay {
    /// Its place among the cluster's networks.
    pub network: usize,
    /// Namespace.
    pub ns: NetnsId,
    /// Name below `/var/run/docker/netns`: how often it was made, and the network.
    pub file: String,
    /// Bridge and VXLAN device of each subnet.
    pub subnets: Vec<(DevId, DevId)>,
    /// The node's load balancer.
    pub balancer: Option<Balancer>,
    /// Members whose endpoints are known here.
    pub synced: Vec<bool>,
    /// Containers that have an endpoint.
    pub users: usize,
    next_veth: u32,
    /// When the node began to take part.
    pub since: Nanos,
}

impl Engine {
    /// The namespace of a file below `/var/run/docker/netns`.
    pub fn netns_file(&self, name: &str) -> Option<NetnsId> {
        let of = |o: &Overlay| {
            let own = (o.file == name).then_some(o.ns);
            own.or_else(|| o.balancer.as_ref().filter(|b| b.file == name).map(|b| b.ns))
        };
        let container = || {
            let found =
                self.containers.values().find(|c| c.mode == Mode::Networks && c.sandbox.get(..12) == Some(name));
            found.and_then(|c| c.netns)
        };
        self.overlays.values().find_map(of).or_else(container)
    }

    /// Names of the files below `/var/run/docker/netns`.
    pub fn netns_files(&self) -> Vec<String> {
        let running = self.containers.values().filter(|c| c.netns.is_some() && c.sandbox.len() >= 12);
        let own = running.map(|c| match c.mode {
            Mode::Host => "default".to_owned(),
            _ => c.sandbox[..12].to_owned(),
        });
        let balancers = self.overlays.values().filter_map(|o| o.balancer.as_ref()).map(|b| b.file.clone());
        let mut all: Vec<String> = own.chain(self.overlays.values().map(|o| o.file.clone())).chain(balancers).collect();
        all.sort();
        all.dedup();
        all
    }

    /// `overlay:NETWORK`, `lb:NETWORK`, `ingress_sbox`: the engine's own namespaces as places.
    pub fn sandbox_place(&self, place: &str) -> Option<NetnsId> {
        let of =
            |name: &str| self.overlays.iter().find(|(id, _)| self.networks.get(*id).is_some_and(|n| n.name == name));
        let balancer = |name: &str| of(name).and_then(|(_, o)| o.balancer.as_ref().map(|b| b.ns));
        match place.split_once(':') {
            Some(("overlay", name)) => of(name).map(|(_, o)| o.ns),
            Some(("lb", name)) => balancer(name),
            None if place == "ingress_sbox" => balancer("ingress"),
            _ => None,
        }
    }
}

impl Docker<'_> {
    /// Is it an overlay network?
    pub(super) fn is_overlay(&self, network: &str) -> bool {
        self.e().networks.get(network).is_some_and(|n| n.driver == "overlay")
    }

    /// The cluster that this engine belongs to, and its number there.
    pub fn member(&self) -> Option<(&cluster::Cluster, usize)> {
        let (c, n) = self.e().member?;
        self.s.clusters.get(c).filter(|c| c.nodes.get(n).is_some_and(|n| n.member)).map(|c| (c, n))
    }

    pub(super) fn member_mut(&mut self) -> Option<(&mut cluster::Cluster, usize)> {
        let (c, n) = self.e().member?;
        self.s.clusters.get_mut(c).filter(|c| c.nodes.get(n).is_some_and(|n| n.member)).map(|c| (c, n))
    }

    /// An attachable network of the swarm, which comes to a worker with its first container.
    pub(super) fn swarm_network(&mut self, key: &str) -> Option<Network> {
        let (c, _) = self.member()?;
        let n = c.find(key)?.net.clone();
        if !n.attachable && c.is_swarm() {
            return None;
        }
        self.em().networks.insert(n.id.clone(), n.clone());
        Some(n)
    }

    /// The task of an attachment never comes to run, and the engine gives up.
    fn attach_timeout(&mut self) -> String {
        self.s.advance(ATTACH_TIMEOUT_NS);
        "attaching to network failed, make sure your network options are correct and check manager logs: context \
         deadline exceeded"
            .into()
    }

    /// An address of a network of the cluster.
    pub(super) fn cluster_address(&mut self, n: &Network, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, String> {
        if n.scope == "swarm" && !n.attachable {
            return Err(format!(
                "Could not attach to network {}: rpc error: code = PermissionDenied desc = network {} not \
                                manually attachable",
                n.name, n.name
            ));
        }
        let odd_mtu = n.options.get("com.docker.network.driver.mtu").is_some_and(|m| m.parse::<i64>().is_err());
        let stray = wanted.is_some_and(|ip| !n.subnets.iter().any(|s| s.net.contains(&ip)));
        if n.scope == "swarm" && (n.driver.is_empty() || odd_mtu || stray) {
            return Err(self.attach_timeout());
        }
        if let Some(ip) = wanted.filter(|_| stray) {
            return Err(format!("Invalid address {ip}: It does not belong to any of this network's subnets"));
        }
        let Some((c, _)) = self.member_mut() else { return Err(format!("network {} not found", n.id)) };
        let Some(at) = c.place(&n.id) else { return Err(format!("network {} not found", n.id)) };
        let swarm = c.is_swarm();
        let ip = match c.take(at, wanted) {
            // The manager waits for the address to come free, the engine for the manager.
            Err(_) if swarm && wanted.is_some() => {
                return Err(self.attach_timeout());
            }
            taken => taken?,
        };
        if swarm {
            self.s.advance(ATTACH_NS);
        }
        Ok(ip)
    }

    /// The network's namespace, made with its first user; its load balancer comes before all others.
    pub(super) fn overlay_up(&mut self, n: &Network) -> Result<(), String> {
        if self.e().overlays.contains_key(&n.id) {
            return Ok(());
        }
        let Some((c, _)) = self.member() else { return Err(format!("network {} not found", n.id)) };
        let Some(at) = c.place(&n.id) else { return Err(format!("network {} not found", n.id)) };
        let (vnis, members, swarm) = (c.networks[at].vnis.clone(), c.nodes.len(), c.is_swarm());
        self.test_vxlan()?;
        let epoch = self.em().epochs.entry(n.id.clone()).or_default();
        *epoch += 1;
        let file: String = format!("{epoch}-{}", n.id).chars().take(12).collect();
        let label = format!("{}/overlay:{}", self.s.kernel.host(self.host).name, n.name);
        let ns = self.plain_netns(label)?;
        let mut o = Overlay {
            network: at,
            ns,
            file,
            subnets: Vec::new(),
            balancer: None,
            synced: vec![false; members],
            users: 0,
            next_veth: 0,
            since: self.s.kernel.now(),
        };
        for (i, vni) in (0..n.subnets.len()).zip(vnis) {
            o.subnets.push(self.overlay_subnet(n, ns, i, vni)?);
        }
        self.em().overlays.insert(n.id.clone(), o);
        if swarm {
            self.balancer_up(n)?;
            // The network came to this host with it (`NewNetwork`).
            if self.profile() == Profile::V20 {
                self.user_chain();
            }
        }
        self.ask_peers(&n.id);
        Ok(())
    }

    /// A namespace with `lo` up and without a process, held by its file in `/run/docker/netns`.
    pub(super) fn plain_netns(&mut self, label: String) -> Result<NetnsId, String> {
        let op = Op::NetnsAdd { host: self.host, name: None, label: Some(label) };
        let OpReply::Netns(ns) = self.op(&op)? else { return Err("the namespace was not made".into()) };
        self.s.kernel.ns_mut(ns).mounted = true;
        if let Some(lo) = self.s.kernel.dev_by_name(ns, "lo") {
            self.change(lo, vec![LinkChange::Up(true)])?;
        }
        Ok(ns)
    }

    /// The file goes, and the namespace with it unless somebody else holds it.
    fn unmount_netns(&mut self, ns: NetnsId) {
        self.s.kernel.ns_mut(ns).mounted = false;
        self.s.kernel.netns_put(ns);
    }

    /// Before its first network 20.10 tries whether there is VXLAN (`networkOnceInit`).
    fn test_vxlan(&mut self) -> Result<(), String> {
        if self.profile() != Profile::V20 || !self.e().epochs.is_empty() {
            return Ok(());
        }
        let kind = NewLink::Vxlan(Box::new(VxlanCfg { vni: 1, port: PORT, ..VxlanCfg::default() }));
        let OpReply::Dev(dev) = self.op(&Op::LinkAdd { spec: link(self.ns(), "testvxlan"), kind })? else {
            return Ok(());
        };
        self.op(&Op::LinkDel { dev }).map(|_| ())
    }

    /// Bridge and VXLAN device of a subnet (`setupSubnetSandbox`). The device is made on the host, where its packets
    /// go in and out, and moves.
    fn overlay_subnet(&mut self, n: &Network, ns: NetnsId, i: usize, vni: u32) -> Result<(DevId, DevId), String> {
        let Some(s) = n.subnets.get(i) else { return Err("there is no such subnet".into()) };
        let mtu = n.overlay_mtu();
        let spec = link(ns, &format!("br{i}"));
        let OpReply::Dev(bridge) = self.op(&Op::LinkAdd { spec, kind: NewLink::Bridge(Vec::new()) })? else {
            return Err("the bridge was not made".into());
        };
        if let Some(g) = s.gateway {
            self.address(bridge, g, s.net.prefix_len())?;
        }
        self.change(bridge, vec![LinkChange::Up(true)])?;
        let port = self.member().map_or(PORT, |(c, _)| c.data_port);
        let cfg = VxlanCfg { vni, port, proxy: true, l2miss: true, l3miss: true, ..VxlanCfg::default() };
        let mut spec = link(self.ns(), &format!("vx-{vni:06x}-{}", &n.id[..5]));
        spec.mtu = Some(mtu);
        let made = self.op(&Op::LinkAdd { spec, kind: NewLink::Vxlan(Box::new(cfg)) });
        let OpReply::Dev(vxlan) = made.map_err(|e| format!("error creating vxlan interface: {e}"))? else {
            return Err("the vxlan device was not made".into());
        };
        self.change(vxlan, vec![LinkChange::Netns(ns), LinkChange::Name(format!("vxlan{i}"))])?;
        self.change(vxlan, vec![LinkChange::Master(Some(bridge))])?;
        self.change(vxlan, vec![LinkChange::Up(true)])?;
        Ok((bridge, vxlan))
    }

    /// An endpoint's pair: one end in the network's namespace, the other where its container is.
    pub(super) fn overlay_link(
        &mut self,
        n: &Network,
        ns: NetnsId,
        e: &Endpoint,
        ifname: String,
    ) -> Result<(DevId, DevId), String> {
        self.overlay_up(n)?;
        let (root, mtu) = (self.ns(), n.overlay_mtu());
        let (a, b) = (self.veth_name(), self.veth_name());
        let (mut spec, mut peer) = (link(root, &a), link(root, &b));
        (spec.mtu, peer.mtu) = (Some(mtu), Some(mtu));
        self.op(&Op::LinkAdd { spec, kind: NewLink::Veth { peer } })?;
        let find = |name: &str| self.s.kernel.dev_by_name(root, name);
        let Some((near, dev)) = find(&a).zip(find(&b)) else { return Err("the veth pair was not made".into()) };
        let i = e.ip.and_then(|ip| n.subnets.iter().position(|s| s.net.contains(&ip))).unwrap_or(0);
        let v20 = self.profile() == Profile::V20;
        let Some(o) = self.em().overlays.get_mut(&n.id) else { return Err(format!("network {} not found", n.id)) };
        let (inside, bridge) = (o.ns, o.subnets.get(i).map(|s| s.0));
        let number = o.next_veth;
        o.next_veth += 1;
        let free = |k: &u32| self.s.kernel.dev_by_name(inside, &format!("veth{k}")).is_none();
        let number = if v20 { number } else { (0..).find(free).unwrap_or(number) };
        self.change(near, vec![LinkChange::Netns(inside), LinkChange::Name(format!("veth{number}"))])?;
        self.change(near, vec![LinkChange::Master(bridge)])?;
        self.change(near, vec![LinkChange::Up(true)])?;
        let mut changes = vec![LinkChange::Netns(ns), LinkChange::Name(ifname)];
        changes.extend(e.mac.map(LinkChange::Mac));
        self.change(dev, changes)?;
        Ok((near, dev))
    }

    /// The other subnets of the network lie behind the own one's gateway, which is the bridge (`AddStaticRoute`).
    pub(super) fn overlay_routes(&mut self, n: &Network, ns: NetnsId, dev: DevId, ip: Ipv4Addr) -> Result<(), String> {
        let Some(own) = n.subnets.iter().find(|s| s.net.contains(&ip)).filter(|_| n.driver == "overlay") else {
            return Ok(());
        };
        for other in n.subnets.iter().filter(|s| s.net != own.net) {
            let route = RouteSpec { dst: other.net, ..RouteSpec::default_route(own.gateway, Some(dev)) };
            self.op(&Op::RouteAdd { netns: ns, verb: RouteVerb::Add, route })?;
        }
        Ok(())
    }

    /// A container is on the network: the others hear of it.
    pub(super) fn overlay_joined(&mut self, id: &str, n: &Network) {
        if n.driver != "overlay" {
            return;
        }
        if let Some(o) = self.em().overlays.get_mut(&n.id) {
            o.users += 1;
        }
        let c = self.c(id);
        if let Some(e) = c.endpoints.get(&n.name) {
            let mut names = super::resolver::names_of(self.profile(), &c, e);
            // Without a virtual address the service's name stands for its tasks.
            names.extend(c.service.iter().flat_map(|s| [s.clone(), format!("tasks.{s}")]));
            self.tell_join(n, &e.clone(), names);
        }
    }

    /// A container left a network, as its endpoint was; the last one takes the namespace along.
    pub(super) fn overlay_left(&mut self, id: &str, name: &str, e: &Endpoint) {
        if name == super::gwbridge::NAME {
            self.cm(id).endpoints.shift_remove(name);
            return;
        }
        let Some(n) = self.e().networks.get(&e.network).filter(|n| n.scope != "local").cloned() else { return };
        if let (Some(ip), Some((c, _))) = (e.ip, self.member_mut())
            && let Some(at) = c.place(&n.id)
        {
            c.free(at, ip);
        }
        if e.dev.is_none() {
            return;
        }
        self.tell_leave(&e.id);
        let Some(o) = self.em().overlays.get_mut(&n.id) else { return };
        o.users = o.users.saturating_sub(1);
        if o.users == 0 {
            self.overlay_down(&n);
        }
    }

    /// The namespace of a network goes, and the network with it from a worker.
    pub(super) fn overlay_down(&mut self, n: &Network) {
        self.balancer_down(n);
        let Some(o) = self.em().overlays.shift_remove(&n.id) else { return };
        for dev in o.subnets.iter().flat_map(|(b, v)| [*v, *b]) {
            if let Err(e) = self.op(&Op::LinkDel { dev }) {
                self.em().log.push(format!("could not delete a device of {}: {e}", n.name));
            }
        }
        self.unmount_netns(o.ns);
        let worker = self.member().is_some_and(|(c, me)| c.is_swarm() && !c.nodes[me].manager);
        if worker {
            self.em().networks.shift_remove(&n.id);
        }
    }
}

impl Network {
    /// MTU of what is on an overlay: 50 bytes less than the network below, or than the option says.
    pub fn overlay_mtu(&self) -> u32 {
        self.mtu().unwrap_or(1500).saturating_sub(50).max(68)
    }
}

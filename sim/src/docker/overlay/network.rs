//! Overlay networks made and removed, by way of the cluster (moby daemon/cluster/networks.go; libnetwork for a store).

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use crate::docker::Docker;
use crate::docker::network::{NetSpec, subnet_given};
use crate::docker::types::{Network, Profile, Subnet};

/// What a node says that may not decide.
pub const NOT_MANAGER: &str = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to \
                               connect this node to swarm and try again.";
/// What a worker says.
pub const WORKER: &str = "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. \
                          Please run this command on a manager node or promote the current node to a manager.";

impl Docker<'_> {
    /// May this node change the cluster?
    ///
    /// # Errors
    /// It is in none, or a worker.
    pub fn must_manage(&self) -> Result<(), String> {
        match self.member() {
            None => Err(NOT_MANAGER.into()),
            Some((c, me)) if c.is_swarm() && !c.nodes[me].manager => Err(WORKER.into()),
            Some(_) => Ok(()),
        }
    }

    pub(in crate::docker) fn overlay_create(&mut self, spec: &NetSpec) -> Result<String, String> {
        // libnetwork looks first (`NewNetwork`), and has words of its own for a worker.
        self.must_manage().map_err(|e| match self.profile() {
            _ if e != WORKER => e,
            Profile::V20 => "Cannot create a multi-host network from a worker node. Please create the network from a \
                             manager node."
                .to_owned(),
            _ => NOT_MANAGER.to_owned(),
        })?;
        let Some((c, _)) = self.member() else { return Err(NOT_MANAGER.into()) };
        if c.find(&spec.name).is_some_and(|s| s.net.name == spec.name) {
            return Err(format!("network with name {} already exists", spec.name));
        }
        if spec.options.contains_key("encrypted") {
            return Err("encrypted overlay networks are not modelled".into());
        }
        let subnets = self.overlay_subnets(spec)?;
        let Some((c, _)) = self.member() else { return Err(NOT_MANAGER.into()) };
        let vnis = match vni_list(spec) {
            Ok(vnis) => vnis,
            Err(e) if !c.is_swarm() => return Err(e),
            Err(_) => return self.overlay_pending(spec),
        };
        let clash = subnets.iter().any(|s| c.overlaps(&s.net));
        let taken = c.networks.iter().any(|n| !n.gone && n.vnis.iter().any(|v| vnis.contains(v)));
        if c.is_swarm() && (clash || taken) {
            return self.overlay_pending(spec);
        }
        let id = if self.member().is_some_and(|(c, _)| c.is_swarm()) { self.swarm_id() } else { self.new_id() };
        self.overlay_add(spec, id, subnets, vnis)
    }

    /// A swarm's manager takes any network; one that its allocator then has no place for never gets a driver.
    fn overlay_pending(&mut self, spec: &NetSpec) -> Result<String, String> {
        let id = self.swarm_id();
        self.overlay_add(&NetSpec { driver: String::new(), ..spec.clone() }, id, Vec::new(), Vec::new())
    }

    /// Puts a network into the cluster; managers, and engines of a store, have it at once.
    pub(in crate::docker) fn overlay_add(
        &mut self,
        spec: &NetSpec,
        id: String,
        subnets: Vec<Subnet>,
        vnis: Vec<u32>,
    ) -> Result<String, String> {
        let created = self.s.kernel.now();
        let Some((c, _)) = self.member_mut() else { return Err(NOT_MANAGER.into()) };
        let net = Network {
            id: id.clone(),
            name: spec.name.clone(),
            driver: spec.driver.clone(),
            scope: c.scope().into(),
            auto_subnet: spec.subnets.is_empty(),
            subnets,
            internal: spec.internal,
            attachable: spec.attachable,
            options: spec.options.clone(),
            labels: spec.labels.clone(),
            created,
            bridge: None,
            bridge_name: String::new(),
            bridge_kept: false,
            config: None,
            config_from: spec.config_from.clone(),
        };
        let at = c.add(net, vnis);
        let net = c.networks[at].net.clone();
        let swarm = c.is_swarm();
        let hosts: Vec<_> = c.nodes.iter().filter(|n| n.member && (n.manager || !swarm)).map(|n| n.host).collect();
        for h in hosts {
            if let Some(e) = self.s.engines.get_mut(&h) {
                e.networks.insert(id.clone(), net.clone());
            }
        }
        Ok(id)
    }

    fn overlay_subnets(&self, spec: &NetSpec) -> Result<Vec<Subnet>, String> {
        let Some((c, _)) = self.member() else { return Err(NOT_MANAGER.into()) };
        let v20 = self.profile() == Profile::V20;
        let mut aux = IndexMap::new();
        for (k, v) in &spec.aux {
            aux.insert(k.clone(), v.parse().map_err(|_| format!("invalid auxiliary address {v}"))?);
        }
        if spec.subnets.is_empty() {
            let net = c.next_pool()?;
            let s = Subnet { net, given: None, range: None, gateway: None, gateway_given: false, aux };
            let gateway = crate::docker::ipam::lowest(&s, |_| false);
            return Ok(vec![Subnet { gateway, ..s }]);
        }
        let mut out: Vec<Subnet> = Vec::new();
        for given in &spec.subnets {
            let net = subnet_given(given, v20)?;
            if !c.is_swarm() && c.overlaps(&net) {
                return Err("Pool overlaps with other one on this address space".into());
            }
            let inside = |t: &String| t.parse::<Ipv4Addr>().ok().filter(|a| net.contains(a));
            let asked = spec.gateways.iter().find_map(inside);
            let range =
                spec.ranges.iter().filter_map(|r| r.parse::<Ipv4Net>().ok()).find(|r| net.contains(&r.network()));
            let mine: IndexMap<String, Ipv4Addr> =
                aux.iter().filter(|(_, a)| net.contains(*a)).map(|(k, a)| (k.clone(), *a)).collect();
            let s = Subnet {
                net,
                given: Some(given.clone()),
                range: range.map(|r| r.trunc()),
                gateway: None,
                gateway_given: asked.is_some(),
                aux: mine,
            };
            let gateway = asked.or_else(|| crate::docker::ipam::lowest(&s, |a| s.aux.values().any(|x| *x == a)));
            out.push(Subnet { gateway, ..s });
        }
        Ok(out)
    }

    pub(in crate::docker) fn overlay_remove(&mut self, n: &Network) -> Result<(), String> {
        self.must_manage()?;
        let Some((c, _)) = self.member() else { return Err(NOT_MANAGER.into()) };
        let (swarm, v20) = (c.is_swarm(), self.profile() == Profile::V20);
        let Some(at) = c.place(&n.id) else { return Err(format!("network {} not found", n.name)) };
        if n.name == super::balancer::INGRESS {
            return Err("removing the ingress network is not modelled".into());
        }
        if let Some(s) = c.services.iter().find(|s| swarm && s.networks.contains(&n.name)) {
            let (id, service) = (&n.id, &s.id);
            return Err(format!(
                "rpc error: code = FailedPrecondition desc = network {id} is in use by service {service}"
            ));
        }
        let hosts: Vec<_> = c.nodes.iter().filter(|n| n.member).map(|n| n.host).collect();
        let haunted = swarm && c.haunted(at);
        let on = |e: &crate::docker::Engine| e.overlays.get(&n.id).is_some_and(|o| o.users > 0);
        if haunted || hosts.iter().any(|h| self.s.engines.get(h).is_some_and(on)) {
            let (name, id) = (&n.name, &n.id);
            return Err(match (swarm, v20) {
                (true, _) => {
                    let task = self.swarm_id();
                    format!("rpc error: code = FailedPrecondition desc = network {id} is in use by task {task}")
                }
                (false, true) => format!("error while removing network: network {name} id {id} has active endpoints"),
                (false, false) => format!("error while removing network: network {name} has active endpoints"),
            });
        }
        if let Some((c, _)) = self.member_mut() {
            c.networks[at].gone = true;
        }
        for h in hosts {
            if let Some(e) = self.s.engines.get_mut(&h) {
                e.networks.shift_remove(&n.id);
            }
        }
        Ok(())
    }
}

fn vni_list(spec: &NetSpec) -> Result<Vec<u32>, String> {
    let Some(text) = spec.options.get("com.docker.network.driver.overlay.vxlanid_list") else { return Ok(Vec::new()) };
    let read = |v: &str| v.trim().parse().map_err(|_| format!("invalid vxlan id value \"{v}\" passed"));
    text.split(',').map(read).collect()
}

//! The network `bridge`, which a daemon makes anew at every start (daemon/daemon_unix.go).

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use super::Docker;
use super::types::{Config, Network, Profile, Subnet};
use crate::op::Op;

impl Docker<'_> {
    /// `initBridgeDriver`: the network `bridge` is made anew at every start.
    pub(super) fn default_bridge(&mut self) -> Result<(), String> {
        if let Some(old) = self.e().network("bridge").cloned() {
            // The driver has brought back what its store knew before the network is made anew.
            if let (Some(dev), Some(g)) = (self.s.kernel.dev_by_name(self.ns(), &old.bridge_name), old.gateway()) {
                let prefix = old.subnets.first().map_or(16, |s| s.net.prefix_len());
                if self.s.kernel.dev(dev).addrs.is_empty() {
                    self.address(dev, g, prefix)?;
                }
            }
            self.take_down(&old, false);
            // With pools of its own it also begins with a new device (`removeDefaultBridgeInterface`).
            if !self.e().config.pools.is_empty() {
                self.remove_docker0();
            }
        }
        let c = self.e().config.clone();
        if c.bridge.as_deref() == Some("none") {
            self.remove_docker0();
            return Ok(());
        }
        let name = c.bridge.clone().unwrap_or_else(|| "docker0".into());
        let ns = self.ns();
        let there = self.s.kernel.dev_by_name(ns, &name);
        if c.bridge.is_some() && there.is_none() {
            let e = if self.profile() == Profile::V20 { "Error" } else { "error" };
            return Err(format!(
                "Error initializing network controller: {e} creating default \"bridge\" network: bridge device with \
                 non default name {name} must be created manually"
            ));
        }
        let has = there.and_then(|d| self.s.kernel.dev(d).addrs.first().map(|a| (a.local, a.prefix)));
        let e = if self.profile() == Profile::V20 { "Error" } else { "error" };
        let creating = |why: &str| {
            format!("Error initializing network controller: {e} creating default \"bridge\" network: {why}")
        };
        let subnet = self.bridge_subnet(&c, has).map_err(|e| format!("Error initializing network controller: {e}"))?;
        self.check_pool(&subnet).map_err(|why| creating(&why))?;
        let id = self.new_id();
        let mut n = plain(&id, "bridge", "bridge", self.s.kernel.now());
        n.bridge_name.clone_from(&name);
        n.options = bridge_options(&c, &name);
        let mut taken: Vec<Ipv4Addr> = subnet.gateway.into_iter().collect();
        taken.extend(subnet.aux.values());
        n.subnets = vec![subnet];
        n.auto_subnet = true;
        self.em().addresses.insert(id, taken);
        self.bring_up(n).map_err(|why| creating(&why))
    }

    /// Can its gateway and that of its containers be had (`ipamAllocateVersion`)?
    fn check_pool(&self, s: &Subnet) -> Result<(), String> {
        let ends = super::ipam::ends(self.profile(), &s.net);
        if let Some(g) = s.gateway.filter(|g| ends.is_some_and(|e| e.contains(g))) {
            return Err(match s.net.prefix_len() {
                // It has none but its ends.
                31.. => format!("failed to allocate gateway ({g}): No available addresses on this pool"),
                _ => format!("failed to allocate gateway ({g}): Address already in use"),
            });
        }
        match s.aux.iter().find(|(_, a)| !s.net.contains(*a)) {
            Some((k, a)) => Err(format!("auxiliary address: ({k}:{a}) must belong to the master pool: {}", s.net)),
            None => Ok(()),
        }
    }

    fn remove_docker0(&mut self) {
        let Some(dev) = self.s.kernel.dev_by_name(self.ns(), "docker0") else { return };
        if let Err(e) = self.op(&Op::LinkDel { dev }) {
            self.em().log.push(format!("Failed to remove bridge interface docker0: {e}"));
        }
    }

    fn bridge_subnet(&mut self, c: &Config, has: Option<(Ipv4Addr, u8)>) -> Result<Subnet, String> {
        let bip = match &c.bip {
            None => None,
            Some(text) => Some(text.parse::<Ipv4Net>().map_err(|_| {
                let what = if self.profile() == Profile::V20 { "" } else { "parse bip failed: " };
                format!("{what}invalid CIDR address: {text}")
            })?),
        };
        let (net, gateway, given) = match (bip, has) {
            (Some(b), _) => (b.trunc(), Some(b.addr()), true),
            (None, Some((a, p))) => (Ipv4Net::new(a, p).map_err(|e| e.to_string())?.trunc(), Some(a), true),
            // Since 28 `--fixed-cidr` alone says where the bridge is.
            (None, None) if self.profile() != Profile::V20 && c.fixed_cidr.is_some() => {
                (c.fixed_cidr.unwrap_or_default(), None, false)
            }
            (None, None) => (self.bridge_pool()?, None, self.profile() != Profile::V20),
        };
        let mut aux = IndexMap::new();
        if let Some(g) = c.default_gateway {
            aux.insert("DefaultGatewayIPv4".to_owned(), g);
        }
        let range = c.fixed_cidr;
        let s = Subnet { net, given: None, range, gateway, gateway_given: given, aux };
        let gateway = s.gateway.or_else(|| super::ipam::lowest(&Subnet { range: None, ..s.clone() }, |_| false));
        Ok(Subnet { gateway, ..s })
    }
}

fn bridge_options(c: &Config, name: &str) -> IndexMap<String, String> {
    let ip = c.ip.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let pairs = [
        ("com.docker.network.bridge.default_bridge", "true".to_owned()),
        ("com.docker.network.bridge.enable_icc", c.icc.to_string()),
        ("com.docker.network.bridge.enable_ip_masquerade", (c.ip_masq && c.iptables).to_string()),
        ("com.docker.network.bridge.host_binding_ipv4", ip.to_string()),
        ("com.docker.network.bridge.name", name.to_owned()),
        ("com.docker.network.driver.mtu", c.mtu.to_string()),
    ];
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

/// A network with nothing of its own yet.
pub(super) fn plain(id: &str, name: &str, driver: &str, created: u64) -> Network {
    Network {
        id: id.to_owned(),
        name: name.to_owned(),
        driver: driver.to_owned(),
        scope: "local".into(),
        subnets: Vec::new(),
        auto_subnet: true,
        internal: false,
        attachable: false,
        options: IndexMap::new(),
        labels: IndexMap::new(),
        created,
        bridge: None,
        bridge_name: String::new(),
        bridge_kept: false,
        config: None,
        config_from: None,
    }
}

//! docker_gwbridge: the way out for containers whose networks give them none (libnetwork default_gateway.go).

use indexmap::IndexMap;

use super::Docker;
use super::types::{Endpoint, Mode, Network, Subnet};

/// Name of the network and of its bridge.
pub const NAME: &str = "docker_gwbridge";

impl Docker<'_> {
    /// The network, made when it is first needed.
    ///
    /// # Errors
    /// No pool is left.
    pub(super) fn gwbridge(&mut self) -> Result<Network, String> {
        if let Some(n) = self.e().network(NAME) {
            return Ok(n.clone());
        }
        let net = self.next_pool()?;
        let s = Subnet { net, given: None, range: None, gateway: None, gateway_given: false, aux: IndexMap::new() };
        let gateway = super::ipam::lowest(&s, |_| false);
        let pairs = [("enable_icc", "false"), ("enable_ip_masquerade", "true"), ("name", NAME)];
        let n = Network {
            id: self.new_id(),
            name: NAME.into(),
            driver: "bridge".into(),
            scope: "local".into(),
            subnets: vec![Subnet { gateway, ..s }],
            auto_subnet: true,
            internal: false,
            attachable: false,
            options: pairs.map(|(k, v)| (format!("com.docker.network.bridge.{k}"), v.to_owned())).into_iter().collect(),
            labels: IndexMap::new(),
            created: self.s.kernel.now(),
            bridge: None,
            bridge_name: NAME.into(),
            bridge_kept: false,
            config: None,
            config_from: None,
        };
        self.reserve(&n);
        let id = n.id.clone();
        self.bring_up(n)?;
        self.e().networks.get(&id).cloned().ok_or_else(|| "docker_gwbridge was not made".into())
    }

    /// Joins a container to it that needs it, takes away one that does not (`needDefaultGW`).
    pub(super) fn gwbridge_wanted(&mut self, id: &str) -> Result<(), String> {
        let c = self.c(id);
        let has = c.endpoints.contains_key(NAME);
        if c.mode != Mode::Networks || (!has && !c.endpoints.values().any(|e| self.is_overlay(&e.network))) {
            return Ok(());
        }
        let joined = self.by_gateway(&c);
        let other = joined.iter().any(|(name, _, n)| name != NAME && n.driver != "overlay");
        let outside = joined.iter().any(|(_, _, n)| n.driver == "overlay" && !n.internal);
        let wanted = outside && !other;
        if wanted && !has {
            let network = self.gwbridge()?.id;
            self.cm(id).endpoints.insert(NAME.into(), Endpoint { network, ..Endpoint::default() });
            return self.attach(id, NAME);
        }
        if has && !wanted {
            let at = c.endpoints.get(NAME).map(|e| e.network.clone()).unwrap_or_default();
            self.unpublish_at(id, &at);
            self.detach(id, NAME);
        }
        Ok(())
    }
}

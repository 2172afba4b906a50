//! `docker network create --config-only` and `--config-from` (libnetwork/network.go: `validateConfiguration`,
//! `applyConfigurationTo`): a network that is no more than a sheet of settings, and others made from it.

use super::Docker;
use super::network::{NetSpec, subnet_given};
use super::types::{Network, Profile, Subnet};

/// What an endpoint on a sheet of settings is refused with (`Network.CreateEndpoint`).
pub(super) const NO_ENDPOINT: &str = "cannot create endpoint on configuration-only network";

/// What the one may not ask for and the other may not ask for itself.
fn validate(s: &NetSpec) -> Result<(), String> {
    if s.config_only && (s.internal || s.attachable) {
        return Err("configuration network can only contain network specific fields. Network operator fields like \
                    [ ingress | internal | attachable | scope ] are not supported."
            .into());
    }
    if s.config_from.is_none() {
        return Ok(());
    }
    let depends = "not supported if the network depends on a configuration network";
    if s.config_only {
        return Err("a configuration network cannot depend on another configuration network".into());
    }
    if !s.labels.is_empty() || !s.subnets.is_empty() {
        return Err(format!("user specified configurations are {depends}"));
    }
    if !s.options.is_empty() {
        return Err(format!("network driver options are {depends}"));
    }
    Ok(())
}

impl Docker<'_> {
    /// A network's settings, with those of the sheet it is made from; none where it is a sheet itself, which then is
    /// there.
    ///
    /// # Errors
    /// The engine's sentence; on the right the id of the sheet.
    pub(super) fn configured(&mut self, spec: &NetSpec) -> Result<Result<NetSpec, String>, String> {
        validate(spec)?;
        if spec.config_only {
            return self.config_network(spec).map(Err);
        }
        let Some(name) = &spec.config_from else { return Ok(Ok(spec.clone())) };
        let sheet = self.e().networks.values().find(|n| n.name == *name).and_then(|n| n.config.clone());
        let Some(s) = sheet else { return Err(format!("configuration network \"{name}\" does not exist")) };
        Ok(Ok(NetSpec {
            name: spec.name.clone(),
            driver: spec.driver.clone(),
            internal: spec.internal,
            attachable: spec.attachable,
            config_from: spec.config_from.clone(),
            ..*s
        }))
    }

    /// Kept as it was asked for: no pool is taken and no driver looks at it.
    fn config_network(&mut self, spec: &NetSpec) -> Result<String, String> {
        let mut subnets = Vec::new();
        for (i, given) in spec.subnets.iter().enumerate() {
            let gateway = spec.gateways.get(i).and_then(|g| g.parse().ok());
            let first = i == 0;
            subnets.push(Subnet {
                net: subnet_given(given, self.profile() == Profile::V20)?,
                given: Some(given.clone()),
                range: spec.ranges.get(i).and_then(|r| r.parse().ok()),
                gateway,
                gateway_given: gateway.is_some(),
                aux: spec
                    .aux
                    .iter()
                    .filter(|_| first)
                    .filter_map(|(k, v)| Some((k.clone(), v.parse().ok()?)))
                    .collect(),
            });
        }
        let (id, now) = (self.new_id(), self.s.kernel.now());
        let config = Some(Box::new(spec.clone()));
        let n = Network { subnets, config, ..Network::bare(spec, &id, "null", now) };
        self.em().networks.insert(id.clone(), n);
        Ok(id)
    }

    /// Is a sheet of settings in use by another network?
    pub(super) fn config_in_use(&self, n: &Network) -> bool {
        self.e().networks.values().any(|o| o.config_from.as_deref() == Some(n.name.as_str()))
    }
}

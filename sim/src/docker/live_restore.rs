//! `--live-restore`: the daemon goes and its containers stay; the next one takes them over (daemon/daemon.go `Shutdown`,
//! `restore`; libnetwork sandbox_store.go, bridge_store.go).

use super::Docker;
use super::rules;
use super::types::{Bound, State};

impl Docker<'_> {
    /// Are containers left running when this daemon goes, or were they found so when it began?
    pub(super) fn keeps_containers(&self) -> bool {
        let lives = |s: State| matches!(s, State::Running | State::Paused);
        self.e().config.live_restore && self.e().containers.values().any(|c| lives(c.state))
    }

    /// What dies with the daemon: docker-proxy of every port, and the name servers, which are threads of its own.
    pub(super) fn helpers_end(&mut self) {
        let ids: Vec<String> = self.e().containers.keys().cloned().collect();
        for id in ids {
            let c = self.cm(&id);
            let mut gone: Vec<_> = c.bound.iter_mut().filter_map(|b| b.proxy.take()).collect();
            for app in &gone {
                let pid = self.s.apps.get(*app).pid;
                self.s.pid_gone(pid);
            }
            let c = self.cm(&id);
            if let Some(app) = c.resolver.take() {
                c.apps.retain(|a| *a != app);
                gone.push(app);
            }
            for app in gone {
                self.s.apps.kill(&mut self.s.kernel, app, 143);
            }
        }
    }

    /// Takes the containers over that it finds running: endpoints and ports in the order of the endpoints' keys
    /// (`populateEndpoints`, `restorePortAllocations`), then the name servers (`restoreOslSandbox`).
    pub(super) fn take_over(&mut self) -> Result<(), String> {
        let mut found: Vec<(String, String, String)> = Vec::new();
        for c in self.e().containers.values().filter(|c| c.netns.is_some()) {
            found.extend(c.endpoints.iter().map(|(n, e)| (e.id.clone(), c.id.clone(), n.clone())));
        }
        found.retain(|(endpoint, ..)| !endpoint.is_empty());
        found.sort();
        for (_, id, network) in &found {
            self.endpoint_again(id, network)?;
        }
        let mut ids: Vec<String> = found.into_iter().map(|(_, id, _)| id).collect();
        ids.dedup();
        for id in ids {
            self.resolver_again(&id);
        }
        Ok(())
    }

    fn endpoint_again(&mut self, id: &str, network: &str) -> Result<(), String> {
        let c = self.c(id);
        let Some(e) = c.endpoints.get(network) else { return Ok(()) };
        let (Some(ip), Some(n)) = (e.ip, self.e().networks.get(&e.network).cloned()) else { return Ok(()) };
        if n.driver != "bridge" {
            return Ok(());
        }
        let (p, r) = (self.profile(), self.net_rules(&n));
        self.calls(&rules::endpoint(p, &r, ip))?;
        if c.bound_for != e.id {
            return Ok(());
        }
        let mut again: Vec<Bound> = Vec::new();
        for b in c.bound {
            again.push(self.bind_again(&n, ip, b)?);
        }
        self.cm(id).bound = again;
        Ok(())
    }

    fn resolver_again(&mut self, id: &str) {
        let Some(ns) = self.c(id).netns else { return };
        if let Some(Some(ports)) = self.resolver_app(id) {
            self.resolver_rules_again(ns, ports);
        }
        self.names_told(id);
    }
}

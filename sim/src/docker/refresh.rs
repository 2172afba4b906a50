//! `docker rm --link` of a container that runs: its sandbox leaves all endpoints and joins them again with what links
//! are left (daemon/delete.go: `rmLink`; libnetwork/sandbox.go: `Refresh`). The endpoints stay: addresses, host ends of
//! the pairs and their rules.

use super::Docker;
use super::types::{LinkEnds, Mode, Profile, State};
use crate::op::LinkChange;

impl Docker<'_> {
    /// A container on the default bridge learns that a link went.
    ///
    /// # Errors
    /// The engine's sentence, which it only writes down.
    pub(super) fn refresh(&mut self, id: &str) -> Result<(), String> {
        let c = self.c(id);
        if c.state != State::Running || c.mode != Mode::Networks || !c.endpoints.contains_key("bridge") {
            return Ok(());
        }
        let joined: Vec<String> = self.by_gateway(&c).into_iter().map(|(name, ..)| name).collect();
        self.unpublish(id);
        for n in &joined {
            // Each is the way out in turn, until it is left as well (`RevokeExternalConnectivity`).
            if let Some(ip) = c.endpoints.get(n).and_then(|e| e.ip) {
                self.forget_connections(ip);
            }
            self.step_out(id, n)?;
        }
        let c = self.cm(id);
        c.link_hosts.clear();
        c.linked = LinkEnds::default();
        c.bound_for.clear();
        if self.profile() == Profile::V20 {
            // Its options name the links that are left; those of 28 do not know of links.
            self.tell_links_anew(id);
        } else if let Some(e) = self.cm(id).endpoints.get_mut("bridge") {
            e.links_told = LinkEnds::default();
        }
        self.files_begin(id);
        for n in &joined {
            self.step_in(id, n)?;
        }
        self.regate(id, false)?;
        self.resolver(id);
        Ok(())
    }

    /// The sandbox leaves an endpoint: the interface goes back to the host, under a name of its own
    /// (`Namespace.RemoveInterface`).
    fn step_out(&mut self, id: &str, network: &str) -> Result<(), String> {
        if network == "bridge" {
            self.unlink(id);
        }
        let Some(e) = self.cm(id).endpoints.get_mut(network) else { return Ok(()) };
        e.outside = false;
        let Some(dev) = e.dev else { return Ok(()) };
        let name = self.veth_name();
        self.change(dev, vec![LinkChange::Up(false)])?;
        let root = self.ns();
        self.change(dev, vec![LinkChange::Name(name)])?;
        self.change(dev, vec![LinkChange::Netns(root)])
    }

    /// It joins the endpoint again: the interface comes back and is announced.
    fn step_in(&mut self, id: &str, network: &str) -> Result<(), String> {
        let c = self.c(id);
        let Some(e) = c.endpoints.get(network).cloned() else { return Ok(()) };
        let n = self.e().networks.get(&e.network).cloned();
        let (Some(n), Some(ns), Some(dev), Some(ip)) = (n, c.netns, e.dev, e.ip) else { return Ok(()) };
        let ifname = self.ifname(id, &n, ns);
        let mut changes = vec![LinkChange::Netns(ns), LinkChange::Name(ifname.clone())];
        changes.extend(e.mac.map(LinkChange::Mac));
        self.change(dev, changes)?;
        if let Some(e) = self.cm(id).endpoints.get_mut(network) {
            e.ifname = ifname;
        }
        let prefix = n.subnets.iter().find(|s| s.net.contains(&ip)).map_or(16, |s| s.net.prefix_len());
        self.address(dev, ip, prefix)?;
        self.change(dev, vec![LinkChange::Up(true)])?;
        self.overlay_routes(&n, ns, dev, ip)?;
        self.files_joined(id, ip);
        self.announce(id, ip, dev);
        Ok(())
    }
}

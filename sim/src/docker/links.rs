//! `--link` on the default bridge where containers do not talk otherwise (daemon/container_operations_unix.go,
//! libnetwork drivers/bridge: `link`): a pair of rules for each port that the child exposes. They belong to endpoints,
//! not to containers, and so outlive a child that left the bridge and came back.

use super::Docker;
use super::publish;
use super::rules::Call;
use super::types::{Container, Endpoint, LinkEnds, Profile, State};
use crate::kernel::xtables::TableKind;

/// Its endpoint on the default bridge, while it has one.
fn endpoint(c: &Container) -> Option<&Endpoint> {
    c.endpoints.get("bridge").filter(|e| !e.id.is_empty())
}

impl Docker<'_> {
    /// A container that it has a link to must run and be on the default bridge (`setupLinkedContainers`).
    pub fn check_links(&self, id: &str) -> Result<(), String> {
        let c = self.c(id);
        if !c.endpoints.contains_key("bridge") {
            return Ok(());
        }
        for (of, alias) in &c.links {
            let child = self.e().containers.get(of);
            let Some(child) = child.filter(|o| o.state == State::Running) else {
                let name = self.link_name(of);
                return Err(format!("Cannot link to a non running container: /{name} AS /{}/{alias}", c.name));
            };
            if !child.endpoints.contains_key("bridge") {
                return Err(format!("container {of} not attached to default bridge network"));
            }
        }
        Ok(())
    }

    /// `docker rm --link PARENT/ALIAS`: the link goes, and a container that runs hears of it.
    ///
    /// # Errors
    /// There is no such link, or it is a container's own name.
    pub fn remove_link(&mut self, key: &str) -> Result<(), String> {
        let name = key.trim_start_matches('/');
        let Some((parent, alias)) = name.split_once('/') else {
            self.container_id(name)?;
            return Err("Conflict, cannot remove the default link name of the container".into());
        };
        let of = self.e().containers.values().find(|c| c.name == parent);
        let there = of.filter(|c| c.links.iter().any(|(_, a)| a == alias));
        let Some(id) = there.map(|c| c.id.clone()) else { return Err(format!("No such container: {name}")) };
        self.cm(&id).links.retain(|(_, a)| a != alias);
        if let Err(why) = self.refresh(&id) {
            self.em().log.push(why);
        }
        Ok(())
    }

    /// 20.10's options of a sandbox: its links and those to it.
    pub(super) fn tell_links_anew(&mut self, id: &str) {
        self.hosts_linked(id);
        self.links_follow(id);
        let ends = self.link_ends(id);
        let c = self.cm(id);
        c.linked.clone_from(&ends);
        if let Some(e) = c.endpoints.get_mut("bridge") {
            e.links_told = ends;
        }
    }

    /// The name of a container that there is a link to.
    pub fn link_name(&self, id: &str) -> String {
        let there = self.e().containers.get(id).map(|c| c.name.clone());
        there.or_else(|| self.e().gone.get(id).cloned()).unwrap_or_default()
    }

    /// What an endpoint on the default bridge is told of links (`addLegacyLinks`; 20.10: `buildSandboxOptions`, once
    /// for all that the sandbox will have): the endpoints of its children, and for each parent, by a slip of the
    /// engine, that of its last child.
    fn link_ends(&self, id: &str) -> LinkEnds {
        let c = self.c(id);
        let of = |(of, _): &(String, String)| self.e().containers.get(of).and_then(endpoint).map(|e| e.id.clone());
        let children: Vec<String> = c.links.iter().filter_map(of).collect();
        let linked = |p: &&Container| p.links.iter().any(|(of, _)| of == id);
        let parents = self.e().containers.values().filter(linked).count();
        let parents = children.last().map(|child| vec![child.clone(); parents]).unwrap_or_default();
        LinkEnds { parents, children }
    }

    /// Its new endpoint on the default bridge learns of links; the files of both sides too. 20.10 does it for a whole
    /// sandbox, when that begins.
    ///
    /// # Errors
    /// A container that it has a link to is not on the default bridge.
    pub(super) fn tell_links(&mut self, id: &str) -> Result<(), String> {
        let c = self.c(id);
        let ends = if self.profile() == Profile::V20 && c.state == State::Running {
            c.linked
        } else {
            let strays =
                |of: &&String| self.e().containers.get(*of).is_some_and(|c| !c.endpoints.contains_key("bridge"));
            if let Some(stray) = c.links.iter().map(|(of, _)| of).find(strays) {
                let name = self.link_name(stray);
                return Err(format!("Cannot link to /{name}, as it does not belong to the default network"));
            }
            self.hosts_linked(id);
            self.links_follow(id);
            self.link_ends(id)
        };
        let c = self.cm(id);
        c.linked.clone_from(&ends);
        if let Some(e) = c.endpoints.get_mut("bridge") {
            e.links_told = ends;
        }
        Ok(())
    }

    /// The container of an endpoint on the default bridge.
    fn of_endpoint(&self, eid: &str) -> Result<&Container, String> {
        let mut all = self.e().containers.values();
        all.find(|c| endpoint(c).is_some_and(|e| e.id == eid)).ok_or_else(|| format!("invalid endpoint id: {eid}"))
    }

    /// The rules of one link (`ChainInfo.Link`): for each exposed port there and back.
    fn pair_of_rules(&self, bridge: &str, parent: &Container, child: &Container) -> Vec<Call> {
        let ip = |c: &Container| endpoint(c).and_then(|e| e.ip);
        let Some((me, other)) = ip(parent).zip(ip(child)) else { return Vec::new() };
        let mut out = Vec::new();
        for (port, proto, _) in publish::ordered(child) {
            let there = format!("-i {bridge} -o {bridge} -p {proto} -s {me} -d {other} --dport {port} -j ACCEPT");
            let back = format!("-i {bridge} -o {bridge} -p {proto} -s {other} -d {me} --sport {port} -j ACCEPT");
            out.extend([there, back].map(|r| Call::Append(TableKind::Filter, "DOCKER", r)));
        }
        out
    }

    /// The rules of all links of an endpoint, up to the first whose other end is gone.
    fn link_calls(&self, id: &str) -> (Vec<Call>, Result<(), String>) {
        let c = self.c(id);
        let mut calls = Vec::new();
        let Some(e) = endpoint(&c).filter(|e| e.outside) else { return (calls, Ok(())) };
        let Some(n) = self.e().network("bridge").filter(|n| !n.flag("enable_icc", true)) else {
            return (calls, Ok(()));
        };
        let mut all = || {
            for p in &e.links_told.parents {
                calls.extend(self.pair_of_rules(&n.bridge_name, self.of_endpoint(p)?, &c));
            }
            for child in &e.links_told.children {
                let child = self.of_endpoint(child)?;
                // Which ports it exposes an endpoint knows once it has been the way out.
                if endpoint(child).is_some_and(|e| e.outside) {
                    calls.extend(self.pair_of_rules(&n.bridge_name, &c, child));
                }
            }
            Ok(())
        };
        let end = all();
        (calls, end)
    }

    /// Its endpoint on the default bridge became the way out (`ProgramExternalConnectivity`).
    ///
    /// # Errors
    /// iptables' or the driver's sentence.
    pub(super) fn link(&mut self, id: &str) -> Result<(), String> {
        let (calls, end) = self.link_calls(id);
        let made = end.and_then(|()| self.calls(&calls));
        if made.is_err() {
            self.undo(&calls);
        }
        made
    }

    /// It leaves the default bridge (`driver.Leave`): nothing goes after the first link whose other end is gone.
    pub(super) fn unlink(&mut self, id: &str) {
        let (calls, end) = self.link_calls(id);
        self.undo(&calls);
        if let Err(why) = end {
            self.em().log.push(format!("Failed to leave the default bridge: {why}"));
        }
    }
}

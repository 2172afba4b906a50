//! `--link` on the default bridge where containers do not talk otherwise (daemon/links, libnetwork drivers/bridge
//! link.go): a pair of rules for each port that the child exposes.

use super::Docker;
use super::publish;
use super::rules::Call;
use super::types::{Container, Endpoint, State};
use crate::kernel::xtables::TableKind;

/// Its endpoint on the default bridge, while it has one.
fn endpoint(c: &Container) -> Option<&Endpoint> {
    c.endpoints.get("bridge").filter(|e| !e.id.is_empty())
}

impl Docker<'_> {
    /// A container that it has a link to must run (`setupLinkedContainers`).
    pub(super) fn check_links(&self, id: &str) -> Result<(), String> {
        let c = self.c(id);
        let runs = |of: &String| self.e().containers.get(of).is_some_and(|o| o.state == State::Running);
        let Some((of, alias)) = c.links.iter().find(|(of, _)| !runs(of)) else { return Ok(()) };
        let name = self.link_name(of);
        Err(format!("Cannot link to a non running container: /{name} AS /{}/{alias}", c.name))
    }

    /// The name of a container that there is a link to.
    pub fn link_name(&self, id: &str) -> String {
        let there = self.e().containers.get(id).map(|c| c.name.clone());
        there.or_else(|| self.e().gone.get(id).cloned()).unwrap_or_default()
    }

    /// The rules of one link (`iptables.Link`): for each exposed port there and back.
    fn link_calls(&self, parent: &Container, child: &Container) -> Vec<Call> {
        let Some(n) = self.e().network("bridge").filter(|n| !n.flag("enable_icc", true)) else { return Vec::new() };
        let ip = |c: &Container| endpoint(c).and_then(|e| e.ip);
        let Some((me, other)) = ip(parent).zip(ip(child)) else { return Vec::new() };
        let br = &n.bridge_name;
        let mut out = Vec::new();
        for (port, proto, _) in publish::ordered(child) {
            let there = format!("-i {br} -o {br} -p {proto} -s {me} -d {other} --dport {port} -j ACCEPT");
            let back = format!("-i {br} -o {br} -p {proto} -s {other} -d {me} --sport {port} -j ACCEPT");
            out.extend([there, back].map(|r| Call::Append(TableKind::Filter, "DOCKER", r)));
        }
        out
    }

    /// Links of a container that started, to its children and from its parents.
    fn links_of(&self, id: &str) -> Vec<(Container, Container)> {
        let c = self.c(id);
        let children = c.links.iter().filter_map(|(of, _)| self.e().containers.get(of));
        let down = children.map(|child| (c.clone(), child.clone()));
        let linked = |p: &&Container| p.links.iter().any(|(of, _)| of == id);
        let up = self.e().containers.values().filter(linked).map(|parent| (parent.clone(), c.clone()));
        down.chain(up).filter(|(p, c)| endpoint(p).is_some() && endpoint(c).is_some()).collect()
    }

    /// It starts: the rules of its links, from now on for these endpoints.
    pub(super) fn link(&mut self, id: &str) {
        for (parent, child) in self.links_of(id) {
            let calls = self.link_calls(&parent, &child);
            self.calls_logged(&calls);
            let pair = endpoint(&parent).zip(endpoint(&child)).map(|(p, c)| (p.id.clone(), c.id.clone()));
            self.cm(id).linked.extend(pair);
        }
    }

    /// It stops: the rules go whose other endpoint is still the one that it was told of when it started. Others stay.
    pub(super) fn unlink(&mut self, id: &str) {
        let told = std::mem::take(&mut self.cm(id).linked);
        for (parent, child) in self.links_of(id) {
            let pair = endpoint(&parent).zip(endpoint(&child)).map(|(p, c)| (p.id.clone(), c.id.clone()));
            if pair.is_some_and(|p| told.contains(&p)) {
                let calls = self.link_calls(&parent, &child);
                self.undo(&calls);
            }
        }
    }
}

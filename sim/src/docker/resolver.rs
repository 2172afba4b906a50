//! The embedded name server's place in a container: its sockets and rules (libnetwork resolver_unix.go). It answers
//! no packets yet: [`super::files`] looks names up.

use std::net::Ipv4Addr;

use super::Docker;
use super::rules::rule;
use crate::app::Program;
use crate::app::proxy::Proxy;
use crate::kernel::types::NetnsId;
use crate::kernel::xtables::{Counters, TableKind, Variant, XtChange};

/// Where it listens.
const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

impl Docker<'_> {
    /// Starts it in a container that joined a user-defined network, once.
    pub(super) fn resolver(&mut self, id: &str) {
        let c = self.c(id);
        let wanted = c.endpoints.iter().any(|(n, e)| n != "bridge" && e.ip.is_some());
        let (Some(ns), Some(pid)) = (c.netns, c.pid) else { return };
        let there = self.s.kernel.ns(ns).nf.xt.of(Variant::Nft).get(TableKind::Nat);
        if !wanted || there.is_some_and(|t| t.find("DOCKER_OUTPUT").is_some()) {
            return;
        }
        let mut ports = [0u16; 2];
        for (udp, port) in [true, false].into_iter().zip(&mut ports) {
            *port = 32_768 + self.s.kernel.rng.below(28_000) as u16;
            let keep = Proxy::new(udp, (SERVER, *port), (SERVER, 0), false);
            let app = self.s.spawn(self.host, ns, pid, "dockerd", Program::Proxy(keep));
            self.cm(id).apps.push(app);
        }
        self.resolver_rules(ns, ports);
    }

    fn resolver_rules(&mut self, ns: NetnsId, [udp, tcp]: [u16; 2]) {
        let (table, counters) = (TableKind::Nat, Counters::default());
        let mut batch: Vec<XtChange> =
            ["DOCKER_OUTPUT", "DOCKER_POSTROUTING"].map(|c| XtChange::NewChain { table, chain: c.into() }).to_vec();
        let rules = [
            ("OUTPUT", format!("-d {SERVER} -j DOCKER_OUTPUT")),
            ("POSTROUTING", format!("-d {SERVER} -j DOCKER_POSTROUTING")),
            ("DOCKER_OUTPUT", format!("-d {SERVER} -p tcp --dport 53 -j DNAT --to-destination {SERVER}:{tcp}")),
            ("DOCKER_OUTPUT", format!("-d {SERVER} -p udp --dport 53 -j DNAT --to-destination {SERVER}:{udp}")),
            ("DOCKER_POSTROUTING", format!("-s {SERVER} -p tcp --sport {tcp} -j SNAT --to-source :53")),
            ("DOCKER_POSTROUTING", format!("-s {SERVER} -p udp --sport {udp} -j SNAT --to-source :53")),
        ];
        for (chain, text) in rules {
            let Some(rule) = rule(&text) else { continue };
            batch.push(XtChange::Append { table, chain: chain.into(), rule, counters });
        }
        if let Err(e) = self.s.kernel.xt_commit(ns, Variant::Nft, &batch) {
            self.em().log.push(format!("rules of the name server: {}", e.errno.strerror()));
        }
    }
}

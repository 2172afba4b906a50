//! The embedded name server's place in a container: its sockets and rules (libnetwork resolver_unix.go), and the
//! names it is told (libnetwork network.go `addSvcRecords`, endpoint.go).

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::Docker;
use super::gwbridge::NAME;
use super::resolvconf::DEFAULT;
use super::rules::rule;
use super::types::{Container, Endpoint, Network, Profile};
use crate::app::Program;
use crate::app::dns::ResolvConf;
use crate::app::resolver::{ADDRESS as SERVER, External, Joined, NetNames, Resolver, Setup};
use crate::kernel::types::NetnsId;
use crate::kernel::xtables::{Counters, TableKind, Variant, XtChange};

/// Chains of its rules, for questions and answers.
const CHAINS: [&str; 2] = ["DOCKER_OUTPUT", "DOCKER_POSTROUTING"];

impl Docker<'_> {
    /// Starts it in a container that joined a user-defined network, once; tells all of the networks' new names.
    pub(super) fn resolver(&mut self, id: &str) {
        self.start_resolver(id);
        self.names_told(id);
    }

    /// All who are on a container's networks hear of the names there, itself among them.
    pub(super) fn names_told(&mut self, id: &str) {
        let nets: Vec<String> = self.c(id).endpoints.values().map(|e| e.network.clone()).collect();
        for n in nets {
            self.names_changed(&n);
        }
    }

    fn start_resolver(&mut self, id: &str) {
        let c = self.c(id);
        let Some(ns) = c.netns else { return };
        if c.resolver.is_some() {
            let setup = self.resolver_setup(&c);
            if let Some(r) = c.resolver.and_then(|app| self.s.apps.resolver_mut(app)) {
                r.setup = setup;
            }
            return;
        }
        let Some(ports) = self.resolver_app(id) else { return };
        if let Some(ports) = ports {
            self.resolver_rules(ns, ports);
        }
        self.files_resolver(id);
    }

    /// Its sockets, where a container needs them: the ports of UDP and TCP.
    pub(super) fn resolver_app(&mut self, id: &str) -> Option<Option<[u16; 2]>> {
        let c = self.c(id);
        let wanted = c.endpoints.iter().any(|(n, e)| n != "bridge" && e.ip.is_some());
        let (ns, pid) = (c.netns?, c.pid?);
        if !wanted {
            return None;
        }
        let setup = self.resolver_setup(&c);
        let program = Program::Resolver(Box::new(Resolver::new(setup)));
        let app = self.s.spawn(self.host, ns, pid, "dockerd", program);
        let c = self.cm(id);
        c.apps.push(app);
        c.resolver = Some(app);
        Some(self.s.apps.resolver_ports(&self.s.kernel, app).map(|(udp, tcp)| [udp, tcp]))
    }

    /// What a container's name server knows and whom it asks; the names on its networks it is told next
    /// ([`Self::names_told`]).
    fn resolver_setup(&self, c: &Container) -> Setup {
        let nets = self.by_gateway(c).into_iter().filter(|(name, ..)| !matches!(name.as_str(), "bridge" | NAME));
        let joined = |(_, e, n): (String, Endpoint, Network)| Joined {
            links: self.links_on(&e),
            names: Arc::new(NetNames { id: n.id, network: n.name, ..NetNames::default() }),
        };
        let outside = |(_, e, n): &(String, Endpoint, Network)| e.ip.is_some() && !n.internal;
        let ndots = c.dns_opts.iter().chain(&self.e().config.dns_opts).filter_map(|o| o.strip_prefix("ndots:"));
        Setup {
            nets: nets.map(joined).collect(),
            external: self.external(c),
            forwards: self.by_gateway(c).iter().any(outside),
            ndots_set: ndots.filter_map(|n| n.parse::<u32>().ok()).any(|n| n > 0),
            before_23: self.profile() == Profile::V20,
        }
    }

    /// Links name their containers by name or id; the names of a network are names.
    fn links_on(&self, e: &Endpoint) -> Vec<(String, String)> {
        let name = |of: &String| self.e().container(of).map_or_else(|| of.clone(), |c| c.name.clone());
        e.links.iter().map(|(of, alias)| (alias.to_ascii_lowercase(), name(of).to_ascii_lowercase())).collect()
    }

    /// Servers outside: `--dns` is asked from the container; what the host asks itself, 28 asks from the host, and
    /// 20.10 only where it is a loopback address.
    fn external(&self, c: &Container) -> Vec<External> {
        let given = if c.dns.is_empty() { &self.e().config.dns } else { &c.dns };
        if !given.is_empty() {
            let own = given.iter().filter_map(|s| s.parse().ok());
            return own.map(|addr| External { addr, from: None }).collect();
        }
        let text = self.s.read_file(self.host, self.ns(), "/etc/resolv.conf").unwrap_or_default();
        let from = |a: Ipv4Addr| (self.profile() != Profile::V20 || a.is_loopback()).then(|| self.ns());
        let host = ResolvConf::parse(&text).servers;
        if host.is_empty() {
            let default = DEFAULT.iter().filter_map(|s| s.parse().ok());
            return default.map(|addr| External { addr, from: None }).collect();
        }
        host.into_iter().map(|addr| External { addr, from: from(addr) }).collect()
    }

    /// The names of the containers on a network.
    fn net_names(&self, n: &Network) -> NetNames {
        let mut out = NetNames { id: n.id.clone(), network: n.name.clone(), ..NetNames::default() };
        for c in self.e().containers.values() {
            let Some((ip, e)) = c.endpoints.get(&n.name).and_then(|e| Some((e.ip?, e))) else { continue };
            let names = names_of(self.profile(), c, e);
            for name in &names {
                out.add(name, ip);
            }
            if let Some(first) = names.into_iter().next() {
                out.reverse.insert(ip, first);
            }
        }
        out
    }

    /// The names that a network's containers have on it; the default bridge knows their own alone.
    pub(super) fn names_on(&self, n: &Network) -> Vec<String> {
        let members = self.e().containers.values().filter_map(|c| Some((c, c.endpoints.get(&n.name)?)));
        let members = members.filter(|(_, e)| e.ip.is_some());
        let names = |(c, e): (&Container, &Endpoint)| {
            if n.name == "bridge" { vec![c.name.clone()] } else { names_of(self.profile(), c, e) }
        };
        members.flat_map(names).collect()
    }

    /// A container came to a network, left it or has a new name: all its members hear of it.
    pub(super) fn names_changed(&mut self, network: &str) {
        let known = |n: &&Network| n.name != "bridge" && n.name != NAME;
        let Some(n) = self.e().networks.get(network).filter(known).cloned() else { return };
        if n.driver == "overlay" {
            // Of these more is known; they are told before a look-up.
            self.em().names_stale = true;
            return;
        }
        let names = self.net_names(&n);
        self.tell_resolvers(&n, names);
    }

    /// The names of an overlay network, of containers on all nodes.
    pub(super) fn tell_names(&mut self, network: &str) {
        let Some(n) = self.e().networks.get(network).cloned() else { return };
        let mut names = NetNames { id: n.id.clone(), network: n.name.clone(), ..NetNames::default() };
        for e in self.overlay_endpoints(network) {
            for name in &e.names {
                names.add(name, e.ip);
            }
            if let Some(first) = e.names.into_iter().next() {
                names.reverse.insert(e.ip, first);
            }
        }
        self.tell_resolvers(&n, names);
    }

    fn tell_resolvers(&mut self, n: &Network, names: NetNames) {
        let names = Arc::new(names);
        let told: Vec<_> = self.e().containers.values().filter_map(|c| c.resolver).collect();
        for app in told {
            let Some(r) = self.s.apps.resolver_mut(app) else { continue };
            for j in r.setup.nets.iter_mut().filter(|j| j.names.id == n.id) {
                j.names = Arc::clone(&names);
            }
        }
    }

    /// The rules that lead to it.
    pub(super) fn resolver_rules(&mut self, ns: NetnsId, ports: [u16; 2]) {
        let (table, counters) = (TableKind::Nat, Counters::default());
        let mut batch: Vec<XtChange> = CHAINS.map(|c| XtChange::NewChain { table, chain: c.into() }).to_vec();
        for (from, to) in ["OUTPUT", "POSTROUTING"].into_iter().zip(CHAINS) {
            let Some(rule) = rule(&format!("-d {SERVER} -j {to}")) else { continue };
            batch.push(XtChange::Append { table, chain: from.into(), rule, counters });
        }
        self.resolver_commit(ns, batch, ports);
    }

    /// The same where a name server was before: the jumps stay, what they lead to is written anew.
    pub(super) fn resolver_rules_again(&mut self, ns: NetnsId, ports: [u16; 2]) {
        let flush = CHAINS.map(|c| XtChange::FlushChain { table: TableKind::Nat, chain: c.into() });
        self.resolver_commit(ns, flush.to_vec(), ports);
    }

    fn resolver_commit(&mut self, ns: NetnsId, mut batch: Vec<XtChange>, [udp, tcp]: [u16; 2]) {
        let (table, counters) = (TableKind::Nat, Counters::default());
        let rules = [
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

/// The names that a container has on a network. 20.10 leaves a made-up name out.
pub(super) fn names_of(profile: Profile, c: &Container, e: &Endpoint) -> Vec<String> {
    let own = (!(c.name_generated && profile == Profile::V20)).then(|| c.name.clone());
    let short = c.id.get(..12).map(str::to_owned);
    let host = Some(c.hostname.clone()).filter(|h| Some(h) != short.as_ref());
    own.into_iter().chain(e.aliases.iter().cloned()).chain(short).chain(host).collect()
}

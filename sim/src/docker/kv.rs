//! Overlay networks without swarm (up to 20.10): engines that share a store of keys and values, `--cluster-store`
//! and `--cluster-advertise` (libnetwork datastore, drivers/overlay/ov_serf.go; docker/pkg/discovery/kv).
//!
//! The store is a service of some host (`etcd`); what engines write there is in [`super::overlay::cluster`]. Changes of
//! endpoints travel as serf's events, which need UDP 7946 between the engines and not the store.

use std::net::Ipv4Addr;

use super::Docker;
use super::overlay::cluster::{Change, Cluster, Entry, Kind};
use super::overlay::peers::living;
use super::types::{Network, Profile};
use crate::app::Program;
use crate::app::proxy::Proxy;
use crate::kernel::types::HostId;
use crate::session::Session;

/// Ports of etcd: for clients on all addresses, for its peers on loopback.
const ETCD: [(Ipv4Addr, u16); 2] = [(Ipv4Addr::UNSPECIFIED, 2379), (Ipv4Addr::LOCALHOST, 2380)];

impl Session {
    /// Starts etcd on a host: an ordinary service.
    ///
    /// # Errors
    /// A port is taken.
    pub fn start_etcd(&mut self, host: HostId) -> Result<(), String> {
        let ns = self.kernel.host(host).root_ns;
        let pid = self.new_pid(host, ns, "etcd");
        for at in ETCD {
            self.keep_port(host, ns, pid, "etcd", at).map_err(|e| format!("etcd: {e}"))?;
        }
        Ok(())
    }

    /// A TCP port that a program keeps open; connections come about and nothing is said.
    fn keep_port(
        &mut self,
        host: HostId,
        ns: crate::kernel::types::NetnsId,
        pid: crate::kernel::types::Pid,
        name: &str,
        at: (Ipv4Addr, u16),
    ) -> Result<(), String> {
        let keep = Proxy::new(false, at, (Ipv4Addr::UNSPECIFIED, 0), false);
        let app = self.spawn(host, ns, pid, name, Program::Proxy(keep));
        if self.apps.get(app).exit.is_some() {
            return Err(format!("port {} is taken", at.1));
        }
        for s in self.apps.get(app).socks.clone() {
            self.kernel.sock_mut(s).opts.dual = at.0.is_unspecified();
        }
        Ok(())
    }
}

/// The host whose engine's API answers at an address, asked over the network from a namespace.
pub fn api_at(s: &mut Session, host: HostId, ns: crate::kernel::types::NetnsId, to: (Ipv4Addr, u16)) -> Option<HostId> {
    let offers = |h: &HostId, e: &super::Engine| {
        let root = s.kernel.host(*h).root_ns;
        let mine = s.kernel.devs_of(root).any(|d| d.addrs.iter().any(|a| a.local == to.0));
        let listens = e.config.hosts.iter().filter_map(|u| address(u));
        e.running && mine && listens.into_iter().any(|(a, p)| p == to.1 && (a.is_unspecified() || a == to.0))
    };
    let found = s.engines.iter().find(|(h, e)| offers(h, e)).map(|(h, _)| *h)?;
    super::swarm::reached(s, (host, ns), to).is_ok().then_some(found)
}

/// `etcd://ADDRESS:PORT`, and others of the same form.
fn address(url: &str) -> Option<(Ipv4Addr, u16)> {
    let (_, rest) = url.split_once("://")?;
    let first = rest.split([',', '/']).next()?;
    let (a, p) = first.split_once(':')?;
    Some((a.parse().ok()?, p.parse().ok()?))
}

impl Docker<'_> {
    /// The API's own TCP ports (`-H tcp://…`).
    pub(super) fn api_ports(&mut self) -> Result<(), String> {
        let hosts: Vec<(Ipv4Addr, u16)> =
            self.e().config.hosts.iter().filter(|h| h.starts_with("tcp://")).filter_map(|h| address(h)).collect();
        let ns = self.ns();
        for at in hosts {
            let pid = self.s.new_pid(self.host, ns, "dockerd");
            let bound = self.s.keep_port(self.host, ns, pid, "dockerd", at);
            bound.map_err(|_| {
                format!("failed to load listeners: listen tcp {}:{}: bind: address already in use", at.0, at.1)
            })?;
        }
        Ok(())
    }

    /// Joins the engines of its store.
    pub(super) fn store_start(&mut self) -> Result<(), String> {
        let c = &self.e().config;
        let (Some(url), Some(own)) = (c.cluster_store.clone(), c.cluster_advertise.clone()) else { return Ok(()) };
        if self.profile() != Profile::V20 || self.member().is_some() {
            return Ok(());
        }
        let addr = self.advertise(Some(&own))?;
        let Some(to) = address(&url) else { return Err(format!("unsupported store {url}")) };
        if let Err(e) = self.dial(to) {
            // It tries for ever; the engine runs without.
            self.em().log.push(format!("discovery error: {e}"));
            return Ok(());
        }
        let same = |c: &Cluster| c.kind == Kind::Store(url.clone());
        let at = self.s.clusters.iter().position(same).unwrap_or_else(|| {
            self.s.clusters.push(Cluster::new(Kind::Store(url.clone())));
            self.s.clusters.len() - 1
        });
        let id = self.new_id();
        self.take_seat(at, id, addr, true, (Some(addr), Vec::new()))?;
        let nets: Vec<Network> =
            self.s.clusters[at].networks.iter().filter(|s| !s.gone).map(|s| s.net.clone()).collect();
        for n in nets {
            self.em().networks.insert(n.id.clone(), n);
        }
        Ok(())
    }

    /// What the store has of a network's endpoints, of all engines.
    pub fn store_endpoints(&self, network: &str) -> Vec<Entry> {
        let Some((c, _)) = self.member() else { return Vec::new() };
        let Some(at) = c.place(network) else { return Vec::new() };
        let logs = c.nodes.iter().filter(|n| n.member).map(|n| &n.log);
        logs.flat_map(|l| living(l, l.len()).filter(|e| e.network == at).cloned()).collect()
    }

    /// In a store a name is had by one endpoint of a network.
    pub(super) fn store_name_free(&self, n: &Network, name: &str) -> Result<(), String> {
        let Some((c, me)) = self.member().filter(|_| n.scope == "global") else { return Ok(()) };
        let Some(at) = c.place(&n.id) else { return Ok(()) };
        let taken = |i: usize, log: &[Change]| {
            i != me && living(log, log.len()).any(|e| e.network == at && e.names.first().is_some_and(|x| x == name))
        };
        if c.nodes.iter().enumerate().any(|(i, x)| x.member && taken(i, &x.log)) {
            return Err(format!("endpoint with name {name} already exists in network {}", n.name));
        }
        Ok(())
    }
}

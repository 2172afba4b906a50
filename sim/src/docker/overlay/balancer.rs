//! The load balancer's place on each node of a swarm's network: a namespace with an address (libnetwork network.go
//! `createLoadBalancerSandbox`). It carries no traffic here: the kernel of the model has no IPVS.

use std::net::Ipv4Addr;

use crate::app::proxy::Proxy;
use crate::app::{AppId, Program};
use crate::docker::Docker;
use crate::docker::gwbridge;
use crate::docker::sandbox::mac_of;
use crate::docker::types::{Endpoint, Network, Profile};
use crate::kernel::types::{MSEC, Nanos, NetnsId, Pid};
use crate::op::{LinkChange, Op, RouteSpec, RouteVerb};

/// Name of the swarm's own network.
pub const INGRESS: &str = "ingress";
/// What the engine needs from a load balancer's announcement to the next interface that it sets up.
const NEXT_NS: Nanos = 40 * MSEC;
const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// A load balancer's namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balancer {
    /// Namespace.
    pub ns: NetnsId,
    /// Name below `/var/run/docker/netns`.
    pub file: String,
    /// Its endpoint on the network.
    pub endpoint: Endpoint,
    /// The one on docker_gwbridge (ingress only).
    pub outside: Option<Endpoint>,
    pid: Pid,
    apps: Vec<AppId>,
}

impl Balancer {
    /// Name of the sandbox and of its endpoint, as `docker network inspect` lists them.
    pub fn names(network: &str) -> (String, String) {
        let sandbox = if network == INGRESS { "ingress-sbox".to_owned() } else { format!("lb-{network}") };
        (sandbox, format!("{network}-endpoint"))
    }
}

impl Docker<'_> {
    /// Makes it, with the next address of the network.
    pub(super) fn balancer_up(&mut self, n: &Network) -> Result<(), String> {
        let ingress = n.name == INGRESS;
        let host = self.s.kernel.host(self.host).name.clone();
        let (label, file) = if ingress {
            (format!("{host}/ingress_sbox"), "ingress_sbox".to_owned())
        } else {
            (format!("{host}/lb:{}", n.name), format!("lb_{}", &n.id[..9]))
        };
        let ns = self.plain_netns(label)?;
        let mut e = self.cluster_endpoint(n)?;
        let (near, dev) = self.overlay_link(n, ns, &e, "eth0".into())?;
        (e.host_dev, e.dev, e.ifname) = (Some(near), Some(dev), "eth0".into());
        if let Some(ip) = e.ip {
            self.address(dev, ip, n.subnets.first().map_or(24, |s| s.net.prefix_len()))?;
        }
        self.change(dev, vec![LinkChange::Up(true)])?;
        let pid = self.s.new_pid(self.host, ns, "dockerd");
        let b = Balancer { ns, file, endpoint: e.clone(), outside: None, pid, apps: Vec::new() };
        if let Some(o) = self.em().overlays.get_mut(&n.id) {
            o.balancer = Some(b);
        }
        self.balancer_dns(n, ns, pid);
        self.balancer_announce(n, &e);
        self.tell_join(n, &e, Vec::new());
        if ingress { self.balancer_outside(n) } else { Ok(()) }
    }

    /// An endpoint with the next address of a cluster's network.
    fn cluster_endpoint(&mut self, n: &Network) -> Result<Endpoint, String> {
        let id = self.new_id();
        let Some((c, me)) = self.member_mut() else { return Err("this node is in no cluster".into()) };
        let Some(at) = c.place(&n.id) else { return Err(format!("network {} not found", n.id)) };
        let ip = c.balancer_address(at, me)?;
        let (network, mac) = (n.id.clone(), Some(mac_of(ip)));
        Ok(Endpoint { id, network, ip: Some(ip), mac, ..Endpoint::default() })
    }

    /// The name server that every namespace of a user-defined network has.
    fn balancer_dns(&mut self, n: &Network, ns: NetnsId, pid: Pid) {
        let mut ports = [0u16; 2];
        for (udp, port) in [true, false].into_iter().zip(&mut ports) {
            *port = 32_768 + self.s.kernel.rng.below(28_000) as u16;
            let keep = Proxy::new(udp, (SERVER, *port), (SERVER, 0), false);
            let app = self.s.spawn(self.host, ns, pid, "dockerd", Program::Proxy(keep));
            self.balancer_app(n, app);
        }
        self.resolver_rules(ns, ports);
    }

    fn balancer_app(&mut self, n: &Network, app: AppId) {
        if let Some(b) = self.em().overlays.get_mut(&n.id).and_then(|o| o.balancer.as_mut()) {
            b.apps.push(app);
        }
    }

    fn balancer_announce(&mut self, n: &Network, e: &Endpoint) {
        let b = self.e().overlays.get(&n.id).and_then(|o| o.balancer.clone());
        let (Some(b), Some(ip), Some(dev)) = (b, e.ip, e.dev) else { return };
        if self.profile() != Profile::V20 {
            // It waits until the bridge's port forwards.
            self.s.advance(20 * MSEC);
            let app = self.announce_one(b.ns, b.pid, dev, ip);
            self.balancer_app(n, app);
            self.s.advance(NEXT_NS);
        }
    }

    /// The ingress sandbox also joins docker_gwbridge.
    fn balancer_outside(&mut self, n: &Network) -> Result<(), String> {
        let Some(b) = self.e().overlays.get(&n.id).and_then(|o| o.balancer.clone()) else { return Ok(()) };
        let gw = self.gwbridge()?;
        let ip = self.any_address(&gw)?;
        let mac = if self.profile() == Profile::V20 { mac_of(ip) } else { self.s.kernel.rng.mac() };
        let id = self.new_id();
        let mut e = Endpoint { id, network: gw.id.clone(), ip: Some(ip), mac: Some(mac), ..Endpoint::default() };
        let (near, dev) = self.bridge_link(&gw, b.ns, &e, "eth1".into())?;
        (e.host_dev, e.dev, e.ifname) = (Some(near), Some(dev), "eth1".into());
        self.address(dev, ip, gw.subnets.first().map_or(16, |s| s.net.prefix_len()))?;
        self.change(dev, vec![LinkChange::Up(true)])?;
        let (p, r) = (self.profile(), self.net_rules(&gw));
        self.calls(&crate::docker::rules::endpoint(p, &r, ip))?;
        let route = RouteSpec::default_route(gw.gateway(), Some(dev));
        self.op(&Op::RouteAdd { netns: b.ns, verb: RouteVerb::Add, route })?;
        if let Some(b) = self.em().overlays.get_mut(&n.id).and_then(|o| o.balancer.as_mut()) {
            b.outside = Some(e.clone());
        }
        debug_assert_eq!(gw.name, gwbridge::NAME);
        self.balancer_announce(n, &e);
        Ok(())
    }

    /// It goes with the network's namespace.
    pub(super) fn balancer_down(&mut self, n: &Network) {
        let Some(b) = self.em().overlays.get_mut(&n.id).and_then(|o| o.balancer.take()) else { return };
        for app in b.apps {
            self.s.apps.kill(&mut self.s.kernel, app, 143);
        }
        self.s.pid_gone(b.pid);
        self.tell_leave(&b.endpoint.id);
        if let (Some(ip), Some((c, _))) = (b.endpoint.ip, self.member_mut())
            && let Some(at) = c.place(&n.id)
        {
            c.free(at, ip);
        }
        if let Some(e) = &b.outside
            && let (Some(gw), Some(ip)) = (self.e().networks.get(&e.network).cloned(), e.ip)
        {
            let (p, r) = (self.profile(), self.net_rules(&gw));
            self.undo(&crate::docker::rules::endpoint(p, &r, ip));
            self.free_address(&gw.id, ip);
        }
        for dev in [Some(&b.endpoint), b.outside.as_ref()].into_iter().flatten().filter_map(|e| e.host_dev) {
            if let Err(e) = self.op(&Op::LinkDel { dev }) {
                self.em().log.push(format!("could not delete a device of {}: {e}", n.name));
            }
        }
        self.unmount_netns(b.ns);
    }
}

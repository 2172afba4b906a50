//! A container's namespace, and how it joins and leaves networks (libnetwork sandbox.go, osl, drivers/bridge).

use std::net::Ipv4Addr;

use super::types::{Container, Endpoint, LinkEnds, Mode, Network, Profile};
use super::{Docker, link, rules};
use crate::app::arping::{Arping, ArpingSpec};
use crate::app::{AppId, Program};
use crate::kernel::conntrack::{Conn, L4Id};
use crate::kernel::fib::{Route, table};
use crate::kernel::types::{DevId, MSEC, NetnsId, Pid, SEC};
use crate::op::{LinkChange, NewLink, Op, OpReply, PortSet, RouteSpec, RouteVerb};
use crate::shell::vfs::{Entry, Vfs};
use crate::wire::MacAddr;

impl Docker<'_> {
    /// The namespace and all endpoints of a container that starts.
    pub(super) fn sandbox(&mut self, id: &str) -> Result<(), String> {
        let c = self.c(id);
        // 20.10 makes the namespace once it has found the first network.
        if self.profile() == Profile::V20 && c.mode == Mode::Networks {
            self.find_networks(&c)?;
        }
        if c.stray_ip && !matches!(c.mode, Mode::Container(_)) {
            return Err(super::connect::STRAY_IP.into());
        }
        let ns = match &c.mode {
            Mode::Host => self.ns(),
            Mode::Container(of) => self.joined(id, of)?,
            Mode::None | Mode::Networks => self.new_sandbox(&c.name)?,
        };
        if let Mode::Container(of) = &c.mode {
            let theirs = self.c(of).hostname;
            self.cm(id).hostname = theirs;
        }
        let name = c.command.first().cloned().unwrap_or_else(|| "sh".into());
        let pid = self.s.new_pid(self.host, ns, &name);
        self.s.kernel.ns_mut(ns).pids.push(pid);
        if let Ok(cred) = super::process::user_of(&c.user) {
            self.s.kernel.set_cred(pid, &cred);
        }
        let sandbox = self.new_id();
        let c = self.cm(id);
        c.netns = Some(ns);
        c.pid = Some(pid);
        c.sandbox = sandbox;
        c.next_if = 0;
        c.linked = LinkEnds::default();
        c.link_hosts.clear();
        let mode = c.mode.clone();
        if matches!(mode, Mode::None | Mode::Networks) {
            self.files_begin(id);
        }
        if mode == Mode::None {
            self.files_unlinked(id);
        }
        // Those of the host runc leaves alone, and gives up.
        for (name, value) in self.c(id).sysctls.clone().iter().filter(|_| mode != Mode::Host) {
            self.sysctl(ns, name, value);
        }
        Ok(())
    }

    /// The networks of a container whose sandbox was just made.
    pub(super) fn join_networks(&mut self, id: &str) -> Result<(), String> {
        let c = self.c(id);
        if c.mode != Mode::Networks {
            return Ok(());
        }
        let mode = c.network_mode.as_str();
        let own = !matches!(mode, "" | "bridge" | "default" | "host" | "none");
        if self.profile() != Profile::V20 && own && !c.endpoints.contains_key(mode) && self.e().network(mode).is_none()
        {
            return Err(format!("could not find a network matching network mode {mode}: network {mode} not found"));
        }
        self.slots_follow(id);
        let mut order: Vec<String> = self.c(id).slots.into_iter().filter(|n| !n.is_empty()).collect();
        // The default bridge comes first; of the others Go begins with any, and this model with the first.
        let first = if self.profile() == Profile::V20 { "bridge" } else { c.network_mode.as_str() };
        if let Some(i) = order.iter().position(|n| n == first) {
            let first = order.remove(i);
            order.insert(0, first);
        }
        // Without a default bridge a container asks for it in vain, and has `lo` (`connectToNetwork`).
        if self.bridge_disabled() && order.iter().any(|n| n == "bridge") {
            return Ok(());
        }
        for n in order {
            self.attach(id, &n)?;
        }
        self.regate(id, false)?;
        // 20.10's runc makes settings when the interfaces are there.
        if self.profile() == Profile::V20
            && let Some(ns) = c.netns
        {
            for (name, value) in &c.sysctls {
                self.sysctl(ns, name, value);
            }
        }
        Ok(())
    }

    /// The places of its networks in the engine's map, after one came or went. The command line sends them by name.
    pub(super) fn slots_follow(&mut self, id: &str) {
        let c = self.cm(id);
        let (slots, nets) = (&mut c.slots, &c.endpoints);
        slots.iter_mut().filter(|s| !nets.contains_key(s.as_str())).for_each(String::clear);
        let mut new: Vec<String> =
            nets.keys().filter(|n| *n != super::gwbridge::NAME && !slots.contains(n)).cloned().collect();
        if slots.is_empty() {
            new.sort();
        }
        for n in new {
            match slots.iter_mut().find(|s| s.is_empty()) {
                Some(free) => *free = n,
                None => slots.push(n),
            }
        }
    }

    /// `--bridge none`.
    fn bridge_disabled(&self) -> bool {
        self.e().config.bridge.as_deref() == Some("none")
    }

    fn joined(&self, id: &str, of: &str) -> Result<NetnsId, String> {
        let v20 = self.profile() == Profile::V20;
        if id == of {
            return Err(if v20 { "cannot join own network" } else { "cannot join own network namespace" }.into());
        }
        let Some(other) = self.e().container(of) else {
            let joining = if v20 { "" } else { "joining network namespace of container: " };
            return Err(format!("{joining}No such container: {of}"));
        };
        match other.netns.filter(|_| other.state == super::types::State::Running) {
            Some(ns) => Ok(ns),
            None if v20 => Err(format!("cannot join network of a non running container: {}", other.id)),
            None => {
                let what = if other.state == super::types::State::Created { "created" } else { "exited" };
                let name = &other.name;
                Err(format!("cannot join network namespace of a non running container: container {name} is {what}"))
            }
        }
    }

    fn new_sandbox(&mut self, name: &str) -> Result<NetnsId, String> {
        let label = format!("{}/{name}", self.s.kernel.host(self.host).name);
        let op = Op::NetnsAdd { host: self.host, name: None, label: Some(label) };
        let OpReply::Netns(ns) = self.op(&op)? else { return Err("the namespace was not made".into()) };
        if let Some(lo) = self.s.kernel.dev_by_name(ns, "lo") {
            self.change(lo, vec![LinkChange::Up(true)])?;
        }
        self.sysctl(ns, "net.ipv4.ping_group_range", "0 2147483647");
        self.sysctl(ns, "net.ipv4.ip_unprivileged_port_start", "0");
        let mut root = Vfs::default();
        root.entries.insert("/etc".into(), Entry::Dir);
        self.s.roots.insert(ns, root);
        Ok(ns)
    }

    fn find_networks(&mut self, c: &Container) -> Result<(), String> {
        let disabled = self.bridge_disabled();
        let mut all = c.endpoints.iter().filter(|(name, _)| !(disabled && name.as_str() == "bridge"));
        let fresh = c.started.is_none();
        all.try_for_each(|(name, e)| self.find_network(name, e, fresh).map(|_| ()))
    }

    /// The network of an endpoint, which a container that never ran knows by name. The default bridge has a new id after
    /// each start of the daemon.
    fn find_network(&mut self, name: &str, e: &Endpoint, fresh: bool) -> Result<Network, String> {
        let found = if e.network.is_empty() || name == "bridge" || fresh {
            self.e().network(name)
        } else {
            self.e().networks.get(&e.network)
        };
        let found = found.cloned();
        let found = found.or_else(|| self.swarm_network(name));
        let what = if e.network.is_empty() || fresh { name } else { &e.network };
        found.ok_or_else(|| self.no_network(what))
    }

    /// There is no such network; a node of a swarm has asked a manager for it (`findAndAttachNetwork`).
    pub(super) fn no_network(&self, name: &str) -> String {
        let asked = if self.member().is_some_and(|(c, _)| c.is_swarm()) {
            format!("Could not attach to network {name}: rpc error: code = NotFound desc = ")
        } else {
            String::new()
        };
        format!("{asked}network {name} not found")
    }

    /// Joins a network: address, veth pair, rules (`CreateEndpoint`, `Join`).
    pub(super) fn attach(&mut self, id: &str, network: &str) -> Result<(), String> {
        let c = self.c(id);
        let Some(mut e) = c.endpoints.get(network).cloned() else { return Ok(()) };
        let n = self.find_network(network, &e, self.c(id).started.is_none())?;
        if n.config.is_some() {
            return Err(super::config_network::NO_ENDPOINT.into());
        }
        e.network.clone_from(&n.id);
        self.store_name_free(&n, &c.name)?;
        // The manager has taken a task's address already.
        let ip = match e.wanted_ip.filter(|_| c.service.is_some()) {
            Some(ip) => ip,
            None => self.address_for(&n, e.wanted_ip)?,
        };
        e.id = self.new_id();
        e.exposes = n.driver == "bridge" && !n.internal && !c.endpoints.values().any(|o| o.exposes && !o.id.is_empty());
        e.joined = true;
        (e.written, e.on_disk) = (None, None);
        e.ip = Some(ip);
        e.mac = Some(match e.wanted_mac {
            Some(m) => m,
            None if self.profile() == Profile::V20 || n.driver == "overlay" => mac_of(ip),
            None => self.s.kernel.rng.mac(),
        });
        self.cm(id).endpoints.insert(network.to_owned(), e.clone());
        if network == "bridge" {
            // Only where the mode is `bridge`, which 20.10's client calls `default` (`updateEndpointNetworkSettings`).
            let bridge = self.e().config.bridge.clone().filter(|_| c.network_mode == "bridge");
            self.cm(id).bridge = bridge.unwrap_or_default();
            self.tell_links(id)?;
        }
        let Some(ns) = c.netns else { return Ok(()) };
        let ifname = self.ifname(id, &n, ns);
        let (host, dev) = match n.driver.as_str() {
            "macvlan" | "ipvlan" => (None, self.macvlan_link(&n, ns, &e, ifname.clone())?),
            "overlay" => self.overlay_link(&n, ns, &e, ifname.clone()).map(|(host, dev)| (Some(host), dev))?,
            _ => self.bridge_link(&n, ns, &e, ifname.clone()).map(|(host, dev)| (Some(host), dev))?,
        };
        if let Some(e) = self.cm(id).endpoints.get_mut(network) {
            e.host_dev = host;
            e.dev = Some(dev);
            e.ifname = ifname;
        }
        let prefix = n.subnets.iter().find(|s| s.net.contains(&ip)).map_or(16, |s| s.net.prefix_len());
        self.route_conflict(ns, ip, prefix)?;
        self.address(dev, ip, prefix)?;
        self.change(dev, vec![LinkChange::Up(true)])?;
        self.overlay_routes(&n, ns, dev, ip)?;
        if n.name != super::gwbridge::NAME {
            // The way out has no name.
            self.files_joined(id, ip);
        }
        if n.driver == "bridge" {
            let (p, r) = (self.profile(), self.net_rules(&n));
            self.calls(&rules::endpoint(p, &r, ip))?;
        }
        self.announce(id, ip, dev);
        self.overlay_joined(id, &n);
        Ok(())
    }

    /// An address whose subnet meets a route that is there already is refused (`checkRouteConflict`).
    fn route_conflict(&mut self, ns: NetnsId, ip: Ipv4Addr, prefix: u8) -> Result<(), String> {
        let Ok(net) = ipnet::Ipv4Net::new(ip, prefix) else { return Ok(()) };
        let meets = |r: &Route| r.dst.prefix_len() > 0 && (r.dst.contains(&ip) || net.contains(&r.dst.network()));
        let Some(r) = self.s.kernel.routes_of(ns, table::MAIN).into_iter().find(meets) else { return Ok(()) };
        let of = |a: Option<Ipv4Addr>| a.map_or_else(|| "<nil>".to_owned(), |a| a.to_string());
        let (src, gw) = (of(r.prefsrc), of(r.via));
        let index = r.dev.map_or(0, |d| self.s.kernel.dev(d).ifindex);
        let veth = self.veth_name();
        let why = format!(
            "cannot program address {ip}/{prefix} in sandbox interface because it conflicts with existing route \
             {{Ifindex: {index} Dst: {} Src: {src} Gw: {gw} Flags: [] Table: 254 Realm: 0}}",
            r.dst
        );
        Err(format!(
            "failed to add interface {veth} to sandbox: error setting interface \"{veth}\" IP to {ip}/{prefix}: {why}"
        ))
    }

    /// The pair of a container on a bridge: one end a port, the other inside, with its name and address.
    pub(super) fn bridge_link(
        &mut self,
        n: &Network,
        ns: NetnsId,
        e: &Endpoint,
        ifname: String,
    ) -> Result<(DevId, DevId), String> {
        let (host, dev) = self.veth(n, ns)?;
        self.join_bridge(n, host)?;
        let mut changes = Vec::new();
        if self.s.kernel.dev(dev).netns != ns {
            changes.push(LinkChange::Netns(ns));
        }
        changes.push(LinkChange::Name(ifname));
        changes.extend(e.mac.map(LinkChange::Mac));
        self.change(dev, changes)?;
        Ok((host, dev))
    }

    fn address_for(&mut self, n: &Network, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, String> {
        if n.scope != "local" {
            return self.cluster_address(n, wanted);
        }
        // 20.10's command line drops `--ip` for the default bridge.
        let Some(ip) = wanted.filter(|_| n.name != "bridge") else { return self.any_address(n) };
        if self.profile() == Profile::V20 {
            if n.auto_subnet {
                return Err("user specified IP address is supported only when connecting to networks with user \
                            configured subnets"
                    .into());
            }
            if !n.subnets.iter().any(|s| s.net.contains(&ip)) {
                return Err(format!("Invalid address {ip}: It does not belong to any of this network's subnets"));
            }
        }
        self.take_address(&n.id, ip)?;
        Ok(ip)
    }

    pub(super) fn veth_name(&mut self) -> String {
        format!("veth{:07x}", self.s.kernel.rng.next_u64() >> 36)
    }

    /// The pair: up to 27 both ends on the host, the container's first; since 28 that one is made inside.
    fn veth(&mut self, n: &Network, ns: NetnsId) -> Result<(DevId, DevId), String> {
        let root = self.ns();
        let (a, b) = (self.veth_name(), self.veth_name());
        // An endpoint of docker_gwbridge is made before its namespace is known.
        let inside = if self.profile() == Profile::V20 || n.name == super::gwbridge::NAME { root } else { ns };
        let (mut spec, mut peer) = (link(root, &a), link(inside, &b));
        (spec.mtu, peer.mtu) = (n.mtu(), n.mtu());
        self.op(&Op::LinkAdd { spec, kind: NewLink::Veth { peer } })?;
        let find = |ns, name: &str| self.s.kernel.dev_by_name(ns, name);
        find(root, &a).zip(find(inside, &b)).ok_or_else(|| "the veth pair was not made".into())
    }

    fn join_bridge(&mut self, n: &Network, host: DevId) -> Result<(), String> {
        let Some(bridge) = n.bridge else { return Ok(()) };
        // It looks the bridge up by its name (`addToBridge`).
        self.s.kernel.rtnl_getlink(bridge);
        self.change(host, vec![LinkChange::Master(Some(bridge))])?;
        if !self.e().config.userland_proxy {
            self.change(host, vec![LinkChange::Port(PortSet::Hairpin(true))])?;
        }
        self.change(host, vec![LinkChange::Up(true)])
    }

    /// `eth` and a number: up to 27 one that only counts up, the lowest free since.
    pub(super) fn ifname(&mut self, id: &str, n: &Network, ns: NetnsId) -> String {
        if let Some(name) = self.c(id).endpoints.get(&n.name).and_then(|e| e.wanted_ifname.clone()) {
            return name;
        }
        let own = n.options.get("com.docker.network.container_iface_prefix").filter(|p| !p.is_empty());
        let prefix = own.map_or("eth", String::as_str);
        if self.profile() == Profile::V20 {
            let c = self.cm(id);
            c.next_if += 1;
            return format!("{prefix}{}", c.next_if - 1);
        }
        let free = (0..).find(|i| self.s.kernel.dev_by_name(ns, &format!("{prefix}{i}")).is_none()).unwrap_or(0);
        format!("{prefix}{free}")
    }

    /// Leaves a network: device, rules, address.
    pub(super) fn detach(&mut self, id: &str, network: &str) {
        self.detach_from(id, network, true);
    }

    fn detach_from(&mut self, id: &str, network: &str, delete: bool) {
        let Some(e) = self.c(id).endpoints.get(network).cloned() else { return };
        if network == "bridge" {
            self.unlink(id);
        }
        if let (Some(n), Some(ip)) = (self.e().networks.get(&e.network).cloned(), e.ip) {
            let (p, r) = (self.profile(), self.net_rules(&n));
            self.undo(&rules::endpoint(p, &r, ip));
            // 20.10 finds no name of a swarm's network any more when it looks which lines to take out.
            // And docker_gwbridge has none.
            if self.profile() != Profile::V20 || n.scope != "swarm" && network != super::gwbridge::NAME {
                self.files_left(id, &n, ip);
            }
            if self.c(id).bound_for == e.id {
                self.forget_connections(ip);
                self.cm(id).bound_for.clear();
            }
            if n.scope == "local" {
                self.free_address(&n.id, ip);
            }
        }
        if let Some(dev) = e.host_dev.or(e.dev).filter(|d| delete && self.s.kernel.dev(*d).alive) {
            // The sandbox takes its end down (`Namespace.RemoveInterface`), the driver deletes the pair.
            if let Some(inside) = e.dev.filter(|d| self.s.kernel.dev(*d).alive) {
                // A device can always be taken down.
                let _ = self.op(&Op::LinkSet { dev: inside, changes: vec![LinkChange::Up(false)] });
            }
            if let Err(why) = self.op(&Op::LinkDel { dev }) {
                self.em().log.push(format!("failed to delete {}: {why}", e.ifname));
            }
        }
        if let Some(e) = self.cm(id).endpoints.get_mut(network) {
            (e.id, e.ip, e.mac, e.host_dev, e.dev) = (String::new(), None, None, None, None);
            e.outside = false;
            e.ifname.clear();
        }
        self.names_changed(&e.network);
        self.overlay_left(id, network, &e);
    }

    /// Connections of an address that goes (`clearConntrackEntries`).
    pub(super) fn forget_connections(&mut self, ip: Ipv4Addr) {
        self.forget_where(|c| c.tuples[1].src == ip || c.tuples[1].dst == ip);
    }

    /// Since 28, also what came to a UDP port before it was published (`DeleteConntrackEntriesByPort`): it would go on
    /// to the host, or to docker-proxy, for as long as its client keeps on asking.
    fn forget_ports(&mut self, id: &str) {
        if self.profile() == Profile::V20 {
            return;
        }
        let bound = self.c(id).bound;
        let ports: Vec<u16> = bound.iter().filter(|b| b.proto == "udp").map(|b| b.host_port).collect();
        self.forget_where(|c| {
            c.tuples[0].proto == 17 && matches!(c.tuples[0].l4, L4Id::Ports { dst, .. } if ports.contains(&dst))
        });
    }

    fn forget_where(&mut self, which: impl Fn(&Conn) -> bool) {
        let (ns, now) = (self.ns(), self.s.kernel.now());
        let all = self.s.kernel.ns(ns).nf.ct.iter(now);
        let found: Vec<_> = all.filter(|(_, c)| which(c)).map(|(r, _)| r).collect();
        for r in found {
            self.s.kernel.ct_kill(ns, r);
        }
    }

    /// All endpoints, then the process and with its last one the namespace.
    pub(super) fn leave_sandbox(&mut self, id: &str) {
        self.leave(id, true);
    }

    /// A container that could not start. Since 28 its devices go with the namespace, and that is held for as long as
    /// an address is being announced in it.
    pub(super) fn abandon_sandbox(&mut self, id: &str) {
        let announcing: Vec<AppId> = match self.profile() {
            Profile::V20 => Vec::new(),
            _ => self.c(id).apps.into_iter().filter(|a| self.s.apps.get(*a).exit.is_none()).collect(),
        };
        if announcing.is_empty() {
            return self.leave_sandbox(id);
        }
        for a in std::mem::take(&mut self.cm(id).apps) {
            self.s.apps.end_announcing(a);
        }
        if let Some(ns) = self.c(id).netns {
            let nameless = format!("{}/ns", self.s.kernel.host(self.host).name);
            self.s.kernel.ns_mut(ns).label = nameless;
        }
        self.leave(id, false);
    }

    fn leave(&mut self, id: &str, delete: bool) {
        self.unpublish(id);
        let names: Vec<String> = self.c(id).endpoints.keys().cloned().collect();
        for n in names {
            self.detach_from(id, &n, delete);
        }
        let c = self.cm(id);
        c.resolver = None;
        c.bound_for.clear();
        let (ns, pid) = (c.netns.take(), c.pid.take());
        if let (Some(ns), Some(pid)) = (ns, pid) {
            self.s.pid_gone(pid);
            self.s.kernel.ns_mut(ns).pids.retain(|p| *p != pid);
            if ns != self.ns() && delete {
                self.s.kernel.netns_put(ns);
                if !self.s.kernel.ns(ns).alive {
                    let root = self.s.roots.shift_remove(&ns);
                    let wrote = root.is_some_and(|r| r.entries.keys().any(|path| !super::files::is_mounted(path)));
                    self.cm(id).wrote |= wrote;
                }
            }
        }
    }

    /// The networks that a container has joined, the one whose gateway comes first in front (`Endpoint.Less`).
    pub(super) fn by_gateway(&self, c: &Container) -> Vec<(String, Endpoint, Network)> {
        let mut all: Vec<_> = c
            .endpoints
            .iter()
            .filter(|(_, e)| e.dev.is_some())
            .filter_map(|(name, e)| Some((name.clone(), e.clone(), self.e().networks.get(&e.network)?.clone())))
            .collect();
        let last = |name: &str| name == super::gwbridge::NAME;
        let key = |x: &(String, Endpoint, Network)| (-x.1.gw_priority, last(&x.0), x.2.internal, x.0.clone());
        all.sort_by_key(key);
        all
    }

    /// The endpoint whose network supplies the default route.
    pub fn gateway_endpoint(&self, id: &str) -> Option<(String, Network)> {
        let c = self.e().containers.get(id)?;
        // Since 28 an internal network offers none.
        let offers = |n: &Network| n.gateway().is_some() && (!n.internal || self.profile() == Profile::V20);
        let mut all = self.by_gateway(c).into_iter().filter(|(_, _, n)| offers(n) && n.driver != "overlay");
        all.next().map(|(name, _, n)| (name, n))
    }

    /// Default route and published ports go where the gateway is.
    pub(super) fn regate(&mut self, id: &str, left: bool) -> Result<(), String> {
        self.gwbridge_wanted(id)?;
        let Some(ns) = self.c(id).netns else { return Ok(()) };
        let any = RouteSpec { proto: None, ..RouteSpec::default_route(None, None) };
        while self.op(&Op::RouteDel { netns: ns, route: any.clone(), match_kind: false }).is_ok() {}
        let Some((name, n)) = self.gateway_endpoint(id) else {
            self.unpublish(id);
            return Ok(());
        };
        let aux = n.subnets.first().and_then(|s| s.aux.get("DefaultGatewayIPv4").copied());
        let dev = self.c(id).endpoints.get(&name).and_then(|e| e.dev);
        let route = RouteSpec::default_route(aux.or_else(|| n.gateway()), dev);
        self.op(&Op::RouteAdd { netns: ns, verb: RouteVerb::Add, route })?;
        if n.on_parent() {
            let c = self.c(id);
            self.macvlan_ports(&n, !c.exposed.is_empty(), !c.publish.is_empty());
            self.unpublish(id);
            return Ok(());
        }
        self.move_outside(id, &name, &n, left)
    }

    /// External connectivity goes to another endpoint: connections of the one before are forgotten, and of the new one
    /// (`RevokeExternalConnectivity`, `ProgramExternalConnectivity`).
    fn move_outside(&mut self, id: &str, name: &str, n: &Network, left: bool) -> Result<(), String> {
        let c = self.c(id);
        let Some(new) = c.endpoints.get(name) else { return Ok(()) };
        if c.bound_for == new.id {
            return Ok(());
        }
        let before = c.endpoints.values().find(|e| !e.id.is_empty() && e.id == c.bound_for);
        let inner = n.internal;
        // 20.10 forgets them where it revokes only.
        let also = Some(new).filter(|_| !inner && self.profile() != Profile::V20);
        for ip in before.into_iter().chain(also).filter_map(|e| e.ip) {
            self.forget_connections(ip);
        }
        self.cm(id).bound_for.clone_from(&new.id);
        // 20.10 looks whether a network is internal when a container joins one, and not when it leaves another: then
        // docker-proxy serves there, without any rule (`Endpoint.sbLeave`).
        if inner && !left {
            self.unpublish(id);
            return Ok(());
        }
        self.publish(id, name, n)?;
        self.forget_ports(id);
        let Some(e) = self.cm(id).endpoints.get_mut(name) else { return Ok(()) };
        e.outside = true;
        if name != "bridge" {
            return Ok(());
        }
        self.link(id).map_err(|why| {
            self.unpublish(id);
            self.outside_failed(id, name, &why)
        })
    }

    /// The engine's words for an endpoint that cannot be the way out.
    pub(super) fn outside_failed(&self, id: &str, endpoint: &str, why: &str) -> String {
        let c = self.c(id);
        let eid = c.endpoints.get(endpoint).map(|e| e.id.as_str()).unwrap_or_default();
        format!("driver failed programming external connectivity on endpoint {} ({eid}): {why}", c.name)
    }

    /// 28 announces each address, three times a second apart (`osl.Interface.advertiseAddrs`).
    pub(super) fn announce(&mut self, id: &str, ip: Ipv4Addr, dev: DevId) {
        if self.profile() == Profile::V20 {
            return;
        }
        // It waits until the bridge's port forwards.
        self.s.advance(20 * MSEC);
        let c = self.c(id);
        let (Some(ns), Some(pid)) = (c.netns, c.pid) else { return };
        let app = self.announce_one(ns, pid, dev, ip);
        self.cm(id).apps.push(app);
        // Ports are published after it.
        self.s.advance(MSEC);
    }

    /// One address is announced in a namespace.
    pub(super) fn announce_one(&mut self, ns: NetnsId, pid: Pid, dev: DevId, ip: Ipv4Addr) -> AppId {
        let spec = ArpingSpec {
            dst: ip,
            dev: self.s.kernel.dev(dev).name.to_string(),
            src: Some(ip),
            count: 3,
            interval: SEC,
            timeout: 0,
            announce: Some(1),
            zero_target: true,
            first: false,
            broadcast: true,
        };
        self.s.spawn(self.host, ns, pid, "dockerd", Program::Arping(Arping::new(spec)))
    }
}

/// `02:42` and the address (`netutils.GenerateMACFromIP`).
pub fn mac_of(ip: Ipv4Addr) -> MacAddr {
    let o = ip.octets();
    MacAddr([0x02, 0x42, o[0], o[1], o[2], o[3]])
}

//! The start of a daemon (daemon/daemon_unix.go, libnetwork firewall_linux.go, setup_ip_forwarding.go).

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use super::Docker;
use super::rules::{self, v20, v28};
use super::types::{Config, Network, Profile, State, Subnet};
use crate::kernel::types::HostId;
use crate::kernel::xtables::TableKind;
use crate::op::Op;
use crate::session::Session;

impl Config {
    /// Flags of `dockerd`.
    ///
    /// # Errors
    /// A flag that is not modelled, or a value that cannot be read.
    pub fn from_flags(flags: &[String]) -> Result<Config, String> {
        let mut c = Config::default();
        let mut it = flags.iter();
        while let Some(f) = it.next() {
            let (name, value) = f.split_once('=').map_or((f.as_str(), None), |(n, v)| (n, Some(v.to_owned())));
            let flag = matches!(
                name,
                "--icc"
                    | "--iptables"
                    | "--ip-forward"
                    | "--ip-masq"
                    | "--userland-proxy"
                    | "--ip-forward-no-drop"
                    | "--allow-direct-routing"
                    | "--debug"
                    | "-D"
                    | "--experimental"
                    | "--init"
                    | "--ip6tables"
                    | "--ipv6"
                    | "--live-restore"
                    | "--no-new-privileges"
                    | "--raw-logs"
                    | "--selinux-enabled"
            );
            let value = match value {
                Some(v) => v,
                None if flag => "true".to_owned(),
                None => it.next().cloned().ok_or_else(|| format!("flag needs an argument: {f}"))?,
            };
            c.set(name, &value).map_err(|e| format!("dockerd {f}: {e}"))?;
        }
        Ok(c)
    }

    fn set(&mut self, name: &str, v: &str) -> Result<(), String> {
        let yes = v == "true" || v == "1";
        let bad = |_| format!("invalid value {v}");
        match name {
            "--icc" => self.icc = yes,
            "--iptables" => self.iptables = yes,
            "--ip6tables" => self.ip6tables = Some(yes),
            "--experimental" => self.experimental = yes,
            "--ip-forward" => self.ip_forward = yes,
            "--ip-forward-no-drop" => self.ip_forward_no_drop = yes,
            "--ip-masq" => self.ip_masq = yes,
            "--live-restore" => self.live_restore = yes,
            "--userland-proxy" => self.userland_proxy = yes,
            "--allow-direct-routing" => self.allow_direct_routing = yes,
            "-b" | "--bridge" => self.bridge = Some(v.to_owned()),
            // What cannot be read the daemon finds out while it sets its bridge up.
            "--bip" => self.bip = Some(v.to_owned()),
            "--fixed-cidr" => self.fixed_cidr = Some(v.parse().map_err(|_| format!("invalid CIDR address: {v}"))?),
            "--mtu" => self.mtu = v.parse().map_err(|_| format!("invalid value {v}"))?,
            "--ip" => self.ip = Some(v.parse().map_err(bad)?),
            "--default-gateway" => self.default_gateway = Some(v.parse().map_err(bad)?),
            "--dns" => self.dns.push(v.to_owned()),
            "--dns-search" => self.dns_search.push(v.to_owned()),
            "--dns-opt" => self.dns_opts.push(v.to_owned()),
            "--cluster-store" => self.cluster_store = Some(v.to_owned()),
            "--cluster-advertise" => self.cluster_advertise = Some(v.to_owned()),
            "-H" | "--host" => self.hosts.push(v.to_owned()),
            "--default-address-pool" => {
                let field =
                    |k: &str| v.split(',').find_map(|p| p.strip_prefix(k)?.strip_prefix('=').map(str::to_owned));
                let base = field("base").and_then(|b| b.parse().ok());
                let size = field("size").and_then(|s| s.parse().ok());
                let pool = base.zip(size).ok_or_else(|| format!("invalid value {v}"))?;
                self.pools.push(pool);
            }
            _ => return Err("not modelled".into()),
        }
        Ok(())
    }
}

impl Session {
    /// Starts a daemon on a host; one that was stopped keeps its networks and containers.
    ///
    /// # Errors
    /// Why it ends at once, as its last words say.
    pub fn start_docker(&mut self, host: HostId, profile: Profile, config: Config) -> Result<(), String> {
        let e = self.engines.entry(host).or_default();
        e.profile = profile;
        e.config = config;
        e.running = true;
        e.last_pool = None;
        e.next_port.clear();
        // It takes a daemon a second and more to come to its networks.
        self.kernel.linkwatch_settle(host);
        let started = Docker { s: self, host }.start_daemon();
        match &started {
            Err(_) => self.engines.entry(host).or_default().running = false,
            Ok(()) => {
                let ns = self.kernel.host(host).root_ns;
                let forwards = self.kernel.sysctl_get(ns, "net.ipv4.ip_forward").is_ok_and(|v| v == "1");
                self.engines.entry(host).or_default().forwarded = forwards;
            }
        }
        started
    }

    /// The daemon stops: its containers end, its rules and devices stay.
    pub fn stop_docker(&mut self, host: HostId) {
        if let Some(mut d) = Docker::open(self, host) {
            if d.keeps_containers() {
                d.helpers_end();
                d.em().running = false;
                return;
            }
            let running: Vec<String> =
                d.e().containers.values().filter(|c| c.state == State::Running).map(|c| c.id.clone()).collect();
            for id in running {
                d.stop(&id, 0);
            }
            d.talk_ends();
            d.em().running = false;
        }
    }

    /// The containers that a starting daemon starts (restartmanager `ShouldRestart`).
    fn to_restart(&self, host: HostId) -> Vec<String> {
        let wanted = |c: &&super::Container| match c.restart.split(':').next().unwrap_or("") {
            "always" => true,
            "unless-stopped" => !c.stopped_by_hand,
            "on-failure" => c.state == State::Exited && c.exit != 0,
            _ => false,
        };
        let all = self.engines.get(&host).into_iter().flat_map(|e| e.containers.values());
        all.filter(wanted).map(|c| c.id.clone()).collect()
    }

    /// Stops the daemon and starts it again; containers with a restart policy start with it.
    ///
    /// # Errors
    /// As [`Session::start_docker`].
    pub fn restart_docker(&mut self, host: HostId) -> Result<(), String> {
        let Some(e) = self.engines.get(&host) else { return Err("there is no engine".into()) };
        let (profile, config) = (e.profile, e.config.clone());
        self.stop_docker(host);
        self.start_docker(host, profile, config)?;
        for id in self.to_restart(host) {
            if let Some(mut d) = Docker::open(self, host) {
                // A container that cannot start stays as it is; its state says why.
                let _ = d.start(&id);
            }
        }
        Ok(())
    }
}

impl Docker<'_> {
    /// `ip6tables` has the same first chains, whatever `--iptables` says: their tables come after those of IPv4. Up to
    /// 26 only where it is asked for.
    fn v6_tables(&mut self) {
        let wanted = self.e().config.ip6tables.unwrap_or(self.profile() != Profile::V20);
        let op = Op::Ip6Tables { netns: self.ns(), tables: vec![TableKind::Nat, TableKind::Filter] };
        if let Err(e) = if wanted { self.op(&op).map(|_| ()) } else { Ok(()) } {
            self.em().log.push(format!("ip6tables failed: {e}"));
        }
    }

    fn start_daemon(&mut self) -> Result<(), String> {
        self.check_config()?;
        let (p, proxy) = (self.profile(), self.e().config.userland_proxy);
        self.calls_logged(&rules::start(p, proxy));
        if p == Profile::V20 {
            self.enable_forwarding();
        }
        self.v6_tables();
        let live = self.keeps_containers();
        // What 20.10 does for every network that is made; with live containers none is.
        if !(live && p == Profile::V20) {
            self.user_chain();
        }
        for (name, driver) in [("none", "null"), ("host", "host")] {
            if self.e().network(name).is_none() {
                let id = self.new_id();
                let n = plain(&id, name, driver, self.s.kernel.now());
                self.em().networks.insert(id, n);
            }
        }
        if live {
            // Networks stay as they are, the default bridge too.
            self.em().taking_over = true;
            self.kept_networks(true);
            self.em().taking_over = false;
            self.take_over()?;
        } else {
            self.read_back();
            self.kept_networks(false);
            self.default_bridge()?;
        }
        self.api_ports()?;
        self.swarm_start()?;
        self.store_start()
    }

    /// Containers of an earlier run, as the disk has them.
    fn read_back(&mut self) {
        for e in self.em().containers.values_mut().flat_map(|c| c.endpoints.values_mut()) {
            e.written = e.on_disk.take().or(e.written.take());
        }
    }

    /// Networks of an earlier run, by the order of their keys in the store (`populateNetworks`). One that fails is
    /// only written down.
    fn kept_networks(&mut self, live: bool) {
        let of_ours = |n: &&Network| n.driver == "bridge" && (live || n.name != "bridge");
        let mut kept: Vec<Network> = self.e().networks.values().filter(of_ours).cloned().collect();
        kept.sort_by(|a, b| a.id.cmp(&b.id));
        for mut n in kept {
            // What is read back from the store names the gateway that was chosen.
            n.subnets.iter_mut().for_each(|s| s.gateway_given |= s.gateway.is_some());
            let (id, name) = (n.id.clone(), n.bridge_name.clone());
            if let Err(e) = self.bring_up(n) {
                let text = "could not create bridge network for id";
                self.em().log.push(format!("{text} {id} bridge name {name} while booting up: {e}"));
            }
        }
    }

    fn check_config(&self) -> Result<(), String> {
        let c = &self.e().config;
        if self.profile() == Profile::V20 && c.ip6tables == Some(true) && !c.experimental {
            return Err("ip6tables rules are only available if experimental features are enabled".into());
        }
        if c.bridge.is_some() && c.bip.is_some() {
            return Err("You specified -b & --bip, mutually exclusive options. Please specify only one".into());
        }
        if !c.iptables && !c.icc {
            return Err(
                "You specified --iptables=false with --icc=false. ICC=false uses iptables to function. Please \
                        set --icc or --iptables to true"
                    .into(),
            );
        }
        Ok(())
    }

    /// DOCKER-USER on top of FORWARD (`setupUserChain`).
    pub(super) fn user_chain(&mut self) {
        let calls = if self.profile() == Profile::V20 { v20::user() } else { v28::user() };
        self.calls_logged(&calls);
    }

    /// `ip_forward`, and the policy where it was the engine that switched it on.
    pub(super) fn enable_forwarding(&mut self) {
        let c = &self.e().config;
        let (wanted, tables, no_drop) = (c.ip_forward, c.iptables, c.ip_forward_no_drop);
        let ns = self.ns();
        let on = self.s.kernel.sysctl_get(ns, "net.ipv4.ip_forward").is_ok_and(|v| v == "1");
        if !wanted || on {
            return;
        }
        self.sysctl(ns, "net.ipv4.ip_forward", "1");
        if tables && !no_drop {
            self.forward_drop();
        }
    }

    /// `initBridgeDriver`: the network `bridge` is made anew at every start.
    fn default_bridge(&mut self) -> Result<(), String> {
        if let Some(old) = self.e().network("bridge").cloned() {
            // The driver has brought back what its store knew before the network is made anew.
            if let (Some(dev), Some(g)) = (self.s.kernel.dev_by_name(self.ns(), &old.bridge_name), old.gateway()) {
                let prefix = old.subnets.first().map_or(16, |s| s.net.prefix_len());
                if self.s.kernel.dev(dev).addrs.is_empty() {
                    self.address(dev, g, prefix)?;
                }
            }
            self.take_down(&old, false);
            // With pools of its own it also begins with a new device (`removeDefaultBridgeInterface`).
            if !self.e().config.pools.is_empty() {
                self.remove_docker0();
            }
        }
        let c = self.e().config.clone();
        if c.bridge.as_deref() == Some("none") {
            self.remove_docker0();
            return Ok(());
        }
        let name = c.bridge.clone().unwrap_or_else(|| "docker0".into());
        let ns = self.ns();
        let there = self.s.kernel.dev_by_name(ns, &name);
        if c.bridge.is_some() && there.is_none() {
            let e = if self.profile() == Profile::V20 { "Error" } else { "error" };
            return Err(format!(
                "Error initializing network controller: {e} creating default \"bridge\" network: bridge device with \
                 non default name {name} must be created manually"
            ));
        }
        let has = there.and_then(|d| self.s.kernel.dev(d).addrs.first().map(|a| (a.local, a.prefix)));
        let subnet = self.bridge_subnet(&c, has).map_err(|e| format!("Error initializing network controller: {e}"))?;
        let id = self.new_id();
        let mut n = plain(&id, "bridge", "bridge", self.s.kernel.now());
        n.bridge_name.clone_from(&name);
        n.options = bridge_options(&c, &name);
        let mut taken: Vec<Ipv4Addr> = subnet.gateway.into_iter().collect();
        taken.extend(subnet.aux.values());
        n.subnets = vec![subnet];
        n.auto_subnet = true;
        self.em().addresses.insert(id, taken);
        self.bring_up(n)
    }

    fn remove_docker0(&mut self) {
        let Some(dev) = self.s.kernel.dev_by_name(self.ns(), "docker0") else { return };
        if let Err(e) = self.op(&Op::LinkDel { dev }) {
            self.em().log.push(format!("Failed to remove bridge interface docker0: {e}"));
        }
    }

    fn bridge_subnet(&mut self, c: &Config, has: Option<(Ipv4Addr, u8)>) -> Result<Subnet, String> {
        let bip = match &c.bip {
            None => None,
            Some(text) => Some(text.parse::<Ipv4Net>().map_err(|_| {
                let what = if self.profile() == Profile::V20 { "" } else { "parse bip failed: " };
                format!("{what}invalid CIDR address: {text}")
            })?),
        };
        let (net, gateway, given) = match (bip, has) {
            (Some(b), _) => (b.trunc(), Some(b.addr()), true),
            (None, Some((a, p))) => (Ipv4Net::new(a, p).map_err(|e| e.to_string())?.trunc(), Some(a), true),
            // Since 28 `--fixed-cidr` alone says where the bridge is.
            (None, None) if self.profile() != Profile::V20 && c.fixed_cidr.is_some() => {
                (c.fixed_cidr.unwrap_or_default(), None, false)
            }
            (None, None) => (self.bridge_pool()?, None, self.profile() != Profile::V20),
        };
        let mut aux = IndexMap::new();
        if let Some(g) = c.default_gateway {
            aux.insert("DefaultGatewayIPv4".to_owned(), g);
        }
        let range = c.fixed_cidr;
        let s = Subnet { net, given: None, range, gateway, gateway_given: given, aux };
        let gateway = s.gateway.or_else(|| super::ipam::lowest(&Subnet { range: None, ..s.clone() }, |_| false));
        Ok(Subnet { gateway, ..s })
    }
}

fn bridge_options(c: &Config, name: &str) -> IndexMap<String, String> {
    let ip = c.ip.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let pairs = [
        ("com.docker.network.bridge.default_bridge", "true".to_owned()),
        ("com.docker.network.bridge.enable_icc", c.icc.to_string()),
        ("com.docker.network.bridge.enable_ip_masquerade", (c.ip_masq && c.iptables).to_string()),
        ("com.docker.network.bridge.host_binding_ipv4", ip.to_string()),
        ("com.docker.network.bridge.name", name.to_owned()),
        ("com.docker.network.driver.mtu", c.mtu.to_string()),
    ];
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

fn plain(id: &str, name: &str, driver: &str, created: u64) -> Network {
    Network {
        id: id.to_owned(),
        name: name.to_owned(),
        driver: driver.to_owned(),
        scope: "local".into(),
        subnets: Vec::new(),
        auto_subnet: true,
        internal: false,
        attachable: false,
        options: IndexMap::new(),
        labels: IndexMap::new(),
        created,
        bridge: None,
        bridge_name: String::new(),
        bridge_kept: false,
        config: None,
        config_from: None,
    }
}

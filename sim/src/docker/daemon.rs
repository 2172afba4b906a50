//! The start of a daemon (daemon/daemon_unix.go, libnetwork firewall_linux.go, setup_ip_forwarding.go).

use super::Docker;
use super::config_file;
use super::default_bridge::plain;
use super::rules::{self, v20, v28};
use super::types::{Config, Network, Profile, State};
use crate::kernel::types::HostId;
use crate::kernel::xtables::TableKind;
use crate::op::Op;
use crate::session::Session;

impl Session {
    /// Starts a daemon on a host; one that was stopped keeps its networks and containers.
    ///
    /// # Errors
    /// Why it ends at once, as its last words say.
    pub fn start_docker(&mut self, host: HostId, profile: Profile, config: Config) -> Result<(), String> {
        let root = self.kernel.host(host).root_ns;
        let file = self.read_file(host, root, config_file::PATH).ok();
        let e = self.engines.entry(host).or_default();
        e.profile = profile;
        e.given = config;
        e.config = match file {
            Some(text) => e.given.with_file(&text, profile)?,
            None => e.given.clone(),
        };
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
        let (profile, config) = (e.profile, e.given.clone());
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
        if let Some(e) = &c.unread {
            return Err(format!("Error initializing network controller: {e}"));
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
}

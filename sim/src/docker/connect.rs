//! Containers and the networks they join and leave (daemon/container_operations.go).

use super::Docker;
use super::files::HOSTS;
use super::types::{Container, Endpoint, Mode, Profile, State, Written};

/// What `--ip` is told where no user-defined network is.
pub(super) const STRAY_IP: &str = "user specified IP address is supported on user defined networks only";

/// 29's words for `--ip` on the default bridge.
const NO_IP_29: &str = "user-specified IP address is supported on user-defined networks only";

impl Docker<'_> {
    /// What 28 looks at when a container is made, and 20.10 in part when it starts.
    pub(super) fn check_endpoints(&self, c: &Container) -> Result<(), String> {
        if c.stray_ip && self.profile() != Profile::V20 && c.network_mode.starts_with("container:") {
            let mode = &c.network_mode;
            return Err(format!("invalid config for network {mode}: invalid endpoint settings:\n{STRAY_IP}"));
        }
        if c.stray_ip && self.profile() != Profile::V20 {
            return Err(format!(
                "invalid config for network {}: invalid endpoint settings:\n* {STRAY_IP}\n* user specified IP address is \
                 supported only when connecting to networks with user configured subnets",
                c.network_mode
            ));
        }
        for (name, e) in &c.endpoints {
            let Some(n) = self.e().network(name) else { continue };
            let Some(ip) = e.wanted_ip else { continue };
            if self.profile() == Profile::V20 {
                continue;
            }
            let mut found = Vec::new();
            let v29 = self.profile() == Profile::V29;
            if n.name == "bridge" {
                found.push(if v29 { NO_IP_29.to_owned() } else { STRAY_IP.to_owned() });
            }
            // 29 takes any address of a pool, whoever chose the pool.
            if n.auto_subnet && !v29 {
                found.push(
                    "user specified IP address is supported only when connecting to networks with user configured \
                     subnets"
                        .to_owned(),
                );
            } else if n.name != "bridge" && !n.subnets.iter().any(|s| s.net.contains(&ip)) {
                found.push(if v29 {
                    format!("no configured subnet contains IP address {ip}")
                } else {
                    format!("no configured subnet or ip-range contain the IP address {ip}")
                });
            }
            if !found.is_empty() {
                let text = match found.as_slice() {
                    [one] => one.clone(),
                    many => many.iter().map(|l| format!("* {l}")).collect::<Vec<_>>().join("\n"),
                };
                return Err(format!("invalid config for network {}: invalid endpoint settings:\n{text}", n.name));
            }
        }
        Ok(())
    }

    /// `docker network connect`.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn connect(&mut self, network: &str, key: &str, mut e: Endpoint) -> Result<(), String> {
        let v20 = self.profile() == Profile::V20;
        let found = self.e().network(network).cloned().or_else(|| self.swarm_network(network));
        let id = self.container_id(key);
        let Some(n) = found else {
            // A container that does not run is only told of it: it is looked for when it starts.
            return match id {
                Ok(id) if self.c(&id).state != State::Running => {
                    e.connected = true;
                    self.cm(&id).endpoints.insert(network.to_owned(), e);
                    Ok(())
                }
                _ => Err(self.no_network(network)),
            };
        };
        let id = id?;
        let c = self.c(&id);
        if n.name == "host" {
            return Err(if v20 {
                "container cannot be disconnected from host network or connected to host network".into()
            } else {
                "cannot connect container to host network - container must be created in host network mode".into()
            });
        }
        // Of one that does not run only its networks are looked at, and one that shares has none (`updateNetworkSettings`).
        let shares = matches!(c.mode, Mode::Container(_)) && c.state == State::Running;
        if c.mode == Mode::Host && !c.left_host || shares {
            return Err(
                "container sharing network namespace with another container or host cannot be connected to any \
                        other network"
                    .into(),
            );
        }
        if c.mode == Mode::Networks && n.name == "none" && c.endpoints.is_empty() {
            let c = self.cm(&id);
            (c.mode, c.connected_none) = (Mode::None, true);
            return Ok(());
        }
        if c.mode == Mode::None || n.name == "none" {
            return Err(
                "container cannot be connected to multiple networks with one of the networks in private (none) \
                        mode"
                    .into(),
            );
        }
        self.check_wanted(&n, &e)?;
        self.slots_follow(&id);
        let there = c.endpoints.get(&n.name).is_some_and(|e| e.written.is_none() && !e.id.is_empty());
        if there && c.state == State::Running {
            return Err(match n.scope.as_str() {
                "swarm" => format!("{} is already attached to network {}", c.name, n.name),
                _ => format!("endpoint with name {} already exists in network {}", c.name, n.name),
            });
        }
        // One that does not run keeps what was first said.
        if c.state != State::Running && c.endpoints.contains_key(&n.name) {
            return Ok(());
        }
        e.network.clone_from(&n.id);
        e.connected = true;
        // The address of `--mac-address` is for the network of `docker run` (`buildCreateEndpointOptions`).
        if v20
            && e.wanted_mac.is_none()
            && (n.name == c.network_mode || n.name == "bridge" && c.network_mode == "default")
        {
            e.wanted_mac = c.mac;
        }
        self.cm(&id).endpoints.insert(n.name.clone(), e);
        if c.state != State::Running {
            return Ok(());
        }
        if let Err(e) = self.attach(&id, &n.name) {
            let had = self.c(&id).endpoints.get(&n.name).cloned().filter(|e| e.dev.is_some());
            let mut hosts = None;
            if let Some(ip) = had.as_ref().and_then(|h| h.ip) {
                // The name server began before, and /etc/hosts was written.
                self.resolver(&id);
                self.files_joined(&id, ip);
                hosts = self.own_file(&id, HOSTS);
            }
            self.detach(&id, &n.name);
            // The endpoint was made and could not join: its settings stay written down. Of one that was never made, what was
            // wanted does, and is wanted again at the next start (`updateNetworkSettings`).
            if let Some(had) = had {
                if let Some(text) = hosts {
                    self.put_file(&id, HOSTS, &text);
                }
                if let Some(e) = self.cm(&id).endpoints.get_mut(&n.name) {
                    e.written = Written::of(&had);
                }
            }
            return Err(e);
        }
        self.regate(&id, false)?;
        self.resolver(&id);
        Ok(())
    }

    fn check_wanted(&self, n: &super::Network, e: &Endpoint) -> Result<(), String> {
        let mut found = Vec::new();
        let v29 = self.profile() == Profile::V29;
        if e.wanted_ip.is_some() && n.name == "bridge" {
            found.push(if v29 { NO_IP_29 } else { STRAY_IP });
        }
        if e.wanted_ip.is_some() && n.auto_subnet && !v29 {
            found.push(
                "user specified IP address is supported only when connecting to networks with user configured subnets",
            );
        }
        let unfit = |a: &std::net::Ipv4Addr| !n.subnets.iter().any(|s| s.net.contains(a));
        let outside = e.wanted_ip.filter(|a| n.name != "bridge" && !n.auto_subnet && unfit(a));
        let outside = outside.filter(|_| self.profile() != Profile::V20 && n.scope != "swarm").map(|a| {
            format!(
                "no configured subnet {} {a}",
                if v29 { "contains IP address" } else { "or ip-range contain the IP address" }
            )
        });
        found.extend(outside.as_deref());
        if !e.aliases.is_empty() && n.name == "bridge" {
            found.push(if v29 {
                "network-scoped aliases are only supported for user-defined networks"
            } else {
                "network-scoped alias is supported only for containers in user defined networks"
            });
        }
        match (found.as_slice(), self.profile()) {
            ([], _) => Ok(()),
            ([first, ..], Profile::V20) => Err((*first).to_owned()),
            ([one], _) => Err(format!("invalid endpoint settings:\n{one}")),
            (all, _) => {
                let lines: Vec<String> = all.iter().map(|l| format!("* {l}")).collect();
                Err(format!("invalid endpoint settings:\n{}", lines.join("\n")))
            }
        }
    }

    /// `docker network disconnect`.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn disconnect(&mut self, network: &str, key: &str, force: bool) -> Result<(), String> {
        let found = self.e().network(network).cloned();
        let id = match self.container_id(key) {
            // Then an endpoint of that name is looked for (`ForceEndpointDelete`).
            Err(_) if force => {
                return Err(match found {
                    Some(_) => format!("endpoint {key} not found"),
                    None => format!("network {network} not found"),
                });
            }
            id => id?,
        };
        let c = self.c(&id);
        let Some(n) = found else {
            // What is written down of a network that is gone can be taken back.
            if c.state == State::Running && !force {
                return Err(format!("network {network} not found"));
            }
            self.slots_follow(&id);
            if self.cm(&id).endpoints.shift_remove(network).is_none() {
                return Err(format!("container {id} is not connected to the network {network}"));
            }
            self.slots_follow(&id);
            return Ok(());
        };
        if n.name == "host" && c.mode == Mode::Host && c.state == State::Running {
            return Err(if self.profile() == Profile::V20 {
                "container cannot be disconnected from host network or connected to host network".into()
            } else {
                "cannot disconnect container from host network - container was created in host network mode".into()
            });
        }
        if n.name == "host" && c.mode == Mode::Host && !c.left_host {
            self.cm(&id).left_host = true;
            return Ok(());
        }
        if n.name == "none" && c.mode == Mode::None {
            // Then it is on no network, and may go to any.
            let c = self.cm(&id);
            (c.mode, c.connected_none) = (Mode::Networks, false);
            return Ok(());
        }
        let unmet = |e: &Endpoint| c.state == State::Running && e.id.is_empty() && e.written.is_none();
        if c.endpoints.get(&n.name).is_none_or(unmet) {
            let the = if c.state == State::Running { "" } else { "the " };
            return Err(format!("container {id} is not connected to {the}network {}", n.name));
        }
        if c.state == State::Running {
            self.unpublish_at(&id, &n.id);
            self.detach(&id, &n.name);
        }
        self.slots_follow(&id);
        self.cm(&id).endpoints.shift_remove(&n.name);
        self.slots_follow(&id);
        if c.state == State::Running {
            self.regate(&id, true)?;
            self.resolver(&id);
        }
        Ok(())
    }
}

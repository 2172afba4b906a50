//! Containers: made, started, stopped, removed, renamed (daemon/create.go, start.go, stop.go, delete.go).

use super::Docker;
use super::files::HOSTS;
use super::types::{Container, Endpoint, Mode, Profile, State, Written};
use crate::kernel::types::MSEC;

/// What `--ip` is told where no user-defined network is.
pub(super) const STRAY_IP: &str = "user specified IP address is supported on user defined networks only";

/// 29's words for `--ip` on the default bridge.
const NO_IP_29: &str = "user-specified IP address is supported on user-defined networks only";

impl Docker<'_> {
    /// The id of a container.
    ///
    /// # Errors
    /// `No such container: KEY`.
    pub fn container_id(&self, key: &str) -> Result<String, String> {
        self.e().container(key).map(|c| c.id.clone()).ok_or_else(|| format!("No such container: {key}"))
    }

    pub(super) fn c(&self, id: &str) -> Container {
        self.e().containers.get(id).cloned().unwrap_or_default()
    }

    pub(super) fn cm(&mut self, id: &str) -> &mut Container {
        self.em().containers.entry(id.to_owned()).or_default()
    }

    /// `docker create`: its id.
    ///
    /// # Errors
    /// The engine's sentence.
    pub fn create(&mut self, mut c: Container) -> Result<String, String> {
        check_name(&c.name)?;
        if let Some(other) = self.e().containers.values().find(|o| o.name == c.name && !c.name.is_empty()) {
            return Err(in_use(&c.name, &other.id));
        }
        c.id = self.new_id();
        if c.name.is_empty() {
            c.name = format!("box_{}", &c.id[..6]);
            c.name_generated = true;
        }
        self.resolve_mode(&mut c)?;
        self.check_endpoints(&c)?;
        if c.hostname.is_empty() {
            c.hostname = match &c.mode {
                Mode::Host => self.s.kernel.host(self.host).name.clone(),
                _ => c.id[..12].to_owned(),
            };
        }
        if let Some(i) = self.s.image(&c.image) {
            c.image_command = i.command.to_string();
            for (udp, port) in i.exposes.iter() {
                let text = format!("{port}/{}", if *udp { "udp" } else { "tcp" });
                if !c.exposed.contains(&text) {
                    c.exposed.push(text);
                }
            }
        }
        for p in &c.publish {
            let text = format!("{}/{}", p.port, p.proto);
            if !c.exposed.contains(&text) {
                c.exposed.push(text);
            }
        }
        c.created = self.s.kernel.now();
        let id = c.id.clone();
        self.em().containers.insert(id.clone(), c);
        Ok(id)
    }

    /// `--network container:X` names a container by its id from now on; endpoints remember their network's id.
    fn resolve_mode(&self, c: &mut Container) -> Result<(), String> {
        if let Some(of) = c.network_mode.strip_prefix("container:") {
            if of.is_empty() {
                let i = if self.profile() == Profile::V20 { "I" } else { "i" };
                return Err(format!("{i}nvalid network mode: invalid container format container:<name|id>"));
            }
            if of == c.name {
                // It is made, and cannot start.
                c.mode = Mode::Container(c.id.clone());
                return Ok(());
            }
            // One that is not there shows when it starts.
            let id = self.container_id(of).unwrap_or_else(|_| of.to_owned());
            c.network_mode = format!("container:{id}");
            c.mode = Mode::Container(id);
        }
        let ids: Vec<(String, String)> =
            c.endpoints.keys().filter_map(|k| Some((k.clone(), self.e().network(k)?.id.clone()))).collect();
        for (k, id) in ids {
            if let Some(e) = c.endpoints.get_mut(&k) {
                e.network = id;
            }
        }
        Ok(())
    }

    /// What 28 looks at when a container is made, and 20.10 in part when it starts.
    fn check_endpoints(&self, c: &Container) -> Result<(), String> {
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

    /// `docker start`.
    ///
    /// # Errors
    /// The engine's sentence; the container keeps its state.
    pub fn start(&mut self, id: &str) -> Result<(), String> {
        if matches!(self.c(id).state, State::Running | State::Paused) {
            return Ok(());
        }
        if let Err(e) = self.networking(id) {
            let had: Vec<_> = self.c(id).endpoints.iter().map(|(n, e)| (n.clone(), Written::of(e))).collect();
            self.abandon_sandbox(id);
            // 20.10 clears its settings and does not write that down.
            let forgets = self.profile() == Profile::V20;
            for (name, w) in had.into_iter().filter(|_| forgets) {
                if let Some(e) = self.cm(id).endpoints.get_mut(&name) {
                    e.on_disk = w;
                }
            }
            let c = self.cm(id);
            c.error.clone_from(&e);
            c.exit = 128;
            return Err(e);
        }
        self.resolver(id);
        self.first_process(id);
        let now = self.s.kernel.now();
        let c = self.cm(id);
        c.state = State::Running;
        c.error.clear();
        c.exit = 0;
        c.started = now;
        c.stopped_by_hand = false;
        self.program_ended(id);
        Ok(())
    }

    /// Its sandbox with its networks, and a look at its links: after the networks up to 27, before them since.
    fn networking(&mut self, id: &str) -> Result<(), String> {
        if self.profile() == Profile::V20 {
            self.sandbox(id)?;
            self.join_networks(id)?;
            return self.check_links(id);
        }
        let lets_in = |n: &&super::Network| n.scope != "swarm" || n.attachable;
        let there: Vec<String> = self.e().networks.values().filter(lets_in).map(|n| n.id.clone()).collect();
        for e in self.cm(id).endpoints.values_mut() {
            e.named |= there.contains(&e.network);
        }
        let joining = matches!(self.c(id).mode, Mode::Container(_));
        let said = |e| if joining { e } else { format!("failed to set up container networking: {e}") };
        self.sandbox(id).map_err(said)?;
        self.check_links(id)?;
        self.join_networks(id).map_err(said)
    }

    /// The environment of its processes (`createDaemonEnvironment`, links.ToEnv).
    pub fn environment(&self, id: &str, tty: bool) -> Vec<(String, String)> {
        let c = self.c(id);
        let mut env: Vec<(String, String)> = Vec::new();
        let mut put = |k: &str, v: &str| match env.iter_mut().find(|(n, _)| n == k) {
            Some(e) => v.clone_into(&mut e.1),
            None => env.push((k.to_owned(), v.to_owned())),
        };
        put("PATH", "/bin:/usr/bin");
        put("HOSTNAME", &c.hostname);
        if tty {
            put("TERM", "xterm");
        }
        for (of, alias) in &c.links {
            for (k, v) in link_env(&self.c(of), alias, &c.name) {
                put(&k, &v);
            }
        }
        for e in &c.env {
            if let Some((k, v)) = e.split_once('=') {
                put(k, v);
            }
        }
        put("HOME", "/root");
        env
    }

    /// A server that could not begin ends, and its container with it.
    fn program_ended(&mut self, id: &str) {
        let c = self.c(id);
        let ended = c.apps.iter().find_map(|a| self.s.apps.get(*a).exit);
        if let Some(status) = ended {
            self.stop(id, status);
        }
    }

    /// Stops a container: its processes end, its endpoints go, its namespace goes with its last user.
    pub fn stop(&mut self, id: &str, status: i32) {
        if !matches!(self.c(id).state, State::Running | State::Paused) {
            return;
        }
        self.keep_log(id);
        let ns = self.c(id).netns;
        let talks = ns.is_some_and(|ns| !self.s.kernel.ns(ns).socks.tcp_established.is_empty());
        for a in std::mem::take(&mut self.cm(id).apps) {
            self.s.apps.kill(&mut self.s.kernel, a, 143);
        }
        if talks {
            // What its connections say at their end is on its way before the devices go.
            self.s.advance(MSEC);
        }
        self.leave_sandbox(id);
        let c = self.cm(id);
        c.state = State::Exited;
        c.exit = status;
        if self.c(id).auto_remove {
            self.em().containers.shift_remove(id);
        }
    }

    /// Somebody stopped it: `--restart=unless-stopped` leaves it so.
    pub fn by_hand(&mut self, id: &str) {
        if let Some(c) = self.em().containers.get_mut(id) {
            c.stopped_by_hand = true;
        }
    }

    /// `docker rm`.
    ///
    /// # Errors
    /// It runs and was not forced.
    pub fn remove(&mut self, key: &str, force: bool) -> Result<(), String> {
        let id = self.container_id(key)?;
        let c = self.c(&id);
        if matches!(c.state, State::Running | State::Paused) {
            if !force {
                return Err(if self.profile() == Profile::V20 {
                    format!(
                        "You cannot remove a running container {id}. Stop the container before attempting removal or \
                         force remove"
                    )
                } else {
                    format!(
                        "cannot remove container \"{key}\": container is running: stop the container before removing \
                         or force remove"
                    )
                });
            }
            self.stop(&id, 137);
        }
        if self.e().containers.values().any(|o| o.links.iter().any(|(of, _)| *of == id)) {
            let name = c.name.clone();
            self.em().gone.insert(id.clone(), name);
        }
        self.em().containers.shift_remove(&id);
        Ok(())
    }

    /// `docker rename`.
    ///
    /// # Errors
    /// There is no such container, or the name is taken.
    pub fn rename(&mut self, key: &str, name: &str) -> Result<(), String> {
        let id = self.container_id(key)?;
        check_name(name)?;
        if self.c(&id).name == name {
            return Err("Renaming a container with the same name as its current name".into());
        }
        let other = self.e().containers.values().find(|c| c.name == name).map(|c| c.id.clone());
        if let Some(other) = other {
            return Err(format!("Error when allocating new name: {}", in_use(name, &other)));
        }
        let c = self.cm(&id);
        name.clone_into(&mut c.name);
        // Its settings get new names while it has a sandbox.
        let up = matches!(c.state, State::Running | State::Paused);
        c.endpoints.values_mut().for_each(|e| e.renamed |= up && e.joined);
        let nets: Vec<String> = self.c(&id).endpoints.values().map(|e| e.network.clone()).collect();
        for n in nets {
            self.names_changed(&n);
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
        if c.mode == Mode::Host && !c.left_host || matches!(c.mode, Mode::Container(_)) {
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

/// What a link puts into the environment: the first port, every port, the name (daemon/links).
fn link_env(child: &Container, alias: &str, parent: &str) -> Vec<(String, String)> {
    let Some(ip) = child.endpoints.get("bridge").and_then(|e| e.ip) else { return Vec::new() };
    let base = alias.replace('-', "_").to_uppercase();
    let mut ports: Vec<(u16, &str)> = child
        .exposed
        .iter()
        .filter_map(|e| e.split_once('/'))
        .filter_map(|(port, proto)| Some((port.parse().ok()?, proto)))
        .collect();
    ports.sort_unstable();
    let mut out = Vec::new();
    if let Some((port, proto)) = ports.first() {
        out.push((format!("{base}_PORT"), format!("{proto}://{ip}:{port}")));
    }
    for (port, proto) in ports {
        let key = format!("{base}_PORT_{port}_{}", proto.to_uppercase());
        out.push((key.clone(), format!("{proto}://{ip}:{port}")));
        out.push((format!("{key}_ADDR"), ip.to_string()));
        out.push((format!("{key}_PORT"), port.to_string()));
        out.push((format!("{key}_PROTO"), proto.to_owned()));
    }
    out.push((format!("{base}_NAME"), format!("/{parent}/{alias}")));
    for e in &child.env {
        if let Some((k, v)) = e.split_once('=') {
            out.push((format!("{base}_ENV_{k}"), v.to_owned()));
        }
    }
    out
}

/// A name that another container has.
fn in_use(name: &str, id: &str) -> String {
    format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or \
         rename) that container to be able to reuse that name."
    )
}

fn check_name(name: &str) -> Result<(), String> {
    let mut chars = name.chars();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let first = chars.next().is_none_or(|c| c.is_ascii_alphanumeric());
    if !name.is_empty() && (!first || name.len() < 2 || !chars.all(good)) {
        return Err(format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
    }
    Ok(())
}

//! Containers: made, started, stopped, removed, renamed (daemon/create.go, start.go, stop.go, delete.go).

use super::Docker;
use super::types::{Container, Mode, Profile, State, Written};
use crate::kernel::types::MSEC;

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
        // 28 looks at the endpoints before it looks for a name (`containerCreate`).
        self.check_endpoints(&c)?;
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
        c.started = Some(now);
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
        let now = self.s.kernel.now();
        let c = self.cm(id);
        c.state = State::Exited;
        c.exit = status;
        c.finished = Some(now);
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
        check_name(name).map_err(|_| {
            let why = "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed";
            format!("Error when allocating new name: Invalid container name (/{name}), {why}")
        })?;
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

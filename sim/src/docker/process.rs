//! The processes of containers: the image's program, its end, what it wrote, their environment, the freezer (daemon/logs.go, pause.go, oci_linux.go).

use super::Docker;
use super::types::{Container, Profile, State};
use crate::app::Program;
use crate::app::serve::Serve;
use crate::kernel::cred::Cred;
use crate::kernel::types::SEC;

impl Docker<'_> {
    /// A container, to be changed.
    pub fn container_mut(&mut self, id: &str) -> &mut Container {
        self.cm(id)
    }

    /// The programs of its image.
    pub(super) fn first_process(&mut self, id: &str) {
        let c = self.c(id);
        let (Some(ns), Some(pid)) = (c.netns, c.pid) else { return };
        let image =
            self.s.image(&c.image).filter(|i| !i.ports.is_empty() && c.command.is_empty() && c.entrypoint.is_none());
        let Some(i) = image.cloned() else { return };
        let app = self.s.spawn(self.host, ns, pid, "serve", Program::Serve(Serve::new(i.ports.to_vec())));
        self.s.apps.set_host_name(app, &c.hostname);
        let c = self.cm(id);
        c.apps.push(app);
        c.serves = true;
    }

    /// Programs that have ended, and their containers with them.
    pub fn reap(&mut self) {
        let running = self.e().containers.values().filter(|c| c.state == State::Running);
        let ended = |c: &Container| {
            let engine = |a: &&crate::app::AppId| self.s.apps.get(**a).name == "dockerd";
            c.apps.iter().filter(|a| !engine(a)).find_map(|a| self.s.apps.get(*a).exit).map(|e| (c.id.clone(), e))
        };
        let ended: Vec<(String, i32)> = running.filter_map(ended).collect();
        for (id, status) in ended {
            self.stop(&id, status);
        }
    }

    /// `docker stop`: SIGTERM, and SIGKILL after a time. The servers of images have a handler; of any other first
    /// process the kernel keeps SIGTERM away.
    pub fn terminate(&mut self, id: &str, seconds: u64) {
        let c = self.c(id);
        if !matches!(c.state, State::Running | State::Paused) {
            return;
        }
        if c.serves && c.state == State::Running && seconds > 0 {
            return self.stop(id, 0);
        }
        self.s.advance(seconds.saturating_mul(SEC));
        self.stop(id, 137);
    }

    /// `docker kill`.
    ///
    /// # Errors
    /// The container does not run, or there is no such signal.
    pub fn signal(&mut self, id: &str, signal: &str) -> Result<(), String> {
        let c = self.c(id);
        if !matches!(c.state, State::Running | State::Paused) {
            return Err(match self.profile() {
                Profile::V20 => format!("Cannot kill container: {}: Container {id} is not running", c.name),
                _ => format!("cannot kill container: {}: container {id} is not running", c.name),
            });
        }
        match signal.to_uppercase().trim_start_matches("SIG") {
            "KILL" | "9" => self.stop(id, 137),
            "TERM" | "15" | "INT" | "2" if c.serves => self.stop(id, 0),
            // The first process of a namespace gets no signal that it does not handle.
            "TERM" | "15" | "INT" | "2" | "HUP" | "1" | "QUIT" | "3" | "USR1" | "USR2" => {}
            _ if self.profile() == Profile::V20 => return Err(format!("Invalid signal: {signal}")),
            _ => return Err(format!("cannot kill container: {}: invalid signal: {signal}", c.name)),
        }
        Ok(())
    }

    /// What its programs wrote goes to its log.
    pub(super) fn keep_log(&mut self, id: &str) {
        for a in self.c(id).apps {
            let a = self.s.apps.get(a);
            let (name, said) = (a.name.clone(), (a.out.clone(), a.err.clone()));
            if name != "dockerd" {
                let c = self.cm(id);
                c.log.0.push_str(&said.0);
                c.log.1.push_str(&said.1);
            }
        }
    }

    /// Standard output and standard error of a container.
    pub fn logs(&self, id: &str) -> (String, String) {
        let c = self.c(id);
        let (mut out, mut err) = c.log;
        for a in c.apps.iter().map(|a| self.s.apps.get(*a)).filter(|a| a.name != "dockerd") {
            out.push_str(&a.out);
            err.push_str(&a.err);
        }
        (out, err)
    }

    /// `docker pause` and `unpause`: its programs stand still, the kernel goes on.
    ///
    /// # Errors
    /// It does not run, or is already so.
    pub fn freeze(&mut self, id: &str, on: bool) -> Result<(), String> {
        let c = self.c(id);
        match (c.state, on) {
            (State::Running, true) | (State::Paused, false) => {}
            (State::Paused, true) => return Err(format!("Container {id} is already paused")),
            (State::Running, false) => return Err(format!("Container {id} is not paused")),
            (_, true) => {
                let text = if self.profile() == Profile::V20 { "Container" } else { "container" };
                return Err(format!("{text} {id} is not running"));
            }
            (_, false) => return Err(format!("Container {id} is not paused")),
        }
        for a in c.apps {
            if self.s.apps.get(a).name != "dockerd" {
                self.s.apps.freeze(&mut self.s.kernel, a, on);
            }
        }
        self.cm(id).state = if on { State::Paused } else { State::Running };
        Ok(())
    }

    /// The environment of its processes (`createDaemonEnvironment`, links.ToEnv).
    pub fn environment(&self, id: &str, tty: bool) -> Vec<(String, String)> {
        let c = self.c(id);
        let mut env: Vec<(String, String)> = Vec::new();
        let mut put = |k: &str, v: &str| match env.iter_mut().find(|(n, _)| n == k) {
            Some(e) => v.clone_into(&mut e.1),
            None => env.push((k.to_owned(), v.to_owned())),
        };
        for (k, v) in super::images::ENV.iter().filter_map(|e| e.split_once('=')) {
            put(k, v);
        }
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
}

/// Whose the processes of a container are: the images know nobody but root by name (`GetExecUser`).
///
/// # Errors
/// The engine's sentence.
pub fn user_of(text: &str) -> Result<Cred, String> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let one = |what: &str, file: &str, name: &str| match (name, name.parse()) {
        ("" | "root", _) => Ok(0),
        (_, Ok(n)) => Ok(n),
        _ => Err(format!("unable to find {what} {name}: no matching entries in {file} file")),
    };
    let (uid, gid) = (one("user", "passwd", user)?, one("group", "group", group)?);
    Ok(Cred { uid, gid, groups: if gid == 0 { Vec::new() } else { vec![gid] } })
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

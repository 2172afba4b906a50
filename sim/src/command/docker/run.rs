//! `docker run` and `create`.

mod refused;
mod settings;

use super::super::{Exit, Proc, Refusal};
use super::exec::inside;
use super::flags::{Given, read};
use super::process;
use super::{bad_flag, docker, profile};
use crate::docker::types::{Mode, State};
use crate::docker::{Container, Profile};
use refused::{bad_value, client_conflicts, conflicts, no_address, not_both, of_an_interface, too_many_networks};
use settings::{RUN, container, networks};

/// `docker: …` and what follows it.
fn failed(p: &mut Proc<'_>, cmd: &str, text: &str, help: bool) -> i32 {
    let v20 = profile(p) == Profile::V20;
    // 20.10's client ends every sentence with a full stop, and only one.
    let text = if v20 && cmd == "run" { text.trim_end_matches('.') } else { text };
    let dot = if v20 && cmd == "run" { "." } else { "" };
    let who = if cmd == "run" { "docker: " } else { "" };
    p.err.push_str(&format!("{who}{text}{dot}\n"));
    match (v20, help && cmd == "run") {
        (true, true) => p.err.push_str("See 'docker run --help'.\n"),
        (false, _) if cmd == "run" => p.err.push_str("\nRun 'docker run --help' for more information\n"),
        _ => {}
    }
    if cmd == "run" { 125 } else { 1 }
}

/// Reads the command line and makes the container: its id, or the status to end with.
fn make(p: &mut Proc<'_>, cmd: &str, args: &[String]) -> Result<Result<(String, Given), i32>, Refusal> {
    let g = read(cmd, args, &RUN, false)?;
    let v20 = profile(p) == Profile::V20;
    if let Some(e) = bad_value(&g, v20) {
        return Ok(Err(bad_flag(p, cmd, &e)));
    }
    let mut c = match container(&g, profile(p)) {
        Ok(c) => c,
        Err(e) if e.starts_with("invalid IPv4 address") && profile(p) != Profile::V20 => {
            let text = no_address(p, &g, &e);
            return Ok(Err(failed(p, cmd, &text, true)));
        }
        Err(e) if e.starts_with("invalid IPv4 address") => {
            return Ok(Err(failed(p, cmd, &format!("Error response from daemon: {e}"), true)));
        }
        Err(e) => {
            // The words of 29's parser of ports begin with a small letter.
            let mut e = e;
            if profile(p) == Profile::V29 && (e.starts_with("Invalid ") || e.starts_with("No port")) {
                e = format!("{}{}", e[..1].to_lowercase(), e[1..].replacen("ip address", "IP address", 1));
            }
            return Ok(Err(failed(p, cmd, &e, true)));
        }
    };
    if v20 {
        // It knows no such option of an endpoint.
        c.endpoints.values_mut().for_each(|e| e.wanted_ifname = None);
    }
    if v20 && networks(&g).is_empty() {
        c.network_mode = "default".to_owned();
        // The client sends nothing of an endpoint that no flag names.
        if let Some(e) = c.endpoints.get_mut("bridge") {
            e.wanted_ip = None;
            e.aliases.clear();
        }
    }
    if v20 && networks(&g).first() == Some(&"bridge") {
        c.stray_ip |= c.endpoints.get("bridge").is_some_and(|e| e.wanted_ip.is_some());
    }
    if p.sess.image(&c.image).is_none() {
        return Err(Refusal::new(format!("the image {}", c.image), 0));
    }
    if let Some(e) = not_both(&g, &c, v20).or_else(|| client_conflicts(&g, v20)) {
        return Ok(Err(failed(p, cmd, &e, true)));
    }
    let refused = conflicts(&g, &c, v20)
        .or_else(|| too_many_networks(&g).filter(|_| v20))
        .or_else(|| of_an_interface(&c).filter(|_| !v20));
    if let Some(e) = refused {
        return Ok(Err(failed(p, cmd, &format!("Error response from daemon: {e}"), true)));
    }
    // Links of the default bridge are by container.
    if let Some(e) = c.endpoints.get_mut("bridge") {
        let links = std::mem::take(&mut e.links);
        for (of, alias) in links {
            match docker(p).container_id(&of) {
                Ok(id) => c.links.push((id, alias)),
                Err(e) => {
                    let text = format!("Error response from daemon: could not get container for {of}: {e}");
                    return Ok(Err(failed(p, cmd, &text, true)));
                }
            }
        }
    }
    let discarded = c.mode == Mode::Host && !c.publish.is_empty();
    Ok(match docker(p).create(c) {
        Ok(id) => {
            if discarded {
                p.err.push_str("WARNING: Published ports are discarded when using host network mode\n");
            }
            let d = docker(p);
            let now = d.s.kernel.sysctl_get(d.ns(), "net.ipv4.ip_forward").is_ok_and(|v| v == "1");
            // 28 looks once, when it starts.
            let forwards = if v20 { now } else { d.e().forwarded };
            if !forwards {
                p.err.push_str("WARNING: IPv4 forwarding is disabled. Networking will not work.\n");
            }
            Ok((id, g))
        }
        Err(e) => Err(failed(p, cmd, &format!("Error response from daemon: {e}"), true)),
    })
}

/// `docker create`.
pub fn create(p: &mut Proc<'_>, args: &[String]) -> Exit {
    Ok(match make(p, "create", args)? {
        Ok((id, _)) => {
            p.out.push_str(&format!("{id}\n"));
            0
        }
        Err(status) => status,
    })
}

/// `docker run`.
pub fn run(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let (id, g) = match make(p, "run", args)? {
        Ok(x) => x,
        Err(status) => return Ok(status),
    };
    if g.on("detach") {
        p.out.push_str(&format!("{id}\n"));
    }
    let c = docker(p).e().containers[&id].clone();
    if let Err(text) = crate::docker::process::user_of(&c.user) {
        never_started(p, &id, text.clone(), 125);
        return Ok(failed(p, "run", &format!("Error response from daemon: {text}"), false));
    }
    if let Some((text, status)) = process::bad_sysctl(p, &c) {
        never_started(p, &id, text.clone(), status);
        failed(p, "run", &format!("Error response from daemon: {text}"), false);
        return Ok(status);
    }
    if let Some(missing) = missing(&c)? {
        let (text, status) = process::cannot_start(p, missing);
        never_started(p, &id, text.clone(), status);
        failed(p, "run", &format!("Error response from daemon: {text}"), false);
        if profile(p) == Profile::V20 && !g.on("detach") && !g.on("rm") {
            canceled(p);
        }
        return Ok(status);
    }
    if let Err(e) = docker(p).start(&id) {
        return Ok(failed(p, "run", &format!("Error response from daemon: {e}"), false));
    }
    if g.on("detach") {
        process::launch(p, &id)?;
        return Ok(0);
    }
    let words = words_of(&c);
    let shell = words.len() == 1 && !c.serves;
    if words.is_empty() || docker(p).e().containers[&id].serves {
        return Err(Refusal::new("docker run in the foreground: add -d", 0));
    }
    // A shell that has nothing to read ends at once.
    let status = if shell && matches!(words[0].as_str(), "sh" | "/bin/sh" | "bash" | "/bin/bash" | "ash") {
        0
    } else {
        inside(p, &id, &words)?
    };
    docker(p).stop(&id, status);
    Ok(status)
}

/// The words of a container's command; none for a server of the model.
pub fn words_of(c: &Container) -> Vec<String> {
    if c.command.is_empty() && c.entrypoint.is_none() && !c.image_command.starts_with("/bin/serve") {
        return c.image_command.split(' ').map(str::to_owned).collect();
    }
    c.entrypoint.iter().chain(&c.command).cloned().collect()
}

/// The program of a container's command, where the image has none of that name.
fn missing(c: &Container) -> Result<Option<&str>, Refusal> {
    match c.entrypoint.as_ref().or(c.command.first()) {
        Some(name) if !matches!(name.as_str(), "top" | "sleep") && !process::in_image(name)? => Ok(Some(name)),
        _ => Ok(None),
    }
}

/// What 20.10's client logs when it waits for a container that does not start.
pub(super) fn canceled(p: &mut Proc<'_>) {
    let now = super::show::when(p.sess.kernel.now());
    let now = now.split('.').next().unwrap_or("");
    p.err.push_str(&format!("time=\"{now}Z\" level=error msg=\"error waiting for container: context canceled\"\n"));
}

/// Why a container that is to be started cannot begin, if it cannot: it stays as it was.
///
/// # Errors
/// A program that the model has not.
pub(super) fn dead(p: &mut Proc<'_>, key: &str) -> Result<Option<String>, Refusal> {
    let Some(c) = docker(p).e().container(key).cloned() else { return Ok(None) };
    if matches!(c.state, State::Running | State::Paused) {
        return Ok(None);
    }
    let Some(name) = missing(&c)? else { return Ok(None) };
    let (text, status) = process::cannot_start(p, name);
    never_started(p, &c.id, text.clone(), status);
    Ok(Some(text))
}

/// A container that runc cannot start stays as it was made; up to 27 it joins its networks and leaves them.
fn never_started(p: &mut Proc<'_>, id: &str, text: String, status: i32) {
    let mut d = docker(p);
    let goes = std::mem::take(&mut d.container_mut(id).auto_remove);
    if d.profile() == Profile::V20 {
        // Since 28 the networks come after the process.
        let _ = d.start(id);
        d.stop(id, status);
    }
    let c = d.container_mut(id);
    (c.state, c.error, c.exit) = (State::Created, text, status);
    if goes {
        let _ = d.remove(id, true);
    }
}

//! `docker exec`, and commands inside a container in general.

use super::super::{Exit, Proc, Refusal};
use super::flags::{Known, read};
use super::process;
use super::{daemon_error, docker, no_such, profile};
use crate::docker::Profile;
use crate::docker::types::State;
use crate::journal::Entry;
use crate::kernel::types::NetnsId;

/// Runs a command of a container.
///
/// # Errors
/// A tool that the model has not.
pub fn inside(p: &mut Proc<'_>, id: &str, command: &[String]) -> Exit {
    let user = docker(p).e().containers.get(id).map(|c| c.user.clone()).unwrap_or_default();
    inside_as(p, id, &user, &[], command)
}

/// The same as another user, with more variables (`docker exec --user`, `--env`).
fn inside_as(p: &mut Proc<'_>, id: &str, user: &str, more: &[String], command: &[String]) -> Exit {
    let Some(ns) = p.sess.engines.get(&p.host).and_then(|e| e.containers.get(id)).and_then(|c| c.netns) else {
        return Ok(1);
    };
    let cred = match crate::docker::process::user_of(user) {
        Ok(cred) => cred,
        Err(e) if profile(p) == Profile::V20 => {
            p.out.push_str(&format!("{e}\r\n"));
            return Ok(126);
        }
        Err(e) => return Ok(daemon_error(p, &e)),
    };
    if !process::in_image(&command[0])? {
        let v20 = profile(p) == Profile::V20;
        let end = if v20 { ": unknown" } else { "" };
        let (text, status) = process::not_found(&command[0], v20);
        p.out.push_str(&format!("OCI runtime exec failed: exec failed: {text}{end}\r\n"));
        return Ok(if v20 { 126 } else { status });
    }
    let mut env = docker(p).environment(id, false);
    for (k, v) in more.iter().filter_map(|e| e.split_once('=')) {
        match env.iter_mut().find(|(n, _)| n == k) {
            Some(e) => v.clone_into(&mut e.1),
            // The home directory comes last (runc).
            None => env.insert(env.len().saturating_sub(1), (k.to_owned(), v.to_owned())),
        }
    }
    // Files of its own lie over the host's as long as its command runs.
    let (host, root) = (p.host, p.sess.kernel.host(p.host).root_ns);
    let mut under = Vec::new();
    for (path, text) in docker(p).host_mode_files(id) {
        under.push((path, p.sess.read_file(host, root, path).unwrap_or_default()));
        // What was just read, or is in /etc, can be written.
        let _ = p.sess.write_file(host, root, path, &text, false);
    }
    let outside = std::mem::replace(&mut p.cred, cred.clone());
    p.sess.kernel.set_cred(p.pid, &cred);
    let done = in_ns(p, ns, env, command);
    p.cred = outside;
    if !p.background {
        p.sess.kernel.set_cred(p.pid, &p.cred);
    }
    for (path, text) in under {
        let _ = p.sess.write_file(host, root, path, &text, false);
    }
    done
}

fn in_ns(p: &mut Proc<'_>, ns: NetnsId, env: Vec<(String, String)>, command: &[String]) -> Exit {
    let (back, cwd) = (std::mem::replace(&mut p.ns, ns), std::mem::replace(&mut p.cwd, "/".to_owned()));
    let outside = (std::mem::replace(&mut p.inside, true), std::mem::replace(&mut p.env, env));
    p.sess.kernel.note(Entry::Inside(ns, command.to_vec()));
    let done = super::super::run(p, command);
    p.sess.kernel.note(Entry::Inside(ns, Vec::new()));
    (p.ns, p.cwd) = (back, cwd);
    (p.inside, p.env) = outside;
    done
}

/// `docker exec`.
pub fn exec(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &["env", "user", "workdir"],
        switches: &["detach", "interactive", "tty", "privileged"],
        short: &[('d', "detach"), ('i', "interactive"), ('t', "tty"), ('e', "env"), ('u', "user"), ('w', "workdir")],
    };
    let g = read("exec", args, &K, false)?;
    let [key, command @ ..] = g.words.as_slice() else { return Err(Refusal::new("docker exec without a command", 0)) };
    if command.is_empty() {
        return Err(Refusal::new("docker exec without a command", 0));
    }
    let id = match docker(p).container_id(key) {
        Ok(id) => id,
        Err(e) => return Ok(no_such(p, &e)),
    };
    if docker(p).e().containers[&id].state == State::Paused {
        let text = format!("Container {key} is paused, unpause the container before exec");
        return Ok(daemon_error(p, &text));
    }
    if docker(p).e().containers[&id].state != State::Running {
        let text = if profile(p) == Profile::V20 { "Container" } else { "container" };
        return Ok(daemon_error(p, &format!("{text} {id} is not running")));
    }
    // The environment of the command is made of the links.
    if let Err(e) = docker(p).check_links(&id) {
        return Ok(daemon_error(p, &e));
    }
    let background = p.background;
    p.background |= g.on("detach");
    let before = (p.out.len(), p.err.len());
    let own = docker(p).e().containers[&id].user.clone();
    let more: Vec<String> = g.all("env").map(str::to_owned).collect();
    let lists = |c: &crate::docker::Container| (c.caps.clone(), c.dropped.clone());
    let kept = lists(&docker(p).e().containers[&id]);
    if g.on("privileged") {
        let mut d = docker(p);
        let c = d.container_mut(&id);
        (c.caps, c.dropped) = (vec!["ALL".to_owned()], Vec::new());
    }
    let done = inside_as(p, &id, g.get("user").unwrap_or(&own), &more, command);
    if let Some(c) = p.sess.engines.get_mut(&p.host).and_then(|e| e.containers.get_mut(&id)) {
        (c.caps, c.dropped) = kept;
    }
    p.background = background;
    // Nobody listens to what a detached command says, nor to how it ends.
    if g.on("detach") && !matches!(done, Ok(126 | 127)) {
        p.out.truncate(before.0);
        p.err.truncate(before.1);
        return done.map(|_| 0);
    }
    if g.on("detach") {
        // That it does not begin, the daemon says.
        let text = p.out.split_off(before.0);
        return Ok(daemon_error(p, &text));
    }
    done
}

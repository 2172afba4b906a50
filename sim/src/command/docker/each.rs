//! `docker start`, `stop`, `restart`, `kill`, `rm`, `update`, `rename`: commands on containers that are there.

use super::super::{Exit, Proc, Refusal};
use super::flags::{Given, Known, read};
use super::process;
use super::{client_error, daemon_error, docker, no_such, profile, run};
use crate::docker::Profile;

/// Commands on one container after the other.
pub fn each(p: &mut Proc<'_>, cmd: &str, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &["time", "timeout", "signal"],
        switches: &["force", "volumes", "attach", "link"],
        short: &[('t', "time"), ('f', "force"), ('s', "signal"), ('v', "volumes"), ('a', "attach"), ('l', "link")],
    };
    let g = read(cmd, args, &K, true)?;
    let mut bad = Vec::new();
    for key in &g.words {
        if cmd == "start"
            && let Some(text) = run::dead(p, key)?
        {
            if g.on("attach") && profile(p) == Profile::V20 {
                run::canceled(p);
            }
            daemon_error(p, &text);
            bad.push(key.clone());
            continue;
        }
        match one(p, cmd, key, &g) {
            Ok(()) => {
                if let ("start" | "restart", Ok(id)) = (cmd, docker(p).container_id(key)) {
                    process::launch(p, &id)?;
                }
                p.out.push_str(&format!("{key}\n"));
            }
            Err(e) => {
                if e.starts_with("No such container") {
                    if cmd == "rm" && g.on("force") {
                        no_such(p, &e);
                        continue;
                    }
                    // 20.10's client words it where it looked itself.
                    if cmd == "rm" {
                        no_such(p, &e);
                    } else {
                        daemon_error(p, &e);
                    }
                } else {
                    daemon_error(p, &e);
                }
                bad.push(key.clone());
            }
        }
    }
    if !bad.is_empty() && cmd == "start" && !g.on("attach") {
        p.err.push_str(&format!("Error: failed to start containers: {}\n", bad.join(", ")));
    }
    Ok(i32::from(!bad.is_empty()))
}

fn one(p: &mut Proc<'_>, cmd: &str, key: &str, g: &Given) -> Result<(), String> {
    let mut d = docker(p);
    if cmd == "rm" && g.on("link") {
        return d.remove_link(key);
    }
    if cmd == "rm" {
        return d.remove(key, g.on("force"));
    }
    let v20 = d.profile() == Profile::V20;
    let id = d.container_id(key).map_err(|e| match (cmd, v20) {
        ("kill", true) => format!("Cannot kill container: {key}: {e}"),
        ("kill", false) => format!("cannot kill container: {key}: {e}"),
        _ => e,
    })?;
    match cmd {
        "start" => return d.start(&id),
        "kill" => {
            d.signal(&id, g.get("signal").unwrap_or("KILL"))?;
            d.by_hand(&id);
            return Ok(());
        }
        _ => {}
    }
    let seconds = g.get("time").or_else(|| g.get("timeout")).and_then(|t| t.parse().ok()).unwrap_or(GRACE);
    d.terminate(&id, seconds);
    if cmd == "restart" {
        return d.start(&id).map_err(|e| format!("Cannot restart container {key}: {e}"));
    }
    d.by_hand(&id);
    Ok(())
}

/// How long a process may take to end after SIGTERM.
const GRACE: u64 = 10;

/// `docker update`: what restarts a container.
pub fn update(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["restart"], switches: &[], short: &[] };
    let g = read("update", args, &K, true)?;
    let known = |r: &&str| matches!(r.split(':').next(), Some("no" | "always" | "unless-stopped" | "on-failure"));
    let Some(policy) = g.get("restart").filter(known).map(str::to_owned) else {
        return Err(Refusal::new("docker update without --restart and one of its policies", 0));
    };
    let mut status = 0;
    for key in &g.words {
        let found = docker(p).container_id(key);
        match found {
            Ok(id) => {
                docker(p).container_mut(&id).restart.clone_from(&policy);
                p.out.push_str(&format!("{key}\n"));
            }
            Err(e) => status = daemon_error(p, &e),
        }
    }
    Ok(status)
}

/// `docker rename`.
pub fn rename(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let [old, new] = args else { return Err(Refusal::new("docker rename with other than two names", 0)) };
    if old.is_empty() || new.is_empty() {
        return Ok(client_error(p, "Neither old nor new names may be empty"));
    }
    let done = docker(p).rename(old, new);
    Ok(done.map_or_else(
        |e| {
            daemon_error(p, &e);
            client_error(p, &format!("failed to rename container named {old}"))
        },
        |()| 0,
    ))
}

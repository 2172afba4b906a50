//! `docker container prune`.

use super::super::{Exit, Proc, Refusal};
use super::flags::{Known, read};
use super::network::agreed;
use super::{daemon_error, docker, filter, profile};
use crate::docker::types::State;
use crate::docker::{Container, Profile};

/// Removes the containers that do not run, the youngest first.
///
/// # Errors
/// A time that is no duration.
pub fn containers(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["filter"], switches: &["force"], short: &[('f', "force")] };
    let g = read("container prune", args, &K, true)?;
    let key = |f: &str| f.split(['=', '!']).next().unwrap_or("").to_owned();
    if let Some(f) = g.all("filter").find(|f| !matches!(key(f).as_str(), "label" | "until")) {
        let i = if profile(p) == Profile::V20 { "I" } else { "i" };
        return Ok(daemon_error(p, &format!("{i}nvalid filter '{}'", key(f))));
    }
    let mut before = None;
    if let Some(t) = g.all("filter").find_map(|f| f.strip_prefix("until=")) {
        let Some(age) = filter::duration(t) else {
            if !t.contains(|c: char| c.is_ascii_digit()) {
                return Ok(daemon_error(p, &format!("failed to parse value as time or duration: \"{t}\"")));
            }
            return Err(Refusal::new(format!("docker container prune --filter until={t}"), 0));
        };
        before = Some(p.sess.kernel.now().checked_sub(age));
    }
    if !g.on("force") && !agreed(p, "WARNING! This will remove all stopped containers.") {
        // 20.10 goes on to its last line.
        if profile(p) == Profile::V20 {
            p.out.push_str(RECLAIMED);
        }
        return Ok(0);
    }
    let old = |c: &Container| before.is_none_or(|at| at.is_some_and(|at| c.created <= at));
    let goes = |c: &&Container| {
        !matches!(c.state, State::Running | State::Paused) && old(c) && filter::labelled(&g, &c.labels)
    };
    let gone: Vec<String> = docker(p).e().containers.values().rev().filter(goes).map(|c| c.id.clone()).collect();
    if gone.iter().any(|id| docker(p).e().containers[id].wrote) {
        return Err(Refusal::new("docker container prune of a container that wrote files, whose size it tells", 0));
    }
    for id in &gone {
        // It does not run, so it can be removed.
        let _ = docker(p).remove(id, false);
    }
    if !gone.is_empty() {
        p.out.push_str(&format!("Deleted Containers:\n{}\n\n", gone.join("\n")));
    }
    p.out.push_str(RECLAIMED);
    Ok(0)
}

/// Its last line: containers that wrote nothing take no space.
const RECLAIMED: &str = "Total reclaimed space: 0B\n";

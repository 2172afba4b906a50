//! `--filter KEY=VALUE` of `docker ps` and `docker network ls`: values of one key are alternatives, keys must all hold.

use super::super::Refusal;
use super::flags::Given;
use super::show::state_name;
use crate::docker::{Container, Docker, Network};

/// The filters given, as pairs.
fn pairs(g: &Given) -> Vec<(String, String)> {
    let pair = |f: &str| f.split_once('=').map_or((f.to_owned(), String::new()), |(k, v)| (k.to_owned(), v.to_owned()));
    g.all("filter").map(pair).collect()
}

/// Does an object pass? `one` says whether a filter holds.
fn passes(g: &Given, cmd: &str, one: impl Fn(&str, &str) -> Option<bool>) -> Result<bool, Refusal> {
    let all = pairs(g);
    for (key, _) in &all {
        let mut any = false;
        for (_, value) in all.iter().filter(|(k, _)| k == key) {
            any |= one(key, value).ok_or_else(|| Refusal::new(format!("docker {cmd} --filter {key}"), 0))?;
        }
        if !any {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A name: a part of it, or with `^` and `$` its beginning and end.
fn named(name: &str, pattern: &str) -> bool {
    let (from, rest) = pattern.strip_prefix('^').map_or((false, pattern), |r| (true, r.trim_start_matches('/')));
    let (to, rest) = rest.strip_suffix('$').map_or((false, rest), |r| (true, r));
    match (from, to) {
        (true, true) => name == rest,
        (true, false) => name.starts_with(rest),
        (false, true) => name.ends_with(rest),
        (false, false) => name.contains(rest),
    }
}

/// `docker ps --filter`.
///
/// # Errors
/// A key that is not modelled.
pub fn container(g: &Given, d: &Docker<'_>, c: &Container) -> Result<bool, Refusal> {
    passes(g, "ps", |key, v| {
        Some(match key {
            "name" => named(&c.name, v),
            "id" => c.id.starts_with(v),
            "status" => state_name(c.state) == v,
            "exited" => state_name(c.state) == "exited" && c.exit.to_string() == v,
            "ancestor" => c.image == v || c.image.split(':').next() == Some(v),
            "network" => {
                let id = d.e().network(v).map(|n| n.id.clone());
                c.endpoints.iter().any(|(name, e)| name == v || Some(&e.network) == id.as_ref())
            }
            _ => return None,
        })
    })
}

/// `docker network ls --filter`.
///
/// # Errors
/// A key that is not modelled.
pub fn network(g: &Given, d: &Docker<'_>, n: &Network) -> Result<bool, Refusal> {
    let builtin = matches!(n.name.as_str(), "bridge" | "host" | "none");
    passes(g, "network ls", |key, v| {
        Some(match key {
            "name" => named(&n.name, v),
            "id" => n.id.starts_with(v),
            "driver" => n.driver == v,
            "scope" => n.scope == v,
            "type" => builtin == (v == "builtin"),
            "dangling" => (!builtin && d.members(&n.id).is_empty()) == matches!(v, "true" | "1"),
            "label" => match v.split_once('=') {
                Some((k, v)) => n.labels.get(k).is_some_and(|x| x == v),
                None => n.labels.contains_key(v),
            },
            _ => return None,
        })
    })
}

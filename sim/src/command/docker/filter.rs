//! `--filter KEY=VALUE` of `docker ps` and `docker network ls`: values of one key are alternatives, keys must all hold.

use indexmap::IndexMap;

use super::super::Refusal;
use super::flags::Given;
use super::show::state_name;
use crate::docker::types::State;
use crate::docker::{Container, Docker, Network, Profile};

/// The filters given, as pairs.
fn pairs(g: &Given) -> Vec<(String, String)> {
    let pair = |f: &str| f.split_once('=').map_or((f.to_owned(), String::new()), |(k, v)| (k.to_owned(), v.to_owned()));
    g.all("filter").map(pair).collect()
}

/// Does an object pass? `one` says whether a filter holds.
fn passes(g: &Given, cmd: &str, one: impl Fn(&str, &str) -> Option<bool>) -> Result<bool, Refusal> {
    let all = pairs(g);
    for (key, _) in &all {
        // All labels must be there; of everything else one is enough.
        if key == "label" {
            continue;
        }
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

/// A name: that one, or one that a regular expression finds (`filters.Args.Match`). Containers are asked with the
/// slash before their names and without it.
fn named(name: &str, pattern: &str) -> bool {
    let slash = format!("/{name}");
    name == pattern || regex_lite::Regex::new(pattern).is_ok_and(|r| r.is_match(name) || r.is_match(&slash))
}

/// Does it have the labels that are asked for, and none that are not (`MatchKVList`)?
pub fn labelled(g: &Given, labels: &IndexMap<String, String>) -> bool {
    let has = |v: &str| match v.split_once('=') {
        Some((k, v)) => labels.get(k).is_some_and(|x| x == v),
        None => labels.contains_key(v),
    };
    g.all("filter").all(|f| match (f.strip_prefix("label="), f.strip_prefix("label!=")) {
        (Some(v), _) => has(v),
        (_, Some(v)) => !has(v),
        _ => true,
    })
}

/// The engine's words for a filter that it does not have; what it has and the model has not is refused.
fn unknown(g: &Given, cmd: &str, p: Profile, modelled: &[&str], others: &[&str]) -> Result<Option<String>, Refusal> {
    for (key, _) in pairs(g) {
        let key = key.trim_end_matches('!');
        if others.contains(&key) {
            return Err(Refusal::new(format!("docker {cmd} --filter {key}"), 0));
        }
        if key.is_empty() && p != Profile::V20 {
            return Ok(Some("invalid filter".to_owned()));
        }
        if !modelled.contains(&key) {
            let i = if p == Profile::V20 { "I" } else { "i" };
            return Ok(Some(format!("{i}nvalid filter '{key}'")));
        }
    }
    Ok(None)
}

/// What is wrong with the filters of `docker network ls`.
///
/// # Errors
/// A filter that is not modelled.
pub fn network_unknown(g: &Given, p: Profile) -> Result<Option<String>, Refusal> {
    let found = unknown(g, "network ls", p, &["dangling", "driver", "id", "label", "name", "scope", "type"], &[])?;
    let odd = || {
        let odd = pairs(g).into_iter().find(|(k, v)| k == "type" && !matches!(v.as_str(), "builtin" | "custom"));
        odd.map(|(_, v)| format!("invalid filter: 'type'='{v}'"))
    };
    let dangling = || {
        let text = "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")";
        let yes = |v: &str| matches!(v, "true" | "1" | "false" | "0");
        pairs(g).into_iter().any(|(k, v)| k == "dangling" && !yes(&v)).then(|| text.to_owned())
    };
    Ok(found.or_else(odd).or_else(dangling))
}

/// What is wrong with the filters of `docker ps`.
///
/// # Errors
/// A filter that is not modelled.
pub fn container_unknown(g: &Given, p: Profile) -> Result<Option<String>, Refusal> {
    const HAS: [&str; 11] =
        ["ancestor", "before", "exited", "expose", "id", "label", "name", "network", "publish", "since", "status"];
    let mut all = pairs(g).into_iter();
    // A label that must not be there is for pruning.
    if pairs(g).iter().any(|(k, _)| k.ends_with('!')) {
        let key = all.find(|(k, _)| k.ends_with('!')).map_or(String::new(), |(k, _)| k);
        let i = if p == Profile::V20 { "I" } else { "i" };
        return Ok(Some(format!("{i}nvalid filter '{key}'")));
    }
    if let Some(e) = all.find_map(|(k, v)| odd_value(&k, &v, p)) {
        return Ok(Some(e));
    }
    unknown(g, "ps", p, &HAS, &["health", "is-task", "isolation", "volume"])
}

/// What is wrong with the value of a filter of `docker ps` (daemon/list.go `foldFilter`).
fn odd_value(key: &str, v: &str, of: Profile) -> Option<String> {
    const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
    const HEALTH: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];
    let v20 = of == Profile::V20;
    let number = |what: &str, text: &str, large: bool| {
        let why = if large { "value out of range" } else { "invalid syntax" };
        format!("strconv.{what}: parsing \"{text}\": {why}")
    };
    match key {
        "status" if !STATES.contains(&v) => Some(match v20 {
            true => format!("Invalid filter 'status={v}'"),
            false => format!(
                "invalid filter 'status={v}': invalid value for state ({v}): must be one of {}",
                STATES.join(", ")
            ),
        }),
        "health" if !HEALTH.contains(&v) => Some(match v20 {
            true => format!("Unrecognised filter value for health: {v}"),
            false => format!(
                "invalid filter 'health={v}': invalid value for health ({v}): must be one of {}",
                HEALTH.join(", ")
            ),
        }),
        "exited" => v.parse::<i64>().err().map(|_| match v20 {
            true => number("Atoi", v, false),
            false => format!("invalid filter 'exited={v}': {}", number("Atoi", v, false)),
        }),
        "publish" | "expose" => {
            let range = v.split('/').next().unwrap_or("");
            let end = range.split('-').find(|n| n.parse::<u16>().is_err())?;
            let large = end.parse::<u64>().is_ok();
            Some(format!("error while looking up for {key} {v}: {}", number("ParseUint", end, large)))
        }
        _ => None,
    }
}

/// A container of `before` or `since` that there is not.
pub fn no_container(g: &Given, d: &Docker<'_>) -> Option<String> {
    let mut keys = pairs(g).into_iter().filter(|(k, _)| k == "before" || k == "since").map(|(_, v)| v);
    let key = keys.find(|k| d.e().container(k).is_none())?;
    Some(match d.profile() {
        Profile::V20 => format!("no such container {key}"),
        _ => format!("No such container: {key}"),
    })
}

/// Go's way to write how long something takes: `24h`, `1h30m`.
pub fn duration(text: &str) -> Option<crate::kernel::types::Nanos> {
    use crate::kernel::types::{MSEC, SEC};
    let (mut sum, mut rest) = (0u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let n: u64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let end = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let one = match &unit[..end] {
            "h" => 3_600 * SEC,
            "m" => 60 * SEC,
            "s" => SEC,
            "ms" => MSEC,
            _ => return None,
        };
        sum = sum.checked_add(n.checked_mul(one)?)?;
        rest = &unit[end..];
    }
    (!text.is_empty()).then_some(sum)
}

/// Is a port among those of a filter, `80`, `80-90` or `80/udp`?
fn port_in(filter: &str, port: u16, proto: &str) -> bool {
    let (range, of) = filter.split_once('/').unwrap_or((filter, "tcp"));
    let (a, b) = range.split_once('-').unwrap_or((range, range));
    let ends = a.parse::<u16>().ok().zip(b.parse::<u16>().ok());
    of == proto && ends.is_some_and(|(a, b)| (a..=b).contains(&port))
}

/// `docker ps --filter`.
///
/// # Errors
/// A key that is not modelled.
pub fn container(g: &Given, d: &Docker<'_>, c: &Container) -> Result<bool, Refusal> {
    if !labelled(g, &c.labels) {
        return Ok(false);
    }
    passes(g, "ps", |key, v| {
        Some(match key {
            "name" => named(&c.name, v),
            "id" => c.id.starts_with(v),
            "status" => state_name(c.state) == v,
            "exited" => state_name(c.state) == "exited" && c.exit.to_string() == v,
            "ancestor" => c.image == v || c.image.split(':').next() == Some(v),
            "publish" => c.bound.iter().any(|b| port_in(v, b.host_port, &b.proto)),
            "expose" => {
                let running = c.state == State::Running;
                let mut ports = super::show::told(c).filter_map(|e| e.split_once('/'));
                running && ports.any(|(port, proto)| port.parse().is_ok_and(|n| port_in(v, n, proto)))
            }
            "before" | "since" => {
                let at = |key: &str| d.e().container(key).and_then(|c| d.e().containers.get_index_of(&c.id));
                let (own, other) = (d.e().containers.get_index_of(&c.id), at(v));
                if key == "before" { own < other } else { own > other }
            }
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
pub fn network(g: &Given, n: &Network) -> Result<bool, Refusal> {
    if !labelled(g, &n.labels) {
        return Ok(false);
    }
    let builtin = matches!(n.name.as_str(), "bridge" | "host" | "none");
    passes(g, "network ls", |key, v| {
        Some(match key {
            "name" => named(&n.name, v),
            "id" => n.id.starts_with(v),
            "driver" => n.driver == v,
            "scope" => n.scope == v,
            "type" => builtin == (v == "builtin"),
            // The list that is filtered has no containers in it (`filterNetworkByUse`).
            "dangling" => builtin != matches!(v, "true" | "1"),
            _ => return None,
        })
    })
}

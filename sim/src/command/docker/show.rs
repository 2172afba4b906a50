//! `docker ps`, `port`, `inspect`, `logs`, and what `docker network inspect` prints.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value, json};

use super::super::{Exit, Proc, Refusal};
use super::flags::{Known, read};
use super::{client_error, daemon_error, docker, no_such, profile, template};
use super::{filter, inspect};
use crate::docker::ipam::ends;
use crate::docker::types::{Bound, Mode, State, Subnet};
use crate::docker::{Container, Docker, Network, Profile, gwbridge, overlay};
use crate::kernel::types::{Nanos, SEC};

/// Columns as Go's tabwriter lays them out: at least ten wide, three spaces between.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count() + 3).max().unwrap_or(0).max(10);
    let mut out = String::new();
    for r in rows {
        for (i, cell) in r.iter().enumerate() {
            if i + 1 == columns {
                out.push_str(cell);
            } else {
                out.push_str(&format!("{cell:<w$}", w = width(i)));
            }
        }
        out.push('\n');
    }
    out
}

/// `units.HumanDuration`.
pub fn human(d: Nanos) -> String {
    let s = d / SEC;
    match s {
        0 => "Less than a second".into(),
        1 => "1 second".into(),
        2..60 => format!("{s} seconds"),
        60..120 => "About a minute".into(),
        120..3600 => format!("{} minutes", s / 60),
        3600..7200 => "About an hour".into(),
        _ => format!("{} hours", s / 3600),
    }
}

/// A time of the model, as Go prints one.
pub fn when(t: Nanos) -> String {
    let (s, n) = (t / SEC, t % SEC);
    format!("2026-01-01T{:02}:{:02}:{:02}.{n:09}Z", s / 3600 % 24, s / 60 % 60, s % 60)
}

/// `State.Status`.
pub fn state_name(s: State) -> &'static str {
    match s {
        State::Created => "created",
        State::Running => "running",
        State::Paused => "paused",
        State::Exited => "exited",
    }
}

fn host_ip(ip: &IpAddr, v20: bool) -> String {
    match ip {
        IpAddr::V6(a) if !v20 => format!("[{a}]"),
        other => other.to_string(),
    }
}

/// A port of the host; none where the network is routed.
pub fn host_port(b: &Bound) -> String {
    if b.host_port == 0 { String::new() } else { b.host_port.to_string() }
}

/// The PORTS column (`formatter.DisplayablePorts`).
fn ports(c: &Container, v20: bool) -> String {
    if !matches!(c.state, State::Running | State::Paused) {
        return String::new();
    }
    // Exposed and not published comes without an address.
    let mut all: Vec<(u16, Option<IpAddr>, u16, String)> =
        c.bound.iter().map(|b| (b.port, Some(b.host_ip), b.host_port, b.proto.clone())).collect();
    for e in told(c) {
        let (port, proto) = e.split_once('/').unwrap_or((e, "tcp"));
        let port = port.parse().unwrap_or(0);
        if !c.bound.iter().any(|b| b.port == port && b.proto == proto) {
            all.push((port, None, 0, proto.to_owned()));
        }
    }
    all.sort_by_key(|(port, ip, public, proto)| (*port, ip.map(|i| i.to_string()), *public, proto.clone()));
    let (mut done, mut mapped) = (Vec::new(), Vec::new());
    let mut groups: Vec<(Option<IpAddr>, String, u16, u16)> = Vec::new();
    let show = |g: &(Option<IpAddr>, String, u16, u16)| {
        let range = if g.2 == g.3 { g.2.to_string() } else { format!("{}-{}", g.2, g.3) };
        match &g.0 {
            Some(ip) => format!("{}:{range}->{range}/{}", host_ip(ip, v20), g.1),
            None => format!("{range}/{}", g.1),
        }
    };
    for (port, ip, public, proto) in all {
        if let Some(ip) = ip.filter(|_| public != port) {
            mapped.push(format!("{}:{public}->{port}/{proto}", host_ip(&ip, v20)));
            continue;
        }
        match groups.iter_mut().find(|g| g.0 == ip && g.1 == proto) {
            Some(g) if g.3 + 1 == port => g.3 = port,
            Some(g) => {
                done.push(show(g));
                (g.2, g.3) = (port, port);
            }
            None => groups.push((ip, proto, port, port)),
        }
    }
    done.extend(groups.iter().map(show));
    done.extend(mapped);
    done.join(", ")
}

/// A word with white space in it is quoted (`containerAddress`, daemon/list.go).
fn command_of(c: &Container, whole: bool) -> String {
    let one = |w: &String| if w.contains(char::is_whitespace) { format!("'{w}'") } else { w.clone() };
    let given: Vec<String> = c.entrypoint.iter().chain(&c.command).map(one).collect();
    let text = if given.is_empty() { c.image_command.clone() } else { given.join(" ") };
    if whole {
        return format!("\"{text}\"");
    }
    let cut: String = text.chars().take(19).collect();
    let text = if text.chars().count() > 20 { format!("{cut}…") } else { text };
    format!("\"{text}\"")
}

/// `docker ps`.
pub fn ps(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &["format", "filter", "last"],
        switches: &["all", "quiet", "no-trunc", "latest"],
        short: &[('a', "all"), ('q', "quiet"), ('f', "filter"), ('n', "last"), ('l', "latest")],
    };
    let g = read("ps", args, &K, true)?;
    if let Some(e) = filter::container_unknown(&g, profile(p))? {
        return Ok(daemon_error(p, &e));
    }
    if let Some(e) = filter::no_container(&g, &docker(p)) {
        return Ok(daemon_error(p, &e));
    }
    let all: Vec<Container> = docker(p).e().containers.values().rev().cloned().collect();
    let last = g.get("last").and_then(|n| n.parse::<usize>().ok()).or(g.on("latest").then_some(1));
    // What asks for a state, or for the last ones, asks for all.
    let asked = g.all("filter").any(|f| f.starts_with("status=") || f.starts_with("exited="));
    let every = g.on("all") || last.is_some() || asked;
    let mut shown = Vec::new();
    for c in all.iter().filter(|c| every || matches!(c.state, State::Running | State::Paused)) {
        if shown.len() < last.unwrap_or(usize::MAX) && filter::container(&g, &docker(p), c)? {
            shown.push(c);
        }
    }
    if let Some(f) = g.get("format").filter(|f| *f != "table") {
        // It is tried first, on a container that is none (`Template.Execute` of buildContainerListOptions).
        let why = match template::fill(f, &ps_heads(), template::Of::Row("*formatter.ContainerContext")) {
            Err(template::Fault::Said(text)) => Some(format!("failed to execute template: {text}")),
            Err(template::Fault::Unread(text)) => Some(format!("failed to parse template: {text}")),
            _ => None,
        };
        if let Some(why) = why {
            p.err.push_str(&format!("{why}\n"));
            return Ok(1);
        }
        let rows: Vec<Value> = shown.iter().map(|c| ps_row(p, c, g.on("no-trunc"))).collect();
        return template::list(p, f, &ps_heads(), &rows, template::Of::Row("*formatter.containerContext"));
    }
    if g.on("quiet") {
        for c in shown {
            p.out.push_str(&format!("{}\n", if g.on("no-trunc") { &c.id } else { &c.id[..12] }));
        }
        return Ok(0);
    }
    const COLUMNS: [&str; 7] = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
    let heads = ps_heads();
    let rows = shown.iter().map(|c| ps_row(p, c, g.on("no-trunc")));
    let text = |v: &Value| COLUMNS.map(|k| v[k].as_str().unwrap_or("").to_owned()).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).map(|v| text(&v)).collect();
    p.out.push_str(&table(&rows));
    Ok(0)
}

/// A container as `--format` sees it (formatter/container.go).
fn ps_row(p: &Proc<'_>, c: &Container, whole: bool) -> Value {
    let now = p.sess.kernel.now();
    let since = |t: Option<_>| now - t.unwrap_or(c.created);
    let status = match c.state {
        State::Created => "Created".to_owned(),
        State::Running => format!("Up {}", human(since(c.started))),
        State::Paused => format!("Up {} (Paused)", human(since(c.started))),
        State::Exited => format!("Exited ({}) {} ago", c.exit, human(since(c.finished))),
    };
    // One that it could not join is not on the list until the container is written down again.
    let unmet = |e: &crate::docker::Endpoint| {
        c.state == State::Running && e.connected && e.id.is_empty() && e.written.is_none()
    };
    let joined = c.endpoints.iter().filter(|(n, e)| *n != gwbridge::NAME && !unmet(e));
    let mut nets: Vec<&str> = joined.map(|(n, _)| n.as_str()).collect();
    nets.extend(inspect::pseudo(c));
    let nets = match c.mode {
        Mode::Container(_) if !c.endpoints.values().any(|e| e.connected) => String::new(),
        _ => nets.join(","),
    };
    let mut labels: Vec<String> = c.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    labels.sort();
    let created = when(c.created);
    let created = format!("{} +0000 UTC", created.split('.').next().unwrap_or("").replace('T', " "));
    let mut row = json!({"Command": command_of(c, whole), "CreatedAt": created, "ID": if whole { &c.id } else { &c.id[..12] },
        "Image": c.image, "Labels": labels.join(","), "LocalVolumes": "0", "Mounts": "", "Names": c.name,
        "Networks": nets, "Ports": ports(c, profile(p) == Profile::V20),
        "RunningFor": format!("{} ago", human(now - c.created)), "Size": "0B", "State": state_name(c.state),
        "Status": status, "labels": c.labels});
    if profile(p) == Profile::V28 {
        row["Platform"] = Value::Null;
    }
    row
}

/// The heads of its columns.
fn ps_heads() -> Value {
    json!({"Command": "COMMAND", "CreatedAt": "CREATED AT", "ID": "CONTAINER ID", "Image": "IMAGE",
        "Labels": "LABELS", "LocalVolumes": "LOCAL VOLUMES", "Mounts": "MOUNTS", "Names": "NAMES",
        "Networks": "NETWORKS", "Ports": "PORTS", "RunningFor": "CREATED", "Size": "SIZE", "State": "STATE",
        "Status": "STATUS"})
}

/// `docker port`.
pub fn port(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let Some(key) = args.first() else { return Err(Refusal::new("docker port without a container", 0)) };
    let v20 = profile(p) == Profile::V20;
    let c = match docker(p).container_id(key) {
        Ok(id) => docker(p).e().containers[&id].clone(),
        Err(e) => return Ok(no_such(p, &e)),
    };
    let mut bound = c.bound.clone();
    bound.sort_by_key(|b| (b.port, b.proto.clone()));
    let Some(want) = args.get(1) else {
        let one = |b: &Bound| format!("{}/{} -> {}:{}\n", b.port, b.proto, host_ip(&b.host_ip, v20), host_port(b));
        let lines = bound.iter().map(one).collect();
        p.out.push_str(&sorted(lines, v20).concat());
        return Ok(0);
    };
    let (port, proto) = want.split_once('/').unwrap_or((want, "tcp"));
    if let Some(e) = no_port(port, profile(p)) {
        p.err.push_str(&e);
        return Ok(1);
    }
    let found: Vec<_> = bound.iter().filter(|b| b.port.to_string() == port && b.proto == proto).collect();
    if found.is_empty() {
        let shown = if v20 { format!("{port}/{proto}") } else { want.clone() };
        let text = format!("o public port '{shown}' published for {key}");
        if profile(p) == Profile::V29 {
            p.err.push_str(&format!("n{text}\n"));
            return Ok(1);
        }
        return Ok(client_error(p, &format!("N{text}")));
    }
    let lines = found.iter().map(|b| format!("{}:{}\n", host_ip(&b.host_ip, v20), host_port(b))).collect();
    p.out.push_str(&sorted(lines, v20).concat());
    Ok(0)
}

/// Up to 20.10 the lines come as they are.
fn sorted(mut lines: Vec<String>, v20: bool) -> Vec<String> {
    if !v20 {
        lines.sort_by(|a, b| super::network::natural(a, b));
    }
    lines
}

/// What is said of a port that is none.
fn no_port(port: &str, of: Profile) -> Option<String> {
    let e = port.parse::<u16>().err()?;
    let why = if *e.kind() == std::num::IntErrorKind::PosOverflow { "value out of range" } else { "invalid syntax" };
    Some(match of {
        Profile::V20 => format!("strconv.ParseUint: parsing \"{port}\": {why}\n"),
        Profile::V28 => format!("Error: invalid port ({port}): strconv.ParseUint: parsing \"{port}\": {why}\n"),
        Profile::V29 => format!("invalid port '{port}': {why}\n"),
    })
}

/// Prints objects: by a template one per line, else as an array with four spaces. Gives the status where a template
/// does not fit.
///
/// # Errors
/// What the model's templates have not.
pub fn print_all(p: &mut Proc<'_>, format: Option<&str>, all: &[Value]) -> Result<Option<i32>, Refusal> {
    if let Some(f) = format.filter(|f| *f != "json") {
        for v in all {
            match template::fill(f, v, template::Of::Json(profile(p))) {
                Ok(line) => p.out.push_str(&format!("{line}\n")),
                Err(template::Fault::Refused(r)) => return Err(r),
                Err(template::Fault::Unread(text)) => {
                    p.err.push_str(&format!("template parsing error: {text}\n"));
                    return Ok(Some(64));
                }
                Err(template::Fault::Said(text)) => {
                    p.out.push('\n');
                    p.err.push_str(&format!("template parsing error: {text}\n"));
                    return Ok(Some(1));
                }
            }
        }
        if all.is_empty() {
            p.out.push('\n');
        }
        return Ok(None);
    }
    let mut buf = Vec::new();
    let fmt = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut ser = serde_json::Serializer::with_formatter(&mut buf, fmt);
    if serde::Serialize::serialize(all, &mut ser).is_ok() {
        p.out.push_str(&format!("{}\n", String::from_utf8_lossy(&buf)));
    }
    Ok(None)
}

/// `docker inspect`: containers, then networks.
pub fn inspect_all(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["format", "type"], switches: &[], short: &[('f', "format")] };
    let g = read("inspect", args, &K, true)?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let kind = g.get("type").unwrap_or("");
    const KINDS: [&str; 10] =
        ["config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"];
    if !kind.is_empty() && !KINDS.contains(&kind) {
        let all = KINDS.map(|k| format!("\"{k}\"")).join(", ");
        p.err.push_str(&match profile(p) {
            Profile::V20 => format!("\"{kind}\" is not a valid value for --type\n"),
            _ => format!("unknown type: \"{kind}\": must be one of {all}\n"),
        });
        return Ok(1);
    }
    if !matches!(kind, "" | "container" | "network") {
        return Err(Refusal::new(format!("docker inspect --type {kind}"), 0));
    }
    for key in &g.words {
        let d = docker(p);
        let c = d.e().container(key).filter(|_| kind != "network").map(|c| inspect::container(&d, c));
        let net = || d.e().network(key).filter(|_| kind != "container").map(|n| network_json(&d, n));
        match c.or_else(net) {
            Some(v) => found.push(v),
            None => missing.push(key.clone()),
        }
    }
    if let Some(status) = print_all(p, g.get("format"), &found)? {
        return Ok(status);
    }
    for key in &missing {
        match (kind, profile(p) == Profile::V20) {
            ("container", _) => no_such(p, &format!("No such container: {key}")),
            ("network", false) => daemon_error(p, &format!("network {key} not found")),
            ("network", true) => client_error(p, &format!("No such network: {key}")),
            _ => client_error(p, &format!("No such object: {key}")),
        };
    }
    Ok(i32::from(!missing.is_empty()))
}

/// How many addresses of a pool are taken, and how many are left to be chosen from (`allocationStatus`, since 29).
fn in_use(d: &Docker<'_>, n: &Network, s: &Subnet) -> Value {
    let mut taken: Vec<Ipv4Addr> = d.e().addresses.get(&n.id).into_iter().flatten().copied().collect();
    taken.extend(ends(d.profile(), &s.net).into_iter().flatten());
    taken.retain(|a| s.net.contains(a));
    let range = s.range.unwrap_or(s.net);
    let within = taken.iter().filter(|a| range.contains(*a)).count() as u64;
    let size = 1u64 << (32 - range.prefix_len());
    json!({"IPsInUse": taken.len(), "DynamicIPsAvailable": size.saturating_sub(within)})
}

/// One network, in the engine's order of fields.
pub fn network_json(d: &Docker<'_>, n: &Network) -> Value {
    let v20 = d.profile() == Profile::V20;
    let mut config = Vec::new();
    for s in &n.subnets {
        let mut o = Map::new();
        o.insert("Subnet".into(), s.given.clone().unwrap_or_else(|| s.net.to_string()).into());
        if let Some(r) = s.range {
            o.insert("IPRange".into(), r.to_string().into());
        }
        // What the engine itself chose; in a swarm the manager has written it down.
        let chosen = !s.gateway_given && n.scope != "swarm" && (s.given.is_some() || n.name == "bridge");
        let silent = chosen && d.profile() != Profile::V29;
        if let Some(gw) = s.gateway.filter(|_| !silent) {
            o.insert("Gateway".into(), gw.to_string().into());
        }
        if !s.aux.is_empty() {
            let aux: Map<String, Value> = s.aux.iter().map(|(k, a)| (k.clone(), a.to_string().into())).collect();
            o.insert("AuxiliaryAddresses".into(), aux.into());
        }
        config.push(Value::Object(o));
    }
    let bridge = n.driver == "bridge";
    let config: Value = if !matches!(n.driver.as_str(), "host" | "null") || v20 || n.config.is_some() {
        config.into()
    } else {
        Value::Null
    };
    let own = (bridge && n.name != "bridge" && !(n.name == gwbridge::NAME && n.auto_subnet))
        || n.on_parent()
        || n.config.is_some()
        || n.scope == "global";
    let mut members = Map::new();
    let mut list = d.members(&n.id);
    list.sort_by(|a, b| a.0.cmp(&b.0));
    let prefix = n.subnets.first().map_or(0, |s| s.net.prefix_len());
    for (id, e) in list {
        let name = d.e().containers.get(&id).map_or(String::new(), |c| {
            let gateway = c.sandbox.get(..12).filter(|_| n.name == gwbridge::NAME).map(|s| format!("gateway_{s}"));
            gateway.unwrap_or_else(|| c.name.clone())
        });
        let ip = e.ip.map_or(String::new(), |a| format!("{a}/{prefix}"));
        let mac = e.mac.map_or(String::new(), |m| m.to_string());
        members.insert(
            id,
            json!({"Name": name, "EndpointID": e.id, "MacAddress": mac, "IPv4Address": ip, "IPv6Address": ""}),
        );
    }
    for c in d.e().containers.values().filter(|c| inspect::pseudo(c) == Some(n.name.as_str())) {
        let endpoint = inspect::pseudo_endpoint(c);
        if endpoint.is_empty() {
            continue;
        }
        let mac = c.mac.filter(|_| !v20 && n.name == "none").map_or(String::new(), |m| m.to_string());
        let e =
            json!({"Name": c.name, "EndpointID": endpoint, "MacAddress": mac, "IPv4Address": "", "IPv6Address": ""});
        members.insert(c.id.clone(), e);
    }
    super::swarm::more_members(d, n, &mut members);
    let mut o = Map::new();
    let mut put = |k: &str, v: Value| o.insert(k.to_owned(), v);
    put("Name", n.name.clone().into());
    put("Id", n.id.clone().into());
    put("Created", when(n.created).into());
    put("Scope", n.scope.clone().into());
    put("Driver", n.driver.clone().into());
    if !v20 {
        put("EnableIPv4", true.into());
    }
    put("EnableIPv6", false.into());
    put("IPAM", json!({"Driver": "default", "Options": if own { json!({}) } else { Value::Null }, "Config": config}));
    put("Internal", n.internal.into());
    put("Attachable", n.attachable.into());
    put("Ingress", (n.scope == "swarm" && n.name == overlay::balancer::INGRESS).into());
    put("ConfigFrom", json!({"Network": n.config_from.as_deref().unwrap_or("")}));
    put("ConfigOnly", n.config.is_some().into());
    let elsewhere = n.scope == "swarm" && !d.e().overlays.contains_key(&n.id);
    put("Containers", if elsewhere { Value::Null } else { members.into() });
    let sorted = |m: &indexmap::IndexMap<String, String>| {
        let mut v: Vec<_> = m.iter().collect();
        v.sort();
        v.into_iter().map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect::<Map<_, _>>()
    };
    put("Options", sorted(&n.options).into());
    put("Labels", if elsewhere && n.labels.is_empty() { Value::Null } else { sorted(&n.labels).into() });
    if n.scope == "swarm" && !elsewhere {
        put("Peers", super::swarm::peers(d, n));
    }
    if d.profile() == Profile::V29 && n.scope == "local" && !n.subnets.is_empty() {
        let subnets: Map<_, _> = n.subnets.iter().map(|s| (s.net.to_string(), in_use(d, n, s))).collect();
        put("Status", json!({"IPAM": {"Subnets": subnets}}));
    }
    Value::Object(o)
}

/// The exposed ports that an endpoint of the container knows of, and all that are published.
pub fn told(c: &Container) -> impl Iterator<Item = &String> {
    let known = c.endpoints.values().any(|e| e.exposes && !e.id.is_empty());
    let bound = |text: &str| c.bound.iter().any(|b| text == format!("{}/{}", b.port, b.proto));
    c.exposed.iter().filter(move |e| known || bound(e))
}

//! `docker inspect` of a container, in the engine's order of fields (api/types `ContainerJSON`, by version).

mod host_config;

use serde_json::{Map, Value, json};

use super::run::words_of;
use super::show::{host_port, state_name, told, when};
use crate::docker::types::{Mode, State};
use crate::docker::{Container, Docker, Endpoint, Network, Profile, gwbridge, images};
use crate::kernel::types::Nanos;

/// The predefined network without devices that a running container is on.
pub fn pseudo(c: &Container) -> Option<&'static str> {
    match c.mode {
        Mode::Host if !c.left_host => Some("host"),
        Mode::None => Some("none"),
        _ => None,
    }
}

/// The id of its endpoint there, which nothing else knows of.
pub fn pseudo_endpoint(c: &Container) -> String {
    let running = matches!(c.state, State::Running | State::Paused);
    c.id.chars().rev().filter(|_| running).collect()
}

/// One container.
pub fn container(d: &Docker<'_>, c: &Container) -> Value {
    let pid = c.pid.map_or(0, |p| p.0);
    let running = matches!(c.state, State::Running | State::Paused);
    let mut words = words_of(c);
    if words.is_empty() {
        words = c.image_command.split(' ').map(str::to_owned).collect();
    }
    let dir = format!("/var/lib/docker/containers/{}", c.id);
    // Its log begins with its first program.
    let log = if c.started.is_some() { format!("{dir}/{}-json.log", c.id) } else { String::new() };
    let layers = if d.profile() == Profile::V20 { Value::Null } else { json!({"ID": c.id}) };
    json!({
        "Id": c.id, "Created": when(c.created),
        "Path": words.first(), "Args": words.get(1..).unwrap_or_default(),
        "State": {"Status": state_name(c.state), "Running": running, "Paused": c.state == State::Paused,
            "Restarting": false, "OOMKilled": false, "Dead": false,
            "Pid": pid, "ExitCode": c.exit, "Error": c.error, "StartedAt": once(c.started), "FinishedAt": once(c.finished)},
        "Image": format!("sha256:{}", images::id(&c.image)),
        "ResolvConfPath": format!("{dir}/resolv.conf"), "HostnamePath": format!("{dir}/hostname"),
        "HostsPath": format!("{dir}/hosts"), "LogPath": log,
        "Name": format!("/{}", c.name), "RestartCount": 0,
        // No image has layers here, which is what that driver calls a whole copy.
        "Driver": "vfs", "Platform": "linux", "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": "",
        "ExecIDs": null,
        "HostConfig": host_config::host_config(d, c),
        "GraphDriver": {"Data": layers, "Name": "vfs"},
        "Mounts": [],
        "Config": config(c, words),
        "NetworkSettings": network_settings(d, c, running),
    })
}

fn config(c: &Container, words: Vec<String>) -> Value {
    let mut o = Map::new();
    let mut put = |k: &str, v: Value| o.insert(k.to_owned(), v);
    put("Hostname", c.hostname.clone().into());
    put("Domainname", c.domain.clone().into());
    put("User", c.user.clone().into());
    // Who is in the foreground has what it writes, and what it reads where it asked for that.
    let reads = c.attached && c.open_stdin;
    put("AttachStdin", reads.into());
    put("AttachStdout", c.attached.into());
    put("AttachStderr", c.attached.into());
    if !c.exposed.is_empty() {
        let mut ports: Map<_, _> = c.exposed.iter().map(|p| (p.clone(), json!({}))).collect();
        ports.sort_keys();
        put("ExposedPorts", ports.into());
    }
    put("Tty", c.tty.into());
    put("OpenStdin", c.open_stdin.into());
    put("StdinOnce", reads.into());
    put("Env", json!(env(c)));
    let given = if c.entrypoint.is_some() { words.get(1..).unwrap_or_default() } else { words.as_slice() };
    put("Cmd", if given.is_empty() { Value::Null } else { json!(given) });
    put("Image", c.image.clone().into());
    put("Volumes", Value::Null);
    put("WorkingDir", "".into());
    put("Entrypoint", json!(c.entrypoint.as_ref().map(|e| [e])));
    if let Some(m) = c.mac {
        put("MacAddress", m.to_string().into());
    }
    put("OnBuild", Value::Null);
    let mut labels: Map<_, _> = c.labels.iter().map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect();
    labels.sort_keys();
    put("Labels", labels.into());
    o.into()
}

/// What it was given, and then what its image has (`runconfig.Merge`).
fn env(c: &Container) -> Vec<String> {
    let name = |e: &str| e.split('=').next().unwrap_or("").to_owned();
    let mut all = c.env.clone();
    all.extend(images::ENV.iter().filter(|e| !c.env.iter().any(|g| name(g) == name(e))).map(|e| (*e).to_owned()));
    all
}

/// A list as Go writes it: none is no list.
fn list(l: &[String]) -> Value {
    if l.is_empty() { Value::Null } else { json!(l) }
}

/// When something happened last; the year 1 is never.
fn once(t: Option<Nanos>) -> String {
    t.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), when)
}

fn network_settings(d: &Docker<'_>, c: &Container, running: bool) -> Value {
    let mut nets = Map::new();
    for (name, e) in c.endpoints.iter().filter(|(n, _)| *n != gwbridge::NAME) {
        nets.insert(name.clone(), endpoint(d, c, name, e));
    }
    if let Some(name) = pseudo(c) {
        // Its id the container learns when it starts first.
        let network = d.e().network(name).filter(|_| c.state != State::Created).map_or(String::new(), |n| n.id.clone());
        let e = Endpoint { id: pseudo_endpoint(c), network, connected: c.connected_none, ..Endpoint::default() };
        nets.insert(name.into(), endpoint(d, c, name, &e));
    }
    nets.sort_keys();
    let mut o = Map::new();
    let profile = d.profile();
    // 20.10 does not forget it.
    let kept = running || profile == Profile::V20;
    let key = match c.mode {
        _ if !kept => String::new(),
        Mode::Host => "/var/run/docker/netns/default".to_owned(),
        Mode::Container(_) => String::new(),
        _ => c.sandbox.get(..12).map_or(String::new(), |s| format!("/var/run/docker/netns/{s}")),
    };
    let own = kept && !matches!(c.mode, Mode::Container(_));
    let id = if own { c.sandbox.clone() } else { String::new() };
    let told = running || c.endpoints.get("bridge").is_some_and(|e| e.written.is_some());
    let bridge = nets.get("bridge").filter(|_| told).cloned().unwrap_or_default();
    let text = |k: &str| bridge[k].as_str().unwrap_or("").to_owned();
    let mut put = |k: &str, v: Value| o.insert(k.to_owned(), v);
    if profile != Profile::V29 {
        put("Bridge", c.bridge.clone().into());
    }
    put("SandboxID", id.into());
    let late =
        [("HairpinMode", json!(false)), ("LinkLocalIPv6Address", json!("")), ("LinkLocalIPv6PrefixLen", json!(0))];
    match profile {
        Profile::V20 => {
            late.into_iter().for_each(|(k, v)| drop(put(k, v)));
            put("Ports", ports(c));
            put("SandboxKey", key.into());
        }
        _ => {
            put("SandboxKey", key.into());
            put("Ports", ports(c));
            if profile == Profile::V28 {
                late.into_iter().for_each(|(k, v)| drop(put(k, v)));
            }
        }
    }
    if profile != Profile::V29 {
        put("SecondaryIPAddresses", Value::Null);
        put("SecondaryIPv6Addresses", Value::Null);
        put("EndpointID", text("EndpointID").into());
        put("Gateway", text("Gateway").into());
        put("GlobalIPv6Address", "".into());
        put("GlobalIPv6PrefixLen", 0.into());
        put("IPAddress", text("IPAddress").into());
        put("IPPrefixLen", bridge["IPPrefixLen"].as_u64().unwrap_or(0).into());
        put("IPv6Gateway", "".into());
        put("MacAddress", text("MacAddress").into());
    }
    put("Networks", nets.into());
    o.into()
}

fn endpoint(d: &Docker<'_>, c: &Container, name: &str, e: &Endpoint) -> Value {
    let v20 = d.profile() == Profile::V20;
    let own = !matches!(name, "bridge" | "host" | "none");
    let n = d.e().networks.get(&e.network);
    // The default bridge has another id after each start of the daemon.
    let n = n.or_else(|| e.written.as_ref().and_then(|_| d.e().network(name)));
    let up = !e.id.is_empty() || e.written.is_some();
    let ip = e.ip.or(e.written.as_ref().map(|w| w.ip));
    let text = |t: Option<String>| t.filter(|_| up).unwrap_or_default();
    let prefix = n.and_then(|n| n.subnets.first()).filter(|_| up && ip.is_some()).map_or(0, |s| s.net.prefix_len());
    let gateway = n.filter(|n| (!n.internal || v20) && n.driver != "overlay").and_then(Network::way_out);
    let gateway = gateway.filter(|_| e.ip.is_some());
    let short = c.id.get(..12).unwrap_or("").to_owned();
    // Names are made up when it starts, even in vain.
    let let_in = n.is_none_or(|n| n.scope != "swarm" || n.attachable);
    let tried = e.joined || e.named || (n.is_some() && let_in && !c.error.is_empty());
    let mut aliases = e.aliases.clone();
    if v20 && own && tried {
        aliases.push(short.clone());
        if c.hostname != c.name && !aliases.contains(&c.hostname) {
            aliases.push(c.hostname.clone());
        }
    }
    // As they were given: a name alone is its own alias.
    let said = |(of, alias): &(String, String)| if of == alias { of.clone() } else { format!("{of}:{alias}") };
    let links: Vec<String> = e.links.iter().map(said).collect();
    let mut o = Map::new();
    let mut put = |k: &str, v: Value| o.insert(k.to_owned(), v);
    // What `network connect` sends is there, though empty.
    let sent = |v: Value| if e.connected { v } else { Value::Null };
    // In a swarm the manager gives the address, and the container is told to take it.
    let given = n.filter(|n| n.scope == "swarm" && up).and(e.ip);
    let ipam = e.wanted_ip.or(given).map(|a| json!({"IPv4Address": a.to_string()}));
    put("IPAMConfig", ipam.unwrap_or_else(|| sent(json!({}))));
    put("Links", list(&links));
    put("Aliases", if aliases.is_empty() { sent(json!([])) } else { json!(aliases) });
    let options = match &e.wanted_ifname {
        Some(name) => json!({"com.docker.network.endpoint.ifname": name}),
        None => sent(json!({})),
    };
    let mac = text(e.mac.or(e.written.as_ref().map(|w| w.mac)).map(|m| m.to_string()));
    if d.profile() == Profile::V28 {
        put("MacAddress", mac.clone().into());
    }
    if !v20 {
        put("DriverOpts", options.clone());
        put("GwPriority", e.gw_priority.into());
    }
    let known = e.joined || matches!(name, "host" | "none");
    put("NetworkID", if known { e.network.clone().into() } else { "".into() });
    put("EndpointID", e.written.as_ref().map_or(&e.id, |w| &w.id).clone().into());
    put("Gateway", text(gateway.map(|g| g.to_string())).into());
    put("IPAddress", text(ip.map(|a| a.to_string())).into());
    if d.profile() == Profile::V29 {
        put("MacAddress", mac.clone().into());
    }
    put("IPPrefixLen", prefix.into());
    put("IPv6Gateway", "".into());
    put("GlobalIPv6Address", "".into());
    put("GlobalIPv6PrefixLen", 0.into());
    if v20 {
        put("MacAddress", mac.into());
        put("DriverOpts", options);
    } else {
        let mut names = vec![c.name.clone()];
        names.extend(e.aliases.iter().cloned());
        names.push(short.clone());
        names.extend(Some(c.hostname.clone()).filter(|h| *h != short));
        put("DNSNames", if own && tried || e.renamed { json!(names) } else { Value::Null });
    }
    o.into()
}

fn ports(c: &Container) -> Value {
    let mut o = Map::new();
    if !matches!(c.state, State::Running | State::Paused) || c.mode != Mode::Networks {
        return o.into();
    }
    for e in told(c) {
        let (port, proto) = e.split_once('/').unwrap_or((e, "tcp"));
        let of = c.bound.iter().filter(|b| b.port.to_string() == port && b.proto == proto);
        let list: Vec<Value> = of.map(|b| json!({"HostIp": b.host_ip.to_string(), "HostPort": host_port(b)})).collect();
        o.insert(e.clone(), if list.is_empty() { Value::Null } else { list.into() });
    }
    o.sort_keys();
    o.into()
}

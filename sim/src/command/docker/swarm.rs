//! `docker swarm`, `docker node`.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::super::{Exit, Proc, Refusal};
use super::flags::{Given, Known, read};
use super::show::table;
use super::{bad_flag, daemon_error, docker, profile, usage};
use crate::docker::overlay::Balancer;
use crate::docker::overlay::balancer::INGRESS;
use crate::docker::overlay::cluster::Node;
use crate::docker::swarm::{ALREADY, MANAGER_PORT};
use crate::docker::types::{Endpoint, Profile};
use crate::docker::{Docker, Network, gwbridge};
use crate::kernel::types::{MSEC, Nanos};

/// Runs `docker swarm`.
pub fn run(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let Some(sub) = args.first() else { return Err(Refusal::new("docker swarm without a command", 0)) };
    let rest = &args[1..];
    match sub.as_str() {
        "init" => init(p, rest),
        "join" => join(p, rest),
        "leave" => leave(p, rest),
        "join-token" => token(p, rest),
        other => Err(Refusal::new(format!("docker swarm {other}"), 0)),
    }
}

fn how_to_join(role: &str, token: &str, addr: Ipv4Addr) -> String {
    format!(
        "To add a {role} to this swarm, run the following command:\n\n    docker swarm join --token {token} \
         {addr}:{MANAGER_PORT}\n\n"
    )
}

/// `--default-addr-pool` and `--default-addr-pool-mask-length`; what the engine would refuse is not read.
fn default_pool(g: &Given) -> Result<Option<(Ipv4Net, u8)>, String> {
    let length = g.get("default-addr-pool-mask-length").unwrap_or("24");
    let Some(base) = g.get("default-addr-pool") else { return Ok(None) };
    let read = base.parse::<Ipv4Net>().ok().zip(length.parse::<u8>().ok());
    let fits = read.filter(|(net, len)| net.trunc() == *net && (net.prefix_len()..=29).contains(len));
    fits.map(Some).ok_or_else(|| format!("--default-addr-pool {base} with masks of {length}"))
}

/// `--data-path-port`: 0 is the usual one.
fn data_port(g: &Given) -> Result<Option<u16>, String> {
    let Some(text) = g.get("data-path-port") else { return Ok(None) };
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(n @ 1024..=49151) => Ok(Some(n)),
        _ => Err(format!("--data-path-port {text}")),
    }
}

fn init(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &[
            "advertise-addr",
            "listen-addr",
            "data-path-port",
            "default-addr-pool",
            "default-addr-pool-mask-length",
        ],
        switches: &[],
        short: &[],
    };
    let g = read("swarm init", args, &K, true)?;
    if let Some(net) = g.get("default-addr-pool").filter(|v| v.parse::<Ipv4Net>().is_err()) {
        let text = format!(
            "invalid argument \"{net}\" for \"--default-addr-pool\" flag: invalid string being converted to CIDR: {net}"
        );
        return Ok(bad_flag(p, "swarm init", &text));
    }
    if docker(p).member().is_some_and(|(c, _)| c.is_swarm()) {
        return Ok(daemon_error(p, ALREADY));
    }
    let (pool, port) = match (default_pool(&g), data_port(&g)) {
        (Ok(pool), Ok(port)) => (pool, port),
        (Err(e), _) | (_, Err(e)) => return Err(Refusal::new(format!("docker swarm init {e}"), 0)),
    };
    match docker(p).swarm_init(g.get("advertise-addr"), pool, port) {
        Ok((id, addr)) => {
            let token = docker(p).swarm_token(false).map_or_else(|_| String::new(), |t| t.0);
            p.out.push_str(&format!("Swarm initialized: current node ({id}) is now a manager.\n\n"));
            p.out.push_str(&how_to_join("worker", &token, addr));
            p.out.push_str(
                "To add a manager to this swarm, run 'docker swarm join-token manager' and follow the instructions.\n",
            );
            if profile(p) == Profile::V20 {
                p.out.push('\n');
            }
            Ok(0)
        }
        Err(e) => Ok(daemon_error(p, &e)),
    }
}

fn join(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["advertise-addr", "listen-addr", "token"], switches: &[], short: &[] };
    let g = read("swarm join", args, &K, true)?;
    let [to] = g.words.as_slice() else { return Ok(usage(p, "swarm join", "requires exactly 1 argument.")) };
    let (host, port) = to.split_once(':').map_or((to.as_str(), Some(MANAGER_PORT)), |(h, n)| (h, n.parse().ok()));
    let addr = host.parse().ok().or_else(|| p.sess.known(p.host, p.ns, host));
    let Some((addr, port)) = addr.zip(port) else {
        return Ok(daemon_error(p, &format!("invalid remote address \"{to}\"")));
    };
    let token = g.get("token").unwrap_or("").to_owned();
    match docker(p).swarm_join(&token, (addr, port), g.get("advertise-addr")) {
        Ok(manager) => {
            let role = if manager { "manager" } else { "worker" };
            p.out.push_str(&format!("This node joined a swarm as a {role}.\n"));
            Ok(0)
        }
        Err(e) => Ok(daemon_error(p, &e)),
    }
}

fn leave(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &[], switches: &["force"], short: &[('f', "force")] };
    let g = read("swarm leave", args, &K, true)?;
    match docker(p).swarm_leave(g.on("force")) {
        Ok(()) => {
            p.out.push_str("Node left the swarm.\n");
            Ok(0)
        }
        Err(e) => Ok(daemon_error(p, &e)),
    }
}

fn token(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &[], switches: &["quiet"], short: &[('q', "quiet")] };
    let g = read("swarm join-token", args, &K, true)?;
    let role = match g.words.as_slice() {
        [r] if r == "worker" || r == "manager" => r.clone(),
        [_] => {
            p.err.push_str(&format!("unknown role {}\n", g.words[0]));
            return Ok(1);
        }
        _ => return Ok(usage(p, "swarm join-token", "requires exactly 1 argument.")),
    };
    match docker(p).swarm_token(role == "manager") {
        Ok((token, _)) if g.on("quiet") => p.out.push_str(&format!("{token}\n")),
        Ok((token, addr)) => p.out.push_str(&how_to_join(&role, &token, addr)),
        Err(e) => return Ok(daemon_error(p, &e)),
    }
    Ok(0)
}

/// `docker node rm`: a node that is down is forgotten.
fn node_rm(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &[], switches: &["force"], short: &[('f', "force")] };
    let g = read("node rm", args, &K, true)?;
    if let Err(e) = docker(p).must_manage() {
        return Ok(daemon_error(p, &e));
    }
    let mut status = 0;
    for key in &g.words {
        match docker(p).node_remove(key) {
            Ok(()) => p.out.push_str(&format!("{key}\n")),
            Err(e) => status = daemon_error(p, &e),
        }
    }
    Ok(status)
}

/// What is wrong with the filters of `docker node ls`.
///
/// # Errors
/// One that is not modelled.
fn node_filter(g: &Given, of: Profile) -> Result<Option<String>, Refusal> {
    for f in g.all("filter") {
        let (key, value) = f.split_once('=').unwrap_or((f, ""));
        match key {
            "name" | "id" => {}
            "role" if matches!(value, "manager" | "worker") => {}
            "role" => return Ok(Some(format!("Invalid role filter: '{value}'"))),
            "label" | "node.label" | "membership" => {
                return Err(Refusal::new(format!("docker node ls --filter {key}"), 0));
            }
            _ => {
                let i = if of == Profile::V20 { "I" } else { "i" };
                return Ok(Some(format!("{i}nvalid filter '{key}'")));
            }
        }
    }
    Ok(None)
}

/// `docker node inspect -f`: what of a node's description the model has.
///
/// # Errors
/// The whole description.
fn inspect(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["format"], switches: &[], short: &[('f', "format")] };
    let g = read("node inspect", args, &K, true)?;
    let v20 = profile(p) == Profile::V20;
    if let Err(e) = docker(p).must_manage() {
        p.out.push_str(if g.get("format").is_some() { "\n" } else { "[]\n" });
        return Ok(daemon_error(p, &e));
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let d = docker(p);
    let Some((c, me)) = d.member() else { return Ok(0) };
    for key in &g.words {
        let is = |(i, n): &(usize, &Node)| {
            !n.removed && (key == "self" && *i == me || n.name == *key || n.id.starts_with(key.as_str()))
        };
        match c.nodes.iter().enumerate().find(is) {
            Some((i, n)) => found.push(json!({"ID": n.id,
                "Spec": {"Role": if n.manager { "manager" } else { "worker" }, "Availability": "active"},
                "Description": {"Hostname": n.name},
                "Status": {"State": if d.node_down(i) { "down" } else { "ready" }, "Addr": n.addr.to_string()}})),
            None => missing.push(key.clone()),
        }
    }
    if !found.is_empty() && g.get("format").is_none() {
        return Err(Refusal::new("docker node inspect without a format", 0));
    }
    if let Some(status) = super::show::print_all(p, g.get("format"), &found)? {
        return Ok(status);
    }
    for key in &missing {
        match v20 {
            true => p.err.push_str(&format!("Status: Error: No such node: {key}, Code: 1\n")),
            false => p.err.push_str(&format!("Error response from daemon: node {key} not found\n")),
        }
    }
    Ok(i32::from(!missing.is_empty()))
}

/// Runs `docker node`.
pub fn node(p: &mut Proc<'_>, args: &[String]) -> Exit {
    if matches!(args.first().map(String::as_str), Some("rm" | "remove")) {
        return node_rm(p, &args[1..]);
    }
    if args.first().is_some_and(|a| a == "inspect") {
        return inspect(p, &args[1..]);
    }
    if !matches!(args.first().map(String::as_str), Some("ls" | "list")) {
        return Err(Refusal::new(format!("docker node {}", args.first().map_or("", String::as_str)), 0));
    }
    const K: Known =
        Known { values: &["filter", "format"], switches: &["quiet"], short: &[('f', "filter"), ('q', "quiet")] };
    let g = read("node ls", &args[1..], &K, true)?;
    if let Err(e) = docker(p).must_manage() {
        return Ok(daemon_error(p, &e));
    }
    if let Some(e) = node_filter(&g, profile(p))? {
        return Ok(daemon_error(p, &e));
    }
    let version = profile(p).version();
    let d = docker(p);
    let Some((c, me)) = d.member() else { return Ok(0) };
    let leader = c.nodes.iter().position(|n| n.member && n.manager);
    // One that left stays in the list.
    let of = |k: &str, one: &dyn Fn(&str) -> bool| {
        let mut all = g.all("filter").filter_map(|f| f.strip_prefix(k)?.strip_prefix('=')).peekable();
        all.peek().is_none() || all.any(one)
    };
    let passes = |n: &Node| {
        of("name", &|v| n.name.starts_with(v))
            && of("id", &|v| n.id.starts_with(v))
            && of("role", &|v| (v == "manager") == n.manager)
    };
    let mut nodes: Vec<(usize, &Node)> = c.nodes.iter().enumerate().filter(|(_, n)| !n.removed && passes(n)).collect();
    nodes.sort_by(|a, b| (&a.1.name, &a.1.id).cmp(&(&b.1.name, &b.1.id)));
    let (mut out, mut formatted) = (String::new(), Vec::new());
    let mut rows = vec![
        ["ID", "HOSTNAME", "STATUS", "AVAILABILITY", "MANAGER STATUS", "ENGINE VERSION"].map(str::to_owned).to_vec(),
    ];
    for (i, n) in nodes {
        let status = if d.node_down(i) { "Down" } else { "Ready" };
        let role = match n.manager {
            _ if Some(i) == leader => "Leader",
            true if status == "Down" => "Unreachable",
            true => "Reachable",
            false => "",
        };
        let mark = if i == me { "*" } else { " " };
        if g.get("format").is_some() {
            let v = serde_json::json!({"ID": n.id, "Hostname": n.name, "Status": status, "Availability": "Active",
                "ManagerStatus": role, "EngineVersion": version, "Self": i == me});
            formatted.push(v);
        } else if g.on("quiet") {
            out.push_str(&format!("{}\n", n.id));
        } else {
            rows.push(
                [&format!("{} {mark}", n.id), &n.name, status, "Active", role, version].map(str::to_owned).to_vec(),
            );
        }
    }
    if let Some(f) = g.get("format") {
        let heads = serde_json::json!({"ID": "ID", "Hostname": "HOSTNAME", "Status": "STATUS",
            "Availability": "AVAILABILITY", "ManagerStatus": "MANAGER STATUS", "EngineVersion": "ENGINE VERSION",
            "Self": "SELF"});
        return super::template::list(p, f, &heads, &formatted, super::template::Of::Row("*node.nodeContext"));
    }
    if out.is_empty() && !g.on("quiet") {
        out = table(&rows);
    }
    p.out.push_str(&out);
    Ok(0)
}

fn one(name: &str, e: &Endpoint, prefix: u8) -> Value {
    let ip = e.ip.map_or(String::new(), |a| format!("{a}/{prefix}"));
    let mac = e.mac.map_or(String::new(), |m| m.to_string());
    json!({"Name": name, "EndpointID": e.id, "MacAddress": mac, "IPv4Address": ip, "IPv6Address": ""})
}

/// What `docker network inspect` lists beside containers of this host: load balancers, and with a store the endpoints
/// of other hosts.
pub fn more_members(d: &Docker<'_>, n: &Network, members: &mut Map<String, Value>) {
    let prefix = n.subnets.first().map_or(0, |s| s.net.prefix_len());
    if let Some(b) = d.e().overlays.get(&n.id).and_then(|o| o.balancer.as_ref()) {
        let (sandbox, name) = Balancer::names(&n.name);
        members.insert(sandbox, one(&name, &b.endpoint, prefix));
    }
    if n.name == gwbridge::NAME {
        let ingress = d.e().overlays.values().filter_map(|o| o.balancer.as_ref()?.outside.as_ref());
        for e in ingress {
            let sandbox = Balancer::names(INGRESS).0;
            members.insert(sandbox.clone(), one(&format!("gateway_{sandbox}"), e, prefix));
        }
    }
    if n.scope == "global" {
        let here: Vec<String> = d.members(&n.id).into_iter().map(|(_, e)| e.id).collect();
        for x in d.store_endpoints(&n.id).into_iter().filter(|x| !here.contains(&x.endpoint)) {
            let e = Endpoint { id: x.endpoint.clone(), ip: Some(x.ip), mac: Some(x.mac), ..Endpoint::default() };
            let name = x.names.first().map_or("", String::as_str);
            members.insert(format!("ep-{}", x.endpoint), one(name, &e, prefix));
        }
    }
}

/// How long what one node does takes to come to the others (memberlist's `GossipInterval`).
const GOSSIP: Nanos = 200 * MSEC;

/// The nodes that take part in a network.
pub fn peers(d: &Docker<'_>, n: &Network) -> Value {
    let Some((c, _)) = d.member() else { return Value::Null };
    let on = |x: &&Node| x.member && d.s.engines.get(&x.host).is_some_and(|e| e.overlays.contains_key(&n.id));
    // In the order in which this node heard of them; its own part it knows at once, the others' by gossip.
    let since = |x: &Node| {
        let at = d.s.engines.get(&x.host).and_then(|e| e.overlays.get(&n.id)).map_or(0, |o| o.since);
        if x.host == d.host { at } else { at + GOSSIP }
    };
    let mut all: Vec<&Node> = c.nodes.iter().filter(on).collect();
    all.sort_by_key(|x| since(x));
    all.into_iter().map(|x| json!({"Name": x.peer, "IP": x.addr.to_string()})).collect()
}

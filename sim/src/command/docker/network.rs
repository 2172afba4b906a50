//! `docker network`.

use serde_json::{Value, json};

use super::super::{Exit, Proc, Refusal};
use super::filter;
use super::flags::{Given, Known, read};
use super::show::table;
use super::{bad_flag, daemon_error, docker, profile, show, template};
use crate::docker::network::NetSpec;
use crate::docker::{Endpoint, Network, Profile};

/// Runs `docker network`.
pub fn run(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let Some(sub) = args.first() else { return Ok(0) };
    let rest = &args[1..];
    match sub.as_str() {
        "create" => create(p, rest),
        "ls" | "list" => ls(p, rest),
        "inspect" => inspect(p, rest),
        "rm" | "remove" => rm(p, rest),
        "prune" => prune(p, rest),
        "connect" => connect(p, rest),
        "disconnect" => disconnect(p, rest),
        other => Err(Refusal::new(format!("docker network {other}"), 0)),
    }
}

fn pair(t: &str) -> (String, String) {
    t.split_once('=').map_or((t.to_owned(), String::new()), |(k, v)| (k.to_owned(), v.to_owned()))
}

fn create(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &[
            "driver",
            "opt",
            "label",
            "subnet",
            "ip-range",
            "gateway",
            "aux-address",
            "scope",
            "ipam-driver",
            "config-from",
        ],
        switches: &["internal", "attachable", "ingress", "config-only", "ipv4"],
        short: &[('d', "driver"), ('o', "opt")],
    };
    let g = read("network create", args, &K, true)?;
    let [name] = g.words.as_slice() else { return Ok(1) };
    // Commas part what these hold (pflag's `StringSlice`).
    let list = |n: &str| g.all(n).flat_map(|v| v.split(',')).map(str::to_owned).collect::<Vec<_>>();
    let no_ipv4 = g.get("ipv4").filter(|_| !g.on("ipv4")).map(|_| "com.docker.network.enable_ipv4=false");
    let spec = NetSpec {
        name: name.clone(),
        driver: g.get("driver").unwrap_or("bridge").to_owned(),
        subnets: list("subnet"),
        ranges: list("ip-range"),
        gateways: list("gateway"),
        aux: g.all("aux-address").map(pair).collect(),
        internal: g.on("internal"),
        attachable: g.on("attachable"),
        options: g.all("opt").chain(no_ipv4).map(pair).collect(),
        labels: g.all("label").map(pair).collect(),
        config_only: g.on("config-only"),
        config_from: g.get("config-from").filter(|n| !n.is_empty()).map(str::to_owned),
    };
    if spec.options.get("macvlan_mode").is_some_and(|m| m == "passthru") {
        return Err(Refusal::new("docker network create -o macvlan_mode=passthru", 0));
    }
    if spec.options.contains_key("encrypted") {
        return Err(Refusal::new("docker network create -o encrypted", 0));
    }
    let swarm = docker(p).member().is_some_and(|(c, _)| c.is_swarm());
    if spec.driver == "overlay" && g.get("scope") == Some("local") {
        if let (false, Err(e)) = (profile(p) == Profile::V20, docker(p).must_manage()) {
            return Ok(daemon_error(p, &e));
        }
        return Ok(daemon_error(p, "cannot downgrade network scope for overlay networks"));
    }
    match (g.get("scope"), g.get("ipam-driver"), g.on("ingress")) {
        (None | Some("local"), None | Some("default"), false) => {}
        (Some("swarm"), _, _) if !swarm => {
            return Ok(daemon_error(p, "cannot create a swarm scoped network when swarm is not active"));
        }
        (_, _, true) if spec.driver != "overlay" => {
            return Ok(daemon_error(p, "Ingress network can only be global scope network"));
        }
        (_, Some(d), false) if !matches!(d, "default" | "null") => {
            return Ok(daemon_error(p, &format!("plugin \"{d}\" not found")));
        }
        (scope, ipam, _) => {
            let what = scope.map(|s| format!("--scope {s}")).or_else(|| ipam.map(|d| format!("--ipam-driver {d}")));
            return Err(Refusal::new(format!("docker network create {}", what.unwrap_or("--ingress".into())), 0));
        }
    }
    if let Err(e) = client_checks(&spec, profile(p)) {
        p.err.push_str(&format!("{e}\n"));
        return Ok(1);
    }
    match docker(p).network_create(&spec) {
        Ok(id) => {
            p.out.push_str(&format!("{id}\n"));
            Ok(0)
        }
        Err(e) => Ok(daemon_error(p, &e)),
    }
}

/// What the client looks at itself (`consolidateIpam`).
fn client_checks(s: &NetSpec, of: Profile) -> Result<(), String> {
    if s.ranges.len() > s.subnets.len() || s.gateways.len() > s.subnets.len() {
        return Err("every ip-range or gateway must have a corresponding subnet".into());
    }
    if let (true, Some((_, a))) = (s.subnets.is_empty(), s.aux.first()) {
        return Err(format!("no matching subnet for aux-address {a}"));
    }
    if s.subnets.is_empty() {
        return Ok(());
    }
    if s.ranges.is_empty() && s.gateways.is_empty() && s.aux.is_empty() && s.subnets.len() == 1 {
        return Ok(());
    }
    let mut nets = Vec::new();
    for t in &s.subnets {
        let n: ipnet::Ipv4Net = t.parse().map_err(|_| format!("invalid subnet: invalid CIDR address: {t}"))?;
        if nets.iter().any(|x: &ipnet::Ipv4Net| x.contains(&n.addr()) || n.contains(&x.addr())) {
            return Err("multiple overlapping subnet configuration is not supported".into());
        }
        nets.push(n.trunc());
    }
    for r in &s.ranges {
        if of != Profile::V20 && r.parse::<ipnet::Ipv4Net>().is_err() {
            return Err(format!("invalid CIDR address: {r}"));
        }
        let inside = r.parse::<ipnet::Ipv4Net>().is_ok_and(|r| nets.iter().any(|n| n.contains(&r.network())));
        if !inside {
            return Err(format!("no matching subnet for range {r}"));
        }
    }
    let within = |a: &str| a.parse().is_ok_and(|a: std::net::Ipv4Addr| nets.iter().any(|n| n.contains(&a)));
    if let Some(g) = s.gateways.iter().find(|g| !within(g)) {
        return Err(format!("no matching subnet for gateway {g}"));
    }
    match s.aux.iter().find(|(_, a)| !within(a)) {
        Some((_, a)) => Err(format!("no matching subnet for aux-address {a}")),
        None => Ok(()),
    }
}

fn ls(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &["format", "filter"],
        switches: &["no-trunc", "quiet"],
        short: &[('q', "quiet"), ('f', "filter")],
    };
    let g = read("network ls", args, &K, true)?;
    if let Some(e) = filter::network_unknown(&g, profile(p))? {
        return Ok(daemon_error(p, &e));
    }
    let d = docker(p);
    let mut all = Vec::new();
    for n in d.e().networks.values() {
        if filter::network(&g, n)? {
            all.push(n.clone());
        }
    }
    all.sort_by(|a, b| natural(&a.name, &b.name));
    let id = |id: &str| if g.on("no-trunc") { id.to_owned() } else { id[..12].to_owned() };
    if let Some(f) = g.get("format").filter(|f| *f != "table") {
        let v20 = profile(p) == Profile::V20;
        let rows: Vec<Value> = all.iter().map(|n| row(n, &id(&n.id), v20)).collect();
        return template::list(p, f, &heads(), &rows, template::Of::Row("*network.networkContext"));
    }
    let mut rows = vec![["NETWORK ID", "NAME", "DRIVER", "SCOPE"].map(str::to_owned).to_vec()];
    for n in &all {
        if g.on("quiet") {
            p.out.push_str(&format!("{}\n", id(&n.id)));
        } else {
            rows.push(vec![id(&n.id), n.name.clone(), n.driver.clone(), n.scope.clone()]);
        }
    }
    if !g.on("quiet") {
        p.out.push_str(&table(&rows));
    }
    Ok(0)
}

/// Names in an order where n9 comes before n10 (sortorder `NaturalLess`).
pub(super) fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a, b);
    let digits = |t: &str| t.len() - t.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    loop {
        let (da, db) = (digits(a), digits(b));
        if da > 0 && db > 0 {
            let (x, y) = (a[..da].trim_start_matches('0'), b[..db].trim_start_matches('0'));
            let numbers = x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then_with(|| da.cmp(&db));
            if numbers.is_ne() {
                return numbers;
            }
            (a, b) = (&a[da..], &b[db..]);
            continue;
        }
        let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else { return a.len().cmp(&b.len()) };
        if x != y {
            // Digits before all else.
            return (!x.is_ascii_digit(), x).cmp(&(!y.is_ascii_digit(), y));
        }
        (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
    }
}

/// A network as `--format` sees it (`networkContext`).
fn row(n: &Network, id: &str, v20: bool) -> Value {
    let mut labels: Vec<String> = n.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    labels.sort();
    let created = show::when(n.created).replace('T', " ").replace('Z', " +0000 UTC");
    let mut v = json!({"CreatedAt": created, "Driver": n.driver, "ID": id, "IPv4": "true", "IPv6": "false",
        "Internal": n.internal.to_string(), "Labels": labels.join(","), "Name": n.name, "Scope": n.scope,
        "labels": n.labels});
    if let Some(o) = v.as_object_mut().filter(|_| v20) {
        o.shift_remove("IPv4");
    }
    v
}

/// The heads of its columns.
fn heads() -> Value {
    json!({"CreatedAt": "CREATED AT", "Driver": "DRIVER", "ID": "NETWORK ID", "IPv4": "IPV4", "IPv6": "IPV6",
        "Internal": "INTERNAL", "Labels": "LABELS", "Name": "NAME", "Scope": "SCOPE"})
}

fn inspect(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["format"], switches: &["verbose"], short: &[('f', "format"), ('v', "verbose")] };
    let g = read("network inspect", args, &K, true)?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for key in &g.words {
        let d = docker(p);
        match d.e().network(key).cloned() {
            Some(n) => found.push(show::network_json(&d, &n)),
            None => missing.push(key.clone()),
        }
    }
    if let Some(status) = show::print_all(p, g.get("format"), &found)? {
        return Ok(status);
    }
    for key in &missing {
        if profile(p) == Profile::V20 {
            p.err.push_str(&format!("Error: No such network: {key}\n"));
        } else {
            p.err.push_str(&format!("Error response from daemon: network {key} not found\n"));
        }
    }
    Ok(i32::from(!missing.is_empty()))
}

/// What is asked before the ingress network goes (docker/cli network/remove.go).
const ROUTING_MESH: &str = "WARNING! Before removing the routing-mesh network, make sure all the nodes in your swarm run \
                            the same docker engine version. Otherwise, removal may not be effective and functionality of \
                            newly create ingress networks will be impaired.";

fn rm(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &[], switches: &["force"], short: &[('f', "force")] };
    let g = read("network rm", args, &K, true)?;
    let mut status = 0;
    for key in &g.words {
        let v20 = profile(p) == Profile::V20;
        if key.is_empty() && !v20 {
            p.err.push_str("invalid network name or ID: value is empty\n");
            status = 1;
            continue;
        }
        let ingress = docker(p).e().network(key).is_some_and(|n| n.name == "ingress");
        if ingress && !agreed(p, ROUTING_MESH) {
            continue;
        }
        match docker(p).network_remove(key) {
            Ok(()) => p.out.push_str(&format!("{key}\n")),
            Err(e) if g.on("force") && e == format!("network {key} not found") => {}
            Err(e) if v20 && e == format!("network {key} not found") => {
                p.err.push_str(&format!("Error: No such network: {key}\n"));
                status = 1;
            }
            Err(e) => {
                daemon_error(p, &e);
                status = 1;
            }
        }
    }
    if status != 0 && profile(p) != Profile::V20 {
        p.err.push_str(&format!("exit status {status}\n"));
    }
    Ok(status)
}

/// Asks, and reads the answer from standard input.
pub(super) fn agreed(p: &mut Proc<'_>, warning: &str) -> bool {
    p.out.push_str(&format!("{warning}\nAre you sure you want to continue? [y/N] "));
    let answer = std::mem::take(&mut p.stdin);
    answer.lines().next().is_some_and(|a| a.trim().eq_ignore_ascii_case("y"))
}

fn prune(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["filter"], switches: &["force"], short: &[('f', "force")] };
    let g = read("network prune", args, &K, true)?;
    if let Some(f) = g.all("filter").find(|f| {
        let key = f.split(['=', '!']).next().unwrap_or("");
        !matches!(key, "label" | "until")
    }) {
        let (i, key) = (if profile(p) == Profile::V20 { "I" } else { "i" }, f.split('=').next().unwrap_or(f));
        return Ok(daemon_error(p, &format!("{i}nvalid filter '{key}'")));
    }
    let mut before = None;
    if let Some(t) = g.all("filter").find_map(|f| f.strip_prefix("until=")) {
        let Some(age) = filter::duration(t) else {
            if !t.contains(|c: char| c.is_ascii_digit()) {
                return Ok(daemon_error(p, &format!("failed to parse value as time or duration: \"{t}\"")));
            }
            return Err(Refusal::new(format!("docker network prune --filter until={t}"), 0));
        };
        before = Some(p.sess.kernel.now().checked_sub(age));
    }
    if !g.on("force") && !agreed(p, "WARNING! This will remove all custom networks not used by at least one container.")
    {
        return Ok(0);
    }
    let old = |n: &Network| before.is_none_or(|at| at.is_some_and(|at| n.created <= at));
    let gone = docker(p).network_prune(|n| old(n) && filter::labelled(&g, &n.labels));
    if !gone.is_empty() {
        p.out.push_str(&format!("Deleted Networks:\n{}\n\n", gone.join("\n")));
    }
    Ok(0)
}

/// Settings of an endpoint, as `connect` and `run` have them.
pub fn endpoint(g: &Given) -> Result<Endpoint, String> {
    let mut e = Endpoint::default();
    if let Some(ip) = g.get("ip") {
        e.wanted_ip = Some(ip.parse().map_err(|_| format!("invalid IPv4 address: {ip}"))?);
    }
    e.aliases = g.all("alias").chain(g.all("network-alias")).chain(g.all("net-alias")).map(str::to_owned).collect();
    e.gw_priority = g.get("gw-priority").and_then(|v| v.parse().ok()).unwrap_or(0);
    let link = |l: &str| l.split_once(':').map_or((l.to_owned(), l.to_owned()), |(a, b)| (a.to_owned(), b.to_owned()));
    e.links = g.all("link").map(link).collect();
    Ok(e)
}

/// What 28 says of an address that is none: that, and what it says of an address that no subnet contains.
pub fn unfit(p: &mut Proc<'_>, net: &str, e: &str) -> String {
    let more = match docker(p).e().network(net) {
        Some(n) if n.auto_subnet => {
            "user specified IP address is supported only when connecting to networks with user configured subnets"
                .to_owned()
        }
        _ => format!("no configured subnet or ip-range contain the IP address {}", e.rsplit(' ').next().unwrap_or("")),
    };
    format!("* {e}\n* {more}")
}

fn connect(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &["ip", "alias", "link", "gw-priority", "driver-opt"], switches: &[], short: &[] };
    let g = read("network connect", args, &K, true)?;
    // opts.ValidateLink.
    if let Some(l) = g.all("link").find(|l| l.split(':').count() > 2) {
        let text = format!("invalid argument \"{l}\" for \"--link\" flag: bad format for links: {l}");
        return Ok(bad_flag(p, "network connect", &text));
    }
    if g.all("driver-opt").any(|o| !o.contains('=')) {
        p.err.push_str("invalid key/value pair format in driver options\n");
        return Ok(1);
    }
    let [net, c] = g.words.as_slice() else { return Ok(1) };
    let done = match endpoint(&g) {
        Ok(e) => docker(p).connect(net, c, e),
        Err(e) => Err(match profile(p) {
            Profile::V20 => format!("{})", e.replacen("invalid", "Invalid", 1)),
            _ => format!("invalid endpoint settings:\n{}", unfit(p, net, &e)),
        }),
    };
    Ok(done.map_or_else(|e| daemon_error(p, &e), |()| 0))
}

fn disconnect(p: &mut Proc<'_>, args: &[String]) -> Exit {
    const K: Known = Known { values: &[], switches: &["force"], short: &[('f', "force")] };
    let g = read("network disconnect", args, &K, true)?;
    let [net, c] = g.words.as_slice() else { return Ok(1) };
    let done = docker(p).disconnect(net, c, g.on("force"));
    Ok(done.map_or_else(|e| daemon_error(p, &e), |()| 0))
}

//! `docker run`, `create`, `exec`, `start`, `stop`, `restart`, `kill`, `rm`, `rename`.

use super::super::{Exit, Proc, Refusal};
use super::flags::{Given, Known, read};
use super::network::endpoint;
use super::process;
use super::{bad_flag, client_error, daemon_error, docker, no_such, profile};
use crate::docker::types::{Mode, State};
use crate::docker::{Container, Profile, publish};
use crate::journal::Entry;
use crate::kernel::types::NetnsId;

const RUN: Known = Known {
    values: &[
        "name",
        "network",
        "net",
        "publish",
        "hostname",
        "domainname",
        "expose",
        "dns",
        "dns-search",
        "dns-opt",
        "dns-option",
        "add-host",
        "ip",
        "network-alias",
        "net-alias",
        "mac-address",
        "link",
        "sysctl",
        "cap-add",
        "cap-drop",
        "restart",
        "env",
        "user",
        "volume",
        "label",
    ],
    switches: &["detach", "interactive", "tty", "rm", "publish-all", "privileged", "init"],
    short: &[
        ('d', "detach"),
        ('i', "interactive"),
        ('t', "tty"),
        ('p', "publish"),
        ('P', "publish-all"),
        ('h', "hostname"),
        ('e', "env"),
        ('v', "volume"),
        ('l', "label"),
        ('u', "user"),
    ],
};

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

/// What options and words make of a container.
fn container(g: &Given) -> Result<Container, String> {
    let words = |n: &str| g.all(n).map(str::to_owned).collect::<Vec<_>>();
    let mut c = Container {
        name: g.get("name").unwrap_or("").to_owned(),
        image: g.words.first().cloned().unwrap_or_default(),
        command: g.words.get(1..).unwrap_or_default().to_vec(),
        hostname: g.get("hostname").unwrap_or("").to_owned(),
        domain: g.get("domainname").unwrap_or("").to_owned(),
        publish_all: g.on("publish-all"),
        dns: words("dns"),
        dns_search: words("dns-search"),
        dns_opts: g.all("dns-opt").chain(g.all("dns-option")).map(str::to_owned).collect(),
        extra_hosts: words("add-host"),
        privileged: g.on("privileged"),
        user: g.get("user").unwrap_or("").to_owned(),
        caps: words("cap-add"),
        dropped: words("cap-drop"),
        auto_remove: g.on("rm"),
        env: words("env"),
        restart: g.get("restart").unwrap_or("no").to_owned(),
        open_stdin: g.on("interactive"),
        tty: g.on("tty"),
        ..Container::default()
    };
    for l in g.all("label") {
        let (k, v) = l.split_once('=').unwrap_or((l, ""));
        c.labels.insert(k.to_owned(), v.to_owned());
    }
    for s in g.all("sysctl") {
        let (k, v) = s.split_once('=').unwrap_or((s, ""));
        c.sysctls.push((k.to_owned(), v.to_owned()));
    }
    for t in g.all("publish") {
        c.publish.extend(publish::parse(t)?);
    }
    for t in g.all("expose") {
        let (port, proto) = t.split_once('/').unwrap_or((t, "tcp"));
        if let Err(e) = port.split('-').try_for_each(|n| n.parse::<u16>().map(|_| ())) {
            let why = if e.to_string().contains("large") { "value out of range" } else { "invalid syntax" };
            return Err(format!(
                "invalid range format for --expose: {t}, error: strconv.ParseUint: parsing \"{port}\": {why}"
            ));
        }
        let (a, b) = port.split_once('-').unwrap_or((port, port));
        let ends = a.parse::<u16>().ok().zip(b.parse::<u16>().ok());
        for n in ends.into_iter().flat_map(|(a, b)| a..=b) {
            c.exposed.push(format!("{n}/{proto}"));
        }
    }
    modes(g, &mut c)?;
    Ok(c)
}

/// The values of `--network`.
fn networks(g: &Given) -> Vec<&str> {
    g.options.iter().filter(|(n, _)| n == "network" || n == "net").map(|(_, v)| v.as_str()).collect()
}

/// `--network`, once or several times.
fn modes(g: &Given, c: &mut Container) -> Result<(), String> {
    let mut nets = networks(g);
    if nets.is_empty() || nets == ["default"] {
        nets = vec!["bridge"];
    }
    let target = |n: &str| n.split(',').find_map(|f| f.strip_prefix("name=")).unwrap_or(n).to_owned();
    let own = |n: &&str| {
        !matches!(target(n).as_str(), "default" | "bridge" | "host" | "none") && !n.starts_with("container:")
    };
    if nets.iter().any(own) && !nets.iter().all(own) {
        let text = "conflicting options: cannot attach both user-defined and non-user-defined network-modes";
        return Err(text.to_owned());
    }
    let mac = match g.get("mac-address") {
        Some(m) => Some(m.parse().map_err(|_| format!("{m} is not a valid mac address"))?),
        None => None,
    };
    c.mac = mac;
    for (i, n) in nets.iter().enumerate() {
        let mut e = if i == 0 { endpoint(g)? } else { Default::default() };
        e.wanted_mac = mac.filter(|_| i == 0);
        let name = advanced(n, &mut e)?;
        match name.as_str() {
            "host" => c.mode = Mode::Host,
            "none" => c.mode = Mode::None,
            m if m.starts_with("container:") => c.mode = Mode::Container(String::new()),
            _ => {}
        }
        if i == 0 {
            c.network_mode.clone_from(&name);
        }
        if c.mode == Mode::Networks {
            c.endpoints.insert(name, e);
        } else {
            c.stray_ip |= e.wanted_ip.is_some();
        }
    }
    Ok(())
}

/// `--network name=N,ip=A,…`.
fn advanced(text: &str, e: &mut crate::docker::Endpoint) -> Result<String, String> {
    if !text.contains('=') {
        return Ok(text.to_owned());
    }
    let mut name = String::new();
    for part in text.split(',') {
        let (k, v) = part.split_once('=').unwrap_or((part, ""));
        match k {
            "name" => v.clone_into(&mut name),
            "alias" => e.aliases.push(v.to_owned()),
            "ip" => e.wanted_ip = Some(v.parse().map_err(|_| format!("invalid IPv4 address: {v}"))?),
            "driver-opt" => {
                if let Some(name) = v.strip_prefix("com.docker.network.endpoint.ifname=") {
                    e.wanted_ifname = Some(name.to_owned());
                }
            }
            "gw-priority" => e.gw_priority = v.parse().map_err(|_| format!("invalid gw-priority {v}"))?,
            "mac-address" => e.wanted_mac = Some(v.parse().map_err(|_| format!("{v} is not a valid mac address"))?),
            _ => {}
        }
    }
    Ok(name)
}

/// A field of `--network name=…` that is none (opts/network.go).
fn bad_field(text: &str) -> Option<String> {
    const KEYS: [&str; 8] = ["name", "alias", "ip", "ip6", "mac-address", "link-local-ip", "driver-opt", "gw-priority"];
    if !text.contains('=') {
        return None;
    }
    text.split(',').find_map(|part| match part.split_once('=') {
        None => Some(format!("invalid field {part}")),
        Some((k, _)) if !KEYS.contains(&k.trim().to_lowercase().as_str()) => Some(format!("invalid field key {k}")),
        Some(_) => None,
    })
}

/// What the client refuses where `--network` names none of the user's networks (`parseNetworkAttachmentOpt`).
fn client_conflicts(g: &Given, v20: bool) -> Option<String> {
    let own = |n: &&str| matches!(*n, "bridge" | "host" | "none" | "default") || n.starts_with("container:");
    // Since 28 the flags make an endpoint of the default network too, and are looked at with it.
    if !networks(g).first().map_or(!v20, own) {
        return None;
    }
    let has = |n: &str| g.get(n).is_some();
    let what = match () {
        () if has("network-alias") || has("net-alias") => "network-scoped aliases",
        () if v20 && has("link") => "links",
        () => return None,
    };
    Some(format!("{what} are only supported for user-defined networks"))
}

/// Since 28 the interfaces of a container are not there yet when its settings are made (`handleSysctlBC`).
fn of_an_interface(c: &Container) -> Option<String> {
    let parts = |k: &str| k.split('.').map(str::to_owned).collect::<Vec<_>>();
    let one = |k: &&String| {
        let p = parts(k);
        p.len() == 5 && matches!(p[1].as_str(), "ipv4" | "ipv6" | "mpls") && p[3].starts_with("eth")
    };
    let key = c.sysctls.iter().map(|(k, _)| k).find(one)?;
    Some(format!(
        "interface specific sysctl setting \"{key}\" must be supplied using driver option \
         'com.docker.network.endpoint.sysctls'"
    ))
}

/// 20.10 takes one network.
fn too_many_networks(g: &Given) -> Option<String> {
    let mut all = networks(g);
    all.sort_unstable();
    (all.len() > 1).then(|| format!("Container cannot be connected to network endpoints: {}", all.join(", ")))
}

/// Options that contradict each other (`runconfig`).
fn conflicts(g: &Given, c: &Container, v20: bool) -> Option<String> {
    let has = |n: &str| g.get(n).is_some();
    if matches!(c.mode, Mode::Container(_)) {
        let rows = [
            (has("hostname"), "hostname and the network mode"),
            (has("link"), "container type network can't be used with links. This would result in undefined behavior"),
            (has("dns"), "dns and the network mode"),
            (has("add-host"), "custom host-to-IP mapping and the network mode"),
            (v20 && has("mac-address"), "mac-address and the network mode"),
            (has("publish") || c.publish_all, "port publishing and the container type network mode"),
            (has("expose"), "port exposing and the container type network mode"),
        ];
        return rows.iter().find(|(on, _)| *on).map(|(_, t)| format!("conflicting options: {t}"));
    }
    (c.mode == Mode::Host && has("link")).then(|| {
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior"
            .to_owned()
    })
}

/// Settings of the kernel that belong to a container beside those of networks (opts.ValidateSysctl).
const SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// What the client finds wrong with a value while it reads its flags.
fn bad_value(g: &Given, v20: bool) -> Option<String> {
    let host = |h: &str| {
        let at = h.find(if v20 { &[':'][..] } else { &[':', '='][..] });
        match at.map(|i| (&h[..i], &h[i + 1..])) {
            None | Some(("", _)) => Some(format!("bad format for add-host: \"{h}\"")),
            Some((_, "host-gateway")) => None,
            Some((_, ip)) if ip.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() => None,
            Some((_, ip)) => Some(format!("invalid IP address in add-host: \"{ip}\"")),
        }
    };
    let dns = |a: &str| {
        let bad = a.trim().parse::<std::net::IpAddr>().is_err();
        let text = if v20 {
            format!("{a} is not an ip address")
        } else {
            format!("IP address is not correctly formatted: {a}")
        };
        bad.then_some(text)
    };
    let sysctl = |s: &str| {
        let key = s.split_once('=').map(|(k, _)| k);
        let ours = key.is_some_and(|k| SYSCTLS.contains(&k) || k.starts_with("net.") || k.starts_with("fs.mqueue."));
        (!ours).then(|| format!("sysctl '{s}' is not {}", if v20 { "whitelisted" } else { "allowed" }))
    };
    // opts.ValidateLink.
    let link = |l: &str| (l.split(':').count() > 2).then(|| format!("bad format for links: {l}"));
    // opts.ValidateDNSSearch.
    let search = |d: &str| {
        let d = d.trim();
        let label =
            |l: &str| !l.is_empty() && l.len() < 64 && l.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        let good = d == "."
            || (d.len() < 255 && d.chars().any(char::is_alphabetic) && d.trim_end_matches('.').split('.').all(label));
        (!good).then(|| format!("{d} is not a valid domain"))
    };
    g.options.iter().find_map(|(name, v)| {
        let why = match name.as_str() {
            "add-host" => host(v),
            "dns" => dns(v),
            "sysctl" => sysctl(v),
            "link" => link(v),
            "dns-search" => search(v),
            "network" | "net" => bad_field(v),
            _ => None,
        };
        why.map(|why| format!("invalid argument \"{v}\" for \"--{name}\" flag: {why}"))
    })
}

/// What 28 says of an address that is none: that, and what it says of an address that no subnet contains.
fn no_address(p: &mut Proc<'_>, g: &Given, e: &str) -> String {
    let nets = networks(g);
    let net = nets.first().copied().unwrap_or("bridge");
    let net = net.split(',').find_map(|f| f.strip_prefix("name=")).unwrap_or(net);
    let more = if docker(p).e().network(net).is_some_and(|n| n.auto_subnet) {
        "user specified IP address is supported only when connecting to networks with user configured subnets"
            .to_owned()
    } else {
        format!("no configured subnet or ip-range contain the IP address {}", e.rsplit(' ').next().unwrap_or(""))
    };
    format!("Error response from daemon: invalid config for network {net}: invalid endpoint settings:\n* {e}\n* {more}")
}

/// Reads the command line and makes the container: its id, or the status to end with.
fn make(p: &mut Proc<'_>, cmd: &str, args: &[String]) -> Result<Result<(String, Given), i32>, Refusal> {
    let g = read(cmd, args, &RUN, false)?;
    let v20 = profile(p) == Profile::V20;
    if let Some(e) = bad_value(&g, v20) {
        return Ok(Err(bad_flag(p, cmd, &e)));
    }
    let mut c = match container(&g) {
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
    if let Some(e) = client_conflicts(&g, v20) {
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
    let discarded = c.mode == Mode::Host && (!c.publish.is_empty() || c.publish_all);
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
        never_started(p, &id, text.clone());
        return Ok(failed(p, "run", &format!("Error response from daemon: {text}"), false));
    }
    if let Some((text, status)) = process::bad_sysctl(p, &c) {
        never_started(p, &id, text.clone());
        failed(p, "run", &format!("Error response from daemon: {text}"), false);
        return Ok(status);
    }
    if let Some(missing) = missing(&c)? {
        let text = process::cannot_start(p, missing);
        let status = never_started(p, &id, text.clone());
        failed(p, "run", &format!("Error response from daemon: {text}"), false);
        if profile(p) == Profile::V20 && !g.on("detach") {
            let now = super::show::when(p.sess.kernel.now());
            let now = now.split('.').next().unwrap_or("");
            p.err.push_str(&format!(
                "time=\"{now}Z\" level=error msg=\"error waiting for container: context canceled\"\n"
            ));
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
    if c.command.is_empty() && !c.image_command.starts_with("/bin/serve") {
        return c.image_command.split(' ').map(str::to_owned).collect();
    }
    c.command.clone()
}

/// The program of a container's command, where the image has none of that name.
fn missing(c: &Container) -> Result<Option<&str>, Refusal> {
    match c.command.first() {
        Some(name) if !matches!(name.as_str(), "top" | "sleep") && !process::in_image(name)? => Ok(Some(name)),
        _ => Ok(None),
    }
}

/// A container that runc cannot start stays as it was made; up to 27 it joins its networks and leaves them.
fn never_started(p: &mut Proc<'_>, id: &str, text: String) -> i32 {
    let mut d = docker(p);
    if d.profile() == Profile::V20 {
        // Since 28 the networks come after the process.
        let _ = d.start(id);
        d.stop(id, 127);
    }
    let c = d.container_mut(id);
    (c.state, c.error) = (State::Created, text);
    if c.auto_remove {
        let _ = d.remove(id, true);
    }
    127
}

/// Runs a command of a container.
///
/// # Errors
/// A tool that the model has not.
pub fn inside(p: &mut Proc<'_>, id: &str, command: &[String]) -> Exit {
    let user = docker(p).e().containers.get(id).map(|c| c.user.clone()).unwrap_or_default();
    inside_as(p, id, &user, command)
}

/// The same as another user (`docker exec --user`).
fn inside_as(p: &mut Proc<'_>, id: &str, user: &str, command: &[String]) -> Exit {
    let Some(ns) = p.sess.engines.get(&p.host).and_then(|e| e.containers.get(id)).and_then(|c| c.netns) else {
        return Ok(1);
    };
    let Ok(cred) = crate::docker::process::user_of(user) else {
        return Err(Refusal::new(format!("docker exec --user {user}, which the image has not"), 0));
    };
    if !process::in_image(&command[0])? {
        let v20 = profile(p) == Profile::V20;
        let end = if v20 { ": unknown" } else { "" };
        let text = process::not_found(&command[0]);
        p.out.push_str(&format!("OCI runtime exec failed: exec failed: {text}{end}\r\n"));
        return Ok(if v20 { 126 } else { 127 });
    }
    let env = docker(p).environment(id, false);
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
    let done = inside_as(p, &id, g.get("user").unwrap_or(&own), command);
    p.background = background;
    // Nobody listens to what a detached command says, nor to how it ends.
    if g.on("detach") && !matches!(done, Ok(126 | 127)) {
        p.out.truncate(before.0);
        p.err.truncate(before.1);
        return done.map(|_| 0);
    }
    done
}

/// Commands on one container after the other.
pub fn each(p: &mut Proc<'_>, cmd: &str, args: &[String]) -> Exit {
    const K: Known = Known {
        values: &["time", "timeout", "signal"],
        switches: &["force", "volumes", "attach", "link"],
        short: &[('t', "time"), ('f', "force"), ('s', "signal"), ('v', "volumes"), ('a', "attach")],
    };
    let g = read(cmd, args, &K, true)?;
    let mut bad = Vec::new();
    for key in &g.words {
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
    if !bad.is_empty() && cmd == "start" {
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

/// `docker rename`.
pub fn rename(p: &mut Proc<'_>, args: &[String]) -> Exit {
    let [old, new] = args else { return Err(Refusal::new("docker rename with other than two names", 0)) };
    let done = docker(p).rename(old, new);
    Ok(done.map_or_else(
        |e| {
            daemon_error(p, &e);
            client_error(p, &format!("failed to rename container named {old}"))
        },
        |()| 0,
    ))
}

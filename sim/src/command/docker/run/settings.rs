//! What the options and words of `docker run` and `create` make of a container.

use super::super::flags::{Given, Known};
use super::super::network::endpoint;
use crate::docker::types::Mode;
use crate::docker::{Container, Endpoint, Profile, publish};
use crate::wire::MacAddr;

pub(super) const RUN: Known = Known {
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
        "entrypoint",
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

/// What options and words make of a container.
pub(super) fn container(g: &Given, of: Profile) -> Result<Container, String> {
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
        binds: words("volume"),
        init: g.on("init"),
        attached: !g.on("detach"),
        // An empty one takes the image's away, and no image here has one.
        entrypoint: g.get("entrypoint").filter(|e| !e.is_empty()).map(str::to_owned),
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
        c.exposed.extend(expose(t, of).map_err(|e| format!("invalid range format for --expose: {e}"))?);
    }
    modes(g, &mut c)?;
    Ok(c)
}

/// `--expose`: a port or several in a row, with a protocol or without (nat.ParsePortRange; since 29 network.ParsePortRange).
fn expose(t: &str, of: Profile) -> Result<Vec<String>, String> {
    let (port, proto) = t.split_once('/').map_or((t, "tcp"), |(n, p)| (n, p.split('/').next().unwrap_or("tcp")));
    let v29 = of == Profile::V29;
    let number = |n: &str, which: &str| {
        n.parse::<u16>().map_err(|e| {
            let large = *e.kind() == std::num::IntErrorKind::PosOverflow;
            let why = if large { "value out of range" } else { "invalid syntax" };
            match v29 {
                true if n.is_empty() => format!("invalid {which} port '': value is empty"),
                true => format!("invalid {which} port '{n}': {why}"),
                false => format!("{t}, error: strconv.ParseUint: parsing \"{n}\": {why}"),
            }
        })
    };
    let (a, b) = port.split_once('-').unwrap_or((port, port));
    let (first, last) = (number(a, "start")?, number(b, "end")?);
    if last < first {
        return Err(match v29 {
            true => format!("invalid port range: {t}"),
            false => format!("{t}, error: Invalid range specified for the Port: {port}"),
        });
    }
    Ok((first..=last).map(|n| format!("{n}/{proto}")).collect())
}

/// A MAC address with any of the marks that Go knows between its bytes (`net.ParseMAC`).
fn mac(text: &str) -> Result<MacAddr, String> {
    let parts: Vec<&str> = text.split('.').collect();
    let plain = match parts.as_slice() {
        [a, b, c] if [a, b, c].iter().all(|p| p.len() == 4 && p.is_ascii()) => {
            [a, b, c].iter().map(|p| format!("{}:{}", &p[..2], &p[2..])).collect::<Vec<_>>().join(":")
        }
        _ if text.contains(':') => text.to_owned(),
        _ => text.replace('-', ":"),
    };
    plain.parse().map_err(|_| format!("{text} is not a valid mac address"))
}

/// The values of `--network`.
pub(super) fn networks(g: &Given) -> Vec<&str> {
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
    if nets.iter().any(|n| n.trim().is_empty()) {
        return Err("no name set for network".to_owned());
    }
    let mac = g.get("mac-address").map(mac).transpose()?;
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
fn advanced(text: &str, e: &mut Endpoint) -> Result<String, String> {
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
            "mac-address" => e.wanted_mac = Some(mac(v)?),
            _ => {}
        }
    }
    Ok(name)
}

//! What client and engine refuse of the options of `docker run` and `create`, alone or together.

use super::super::super::Proc;
use super::super::docker;
use super::super::flags::Given;
use super::settings::networks;
use crate::docker::Container;
use crate::docker::types::Mode;

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
pub(super) fn client_conflicts(g: &Given, v20: bool) -> Option<String> {
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
pub(super) fn of_an_interface(c: &Container) -> Option<String> {
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
pub(super) fn too_many_networks(g: &Given) -> Option<String> {
    let mut all = networks(g);
    all.sort_unstable();
    (all.len() > 1).then(|| format!("Container cannot be connected to network endpoints: {}", all.join(", ")))
}

/// Options that contradict each other (`runconfig`).
pub(super) fn conflicts(g: &Given, c: &Container, v20: bool) -> Option<String> {
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
pub(super) fn bad_value(g: &Given, v20: bool) -> Option<String> {
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
pub(super) fn no_address(p: &mut Proc<'_>, g: &Given, e: &str) -> String {
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

//! What client and engine refuse of the options of `docker run` and `create`, alone or together.

use super::super::super::Proc;
use super::super::flags::Given;
use super::super::network::unfit;
use super::settings::networks;
use crate::docker::Container;
use crate::docker::types::Mode;

/// A field of `--network name=…` that is none (opts/network.go).
fn bad_field(text: &str, v20: bool) -> Option<String> {
    const KEYS: [&str; 8] = ["name", "alias", "ip", "ip6", "mac-address", "link-local-ip", "driver-opt", "gw-priority"];
    if !text.contains('=') {
        return None;
    }
    // What came with 25 and 28.
    let new = |k: &&&str| !(v20 && matches!(**k, "mac-address" | "gw-priority" | "link-local-ip"));
    let keys: Vec<&str> = KEYS.iter().filter(new).copied().collect();
    let odd = text.split(',').find_map(|part| match part.split_once('=') {
        None => Some(format!("invalid field {part}")),
        Some((k, _)) if !keys.contains(&k.trim().to_lowercase().as_str()) => Some(format!("invalid field key {k}")),
        Some(_) => None,
    });
    let nameless = !text.split(',').any(|p| p.trim().to_lowercase().starts_with("name="));
    odd.or_else(|| nameless.then(|| "network name/id is not specified".to_owned()))
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

/// Capabilities of Linux.
const CAPABILITIES: &str = " AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE \
                            DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN \
                            MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID \
                            SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT \
                            SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ALL ";

/// A capability that there is not (`caps.NormalizeLegacyCapabilities`).
fn no_capability(c: &Container) -> Option<String> {
    let odd = |list: &[String], what: &str| {
        let name = |c: &String| c.trim().to_uppercase().trim_start_matches("CAP_").to_owned();
        let odd = list.iter().map(name).find(|c| !CAPABILITIES.split_whitespace().any(|k| k == c))?;
        Some(format!("invalid {what}: unknown capability: \"CAP_{odd}\""))
    };
    odd(&c.caps, "CapAdd").or_else(|| odd(&c.dropped, "CapDrop"))
}

/// A restart policy that there is not (`validateRestartPolicy`).
fn no_policy(c: &Container, v20: bool) -> Option<String> {
    let name = c.restart.split(':').next().unwrap_or("");
    if matches!(name, "" | "no" | "always" | "unless-stopped" | "on-failure") {
        return None;
    }
    Some(match v20 {
        true => format!("invalid restart policy '{name}'"),
        false => format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        ),
    })
}

/// Options that the client does not take together.
pub(super) fn not_both(g: &Given, c: &Container, v20: bool) -> Option<String> {
    let mut nets = networks(g);
    nets.sort_unstable();
    if let Some(twice) = nets.windows(2).find(|w| w[0] == w[1]) {
        return Some(format!("network \"{}\" is specified multiple times", twice[0]));
    }
    let restarts = !matches!(c.restart.split(':').next(), Some("no" | ""));
    (c.auto_remove && restarts).then(|| match v20 {
        true => "Conflicting options: --restart and --rm".to_owned(),
        false => "conflicting options: cannot specify both --restart and --rm".to_owned(),
    })
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
        if let Some((_, t)) = rows.iter().find(|(on, _)| *on) {
            return Some(format!("conflicting options: {t}"));
        }
    }
    if c.mode == Mode::Host && has("link") {
        let text = "host type networking can't be used with links. This would result in undefined behavior";
        return Some(format!("conflicting options: {text}"));
    }
    if c.mode == Mode::Host && v20 && has("mac-address") {
        return Some("conflicting options: mac-address and the network mode".to_owned());
    }
    no_capability(c).or_else(|| no_policy(c, v20))
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
            "network" | "net" => bad_field(v, v20),
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
    let text = unfit(p, net, e);
    format!("Error response from daemon: invalid config for network {net}: invalid endpoint settings:\n{text}")
}

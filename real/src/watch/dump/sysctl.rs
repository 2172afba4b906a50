//! The settings that a recording keeps.
//!
//! Those of a device come with the dump of links (`IFLA_AF_SPEC`), which saves opening a dozen files per device; those of
//! the namespace, of `all` and of `default` are files below `/proc/sys/net`, which follows the thread that opens it.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use serde_json::{Map, Value};

use super::link::{IFLA_AF_SPEC, Link, Links};
use super::{names, put};
use crate::netlink::attr::{self, Table};

/// Those of a namespace.
const ONE: [&str; 13] = [
    "ipv4/ip_forward",
    "ipv4/ip_nonlocal_bind",
    "ipv4/ip_local_port_range",
    "ipv4/icmp_echo_ignore_all",
    "ipv4/icmp_echo_ignore_broadcasts",
    "ipv4/ip_default_ttl",
    "ipv4/ip_unprivileged_port_start",
    "bridge/bridge-nf-call-iptables",
    "bridge/bridge-nf-call-ip6tables",
    "bridge/bridge-nf-call-arptables",
    "netfilter/nf_conntrack_max",
    "netfilter/nf_conntrack_tcp_be_liberal",
    "ipv4/vs/conntrack",
];

/// A family's settings of a device.
struct Family {
    /// Its directory.
    name: &'static str,
    /// Names, and where each is in the array that a link's message carries.
    keys: &'static [(&'static str, usize)],
    /// `AF_INET`, `AF_INET6`.
    family: u16,
    /// `IFLA_INET_CONF`, `IFLA_INET6_CONF`: an array of numbers of four bytes.
    conf: u16,
}

/// Places: `IPV4_DEVCONF_*` less one (`inet_fill_link_af`), `DEVCONF_*` (`ipv6_store_devconf`).
const FAMILIES: [Family; 2] = [
    Family {
        name: "ipv4",
        keys: &[
            ("forwarding", 0),
            ("rp_filter", 7),
            ("route_localnet", 25),
            ("proxy_arp", 2),
            ("arp_ignore", 18),
            ("arp_announce", 17),
            ("arp_filter", 12),
            ("arp_accept", 20),
            ("accept_local", 22),
            ("send_redirects", 5),
            ("accept_redirects", 3),
            ("log_martians", 10),
        ],
        family: names::INET as u16,
        conf: 1,
    },
    Family {
        name: "ipv6",
        keys: &[("disable_ipv6", 26), ("accept_ra", 3), ("forwarding", 0)],
        family: names::INET6 as u16,
        conf: 2,
    },
];

/// The settings, those of a device only where they differ from `default`.
pub fn sysctls(all: &Links<'_>) -> Value {
    let mut out = Map::new();
    let Some(net) = dir(None, "/proc/sys/net") else { return Value::Object(out) };
    for name in ONE {
        if let Some(v) = value(&net, name) {
            put(&mut out, name.rsplit('/').next().unwrap_or(name), v);
        }
    }
    for f in &FAMILIES {
        if let Some(conf) = dir(Some(&net), &format!("{}/conf", f.name)) {
            put(&mut out, f.name, family(&conf, f, all));
        }
    }
    Value::Object(out)
}

fn family(conf: &OwnedFd, f: &Family, all: &Links<'_>) -> Value {
    let read = |who: &str| -> Map<String, Value> {
        let Some(of) = dir(Some(conf), who) else { return Map::new() };
        f.keys.iter().filter_map(|(key, _)| Some(((*key).to_owned(), value(&of, key)?))).collect()
    };
    let default = read("default");
    let mut out = Map::new();
    put(&mut out, "all", read("all"));
    for l in &all.0 {
        let mut own = device(f, l);
        own.retain(|key, v| default.get(key) != Some(v));
        if !own.is_empty() {
            put(&mut out, l.name(), own);
        }
    }
    put(&mut out, "default", default);
    Value::Object(out)
}

/// A device's settings, from its link message; nothing where it has no such family.
fn device(f: &Family, l: &Link<'_>) -> Map<String, Value> {
    let spec = l.attrs.get(IFLA_AF_SPEC).and_then(|a| attr::find(a.value, f.family));
    let Some(conf) = spec.and_then(|a| Table::<3>::new(a.value).get(f.conf)) else { return Map::new() };
    let one = |at: usize| Value::from(attr::u32_at(conf.value, 4 * at).cast_signed());
    f.keys.iter().map(|(key, at)| ((*key).to_owned(), one(*at))).collect()
}

fn dir(at: Option<&OwnedFd>, path: &str) -> Option<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    match at {
        Some(d) => openat(d, path, flags, Mode::empty()).ok(),
        None => openat(AT_FDCWD, path, flags, Mode::empty()).ok(),
    }
}

/// A value: a number where it is one.
fn value(dir: &OwnedFd, name: &str) -> Option<Value> {
    let fd = openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let mut buf = [0; 128];
    let len = File::from(fd).read(&mut buf).ok()?;
    let text = std::str::from_utf8(&buf[..len]).ok()?.trim_end();
    Some(text.parse::<i64>().map_or_else(|_| text.into(), Value::from))
}

//! The settings that a recording keeps.

use serde_json::{Map, Value};

use crate::kernel::Kernel;
use crate::kernel::types::NetnsId;
use crate::trace::Recorder;

/// Those of a namespace, by name.
const ONE: &[&str] = &[
    "net.ipv4.ip_forward",
    "net.ipv4.ip_nonlocal_bind",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.icmp_echo_ignore_all",
    "net.ipv4.icmp_echo_ignore_broadcasts",
    "net.ipv4.ip_default_ttl",
    "net.ipv4.ip_unprivileged_port_start",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-arptables",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
];

/// `net.ipv4.conf.DEV.*`.
const CONF4: &[&str] = &[
    "forwarding",
    "rp_filter",
    "route_localnet",
    "proxy_arp",
    "arp_ignore",
    "arp_announce",
    "arp_filter",
    "arp_accept",
    "accept_local",
    "send_redirects",
    "accept_redirects",
    "log_martians",
];

/// `net.ipv6.conf.DEV.*`.
const CONF6: &[&str] = &["disable_ipv6", "accept_ra", "forwarding"];

/// The settings, those of a device only where they differ from `default`.
pub(super) fn sysctls<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let mut out = Map::new();
    for name in ONE {
        if let Some(v) = value(k, ns, name) {
            out.insert(name.rsplit('.').next().unwrap_or(name).to_owned(), v);
        }
    }
    out.insert("ipv4".to_owned(), family(k, ns, "ipv4", CONF4));
    out.insert("ipv6".to_owned(), family(k, ns, "ipv6", CONF6));
    Value::Object(out)
}

/// A value: a number where it is one.
fn value<R: Recorder>(k: &Kernel<R>, ns: NetnsId, name: &str) -> Option<Value> {
    let text = k.sysctl_get(ns, name).ok()?;
    Some(text.parse::<i64>().map_or(Value::String(text), Value::from))
}

fn family<R: Recorder>(k: &Kernel<R>, ns: NetnsId, family: &str, keys: &[&str]) -> Value {
    let read = |who: &str| -> Map<String, Value> {
        let who = who.replace('.', "/");
        let get = |key: &&str| Some(((*key).to_owned(), value(k, ns, &format!("net.{family}.conf.{who}.{key}"))?));
        keys.iter().filter_map(get).collect()
    };
    let default = read("default");
    let mut out = Map::new();
    out.insert("all".to_owned(), Value::Object(read("all")));
    for d in k.devs_of(ns) {
        let mut own = read(&d.name);
        own.retain(|key, v| default.get(key) != Some(v));
        if !own.is_empty() {
            out.insert(d.name.to_string(), Value::Object(own));
        }
    }
    out.insert("default".to_owned(), Value::Object(default));
    Value::Object(out)
}

//! What every namespace looks like at a moment, in the shape of a recording.

use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::state;
use serde_json::{Map, Value, json};

use super::looked;
use super::pace::{OURS, Pace};

/// The files that an engine writes for a container.
fn files(s: &Session, ns: NetnsId) -> Value {
    let read = |f: &str| s.read_file(s.kernel.ns(ns).host, ns, &format!("/etc/{f}")).unwrap_or_default();
    json!({"hosts": read("hosts"), "resolv.conf": read("resolv.conf"), "hostname": read("hostname")})
}

/// The recorder calls a namespace after the newest container in it.
pub(super) fn relabel(s: &mut Session) {
    let newest: Vec<(NetnsId, String)> = s
        .engines
        .iter()
        .flat_map(|(host, e)| e.containers.values().map(move |c| (*host, c)))
        .filter_map(|(host, c)| {
            // Tasks of a swarm go without their random part.
            let name = match &c.service {
                Some(_) => c.name.rsplit_once('.').map_or(c.name.as_str(), |(n, _)| n),
                None => &c.name,
            };
            Some((c.netns?, format!("{}/{name}", s.kernel.host(host).name)))
        })
        .collect();
    for (ns, label) in newest {
        if s.kernel.hosts.iter().all(|h| h.root_ns != ns) {
            s.kernel.ns_mut(ns).label = label;
        }
    }
}

/// Other containers in a namespace, and names that somebody gave it: newest container first.
fn also(s: &Session, ns: NetnsId, m: &mut Map<String, Value>) {
    let host = s.kernel.ns(ns).host;
    let all = s.engines.get(&host).into_iter().flat_map(|e| e.containers.values().rev());
    let label = |name: &str| format!("{}/{name}", s.kernel.host(host).name);
    let mut names: Vec<String> = all.filter(|c| c.netns == Some(ns)).map(|c| label(&c.name)).collect();
    let given = s.kernel.host(host).named.iter().filter(|(_, n)| **n == ns);
    names.extend(given.map(|(name, _)| label(&format!("ns:{name}"))));
    names.retain(|n| *n != s.kernel.ns(ns).label);
    if !names.is_empty() {
        m.insert("also".into(), names.into());
    }
}

/// The state of every namespace: the recorded ones in their order, then any other.
pub(super) fn dump(s: &mut Session, recorded: &Value, pace: Pace) -> Map<String, Value> {
    let k = &s.kernel;
    let mut all: Vec<(String, NetnsId)> =
        (0..k.netns.len() as u32).map(NetnsId).filter(|n| k.ns(*n).alive).map(|n| (k.ns(n).label.clone(), n)).collect();
    // Namespaces without a name are not looked into.
    all.retain(|(label, _)| !label.ends_with("/ns"));
    let place: Vec<&String> = recorded["ns"].as_object().into_iter().flat_map(|m| m.keys()).collect();
    all.sort_by_key(|(label, _)| place.iter().position(|p| *p == label).unwrap_or(usize::MAX));
    let mut out = Map::new();
    for (label, ns) in all {
        let mut v = if pace == OURS { state::netns_state(&s.kernel, ns) } else { looked::netns_state(s, ns) };
        let k = &s.kernel;
        if k.ns(ns).is_switch {
            // Of a switch the recorder keeps the addresses it learned, no more.
            v = json!({"fdb": v["fdb"]});
        }
        for l in v["link"].as_array_mut().into_iter().flatten() {
            let nameless = |p: &str| p.split_once("/ns:").is_some_and(|(_, rest)| !rest.contains(':'));
            if l["peer"].as_str().is_some_and(nameless) {
                l["peer"] = "outside".into();
            }
        }
        let kind = match label.split_once('/').map(|l| l.1) {
            _ if k.ns(ns).is_switch => "switch",
            None => "host",
            Some(n) if n.starts_with("ns:") => "netns",
            Some(n) if n.starts_with("overlay:") || n.starts_with("lb:") => "overlay",
            Some("ingress_sbox") => "sandbox",
            Some(_) => "container",
        };
        if let Some(m) = v.as_object_mut() {
            if kind == "container" {
                m.insert("files".into(), files(s, ns));
            }
            if kind != "switch" {
                also(s, ns, m);
            }
            m.insert("kind".into(), kind.into());
        }
        out.insert(label, v);
    }
    out
}

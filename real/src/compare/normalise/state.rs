//! A namespace's state, less what two runs do not share.

use serde_json::{Map, Value};

use super::super::patterns::{pattern, replaced};
use super::text::counters;

/// A namespace's state in a recording of ours.
pub fn our_state(out: &mut Map<String, Value>) {
    out.retain(|k, _| k != "files" && k != "also");
    if let Some(Value::Object(s)) = out.get_mut("sysctl") {
        s.remove("ipv6");
    }
    if let Some(Value::Object(n)) = out.get_mut("nstat")
        && (n.contains_key("IcmpInDestUnreachs") || n.contains_key("IcmpInTimeExcds"))
    {
        n.remove("TcpAttemptFails");
    }
    let links: Vec<&mut Value> = match out.get_mut("link") {
        Some(Value::Array(a)) => a.iter_mut().collect(),
        Some(Value::Object(o)) => o.values_mut().collect(),
        _ => Vec::new(),
    };
    for l in links.into_iter().filter(|l| l["operstate"] == "LOWERLAYERDOWN") {
        l["operstate"] = "DOWN".into();
    }
}

/// A neighbour that the live kernel may have forgotten.
pub fn collected(neigh: &Value) -> bool {
    neigh["state"].as_array().is_some_and(|s| s.iter().all(|w| w == "FAILED"))
}

/// A namespace's state in a recording of ours where engines form a cluster.
pub fn our_cluster(out: &mut Map<String, Value>) {
    let ports = ["2375", "2377", "7946", "2379", "2380"];
    for part in ["iptables", "iptables_legacy"] {
        for l in out.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
            let text = replaced(l.as_str().unwrap_or(""), r"\[\d+(:\d+)?\]", "[N]");
            // Where engines talk, their policies have no counters any more.
            *l = if text.starts_with(':') { text.trim_end_matches(" [N]").into() } else { text.into() };
        }
    }
    if let Some(Value::Array(c)) = out.get_mut("conntrack") {
        let own = |l: &str| ports.iter().any(|p| l.contains(&format!("port={p} ")));
        c.retain(|l| !l.as_str().is_some_and(own));
    }
    if let Some(Value::Array(c)) = out.get_mut("listen") {
        c.retain(|l| !l.as_str().is_some_and(|l| ports.iter().any(|p| l.ends_with(&format!(":{p}")))));
    }
    if let Some(Value::Array(n)) = out.get_mut("neigh") {
        n.retain(|e| {
            e["dev"] != "eth0" || e["dst"].as_str().is_none_or(|d| d.starts_with("10.") || d.starts_with("172."))
        });
    }
    out.remove("nstat");
}

/// A namespace's state on a host with an engine.
pub fn docker_state(out: &mut Map<String, Value>, probes: u16) {
    // It has the lowest address of its ports, which are random.
    for l in out.get_mut("link").and_then(Value::as_array_mut).into_iter().flatten() {
        let own = format!(":{})", l["ifname"].as_str().unwrap_or(""));
        if l["linkinfo"]["info_kind"] == "bridge"
            && l["address"].as_str().is_some_and(|a| a.starts_with("mac(") && !a.ends_with(&own))
        {
            l["address"] = "mac(a port)".into();
            l["linkinfo"]["info_data"]["bridge_id"] = "8000.mac(a port)".into();
        }
    }
    if let Some(Value::Object(s)) = out.get_mut("sysctl") {
        s.remove("ipv6");
    }
    for a in out.get_mut("addr").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(l) = a["addr"].as_array_mut() {
            l.retain(|x| x["family"] != "inet6");
        }
    }
    if let Some(Value::Array(l)) = out.get_mut("addr") {
        l.retain(|a| a["addr"].as_array().is_none_or(|l| !l.is_empty()));
    }
    if let Some(Value::Array(l)) = out.get_mut("listen") {
        l.retain(|x| !x.as_str().is_some_and(|x| x.contains('[')));
        for x in l {
            *x = replaced(x.as_str().unwrap_or(""), r"127\.0\.0\.11:\d+", "127.0.0.11:P").into();
        }
    }
    let gossips = |l: &Value| l.as_str().is_some_and(cluster_talk);
    let cluster = out.get("conntrack").and_then(Value::as_array).is_some_and(|a| a.iter().any(gossips));
    for l in out.get_mut("iptables").and_then(Value::as_array_mut).into_iter().flatten().filter(|_| cluster) {
        *l = replaced(l.as_str().unwrap_or(""), r"^\[(\d+):\d+\]", "[$1]").into();
    }
    let own = 40_000..40_020 + 20 * probes;
    let ports = pattern(r"(sport|dport)=(\d+)");
    if let (Some(Value::Array(l)), Some(r)) = (out.get_mut("conntrack"), ports) {
        l.retain(|x| !x.as_str().is_some_and(cluster_talk));
        for x in l {
            let mask = |c: &regex_lite::Captures<'_>| {
                // docker-proxy may have got one of these ports by chance, but hardly a probe's first.
                let ours = c[2].parse::<u16>().is_ok_and(|p| p < 32_768 || own.contains(&p) && p % 20 == 0);
                format!("{}={}", &c[1], if ours { &c[2] } else { "P" })
            };
            *x = r.replace_all(x.as_str().unwrap_or(""), mask).into_owned().into();
        }
    }
    for l in out.get_mut("iptables").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some((head, _)) = l.as_str().filter(|l| cluster && l.starts_with(':')).and_then(|l| l.rsplit_once(" ["))
        {
            *l = head.to_owned().into();
        }
        let text = l.as_str().unwrap_or("");
        if text.contains("127.0.0.11") {
            *l = replaced(text, r"(127\.0\.0\.11:|--sport )\d+", "${1}P").into();
        }
    }
    out.retain(|_, v| !matches!(v, Value::Array(a) if a.is_empty()));
}

/// MIB counters on a host with an engine.
pub fn docker_nstat(out: &mut Map<String, Value>) {
    if let Some(Value::Object(n)) = out.get_mut("nstat") {
        n.remove("TcpPassiveOpens");
    }
    out.retain(|k, v| k != "nstat" || !matches!(v, Value::Object(m) if m.is_empty()));
}

/// A connection of what engines say to each other, to their managers or to their store: the captures lack it too.
fn cluster_talk(line: &str) -> bool {
    ["2377", "7946", "2379", "2380"].iter().any(|p| line.split(' ').any(|w| w.strip_prefix("dport=") == Some(p)))
}

/// One namespace's state; `lossy`: a TCP probe of the recording timed out or stalled.
pub fn state(ns: &str, v: &Value, lossy: bool) -> Map<String, Value> {
    let mut out = v.as_object().cloned().unwrap_or_default();
    let without = |v: &mut Value, keys: &[&str]| {
        for x in v.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            x.retain(|k, _| !keys.contains(&k.as_str()));
        }
    };
    for (key, v) in &mut out {
        match key.as_str() {
            "neigh" => {
                without(v, &["used", "confirmed", "updated", "probes"]);
                for n in v.as_array_mut().into_iter().flatten() {
                    for s in n["state"].as_array_mut().into_iter().flatten() {
                        let one = match s.as_str() {
                            Some("REACHABLE" | "STALE" | "DELAY" | "PROBE") => "VALID",
                            Some("INCOMPLETE") => "FAILED",
                            _ => continue,
                        };
                        *s = one.into();
                    }
                }
            }
            "link" | "blink" => without(v, &["ifindex", "link_index", "link_netnsid"]),
            "fdb" => {
                without(v, &["updated", "used"]);
                if let (Value::Array(a), "sw") = (v, ns) {
                    a.retain(|f| f["state"] != "permanent");
                }
            }
            "conntrack" => {
                for l in v.as_array_mut().into_iter().flatten() {
                    // The words before the addresses: protocol, its number, seconds left.
                    if let Some(r) = pattern(r"^(\w+ +\d+) \d+ ") {
                        *l = r.replace(l.as_str().unwrap_or(""), "$1 T ").into_owned().into();
                    }
                    *l = tunnel_ports(l.as_str().unwrap_or("")).into();
                }
            }
            "iptables" | "iptables_legacy" if lossy => {
                for l in v.as_array_mut().into_iter().flatten() {
                    *l = counters(l.as_str().unwrap_or("")).into();
                }
            }
            "nstat" if lossy => {
                for n in v.as_object_mut().into_iter().flatten() {
                    *n.1 = (n.1.as_u64() > Some(0)).into();
                }
            }
            _ => {}
        }
    }
    out.retain(|_, v| match v {
        // The recorder leaves out what is empty.
        Value::Array(a) => !a.is_empty(),
        Value::Object(m) => !m.is_empty(),
        _ => true,
    });
    out
}

/// A connection of a tunnel: its other port is a hash with a random key.
fn tunnel_ports(line: &str) -> String {
    let to = |w: &str| ["4789", "4790", "8472", "8473"].iter().any(|p| w.strip_prefix("dport=") == Some(p));
    let from = |w: &str| ["4789", "4790", "8472", "8473"].iter().any(|p| w.strip_prefix("sport=") == Some(p));
    let words: Vec<&str> = line.split(' ').collect();
    let mut out: Vec<&str> = words.clone();
    for (i, w) in words.iter().enumerate() {
        if to(w) && i > 0 {
            out[i - 1] = "sport=H";
        } else if from(w) && i + 1 < words.len() {
            out[i + 1] = "dport=H";
        }
    }
    out.join(" ")
}

/// Parts of a namespace's state whose order says nothing.
pub const SETS: &[&str] = &["listen", "conntrack", "neigh", "link", "fdb", "blink", "route"];

//! What two runs of one case on a real Linux do not share. [`RULES`] is all that the comparison
//! ignores; the functions below carry the rules out, on both sides alike.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::frames::Frame;
use super::names::{Names, replaced};

/// What is ignored where, and why it differs between two runs.
#[rustfmt::skip]
pub const RULES: &[(&str, &str, &str)] = &[
    ("step", "ms, time of a row", "scheduling of the recording machine"),
    ("step", "sport, local", "the recorder's own choice of a port: the frames show it"),
    ("frame", "order between devices", "two processors; each device and direction has its own order"),
    ("frame", "rows flagged nud", "a neighbour is confirmed when a random timer says so"),
    ("frame", "rows flagged rtx", "how often a timer fires before the step ends is a matter of time"),
    ("frame", "a proxied ARP answer may fall into the next step", "proxy_delay is random, 0 to 0.8 s"),
    ("frame", "IP id", "counts from a random number"),
    ("frame", "checksums of IP, TCP, UDP, ICMP", "left to hardware that a veth does not have"),
    ("frame", "TCP seq, ack, window, timestamps, SACK", "random beginnings, clocks, memory"),
    ("frame", "TCP: pure ACKs in a run with a FIN, and the order of its FINs", "both ends may close at once"),
    ("frame", "UDP source port of VXLAN", "a hash with a random key"),
    ("frame", "ephemeral ports, ICMP id and time in the data, of what a command sends", "random, process number, clock"),
    ("mac", "addresses the kernel made up", "random; they are called after their device"),
    ("mac", "permanent entries in the fdb of sw", "random addresses of the switch's ports"),
    ("text", "timeout of a conntrack entry, id of an ICMP one", "clock, process number"),
    ("state", "timeout of a conntrack entry", "clock"),
    ("state", "counters of iptables, beyond zero or not, where a TCP probe timed out or stalled", "how often TCP repeats is a matter of time"),
    ("text", "expires Nsec, timers of a bridge", "clock"),
    ("text", "comment lines of iptables-save", "time of day"),
    ("text", "REACHABLE, STALE, DELAY, PROBE", "one state, valid: a random timer moves between them"),
    ("text", "@ifN, N: of ip link", "index numbers of other namespaces"),
    ("text", "order of lines of ip neigh, bridge fdb, conntrack", "order of a hash with a random key"),
    ("state", "ifindex, link_index, link_netnsid", "index numbers depend on what was made before"),
    ("state", "neigh: used, confirmed, updated, probes", "clock"),
    ("state", "neigh: INCOMPLETE and FAILED", "one state: which of the two depends on the moment"),
    ("state", "fdb: used, updated", "clock"),
    ("state", "order of listen, conntrack, neigh, link, fdb, blink, route", "hashes with a random key"),
    ("state", "fdb: a bridge's address learned by another bridge", "a bridge announces itself by IGMP, which is not recorded"),
    ("state", "nstat, beyond zero or not, where a TCP probe timed out or stalled", "how often TCP repeats is a matter of time"),
    ("ours", "files of containers", "the plan wrote them on both sides"),
    ("ours", "gratuitous ARPs but where they are sent", "whether another container is there to hear one depends on when"),
    ("ours", "namespaces without a name", "nobody looks into them"),
    ("ours", "IPv6 sysctls", "it is off on the live side, so that its own traffic is not among the frames"),
    ("ours", "neigh: FAILED entries of the model alone", "the kernel has one table for all namespaces and collects what failed once there are 128 entries, the machine's own among them (measured: alone, one is still there after 37 s; with 140 entries in another namespace it is gone by 34 s)"),
    ("ours", "TcpAttemptFails where ICMP errors came", "an error that comes at once may find connect still at work or not: two processors"),
    ("drops", "how often", "TCP repeats as the moment wants; the counters compare what can be counted"),
    ("drops", "in nobody's name (a timer, ksoftirqd): prove, but accuse nobody", "the tracepoint is the whole machine's and names no namespace; a packet that was on a device is ours where it was captured"),
    ("drops", "NO_SOCKET (ping_rcv)", "every echo reply ends so where no ping socket is open: the raw socket has a copy"),
    ("drops", "QUEUE_PURGE by a closing socket", "what nobody read; the program's matter"),
    ("drops", "NEIGH_FAILED (neigh_invalidate)", "a timer's work, in the name of whoever is interrupted, the machine's own neighbours' among it; the neighbours' states are compared"),
    ("drops", "NOT_SPECIFIED (tcp_v4_rcv)", "what comes to a connection in TIME_WAIT is freed so, read"),
    ("drops", "NOT_SPECIFIED (inet_rtm_getroute), (skb_release_data)", "the kernel's own: ip route get asks with a packet; data that was copied elsewhere"),
    ("drops", "NOT_SPECIFIED (icmp_echo)", "an ignored echo request counts as read in the kernel; the model says why nothing comes back"),
    ("drops", "the device, where the model's packet was on none", "the kernel's memory for it may have served another packet, whose device is then told"),
    ("ours", "operstate: DOWN and LOWERLAYERDOWN", "which of the two depends on another device's carrier at the moment that linkwatch gets to this one"),
    ("ours", "conntrack entries of IGMP", "bridges announce themselves with it; the model has none"),
    ("ours", "in a cluster: frames, counters, sockets, neighbours and conntrack entries of the engines' own talk", "engines talk to each other in the model only"),
    ("docker", "ids of containers, networks, endpoints, and what is named after them: br-…, host names", "random"),
    ("docker", "names of veth ends on the host", "random; they are called after their other end"),
    ("docker", "ports >= 32768 other than the probe's own, in frames, conntrack and what a server saw", "docker-proxy's outgoing side is ephemeral"),
    ("docker", "times, ages, round trips", "clock"),
    ("docker", "IPv6 addresses, sysctls and sockets", "the model has no IPv6"),
    ("docker", "conntrack entries of IGMP", "IGMP is not recorded"),
    ("docker", "counters of policies", "iptables of 28.5 counts them, 1.8.9 does not"),
    ("docker", "ports of the embedded name server", "random"),
    ("docker", "nstat", "recorded for the kernel's own cases only"),
    ("docker", "fdb of sw", "IPv6 teaches it"),
    ("docker", "local addresses that no state shows: of devices that went", "random"),
    ("docker", "address of a bridge that has one of its ports'", "the lowest of what are random"),
    ("docker", "bytes of a rule's counter, of engines in a cluster", "the length of their gossip depends on the time of day"),
    ("docker", "which steps gratuitous ARPs fall into, and how many of the three a device sees", "a second apart: steps take any time"),
    ("docker", "which of two steps an ICMP error about a silent neighbour falls into", "three seconds and up to a tenth later"),
    ("docker", "order between two TCP connections on a device", "docker-proxy connects while its client sends: two processors"),
    ("docker", "0.0.0.0 or :: in `Bind for … failed`", "28.5 chooses either"),
    ("docker", "packets and bytes that ifconfig counts", "IPv6 and IGMP are among them"),
    ("docker", "age of a neighbour", "clock"),
    ("docker", "times of inspect with a template, as Go prints them", "clock"),
    ("docker", "version and count in conntrack's last line", "28.5's hosts have a newer tool; it counts IGMP"),
    ("docker", "conntrack entries of the cluster's own ports (2377, 7946, 2379, 2380)", "the recorder leaves their frames out; streams come by random timers"),
    ("docker", "ids of nodes and networks of a swarm, join tokens", "random"),
    ("docker", "frames of UDP 5353", "the recorder leaves them out, and ICMP errors about them"),
    ("docker", "names of ports and the bridge in an overlay network's namespace, where an address stands for them", "the bridge has the lowest of their random addresses"),
    ("docker", "spaces and VXLAN attributes of ip -d, title of ss", "iproute2 of 28.5's hosts is newer than the model's 6.1"),
    ("docker", "which of two steps hosts of a cluster ask for each other's addresses in", "gossip goes by random timers"),
    ("docker", "qlen 0", "iproute2 of 28.5 shows it, 6.1 does not"),
    ("docker", "neigh_vlan_suppress, mab, mcast_n_groups, mcast_max_groups", "iproute2 of 28.5 shows it, 6.1 does not"),
    ("docker", "use= of a conntrack entry, id of an ICMP one that is no probe's", "of the moment; a process number"),
    ("docker", "names of ip netns that are numbers", "process numbers"),
    ("docker", "id of a query that a command sends; order of a device's DNS messages", "random; A and AAAA are asked at once"),
    ("docker", "order of docker port, of brctl show and showmacs, of the members of a network", "hashes, random names and addresses"),
    ("docker", "spaces in what ss prints", "as wide as IPv6 addresses, which the model has not"),
];

/// A namespace's state in a recording of ours.
pub fn our_state(out: &mut Map<String, Value>) {
    out.retain(|k, _| k != "files" && k != "also");
    if let Some(Value::Object(s)) = out.get_mut("sysctl") {
        s.remove("ipv6");
    }
    if let Some(Value::Array(c)) = out.get_mut("conntrack") {
        c.retain(|l| !l.as_str().is_some_and(|l| l.starts_with("unknown  2 ") || l.starts_with("igmp ")));
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
            *l = replaced(l.as_str().unwrap_or(""), r"\[\d+(:\d+)?\]", "[N]").into();
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

/// What two runs of an engine do not share within a text.
pub fn docker_text(t: &str) -> String {
    let rules: [(&str, &str); 16] = [
        (r"\bused \d+/\d+/\d+", "used T"),
        (r"(?m)^( +[RT]X packets:)\d+", "${1}N"),
        (r"(?m)^ +RX bytes:.*", " BYTES"),
        (r"Bind for (?:0\.0\.0\.0|::):", "Bind for ANY:"),
        (r"conntrack v[\d.]+ \(conntrack-tools\): \d+ flow", "conntrack V: N flow"),
        (r"(?m)^ +inet6 .*\n(?: +valid_lft .*\n)?", ""),
        (r"(?m) qlen 0 *$", " "),
        (r"(?m)^33:33:.*\n?", ""),
        (r" (?:neigh_vlan_suppress|mab) off| mcast_(?:n|max)_groups 0", ""),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"(?:\d+ seconds?|Less than a second|About a minute)( ago)? *", "AGE "),
        (r"time[= ][\d.]+ ?ms", "time"),
        (r"= [\d.]+/[\d.]+/[\d.]+(/[\d.]+)? ms", "= RTT"),
        (r"\b(port|[sd]port)=(?:327(?:6[89]|[7-9]\d)|32[89]\d\d|(?:3[3-9]|[4-6]\d)\d{3})\b", "$1=P"),
        (r"(?m)^LISTEN.*\[::\].*\n?", ""),
        (r"(?m)^unknown +2 .*\n?", ""),
    ];
    rules.iter().fold(t.to_owned(), |t, (pattern, with)| replaced(&t, pattern, with))
}

/// Rule hits: the ports of an engine's name server in a container are any.
pub fn resolver_ports(hits: &Value) -> Value {
    // 1.8.9 counts only a policy that somebody set.
    let hits = replaced(&hits.to_string(), r#"\["\w+","FORWARD","policy ACCEPT",\d+\],?"#, "").replace(",]", "]");
    let text = replaced(&hits, r"(127\.0\.0\.11:|127\.0\.0\.11/32 -p \w+ -m \w+ --sport )\d+", "${1}P");
    serde_json::from_str(&text).unwrap_or_default()
}

/// How a name was found: a name server tells several addresses in any order.
pub fn any_order(mut how: Value) -> Value {
    for q in how["queries"].as_array_mut().into_iter().flatten() {
        if let Some(a) = q["answers"].as_array_mut() {
            a.sort_by_key(ToString::to_string);
        }
    }
    how
}

/// A port that a server saw, where it is not the probe's own.
pub fn seen(v: &Value, sport: &Value) -> Value {
    match v.as_str().and_then(|s| s.rsplit_once(':')) {
        Some((ip, port)) if sport.as_u64().is_none_or(|s| s.to_string() != port) => format!("{ip}:P").into(),
        _ => v.clone(),
    }
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
    // The recorder keeps counters of the kernel's own cases only.
    out.remove("nstat");
    if out.get("kind") == Some(&"switch".into()) {
        // IPv6 taught it where the hosts are.
        out.remove("fdb");
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
    let ports = Regex::new(r"(sport|dport)=(\d+)");
    if let (Some(Value::Array(l)), Ok(r)) = (out.get_mut("conntrack"), ports) {
        l.retain(|x| !x.as_str().is_some_and(|x| x.starts_with("unknown  2") || cluster_talk(x)));
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
        if let Some((head, _)) = l.as_str().filter(|l| l.starts_with(':')).and_then(|l| l.rsplit_once(" [")) {
            *l = head.to_owned().into();
        }
        let text = l.as_str().unwrap_or("");
        if text.contains("127.0.0.11") {
            *l = replaced(text, r"(127\.0\.0\.11:|--sport )\d+", "${1}P").into();
        }
    }
    out.retain(|_, v| !matches!(v, Value::Array(a) if a.is_empty()));
}

/// A connection of what engines say to each other, to their managers or to their store: the captures lack it too.
fn cluster_talk(line: &str) -> bool {
    ["2377", "7946", "2379", "2380"].iter().any(|p| line.split(' ').any(|w| w.strip_prefix("dport=") == Some(p)))
}

/// Counters of iptables: nothing or something.
fn counters(t: &str) -> String {
    let mut t = t.to_owned();
    let word = |n: &str| if n == "0" { "0" } else { "N" };
    if let Ok(r) = Regex::new(r"\[(\d+):\d+\]") {
        t = r.replace_all(&t, |c: &regex_lite::Captures<'_>| format!("[{}]", word(&c[1]))).into_owned();
    }
    if let Ok(r) = Regex::new(r"(?m)^ +(\d+) +\d+ ") {
        t = r.replace_all(&t, |c: &regex_lite::Captures<'_>| format!(" {} ", word(&c[1]))).into_owned();
    }
    match Regex::new(r"(policy \w+) \d+ packets, \d+ bytes") {
        Ok(r) => r.replace_all(&t, "$1").into_owned(),
        Err(_) => t,
    }
}

/// What a command printed; `lossy`: a TCP probe of the recording timed out or stalled.
pub fn text(t: &str, command: &str, lossy: bool) -> String {
    let rules: [(&str, &str); 8] = [
        (r"(?m)^((?:tcp|udp|icmp|unknown) +\d+) \d+ ", "$1 T "),
        (r"(expires) \d+sec", "$1"),
        (r"(?m)^# (?:Generated|Completed).*\n?", ""),
        (r"\b(lladdr \S+ )(?:REACHABLE|STALE|DELAY|PROBE)", "${1}VALID"),
        (r"@if\d+", "@ifN"),
        (r"(?m)^\d+: ", "N: "),
        (r"((?:hold|message_age|forward_delay|hello|tcn|topology_change|gc)_timer) +[\d.]+", "${1} T"),
        (r"(icmp .*?id=)\d+", "${1}N"),
    ];
    let mut t = if lossy { counters(t) } else { t.to_owned() };
    for (pattern, with) in rules {
        if let Ok(r) = Regex::new(pattern) {
            t = r.replace_all(&t, with).into_owned();
        }
    }
    if ["fdb", "neigh", "conntrack"].iter().any(|w| command.contains(w)) {
        let mut lines: Vec<&str> = t.split('\n').collect();
        lines.sort_unstable();
        t = lines.join("\n");
    }
    t
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
                    if let Ok(r) = Regex::new(r"^(\w+ +\d+) \d+ ") {
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

/// An entry that a bridge's IGMP may have left in another bridge.
pub fn igmp_fdb(entry: &Value, bridges: &[String]) -> bool {
    entry["state"] != "permanent" && entry["mac"].as_str().is_some_and(|m| bridges.iter().any(|b| b == m))
}

/// Whose ports are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A probe of a recording without an engine: all.
    Probe,
    /// A command: none that is ephemeral.
    Command,
    /// A probe where docker-proxy may be at work: the probe's own only, twenty from this one on.
    Docker(u16),
    /// This one only.
    One(u16),
}

impl Own {
    fn foreign(self, port: u16) -> bool {
        match self {
            Own::Probe => false,
            Own::Command => port >= 32768,
            Own::One(base) => port >= 32768 && port != base,
            Own::Docker(base) => port >= 32768 && !(base..base.saturating_add(20)).contains(&port),
        }
    }
}

/// The port in a server's `peer=ADDRESS:PORT `, where it is not the probe's own.
fn peer(hex: &str, own: Own) -> String {
    let Some((before, after)) = hex.split_once("706565723d") else { return hex.to_owned() };
    let end = (0..after.len()).step_by(2).find(|i| after.get(*i..i + 2) == Some("20")).unwrap_or(after.len());
    let text: String = unhex(&after[..end]);
    let port = text.rsplit(':').next().and_then(|p| p.parse().ok()).unwrap_or(0);
    if !own.foreign(port) {
        return hex.to_owned();
    }
    let ip = text.rsplit_once(':').map_or("", |(a, _)| a);
    format!("{before}(peer={ip}:P){}", &after[end..])
}

fn unhex(t: &str) -> String {
    let byte = |i: usize| t.get(i..i + 2).and_then(|b| u8::from_str_radix(b, 16).ok()).unwrap_or(b'?');
    (0..t.len()).step_by(2).map(|i| byte(i) as char).collect()
}

/// A frame and its normal form.
pub type Normal<'a> = (String, &'a Frame);

/// The frames of a step by device and direction; `own`: a command sent them, not a probe.
pub fn frames<'a>(all: &'a [Frame], own: Own, names: &Names) -> BTreeMap<&'a str, Vec<Normal<'a>>> {
    let mut out: BTreeMap<&str, Vec<Normal<'a>>> = BTreeMap::new();
    for f in all.iter().filter(|f| f.flag != "nud" && f.flag != "rtx" && !(names.engine && mdns(f))) {
        out.entry(&f.dev).or_default().push((normal(f, own, names), f));
    }
    for v in out.values_mut() {
        if names.engine {
            by_connection(v);
            super::engine::any_dns_order(v);
            announcements_last(v);
        }
        *v = closing(std::mem::take(v));
    }
    out
}

/// The recorder takes UDP 5353 for what machines say of themselves.
fn mdns(f: &Frame) -> bool {
    fn within(ip: &[u8], deep: bool) -> bool {
        let q = usize::from(ip.first().copied().unwrap_or(0) & 15) * 4;
        let port = |at: usize| ip.get(q + at..q + at + 2) == Some(&[0x14, 0xe9]);
        match ip.get(9) {
            Some(17) => port(0) || port(2),
            Some(1) if deep && matches!(ip.get(q), Some(3 | 11)) => ip.get(q + 8..).is_some_and(|b| within(b, false)),
            _ => false,
        }
    }
    f.bytes.get(12..14) == Some(&[8, 0]) && within(&f.bytes[14..], true)
}

fn normal(f: &Frame, own: Own, names: &Names) -> String {
    let mut b = f.bytes.clone();
    if names.engine {
        macs(&mut b, names);
    }
    ethernet(&mut b, own);
    if names.engine && own == Own::Command {
        super::engine::query_id(&mut b, f);
    }
    let hex: String = b.iter().map(|x| format!("{x:02x}")).collect();
    let hex = if matches!(own, Own::Docker(_)) { peer(&hex, own) } else { hex };
    let mut t = Names::apply(&names.bytes, &hex);
    if f.cut > 0 {
        t.push_str(&format!("+{}", f.cut));
    }
    if !f.flag.is_empty() {
        t.push_str(&format!(" {}", f.flag));
    }
    t
}

/// Addresses of devices that went, which no state names.
fn macs(b: &mut [u8], names: &Names) {
    let arp = b.get(12..14) == Some(&[8, 6]);
    let at: &[usize] = if arp { &[0, 6, 22, 32] } else { &[0, 6] };
    for i in at {
        let Some(m) = b.get_mut(*i..*i + 6) else { continue };
        let hex: String = m.iter().map(|x| format!("{x:02x}")).collect();
        let ours = names.bytes.iter().any(|(n, _)| *n == hex);
        if m[0] & 3 == 2 && !m.starts_with(&[0x52, 0x54, 0]) && !ours {
            m.fill(0xee);
        }
    }
}

/// Gratuitous ARPs come by the clock: they say nothing among what a step sends.
fn announcements_last(all: &mut Vec<Normal<'_>>) {
    let (mut timed, rest): (Vec<_>, Vec<_>) = std::mem::take(all).into_iter().partition(|f| f.1.flag == "garp");
    timed.sort_by(|a, b| a.0.cmp(&b.0));
    all.extend(rest);
    all.append(&mut timed);
}

/// Segments of one connection after those of the other, each in its order; what is no TCP stays where it is.
fn by_connection(all: &mut [Normal<'_>]) {
    let of = |f: &Frame| -> Option<Vec<Vec<u8>>> {
        let b = &f.bytes;
        if b.get(12..14) != Some(&[8, 0]) || b.get(23) != Some(&6) || b.len() < 38 {
            return None;
        }
        let q = 14 + usize::from(b[14] & 15) * 4;
        let end = |a: usize, p: usize| [&b[26 + a..30 + a], b.get(q + p..q + p + 2).unwrap_or(&[])].concat();
        let mut ends = vec![end(0, 0), end(4, 2)];
        ends.sort();
        Some(ends)
    };
    let mut order: Vec<Vec<Vec<u8>>> = Vec::new();
    let places: Vec<usize> = (0..all.len()).filter(|i| of(all[*i].1).is_some()).collect();
    let mut segments: Vec<Normal<'_>> = places.iter().map(|i| all[*i].clone()).collect();
    // The probe's own connection first: its ports are told apart.
    for s in &segments {
        if let Some(k) = of(s.1).filter(|k| !order.contains(k)) {
            order.push(k);
        }
    }
    segments.sort_by_key(|s| of(s.1).and_then(|k| order.iter().position(|o| *o == k)));
    for (i, s) in places.into_iter().zip(segments) {
        all[i] = s;
    }
}

/// A TCP segment with neither data nor SYN: does it have a FIN?
fn bare(f: &Frame) -> Option<bool> {
    let b = &f.bytes;
    if b.len() < 54 || b[12..14] != [8, 0] || b[23] != 6 {
        return None;
    }
    let q = 14 + usize::from(b[14] & 15) * 4;
    let flags = *b.get(q + 13)?;
    let all = usize::from(u16::from_be_bytes([b[16], b[17]]));
    (flags & 2 == 0 && all == q - 14 + usize::from(b[q + 12] >> 4) * 4).then_some(flags & 1 != 0)
}

fn closing<'a>(all: Vec<Normal<'a>>) -> Vec<Normal<'a>> {
    fn flush<'a>(run: &mut Vec<Normal<'a>>, out: &mut Vec<Normal<'a>>) {
        let run = std::mem::take(run);
        if run.iter().any(|f| bare(f.1) == Some(true)) {
            let mut fins: Vec<_> = run.into_iter().filter(|f| bare(f.1) == Some(true)).collect();
            fins.sort_by(|a, b| a.0.cmp(&b.0));
            out.extend(fins);
        } else {
            out.extend(run);
        }
    }
    let (mut out, mut run) = (Vec::new(), Vec::new());
    for f in all {
        if bare(f.1).is_some() {
            run.push(f);
        } else {
            flush(&mut run, &mut out);
            out.push(f);
        }
    }
    flush(&mut run, &mut out);
    out
}

fn ethernet(b: &mut [u8], own: Own) {
    if b.len() >= 14 && b[12..14] == [8, 0] {
        ipv4(&mut b[14..], own);
    }
}

fn be16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn ipv4(b: &mut [u8], own: Own) {
    if b.len() < 20 || b[0] >> 4 != 4 {
        return;
    }
    let (ihl, proto) = (usize::from(b[0] & 15) * 4, b[9]);
    b[4..6].fill(0);
    b[10..12].fill(0);
    if be16(b, 6) & 0x1fff != 0 || b.len() < ihl {
        // A later fragment has no header of the next layer.
        return;
    }
    let q = &mut b[ihl..];
    if matches!(proto, 6 | 17) && q.len() >= 4 {
        // A name server is asked from a port of nobody's choice, which may be among a probe's by chance.
        let own = match own {
            Own::Docker(base) if proto == 17 && (be16(q, 0) == 53 || be16(q, 2) == 53) => Own::One(base),
            other => other,
        };
        for i in [0, 2] {
            if own.foreign(be16(q, i)) {
                q[i..i + 2].fill(0xff);
            }
        }
    }
    match proto {
        1 if q.len() >= 8 => {
            if own == Own::Command && matches!(q[0], 0 | 8) && q.len() >= 24 {
                q[4..6].fill(0xff);
                q[8..24].fill(0);
            }
            q[2..4].fill(0);
            if matches!(q[0], 3 | 5 | 11 | 12) {
                ipv4(&mut q[8..], own);
            }
        }
        6 if q.len() >= 14 => tcp(q),
        17 if q.len() >= 8 => {
            q[6..8].fill(0);
            // A tunnel is known by its header: an identifier and nothing else.
            if q.len() >= 30 && q[8..12] == [8, 0, 0, 0] && q[15] == 0 {
                q[..2].fill(0);
                ethernet(&mut q[16..], own);
            }
        }
        _ => {}
    }
}

fn tcp(q: &mut [u8]) {
    q[4..12].fill(0);
    if q.len() >= 18 {
        q[14..18].fill(0);
    }
    let end = (usize::from(q[12] >> 4) * 4).min(q.len());
    let mut i = 20;
    while i < end && q[i] != 0 {
        if q[i] == 1 {
            i += 1;
            continue;
        }
        let n = q.get(i + 1).map_or(2, |n| usize::from(*n)).max(2);
        if matches!(q[i], 5 | 8) {
            let to = (i + n).min(end);
            q[(i + 2).min(to)..to].fill(0);
        }
        i += n;
    }
}

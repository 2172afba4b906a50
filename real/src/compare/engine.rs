//! More of what two runs of an engine do not share: see [`super::normalise::RULES`].

use regex_lite::Captures;
use serde_json::{Map, Value};

use super::frames::Frame;
use super::normalise::Normal;
use super::patterns::{pattern, replaced};

/// What a command of an engine's host printed.
pub fn text(t: &str, command: &str) -> String {
    let rules: [(&'static str, &str); 19] = [
        (r"(curl: \(7\) Failed to connect to \S+) port (\d+)", "$1:$2"),
        (r"Couldn't connect to server", "Could not connect to server"),
        (r"\bpid=\d+", "pid=N"),
        (r"\b\d+(/docker-proxy|/serve)", "PID$1"),
        (r"mac\(([^()]*/overlay:[^():]*):\w+\)", "mac($1)"),
        (r"HWaddr [0-9A-F][26AE](?::[0-9A-F]{2}){5}", "HWaddr MAC"),
        (r"\b\d+\.\d+ ms\b", "T ms"),
        (r"(127\.0\.0\.11:)\d+", "${1}P"),
        (r"(-s 127\.0\.0\.11/32 .*--sport )\d+", "${1}P"),
        (r"\btime=\S+ level=", "time=T level="),
        (r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC", "TIME"),
        (r"(?:\bfe80:[0-9a-f:]+/64|::1/128) ", ""),
        (r"(?m)^.* pref medium\n?", ""),
        (r"(?m)^conntrack v[\d.]+ \(", "conntrack V ("),
        (r"(timed out after \d+)\d{3} milliseconds", "$1 s"),
        (r"\bafter \d{1,2} ms\b", "after T ms"),
        (r#"("Pid": )[1-9]\d*"#, "${1}N"),
        (r"(?m)^\d\d:\d\d:\d\d\.\d{6} ", "TIME "),
        (r"(ICMP echo (?:request|reply), id) \d+", "$1 N"),
    ];
    let mut t = rules.iter().fold(t.to_owned(), |t, (pattern, with)| replaced(&t, pattern, with));
    let sorted = |t: &str| {
        let mut lines: Vec<&str> = t.split('\n').collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    let by_id = command.contains("network inspect") && command.contains("{{range") && command.contains(".Containers");
    let at_once = command.contains("nslookup") && t.contains("127.0.0.11:53");
    let any_order = ["showmacs", "docker port", "ls /var/run/docker/netns", "network prune", "/proc/net/arp"];
    if by_id && !t.starts_with(['[', '{']) {
        t = by_member(&t, command);
    }
    if by_id || at_once || any_order.iter().any(|w| command.contains(w)) {
        t = sorted(&t);
    }
    t = endpoints(&t);
    if command.starts_with("ss ") || command.contains(" ss ") {
        // The last column has a title only while some row fills it.
        t = replaced(&replaced(&t, r"(?m)(Peer Address:Port)Process *$", "$1"), r"(?m) +$", "");
    }
    if command.contains("netstat -i") {
        t = replaced(&t, r"(?m)^(\S+ +\d+) +\d+ +(\d+) +\d+ +(\d+) +\d+ +(\d+) +\d+ ", "$1 N $2 N $3 N $4 N ");
    }
    if command.contains("ip -s") || command.contains("ip -h -s") {
        t = replaced(&t, r"(?m)^ +\d[\dkMG.]* +\d+ +(\d+) +\d+ +(\d+ +\d+) *$", " N N $1 N $2");
    }
    if command.contains("showmacs") {
        t = replaced(&t, r"(?m) +\d+\.\d\d$", " T");
    }
    if command.contains("netstat") {
        // Filled up to a width that the process number takes part of.
        t = replaced(&t, r"(?m)(PID/\S+) +$", "$1");
    }
    if command.contains("ifconfig") {
        t = interfaces(&t);
    }
    if command.contains("ip -d") {
        t = newer_iproute(&t);
    }
    if command.contains("brctl show") && !command.contains("showmacs") {
        t = bridge_ports(&t);
    }
    if command.contains("network inspect") { members(&t) } else { t }
}

/// What a template says of each member of a network, on one line: the members sorted, each with all its words.
fn by_member(t: &str, command: &str) -> String {
    let body =
        command.split_once(".Containers}}").and_then(|(_, rest)| rest.split_once("{{end}}")).map(|(body, _)| body);
    let each = replaced(body.unwrap_or_default(), r"\{\{[^}]*\}\}", "X").split_whitespace().count().max(1);
    let row = |l: &str| {
        let words: Vec<&str> = l.split_whitespace().collect();
        let mut members: Vec<&[&str]> = words.chunks(each).collect();
        members.sort_unstable();
        members.concat().join(" ")
    };
    t.lines().map(row).collect::<Vec<_>>().join("\n")
}

/// `ifconfig`: IPv6 counts among packets and bytes, and what a new device drops of it; the devices come by their names, some
/// of which are random.
fn interfaces(t: &str) -> String {
    let t = replaced(t, r"(?m)^( +[RT]X packets) \d+  bytes \d+ \(.*\)$", "$1 N");
    let t = replaced(&t, r"(?m)^( +TX errors \d+  dropped) \d+", "$1 N");
    let mut all: Vec<&str> = t.trim_end().split("\n\n").collect();
    all.sort_unstable();
    all.join("\n\n") + "\n"
}

/// 28.5's hosts have iproute2 6.18, which writes spaces and attributes of a VXLAN device otherwise than 6.1.
fn newer_iproute(t: &str) -> String {
    let rules = [
        (r" reserved_bits 0x[0-9a-f]+", ""),
        (r" udpcsum noudp6zerocsumtx noudp6zerocsumrx", ""),
        (r"(proxy l2miss l3miss) (ttl auto ageing \d+)", "$2 $1"),
        (r"(promiscuity \d+)  ", "$1 "),
        (r" neigh_vlan_suppress off", ""),
        (r" mab off", ""),
        (r" netns-immutable", ""),
        (r" fdb_n_learned \d+ fdb_max_learned \d+", ""),
        (r" mst_enabled 0 mdb_offload_fail_notification 0 fdb_local_vlan_0 0", ""),
        (r" gso_ipv4_max_size \d+ gro_ipv4_max_size \d+", ""),
    ];
    rules.iter().fold(t.to_owned(), |t, (pattern, with)| replaced(&t, pattern, with))
}

/// `brctl show` reads a directory, whose order is a hash of names.
fn bridge_ports(t: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut ports: Vec<String> = Vec::new();
    for l in t.split('\n') {
        let cells: Vec<&str> = l.split('\t').collect();
        match cells.as_slice() {
            [name, _, _, stp, _, port] | [name, _, stp, _, port]
                if !name.is_empty() && matches!(*stp, "yes" | "no") =>
            {
                ports.sort();
                out.append(&mut ports);
                out.push(l.strip_suffix(port).unwrap_or(l).to_owned());
                ports.push(format!("\t{port}"));
            }
            [first, .., port] if first.is_empty() && !port.is_empty() => ports.push(format!("\t{port}")),
            _ => {
                ports.sort();
                out.append(&mut ports);
                out.push(l.to_owned());
            }
        }
    }
    ports.sort();
    out.append(&mut ports);
    out.join("\n")
}

/// `has active endpoints (name:"a" id:"…", …)`: in the order of a map.
fn endpoints(t: &str) -> String {
    let Some((head, rest)) = t.split_once("has active endpoints (") else { return t.to_owned() };
    let Some((list, tail)) = rest.split_once(')') else { return t.to_owned() };
    let mut all: Vec<&str> = list.split(", ").collect();
    all.sort_unstable();
    format!("{head}has active endpoints ({}){}", all.join(", "), endpoints(tail))
}

/// The members of a network come in the order of their ids.
fn members(t: &str) -> String {
    let Ok(Value::Array(mut all)) = serde_json::from_str::<Value>(t) else { return t.to_owned() };
    if pretty(&all).trim() != t.trim() {
        return t.to_owned();
    }
    for n in &mut all {
        if let Some(Value::Object(m)) = n.get_mut("Containers") {
            let mut list: Vec<(String, Value)> = std::mem::take(m).into_iter().collect();
            list.sort_by_key(|(k, v)| (v["Name"].as_str().unwrap_or("").to_owned(), k.clone()));
            *m = list.into_iter().collect::<Map<_, _>>();
        }
    }
    pretty(&all)
}

/// As the engines print JSON: four spaces a level.
fn pretty(all: &[Value]) -> String {
    let text = serde_json::to_string_pretty(all).unwrap_or_default();
    let wide = |l: &str| " ".repeat(l.len() - l.trim_start().len()) + l;
    text.lines().map(wide).collect::<Vec<_>>().join("\n")
}

/// A namespace's state: what depends on process numbers and on the moment.
pub fn state(out: &mut Map<String, Value>, probes: u16) {
    for l in out.get_mut("conntrack").and_then(Value::as_array_mut).into_iter().flatten() {
        let t = replaced(l.as_str().unwrap_or(""), r" use=\d+", "");
        let own = 40_000..40_020 + 20 * probes;
        let id = |c: &Captures<'_>| {
            let ours = c[2].parse::<u16>().is_ok_and(|p| own.contains(&p) && p % 20 == 0);
            format!("{}id={}", &c[1], if ours { &c[2] } else { "N" })
        };
        let t = match pattern(r"(code=\d+ )id=(\d+)") {
            Some(r) => r.replace_all(&t, id).into_owned(),
            None => t,
        };
        *l = t.into();
    }
    for l in out.get_mut("also").and_then(Value::as_array_mut).into_iter().flatten() {
        *l = replaced(l.as_str().unwrap_or(""), r"/ns:\d+$", "/ns:PID").into();
    }
}

/// Is it a message to or from a name server? Where it begins.
fn dns_at(f: &Frame) -> Option<usize> {
    let b = &f.bytes;
    if b.get(12..14)? != [8, 0] || *b.get(23)? != 17 || b.get(20..22)? != [0x40, 0] && b.get(20..22)? != [0, 0] {
        return None;
    }
    let q = 14 + usize::from(b[14] & 15) * 4;
    let server = |at: usize| b.get(at..at + 4) == Some(&[127, 0, 0, 11]);
    let port = |at: usize| b.get(at..at + 2) == Some(&[0, 53]);
    (port(q) || port(q + 2) || server(26) || server(30)).then_some(q + 8)
}

/// The id of a query that a command sends, left out; the UDP checksum is already.
pub fn query_id(bytes: &mut [u8], f: &Frame) {
    if let Some(id) = dns_at(f).and_then(|at| bytes.get_mut(at..at + 2)) {
        id.fill(0);
    }
}

/// The release that curl tells a server.
pub fn curl_release(bytes: &mut [u8]) {
    const AGENT: &[u8] = b"User-Agent: curl/";
    if let Some(at) = bytes.windows(AGENT.len()).position(|w| w == AGENT) {
        let rest = bytes[at + AGENT.len()..].iter_mut();
        rest.take_while(|b| b.is_ascii_digit() || **b == b'.').for_each(|b| *b = b'N');
    }
}

/// A resolver asks for A and AAAA at once, and a name server answers several queries at once.
pub fn any_dns_order(all: &mut [Normal<'_>]) {
    let places: Vec<usize> = (0..all.len()).filter(|i| dns_at(all[*i].1).is_some()).collect();
    let mut list: Vec<Normal<'_>> = places.iter().map(|i| all[*i].clone()).collect();
    list.sort_by(|a, b| a.0.cmp(&b.0));
    for (i, f) in places.into_iter().zip(list) {
        all[i] = f;
    }
}

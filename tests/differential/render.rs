//! A case as the text of a scenario.

use std::fmt::Write as _;

use crate::case::{Case, Step};
use crate::plan::{Plan, pick};

/// The text, and the mechanisms in it by the names they are counted under.
pub struct Rendered {
    /// YAML.
    pub text: String,
    /// Mechanisms.
    pub words: Vec<String>,
    /// How many namespaces and bridges.
    pub size: [usize; 2],
}

/// Timers that are short, so that a case is: three requests for a neighbour in 0.12 s instead of 3 s; a used entry is
/// not asked about again during the case; a proxied answer is not held back, which would be for a random time.
const NEIGHBOUR: &str = "retrans 40 delay_probe 60000 proxy_delay 0";

/// Settings and the values that they are given.
const SYSCTLS: [(&str, &[u32]); 17] = [
    ("net.ipv4.conf.all.rp_filter", &[1, 2]),
    ("net.ipv4.conf.all.rp_filter", &[1]),
    ("net.ipv4.conf.all.send_redirects", &[0]),
    ("net.ipv4.conf.all.accept_redirects", &[0]),
    ("net.ipv4.conf.all.arp_ignore", &[1, 2, 3, 8]),
    ("net.ipv4.conf.all.arp_announce", &[1, 2]),
    ("net.ipv4.conf.all.arp_filter", &[1]),
    ("net.ipv4.conf.all.arp_accept", &[1]),
    ("net.ipv4.conf.all.proxy_arp", &[1]),
    ("net.ipv4.conf.all.accept_local", &[1]),
    ("net.ipv4.conf.all.route_localnet", &[1]),
    ("net.ipv4.icmp_echo_ignore_all", &[1]),
    ("net.ipv4.icmp_echo_ignore_broadcasts", &[0]),
    ("net.bridge.bridge-nf-call-iptables", &[0]),
    ("net.ipv4.ip_default_ttl", &[2, 128]),
    ("net.ipv4.ip_forward", &[0, 1]),
    ("net.ipv4.conf.all.log_martians", &[1]),
];

/// Writes a case down.
pub fn render(c: &Case, name: &str) -> Rendered {
    let mut words = Vec::new();
    let mut p = Plan::of(c);
    for m in &c.mistakes {
        m.early(&mut p);
        words.push(m.name().to_owned());
    }
    p.address();
    p.route();
    for m in &c.mistakes {
        m.late(&mut p);
    }
    let mut out = format!("name: {name}\ntitle: A random case\nhosts:\n");
    for (i, bits) in c.hosts.iter().enumerate() {
        host(&mut out, &p, i, *bits);
    }
    out.push_str("steps:\n");
    let mut lines: Vec<String> = Vec::new();
    let mut ruled = rules(c, &mut p, &mut words);
    for (n, rules) in ruled.iter_mut().enumerate() {
        let set = settled(c, &p, n);
        let made = p.made.get(n).cloned().unwrap_or_default();
        let mut all = batched(made.into_iter().chain(set).collect());
        for (_, key, value) in c.sysctls.iter().filter(|s| usize::from(s.0) % p.nodes.len() == n) {
            let (key, values) = pick(&SYSCTLS, *key);
            words.push((*key).to_owned());
            all.push(written(key, *pick(values, *value)));
        }
        all.append(rules);
        // One step of a node, and one shell: what is told apart by steps is the packets, and none has been sent yet.
        if !all.is_empty() {
            lines.push(format!("{}$ {}", p.nodes[n].place, all.join("; ").replace("&; ", "& ")));
        }
    }
    for l in &lines {
        let _ = writeln!(out, "  - '{}'", l.replace('\'', "''"));
    }
    for s in &c.walk {
        let (line, word) = match s {
            Step::Ask(a) => a.line(&p),
            Step::Change(x) => x.line(&p),
        };
        words.push(word.to_owned());
        let _ = writeln!(out, "  - '{}'", line.replace('\'', "''"));
    }
    let size = [p.nodes.len(), p.devs.iter().filter(|d| d.bridge).count()];
    Rendered { text: out, words, size }
}

fn host(out: &mut String, p: &Plan, i: usize, bits: u8) {
    let nics: Vec<String> = p
        .devs
        .iter()
        .filter(|d| d.node == i && d.nic)
        .map(|d| {
            let lan = if d.name == "eth0" { "lan" } else { "dmz" };
            format!("{}: {{lan: {lan}, address: {}, mac: \"{}\"}}", d.name, d.addrs[0], d.mac)
        })
        .collect();
    let serve = if bits & 2 == 2 { ", serve: [80, 53/udp]" } else { "" };
    let _ = writeln!(
        out,
        "  h{}: {{interfaces: {{{}}}, sysctl: {{net.ipv4.icmp_ratelimit: 0}}{serve}}}",
        i + 1,
        nics.join(", ")
    );
}

/// The commands that set a node up.
fn settled(c: &Case, p: &Plan, n: usize) -> Vec<String> {
    let node = &p.nodes[n];
    let mut all = Vec::new();
    let serve = if node.ns.is_some() { c.spaces.get(n - p.hosts).map_or(0, |s| s.serve) } else { 0 };
    if serve > 0 {
        let ports = pick(&["", "80 53/udp", "80 8080 53/udp", "8080"], serve);
        all.push(format!("serve {ports} >/dev/null 2>&1 &"));
    }
    if node.ns.is_some() {
        all.push("ip link set lo up".to_owned());
    }
    all.extend(node.lines.iter().cloned());
    for d in p.devs.iter().filter(|d| d.node == n && !d.nic) {
        if let (Some(b), false) = (d.master, d.left_out) {
            all.push(format!("ip link set {} master {}", d.name, p.devs[b].name));
        }
        all.extend(d.addrs.iter().map(|a| format!("ip addr add {a} dev {}", d.name)));
        if !d.down {
            all.push(format!("ip link set {} up", d.name));
        }
    }
    all.extend(node.routes.iter().cloned());
    let l3 = p.devs.iter().filter(|d| d.node == n && d.master.is_none());
    all.extend(l3.map(|d| format!("ip ntable change name arp_cache dev {} {NEIGHBOUR}", d.name)));
    let mut set: Vec<(String, u32)> = Vec::new();
    if node.ns.is_some() {
        set.push(("net.ipv4.icmp_ratelimit".into(), 0));
    }
    if node.forwards {
        set.push(("net.ipv4.ip_forward".into(), 1));
    }
    all.extend(set.iter().map(|(k, v)| written(k, *v)));
    all
}

/// A setting, by the shell's own: a process less than sysctl(8).
fn written(key: &str, value: u32) -> String {
    format!("echo {value} >/proc/sys/{}", key.replace('.', "/"))
}

/// Commands of `ip` on end become a batch: one process instead of many.
fn batched(all: Vec<String>) -> Vec<String> {
    /// Fewer are typed one by one.
    const FEW: usize = 2;
    let of_ip = |l: &String| l.strip_prefix("ip ").filter(|r| !r.starts_with('-')).map(str::to_owned);
    let mut out = Vec::new();
    for run in all.chunk_by(|a, b| of_ip(a).is_some() == of_ip(b).is_some()) {
        match run.iter().map(of_ip).collect::<Option<Vec<String>>>() {
            Some(rest) if rest.len() >= FEW => {
                out.push(format!("printf '{}\\n' | ip -force -b -", rest.join("\\n")));
            }
            _ => out.extend_from_slice(run),
        }
    }
    out
}

/// Rules of each node; most of them where packets pass.
fn rules(c: &Case, p: &mut Plan, words: &mut Vec<String>) -> Vec<Vec<String>> {
    let routers: Vec<usize> = (0..p.nodes.len()).filter(|n| p.nodes[*n].forwards).collect();
    let mut out = vec![Vec::new(); p.nodes.len()];
    for r in &c.rules {
        let n =
            if r.at < 200 && !routers.is_empty() { *pick(&routers, r.at) } else { usize::from(r.at) % p.nodes.len() };
        let (rule, what) = r.line(p, n);
        out[n].push(rule);
        words.push(what);
    }
    p.ruled = (0..out.len()).filter(|n| !out[*n].is_empty()).collect();
    let restores = |n: usize| c.rules.iter().fold(n, |sum, r| sum + usize::from(r.at)).is_multiple_of(2);
    out.into_iter().enumerate().map(|(n, rules)| if restores(n) { restored(rules) } else { rules }).collect()
}

/// Commands of `iptables` as one of `iptables-restore`, table by table: one process instead of many.
fn restored(rules: Vec<String>) -> Vec<String> {
    /// Fewer are typed one by one.
    const FEW: usize = 2;
    if rules.len() < FEW {
        return rules;
    }
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for r in &rules {
        let Some((table, rule)) = r.strip_prefix("iptables -t ").and_then(|r| r.split_once(' ')) else {
            return rules;
        };
        match tables.iter_mut().find(|t| t.0 == table) {
            Some(t) => t.1.push(rule),
            None => tables.push((table, vec![rule])),
        }
    }
    let all: Vec<String> = tables.iter().map(|(t, r)| format!("*{t}\\n{}\\nCOMMIT", r.join("\\n"))).collect();
    vec![format!("printf '{}\\n' | iptables-restore -n", all.join("\\n"))]
}

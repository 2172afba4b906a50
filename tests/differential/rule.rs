//! Rules of the firewall, over all tables. What needs dice is left out, and what counts time counts hours.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::plan::{Plan, pick};

/// A rule: on which node, in which chain, with which matches and target.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Node.
    pub at: u8,
    chain: (u8, u8),
    insert: bool,
    proto: u8,
    matches: Vec<(u8, u8)>,
    target: (u8, u8),
}

/// The rules of a case: none, or some on few nodes.
pub fn strategy() -> impl Strategy<Value = Vec<Rule>> {
    let n = any::<u8>;
    let one = (n(), (n(), n()), prop::bool::weighted(0.2), n(), vec((n(), n()), 0..4), (n(), n()))
        .prop_map(|(at, chain, insert, proto, matches, target)| Rule { at, chain, insert, proto, matches, target });
    prop_oneof![1 => Just(Vec::new()), 4 => vec(one, 1..7)]
}

const FILTER: [&str; 5] = ["INPUT", "FORWARD", "FORWARD", "FORWARD", "OUTPUT"];
const NAT: [&str; 6] = ["PREROUTING", "PREROUTING", "POSTROUTING", "POSTROUTING", "OUTPUT", "INPUT"];
const MANGLE: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
const RAW: [&str; 2] = ["PREROUTING", "OUTPUT"];

/// A table and one of its chains.
pub fn chain(table: u8, chain: u8) -> (&'static str, &'static str) {
    match table {
        0..=119 => ("filter", *pick(&FILTER, chain)),
        120..=199 => ("nat", *pick(&NAT, chain)),
        200..=240 => ("mangle", *pick(&MANGLE, chain)),
        _ => ("raw", *pick(&RAW, chain)),
    }
}

const STATES: [&str; 8] =
    ["NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "INVALID", "NEW,ESTABLISHED", "RELATED", "DNAT", "SNAT"];
const ICMP: [&str; 6] = ["echo-request", "echo-reply", "destination-unreachable", "8", "11", "3/1"];
const PORTS: [&str; 10] = [
    "--dport 80",
    "--sport 80",
    "--dport 53",
    "--dport 81",
    "! --dport 80",
    "--dport 1:1023",
    "--dport 1024:",
    "-m multiport --dports 80,53",
    "-m multiport ! --dports 80,53",
    "-m multiport --ports 80,8000:9000",
];
const FLAGS: [&str; 5] =
    ["--syn", "! --syn", "--tcp-flags SYN,ACK SYN,ACK", "--tcp-flags ALL FIN,ACK", "--tcp-flags RST RST"];
const OTHER: [&str; 15] = [
    "-m mark --mark 0x1",
    "-m mark ! --mark 0x1/0x1",
    "-m mark --mark 0x0",
    "-m connmark --mark 0x1",
    "-m addrtype --dst-type LOCAL",
    "-m addrtype ! --dst-type LOCAL",
    "-m addrtype --src-type LOCAL",
    "-m addrtype --dst-type UNICAST",
    "-m addrtype --dst-type BROADCAST",
    "-m ttl --ttl-eq 64",
    "-m ttl --ttl-lt 64",
    "-m length --length 84",
    "-m length --length 0:100",
    "-m length --length 500:",
    "-f",
];

/// What remembers the packets before.
const REMEMBER: [&str; 14] = [
    "-m recent --set --name A",
    "-m recent --rcheck --name A",
    "-m recent ! --rcheck --name A --rdest",
    "-m recent --update --seconds 600 --hitcount 2 --name A",
    "-m recent --remove --name A",
    "-m recent --set --name B --rdest --mask 255.255.255.0",
    "-m recent --rcheck --hitcount 3 --name B --rdest",
    "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 2 --hashlimit-mode srcip --hashlimit-name h",
    "-m hashlimit --hashlimit-above 1/hour --hashlimit-burst 1 --hashlimit-mode dstip,dstport --hashlimit-name g",
    "-m connlimit --connlimit-above 1",
    "-m quota --quota 300",
    "-m string --algo bm --string GET",
    "-m limit --limit 1/hour --limit-burst 2",
    "-m statistic --mode nth --every 2 --packet 0",
];

impl Rule {
    /// Its command, and the mechanism it is counted as.
    pub fn line(&self, p: &Plan, node: usize) -> (String, String) {
        let (table, chain) = chain(self.chain.0, self.chain.1);
        let proto = match self.proto {
            0..=89 => "",
            90..=139 => "icmp",
            140..=199 => "tcp",
            _ => "udp",
        };
        let mut words = vec![format!("iptables -t {table} {} {chain}", if self.insert { "-I" } else { "-A" })];
        if !proto.is_empty() {
            words.push(format!("-p {proto}"));
        }
        let mut seen = Vec::new();
        for (kind, how) in &self.matches {
            let (sort, text) = one_match(p, node, chain, proto, *kind, *how);
            if !text.is_empty() && !seen.contains(&sort) {
                seen.push(sort);
                words.push(text);
            }
        }
        let target = self.target(p, node, table, chain, proto);
        words.push(format!("-j {target}"));
        let word = format!("{table} {}", target.split(' ').next().unwrap_or(""));
        (words.join(" "), word)
    }

    fn target(&self, p: &Plan, node: usize, table: &str, chain: &str, proto: &str) -> String {
        let (kind, how) = self.target;
        let ip = p.some_address(how);
        match (table, chain) {
            ("nat", "PREROUTING" | "OUTPUT") => {
                let port = pick(&[80, 8080, 53], how / 8);
                let ported = matches!(proto, "tcp" | "udp");
                match kind {
                    80..=159 if ported => format!("DNAT --to-destination {ip}:{port}"),
                    160..=199 if ported => format!("REDIRECT --to-ports {port}"),
                    200..=219 => "REDIRECT".into(),
                    220..=230 => format!("NETMAP --to {}.0/24", ip.rsplit_once('.').map_or("10.1.0", |x| x.0)),
                    231..=245 => "ACCEPT".into(),
                    246..=255 => "RETURN".into(),
                    _ => format!("DNAT --to-destination {ip}"),
                }
            }
            ("nat", _) => {
                let own: Vec<String> = p.addresses().filter(|(d, _)| p.devs[*d].node == node).map(|x| x.1).collect();
                match kind {
                    0..=119 if chain == "POSTROUTING" => "MASQUERADE".into(),
                    120..=199 if !own.is_empty() => format!("SNAT --to-source {}", pick(&own, how)),
                    200..=229 => format!("SNAT --to-source {ip}"),
                    230..=245 => "ACCEPT".into(),
                    _ => "RETURN".into(),
                }
            }
            ("raw", _) => (*pick(&["NOTRACK", "NOTRACK", "DROP", "ACCEPT", "MARK --set-mark 1"], kind)).into(),
            ("mangle", _) if proto == "tcp" && kind > 200 && matches!(chain, "FORWARD" | "OUTPUT" | "POSTROUTING") => {
                format!("TCPMSS {}", pick(&["--set-mss 700", "--set-mss 1300"], how))
            }
            ("mangle", _) => (*pick(
                &[
                    "MARK --set-mark 1",
                    "MARK --or-mark 2",
                    "MARK --set-xmark 0x1/0x1",
                    "CONNMARK --save-mark",
                    "CONNMARK --restore-mark",
                    "CONNMARK --set-mark 1",
                    "ACCEPT",
                    "DROP",
                    "RETURN",
                    // A packet of a loop that gets new life circles for ever: how often is the machine's speed.
                    if matches!(chain, "INPUT" | "OUTPUT") { "TTL --ttl-set 64" } else { "TTL --ttl-dec 2" },
                    "TTL --ttl-dec 1",
                    "TTL --ttl-set 1",
                ],
                kind,
            ))
            .into(),
            _ => filtered(kind, how, proto),
        }
    }
}

/// A target of the filter table.
fn filtered(kind: u8, how: u8, proto: &str) -> String {
    let with = [
        "icmp-host-unreachable",
        "icmp-net-unreachable",
        "icmp-admin-prohibited",
        "icmp-host-prohibited",
        "icmp-port-unreachable",
        "icmp-proto-unreachable",
    ];
    match kind {
        0..=79 => "ACCEPT".into(),
        80..=139 => "DROP".into(),
        140..=169 if proto == "tcp" => "REJECT --reject-with tcp-reset".into(),
        140..=199 => "REJECT".into(),
        200..=239 => format!("REJECT --reject-with {}", pick(&with, how)),
        _ => "RETURN".into(),
    }
}

/// A match, with its sort: a rule has one of each.
fn one_match(p: &Plan, node: usize, chain: &str, proto: &str, kind: u8, how: u8) -> (u8, String) {
    let not = if how > 220 { "! " } else { "" };
    let ip = p.some_address(how);
    let net = format!("{}.0/24", ip.rsplit_once('.').map_or("10.1.0", |x| x.0));
    let devs: Vec<&str> = p.devs.iter().filter(|d| d.node == node).map(|d| d.name.as_str()).chain(["lo"]).collect();
    let inn = matches!(chain, "PREROUTING" | "INPUT" | "FORWARD");
    let out = matches!(chain, "OUTPUT" | "POSTROUTING" | "FORWARD");
    match kind {
        0..=29 => (0, format!("{not}-s {}", if how & 1 == 0 { net } else { ip })),
        30..=59 => (1, format!("{not}-d {}", if how & 1 == 0 { net } else { ip })),
        60..=84 if inn => (2, format!("{not}-i {}", pick(&devs, how))),
        85..=109 if out => (3, format!("{not}-o {}", pick(&devs, how))),
        110..=149 if matches!(proto, "tcp" | "udp") => (4, (*pick(&PORTS, how)).to_owned()),
        150..=164 if proto == "tcp" => (5, (*pick(&FLAGS, how)).to_owned()),
        110..=164 if proto == "icmp" => (6, format!("{not}--icmp-type {}", pick(&ICMP, how))),
        165..=214 => (7, format!("-m conntrack {not}--ctstate {}", pick(&STATES, how))),
        215..=242 => (8, (*pick(&OTHER, how)).to_owned()),
        243..=255 => (10, (*pick(&REMEMBER, how)).to_owned()),
        _ => (9, String::new()),
    }
}

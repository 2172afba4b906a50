//! The text of a rule set and a plain packet: a second evaluator that shares nothing with the model.
//!
//! It reads `-A` lines word by word and walks chains by calling itself.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use packetwalk_sim::wire::{L4, Packet};

/// What rules may ask of a packet.
#[derive(Clone, Debug)]
pub struct Plain {
    pub src: u32,
    pub dst: u32,
    pub proto: u8,
    pub ports: (u16, u16),
    pub flags: u8,
    pub icmp: (u8, u8),
    pub len: u64,
    pub ttl: u8,
    pub mark: u32,
    /// Word of `--ctstate`.
    pub state: &'static str,
    pub iif: &'static str,
    pub oif: &'static str,
}

impl Plain {
    /// As it comes in by a device, before connection tracking saw it.
    pub fn new(p: &Packet, iif: &'static str) -> Plain {
        let ip = p.ipv4().expect("an IPv4 packet");
        let (proto, ports, flags, icmp) = match &ip.l4 {
            L4::Tcp(t) => (6, (t.sport, t.dport), t.flags.bits(), (0, 0)),
            L4::Udp(u) => (17, (u.sport, u.dport), 0, (0, 0)),
            L4::Icmp(i) => (1, (0, 0), 0, (i.ty, i.code)),
            L4::Raw(n, _) => (*n, (0, 0), 0, (0, 0)),
        };
        let (src, dst, len, ttl) = (ip.src.into(), ip.dst.into(), ip.total_len() as u64, ip.ttl);
        Plain { src, dst, proto, ports, flags, icmp, len, ttl, mark: 0, state: "INVALID", iif, oif: "" }
    }
}

/// How a chain ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Accept,
    Drop,
    /// Its end or RETURN: the caller goes on.
    Back,
}

/// An option with its `!` and its words.
#[derive(Clone, Debug)]
struct Opt {
    not: bool,
    name: String,
    args: Vec<String>,
}

type Count = (u64, u64);

/// A chain: its policy if it has one, its rules, and what each counted.
#[derive(Clone, Debug, Default)]
struct Chain {
    policy: Option<String>,
    counted: Count,
    rules: Vec<(Vec<Opt>, Count)>,
}

/// Rule sets by table and chain.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    tables: BTreeMap<String, BTreeMap<String, Chain>>,
}

/// Words of a line; quotes hold spaces.
pub fn words(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (i, part) in line.split('"').enumerate() {
        match i % 2 {
            0 => out.extend(part.split_whitespace().map(str::to_owned)),
            _ => out.push(part.to_owned()),
        }
    }
    out
}

fn options(words: &[String]) -> Vec<Opt> {
    let mut out = Vec::new();
    let (mut not, mut rest) = (false, words);
    while let Some((first, tail)) = rest.split_first() {
        if first == "!" {
            (not, rest) = (true, tail);
            continue;
        }
        let n = match first.as_str() {
            "--tcp-flags" => 2,
            "--syn" | "--notrack" => 0,
            _ => 1,
        };
        out.push(Opt { not, name: first.clone(), args: tail[..n].to_vec() });
        (not, rest) = (false, &tail[n..]);
    }
    out
}

/// A number, also in hexadecimal.
fn num(s: &str) -> u32 {
    match s.strip_prefix("0x") {
        Some(h) => u32::from_str_radix(h, 16).expect("a hexadecimal number"),
        None => s.parse().expect("a number"),
    }
}

fn addr(s: &str) -> u32 {
    s.parse::<Ipv4Addr>().expect("an address").into()
}

/// `A/LEN`, `A/MASK` or `A` fits.
fn prefix(s: &str, a: u32) -> bool {
    let (net, mask) = s.split_once('/').unwrap_or((s, "32"));
    let mask = match mask.parse::<u32>() {
        Ok(n) => (!0u64 << (32 - n)) as u32,
        Err(_) => addr(mask),
    };
    a & mask == addr(net) & mask
}

/// `A:B`, `A`, `A:`, `:B`; also with another sign between.
fn range(s: &str, sign: char, n: u64) -> bool {
    let (a, b) = s.split_once(sign).unwrap_or((s, s));
    let low = if a.is_empty() { 0 } else { u64::from(num(a)) };
    let high = if b.is_empty() { u64::MAX } else { u64::from(num(b)) };
    low <= n && n <= high
}

/// `VALUE/MASK`, or a value of 32 bits.
fn masked(s: &str) -> (u32, u32) {
    s.split_once('/').map_or_else(|| (num(s), u32::MAX), |(v, m)| (num(v), num(m)))
}

fn flags(list: &str) -> u8 {
    const NAMES: [&str; 6] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
    match list {
        "ALL" => 0x3f,
        "NONE" => 0,
        _ => list.split(',').map(|f| 1 << NAMES.iter().position(|n| *n == f).expect("a flag")).sum(),
    }
}

fn device(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('+').map_or(pattern == name, |p| name.starts_with(p))
}

fn icmp_type(word: &str) -> (u8, Option<u8>) {
    let byte = |s: &str| s.parse().expect("a number below 256");
    match word {
        "echo-request" => (8, Some(0)),
        "echo-reply" => (0, Some(0)),
        "destination-unreachable" => (3, None),
        _ => word.split_once('/').map_or_else(|| (byte(word), None), |(t, c)| (byte(t), Some(byte(c)))),
    }
}

impl Opt {
    /// What it asks is true of the packet; what is no question is.
    fn fits(&self, p: &Plain) -> bool {
        let a = self.args.first().map_or("", String::as_str);
        let (sport, dport) = p.ports;
        let listed = |n: u16| a.split(',').any(|r| range(r, ':', n.into()));
        let yes = match self.name.as_str() {
            "-s" => prefix(a, p.src),
            "-d" => prefix(a, p.dst),
            "-i" => device(a, p.iif),
            "-o" => device(a, p.oif),
            "-p" => match a {
                "tcp" => p.proto == 6,
                "udp" => p.proto == 17,
                "icmp" => p.proto == 1,
                n => num(n) == 0 || num(n) == u32::from(p.proto),
            },
            "--sport" => range(a, ':', sport.into()),
            "--dport" => range(a, ':', dport.into()),
            "--syn" => p.flags & 0x17 == 0x02,
            "--tcp-flags" => p.flags & flags(a) == flags(&self.args[1]),
            "--icmp-type" if a == "any" => true,
            "--icmp-type" => {
                let (ty, code) = icmp_type(a);
                p.icmp.0 == ty && code.is_none_or(|c| c == p.icmp.1)
            }
            "--sports" => listed(sport),
            "--dports" => listed(dport),
            "--ports" => listed(sport) || listed(dport),
            "--src-range" | "--dst-range" => {
                let (low, high) = a.split_once('-').expect("a range");
                let n = if self.name == "--src-range" { p.src } else { p.dst };
                addr(low) <= n && n <= addr(high)
            }
            "--mark" => {
                let (value, mask) = masked(a);
                p.mark & mask == value
            }
            "--length" => range(a, ':', p.len),
            "--ttl-eq" => u32::from(p.ttl) == num(a),
            "--ttl-lt" => u32::from(p.ttl) < num(a),
            "--ttl-gt" => u32::from(p.ttl) > num(a),
            "--ctstate" => a.split(',').any(|s| s == p.state),
            "-m" | "-j" | "-g" | "--comment" | "--log-prefix" | "--log-level" | "--reject-with" | "--set-xmark"
            | "--set-mark" | "--and-mark" | "--or-mark" | "--xor-mark" | "--notrack" => return true,
            other => panic!("the naive evaluator does not know {other}"),
        };
        yes != self.not
    }
}

/// What `-j MARK` makes of a mark.
fn marked(rule: &[Opt], mark: u32) -> u32 {
    let o = rule.iter().find(|o| o.name.ends_with("mark") && o.name != "--mark").expect("a MARK says how");
    let (v, m) = masked(&o.args[0]);
    match o.name.as_str() {
        "--set-xmark" => (mark & !m) ^ v,
        "--set-mark" => (mark & !m) | v,
        "--and-mark" => mark & v,
        "--or-mark" => mark | v,
        _ => mark ^ v,
    }
}

impl Ruleset {
    /// Reads a dump; other lines than those of tables, chains and rules are passed over.
    pub fn read(dump: &str) -> Ruleset {
        let mut out = Ruleset::default();
        let mut table = String::new();
        for line in dump.lines() {
            if let Some(name) = line.strip_prefix('*') {
                name.clone_into(&mut table);
            } else if let Some(chain) = line.strip_prefix(':') {
                let w = words(chain);
                let c = out.tables.entry(table.clone()).or_default().entry(w[0].clone()).or_default();
                c.policy = (w[1] != "-").then(|| w[1].clone());
            } else if let Some(rule) = line.strip_prefix("-A ") {
                let w = words(rule);
                let c = out.tables.entry(table.clone()).or_default().entry(w[0].clone()).or_default();
                c.rules.push((options(&w[1..]), (0, 0)));
            }
        }
        out
    }

    /// Shows a packet to a table's base chain: it may go on.
    fn base(&mut self, table: &str, chain: &str, p: &mut Plain) -> bool {
        if !self.tables.get(table).is_some_and(|t| t.contains_key(chain)) {
            return true;
        }
        match self.walk(table, chain, p) {
            End::Accept => true,
            End::Drop => false,
            End::Back => {
                let c = self.chain(table, chain);
                c.counted = (c.counted.0 + 1, c.counted.1 + p.len);
                c.policy.as_deref() != Some("DROP")
            }
        }
    }

    fn chain(&mut self, table: &str, chain: &str) -> &mut Chain {
        self.tables.get_mut(table).and_then(|t| t.get_mut(chain)).expect("the chain exists")
    }

    fn walk(&mut self, table: &str, chain: &str, p: &mut Plain) -> End {
        let n = self.chain(table, chain).rules.len();
        for i in 0..n {
            let (rule, hits) = &mut self.chain(table, chain).rules[i];
            if !rule.iter().all(|o| o.fits(p)) {
                continue;
            }
            *hits = (hits.0 + 1, hits.1 + p.len);
            let rule = rule.clone();
            let Some(to) = rule.iter().find(|o| o.name == "-j" || o.name == "-g") else { continue };
            match (to.name.as_str(), to.args[0].as_str()) {
                ("-g", name) => return self.walk(table, name, p),
                (_, "ACCEPT") => return End::Accept,
                (_, "DROP" | "REJECT") => return End::Drop,
                (_, "RETURN") => return End::Back,
                (_, "LOG") => {}
                (_, "MARK") => p.mark = marked(&rule, p.mark),
                (_, "CT") => p.state = "UNTRACKED",
                (_, name) => match self.walk(table, name, p) {
                    End::Back => {}
                    end => return end,
                },
            }
        }
        End::Back
    }

    /// Walks the tables that a packet meets on its way from one device to another: it passes FORWARD.
    pub fn forwards(&mut self, mut p: Plain, oif: &'static str) -> bool {
        if !self.base("raw", "PREROUTING", &mut p) {
            return false;
        }
        if p.state != "UNTRACKED" {
            p.state = "NEW";
        }
        if !self.base("mangle", "PREROUTING", &mut p) || p.ttl <= 1 {
            return false;
        }
        p.ttl -= 1;
        p.oif = oif;
        self.base("mangle", "FORWARD", &mut p) && self.base("filter", "FORWARD", &mut p)
    }

    /// Table, chain and number of every rule with its hits, and those of the policies (number 0) of these chains.
    pub fn counters(&self) -> BTreeMap<(String, String, usize), Count> {
        let mut out = BTreeMap::new();
        for (t, chains) in &self.tables {
            for (name, c) in chains {
                out.insert((t.clone(), name.clone(), 0), c.counted);
                for (i, (_, hits)) in c.rules.iter().enumerate() {
                    out.insert((t.clone(), name.clone(), i + 1), *hits);
                }
            }
        }
        out
    }
}

/// The same, out of what `iptables-save -c` printed.
pub fn counters(dump: &str) -> BTreeMap<(String, String, usize), Count> {
    let mut out = BTreeMap::new();
    let mut next: BTreeMap<(String, String), usize> = BTreeMap::new();
    let count = |s: &str| -> Count {
        let (p, b) = s.trim_matches(['[', ']']).split_once(':').expect("two numbers");
        (p.parse().expect("a number"), b.parse().expect("a number"))
    };
    let mut table = String::new();
    for line in dump.lines() {
        let w: Vec<&str> = line.split_whitespace().collect();
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
        } else if let Some(name) = w.first().and_then(|w| w.strip_prefix(':')) {
            out.insert((table.clone(), name.to_owned(), 0), count(w[2]));
        } else if w.get(1) == Some(&"-A") {
            let n = next.entry((table.clone(), w[2].to_owned())).or_default();
            *n += 1;
            out.insert((table.clone(), w[2].to_owned(), *n), count(w[0]));
        }
    }
    out
}

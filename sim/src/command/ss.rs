//! `ss` (iproute2 6.1): sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;

use super::names::service;
use super::opts::{BadOpt, Opt, getopt};
use super::{Exit, Proc, Refusal};
use crate::docker::Profile;
use crate::kernel::socket::SocketInfo;

/// Long options that have a short one.
const LONG: &[(&str, &str)] = &[
    ("--listening", "-l"),
    ("--numeric", "-n"),
    ("--tcp", "-t"),
    ("--udp", "-u"),
    ("--raw", "-w"),
    ("--all", "-a"),
    ("--processes", "-p"),
    ("--no-header", "-H"),
    ("--ipv4", "-4"),
    ("--oneline", "-O"),
];

/// What is asked for.
#[derive(Default)]
struct Wanted {
    listening: bool,
    all: bool,
    numeric: bool,
    processes: bool,
    no_header: bool,
    /// `raw`, `udp`, `tcp`: those chosen, in the order they are listed.
    protos: Vec<&'static str>,
    filter: Vec<Term>,
    /// `state`: the names that rows may have.
    states: Option<Vec<&'static str>>,
}

/// Names of states in a filter, and as rows show them (`scan_state`).
const STATES: [(&str, &[&str]); 12] = [
    ("established", &["ESTAB"]),
    ("syn-sent", &["SYN-SENT"]),
    ("syn-recv", &["SYN-RECV"]),
    ("fin-wait-1", &["FIN-WAIT-1"]),
    ("fin-wait-2", &["FIN-WAIT-2"]),
    ("time-wait", &["TIME-WAIT"]),
    ("close-wait", &["CLOSE-WAIT"]),
    ("last-ack", &["LAST-ACK"]),
    ("closing", &["CLOSING"]),
    ("listening", &["LISTEN"]),
    ("listen", &["LISTEN"]),
    ("closed", &["UNCONN"]),
];

/// A term of the filter: all must hold.
enum Term {
    Sport(u16),
    Dport(u16),
    /// `src`: an address or a subnet, and perhaps a port.
    Src(Ipv4Net, Option<u16>),
    Dst(Ipv4Net, Option<u16>),
}

/// Runs `ss`.
///
/// # Errors
/// Options and filters that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let words: Vec<String> = argv
        .iter()
        .map(|w| LONG.iter().find(|(l, _)| l == w).map_or_else(|| w.clone(), |(_, s)| (*s).to_owned()))
        .collect();
    let opts = match getopt(&words, "lnatuwpH4O", "", "heoimsrbEZzNxd0S6MVKfADFTQ") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c) | BadOpt::NoValue(c)) => {
            p.err.push_str(&format!("ss: invalid option -- '{c}'\nUsage: ss [ OPTIONS ]\n"));
            p.err.push_str("       ss [ OPTIONS ] [ FILTER ]\n");
            return Ok(255);
        }
    };
    let mut w = Wanted::default();
    let (mut tcp, mut udp, mut raw) = (false, false, false);
    let mut filter = Vec::new();
    for (at, o) in opts {
        match o {
            Opt::Word(x) => filter.push((at, x)),
            Opt::Flag('l', _) => w.listening = true,
            Opt::Flag('a', _) => w.all = true,
            Opt::Flag('n', _) => w.numeric = true,
            Opt::Flag('p', _) => w.processes = true,
            Opt::Flag('H', _) => w.no_header = true,
            Opt::Flag('t', _) => tcp = true,
            Opt::Flag('u', _) => udp = true,
            Opt::Flag('w', _) => raw = true,
            Opt::Flag(..) => {}
        }
    }
    let every = !(tcp || udp || raw);
    let chosen = [("raw", raw), ("udp", udp), ("tcp", tcp)];
    w.protos = chosen.into_iter().filter(|(_, on)| *on || every).map(|(n, _)| n).collect();
    if let [(_, word), (at, name), rest @ ..] = filter.as_slice()
        && word == "state"
    {
        let Some((_, rows)) = STATES.iter().find(|(n, _)| n == name) else {
            return Err(Refusal::new(format!("ss with the filter state {name}"), *at));
        };
        w.states = Some(rows.to_vec());
        filter = rest.to_vec();
    }
    w.filter = terms(&filter)?;
    show(p, &w);
    Ok(0)
}

/// Reads `sport = :80`, `dport :53 and sport eq 1000`.
fn terms(words: &[(usize, String)]) -> Result<Vec<Term>, Refusal> {
    let Some((at, _)) = words.first() else { return Ok(Vec::new()) };
    let text = words.iter().map(|(_, w)| w.as_str()).collect::<Vec<_>>().join(" ");
    let refused = || Refusal::new(format!("ss with the filter {text}"), *at);
    let mut out = Vec::new();
    let mut it = text.split_whitespace().peekable();
    while let Some(w) = it.next() {
        let make: fn(u16) -> Term = match w {
            "and" | "&" | "&&" => continue,
            "sport" => Term::Sport,
            "dport" => Term::Dport,
            "src" | "dst" => {
                let (net, port) = it.next().and_then(place).ok_or_else(refused)?;
                out.push(if w == "src" { Term::Src(net, port) } else { Term::Dst(net, port) });
                continue;
            }
            _ => return Err(refused()),
        };
        it.next_if(|w| matches!(*w, "=" | "==" | "eq"));
        let port = it.next().and_then(|v| v.trim_start_matches(':').parse().ok()).ok_or_else(refused)?;
        out.push(make(port));
    }
    Ok(out)
}

/// `192.168.91.200`, `10.0.0.0/8`, `192.168.91.200:80`.
fn place(text: &str) -> Option<(Ipv4Net, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((h, p)) => (h, Some(p.parse().ok()?)),
        None => (text, None),
    };
    let net = host.parse().ok().or_else(|| host.parse::<Ipv4Addr>().ok().map(Ipv4Net::from))?;
    Some((net, port))
}

impl Wanted {
    fn passes(&self, s: &SocketInfo) -> bool {
        // A TCP socket that is neither bound to a peer nor listening is in no table of the kernel.
        let unhashed = s.proto == "tcp" && matches!(s.state, "UNCONN" | "CLOSE" | "CLOSED");
        let idle = matches!(s.state, "LISTEN" | "UNCONN");
        let state = match &self.states {
            Some(names) => names.contains(&s.state),
            None => {
                self.all || if self.listening { idle } else { !idle && !matches!(s.state, "TIME-WAIT" | "SYN-RECV") }
            }
        };
        state
            && !unhashed
            && self.filter.iter().all(|t| match t {
                Term::Sport(n) => s.lport == *n,
                Term::Dport(n) => s.rport == *n,
                Term::Src(net, port) => net.contains(&s.local) && port.is_none_or(|n| s.lport == n),
                Term::Dst(net, port) => net.contains(&s.remote) && port.is_none_or(|n| s.rport == n),
            })
    }
}

/// Titles, what comes before a column, and whether it is right-aligned.
const COLUMNS: [(&str, &str, bool); 9] = [
    ("Netid", "", false),
    ("State", " ", false),
    ("Recv-Q", " ", false),
    ("Send-Q", " ", false),
    ("Local Address:", " ", true),
    ("Port", "", false),
    ("Peer Address:", " ", true),
    ("Port", "", false),
    ("Process", "", false),
];

/// A socket that is listed.
pub(super) struct Listed {
    info: SocketInfo,
    /// The address of one of IPv6 alone, which the kernel here has not.
    pub(super) v6: Option<Ipv6Addr>,
}

impl std::ops::Deref for Listed {
    type Target = SocketInfo;

    fn deref(&self) -> &SocketInfo {
        &self.info
    }
}

/// It is a proxy's.
fn proxied(s: &SocketInfo) -> bool {
    s.process.as_ref().is_some_and(|(name, _)| name == "docker-proxy")
}

/// The sockets of a namespace, those of docker-proxy for IPv6 among them.
pub(super) fn sockets(p: &Proc<'_>) -> Vec<Listed> {
    let mut all: Vec<Listed> = p.sess.kernel.sockets(p.ns).into_iter().map(|info| Listed { info, v6: None }).collect();
    let here =
        p.sess.engines.get(&p.host).filter(|e| p.sess.v6 && e.running && p.sess.kernel.host(p.host).root_ns == p.ns);
    for b in here.into_iter().flat_map(|e| e.containers.values()).flat_map(|c| &c.bound) {
        let (IpAddr::V6(a), tcp) = (b.host_ip, b.proto == "tcp") else { continue };
        let info = SocketInfo {
            proto: if tcp { "tcp" } else { "udp" },
            state: if tcp { "LISTEN" } else { "UNCONN" },
            local: Ipv4Addr::UNSPECIFIED,
            lport: b.host_port,
            remote: Ipv4Addr::UNSPECIFIED,
            rport: 0,
            dual: false,
            dev: None,
            recvq: 0,
            sendq: if tcp { 4096 } else { 0 },
            // It has a proxy of its own, which the model has not: its twin's number stands for it.
            process: all.iter().find(|s| proxied(s) && s.lport == b.host_port).and_then(|s| s.process.clone()),
        };
        all.push(Listed { info, v6: Some(a) });
    }
    all
}

fn show(p: &mut Proc<'_>, w: &Wanted) {
    let all = sockets(p);
    let mut rows: Vec<[String; 9]> = Vec::new();
    for proto in &w.protos {
        let mut list: Vec<&Listed> = all.iter().filter(|s| s.proto == *proto && w.passes(s)).collect();
        // The kernel walks its listeners first; slots of the tables go by port (`udp_hashfn`).
        list.sort_by_key(|s| match s.state {
            "LISTEN" => (false, s.v6.is_some(), s.lport),
            "UNCONN" => (true, s.v6.is_some(), s.lport),
            _ => (true, false, 0),
        });
        rows.extend(list.into_iter().map(|s| row(p, s, w)));
    }
    // One kind of socket and one state go without saying.
    let one_state = w.states.is_some() || !w.all && !w.listening && w.protos.len() == 1 && w.protos[0] != "tcp";
    let mut hidden = [false; 9];
    hidden[0] = w.protos.len() == 1;
    hidden[1] = one_state;
    if !w.no_header {
        rows.insert(0, COLUMNS.map(|(title, ..)| title.to_owned()));
    }
    let mut width = [0; 9];
    for r in &rows {
        for (n, cell) in width.iter_mut().zip(r) {
            *n = cell.len().max(*n);
        }
    }
    let mut text = String::new();
    for r in &rows {
        let mut first = true;
        for (i, (_, before, right)) in COLUMNS.iter().enumerate() {
            if hidden[i] {
                continue;
            }
            if !first {
                text.push_str(before);
            }
            first = false;
            let (cell, n) = (&r[i], width[i]);
            text.push_str(&if *right { format!("{cell:>n$}") } else { format!("{cell:<n$}") });
        }
        text.push('\n');
    }
    p.out.push_str(&text);
}

/// The number of the file: Go's runtime opens three before a proxy opens its socket; since 28 the engine opens it.
fn descriptor(p: &Proc<'_>, s: &Listed) -> u32 {
    let v20 = || p.sess.engines.get(&p.host).is_some_and(|e| e.profile == Profile::V20);
    match proxied(s) && s.rport == 0 {
        true if v20() => 4,
        true => 7,
        false => 3,
    }
}

fn row(p: &Proc<'_>, s: &Listed, w: &Wanted) -> [String; 9] {
    let port = |n: u16| match n {
        0 => "*".to_owned(),
        n if w.numeric => n.to_string(),
        n => service(p, n, s.proto).unwrap_or_else(|| n.to_string()),
    };
    let dev = s.dev.map(|d| format!("%{d}")).unwrap_or_default();
    let process = match &s.process {
        Some((name, pid)) if w.processes => format!(" users:((\"{name}\",pid={},fd={}))", pid.0, descriptor(p, s)),
        _ => String::new(),
    };
    if let Some(a) = s.v6 {
        let text = |t: &str| t.to_owned();
        let (local, peer) = (format!("[{a}]{dev}:"), text("[::]:"));
        let (recvq, sendq) = (format!("{:<6}", s.recvq), format!("{:<6}", s.sendq));
        return [text(s.proto), text(s.state), recvq, sendq, local, port(s.lport), peer, port(s.rport), process];
    }
    [
        s.proto.to_owned(),
        s.state.to_owned(),
        format!("{:<6}", s.recvq),
        format!("{:<6}", s.sendq),
        if s.dual { format!("*{dev}:") } else { format!("{}{dev}:", s.local) },
        port(s.lport),
        if s.dual && s.rport == 0 { "*:".to_owned() } else { format!("{}:", s.remote) },
        port(s.rport),
        process,
    ]
}

//! `tcpdump -ni DEV [icmp|arp|tcp|udp|port N|host A]`: what passed since the step before. A step cannot wait
//! for what the next one does, so it looks back instead.

use std::net::Ipv4Addr;

use super::{Exit, Proc, Refusal};
use crate::kernel::types::DevId;
use crate::trace::EventKind;
use crate::wire::{Arp, Body, Icmp, Ipv4, L4, Packet, Tcp, TcpFlags};

/// A term of the filter; all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Icmp,
    Arp,
    Tcp,
    Udp,
    Ip,
    Port(u16),
    Host(Ipv4Addr, Side),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Either,
    Src,
    Dst,
}

struct Ask {
    dev: Option<String>,
    count: Option<usize>,
    ether: bool,
    verbose: bool,
    filter: Vec<(bool, Term)>,
}

fn parse(argv: &[String]) -> Result<Ask, Refusal> {
    let mut a = Ask { dev: None, count: None, ether: false, verbose: false, filter: Vec::new() };
    let mut i = 1;
    while i < argv.len() && argv[i].starts_with('-') && argv[i].len() > 1 {
        let cs = argv[i][1..].char_indices();
        let word = argv[i].clone();
        let at = i;
        for (pos, c) in cs {
            let mut value = || {
                let rest = &word[1 + pos + 1..];
                if rest.is_empty() {
                    i += 1;
                    argv.get(i).cloned()
                } else {
                    Some(rest.to_owned())
                }
            };
            match c {
                'n' | 'l' | 'q' | 't' | 'U' | 'p' => {}
                'e' => a.ether = true,
                'v' => a.verbose = true,
                'i' => {
                    let none = || Refusal::new("tcpdump -i without a device", at);
                    a.dev = Some(value().ok_or_else(none)?);
                    break;
                }
                'c' => {
                    let none = || Refusal::new("tcpdump -c without a number", at);
                    a.count = Some(value().and_then(|v| v.parse().ok()).ok_or_else(none)?);
                    break;
                }
                _ => return Err(Refusal::new(format!("tcpdump -{c}"), at)),
            }
        }
        i += 1;
    }
    // The filter may be one quoted word.
    let words: Vec<(usize, String)> = argv[i..]
        .iter()
        .enumerate()
        .flat_map(|(n, w)| w.split_whitespace().map(move |x| (i + n, x.to_owned())).collect::<Vec<_>>())
        .collect();
    let mut w = words.into_iter();
    let mut not = false;
    let mut side = Side::Either;
    while let Some((at, x)) = w.next() {
        let bad = |what: &str| Refusal::new(format!("tcpdump filter \"{what}\""), at);
        let term = match x.as_str() {
            "and" | "&&" => continue,
            "not" | "!" => {
                not = !not;
                continue;
            }
            "src" => {
                side = Side::Src;
                continue;
            }
            "dst" => {
                side = Side::Dst;
                continue;
            }
            "icmp" => Term::Icmp,
            "arp" => Term::Arp,
            "tcp" => Term::Tcp,
            "udp" => Term::Udp,
            "ip" => Term::Ip,
            "port" if side == Side::Either => {
                Term::Port(w.next().and_then(|x| x.1.parse().ok()).ok_or_else(|| bad("port"))?)
            }
            "host" => Term::Host(w.next().and_then(|x| x.1.parse().ok()).ok_or_else(|| bad("host"))?, side),
            other if side != Side::Either => Term::Host(other.parse().map_err(|_| bad(other))?, side),
            other => return Err(bad(other)),
        };
        side = Side::Either;
        a.filter.push((std::mem::take(&mut not), term));
    }
    Ok(a)
}

impl Term {
    fn fits(&self, p: &Packet) -> bool {
        let ip = p.ipv4();
        match self {
            Term::Arp => matches!(p.body, Body::Arp(_)),
            Term::Ip => ip.is_some(),
            Term::Icmp => ip.is_some_and(|i| i.proto() == 1),
            Term::Tcp => ip.is_some_and(|i| i.proto() == 6),
            Term::Udp => ip.is_some_and(|i| i.proto() == 17),
            Term::Port(n) => match ip.map(|i| &i.l4) {
                Some(L4::Tcp(t)) => t.sport == *n || t.dport == *n,
                Some(L4::Udp(u)) => u.sport == *n || u.dport == *n,
                _ => false,
            },
            Term::Host(a, side) => {
                let (s, d) = match &p.body {
                    Body::Ipv4(i) => (i.src, i.dst),
                    Body::Arp(x) => (x.spa, x.tpa),
                    Body::Other(..) => return false,
                };
                (*side != Side::Dst && s == *a) || (*side != Side::Src && d == *a)
            }
        }
    }
}

/// Runs `tcpdump`.
///
/// # Errors
/// Options and filters that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let a = parse(argv)?;
    // As a step it shows what passed since the step before; waiting for what comes it does not.
    if p.background {
        return Err(Refusal::new("tcpdump in the background", 0));
    }
    let k = &p.sess.kernel;
    let any = a.dev.as_deref() == Some("any");
    let dev = match &a.dev {
        Some(_) if any => None,
        Some(d) => match k.dev_by_name(p.ns, d) {
            Some(d) => Some(d),
            None => {
                let line = format!("tcpdump: {d}: No such device exists\n(No such device exists)\n");
                p.err.push_str(&line);
                return Ok(1);
            }
        },
        None => k.devs_of(p.ns).find(|d| d.is_up() && !d.is_loopback()).map(|d| d.id),
    };
    let name = if any { "any".to_owned() } else { dev.map_or_else(|| "any".into(), |d| k.dev(d).name.to_string()) };
    let mut lines = String::new();
    let mut n = 0;
    for e in &k.rec.events[p.sess.marks.previous..] {
        let dir = match e.kind {
            EventKind::Rx => "In ",
            EventKind::Tx => "Out",
            _ => continue,
        };
        let here = e.ns == p.ns && (any || e.dev == dev);
        let Some(packet) = k.rec.packet_at(e).filter(|_| here) else { continue };
        // On `lo` a frame is seen twice; tcpdump shows it once.
        let looped = e.dev.is_some_and(|d: DevId| k.dev(d).is_loopback()) && dir == "Out";
        if looped || !a.filter.iter().all(|(not, t)| t.fits(packet) != *not) {
            continue;
        }
        if a.count.is_some_and(|c| n >= c) {
            break;
        }
        n += 1;
        let us = e.at / 1000;
        let (s, us) = (us / 1_000_000, us % 1_000_000);
        let on = match (any, e.dev) {
            (true, Some(d)) => format!("{:<5} {dir} ", k.dev(d).name),
            _ => String::new(),
        };
        let ether = if a.ether { ether_text(packet) } else { String::new() };
        lines.push_str(&format!(
            "{:02}:{:02}:{:02}.{us:06} {on}{ether}{}\n",
            s / 3600,
            s / 60 % 60,
            s % 60,
            text(packet)
        ));
    }
    p.out.push_str(&lines);
    let kind = if any { "LINUX_SLL2 (Linux cooked v2)" } else { "EN10MB (Ethernet)" };
    p.err.push_str(&format!(
        "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\nlistening on {name}, link-type {kind}, snapshot length 262144 bytes\n{n} packet{} captured\n",
        if n == 1 { "" } else { "s" }
    ));
    let _ = a.verbose;
    Ok(0)
}

fn ether_text(p: &Packet) -> String {
    let dst = if p.dst.is_broadcast() { "Broadcast".to_owned() } else { p.dst.to_string() };
    let (ty, n) = (p.ethertype(), p.frame_len());
    let name = match ty {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        _ => "Unknown",
    };
    format!("{} > {dst}, ethertype {name} (0x{ty:04x}), length {n}: ", p.src)
}

/// A packet as tcpdump writes it.
pub fn text(p: &Packet) -> String {
    match &p.body {
        Body::Arp(a) => arp_text(a, p.ethertype() == 0x0806),
        Body::Ipv4(ip) => ip_text(ip),
        Body::Other(t, b) => format!("ethertype Unknown (0x{t:04x}), length {}", b.len() + 14),
    }
}

fn arp_text(a: &Arp, ether: bool) -> String {
    let prefix = if ether { "ARP, " } else { "" };
    match a.op {
        Arp::REQUEST if a.spa == a.tpa => format!("{prefix}Request who-has {} tell {}, length 28", a.tpa, a.spa),
        Arp::REQUEST => format!("{prefix}Request who-has {} tell {}, length 28", a.tpa, a.spa),
        Arp::REPLY => format!("{prefix}Reply {} is-at {}, length 28", a.spa, a.sha),
        n => format!("{prefix}Unknown ({n}), length 28"),
    }
}

fn ip_text(ip: &Ipv4) -> String {
    let (s, d) = (ip.src, ip.dst);
    match &ip.l4 {
        L4::Icmp(i) => format!("IP {s} > {d}: ICMP {}", icmp_text(i)),
        L4::Udp(u) => format!("IP {s}.{} > {d}.{}: UDP, length {}", u.sport, u.dport, u.payload.len()),
        L4::Tcp(t) => format!("IP {s}.{} > {d}.{}: {}", t.sport, t.dport, tcp_text(t)),
        L4::Raw(17, _) if ip.is_fragment() && ip.frag_off != 0 => format!("IP {s} > {d}: ip-proto-17"),
        L4::Raw(1, _) if ip.is_fragment() => format!("IP {s} > {d}: icmp"),
        L4::Raw(n, b) => format!("IP {s} > {d}:  ip-proto-{n} {}", b.len()),
    }
}

fn icmp_text(i: &Icmp) -> String {
    let n = 8 + i.payload.len();
    let inner = || crate::wire::parse::ipv4(&i.payload);
    let dst = || inner().map_or_else(|| "?".to_owned(), |q| q.dst.to_string());
    match (i.ty, i.code) {
        (8, _) => format!("echo request, id {}, seq {}, length {n}", i.rest >> 16, i.rest & 0xffff),
        (0, _) => format!("echo reply, id {}, seq {}, length {n}", i.rest >> 16, i.rest & 0xffff),
        (3, 0) => format!("net {} unreachable, length {n}", dst()),
        (3, 1) => format!("host {} unreachable, length {n}", dst()),
        (3, 2) => {
            let p = inner().map_or(0, |q| q.proto());
            format!("{} protocol {p} unreachable, length {n}", dst())
        }
        (3, 3) => {
            let (name, port) = match inner().map(|q| q.l4) {
                Some(L4::Udp(u)) => ("udp", u.dport),
                Some(L4::Tcp(t)) => ("tcp", t.dport),
                _ => ("", 0),
            };
            format!("{} {name} port {port} unreachable, length {n}", dst())
        }
        (3, 4) => format!("{} unreachable - need to frag (mtu {}), length {n}", dst(), i.rest & 0xffff),
        (3, 10) => format!("host {} unreachable - admin prohibited, length {n}", dst()),
        (3, 13) => format!("host {} unreachable - admin prohibited filter, length {n}", dst()),
        (5, _) => format!("redirect {} to host {}, length {n}", dst(), Ipv4Addr::from(i.rest)),
        (11, 0) => format!("time exceeded in-transit, length {n}"),
        (11, _) => format!("ip reassembly time exceeded, length {n}"),
        (t, c) => format!("type-#{t} code-#{c}, length {n}"),
    }
}

fn tcp_text(t: &Tcp) -> String {
    let mut f = String::new();
    for (flag, c) in [(TcpFlags::FIN, 'F'), (TcpFlags::SYN, 'S'), (TcpFlags::RST, 'R'), (TcpFlags::PSH, 'P')] {
        if t.flags.contains(flag) {
            f.push(c);
        }
    }
    if t.flags.contains(TcpFlags::ACK) {
        f.push('.');
    }
    let n = t.payload.len();
    let seq = match (n, t.flags.intersects(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST)) {
        (0, false) => String::new(),
        (0, true) => format!("seq {}, ", t.seq),
        _ => format!("seq {}:{}, ", t.seq, t.seq.wrapping_add(n as u32)),
    };
    let ack = if t.flags.contains(TcpFlags::ACK) { format!("ack {}, ", t.ack) } else { String::new() };
    let mut o = Vec::new();
    if let Some(m) = t.opts.mss {
        o.push(format!("mss {m}"));
    }
    match (t.opts.sack_perm, t.opts.ts) {
        (true, Some((v, e))) => o.push(format!("sackOK,TS val {v} ecr {e}")),
        (false, Some((v, e))) => o.push(format!("nop,nop,TS val {v} ecr {e}")),
        (true, None) => o.push("nop,nop,sackOK".into()),
        (false, None) => {}
    }
    if let Some(w) = t.opts.wscale {
        o.push(format!("nop,wscale {w}"));
    }
    let opts = if o.is_empty() { String::new() } else { format!("options [{}], ", o.join(",")) };
    format!("Flags [{f}], {seq}{ack}win {}, {opts}length {n}", t.window)
}

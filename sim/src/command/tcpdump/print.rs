//! Packets as tcpdump 4.99 writes them.

use std::net::Ipv4Addr;

use crate::wire::{Arp, Body, Icmp, Ipv4, L4, Packet, Tcp, TcpFlags};

/// `-e`: the head of the frame.
pub(super) fn ether_text(p: &Packet) -> String {
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

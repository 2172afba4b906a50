//! What a packet costs in a firewall: `firewall rules N PACKETS` sends packets through a FORWARD chain of N rules
//! that all miss, `firewall conntrack N PACKETS` packets of established connections among N entries.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use packetwalk_sim::kernel::Kernel;
use packetwalk_sim::kernel::netfilter::Hook;
use packetwalk_sim::kernel::types::{DevId, HostId, NetnsId};
use packetwalk_sim::kernel::xtables::commit::XtChange;
use packetwalk_sim::kernel::xtables::matches::{Match, TcpMatch};
use packetwalk_sim::kernel::xtables::targets::Target;
use packetwalk_sim::kernel::xtables::{Counters, IpMatch, Rule, TableKind, Variant};
use packetwalk_sim::trace::NoTrace;
use packetwalk_sim::wire::packet::{Body, L4, Udp};
use packetwalk_sim::wire::{Ipv4, MacAddr, Packet, PacketId};

/// A kernel with one namespace and its `lo`.
fn kernel() -> (Kernel<NoTrace>, NetnsId, DevId) {
    let mut k = Kernel::new(1, NoTrace);
    let ns = k.new_netns(HostId(0), "h".into());
    let lo = k.dev_by_name(ns, "lo").expect("a namespace has lo");
    (k, ns, lo)
}

fn packet(n: u32) -> Packet {
    let [_, a, b, c] = n.to_be_bytes();
    let ip = Ipv4 {
        tos: 0,
        id: 0,
        df: true,
        mf: false,
        frag_off: 0,
        ttl: 64,
        src: Ipv4Addr::new(10, a, b, c),
        dst: Ipv4Addr::new(192, 0, 2, 1),
        gso_size: 0,
        options: bytes::Bytes::new(),
        l4: L4::Udp(Udp { sport: 40000, dport: 53, payload: bytes::Bytes::new() }),
    };
    Packet::new(PacketId(n), MacAddr::ZERO, MacAddr::ZERO, Body::Ipv4(ip.into()))
}

/// A rule that asks for another source: every third also for an interface, every third for a port.
fn rule(n: u32) -> Rule {
    let ip = match n % 3 {
        0 => IpMatch { src: 0xac10_0000 | (n & 0xffff), src_mask: u32::MAX, ..IpMatch::default() },
        1 => IpMatch { dst: 0xac10_0000 | (n & 0xffff), dst_mask: u32::MAX, proto: 6, ..IpMatch::default() },
        _ => IpMatch { proto: 6, ..IpMatch::default() },
    };
    let dport = (n % 60_000) as u16;
    let matches = match n % 3 {
        0 => Vec::new(),
        _ => vec![Match::Tcp(TcpMatch { dports: (dport, dport), ..TcpMatch::default() })],
    };
    Rule { ip, matches, target: Target::Drop }
}

fn rules(n: u32, packets: u32) {
    let (mut k, ns, lo) = kernel();
    let table = TableKind::Filter;
    let chain: Arc<str> = "FORWARD".into();
    let mut batch = vec![XtChange::Use { table }];
    batch.extend((0..n).map(|i| XtChange::Append {
        table,
        chain: chain.clone(),
        rule: rule(i),
        counters: Counters::default(),
    }));
    k.xt_commit(ns, Variant::Nft, &batch).expect("the rules are valid");
    let mut through = 0;
    for i in 0..packets {
        let mut p = packet(i);
        through += u32::from(k.forward_hook(lo, lo, &mut p));
    }
    println!("rules {n} packets {packets} passed {through}");
}

fn conntrack(n: u32, packets: u32) {
    let (mut k, ns, lo) = kernel();
    k.ns_mut(ns).sysctl.nf_conntrack_max = n as i32 + 1;
    for i in 0..n {
        let mut p = packet(i);
        k.nf_conntrack_in(ns, Hook::Prerouting, lo, &mut p);
        k.nf_conntrack_confirm(ns, Hook::Postrouting, lo, &mut p);
    }
    let mut found = 0;
    for i in 0..packets {
        // All over the table, never twice the same in a row.
        let mut p = packet((u64::from(i) * 2_654_435_761 % u64::from(n.max(1))) as u32);
        k.nf_conntrack_in(ns, Hook::Prerouting, lo, &mut p);
        found += u32::from(p.nf.ct.is_some());
    }
    println!("entries {n} packets {packets} found {found}");
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| words.get(i).and_then(|w| w.parse::<u32>().ok());
    match (words.first().map(String::as_str), number(1), number(2)) {
        (Some("rules"), Some(n), Some(packets)) => rules(n, packets),
        (Some("conntrack"), Some(n), Some(packets)) if n < 1 << 24 => conntrack(n, packets),
        _ => {
            eprintln!("usage: firewall rules|conntrack N PACKETS (N below 16777216 for conntrack)");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

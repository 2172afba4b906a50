//! N namespaces on one bridge, every one pings every other once. Prints pings, replies, device receptions,
//! seconds, receptions per second and peak memory.
//!
//! `cargo run --release --example pingall -- N [--trace]`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::disallowed_types, reason = "it measures a wall clock")]

use std::net::Ipv4Addr;
use std::time::Instant;

use bytes::Bytes;
use ipnet::Ipv4Net;
use packetwalk_sim::kernel::Kernel;
use packetwalk_sim::kernel::link::IfAddr;
use packetwalk_sim::kernel::mib::MibItem;
use packetwalk_sim::kernel::socket::SockKind;
use packetwalk_sim::kernel::socket::raw::echo_request;
use packetwalk_sim::kernel::softirq::Stepped;
use packetwalk_sim::kernel::types::{NetnsId, SockId};
use packetwalk_sim::op::{LinkChange, LinkSpec, NewLink, Op, OpError, OpReply};
use packetwalk_sim::trace::{NoTrace, Recorder, Trace};

fn link(netns: NetnsId, name: String) -> LinkSpec {
    LinkSpec { up: true, ..LinkSpec::named(netns, &name) }
}

fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + 1 + n)
}

/// Builds the world: a bridge with a veth pair into each namespace, and a raw socket to ping with.
fn build<R: Recorder>(k: &mut Kernel<R>, n: u32) -> Result<Vec<SockId>, OpError> {
    let host = k.add_host("host");
    let root = k.host(host).root_ns;
    let bridge = k.apply(&Op::LinkAdd { spec: link(root, "br0".into()), kind: NewLink::Bridge(vec![]) })?;
    let OpReply::Dev(bridge) = bridge else { unreachable!("a link was added") };
    let mut socks = Vec::new();
    for i in 0..n {
        let OpReply::Netns(ns) = k.apply(&Op::NetnsAdd { host, name: Some(format!("n{i}")), label: None })? else {
            unreachable!("a namespace was added")
        };
        let spec = link(root, format!("v{i}"));
        // A peer cannot be made up: it would be up before it has its own peer (veth_open).
        let kind = NewLink::Veth { peer: LinkSpec { up: false, ..link(ns, "eth0".into()) } };
        let OpReply::Dev(port) = k.apply(&Op::LinkAdd { spec, kind })? else { unreachable!("a link was added") };
        k.apply(&Op::LinkSet { dev: port, changes: vec![LinkChange::Master(Some(bridge))] })?;
        let dev = k.dev_by_name(ns, "eth0").expect("just made");
        k.apply(&Op::LinkSet { dev, changes: vec![LinkChange::Up(true)] })?;
        let addr = IfAddr {
            local: address(i),
            peer: address(i),
            prefix: Ipv4Net::new_assert(address(i), 8).prefix_len(),
            broadcast: None,
            scope: 0,
            secondary: false,
            noprefixroute: false,
            label: String::new(),
        };
        k.apply(&Op::AddrAdd { dev, addr, replace: false })?;
        socks.push(k.sock_new(ns, SockKind::Raw { proto: 255 }, None));
    }
    Ok(socks)
}

/// Peak resident memory in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn run<R: Recorder>(n: u32, rec: R) -> Result<(), OpError> {
    let mut k = Kernel::new(1, rec);
    let socks = build(&mut k, n)?;
    let start = Instant::now();
    let mut pings = 0u64;
    for i in 0..n {
        for j in (0..n).filter(|j| *j != i) {
            let echo = echo_request(i as u16, j as u16, Bytes::from_static(&[0; 56]));
            if k.raw_sendto(socks[i as usize], address(j), echo).is_ok() {
                pings += 1;
            }
            while k.queue.frames_in_flight() > 0 && k.step(u64::MAX) != Stepped::Idle {}
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let replies: u64 = k.netns.iter().map(|n| n.mib.get(MibItem::IcmpInEchoReps)).sum();
    println!(
        "pings {pings} · replies {replies} · receptions {} · {seconds:.3} s · {:.2} million receptions/s · peak {} MiB",
        k.receptions,
        k.receptions as f64 / seconds / 1e6,
        peak_mib()
    );
    Ok(())
}

fn main() -> Result<(), OpError> {
    let mut n = 100;
    let mut trace = false;
    for a in std::env::args().skip(1) {
        match a.as_str() {
            "--trace" => trace = true,
            a => match a.parse() {
                Ok(v) if (2..=60_000).contains(&v) => n = v,
                _ => {
                    eprintln!("usage: pingall N [--trace]   (2 to 60000 namespaces)");
                    std::process::exit(2);
                }
            },
        }
    }
    if trace { run(n, Trace::default()) } else { run(n, NoTrace) }
}

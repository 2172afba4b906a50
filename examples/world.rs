//! Builds a world of H hosts with N namespaces each, every namespace with a veth pair into its host's bridge,
//! an address and a default route. Prints devices, seconds and peak memory.
//!
//! `cargo run --release --example world -- [H] [N]` (100 and 100 where left out)
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::disallowed_types, reason = "it measures a wall clock")]

use std::net::Ipv4Addr;
use std::time::Instant;

use ipnet::Ipv4Net;
use packetwalk_sim::kernel::Kernel;
use packetwalk_sim::kernel::fib::RouteType;
use packetwalk_sim::kernel::link::IfAddr;
use packetwalk_sim::kernel::types::{DevId, NetnsId};
use packetwalk_sim::op::{LinkChange, LinkSpec, NewLink, Op, OpError, OpReply, RouteSpec, RouteVerb};
use packetwalk_sim::trace::NoTrace;

fn link(netns: NetnsId, name: String) -> LinkSpec {
    LinkSpec { up: true, ..LinkSpec::named(netns, &name) }
}

fn dev(r: OpReply) -> DevId {
    let OpReply::Dev(d) = r else { unreachable!("a link was added") };
    d
}

fn address(local: Ipv4Addr, prefix: u8) -> IfAddr {
    IfAddr {
        local,
        peer: local,
        prefix,
        broadcast: None,
        scope: 0,
        secondary: false,
        noprefixroute: false,
        label: String::new(),
    }
}

fn default_route(gw: Ipv4Addr) -> RouteSpec {
    RouteSpec {
        dst: Ipv4Net::default(),
        host_bits: false,
        table: 254,
        kind: RouteType::Unicast,
        proto: None,
        scope: None,
        tos: 0,
        metric: None,
        prefsrc: None,
        via: Some(gw),
        dev: None,
        onlink: false,
        mtu: None,
        advmss: None,
    }
}

fn build(hosts: u32, namespaces: u32) -> Result<Kernel<NoTrace>, OpError> {
    let mut k = Kernel::new(1, NoTrace);
    for h in 0..hosts {
        let host = k.add_host(&format!("host{h}"));
        let root = k.host(host).root_ns;
        let gw = Ipv4Addr::new(10, h as u8, 255, 254);
        let spec = link(root, "br0".into());
        let bridge = dev(k.apply(&Op::LinkAdd { spec, kind: NewLink::Bridge(vec![]) })?);
        k.apply(&Op::AddrAdd { dev: bridge, addr: address(gw, 16), replace: false })?;
        for n in 0..namespaces {
            let OpReply::Netns(ns) = k.apply(&Op::NetnsAdd { host, name: Some(format!("n{n}")), label: None })? else {
                unreachable!("a namespace was added")
            };
            // A peer cannot be made up: it would be up before it has its own peer (veth_open).
            let kind = NewLink::Veth { peer: LinkSpec { up: false, ..link(ns, "eth0".into()) } };
            let port = dev(k.apply(&Op::LinkAdd { spec: link(root, format!("v{n}")), kind })?);
            k.apply(&Op::LinkSet { dev: port, changes: vec![LinkChange::Master(Some(bridge))] })?;
            let eth0 = k.dev_by_name(ns, "eth0").expect("just made");
            k.apply(&Op::LinkSet { dev: eth0, changes: vec![LinkChange::Up(true)] })?;
            let local = Ipv4Addr::new(10, h as u8, (n / 250) as u8, (n % 250 + 1) as u8);
            k.apply(&Op::AddrAdd { dev: eth0, addr: address(local, 16), replace: false })?;
            k.apply(&Op::RouteAdd { netns: ns, verb: RouteVerb::Add, route: default_route(gw) })?;
        }
    }
    Ok(k)
}

fn main() -> Result<(), OpError> {
    let number = |i: usize| std::env::args().nth(i).map_or(Some(100), |v| v.parse().ok().filter(|n| *n <= 250));
    let (Some(hosts), Some(namespaces)) = (number(1), number(2)) else {
        eprintln!("usage: world [HOSTS] [NAMESPACES]   (each at most 250)");
        std::process::exit(2);
    };
    let start = Instant::now();
    let k = build(hosts, namespaces)?;
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM:")).and_then(|l| l.split_whitespace().nth(1));
    let mib = peak.and_then(|v| v.parse::<u64>().ok()).unwrap_or(0) / 1024;
    println!(
        "hosts {hosts} · namespaces {} · devices {} · {seconds:.3} s · peak {mib} MiB",
        k.netns.len(),
        k.devs.len()
    );
    Ok(())
}

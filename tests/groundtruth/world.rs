//! The hosts of a recording, built in the recorder's order (`up`, `start_holder` and `wire` of
//! `lab.py`). The order shows: a setting under `default` counts for a NIC that comes after it, and a
//! LAN floods to the newest cable first.

use std::net::Ipv4Addr;

use packetwalk_sim::app::Program;
use packetwalk_sim::app::serve::Serve;
use packetwalk_sim::docker::{Config, Profile};
use packetwalk_sim::kernel::link::IfAddr;
use packetwalk_sim::kernel::types::{HostId, MSEC, NetnsId};
use packetwalk_sim::op::{BridgeSet, LinkChange, LinkSpec, NewLink, Op, RouteSpec, RouteVerb};
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, SWITCH, mac_of};
use packetwalk_sim::shell::run_line;
use packetwalk_sim::wire::MacAddr;
use serde_json::Value;

use crate::recording::{list, text};

/// From a command before it to a daemon's first rule.
const DAEMON_STARTS: u64 = 1_050 * MSEC;

/// What the recorder pins, because a namespace inherits it from wherever it was made.
const PINNED: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
    ("net.ipv6.conf.all.accept_ra", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
];

/// The release of iptables that its hosts had, as `iptables --version` told it. Where no host has an engine it was not
/// asked, and is that of the engine's system.
fn iptables(json: &Value) -> String {
    let told =
        json["versions"]["iptables"].as_str().and_then(|v| v.split_whitespace().find_map(|w| w.strip_prefix('v')));
    let of_system = if json["engine"] == "28.5" { "1.8.13" } else { "1.8.9" };
    told.unwrap_or(of_system).to_owned()
}

/// Builds the hosts of a recording.
///
/// # Errors
/// The sentence to show where the model cannot.
pub fn build(json: &Value) -> Result<Session, String> {
    let mut s = Session::new(1);
    s.set_iptables(iptables(json).leak());
    s.v6 = true;
    let empty = serde_json::Map::new();
    let hosts = json["hosts"].as_object().unwrap_or(&empty);
    let sw = s.kernel.add_switch(SWITCH);
    up(&mut s, sw, "lo")?;
    for host in hosts.values() {
        for nic in nics(host) {
            let lan = text(&nic.1["lan"]);
            if s.kernel.dev_by_name(sw, lan).is_none() {
                let kind = NewLink::Bridge(vec![BridgeSet::McastSnooping(false)]);
                op(&mut s, &Op::LinkAdd { spec: LinkSpec { up: true, ..named(sw, lan) }, kind })?;
            }
        }
    }
    for (name, host) in hosts {
        holder(&mut s, name, host)?;
    }
    for (i, (name, host)) in hosts.iter().enumerate() {
        let (id, ns) = s.place(name)?;
        debug_assert_eq!(id, HostId(i as u32));
        for (n, (dev, nic)) in nics(host).into_iter().enumerate() {
            wire(&mut s, Cable { host: name, hosts: hosts.len(), ns, sw, dev, n }, nic)
                .map_err(|e| format!("{name}:{dev}: {e}"))?;
        }
    }
    for (name, host) in hosts {
        serve(&mut s, name, host)?;
        name_server(&mut s, name, host)?;
    }
    for (name, _) in hosts.iter().filter(|(_, h)| h["etcd"].as_bool() == Some(true)) {
        let (id, _) = s.place(name)?;
        s.start_etcd(id)?;
    }
    let profile = Profile::parse(text(&json["engine"])).unwrap_or_default();
    for (name, host) in hosts.iter().filter(|(_, h)| h["docker"].as_bool() == Some(true)) {
        let flags: Vec<String> = list(&host["flags"]).iter().map(|f| text(f).to_owned()).collect();
        let config = Config::from_flags(&flags, profile).map_err(|e| format!("{name}: {e}"))?;
        let (id, ns) = s.place(name)?;
        for line in list(&host["prestart"]) {
            run_line(&mut s, id, ns, text(line));
        }
        if !list(&host["prestart"]).is_empty() {
            // A daemon takes its time: by then a bridge that was just made has said what it has to say.
            s.advance(DAEMON_STARTS);
        }
        // A daemon that does not start is part of the recording (`daemon_errors`).
        let _ = s.start_docker(id, profile, config);
    }
    if s.clusters.iter().any(|c| !c.is_swarm()) {
        // By the time that the recorder begins, the engines of a store have found each other.
        s.advance(DAEMON_STARTS);
    }
    Ok(s)
}

fn nics(host: &Value) -> Vec<(&str, &Value)> {
    host["nics"].as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), v)).collect()
}

fn holder(s: &mut Session, name: &str, host: &Value) -> Result<(), String> {
    let sysctls = PINNED.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let own = host["sysctl"].as_object().into_iter().flatten().map(|(k, v)| {
        let v = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        (k.clone(), v)
    });
    let sysctls = sysctls.chain(own).collect();
    let id = s.add_host(&HostSpec { name: name.to_owned(), sysctls, ..HostSpec::default() })?;
    let ns = s.kernel.host(id).root_ns;
    let ip = nics(host).first().map_or("", |(_, n)| text(&n["ip"])).split('/').next().unwrap_or("");
    let mut names = "127.0.0.1\tlocalhost\n".to_owned();
    if !ip.is_empty() {
        names.push_str(&format!("{ip}\t{name}\n"));
    }
    let resolv = host["resolv"].as_str().unwrap_or("nameserver 192.168.91.1\n").to_owned();
    s.files.entry(id).or_default();
    for (path, content) in [("/etc/hosts", names), ("/etc/resolv.conf", resolv), ("/etc/hostname", format!("{name}\n"))]
    {
        s.write_file(id, ns, path, &content, false).map_err(|e| format!("{path}: {}", e.strerror()))?;
    }
    Ok(())
}

/// Where a cable goes.
struct Cable<'a> {
    host: &'a str,
    hosts: usize,
    ns: NetnsId,
    sw: NetnsId,
    dev: &'a str,
    n: usize,
}

fn wire(s: &mut Session, c: Cable<'_>, nic: &Value) -> Result<(), String> {
    let mut port = format!("{}-{}", c.host, c.dev);
    port.truncate(15);
    let ip = address(text(&nic["ip"]))?;
    let mac: MacAddr = match (nic["mac"].as_str(), ip) {
        (Some(m), _) => m.parse().map_err(|_| format!("bad MAC {m}"))?,
        (None, Some((a, _))) => mac_of(a),
        (None, None) => MacAddr([0x52, 0x54, 0, 0xff, c.n as u8, c.hosts as u8]),
    };
    let peer = LinkSpec { mac: Some(mac), ..named(c.ns, c.dev) };
    op(s, &Op::LinkAdd { spec: named(c.sw, &port), kind: NewLink::Veth { peer } })?;
    let find = |s: &Session, ns, name: &str| s.kernel.dev_by_name(ns, name).ok_or(format!("there is no {name}"));
    let (far, near) = (find(s, c.sw, &port)?, find(s, c.ns, c.dev)?);
    let lan = find(s, c.sw, text(&nic["lan"]))?;
    op(s, &Op::LinkSet { dev: far, changes: vec![LinkChange::Master(Some(lan)), LinkChange::Up(true)] })?;
    if let Some(mtu) = nic["mtu"].as_u64() {
        // The recorder sets the host's end only.
        op(s, &Op::LinkSet { dev: near, changes: vec![LinkChange::Mtu(mtu as u32)] })?;
    }
    if let Some((local, prefix)) = ip {
        let addr = IfAddr::new(local, prefix);
        op(s, &Op::AddrAdd { dev: near, addr, replace: false })?;
    }
    if nic["up"].as_bool() != Some(false) {
        up(s, c.ns, c.dev)?;
    }
    if let Some(gw) = nic["gw"].as_str() {
        let via = Some(gw.parse().map_err(|_| format!("bad gateway {gw}"))?);
        let route = RouteSpec::default_route(via, Some(near));
        op(s, &Op::RouteAdd { netns: c.ns, verb: RouteVerb::Add, route })?;
    }
    Ok(())
}

fn serve(s: &mut Session, name: &str, host: &Value) -> Result<(), String> {
    let mut ports = Vec::new();
    for p in list(&host["serve"]) {
        let w = p.as_str().map_or_else(|| p.to_string(), str::to_owned);
        let (port, udp) = w.strip_suffix("/udp").map_or((w.as_str(), false), |p| (p, true));
        ports.push((udp, port.trim_end_matches("/tcp").parse().map_err(|_| format!("bad port {w}"))?));
    }
    if !ports.is_empty() {
        let (id, ns) = s.place(name)?;
        let pid = s.new_pid(id, ns, "serve");
        s.spawn(id, ns, pid, "serve", Program::Serve(Serve::new(ports)));
    }
    Ok(())
}

fn name_server(s: &mut Session, name: &str, host: &Value) -> Result<(), String> {
    let Some(zone) = host["dns"].as_object() else { return Ok(()) };
    let entry =
        |(k, v): (&String, &Value)| text(v).parse().map(|a| (k.clone(), a)).map_err(|_| format!("bad address {v}"));
    let zone = zone.iter().map(entry).collect::<Result<_, _>>()?;
    let (id, _) = s.place(name)?;
    s.start_named(id, zone)
}

fn address(text: &str) -> Result<Option<(Ipv4Addr, u8)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (a, p) = text.split_once('/').unwrap_or((text, "24"));
    let bad = || format!("bad address {text}");
    Ok(Some((a.parse().map_err(|_| bad())?, p.parse().map_err(|_| bad())?)))
}

fn named(netns: NetnsId, name: &str) -> LinkSpec {
    LinkSpec::named(netns, name)
}

fn up(s: &mut Session, ns: NetnsId, name: &str) -> Result<(), String> {
    let dev = s.kernel.dev_by_name(ns, name).ok_or_else(|| format!("there is no {name}"))?;
    op(s, &Op::LinkSet { dev, changes: vec![LinkChange::Up(true)] })
}

fn op(s: &mut Session, op: &Op) -> Result<(), String> {
    s.kernel.apply(op).map(|_| ()).map_err(|e| e.to_string())
}

//! What the kernel shows as files: `/sys/class/net`, `/proc/net`, `/run/netns`.

use crate::kernel::bridge::PortState;
use crate::kernel::link::{Device, IfFlags};
use crate::kernel::neigh::Nud;
use crate::kernel::types::{Errno, HostId, NetnsId, Pid};
use crate::op::{LinkChange, Op};
use crate::session::Session;

const PORT_FILES: &[&str] = &[
    "state",
    "path_cost",
    "priority",
    "port_no",
    "hairpin_mode",
    "learning",
    "unicast_flood",
    "multicast_flood",
    "broadcast_flood",
    "isolated",
    "bpdu_guard",
    "neigh_suppress",
];
const BRIDGE_FILES: &[&str] = &[
    "ageing_time",
    "stp_state",
    "forward_delay",
    "multicast_snooping",
    "nf_call_iptables",
    "nf_call_arptables",
    "group_fwd_mask",
    "priority",
];
const DEV_FILES: &[&str] = &[
    "address",
    "addr_assign_type",
    "broadcast",
    "carrier",
    "carrier_changes",
    "flags",
    "ifalias",
    "ifindex",
    "mtu",
    "operstate",
    "tx_queue_len",
    "type",
    "iflink",
    "dev_id",
];
const STATS: &[&str] = &[
    "rx_packets",
    "rx_bytes",
    "rx_dropped",
    "rx_errors",
    "multicast",
    "tx_packets",
    "tx_bytes",
    "tx_dropped",
    "tx_errors",
];

/// `brif/PORT` below a bridge is a link to the port's own `brport`.
fn of_port(s: &Session, ns: NetnsId, path: &str) -> Option<String> {
    let (bridge, rest) = path.strip_prefix("/sys/class/net/")?.split_once("/brif/")?;
    let (port, file) = rest.split_once('/').map_or((rest, ""), |x| x);
    let (b, p) = (s.kernel.dev_by_name(ns, bridge)?, s.kernel.dev_by_name(ns, port)?);
    let file = if file.is_empty() { String::new() } else { format!("/{file}") };
    (s.kernel.dev(p).master == Some(b)).then(|| format!("/sys/class/net/{port}/brport{file}"))
}

/// The text of a live file; `None` where the path is none.
pub(super) fn read(s: &Session, host: HostId, ns: NetnsId, path: &str) -> Option<Result<String, Errno>> {
    if let Some(own) = of_port(s, ns, path) {
        return read(s, host, ns, &own);
    }
    if let Some(rest) = path.strip_prefix("/sys/class/net/") {
        let (dev, file) = rest.split_once('/')?;
        let Some(id) = s.kernel.dev_by_name(ns, dev) else { return Some(Err(Errno::ENOENT)) };
        let d = s.kernel.dev(id);
        return match sys_class_net(s, d, file) {
            Some(r) => Some(r.map(|t| format!("{t}\n"))),
            None if list(s, host, ns, path).is_some() => Some(Err(Errno::EISDIR)),
            None => Some(Err(Errno::ENOENT)),
        };
    }
    let text = match path {
        "/etc/hostname"
            if s.roots.contains_key(&ns) || s.vfs(host, ns).is_some_and(|v| v.entries.contains_key(path)) =>
        {
            return None;
        }
        "/etc/hostname" => format!("{}\n", s.kernel.host(host).name),
        "/etc/hosts" => {
            if s.vfs(host, ns).is_some_and(|v| v.entries.contains_key(path)) {
                return None;
            }
            format!("127.0.0.1\tlocalhost\n127.0.1.1\t{}\n", s.kernel.host(host).name)
        }
        "/proc/net/arp" => arp(s, ns),
        "/proc/net/dev" => dev(s, ns),
        "/proc/net/route" => route(s, ns),
        "/proc/uptime" => format!("{}.{:02} 0.00\n", s.kernel.now() / 1_000_000_000, s.kernel.now() / 10_000_000 % 100),
        _ => return None,
    };
    Some(Ok(text))
}

/// Writes a live file; `None` where the path is none that can be written.
pub(super) fn write(s: &mut Session, ns: NetnsId, path: &str, text: &str) -> Option<Result<(), Errno>> {
    if let Some(own) = of_port(s, ns, path) {
        return write(s, ns, &own, text);
    }
    let rest = path.strip_prefix("/sys/class/net/")?;
    let (dev, file) = rest.split_once('/')?;
    let Some(dev) = s.kernel.dev_by_name(ns, dev) else { return Some(Err(Errno::ENOENT)) };
    if text.is_empty() {
        return Some(Ok(()));
    }
    use crate::op::{BridgeSet, PortSet};
    let text = text.trim();
    let Ok(n) = text.parse::<u64>() else { return Some(Err(Errno::EINVAL)) };
    let change = match file {
        "mtu" => LinkChange::Mtu(n as u32),
        "tx_queue_len" => LinkChange::Txqlen(n as u32),
        "brport/hairpin_mode" => LinkChange::Port(PortSet::Hairpin(n != 0)),
        "brport/isolated" => LinkChange::Port(PortSet::Isolated(n != 0)),
        "brport/learning" => LinkChange::Port(PortSet::Learning(n != 0)),
        "brport/unicast_flood" => LinkChange::Port(PortSet::Flood(n != 0)),
        "brport/multicast_flood" => LinkChange::Port(PortSet::McastFlood(n != 0)),
        "brport/broadcast_flood" => LinkChange::Port(PortSet::BcastFlood(n != 0)),
        "brport/path_cost" => LinkChange::Port(PortSet::Cost(n as u32)),
        "bridge/ageing_time" => LinkChange::Bridge(BridgeSet::AgeingTime(n * 10_000_000)),
        "bridge/stp_state" => LinkChange::Bridge(BridgeSet::Stp(n != 0)),
        "bridge/nf_call_iptables" => LinkChange::Bridge(BridgeSet::NfCallIptables(n != 0)),
        "bridge/multicast_snooping" => LinkChange::Bridge(BridgeSet::McastSnooping(n != 0)),
        "bridge/flush" => LinkChange::Bridge(BridgeSet::FdbFlush),
        _ => return Some(Err(Errno::EACCES)),
    };
    let op = Op::LinkSet { dev, changes: vec![change] };
    Some(s.kernel.apply(&op).map(|_| ()).map_err(|e| e.errno))
}

/// Names in a live directory; `None` where the path is none.
pub(super) fn list(s: &Session, host: HostId, ns: NetnsId, path: &str) -> Option<Vec<String>> {
    if let Some(own) = of_port(s, ns, path) {
        return list(s, host, ns, &own);
    }
    let own = |l: &[&str]| l.iter().map(|x| (*x).to_owned()).collect::<Vec<_>>();
    match path {
        "/run/netns" => {
            let h = s.kernel.host(host);
            return (!h.named.is_empty()).then(|| h.named.keys().cloned().collect());
        }
        "/run/docker/netns" => {
            let e = s.engines.get(&host)?;
            return Some(e.netns_files());
        }
        "/proc/net" => return Some(own(&["arp", "dev", "route"])),
        "/proc/sys" => return Some(Vec::new()),
        "/sys/class" => return Some(own(&["net"])),
        "/sys/class/net" => return Some(s.kernel.devs_of(ns).map(|d| d.name.to_string()).collect()),
        _ => {}
    }
    if let Some(rest) = path.strip_prefix("/proc/") {
        let (pid, rest) = rest.split_once('/').map_or((rest, None), |(a, b)| (a, Some(b)));
        let known =
            matches!(pid, "self" | "1") || pid.parse().ok().is_some_and(|n| s.ns_of_pid(host, Pid(n)).is_some());
        return match rest {
            None if known => Some(own(&["ns"])),
            Some("ns") if known => Some(own(&["net"])),
            _ => None,
        };
    }
    let rest = path.strip_prefix("/sys/class/net/")?;
    let (dev, sub) = rest.split_once('/').map_or((rest, ""), |x| x);
    let d = s.kernel.dev(s.kernel.dev_by_name(ns, dev)?);
    match sub {
        "" => {
            let mut all = own(DEV_FILES);
            all.push("statistics".into());
            if d.bridge().is_some() {
                all.extend(["bridge".into(), "brif".into()]);
            }
            if d.master.is_some() {
                all.push("brport".into());
            }
            Some(all)
        }
        "statistics" => Some(own(STATS)),
        "bridge" => d.bridge().map(|_| own(BRIDGE_FILES)),
        "brif" => d.bridge().map(|b| b.ports.iter().map(|p| s.kernel.dev(*p).name.to_string()).collect()),
        "brport" => d.port.as_ref().map(|_| own(PORT_FILES)),
        _ => None,
    }
}

fn sys_class_net(s: &Session, d: &Device, file: &str) -> Option<Result<String, Errno>> {
    let b = |x: bool| u8::from(x).to_string();
    let text = match file {
        "address" => d.mac.to_string(),
        "addr_assign_type" => match d.mac_assign {
            crate::kernel::link::AddrAssign::Perm => "0".into(),
            crate::kernel::link::AddrAssign::Random => "1".into(),
            crate::kernel::link::AddrAssign::Stolen => "2".into(),
            crate::kernel::link::AddrAssign::Set => "3".into(),
        },
        "broadcast" => if d.is_loopback() { "00:00:00:00:00:00" } else { "ff:ff:ff:ff:ff:ff" }.into(),
        // A device that is down tells nothing about its carrier.
        "carrier" if !d.is_up() => return Some(Err(Errno::EINVAL)),
        "carrier" => b(d.carrier),
        "carrier_changes" => d.stats.carrier_changes.to_string(),
        "dev_id" => "0x0".into(),
        "flags" => format!("0x{:x}", d.flags.bits()),
        "ifalias" => d.alias.clone().unwrap_or_default(),
        "ifindex" => d.ifindex.to_string(),
        "iflink" => s.kernel.iflink_index(d).unwrap_or(d.ifindex).to_string(),
        "mtu" => d.mtu.to_string(),
        "operstate" => d.operstate.as_str().to_ascii_lowercase(),
        "tx_queue_len" => d.txqlen.to_string(),
        "type" => if d.is_loopback() { "772" } else { "1" }.into(),
        _ => {
            let (dir, name) = file.split_once('/')?;
            match (dir, d.bridge(), d.port.as_deref()) {
                ("statistics", ..) => match name {
                    "rx_packets" => d.stats.rx_packets,
                    "rx_bytes" => d.stats.rx_bytes,
                    "rx_dropped" => d.stats.rx_dropped,
                    "rx_errors" => d.stats.rx_errors,
                    "multicast" => d.stats.multicast,
                    "tx_packets" => d.stats.tx_packets,
                    "tx_bytes" => d.stats.tx_bytes,
                    "tx_dropped" => d.stats.tx_dropped,
                    "tx_errors" => d.stats.tx_errors,
                    _ => return None,
                }
                .to_string(),
                ("bridge", Some(br), _) => match name {
                    "ageing_time" => (br.ageing_time / 10_000_000).to_string(),
                    "stp_state" => b(br.stp),
                    "forward_delay" => (br.forward_delay / 10_000_000).to_string(),
                    "multicast_snooping" => b(br.mcast_snooping),
                    "nf_call_iptables" => b(br.nf_call_iptables),
                    "nf_call_arptables" => b(br.nf_call_arptables),
                    "group_fwd_mask" => format!("0x{:x}", br.group_fwd_mask),
                    "priority" => br.priority.to_string(),
                    _ => return None,
                },
                ("brport", _, Some(p)) => match name {
                    "state" => (p.state as u8).to_string(),
                    "path_cost" => p.cost.to_string(),
                    "priority" => p.priority.to_string(),
                    "port_no" => format!("0x{:x}", p.port_no),
                    "hairpin_mode" => b(p.hairpin),
                    "learning" => b(p.learning),
                    "unicast_flood" => b(p.flood),
                    "multicast_flood" => b(p.mcast_flood),
                    "broadcast_flood" => b(p.bcast_flood),
                    "isolated" => b(p.isolated),
                    "bpdu_guard" => b(p.guard),
                    "neigh_suppress" => b(p.neigh_suppress),
                    _ => return None,
                },
                _ => return None,
            }
        }
    };
    debug_assert!(PortState::Forwarding as u8 == 3);
    Some(Ok(text))
}

fn arp(s: &Session, ns: NetnsId) -> String {
    let mut out = "IP address       HW type     Flags       HW address            Mask     Device\n".to_owned();
    // `NEIGH_SEQ_SKIP_NOARP`.
    for ((dev, ip), n) in s.kernel.ns(ns).neigh.entries.iter().filter(|(_, n)| n.nud != Nud::Noarp) {
        let flags = match n.nud {
            Nud::Permanent => 6,
            x if x.is_valid() => 2,
            _ => 0,
        };
        let name = s.kernel.dev(*dev).name;
        out.push_str(&format!("{:<16} 0x{:<10x}0x{:<10x}{}     *        {name}\n", ip.to_string(), 1, flags, n.lladdr));
    }
    out
}

fn dev(s: &Session, ns: NetnsId) -> String {
    let mut out = String::from(
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
    );
    for d in s.kernel.devs_of(ns) {
        let t = &d.stats;
        out.push_str(&format!(
            "{:>6}: {:7} {:7} {:4} {:4} {:4} {:5} {:10} {:9} {:8} {:7} {:4} {:4} {:4} {:5} {:7} {:10}\n",
            d.name.as_str(),
            t.rx_bytes,
            t.rx_packets,
            t.rx_errors,
            t.rx_dropped,
            0,
            0,
            0,
            t.multicast,
            t.tx_bytes,
            t.tx_packets,
            t.tx_errors,
            t.tx_dropped,
            0,
            0,
            0,
            0
        ));
    }
    out
}

fn route(s: &Session, ns: NetnsId) -> String {
    let mut out =
        format!("{:<127}\n", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    let hex = |a: std::net::Ipv4Addr| format!("{:08X}", u32::from_le_bytes(a.octets()));
    let Some(main) = s.kernel.ns(ns).fib.tables.get(&crate::kernel::fib::table::MAIN) else { return out };
    for r in main.routes.iter().flat_map(|(_, l)| l) {
        let name = r.dev.map_or("*".to_owned(), |d| s.kernel.dev(d).name.to_string());
        let up = r.dev.is_none_or(|d| s.kernel.dev(d).flags.contains(IfFlags::UP));
        let flags = u32::from(up) | if r.via.is_some() { 2 } else { 0 } | if r.dst.prefix_len() == 32 { 4 } else { 0 };
        let line = format!(
            "{name}\t{}\t{}\t{flags:04X}\t0\t0\t{}\t{}\t0\t0\t0",
            hex(r.dst.network()),
            hex(r.via.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED)),
            r.metric,
            hex(r.dst.netmask())
        );
        out.push_str(&format!("{line:<127}\n"));
    }
    out
}

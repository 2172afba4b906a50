//! What `ip link show` and the head of `ip addr show` print (ip/ipaddress.c).

use serde_json::Value;

use super::args::{Bad, invarg};
use super::link::Show;
use super::link_json::{brief_json, fwd_mask, json_head, stats64};
use super::{Globals, print_json};
use crate::command::Proc;
use crate::kernel::Kernel;
use crate::kernel::bridge::{BrPort, Bridge, PortState};
use crate::kernel::link::{DevKind, Device, IfFlags, IfLink};
use crate::trace::Trace;
use crate::wire::MacAddr;

/// Flags as `ip` lists them.
pub fn flags(k: &Kernel<Trace>, d: &Device) -> Vec<&'static str> {
    let mut f = Vec::new();
    if d.is_up() && !d.is_oper_up() {
        f.push("NO-CARRIER");
    }
    for (flag, name) in [
        (IfFlags::LOOPBACK, "LOOPBACK"),
        (IfFlags::BROADCAST, "BROADCAST"),
        (IfFlags::MULTICAST, "MULTICAST"),
        (IfFlags::NOARP, "NOARP"),
        (IfFlags::ALLMULTI, "ALLMULTI"),
        (IfFlags::PROMISC, "PROMISC"),
        (IfFlags::UP, "UP"),
    ] {
        if d.flags.contains(flag) {
            f.push(name);
        }
    }
    if d.is_lower_up() {
        f.push("LOWER_UP");
    }
    let peer = k.iflink(d).filter(|l| l.netns == d.netns).and_then(|l| l.dev);
    let peer_down = peer.is_some_and(|p| !k.dev(p).is_up());
    if peer_down {
        f.push("M-DOWN");
    }
    f
}

/// The state that `ip` prints: DOWN for whatever is not up.
pub fn state(d: &Device) -> &'static str {
    if d.is_up() { d.operstate.as_str() } else { "DOWN" }
}

/// Name with the other end: `eth0@if3`.
pub fn full_name(k: &Kernel<Trace>, d: &Device) -> String {
    match k.iflink(d) {
        Some(IfLink { netns, dev: Some(p), .. }) if netns == d.netns => format!("{}@{}", d.name, k.dev(p).name),
        Some(l) => format!("{}@if{}", d.name, l.ifindex),
        None => d.name.to_string(),
    }
}

pub(super) fn qdisc(d: &Device) -> &'static str {
    if d.was_up { "noqueue" } else { "noop" }
}

/// The devices that `show` asks for.
pub fn wanted<'k>(p: &'k Proc<'_>, s: &Show) -> Result<Vec<&'k Device>, Bad> {
    let k = &p.sess.kernel;
    if let Some(n) = &s.dev
        && k.dev_by_name(p.ns, n).is_none()
    {
        return Err(Bad::Say(format!("Device \"{n}\" does not exist.\n"), 1));
    }
    let master = match &s.master {
        Some(m) => {
            let no = || invarg("Device does not exist\n", m);
            Some(k.dev_by_name(p.ns, m).ok_or_else(no)?)
        }
        None => None,
    };
    Ok(k.devs_of(p.ns)
        .filter(|d| s.dev.as_deref().is_none_or(|n| d.name.as_str() == n))
        .filter(|d| !s.up || d.is_up())
        .filter(|d| master.is_none() || d.master == master)
        .filter(|d| !s.nomaster || d.master.is_none())
        .filter(|d| s.group.is_none_or(|g| d.group == g))
        .filter(|d| match s.kind.as_deref() {
            Some("bridge_slave") => d.master.is_some(),
            Some(t) => d.info_kind() == Some(t),
            None => true,
        })
        .collect())
}

/// One device is asked about by itself, and the kernel brings its state up to date first; a list is told as it is.
pub(super) fn sync(p: &mut Proc<'_>, s: &Show) {
    if let Some(d) = s.dev.as_ref().and_then(|n| p.sess.kernel.dev_by_name(p.ns, n)) {
        p.sess.kernel.rtnl_getlink(d);
    }
}

pub(super) fn show(p: &mut Proc<'_>, g: &Globals, s: &Show) -> Result<i32, Bad> {
    sync(p, s);
    let k = &p.sess.kernel;
    let devs = wanted(p, s)?;
    let mut text = String::new();
    let mut list = Vec::new();
    for d in devs {
        if g.json {
            let mut o = if g.brief { brief_json(k, d) } else { json_head(k, d, g, true) };
            if g.stats > 0 && !g.brief {
                o.insert("stats64".into(), stats64(d, g));
            }
            list.push(Value::Object(o));
        } else if g.brief {
            let f = flags(k, d).join(",");
            text.push_str(&format!("{:<16} {:<14} {} <{f}> \n", full_name(k, d), state(d), d.mac));
        } else {
            text.push_str(&head(k, p.host_of(), d, g, true));
            if g.stats > 0 {
                text.push_str(g.nl());
                text.push_str(&stats(d, g));
            }
            text.push('\n');
        }
    }
    if g.json {
        print_json(p, g, &Value::Array(list));
    }
    p.out.push_str(&text);
    Ok(0)
}

/// The first lines about a device, without the newline at the end.
pub fn head(k: &Kernel<Trace>, host: crate::kernel::types::HostId, d: &Device, g: &Globals, mode: bool) -> String {
    let nl = g.nl();
    let mut s =
        format!("{}: {}: <{}> mtu {} qdisc {}", d.ifindex, full_name(k, d), flags(k, d).join(","), d.mtu, qdisc(d));
    if let Some(m) = d.master {
        s.push_str(&format!(" master {}", k.dev(m).name));
    }
    s.push_str(&format!(" state {}", state(d)));
    if mode {
        s.push_str(" mode DEFAULT");
    }
    let group = if d.group == 0 { "default".to_owned() } else { d.group.to_string() };
    s.push_str(&format!(" group {group} "));
    // A length of 0 is not told.
    if d.txqlen != 0 {
        s.push_str(&format!("qlen {}", d.txqlen));
    }
    s.push_str(nl);
    let brd = if d.is_loopback() { MacAddr::ZERO } else { MacAddr::BROADCAST };
    let ty = if d.is_loopback() { "loopback" } else { "ether" };
    s.push_str(&format!("    link/{ty} {} brd {brd}", d.mac));
    if let Some(text) = far_netns(k, host, d) {
        s.push_str(&text);
    }
    if g.details {
        s.push_str(&details(k, d, g, mode));
    }
    // `ip addr` does not tell it.
    if mode && let Some(a) = &d.alias {
        s.push_str(&format!("{nl}    alias {a}"));
    }
    s
}

/// `link-netns NAME`, or `link-netnsid N` where the other namespace has no name here.
pub(super) fn far_netns(k: &Kernel<Trace>, host: crate::kernel::types::HostId, d: &Device) -> Option<String> {
    let far = k.iflink(d)?.netns;
    if far == d.netns {
        return None;
    }
    let id = k.ns(d.netns).nsids.get(far)?;
    let names = &k.host(host).named;
    // Names are looked up from the namespace that `ip` runs in, which knows ids of its own only.
    match names.iter().find(|(_, ns)| **ns == far) {
        Some((n, _)) => Some(format!(" link-netns {n}")),
        None => Some(format!(" link-netnsid {id}")),
    }
}

/// How often the device was asked to take every frame, and every multicast frame: by its bridge, and by hand.
pub(super) fn promiscuity(d: &Device) -> (u32, u32) {
    let port = u32::from(d.master.is_some());
    let flag = |f| u32::from(d.flags.contains(f));
    // Addresses of macvlans are let in by taking every frame.
    let uc = u32::from(!d.macvlans.is_empty());
    (port + uc + flag(IfFlags::PROMISC), port + flag(IfFlags::ALLMULTI))
}

/// `minmtu` and `maxmtu`.
pub(super) fn mtu_range(d: &Device) -> (u32, u32) {
    if d.is_loopback() { (0, 0) } else { (68, 65535) }
}

/// `8000.2:0:0:0:ff:1`, as iproute2 writes a bridge id.
fn bridge_id(prio: u16, mac: MacAddr) -> String {
    let m: Vec<String> = mac.0.iter().map(|b| format!("{b:x}")).collect();
    format!("{prio:04x}.{}", m.join(":"))
}

pub(super) fn id_of(b: &Bridge, d: &Device) -> String {
    use crate::kernel::link::AddrAssign;
    // Without a port and without an address set by hand the id was never computed.
    let none = b.ports.is_empty() && d.mac_assign == AddrAssign::Random;
    bridge_id(b.priority, if none { MacAddr::ZERO } else { d.mac })
}

/// The line of `-d` for a kind of link.
fn details(k: &Kernel<Trace>, d: &Device, g: &Globals, mode: bool) -> String {
    let nl = g.nl();
    let (lo, hi) = mtu_range(d);
    let (n, m) = promiscuity(d);
    let mut s = format!(" promiscuity {n}  allmulti {m} minmtu {lo} maxmtu {hi} ");
    match d.info_kind() {
        Some("bridge") => {
            if let Some(b) = d.bridge() {
                s.push_str(&format!("{nl}    {} ", bridge_text(b, d)));
            }
        }
        Some("vxlan") => {
            if let Some(v) = d.vxlan() {
                s.push_str(&format!("{nl}    {}", super::vxlan::text(k, d, v)));
            }
        }
        Some(kind) => {
            s.push_str(&format!("{nl}    {kind} "));
            if let DevKind::Macvlan { mode, .. } = d.kind {
                s.push_str(&format!("mode {} bcqueuelen 1000 usedbcqueuelen 1000 ", mode.as_str()));
            }
        }
        None => {}
    }
    if d.master.is_some() {
        s.push_str(&format!("{nl}    {} ", slave_text(k, d)));
    }
    if mode {
        s.push_str("addrgenmode eui64 ");
    }
    s.push_str(&format!(
        "numtxqueues {} numrxqueues {} gso_max_size 65536 gso_max_segs 65535 \
         tso_max_size {} tso_max_segs 65535 gro_max_size 65536 ",
        d.num_tx_queues,
        d.num_rx_queues,
        tso_max(k, d)
    ));
    s
}

/// Largest super-packet that the device below can cut (`tso_max_size`), in bytes.
pub(super) fn tso_max(k: &Kernel<Trace>, d: &Device) -> u32 {
    match &d.kind {
        DevKind::Vxlan(v) => v.cfg.lower.map_or(65536, |l| tso_max(k, k.dev(l))),
        DevKind::Macvlan { lower, .. } => tso_max(k, k.dev(*lower)),
        DevKind::Bridge(b) if !b.gso_limits_set => 65536,
        DevKind::Bridge(b) => b.ports.iter().map(|p| tso_max(k, k.dev(*p))).min().unwrap_or(524_280),
        _ => 524_280,
    }
}

/// Nanoseconds as hundredths of a second.
pub(super) fn ticks(ns: u64) -> u64 {
    ns / 10_000_000
}

fn bridge_text(b: &Bridge, d: &Device) -> String {
    let id = id_of(b, d);
    format!(
        "bridge forward_delay {} hello_time 200 max_age 2000 ageing_time {} stp_state {} priority {} vlan_filtering 0 \
         bridge_id {id} designated_root {id} root_port 0 root_path_cost 0 topology_change 0 topology_change_detected 0 \
         hello_timer    0.00 tcn_timer    0.00 topology_change_timer    0.00 gc_timer    0.00 group_fwd_mask {} \
         group_address 01:80:c2:00:00:00 mcast_snooping {} no_linklocal_learn 0 mcast_vlan_snooping 0 mcast_router 1 \
         mcast_query_use_ifaddr 0 mcast_querier 0 mcast_hash_elasticity 16 mcast_hash_max 4096 \
         mcast_last_member_count 2 mcast_startup_query_count 2 mcast_last_member_interval 100 \
         mcast_membership_interval 26000 mcast_querier_interval 25500 mcast_query_interval 12500 \
         mcast_query_response_interval 1000 mcast_startup_query_interval 3124 mcast_stats_enabled 0 \
         mcast_igmp_version 2 mcast_mld_version 1 nf_call_iptables {} nf_call_ip6tables {} nf_call_arptables {}",
        ticks(b.forward_delay),
        ticks(b.ageing_time),
        u8::from(b.stp),
        b.priority,
        fwd_mask(b.group_fwd_mask),
        u8::from(b.mcast_snooping),
        u8::from(b.nf_call_iptables),
        u8::from(b.nf_call_ip6tables),
        u8::from(b.nf_call_arptables),
    )
}

fn slave_text(k: &Kernel<Trace>, d: &Device) -> String {
    let (Some(p), Some(m)) = (&d.port, d.master) else { return String::new() };
    let id = k.dev(m).bridge().map(|b| id_of(b, k.dev(m))).unwrap_or_default();
    let on = |b: bool| if b { "on" } else { "off" };
    let port = port_id(p);
    format!(
        "bridge_slave state {} priority {} cost {} hairpin {} guard {} root_block off fastleave off learning {} \
         flood {} port_id {port:#x} port_no {:#x} designated_port {port} designated_cost 0 designated_bridge {id} \
         designated_root {id} hold_timer    0.00 message_age_timer    0.00 forward_delay_timer    0.00 \
         topology_change_ack 0 config_pending 0 proxy_arp off proxy_arp_wifi off mcast_router 1 mcast_fast_leave off \
         mcast_flood {} bcast_flood {} mcast_to_unicast off neigh_suppress {} group_fwd_mask 0 group_fwd_mask_str 0x0 \
         vlan_tunnel off isolated {} locked {}",
        port_state(p.state),
        p.priority,
        p.cost,
        on(p.hairpin),
        on(p.guard),
        on(p.learning),
        on(p.flood),
        p.port_no,
        on(p.mcast_flood),
        on(p.bcast_flood),
        on(p.neigh_suppress),
        on(p.isolated),
        on(p.locked),
    )
}

/// Priority and number of a port in one (`br_make_port_id`).
pub(super) fn port_id(p: &BrPort) -> u32 {
    (u32::from(p.priority) << 10) | u32::from(p.port_no)
}

fn port_state(s: PortState) -> &'static str {
    s.as_str()
}

/// Right-aligned columns under their names.
pub(super) fn stats(d: &Device, g: &Globals) -> String {
    let nl = g.nl();
    let s = &d.stats;
    let rx = [s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped, 0, s.multicast];
    let tx = [s.tx_bytes, s.tx_packets, s.tx_errors, s.tx_dropped, 0, 0];
    let w = |names: [&str; 6], v: [u64; 6]| -> (String, String) {
        let mut h = String::new();
        let mut l = String::new();
        for (n, x) in names.iter().zip(v) {
            let w = n.len().max(x.to_string().len());
            h.push_str(&format!("{n:>w$} "));
            l.push_str(&format!("{:>w$} ", if g.human { human(x) } else { x.to_string() }));
        }
        (h, l)
    };
    let rxn = [" bytes", "packets", "errors", "dropped", " missed", "  mcast"];
    let txn = [" bytes", "packets", "errors", "dropped", "carrier", "collsns"];
    let ((a, b), (c, e)) = (w(rxn, rx), w(txn, tx));
    let mut out = format!("    RX: {a}          {nl}        {b}");
    if g.stats > 1 {
        out.push_str(&format!("{nl}    RX errors:  length    crc   frame    fifo overrun{nl}        "));
        out.push_str("             0      0       0       0       0 ");
    }
    out.push_str(&format!("{nl}    TX: {c}          {nl}        {e}"));
    if g.stats > 1 {
        let n = s.carrier_changes;
        out.push_str(&format!("{nl}    TX errors: aborted   fifo  window heartbt transns{nl}        "));
        out.push_str(&format!("             0      0       0       0 {n:>7} "));
    }
    out
}

/// A number with two digits behind the point at most, and k, M, G … (`print_num`).
fn human(n: u64) -> String {
    if n < 1000 {
        return n.to_string();
    }
    let (mut unit, mut names) = (1000, "MGTPE".chars());
    let mut name = 'k';
    while n / 1000 >= unit {
        let Some(next) = names.next() else { break };
        (unit, name) = (unit * 1000, next);
    }
    let digits = if n / unit < 10 { 2 } else { usize::from(n / unit < 100) };
    format!("{:.digits$}{name}", n as f64 / unit as f64)
}

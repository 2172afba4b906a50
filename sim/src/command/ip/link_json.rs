//! A device as `ip -j link` and `ip -j addr` write it.

use serde_json::{Map, Value, json};

use super::Globals;
use super::link_show::{flags, id_of, mtu_range, port_id, promiscuity, qdisc, state, ticks, tso_max};
use crate::kernel::Kernel;
use crate::kernel::link::{DevKind, Device};
use crate::kernel::types::NetnsId;
use crate::trace::Trace;
use crate::wire::MacAddr;

type Object = Map<String, Value>;

/// Adds the fields of an object literal.
fn extend(o: &mut Object, v: Value) {
    if let Value::Object(m) = v {
        o.extend(m);
    }
}

/// With `-br`.
pub(super) fn brief_json(k: &Kernel<Trace>, d: &Device) -> Object {
    let mut o = brief_name(k, d);
    o.insert("address".into(), json!(d.mac));
    o.insert("flags".into(), json!(flags(k, d)));
    o
}

/// Name, other end and state.
pub(super) fn brief_name(k: &Kernel<Trace>, d: &Device) -> Object {
    let mut o = Map::new();
    link_of(k, d, &mut o);
    o.insert("ifname".into(), json!(d.name.as_str()));
    o.insert("operstate".into(), json!(state(d)));
    o
}

fn link_of(k: &Kernel<Trace>, d: &Device, o: &mut Object) {
    let Some(l) = k.iflink(d) else { return };
    match l.dev.filter(|_| l.netns == d.netns) {
        Some(p) => o.insert("link".into(), json!(k.dev(p).name.as_str())),
        None => o.insert("link_index".into(), json!(l.ifindex)),
    };
}

/// A device as `ip -j link` writes it (`mode`), or as the head of `ip -j addr`; with `-d` its kind too.
pub fn json_head(k: &Kernel<Trace>, d: &Device, g: &Globals, mode: bool) -> Object {
    let mut o = Map::new();
    o.insert("ifindex".into(), json!(d.ifindex));
    link_of(k, d, &mut o);
    extend(&mut o, json!({"ifname": d.name.as_str(), "flags": flags(k, d), "mtu": d.mtu, "qdisc": qdisc(d)}));
    if let Some(m) = d.master {
        o.insert("master".into(), json!(k.dev(m).name.as_str()));
    }
    o.insert("operstate".into(), json!(state(d)));
    if mode {
        o.insert("linkmode".into(), json!("DEFAULT"));
    }
    o.insert("group".into(), json!(if d.group == 0 { "default".to_owned() } else { d.group.to_string() }));
    if d.txqlen != 0 {
        o.insert("txqlen".into(), json!(d.txqlen));
    }
    o.insert("link_type".into(), json!(if d.is_loopback() { "loopback" } else { "ether" }));
    o.insert("address".into(), json!(d.mac));
    o.insert("broadcast".into(), json!(if d.is_loopback() { MacAddr::ZERO } else { MacAddr::BROADCAST }));
    if let Some(id) = far_id(k, d) {
        o.insert("link_netnsid".into(), json!(id));
    }
    if g.details {
        let (lo, hi) = mtu_range(d);
        let (promisc, allmulti) = promiscuity(d);
        extend(&mut o, json!({"promiscuity": promisc, "allmulti": allmulti, "min_mtu": lo, "max_mtu": hi}));
        if let Some(info) = link_info(k, d) {
            o.insert("linkinfo".into(), info);
        }
        if mode {
            o.insert("inet6_addr_gen_mode".into(), json!("eui64"));
        }
        extend(
            &mut o,
            json!({
                "num_tx_queues": d.num_tx_queues, "num_rx_queues": d.num_rx_queues, "gso_max_size": 65536, "gso_max_segs": 65535,
                "tso_max_size": tso_max(k, d), "tso_max_segs": 65535, "gro_max_size": 65536
            }),
        );
    }
    if mode && let Some(a) = &d.alias {
        o.insert("ifalias".into(), json!(a));
    }
    o
}

/// The counters that `-s` adds, twice for all of them.
pub(super) fn stats64(d: &Device, g: &Globals) -> Value {
    let s = &d.stats;
    let mut rx = json!({
        "bytes": s.rx_bytes, "packets": s.rx_packets, "errors": s.rx_errors, "dropped": s.rx_dropped,
        "over_errors": 0, "multicast": s.multicast
    });
    let mut tx = json!({
        "bytes": s.tx_bytes, "packets": s.tx_packets, "errors": s.tx_errors, "dropped": s.tx_dropped,
        "carrier_errors": 0, "collisions": 0
    });
    if g.stats > 1 {
        if let Value::Object(o) = &mut rx {
            let more = ["length_errors", "crc_errors", "frame_errors", "fifo_errors", "missed_errors"];
            o.extend(more.map(|n| (n.to_owned(), json!(0))));
        }
        if let Value::Object(o) = &mut tx {
            o.extend(
                ["aborted_errors", "fifo_errors", "window_errors", "heartbeat_errors"]
                    .map(|n| (n.to_owned(), json!(0))),
            );
            o.insert("carrier_changes".into(), json!(s.carrier_changes));
        }
    }
    json!({"rx": rx, "tx": tx})
}

fn far_id(k: &Kernel<Trace>, d: &Device) -> Option<u32> {
    let far: NetnsId = k.iflink(d)?.netns;
    k.ns(d.netns).nsids.get(far).filter(|_| far != d.netns)
}

/// The mask in hexadecimal, 0 without a prefix, as `ip` writes it.
pub(super) fn fwd_mask(m: u16) -> String {
    if m == 0 { "0".into() } else { format!("{m:#x}") }
}

fn link_info(k: &Kernel<Trace>, d: &Device) -> Option<Value> {
    let mut o = Map::new();
    o.insert("info_kind".into(), json!(d.info_kind()?));
    if let Some(b) = d.bridge() {
        let id = id_of(b, d);
        let mut data = Map::new();
        extend(
            &mut data,
            json!({
                "forward_delay": ticks(b.forward_delay), "hello_time": 200, "max_age": 2000,
                "ageing_time": ticks(b.ageing_time), "stp_state": u8::from(b.stp), "priority": b.priority,
                "vlan_filtering": 0, "bridge_id": id, "root_id": id, "root_port": 0, "root_path_cost": 0,
                "topology_change": 0, "topology_change_detected": 0, "hello_timer": 0.0, "tcn_timer": 0.0,
                "topology_change_timer": 0.0, "gc_timer": 0.0, "group_fwd_mask": fwd_mask(b.group_fwd_mask),
                "group_addr": "01:80:c2:00:00:00"
            }),
        );
        extend(
            &mut data,
            json!({
                "mcast_snooping": u8::from(b.mcast_snooping), "no_linklocal_learn": 0, "mcast_vlan_snooping": 0,
                "mcast_router": 1, "mcast_query_use_ifaddr": 0, "mcast_querier": 0, "mcast_hash_elasticity": 16,
                "mcast_hash_max": 4096, "mcast_last_member_cnt": 2, "mcast_startup_query_cnt": 2,
                "mcast_last_member_intvl": 100, "mcast_membership_intvl": 26000, "mcast_querier_intvl": 25500,
                "mcast_query_intvl": 12500, "mcast_query_response_intvl": 1000,
                "mcast_startup_query_intvl": 3124, "mcast_stats_enabled": 0, "mcast_igmp_version": 2,
                "mcast_mld_version": 1, "nf_call_iptables": u8::from(b.nf_call_iptables),
                "nf_call_ip6tables": u8::from(b.nf_call_ip6tables), "nf_call_arptables": u8::from(b.nf_call_arptables)
            }),
        );
        o.insert("info_data".into(), Value::Object(data));
    }
    if let Some(v) = d.vxlan() {
        o.insert("info_data".into(), super::vxlan::info_data(k, d, v));
    }
    if let DevKind::Macvlan { mode, .. } = d.kind {
        let v = json!({"mode": mode.as_str(), "bcqueuelen": 1000, "usedbcqueuelen": 1000});
        o.insert("info_data".into(), v);
    }
    if let (Some(p), Some(m)) = (&d.port, d.master) {
        let id = k.dev(m).bridge().map(|b| id_of(b, k.dev(m))).unwrap_or_default();
        let port = port_id(p);
        let mut data = Map::new();
        extend(
            &mut data,
            json!({
                "state": p.state.as_str(), "priority": p.priority, "cost": p.cost, "hairpin": p.hairpin,
                "guard": p.guard, "root_block": false, "fastleave": false, "learning": p.learning, "flood": p.flood,
                "id": format!("{port:#x}"), "no": format!("{:#x}", p.port_no), "designated_port": port,
                "designated_cost": 0, "bridge_id": id, "root_id": id, "hold_timer": 0.0, "message_age_timer": 0.0,
                "forward_delay_timer": 0.0, "topology_change_ack": 0, "config_pending": 0
            }),
        );
        extend(
            &mut data,
            json!({
                "proxy_arp": false, "proxy_arp_wifi": false, "multicast_router": 1, "mcast_flood": p.mcast_flood,
                "bcast_flood": p.bcast_flood, "mcast_to_unicast": false, "neigh_suppress": p.neigh_suppress,
                "group_fwd_mask": "0", "group_fwd_mask_str": "0x0", "vlan_tunnel": false, "isolated": p.isolated,
                "locked": p.locked
            }),
        );
        o.insert("info_slave_kind".into(), json!("bridge"));
        o.insert("info_slave_data".into(), Value::Object(data));
    }
    Some(Value::Object(o))
}

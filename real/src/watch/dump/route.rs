//! `ip -j route show table all`, IPv4.

use packetwalk_sim::etc;
use serde_json::{Map, Value, json};

use super::link::Links;
use super::{names, put};
use crate::netlink::attr::{self, Attr, Table};
use crate::netlink::{Netlink, NlError, Request};

const GETROUTE: u16 = 26;
const NEWROUTE: u16 = 24;
/// Length of `struct rtmsg`.
const HEADER: usize = 12;
/// Length of `struct rtnexthop`.
const NEXTHOP: usize = 8;
const UNICAST: u8 = 1;
const MAIN: u32 = 254;
const BOOT: u8 = 3;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;
/// One beyond the highest attribute that is looked at.
const RTA: usize = 31;
/// `print_rt_flags` of iproute2, in its order.
const FLAGS: [(u32, &str); 8] = [
    (1, "dead"),
    (4, "onlink"),
    (2, "pervasive"),
    (8, "offload"),
    (64, "trap"),
    (0x1000, "notify"),
    (16, "linkdown"),
    (32, "unresolved"),
];
/// `RTAX_*`, those that are plain numbers.
const METRICS: [(u16, &str); 11] = [
    (2, "mtu"),
    (3, "window"),
    (6, "ssthresh"),
    (7, "cwnd"),
    (8, "advmss"),
    (9, "reordering"),
    (10, "hoplimit"),
    (11, "initcwnd"),
    (14, "initrwnd"),
    (15, "quickack"),
    (17, "fastopen_no_cookie"),
];

/// Every route, in the kernel's order.
pub fn routes(rt: &mut Netlink, all: &Links<'_>) -> Result<Value, NlError> {
    let mut header = [0; HEADER];
    header[0] = names::INET;
    let dump = rt.dump(&Request::new(GETROUTE, 0, &header))?;
    Ok(dump.iter().filter(|m| m.kind == NEWROUTE && m.body.len() >= HEADER).map(|m| route(all, m.body)).collect())
}

/// `print_route`.
fn route(all: &Links<'_>, body: &[u8]) -> Value {
    let [_, dst_len, src_len, tos, table, proto, scope, kind, ..] = *body else { return Value::Null };
    let t = Table::<RTA>::new(&body[HEADER..]);
    let mut o = Map::new();
    if kind != UNICAST {
        put(&mut o, "type", names::rtntype(kind));
    }
    put(&mut o, "dst", net(t.get(RTA_DST), dst_len).unwrap_or_else(|| "default".to_owned()));
    if let Some(from) = net(t.get(RTA_SRC), src_len) {
        put(&mut o, "from", from);
    }
    if tos != 0 {
        put(&mut o, "tos", format!("0x{tos:02x}"));
    }
    next_hop(all, &t, &mut o);
    let table = t.get(RTA_TABLE).map_or(table.into(), |a| a.u32());
    if table != MAIN {
        put(&mut o, "table", etc::rt_table_name(table));
    }
    if proto != BOOT {
        put(&mut o, "protocol", etc::rt_proto_name(proto));
    }
    if scope != 0 {
        put(&mut o, "scope", etc::rt_scope_name(scope));
    }
    if let Some(src) = t.get(RTA_PREFSRC) {
        put(&mut o, "prefsrc", names::ip(src.value));
    }
    if let Some(metric) = t.get(RTA_PRIORITY) {
        put(&mut o, "metric", metric.u32());
    }
    let marks = flags(attr::u32_at(body, 8));
    if !marks.is_empty() {
        put(&mut o, "flags", marks);
    }
    if let Some(m) = t.get(RTA_METRICS) {
        put(&mut o, "metrics", json!([metrics(m)]));
    }
    if let Some(id) = t.get(RTA_NH_ID) {
        put(&mut o, "nhid", id.u32());
    }
    if let Some(m) = t.get(RTA_MULTIPATH) {
        put(&mut o, "nexthops", nexthops(all, m.value));
    }
    Value::Object(o)
}

/// A destination or source with its length: none for all, a single one without.
fn net(addr: Option<Attr<'_>>, len: u8) -> Option<String> {
    match (addr, len) {
        (Some(a), 32) => Some(names::ip(a.value)),
        (Some(a), n) => Some(format!("{}/{n}", names::ip(a.value))),
        (None, 0) => None,
        (None, n) => Some(format!("0/{n}")),
    }
}

fn next_hop(all: &Links<'_>, t: &Table<'_, RTA>, o: &mut Map<String, Value>) {
    if let Some(via) = t.get(RTA_GATEWAY) {
        put(o, "gateway", names::ip(via.value));
    }
    if let Some(via) = t.get(RTA_VIA) {
        let family = if attr::u16_at(via.value, 0) == u16::from(names::INET6) { "inet6" } else { "inet" };
        put(o, "via", json!({"family": family, "host": names::ip(via.value.get(2..).unwrap_or_default())}));
    }
    if let Some(dev) = t.get(RTA_OIF) {
        put(o, "dev", all.name(dev.u32()));
    }
}

fn flags(f: u32) -> Vec<&'static str> {
    FLAGS.iter().filter(|(bit, _)| f & bit != 0).map(|(_, name)| *name).collect()
}

/// `print_rta_metrics`; that one is locked, iproute2 6.1 does not say in JSON.
fn metrics(m: Attr<'_>) -> Value {
    let mut o = Map::new();
    for a in m.nested() {
        if let Some((_, name)) = METRICS.iter().find(|(kind, _)| *kind == a.kind) {
            put(&mut o, name, a.u32());
        }
    }
    Value::Object(o)
}

/// `print_rta_multipath`: `struct rtnexthop` (length, flags, hops, interface) and attributes, one after the other.
fn nexthops(all: &Links<'_>, mut rest: &[u8]) -> Value {
    let mut out = Vec::new();
    while rest.len() >= NEXTHOP {
        let len = usize::from(attr::u16_at(rest, 0));
        let Some(inner) = rest.get(NEXTHOP..len) else { break };
        let mut o = Map::new();
        next_hop(all, &Table::new(inner), &mut o);
        put(&mut o, "dev", all.name(attr::u32_at(rest, 4)));
        put(&mut o, "weight", u32::from(rest[3]) + 1);
        put(&mut o, "flags", flags(rest[2].into()));
        out.push(Value::Object(o));
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Value::Array(out)
}

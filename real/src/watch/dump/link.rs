//! `ip -j -d link`, less what never varies.

use serde_json::{Map, Value, json};

use super::{names, put};
use crate::netlink::attr::{self, Attr, Table, Write};
use crate::netlink::{Dump, Netlink, NlError, Request};

const GETLINK: u16 = 18;
const NEWLINK: u16 = 16;
/// Length of `struct ifinfomsg`.
const HEADER: usize = 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
const IFLA_IFNAME: u16 = 3;
pub const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
pub const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
pub const IFLA_AF_SPEC: u16 = 26;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_PROMISCUITY: u16 = 30;
const IFLA_LINK_NETNSID: u16 = 37;
const ARPHRD_LOOPBACK: u16 = 772;
/// One beyond the highest attribute that is looked at.
const IFLA: usize = 38;
/// `RTEXT_FILTER_SKIP_STATS`: no packet counters.
const SKIP_STATS: u32 = 8;

const IFF_UP: u32 = 1;
const IFF_RUNNING: u32 = 0x40;
/// `print_link_flags` of iproute2, in its order.
const FLAGS: [(u32, &str); 18] = [
    (0x8, "LOOPBACK"),
    (0x2, "BROADCAST"),
    (0x10, "POINTOPOINT"),
    (0x1000, "MULTICAST"),
    (0x80, "NOARP"),
    (0x200, "ALLMULTI"),
    (0x100, "PROMISC"),
    (0x400, "MASTER"),
    (0x800, "SLAVE"),
    (0x4, "DEBUG"),
    (0x8000, "DYNAMIC"),
    (0x4000, "AUTOMEDIA"),
    (0x2000, "PORTSEL"),
    (0x20, "NOTRAILERS"),
    (IFF_UP, "UP"),
    (0x1_0000, "LOWER_UP"),
    (0x2_0000, "DORMANT"),
    (0x4_0000, "ECHO"),
];

/// Asks for all links.
pub fn ask(rt: &mut Netlink) -> Result<Dump, NlError> {
    let mut r = Request::new(GETLINK, 0, &[0; HEADER]);
    r.body.put_u32(IFLA_EXT_MASK, SKIP_STATS);
    rt.dump(&r)
}

/// The bridge's view of its ports is a dump of its own.
pub fn ask_ports(rt: &mut Netlink) -> Result<Dump, NlError> {
    let mut header = [0; HEADER];
    header[0] = names::BRIDGE;
    rt.dump(&Request::new(GETLINK, 0, &header))
}

/// A link of a dump.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// `ifi_index`.
    pub index: u32,
    /// `ifi_flags`.
    pub flags: u32,
    /// `ifi_type`.
    kind: u16,
    /// Its attributes.
    pub attrs: Table<'a, IFLA>,
}

impl<'a> Link<'a> {
    /// Reads `struct ifinfomsg` and what follows.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let attrs = Table::new(body.get(HEADER..)?);
        Some(Link { index: attr::u32_at(body, 4), flags: attr::u32_at(body, 8), kind: attr::u16_at(body, 2), attrs })
    }

    /// `IFLA_IFNAME`.
    pub fn name(&self) -> &'a str {
        self.attrs.get(IFLA_IFNAME).map_or("", |a| a.str())
    }

    /// `lo`, or a veth that is nobody's port: it forwards to no address, and would hear everything if it had been given
    /// one more of its own (`dev_uc_add`, by a macvlan above it).
    pub fn is_without_addresses(&self) -> bool {
        let info = self.attrs.get(IFLA_LINKINFO).map(|i| Table::<2>::new(i.value));
        let plain = self.kind == ARPHRD_LOOPBACK || info.and_then(|i| i.get(1)).is_some_and(|k| k.str() == "veth");
        let free = self.attrs.get(IFLA_MASTER).is_none();
        plain && free && self.attrs.get(IFLA_PROMISCUITY).is_some_and(|a| a.u32() == 0)
    }
}

/// All links of a namespace: their names are what every other dump needs.
pub struct Links<'a>(pub Vec<Link<'a>>);

impl<'a> Links<'a> {
    /// The links of a dump.
    pub fn new(dump: &'a Dump) -> Self {
        Links(dump.iter().filter(|m| m.kind == NEWLINK).filter_map(|m| Link::read(m.body)).collect())
    }

    fn find(&self, index: u32) -> Option<&Link<'a>> {
        self.0.iter().find(|l| l.index == index)
    }

    /// Name of a link, or `ifN` (`ll_index_to_name`).
    pub fn name(&self, index: u32) -> String {
        self.find(index).map_or_else(|| format!("if{index}"), |l| l.name().to_owned())
    }

    /// Whether a link of this index is here and down.
    fn is_down(&self, index: u32) -> bool {
        self.find(index).is_some_and(|l| l.flags & IFF_UP == 0)
    }
}

/// Every device.
pub fn links(all: &Links<'_>) -> Value {
    all.0.iter().map(|l| link(all, l)).collect()
}

/// `print_linkinfo` of iproute2's `ip`.
fn link(all: &Links<'_>, l: &Link<'_>) -> Value {
    let mut o = Map::new();
    let text = |kind| l.attrs.get(kind).map(|a: Attr<'_>| names::mac(a.value));
    name_and_flags(all, l, &mut o);
    if let Some(master) = l.attrs.get(IFLA_MASTER) {
        put(&mut o, "master", all.name(master.u32()));
    }
    put(&mut o, "operstate", operstate(l.attrs.get(IFLA_OPERSTATE).map_or(0, |a| a.u8())));
    put(&mut o, "link_type", link_type(l.kind));
    if let Some(mac) = text(IFLA_ADDRESS) {
        put(&mut o, "address", mac);
    }
    if let Some(mac) = text(IFLA_BROADCAST) {
        if l.flags & 0x10 != 0 {
            put(&mut o, "link_pointtopoint", true);
        }
        put(&mut o, "broadcast", mac);
    }
    if let Some(id) = l.attrs.get(IFLA_LINK_NETNSID) {
        put(&mut o, "link_netnsid", id.i32());
    }
    if let Some(info) = l.attrs.get(IFLA_LINKINFO).map(|a| linkinfo(all, a)).filter(|i| !i.is_empty()) {
        put(&mut o, "linkinfo", info);
    }
    if let Some(alias) = l.attrs.get(IFLA_IFALIAS) {
        put(&mut o, "ifalias", alias.str());
    }
    Value::Object(o)
}

/// What `ip link` and `bridge link` begin with: index, what it is tied to, name, flags, MTU.
pub fn name_and_flags(all: &Links<'_>, l: &Link<'_>, o: &mut Map<String, Value>) {
    put(o, "ifindex", l.index);
    let mut m_down = false;
    if let Some(tied) = l.attrs.get(IFLA_LINK).map(|a| a.u32()) {
        if tied == 0 {
            put(o, "link", Value::Null);
        } else if l.attrs.get(IFLA_LINK_NETNSID).is_some() {
            put(o, "link_index", tied);
        } else {
            put(o, "link", all.name(tied));
            m_down = all.is_down(tied);
        }
    }
    put(o, "ifname", l.name());
    put(o, "flags", flags(l.flags, m_down));
    put(o, "mtu", l.attrs.get(IFLA_MTU).map_or(0, |a| a.u32()));
}

fn flags(f: u32, m_down: bool) -> Value {
    let mut out = Vec::new();
    if f & IFF_UP != 0 && f & IFF_RUNNING == 0 {
        out.push("NO-CARRIER");
    }
    out.extend(FLAGS.iter().filter(|(bit, _)| f & bit != 0).map(|(_, name)| *name));
    if m_down {
        out.push("M-DOWN");
    }
    out.into()
}

fn operstate(n: u8) -> Value {
    const NAMES: [&str; 7] = ["UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"];
    NAMES.get(usize::from(n)).map_or_else(|| json!(n), |s| json!(s))
}

/// `ll_type_n2a`, for what a scenario can have.
fn link_type(kind: u16) -> Value {
    match kind {
        1 => "ether".into(),
        768 => "ipip".into(),
        769 => "tunnel6".into(),
        ARPHRD_LOOPBACK => "loopback".into(),
        776 => "sit".into(),
        778 => "gre".into(),
        0xfffe => "none".into(),
        n => format!("[{n}]").into(),
    }
}

/// `print_linktype` of iproute2; what a port of a bridge is, the bridge's own dump tells.
fn linkinfo(all: &Links<'_>, a: Attr<'_>) -> Map<String, Value> {
    let mut o = Map::new();
    let attrs = Table::<5>::new(a.value);
    let data = attrs.get(2).map_or(&[][..], |a| a.value);
    if let Some(kind) = attrs.get(1) {
        put(&mut o, "info_kind", kind.str());
        match kind.str() {
            "bridge" => put(&mut o, "info_data", bridge(data)),
            "vxlan" => put(&mut o, "info_data", vxlan(all, data)),
            "macvlan" => put(&mut o, "info_data", macvlan(data)),
            _ => {}
        }
    }
    if let Some(slave) = attrs.get(4) {
        put(&mut o, "info_slave_kind", slave.str());
    }
    o
}

/// `bridge_print_opt`, as far as a recording keeps it. Ageing time in ticks of 1/100 s.
fn bridge(data: &[u8]) -> Value {
    let t = Table::<39>::new(data);
    let n = |kind| t.get(kind).map_or(0, |a| a.u32());
    let b = |kind| t.get(kind).map_or(0, |a| a.u8());
    let id = t.get(11).and_then(|a| a.value.first_chunk::<8>().copied()).unwrap_or_default();
    let [p, q, m @ ..] = id;
    json!({
        "ageing_time": n(4),
        "stp_state": n(5),
        "vlan_filtering": b(7),
        "bridge_id": format!("{p:02x}{q:02x}.{:x}:{:x}:{:x}:{:x}:{:x}:{:x}", m[0], m[1], m[2], m[3], m[4], m[5]),
        "group_fwd_mask": names::hex(t.get(9).map_or(0, |a| a.u16()).into()),
        "mcast_snooping": b(23),
        "nf_call_iptables": b(36),
        "nf_call_ip6tables": b(37),
        "nf_call_arptables": b(38),
    })
}

/// `vxlan_print_opt`.
fn vxlan(all: &Links<'_>, data: &[u8]) -> Value {
    let t = Table::<31>::new(data);
    let mut o = Map::new();
    let on = |kind| t.get(kind).is_some_and(|a| a.u8() != 0);
    for (kind, name) in [(25, "external"), (30, "vnifilter")] {
        if on(kind) {
            put(&mut o, name, true);
        }
    }
    let Some(id) = t.get(1) else { return Value::Object(o) };
    put(&mut o, "id", id.u32());
    if let Some(group) = t.get(2).filter(|a| a.u32() != 0) {
        let multicast = group.value.first().is_some_and(|b| b >> 4 == 0xe);
        put(&mut o, if multicast { "group" } else { "remote" }, names::ip(group.value));
    }
    if let Some(local) = t.get(4).filter(|a| a.u32() != 0) {
        put(&mut o, "local", names::ip(local.value));
    }
    if let Some(lower) = t.get(3).filter(|a| a.u32() != 0) {
        put(&mut o, "link", all.name(lower.u32()));
    }
    if let Some(range) = t.get(10) {
        let at = |i| u16::from_be(attr::u16_at(range.value, i));
        put(&mut o, "port_range", json!({"low": at(0), "high": at(2)}));
    }
    put(&mut o, "port", t.get(15).map_or(0, |a| a.be16()));
    put(&mut o, "learning", on(7));
    for (kind, name) in [(11, "proxy"), (12, "rsc"), (13, "l2miss"), (14, "l3miss")] {
        if on(kind) {
            put(&mut o, name, true);
        }
    }
    if let Some(tos) = t.get(6).filter(|a| a.u8() != 0) {
        put(&mut o, "tos", names::hex(tos.u8().into()));
    }
    if !on(28) {
        put(&mut o, "ttl", t.get(5).map_or(0, |a| a.u8()));
    }
    if let Some(df) = t.get(29) {
        put(&mut o, "df", ["unset", "set", "inherit"].get(usize::from(df.u8())).copied().unwrap_or("unset"));
    }
    if let Some(label) = t.get(26).filter(|a| a.u32() != 0) {
        put(&mut o, "label", names::hex(label.be32()));
    }
    put(&mut o, "ageing", t.get(8).map_or(0, |a| a.u32()));
    if let Some(limit) = t.get(9).filter(|a| a.u32() != 0) {
        put(&mut o, "limit", limit.u32());
    }
    for (kind, name) in [(18, "udp_csum"), (19, "udp_zero_csum6_tx"), (20, "udp_zero_csum6_rx")] {
        put(&mut o, name, on(kind));
    }
    for (kind, name) in [(21, "remcsum_tx"), (22, "remcsum_rx"), (23, "gbp"), (27, "gpe")] {
        if t.get(kind).is_some_and(|a| a.value.is_empty() || a.u8() != 0) {
            put(&mut o, name, true);
        }
    }
    Value::Object(o)
}

/// `macvlan_print_opt`.
fn macvlan(data: &[u8]) -> Value {
    let t = Table::<9>::new(data);
    let mode = match t.get(1).map_or(0, |a| a.u32()) {
        1 => "private",
        2 => "vepa",
        4 => "bridge",
        8 => "passthru",
        16 => "source",
        _ => "unknown",
    };
    let flags = t.get(2).map_or(0, |a| a.u16());
    let mut o = Map::new();
    put(&mut o, "mode", mode);
    for (bit, name) in [(1, "nopromisc"), (2, "nodst")] {
        if flags & bit != 0 {
            put(&mut o, name, true);
        }
    }
    for (kind, name) in [(7, "bcqueuelen"), (8, "usedbcqueuelen")] {
        if let Some(a) = t.get(kind) {
            put(&mut o, name, a.u32());
        }
    }
    Value::Object(o)
}

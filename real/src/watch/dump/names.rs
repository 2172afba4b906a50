//! Numbers by the names that iproute2 has for them, and addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

/// `AF_INET`.
pub const INET: u8 = 2;
/// `AF_BRIDGE`.
pub const BRIDGE: u8 = 7;
/// `AF_INET6`.
pub const INET6: u8 = 10;

/// `/etc/iproute2/rt_scopes`.
pub fn scope(s: u8) -> String {
    match s {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        n => n.to_string(),
    }
}

/// `/etc/iproute2/rt_tables`.
pub fn table(t: u32) -> String {
    match t {
        253 => "default".to_owned(),
        254 => "main".to_owned(),
        255 => "local".to_owned(),
        n => n.to_string(),
    }
}

/// `/etc/iproute2/rt_protos`.
pub fn proto(p: u8) -> String {
    let name = match p {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        18 => "keepalived",
        42 => "babel",
        99 => "openr",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        n => return n.to_string(),
    };
    name.to_owned()
}

/// A route's type, which is also a rule's action (`rtnl_rtntype_n2a`).
pub fn rtntype(t: u8) -> String {
    let name = match t {
        0 => "none",
        1 => "unicast",
        2 => "local",
        3 => "broadcast",
        4 => "anycast",
        5 => "multicast",
        6 => "blackhole",
        7 => "unreachable",
        8 => "prohibit",
        9 => "throw",
        10 => "nat",
        11 => "xresolve",
        n => return n.to_string(),
    };
    name.to_owned()
}

/// A protocol over IP (`inet_proto_n2a`).
pub fn ipproto(p: u8) -> String {
    let name = match p {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        132 => "sctp",
        n => return format!("ipproto-{n}"),
    };
    name.to_owned()
}

/// An IPv4 or IPv6 address, by its length.
pub fn ip(b: &[u8]) -> String {
    if let Some(v4) = b.first_chunk::<4>().filter(|_| b.len() == 4) {
        return Ipv4Addr::from(*v4).to_string();
    }
    b.first_chunk::<16>().map(|v6| Ipv6Addr::from(*v6).to_string()).unwrap_or_default()
}

/// A link-layer address.
pub fn mac(b: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(3 * b.len());
    for (i, x) in b.iter().enumerate() {
        let _ = write!(out, "{}{x:02x}", if i == 0 { "" } else { ":" });
    }
    out
}

/// `%#x` of C: a zero has no prefix.
pub fn hex(n: u32) -> String {
    if n == 0 { "0".to_owned() } else { format!("{n:#x}") }
}

//! Numbers and addresses as iproute2 prints them; names of files under `/etc` are the model's (`packetwalk_sim::etc`).

use std::net::{Ipv4Addr, Ipv6Addr};

/// `AF_INET`.
pub const INET: u8 = 2;
/// `AF_BRIDGE`.
pub const BRIDGE: u8 = 7;
/// `AF_INET6`.
pub const INET6: u8 = 10;

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

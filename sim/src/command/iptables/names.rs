//! Names of protocols and ports as iptables reads and prints them: those it has built in, then those of `/etc`.

use crate::etc::{self, service_port};

/// `xtables_chain_protos`: names that iptables knows by itself; the first of a number is the one that is printed.
const BUILT_IN: &[(&str, u8)] = &[
    ("tcp", 6),
    ("sctp", 132),
    ("udp", 17),
    ("udplite", 136),
    ("icmp", 1),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("esp", 50),
    ("ah", 51),
    ("mobility-header", 135),
    ("ipv6-mh", 135),
    ("mh", 135),
    ("all", 0),
];

/// Number of a protocol, by number or name.
pub fn protocol(text: &str) -> Option<u8> {
    if let Some(n) = super::number::whole(text, 0, 255) {
        return u8::try_from(n).ok();
    }
    if let Some((_, n)) = BUILT_IN.iter().find(|(name, _)| *name == text) {
        return Some(*n);
    }
    etc::protocol(text)
}

/// Name of a protocol; with `lookup`, also those of `/etc/protocols`.
pub fn protocol_name(number: u8, lookup: bool) -> Option<&'static str> {
    if let Some((name, _)) = BUILT_IN.iter().find(|(_, n)| *n == number) {
        return Some(name);
    }
    if lookup { etc::protocol_name(number) } else { None }
}

/// A port of an extension whose options libxtables reads (`XTTYPE_PORT`): a decimal number or a name of any
/// protocol, as `getaddrinfo(3)` takes it, which keeps the low 16 bits of a number.
pub fn any_port(text: &str) -> Option<u16> {
    let digits = text.trim_start();
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return digits.parse::<u32>().ok().and_then(|v| u16::try_from(v & 0xffff).ok());
    }
    // getaddrinfo asks for TCP, UDP, DCCP, SCTP in turn.
    ["tcp", "udp", "dccp", "sctp"].iter().find_map(|p| service_port(text, Some(p)))
}

/// A port of `-m tcp` and `-m multiport` (`xtables_parse_port`).
pub fn port(text: &str, proto: Option<&str>) -> Option<u16> {
    match super::number::whole(text, 0, 65535) {
        Some(v) => u16::try_from(v).ok(),
        None => service_port(text, proto),
    }
}

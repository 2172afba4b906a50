//! Names of protocols and services, as Debian 12 has them in `/etc/protocols` and `/etc/services` (netbase), and
//! those that iptables has built in.

/// Lines of number, name and aliases.
const PROTOCOLS: &str = include_str!("protocols.txt");
/// Lines of name, port/protocol and aliases.
const SERVICES: &str = include_str!("services.txt");

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
    PROTOCOLS.lines().find_map(|l| {
        let mut w = l.split(' ');
        let number = w.next()?.parse().ok()?;
        w.any(|name| name == text).then_some(number)
    })
}

/// Name of a protocol; with `lookup`, also those of `/etc/protocols`.
pub fn protocol_name(number: u8, lookup: bool) -> Option<&'static str> {
    if let Some((name, _)) = BUILT_IN.iter().find(|(_, n)| *n == number) {
        return Some(name);
    }
    if !lookup {
        return None;
    }
    PROTOCOLS.lines().find_map(|l| {
        let mut w = l.split(' ');
        (w.next()?.parse() == Ok(number)).then(|| w.next()).flatten()
    })
}

fn services() -> impl Iterator<Item = (u16, &'static str, &'static str)> {
    SERVICES.lines().filter_map(|l| {
        let (name, rest) = l.split_once(' ')?;
        let (port, proto) = rest.split(' ').next()?.split_once('/')?;
        Some((port.parse().ok()?, proto, name))
    })
}

/// Port of a service, of one protocol or of any.
pub fn service_port(name: &str, proto: Option<&str>) -> Option<u16> {
    SERVICES.lines().find_map(|l| {
        let mut w = l.split(' ');
        let first = w.next()?;
        let (port, p) = w.next()?.split_once('/')?;
        let fits = proto.is_none_or(|want| want == p) && (first == name || w.any(|alias| alias == name));
        fits.then(|| port.parse().ok()).flatten()
    })
}

/// Name of a port of a protocol.
pub fn service_name(port: u16, proto: Option<&str>) -> Option<&'static str> {
    services().find(|(p, pr, _)| *p == port && proto.is_none_or(|want| want == *pr)).map(|s| s.2)
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

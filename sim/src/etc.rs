//! Names that files under `/etc` give to numbers, as Debian 12 ships them: `/etc/protocols` and `/etc/services`
//! (netbase), `/etc/iproute2/rt_{protos,scopes,tables}`. Tools and listings share them.

pub mod users;

use std::borrow::Cow;

/// Lines of number, name and aliases.
const PROTOCOLS: &str = include_str!("etc/protocols.txt");
/// Lines of name, port/protocol and aliases.
const SERVICES: &str = include_str!("etc/services.txt");

/// `rt_protos`, and what `rtnl_rtprot_initialize` has built in (iproute2 6.1).
const RT_PROTOS: &[(u8, &str)] = &[
    (0, "unspec"),
    (1, "redirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (18, "keepalived"),
    (42, "babel"),
    (99, "openr"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

/// `rt_scopes`.
const RT_SCOPES: &[(u8, &str)] = &[(0, "global"), (200, "site"), (253, "link"), (254, "host"), (255, "nowhere")];

/// `rt_tables`.
const RT_TABLES: &[(u32, &str)] = &[(0, "unspec"), (253, "default"), (254, "main"), (255, "local")];

fn name_of<N: Copy + PartialEq + ToString>(list: &[(N, &'static str)], n: N) -> Cow<'static, str> {
    list.iter().find(|x| x.0 == n).map_or_else(|| n.to_string().into(), |x| x.1.into())
}

fn number_of<N: Copy>(list: &[(N, &'static str)], name: &str) -> Option<N> {
    list.iter().find(|x| x.1 == name).map(|x| x.0)
}

/// Name of who made a route or a rule (`rtnl_rtprot_n2a`), else its number.
pub fn rt_proto_name(n: u8) -> Cow<'static, str> {
    name_of(RT_PROTOS, n)
}

/// Number of a maker, by its name.
pub fn rt_proto(name: &str) -> Option<u8> {
    number_of(RT_PROTOS, name)
}

/// Name of a scope (`rtnl_rtscope_n2a`), else its number.
pub fn rt_scope_name(n: u8) -> Cow<'static, str> {
    name_of(RT_SCOPES, n)
}

/// Number of a scope, by its name.
pub fn rt_scope(name: &str) -> Option<u8> {
    number_of(RT_SCOPES, name)
}

/// Name of a routing table (`rtnl_rttable_n2a`), else its number.
pub fn rt_table_name(n: u32) -> Cow<'static, str> {
    name_of(RT_TABLES, n)
}

/// Number of a routing table, by its name.
pub fn rt_table(name: &str) -> Option<u32> {
    number_of(RT_TABLES, name)
}

/// Number of a protocol over IP, by name or alias (`getprotobyname(3)`).
pub fn protocol(name: &str) -> Option<u8> {
    PROTOCOLS.lines().find_map(|l| {
        let mut w = l.split(' ');
        let number = w.next()?.parse().ok()?;
        w.any(|n| n == name).then_some(number)
    })
}

/// Name of a protocol over IP (`getprotobynumber(3)`).
pub fn protocol_name(number: u8) -> Option<&'static str> {
    PROTOCOLS.lines().find_map(|l| {
        let mut w = l.split(' ');
        (w.next()?.parse() == Ok(number)).then(|| w.next()).flatten()
    })
}

/// A protocol over IP as `ip rule` prints it (`inet_proto_n2a`; number 0 too has a name, which it does not use).
pub fn inet_proto_name(n: u8) -> Cow<'static, str> {
    protocol_name(n).map_or_else(|| format!("ipproto-{n}").into(), Cow::from)
}

/// Port of a service, of one protocol or of any (`getservbyname(3)`).
pub fn service_port(name: &str, proto: Option<&str>) -> Option<u16> {
    SERVICES.lines().find_map(|l| {
        let mut w = l.split(' ');
        let first = w.next()?;
        let (port, p) = w.next()?.split_once('/')?;
        let fits = proto.is_none_or(|want| want == p) && (first == name || w.any(|alias| alias == name));
        fits.then(|| port.parse().ok()).flatten()
    })
}

/// Name of a port of a protocol (`getservbyport(3)`).
pub fn service_name(port: u16, proto: Option<&str>) -> Option<&'static str> {
    SERVICES.lines().find_map(|l| {
        let (name, rest) = l.split_once(' ')?;
        let (p, pr) = rest.split(' ').next()?.split_once('/')?;
        (p.parse() == Ok(port) && proto.is_none_or(|want| want == pr)).then_some(name)
    })
}

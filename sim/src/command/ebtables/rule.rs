//! A rule of ebtables: its options, and how it is printed.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Stop, fail, usage};
use crate::command::Refusal;
use crate::kernel::ebtables::{EbMatch, EbRule, EbTarget};
use crate::kernel::xtables::matches::Neg;
use crate::kernel::xtables::{Counters, IfMatch};
use crate::wire::MacAddr;

type Mac = (MacAddr, MacAddr);
type Net = (Ipv4Addr, Ipv4Addr);

/// Names of `/etc/ethertypes`.
const ETHERTYPES: &[(&str, u16)] = &[
    ("IPv4", 0x0800),
    ("X25", 0x0805),
    ("ARP", 0x0806),
    ("FR_ARP", 0x0808),
    ("RARP", 0x8035),
    ("ATALK", 0x809b),
    ("802_1Q", 0x8100),
    ("IPX", 0x8137),
    ("IPv6", 0x86dd),
    ("PPP", 0x880b),
    ("MPLS", 0x8847),
    ("EAPOL", 0x888e),
    ("S-TAG", 0x88a8),
    ("LLDP", 0x88cc),
    ("MACSEC", 0x88e5),
    ("PTP", 0x88f7),
    ("FCOE", 0x8906),
];
const PROTOS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("udp", 17),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ospf", 89),
    ("sctp", 132),
    ("udplite", 136),
];
const ARP_OPS: &[&str] = &[
    "Request",
    "Reply",
    "Request_Reverse",
    "Reply_Reverse",
    "DRARP_Request",
    "DRARP_Reply",
    "DRARP_Error",
    "InARP_Request",
    "ARP_NAK",
];
const GROUPS: &[(&str, [u8; 6], [u8; 6])] = &[
    ("Unicast", [0; 6], [1, 0, 0, 0, 0, 0]),
    ("Multicast", [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]),
    ("Broadcast", [0xff; 6], [0xff; 6]),
    ("BGA", [1, 0x80, 0xc2, 0, 0, 0], [0xff; 6]),
];
const PKTTYPES: &[&str] = &["host", "broadcast", "multicast", "otherhost"];

struct Words<'a> {
    rest: &'a [(usize, &'a str)],
    inv: bool,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<(usize, &'a str)> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The value of an option, after a `!` if there is one.
    fn value<T>(&mut self, read: impl Fn(&str) -> Option<T>, bad: impl Fn(&str) -> String) -> Result<Neg<T>, Stop> {
        let mut inv = std::mem::take(&mut self.inv);
        let mut w = self.next().map(|x| x.1);
        if w == Some("!") {
            inv = !inv;
            w = self.next().map(|x| x.1);
        }
        let Some(w) = w else { return usage("Unknown argument: '(null)'") };
        match read(w) {
            Some(value) => Ok(Neg { value, inv }),
            None => usage(&bad(w)),
        }
    }
}

/// Reads the options of a rule for a chain.
pub(super) fn parse(words: &[(usize, &str)], chain: &str) -> Result<EbRule, Stop> {
    let mut m = EbMatch::default();
    let mut target = EbTarget::Continue;
    let mut w = Words { rest: words, inv: false };
    while let Some((at, option)) = w.next() {
        match option {
            "!" => {
                w.inv = true;
                continue;
            }
            "-p" | "--protocol" | "--proto" => {
                let bad = |t: &str| {
                    format!("Problem with the specified Ethernet protocol '{t}', perhaps /etc/ethertypes is missing")
                };
                m.proto = Some(w.value(ethertype, bad)?);
            }
            "-s" | "--source" | "--src" => {
                m.src = Some(w.value(mac, |t| format!("Problem with specified source mac '{t}'"))?);
            }
            "-d" | "--destination" | "--dst" => {
                m.dst = Some(w.value(mac, |t| format!("Problem with specified destination mac '{t}'"))?);
            }
            "-i" | "--in-interface" | "--in-if" => {
                if chain == "OUTPUT" {
                    return usage("Use -i only in INPUT, FORWARD, PREROUTING and BROUTING chains");
                }
                m.iif = Some(w.value(|t| Some(IfMatch::parse(t)), |_| String::new())?);
            }
            "-o" | "--out-interface" | "--out-if" => {
                if chain == "INPUT" {
                    return usage("Use -o only in OUTPUT, FORWARD and POSTROUTING chains");
                }
                m.oif = Some(w.value(|t| Some(IfMatch::parse(t)), |_| String::new())?);
            }
            // The kernel's bridge family has no such expression.
            "--logical-in" | "--logical-out" => {
                let text = format!(
                    "ebtables v1.8.9 (nf_tables):  RULE_APPEND failed (Operation not supported): rule in chain {chain}\n"
                );
                return fail(4, text);
            }
            "-j" | "--jump" => {
                target = match w.next().map(|x| x.1) {
                    Some("ACCEPT") => EbTarget::Accept,
                    Some("DROP") => EbTarget::Drop,
                    Some("CONTINUE") => EbTarget::Continue,
                    Some("RETURN") => EbTarget::Return,
                    Some(t @ ("mark" | "snat" | "dnat" | "redirect" | "arpreply")) => {
                        return Err(Stop::Refused(Refusal::new(format!("ebtables -j {t}"), at)));
                    }
                    Some(t) => EbTarget::Jump(Arc::from(t)),
                    None => return usage("Unknown argument: '(null)'"),
                };
            }
            _ if !extension(&mut m, &mut w, option)? => {
                return Err(Stop::Refused(Refusal::new(format!("ebtables {option}"), at)));
            }
            _ => {}
        }
    }
    valid(&m, chain)?;
    let text = Arc::from(print(&m, &target));
    Ok(EbRule { matches: m, target, text, counters: Counters::default() })
}

fn extension(m: &mut EbMatch, w: &mut Words<'_>, option: &str) -> Result<bool, Stop> {
    let bad_ip = |t: &str| format!("Problem with specified IP address '{t}'");
    let bad_port = |t: &str| format!("Problem with specified port '{t}'");
    match option {
        "--ip-source" | "--ip-src" => m.ip_src = Some(w.value(net, bad_ip)?),
        "--ip-destination" | "--ip-dst" => m.ip_dst = Some(w.value(net, bad_ip)?),
        "--ip-tos" => m.ip_tos = Some(w.value(hex, |t| format!("Problem with specified tos '{t}'"))?),
        "--ip-protocol" | "--ip-proto" => {
            m.ip_proto = Some(w.value(ip_proto, |t| format!("Unknown IP protocol '{t}'"))?);
        }
        "--ip-source-port" | "--ip-sport" => m.ip_sport = Some(w.value(ports, bad_port)?),
        "--ip-destination-port" | "--ip-dport" => m.ip_dport = Some(w.value(ports, bad_port)?),
        "--arp-opcode" | "--arp-op" => {
            m.arp_op = Some(w.value(arp_op, |t| format!("Problem with specified ARP opcode '{t}'"))?);
        }
        "--arp-ip-src" => m.arp_ip_src = Some(w.value(net, bad_ip)?),
        "--arp-ip-dst" => m.arp_ip_dst = Some(w.value(net, bad_ip)?),
        "--arp-mac-src" => m.arp_mac_src = Some(w.value(mac, bad_ip)?),
        "--arp-mac-dst" => m.arp_mac_dst = Some(w.value(mac, bad_ip)?),
        "--pkttype-type" => {
            let read = |t: &str| PKTTYPES.iter().position(|n| *n == t).map(|n| n as u8);
            m.pkttype = Some(w.value(read, |t| format!("Bad packet type '{t}'"))?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What the kernel asks of a rule: IP options need `-p IPv4`, ports a protocol that has them.
fn valid(m: &EbMatch, chain: &str) -> Result<(), Stop> {
    let is = |t: u16| m.proto.is_some_and(|p| p.value == t && !p.inv);
    let ip = m.ip_src.is_some()
        || m.ip_dst.is_some()
        || m.ip_tos.is_some()
        || m.ip_proto.is_some()
        || m.ip_sport.is_some()
        || m.ip_dport.is_some();
    let arp = m.arp_op.is_some()
        || m.arp_ip_src.is_some()
        || m.arp_ip_dst.is_some()
        || m.arp_mac_src.is_some()
        || m.arp_mac_dst.is_some();
    let has_ports = m.ip_proto.is_some_and(|p| matches!(p.value, 6 | 17 | 33 | 132 | 136) && !p.inv);
    let ports = m.ip_sport.is_some() || m.ip_dport.is_some();
    if (ip && !is(0x0800)) || (arp && !is(0x0806) && !is(0x8035)) || (ports && !has_ports) {
        let text =
            format!("ebtables v1.8.9 (nf_tables):  RULE_APPEND failed (Invalid argument): rule in chain {chain}\n");
        return fail(4, text);
    }
    Ok(())
}

fn hex(t: &str) -> Option<u8> {
    u8::from_str_radix(t.trim_start_matches("0x"), 16).ok()
}

fn ethertype(t: &str) -> Option<u16> {
    if t.eq_ignore_ascii_case("length") {
        return Some(0);
    }
    if let Some(h) = t.strip_prefix("0x") {
        return u16::from_str_radix(h, 16).ok().filter(|n| *n >= 0x0600);
    }
    let alias = match t.to_ascii_lowercase().as_str() {
        "ip" | "ip4" => "ipv4",
        "ip6" => "ipv6",
        "8021q" | "1q" | "802.1q" | "dot1q" => "802_1q",
        "ether-arp" => "arp",
        other => return by_name(other),
    };
    by_name(alias)
}

fn by_name(t: &str) -> Option<u16> {
    ETHERTYPES.iter().find(|(n, _)| n.eq_ignore_ascii_case(t)).map(|x| x.1)
}

fn mac(t: &str) -> Option<Mac> {
    if let Some((_, a, m)) = GROUPS.iter().find(|g| g.0.eq_ignore_ascii_case(t)) {
        return Some((MacAddr(*a), MacAddr(*m)));
    }
    match t.split_once('/') {
        Some((a, m)) => Some((a.parse().ok()?, m.parse().ok()?)),
        None => Some((t.parse().ok()?, MacAddr([0xff; 6]))),
    }
}

fn net(t: &str) -> Option<Net> {
    let (a, m) = t.split_once('/').unwrap_or((t, "32"));
    let a: Ipv4Addr = a.parse().ok()?;
    let mask = match m.parse::<u32>() {
        Ok(n) if n <= 32 => Ipv4Addr::from(u32::MAX.checked_shl(32 - n).unwrap_or(0)),
        Ok(_) => return None,
        Err(_) => m.parse().ok()?,
    };
    Some((Ipv4Addr::from(u32::from(a) & u32::from(mask)), mask))
}

fn ip_proto(t: &str) -> Option<u8> {
    PROTOS.iter().find(|(n, _)| *n == t).map(|x| x.1).or_else(|| t.parse().ok())
}

fn ports(t: &str) -> Option<(u16, u16)> {
    let (a, b) = t.split_once(':').unwrap_or((t, t));
    let a = if a.is_empty() { 0 } else { a.parse().ok()? };
    let b = if b.is_empty() { 65535 } else { b.parse().ok()? };
    (a <= b).then_some((a, b))
}

fn arp_op(t: &str) -> Option<u16> {
    let named = ARP_OPS.iter().position(|n| n.eq_ignore_ascii_case(t)).map(|n| n as u16 + 1);
    named.or_else(|| t.parse().ok())
}

fn print_mac(m: &Mac) -> String {
    if let Some(g) = GROUPS.iter().find(|g| (g.1, g.2) == (m.0.0, m.1.0)) {
        return g.0.to_owned();
    }
    if m.1.0 == [0xff; 6] { m.0.to_string() } else { format!("{}/{}", m.0, m.1) }
}

fn print_net((a, mask): &Net) -> String {
    let mask = u32::from(*mask);
    match mask.leading_ones() {
        32 => a.to_string(),
        n if mask == u32::MAX.checked_shl(32 - n).unwrap_or(0) => format!("{a}/{n}"),
        _ => format!("{a}/{}", Ipv4Addr::from(mask)),
    }
}

fn print_ports((a, b): &(u16, u16)) -> String {
    if a == b { a.to_string() } else { format!("{a}:{b}") }
}

/// The rule as `ebtables -L` prints it.
fn print(m: &EbMatch, target: &EbTarget) -> String {
    let mut out: Vec<String> = Vec::new();
    let proto = |t: &u16| match (t, ETHERTYPES.iter().find(|e| e.1 == *t)) {
        (0, _) => "Length".to_owned(),
        (_, Some(e)) => e.0.to_owned(),
        (t, None) => format!("0x{t:x}"),
    };
    let ip_proto = |n: &u8| PROTOS.iter().find(|p| p.1 == *n).map_or_else(|| n.to_string(), |p| p.0.to_owned());
    let op = |n: &u16| match ARP_OPS.get(usize::from(*n).wrapping_sub(1)) {
        Some(name) => (*name).to_owned(),
        None => n.to_string(),
    };
    put(&mut out, "-p", m.proto, proto);
    put(&mut out, "-s", m.src, print_mac);
    put(&mut out, "-d", m.dst, print_mac);
    put(&mut out, "-i", m.iif, IfMatch::text);
    put(&mut out, "-o", m.oif, IfMatch::text);
    put(&mut out, "--ip-src", m.ip_src, print_net);
    put(&mut out, "--ip-dst", m.ip_dst, print_net);
    put(&mut out, "--ip-tos", m.ip_tos, |t| format!("0x{t:02X}"));
    put(&mut out, "--ip-proto", m.ip_proto, ip_proto);
    put(&mut out, "--ip-sport", m.ip_sport, print_ports);
    put(&mut out, "--ip-dport", m.ip_dport, print_ports);
    put(&mut out, "--arp-op", m.arp_op, op);
    put(&mut out, "--arp-ip-src", m.arp_ip_src, print_net);
    put(&mut out, "--arp-ip-dst", m.arp_ip_dst, print_net);
    put(&mut out, "--arp-mac-src", m.arp_mac_src, print_mac);
    put(&mut out, "--arp-mac-dst", m.arp_mac_dst, print_mac);
    put(&mut out, "--pkttype-type", m.pkttype, |t| PKTTYPES[usize::from(*t) % 4].to_owned());
    let target: &str = match target {
        EbTarget::Accept => "ACCEPT",
        EbTarget::Drop => "DROP",
        EbTarget::Continue => "CONTINUE",
        EbTarget::Return => "RETURN",
        EbTarget::Jump(to) => to,
    };
    out.push(format!("-j {target}"));
    out.join(" ")
}

fn put<T>(out: &mut Vec<String>, option: &str, m: Option<Neg<T>>, text: impl Fn(&T) -> String) {
    if let Some(m) = m {
        out.push(format!("{option}{} {}", if m.inv { " !" } else { "" }, text(&m.value)));
    }
}

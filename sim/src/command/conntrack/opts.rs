//! The words of a `conntrack` line.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::events::Mask;
use super::filter::{Filter, Mark};
use super::print::Style;
use crate::command::Refusal;
use crate::kernel::conntrack::Status;

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    /// `-E`.
    Events,
    List,
    Get,
    Delete,
    Update,
    Flush,
    Count,
    Stats,
    Version,
    Help,
}

/// Which table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Table {
    #[default]
    Conntrack,
    Expect,
    /// `dying` or `unconfirmed`: nothing of them is ever there between two lines.
    Passing,
}

/// A line, understood.
#[derive(Default)]
pub(super) struct Line {
    pub command: Option<Command>,
    pub table: Table,
    pub filter: Filter,
    /// `-m` as it was given: for `-U` what to set.
    pub mark: Option<Mark>,
    pub status: Option<Status>,
    pub timeout: Option<u64>,
    pub style: Style,
    /// `-e`.
    pub mask: Mask,
    pub zero: bool,
    /// `-f ipv6`.
    pub ipv6: bool,
    /// `-u SRC_NAT`: a warning, and the kernel refuses the line.
    pub warnings: Vec<String>,
    /// Long names of the options that were given.
    pub given: Vec<&'static str>,
}

/// Why a line is not understood.
pub(super) enum Bad {
    /// `conntrack` says so, with its exit status 2.
    Usage(String),
    /// The model has not got it.
    Refused(Refusal),
}

impl From<String> for Bad {
    fn from(s: String) -> Self {
        Bad::Usage(s)
    }
}

/// Whether an option takes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    No,
    Value,
    Maybe,
}

/// Long name, short name, value.
const LONG: &[(&str, &str, Takes)] = &[
    ("dump", "L", Takes::Maybe),
    ("create", "I", Takes::Maybe),
    ("add", "A", Takes::Maybe),
    ("delete", "D", Takes::Maybe),
    ("update", "U", Takes::Maybe),
    ("get", "G", Takes::Maybe),
    ("flush", "F", Takes::Maybe),
    ("event", "E", Takes::Maybe),
    ("count", "C", Takes::Maybe),
    ("stats", "S", Takes::No),
    ("version", "V", Takes::No),
    ("help", "h", Takes::No),
    ("orig-src", "s", Takes::Value),
    ("src", "s", Takes::Value),
    ("orig-dst", "d", Takes::Value),
    ("dst", "d", Takes::Value),
    ("reply-src", "r", Takes::Value),
    ("reply-dst", "q", Takes::Value),
    ("protonum", "p", Takes::Value),
    ("timeout", "t", Takes::Value),
    ("status", "u", Takes::Value),
    ("zero", "z", Takes::No),
    ("event-mask", "e", Takes::Value),
    ("mark", "m", Takes::Value),
    ("secmark", "c", Takes::Value),
    ("family", "f", Takes::Value),
    ("src-nat", "n", Takes::Maybe),
    ("dst-nat", "g", Takes::Maybe),
    ("any-nat", "j", Takes::Maybe),
    ("output", "o", Takes::Value),
    ("zone", "w", Takes::Value),
    ("orig-zone", "", Takes::Value),
    ("reply-zone", "", Takes::Value),
    ("label", "l", Takes::Value),
    ("label-add", "", Takes::Value),
    ("label-del", "", Takes::Value),
    ("buffer-size", "b", Takes::Value),
    ("mask-src", "", Takes::Value),
    ("mask-dst", "", Takes::Value),
    ("tuple-src", "", Takes::Value),
    ("tuple-dst", "", Takes::Value),
];

const PORTS: &[(&str, &str, Takes)] = &[
    ("orig-port-src", "", Takes::Value),
    ("sport", "", Takes::Value),
    ("orig-port-dst", "", Takes::Value),
    ("dport", "", Takes::Value),
    ("reply-port-src", "", Takes::Value),
    ("reply-port-dst", "", Takes::Value),
];
const STATE: &[(&str, &str, Takes)] = &[("state", "", Takes::Value)];
const ICMP: &[(&str, &str, Takes)] =
    &[("icmp-type", "", Takes::Value), ("icmp-code", "", Takes::Value), ("icmp-id", "", Takes::Value)];

/// One option with its value, by its long name.
struct Found {
    name: &'static str,
    value: Option<String>,
}

/// Reads a line.
pub(super) fn read(argv: &[String]) -> Result<Line, Bad> {
    let mut line = Line::default();
    let mut i = 1;
    while i < argv.len() {
        let at = i;
        i += 1;
        let w = argv[at].as_str();
        if w == "--" {
            break;
        }
        if let Some(long) = w.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v.to_owned())));
            let (name, takes) = find_long(name, line.filter.proto).ok_or_else(|| format!("unknown option `{w}'"))?;
            let f = with_value(argv, &mut i, w, name, takes, value)?;
            apply(&mut line, f, argv, at)?;
        } else if let Some(shorts) = w.strip_prefix('-').filter(|s| !s.is_empty()) {
            for (pos, c) in shorts.char_indices() {
                let text = c.to_string();
                let Some((name, _, takes)) = LONG.iter().rev().find(|o| o.1 == text) else {
                    return Err(format!("unknown option `-{c}'").into());
                };
                let rest = &shorts[pos + c.len_utf8()..];
                let attached = (!rest.is_empty() && *takes != Takes::No).then(|| rest.to_owned());
                let ends = attached.is_some() || *takes != Takes::No;
                let f = with_value(argv, &mut i, &format!("-{c}"), name, *takes, attached)?;
                apply(&mut line, f, argv, at)?;
                if ends {
                    break;
                }
            }
        }
    }
    Ok(line)
}

/// An option by its long name or an unambiguous beginning of it; a protocol's own ones only after `-p`.
fn find_long(name: &str, proto: Option<u8>) -> Option<(&'static str, Takes)> {
    let own: [&[(&'static str, &'static str, Takes)]; 2] = match proto {
        Some(6) => [PORTS, STATE],
        Some(17 | 132 | 136) => [PORTS, &[]],
        Some(1) => [ICMP, &[]],
        _ => [&[], &[]],
    };
    let all = || LONG.iter().chain(own.into_iter().flatten());
    if let Some(o) = all().find(|o| o.0 == name) {
        return Some((o.0, o.2));
    }
    let mut hits = all().filter(|o| o.0.starts_with(name));
    let first = hits.next()?;
    hits.next().is_none().then_some((first.0, first.2))
}

fn with_value(
    argv: &[String],
    i: &mut usize,
    word: &str,
    name: &'static str,
    takes: Takes,
    attached: Option<String>,
) -> Result<Found, Bad> {
    let value = match takes {
        Takes::No => None,
        _ if attached.is_some() => attached,
        Takes::Value => {
            let v = argv.get(*i).cloned().ok_or_else(|| format!("option `{word}' requires an argument"))?;
            *i += 1;
            Some(v)
        }
        Takes::Maybe => {
            let v = argv.get(*i).filter(|w| !w.starts_with('-')).cloned();
            *i += usize::from(v.is_some());
            v
        }
    };
    Ok(Found { name, value })
}

fn command_of(name: &str) -> Option<Command> {
    Some(match name {
        "event" => Command::Events,
        "dump" => Command::List,
        "get" => Command::Get,
        "delete" => Command::Delete,
        "update" => Command::Update,
        "flush" => Command::Flush,
        "count" => Command::Count,
        "stats" => Command::Stats,
        "version" => Command::Version,
        "help" => Command::Help,
        _ => return None,
    })
}

fn apply(line: &mut Line, f: Found, argv: &[String], at: usize) -> Result<(), Bad> {
    let refused = || Bad::Refused(Refusal::new(format!("conntrack {}", argv[at]), at));
    if let Some(c) = command_of(f.name) {
        if line.command.replace(c).is_some() {
            return Err("Invalid commands combination".to_owned().into());
        }
        line.table = match f.value.as_deref() {
            None | Some("conntrack") => Table::Conntrack,
            Some("expect") => Table::Expect,
            Some("dying" | "unconfirmed") => Table::Passing,
            Some(other) => return Err(format!("unknown type `{other}'").into()),
        };
        return Ok(());
    }
    if matches!(f.name, "create" | "add") {
        return Err(refused());
    }
    let v = f.value.as_deref().unwrap_or("");
    let flt = &mut line.filter;
    match f.name {
        "orig-src" | "src" => flt.addr[0] = Some(network(v)?),
        "orig-dst" | "dst" => flt.addr[1] = Some(network(v)?),
        "reply-src" => flt.addr[2] = Some(network(v)?),
        "reply-dst" => flt.addr[3] = Some(network(v)?),
        "protonum" => flt.proto = Some(protocol(v)?),
        "family" => match v {
            "ipv4" => {}
            "ipv6" => line.ipv6 = true,
            _ => return Err(format!("`{v}' unsupported protocol").into()),
        },
        "src-nat" => flt.src_nat = Some(nat(&f)?),
        "dst-nat" => flt.dst_nat = Some(nat(&f)?),
        "any-nat" => flt.any_nat = Some(nat(&f)?),
        "mark" => {
            let m = Mark::read(v);
            flt.mark = Some(m);
            line.mark = Some(m);
        }
        "zone" => flt.zone = Some(number(v) as u16),
        "orig-zone" => flt.orig_zone = Some(number(v) as u16),
        "reply-zone" => flt.reply_zone = Some(number(v) as u16),
        "orig-port-src" | "sport" => flt.port[0] = Some(number(v) as u16),
        "orig-port-dst" | "dport" => flt.port[1] = Some(number(v) as u16),
        "reply-port-src" => flt.port[2] = Some(number(v) as u16),
        "reply-port-dst" => flt.port[3] = Some(number(v) as u16),
        "icmp-type" => flt.icmp_type = Some(number(v) as u8),
        "icmp-code" => flt.icmp_code = Some(number(v) as u8),
        "icmp-id" => flt.icmp_id = Some(number(v) as u16),
        "state" => flt.state = Some(tcp_state(v)?),
        "status" => status(line, v)?,
        "timeout" => line.timeout = Some(u64::from(number(v))),
        "zero" => line.zero = true,
        "event-mask" => line.mask = Mask::read(v)?,
        "output" => output(line, v, argv, at)?,
        _ => return Err(refused()),
    }
    line.given.push(if f.name == "src" || f.name == "dst" { LONG[12].0 } else { f.name });
    Ok(())
}

fn output(line: &mut Line, v: &str, argv: &[String], at: usize) -> Result<(), Bad> {
    for word in v.split(',') {
        match word {
            "extended" => line.style.extended = true,
            "id" => line.style.id = true,
            // Only `-E` has its own.
            "timestamp" => line.style.timestamp = true,
            // Nothing has one while nf_conntrack_timestamp is off.
            "ktimestamp" => {}
            "xml" | "save" | "labels" | "userspace" => {
                return Err(Bad::Refused(Refusal::new(format!("{} -o {word}", argv[0]), at)));
            }
            _ => return Err(format!("Bad parameter `{word}'").into()),
        }
    }
    Ok(())
}

fn status(line: &mut Line, v: &str) -> Result<(), Bad> {
    for word in v.split(',') {
        let bit = match word {
            "ASSURED" => Status::ASSURED,
            "SEEN_REPLY" => Status::SEEN_REPLY,
            "FIXED_TIMEOUT" => Status::FIXED_TIMEOUT,
            "EXPECTED" => Status::EXPECTED,
            "UNREPLIED" | "UNSET" => {
                line.filter.unreplied = true;
                continue;
            }
            "SRC_NAT" | "DST_NAT" => {
                let option = if word == "SRC_NAT" { "--src-nat" } else { "--dst-nat" };
                line.warnings.push(format!("WARNING: ignoring {word}, use {option} instead"));
                continue;
            }
            _ => return Err(format!("Bad parameter `{word}'").into()),
        };
        line.filter.status |= bit;
        line.status = Some(line.filter.status);
    }
    Ok(())
}

/// `strtoul(…, 0)`: what cannot be read is 0.
pub(super) fn number(v: &str) -> u32 {
    let (digits, radix) = match v.strip_prefix("0x").or_else(|| v.strip_prefix("0X")) {
        Some(d) => (d, 16),
        None if v.len() > 1 && v.starts_with('0') => (&v[1..], 8),
        None => (v, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    u64::from_str_radix(&digits[..end], radix).unwrap_or(0) as u32
}

fn protocol(v: &str) -> Result<u8, Bad> {
    let by_name = match v.to_ascii_lowercase().as_str() {
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmp" => Some(1),
        "igmp" => Some(2),
        "dccp" => Some(33),
        "gre" => Some(47),
        "esp" => Some(50),
        "ah" => Some(51),
        "icmpv6" => Some(58),
        "sctp" => Some(132),
        "udplite" => Some(136),
        other => other.parse().ok(),
    };
    by_name.ok_or_else(|| format!("`{v}' unsupported protocol").into())
}

fn tcp_state(v: &str) -> Result<&'static str, Bad> {
    (0u8..10)
        .map(crate::kernel::conntrack::state_name)
        .find(|n| *n == v)
        .ok_or_else(|| format!("unknown TCP state `{v}'").into())
}

fn address(v: &str) -> Option<Ipv4Addr> {
    // `inet_aton`: the last of fewer parts fills what is left.
    let parts: Vec<u32> = v.split('.').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let (last, head) = parts.split_last()?;
    if parts.len() > 4 || head.iter().any(|b| *b > 255) {
        return None;
    }
    let bits = 32 - 8 * head.len() as u32;
    if bits < 32 && *last >> bits != 0 {
        return None;
    }
    let high = head.iter().enumerate().fold(0u32, |a, (i, b)| a | b << (24 - 8 * i));
    Some(Ipv4Addr::from(high | last))
}

fn network(v: &str) -> Result<Ipv4Net, Bad> {
    let (a, mask) = v.split_once('/').map_or((v, None), |(a, m)| (a, Some(m)));
    let prefix = match mask {
        None => 32,
        Some(m) => m.parse().ok().filter(|n| *n <= 32).ok_or_else(|| Bad::Usage("Invalid netmask".to_owned()))?,
    };
    let addr = address(a).ok_or_else(|| format!("Invalid IP address `{a}'"))?;
    Ok(Ipv4Net::new(addr, prefix).unwrap_or_default())
}

/// `-n`, `-g`, `-j`: any address, or one, with a port.
fn nat(f: &Found) -> Result<(Option<Ipv4Addr>, Option<u16>), Bad> {
    let Some(v) = f.value.as_deref() else { return Ok((None, None)) };
    if v.contains('/') {
        return Err(format!("CIDR notation unavailable for `--{}'", f.name).into());
    }
    let (a, port) = v.split_once(':').map_or((v, None), |(a, p)| (a, Some(number(p) as u16)));
    let addr = address(a).ok_or_else(|| format!("Invalid IP address `{a}'"))?;
    Ok((Some(addr), port))
}

//! `-m icmp` (libipt_icmp).

use super::conntrack::begins;
use super::opt::{Ty, opt};
use super::{MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::number::leading_u32;
use crate::kernel::xtables::matches::{IcmpMatch, Match};

/// Name, type, codes from .. to.
const NAMES: &[(&str, u8, u8, u8)] = &[
    ("any", 255, 0, 255),
    ("echo-reply", 0, 0, 255),
    ("pong", 0, 0, 255),
    ("destination-unreachable", 3, 0, 255),
    ("network-unreachable", 3, 0, 0),
    ("host-unreachable", 3, 1, 1),
    ("protocol-unreachable", 3, 2, 2),
    ("port-unreachable", 3, 3, 3),
    ("fragmentation-needed", 3, 4, 4),
    ("source-route-failed", 3, 5, 5),
    ("network-unknown", 3, 6, 6),
    ("host-unknown", 3, 7, 7),
    ("network-prohibited", 3, 9, 9),
    ("host-prohibited", 3, 10, 10),
    ("TOS-network-unreachable", 3, 11, 11),
    ("TOS-host-unreachable", 3, 12, 12),
    ("communication-prohibited", 3, 13, 13),
    ("host-precedence-violation", 3, 14, 14),
    ("precedence-cutoff", 3, 15, 15),
    ("source-quench", 4, 0, 255),
    ("redirect", 5, 0, 255),
    ("network-redirect", 5, 0, 0),
    ("host-redirect", 5, 1, 1),
    ("TOS-network-redirect", 5, 2, 2),
    ("TOS-host-redirect", 5, 3, 3),
    ("echo-request", 8, 0, 255),
    ("ping", 8, 0, 255),
    ("router-advertisement", 9, 0, 255),
    ("router-solicitation", 10, 0, 255),
    ("time-exceeded", 11, 0, 255),
    ("ttl-exceeded", 11, 0, 255),
    ("ttl-zero-during-transit", 11, 0, 0),
    ("ttl-zero-during-reassembly", 11, 1, 1),
    ("parameter-problem", 12, 0, 255),
    ("ip-header-bad", 12, 0, 0),
    ("required-option-missing", 12, 1, 1),
    ("timestamp-request", 13, 0, 255),
    ("timestamp-reply", 14, 0, 255),
    ("address-mask-request", 17, 0, 255),
    ("address-mask-reply", 18, 0, 255),
];

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "icmp",
    opts: &[opt("icmp-type", 0, Ty::Text).mand().inv()],
    check: Some(|i, _, _| kind(&i.arg).map(|_| ())),
    build: |g, _| {
        let Some(i) = g.get(0) else { return Err(Fail::param("icmp: option \"--icmp-type\" must be specified\n")) };
        let (ty, code) = kind(&i.arg)?;
        Ok(Match::Icmp(IcmpMatch { ty, code, inv: i.inv }))
    },
    save: |m| match m {
        Match::Icmp(i) => {
            let ty = if i.ty == 255 { "any".to_owned() } else { i.ty.to_string() };
            let code = if i.code == (0, 255) || i.ty == 255 { String::new() } else { format!("/{}", i.code.0) };
            format!("{} --icmp-type {ty}{code}", bang(i.inv))
        }
        _ => String::new(),
    },
    list: |m, _, numeric| match m {
        Match::Icmp(i) => list(i, numeric),
        _ => String::new(),
    },
};

fn list(i: &IcmpMatch, numeric: bool) -> String {
    let name = NAMES.iter().find(|(_, ty, a, b)| (*ty, *a, *b) == (i.ty, i.code.0, i.code.1));
    if let Some((name, ..)) = name.filter(|_| !numeric) {
        return format!(" icmp {}{name}", if i.inv { "!" } else { "" });
    }
    let code = match i.code {
        (a, b) if a == b => format!(" code {a}"),
        (0, 255) => String::new(),
        (a, b) => format!(" codes {a}-{b}"),
    };
    format!(" icmp{}type {}{code}", bang(i.inv), i.ty)
}

/// A name or the start of one, or numbers `TYPE[/CODE]`.
fn kind(text: &str) -> Result<(u8, (u8, u8)), Fail> {
    let mut found = NAMES.iter().filter(|n| text.is_empty() || begins(n.0, text));
    if let Some((name, ty, a, b)) = found.next() {
        if let Some((other, ..)) = found.next() {
            return Err(Fail::param(format!("Ambiguous ICMP type `{text}': `{name}' or `{other}'?")));
        }
        return Ok((*ty, (*a, *b)));
    }
    let Some((ty, rest)) = byte(text) else { return Err(Fail::param(format!("Unknown ICMP type `{text}'"))) };
    let mut code = (0, 255);
    let mut left = rest;
    if let Some(c) = rest.strip_prefix('/') {
        let Some((n, rest)) = byte(c) else { return Err(Fail::param(format!("Unknown ICMP code `{text}'"))) };
        (code, left) = ((n, n), rest);
    }
    match left.chars().next() {
        Some(c) => Err(Fail::param(format!("unknown character {c}"))),
        None => Ok((ty, code)),
    }
}

/// A number of 8 bits, and what follows.
fn byte(text: &str) -> Option<(u8, &str)> {
    leading_u32(text, 255).and_then(|(v, rest)| Some((u8::try_from(v).ok()?, rest)))
}

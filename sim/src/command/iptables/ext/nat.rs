//! `-j SNAT`, `DNAT`, `MASQUERADE`, `REDIRECT`, `NETMAP` (libxt_NAT, libipt_NETMAP).

use std::net::Ipv4Addr;

use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, TargetExt};
use crate::command::iptables::addr;
use crate::command::iptables::fail::Fail;
use crate::command::iptables::number::leading_u32;
use crate::etc;
use crate::kernel::xtables::targets::{NatKind, NatTarget, Target};

const TO: u8 = 0;
const TO_PORTS: u8 = 1;
const RANDOM: u8 = 2;
const RANDOM_FULLY: u8 = 3;
const PERSISTENT: u8 = 4;

/// `SNAT`.
pub static SNAT: TargetExt = TargetExt {
    name: "SNAT",
    opts: &[
        opt("to-source", TO, Ty::Text).mand(),
        opt("random", RANDOM, Ty::None),
        opt("random-fully", RANDOM_FULLY, Ty::None),
        opt("persistent", PERSISTENT, Ty::None),
    ],
    check: Some(check),
    build: |g, _| build(NatKind::Snat, g),
    save: |t| dump(t, "--to-source ", "--", false),
    list: |t, _, _| dump(t, "to:", "", false),
};

/// `DNAT`.
pub static DNAT: TargetExt = TargetExt {
    name: "DNAT",
    opts: &[
        opt("to-destination", TO, Ty::Text).mand(),
        opt("random", RANDOM, Ty::None),
        opt("persistent", PERSISTENT, Ty::None),
    ],
    check: Some(check),
    build: |g, _| build(NatKind::Dnat, g),
    save: |t| dump(t, "--to-destination ", "--", false),
    list: |t, _, _| dump(t, "to:", "", false),
};

/// `MASQUERADE`.
pub static MASQUERADE: TargetExt = TargetExt {
    name: "MASQUERADE",
    opts: &[
        opt("to-ports", TO_PORTS, Ty::Text),
        opt("random", RANDOM, Ty::None),
        opt("random-fully", RANDOM_FULLY, Ty::None),
    ],
    check: Some(check),
    build: |g, _| build(NatKind::Masquerade, g),
    save: |t| dump(t, "--to-ports ", "--", true),
    list: |t, _, _| dump(t, "masq ports: ", "", true),
};

/// `REDIRECT`.
pub static REDIRECT: TargetExt = TargetExt {
    name: "REDIRECT",
    opts: &[opt("to-ports", TO_PORTS, Ty::Text), opt("random", RANDOM, Ty::None)],
    check: Some(check),
    build: |g, _| build(NatKind::Redirect, g),
    save: |t| dump(t, "--to-ports ", "--", true),
    list: |t, _, _| dump(t, "redir ports ", "", true),
};

/// `NETMAP`.
pub static NETMAP: TargetExt = TargetExt {
    name: "NETMAP",
    opts: &[opt("to", TO, Ty::HostMask).mand()],
    check: None,
    build: |g, _| {
        let (a, m) = g.get(TO).map_or((0, 0), Item::masked);
        let addrs = Some((Ipv4Addr::from(a & m), Ipv4Addr::from(m)));
        Ok(Target::Nat(NatTarget { addrs, ..empty(NatKind::Netmap) }))
    },
    save: |t| format!(" --to {}", network(t)),
    list: |t, _, _| format!(" to:{}", network(t)),
};

fn network(t: &Target) -> String {
    match t {
        Target::Nat(NatTarget { addrs: Some((a, m)), .. }) => format!("{a}/{}", addr::save_mask(u32::from(*m))),
        _ => String::new(),
    }
}

fn empty(kind: NatKind) -> NatTarget {
    NatTarget { kind, addrs: None, ports: None, base: None, random: false, random_fully: false, persistent: false }
}

/// Ports are allowed only with protocols that have some (ICMP has ids).
fn check(i: &Item, _: &Given, c: &Ctx<'_>) -> Result<(), Fail> {
    let may = matches!(c.ip.proto, 1 | 6 | 17 | 33 | 132);
    read(i, &mut empty(NatKind::Snat), may)
}

fn build(kind: NatKind, g: &Given) -> Result<Target, Fail> {
    let mut t = empty(kind);
    for i in &g.items {
        read(i, &mut t, true)?;
    }
    Ok(Target::Nat(t))
}

fn read(i: &Item, t: &mut NatTarget, may: bool) -> Result<(), Fail> {
    match i.opt.id {
        TO => to(&i.arg, t, may)?,
        TO_PORTS => ports(&i.arg, t, may)?,
        RANDOM => t.random = true,
        RANDOM_FULLY => t.random_fully = true,
        _ => t.persistent = true,
    }
    Ok(())
}

/// `[ADDR[-ADDR]][:PORT[-PORT[/BASE]]]`.
fn to(text: &str, t: &mut NatTarget, may: bool) -> Result<(), Fail> {
    if text.contains('[') {
        return Err(Fail::param("Invalid address format"));
    }
    // More than one colon: an address of IPv6, which is none of ours.
    let colon = text.find(':').filter(|at| !text[at + 1..].contains(':'));
    let mut ips = text;
    if let Some(at) = colon {
        ports(&text[at + 1..], t, may)?;
        if at == 0 {
            return Ok(());
        }
        ips = &text[..at];
    }
    let one = |a: &str| addr::strict(a).ok_or_else(|| Fail::param(format!("Bad IP address \"{a}\"")));
    t.addrs = Some(match ips.split_once('-') {
        Some((a, b)) => (one(a)?, one(b)?),
        None => {
            let a = one(ips)?;
            (a, a)
        }
    });
    Ok(())
}

fn ports(text: &str, t: &mut NatTarget, may: bool) -> Result<(), Fail> {
    if !may {
        return Err(Fail::param("Need TCP, UDP, SCTP or DCCP with port specification"));
    }
    let bad = |p: &str| Fail::param(format!("Port `{p}' not valid"));
    let number = |p| leading_u32(p, 65535).and_then(|(v, rest)| Some((u16::try_from(v).ok()?, rest)));
    let (first, rest) = match number(text) {
        Some(found) => found,
        None => (etc::service_port(text, None).ok_or_else(|| bad(text))?, ""),
    };
    t.ports = Some((first, first));
    let range = match rest.chars().next() {
        None => return Ok(()),
        Some('-') => &rest[1..],
        Some(':') => return Err(Fail::param("Invalid port:port syntax - use dash")),
        Some(_) => return Err(Fail::param(format!("Garbage after port value: `{rest}'"))),
    };
    let (last, rest) = number(range).ok_or_else(|| bad(range))?;
    if last < first {
        return Err(Fail::param(format!("Port range `{range}' funky")));
    }
    t.ports = Some((first, last));
    let base = match rest.chars().next() {
        None => return Ok(()),
        Some('/') => &rest[1..],
        Some(_) => return Err(Fail::param(format!("Garbage after port range: `{rest}'"))),
    };
    let found = number(base).map(|(v, _)| v).filter(|v| *v > 0).or_else(|| etc::service_port(base, None));
    t.base = Some(found.ok_or_else(|| bad(base))?);
    Ok(())
}

/// Where to, and the flags. Targets that have only ports print them without the colon.
fn dump(t: &Target, what: &str, prefix: &str, only_ports: bool) -> String {
    let Target::Nat(n) = t else { return String::new() };
    let mut range = match n.addrs {
        Some((a, b)) if a == b => a.to_string(),
        Some((a, b)) => format!("{a}-{b}"),
        None => String::new(),
    };
    if let Some((a, b)) = n.ports {
        range += &if a == b { format!(":{a}") } else { format!(":{a}-{b}") };
        range += &n.base.map_or_else(String::new, |b| format!("/{b}"));
    }
    let range = if only_ports { range.trim_start_matches(':') } else { &range };
    let mut out = if range.is_empty() { String::new() } else { format!(" {what}{range}") };
    for (on, word) in [(n.random, "random"), (n.random_fully, "random-fully"), (n.persistent, "persistent")] {
        if on {
            out += &format!(" {prefix}{word}");
        }
    }
    out
}

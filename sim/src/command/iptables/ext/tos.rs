//! `-m tos`, `-m dscp`, `-j TOS`, `-j DSCP`: the second byte of the IP header (libxt_tos, libxt_dscp, libxt_TOS,
//! libxt_DSCP).

use super::opt::{Given, Item, TOS_NAMES, Ty, opt};
use super::{Ctx, MatchExt, TargetExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{Match, TosMatch};
use crate::kernel::xtables::targets::Target;

/// Classes of RFC 2474, 2597 and 3246.
const CLASSES: [(&str, u8); 22] = [
    ("CS0", 0x00),
    ("CS1", 0x08),
    ("CS2", 0x10),
    ("CS3", 0x18),
    ("CS4", 0x20),
    ("CS5", 0x28),
    ("CS6", 0x30),
    ("CS7", 0x38),
    ("BE", 0x00),
    ("AF11", 0x0a),
    ("AF12", 0x0c),
    ("AF13", 0x0e),
    ("AF21", 0x12),
    ("AF22", 0x14),
    ("AF23", 0x16),
    ("AF31", 0x1a),
    ("AF32", 0x1c),
    ("AF33", 0x1e),
    ("AF41", 0x22),
    ("AF42", 0x24),
    ("AF43", 0x26),
    ("EF", 0x2e),
];

fn class(text: &str) -> Result<u8, Fail> {
    let begins = |name: &str| text.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name));
    let found = CLASSES.iter().find(|(n, _)| begins(n));
    found.map(|c| c.1).ok_or_else(|| Fail::param(format!("Invalid DSCP value `{text}'")))
}

fn byte(v: u32) -> u8 {
    u8::try_from(v).unwrap_or(u8::MAX)
}

/// The name of a value and mask, where it has one.
fn symbolic(value: u8, mask: u8) -> Option<&'static str> {
    // Names were made for masks with or without the two bits of congestion control.
    if mask != 0x3f {
        return None;
    }
    TOS_NAMES.iter().find(|(_, v)| *v == value).map(|t| t.0)
}

/// `-m tos`.
pub static MATCH: MatchExt = MatchExt {
    name: "tos",
    opts: &[opt("tos", 0, Ty::Tos(0x3f)).mand().inv()],
    check: None,
    build: |g, _| {
        let Some(i) = g.get(0) else { return Err(Fail::param("tos: option \"--tos\" must be specified\n")) };
        let (value, mask) = i.masked();
        Ok(Match::Tos(TosMatch { value: byte(value), mask: byte(mask), inv: i.inv }))
    },
    save: |m| match m {
        Match::Tos(t) => format!("{} --tos 0x{:02x}/0x{:02x}", bang(t.inv), t.value, t.mask),
        _ => String::new(),
    },
    list: |m, _, numeric| match m {
        Match::Tos(t) => {
            let name = symbolic(t.value, t.mask).filter(|_| !numeric);
            let text = name.map_or_else(|| format!("0x{:02x}/0x{:02x}", t.value, t.mask), |n| format!(" {n}"));
            format!(" tos match{}{}", if t.inv { "!" } else { "" }, text)
        }
        _ => String::new(),
    },
};

/// `-m dscp`.
pub static DSCP_MATCH: MatchExt = MatchExt {
    name: "dscp",
    opts: &[opt("dscp", 0, Ty::U8).excl(1 << 1).inv().range(0, 63), opt("dscp-class", 1, Ty::Text).excl(1).inv()],
    check: Some(|i, _, _| if i.opt.id == 1 { class(&i.arg).map(|_| ()) } else { Ok(()) }),
    build: |g, _| {
        let Some(i) = g.items.last() else {
            return Err(Fail::param("DSCP match: Parameter --dscp is required"));
        };
        let value = dscp(i)?;
        Ok(Match::Dscp(TosMatch { value: value << 2, mask: 0xfc, inv: i.inv }))
    },
    save: |m| match m {
        Match::Dscp(d) => format!("{} --dscp 0x{:02x}", bang(d.inv), d.value >> 2),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Dscp(d) => format!(" DSCP match {}0x{:02x}", if d.inv { "!" } else { "" }, d.value >> 2),
        _ => String::new(),
    },
};

fn dscp(i: &Item) -> Result<u8, Fail> {
    if i.opt.id == 1 { class(&i.arg) } else { Ok(i.u8()) }
}

const SET: u8 = 0;
const AND: u8 = 1;
const OR: u8 = 2;
const ANY: u32 = 0xf;

/// `-j TOS`.
pub static TARGET: TargetExt = TargetExt {
    name: "TOS",
    opts: &[
        opt("set-tos", SET, Ty::Tos(0x3f)).excl(ANY),
        opt("and-tos", AND, Ty::U8).excl(ANY),
        opt("or-tos", OR, Ty::U8).excl(ANY),
        opt("xor-tos", 3, Ty::U8).excl(ANY),
    ],
    check: None,
    build: build_tos,
    save: |t| match t {
        Target::Tos { value, mask } => format!(" --set-tos 0x{value:02x}/0x{mask:02x}"),
        _ => String::new(),
    },
    list: |t, _, numeric| match *t {
        Target::Tos { value, mask } => list_tos(value, mask, numeric),
        _ => String::new(),
    },
};

fn build_tos(g: &Given, _: &Ctx<'_>) -> Result<Target, Fail> {
    let Some(i) = g.items.last() else { return Err(Fail::param("TOS: An action is required")) };
    let (v, m) = i.masked();
    let n = i.u8();
    let (value, mask) = match i.opt.id {
        SET => (byte(v), byte(m)),
        AND => (0, !n),
        OR => (n, n),
        _ => (n, 0),
    };
    Ok(Target::Tos { value, mask })
}

fn list_tos(value: u8, mask: u8, numeric: bool) -> String {
    if numeric {
        return format!(" TOS set 0x{value:02x}/0x{mask:02x}");
    }
    match symbolic(value, mask) {
        Some(name) => format!("  TOS set{name}"),
        None if value == 0 => format!(" TOS and 0x{:02x}", !mask),
        None if value == mask => format!(" TOS or 0x{value:02x}"),
        None if mask == 0 => format!(" TOS xor 0x{value:02x}"),
        None => format!(" TOS set 0x{value:02x}/0x{mask:02x}"),
    }
}

/// `-j DSCP`.
pub static DSCP_TARGET: TargetExt = TargetExt {
    name: "DSCP",
    opts: &[opt("set-dscp", 0, Ty::U8).excl(1 << 1).range(0, 63), opt("set-dscp-class", 1, Ty::Text).excl(1)],
    check: Some(|i, _, _| if i.opt.id == 1 { class(&i.arg).map(|_| ()) } else { Ok(()) }),
    build: |g, _| match g.items.last() {
        Some(i) => Ok(Target::Dscp(dscp(i)?)),
        None => Err(Fail::param("DSCP target: Parameter --set-dscp is required")),
    },
    save: |t| match t {
        Target::Dscp(d) => format!(" --set-dscp 0x{d:02x}"),
        _ => String::new(),
    },
    list: |t, _, _| match t {
        Target::Dscp(d) => format!(" DSCP set 0x{d:02x}"),
        _ => String::new(),
    },
};

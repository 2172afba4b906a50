//! `-m tcp` (libxt_tcp).

use super::opt::{Given, Item, Ty, Val, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::names;
use crate::command::iptables::number::whole;
use crate::etc;
use crate::kernel::xtables::matches::{Match, Ports, TcpMatch};

const SPORT: u8 = 0;
const DPORT: u8 = 1;
const SYN: u8 = 2;
const FLAGS: u8 = 3;
const OPTION: u8 = 4;

/// Flags by bit, then the sets.
const NAMES: [(&str, u8); 8] = [
    ("FIN", 0x01),
    ("SYN", 0x02),
    ("RST", 0x04),
    ("PSH", 0x08),
    ("ACK", 0x10),
    ("URG", 0x20),
    ("ALL", 0x3f),
    ("NONE", 0),
];

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "tcp",
    opts: &[
        opt("source-port", SPORT, Ty::Text).inv().multi(),
        opt("sport", SPORT, Ty::Text).inv().multi(),
        opt("destination-port", DPORT, Ty::Text).inv().multi(),
        opt("dport", DPORT, Ty::Text).inv().multi(),
        opt("syn", SYN, Ty::None).inv().multi(),
        opt("tcp-flags", FLAGS, Ty::Two).inv().multi(),
        opt("tcp-option", OPTION, Ty::Text).inv().multi(),
    ],
    check: Some(check),
    build,
    save,
    list: |m, _, numeric| match m {
        Match::Tcp(t) => list(t, numeric),
        _ => String::new(),
    },
};

fn check(i: &Item, g: &Given, _: &Ctx<'_>) -> Result<(), Fail> {
    let again = |text: &str| Err(Fail::param(text));
    match i.opt.id {
        SPORT if g.has(SPORT) => again("Only one `--source-port' allowed"),
        DPORT if g.has(DPORT) => again("Only one `--destination-port' allowed"),
        SPORT | DPORT => ports(&i.arg).map(|_| ()),
        SYN | FLAGS if g.has(SYN) || g.has(FLAGS) => again("Only one of `--syn' or `--tcp-flags'  allowed"),
        FLAGS => flag_pair(i).map(|_| ()),
        OPTION if g.has(OPTION) => again("Only one `--tcp-option' allowed"),
        OPTION => option(&i.arg).map(|_| ()),
        _ => Ok(()),
    }
}

/// `PORT` or `[PORT]:[PORT]`.
pub fn ports(text: &str) -> Result<Ports, Fail> {
    let port = |t: &str| {
        names::port(t, Some("tcp")).ok_or_else(|| Fail::param(format!("invalid port/service `{t}' specified")))
    };
    let Some((a, b)) = text.split_once(':') else {
        let p = port(text)?;
        return Ok((p, p));
    };
    let a = if a.is_empty() { 0 } else { port(a)? };
    let b = if b.is_empty() { u16::MAX } else { port(b)? };
    if a > b {
        return Err(Fail::param("invalid portrange (min > max)"));
    }
    Ok((a, b))
}

fn option(text: &str) -> Result<u8, Fail> {
    let n = whole(text, 1, 255).and_then(|n| u8::try_from(n).ok());
    n.ok_or_else(|| Fail::param(format!("Bad TCP option \"{text}\"")))
}

fn flags(text: &str) -> Result<u8, Fail> {
    text.split(',').filter(|w| !w.is_empty()).try_fold(0, |set, w| {
        let found = NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(w));
        found.map(|(_, bit)| set | bit).ok_or_else(|| Fail::param(format!("Unknown TCP flag `{w}'")))
    })
}

fn flag_pair(i: &Item) -> Result<(u8, u8), Fail> {
    let Val::Second(second) = &i.val else { return Ok((0, 0)) };
    if second.is_empty() {
        return Err(Fail::param("--tcp-flags requires two args."));
    }
    Ok((flags(&i.arg)?, flags(second)?))
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    let mut t = TcpMatch::default();
    for i in &g.items {
        match i.opt.id {
            SPORT => (t.sports, t.inv_sports) = (ports(&i.arg)?, i.inv),
            DPORT => (t.dports, t.inv_dports) = (ports(&i.arg)?, i.inv),
            SYN => (t.flags_mask, t.flags_cmp, t.inv_flags) = (0x17, 0x02, i.inv),
            FLAGS => {
                (t.flags_mask, t.flags_cmp) = flag_pair(i)?;
                t.inv_flags = i.inv;
            }
            _ => (t.option, t.inv_option) = (option(&i.arg)?, i.inv),
        }
    }
    Ok(Match::Tcp(t))
}

/// ` --sport 1:2`, where it says anything.
pub fn save_ports(what: &str, (a, b): Ports, inv: bool) -> String {
    if (a, b) == (0, u16::MAX) {
        return String::new();
    }
    let range = if a == b { a.to_string() } else { format!("{a}:{b}") };
    format!("{} --{what} {range}", bang(inv))
}

/// ` spts:1:2`, where it says anything.
pub fn list_ports(what: &str, (a, b): Ports, inv: bool, proto: &str, numeric: bool) -> String {
    if (a, b) == (0, u16::MAX) && !inv {
        return String::new();
    }
    let name = |p: u16| match etc::service_name(p, Some(proto)) {
        Some(s) if !numeric => s.to_owned(),
        _ => p.to_string(),
    };
    let not = if inv { "!" } else { "" };
    if a == b { format!(" {what}:{not}{}", name(a)) } else { format!(" {what}s:{not}{}:{}", name(a), name(b)) }
}

/// Names of flags.
fn named(set: u8) -> String {
    let on: Vec<&str> = NAMES[..6].iter().filter(|(_, bit)| set & bit != 0).map(|(n, _)| *n).collect();
    if on.is_empty() { "NONE".to_owned() } else { on.join(",") }
}

fn save(m: &Match) -> String {
    let Match::Tcp(t) = m else { return String::new() };
    let mut out = save_ports("sport", t.sports, t.inv_sports) + &save_ports("dport", t.dports, t.inv_dports);
    if t.option != 0 || t.inv_option {
        out += &format!("{} --tcp-option {}", bang(t.inv_option), t.option);
    }
    if t.flags_mask != 0 || t.inv_flags {
        out += &format!("{} --tcp-flags {} {}", bang(t.inv_flags), named(t.flags_mask), named(t.flags_cmp));
    }
    out
}

fn list(t: &TcpMatch, numeric: bool) -> String {
    let mut out = " tcp".to_owned();
    out += &list_ports("spt", t.sports, t.inv_sports, "tcp", numeric);
    out += &list_ports("dpt", t.dports, t.inv_dports, "tcp", numeric);
    let not = |inv| if inv { "!" } else { "" };
    if t.option != 0 || t.inv_option {
        out += &format!(" option={}{}", not(t.inv_option), t.option);
    }
    if t.flags_mask != 0 || t.inv_flags {
        let text = match numeric {
            true => format!("0x{:02X}/0x{:02X}", t.flags_mask, t.flags_cmp),
            false => format!("{}/{}", named(t.flags_mask), named(t.flags_cmp)),
        };
        out += &format!(" flags:{}{text}", not(t.inv_flags));
    }
    out
}

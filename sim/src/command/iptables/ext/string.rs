//! `-m string` (libxt_string).

use super::kept::{asks, match_args, written_match};
use super::opt::{Given, Ty, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::Match;
use crate::kernel::xtables::matches::string::StringMatch;
use crate::kernel::xtables::matches::written::Asks;

const FROM: u8 = 0;
const TO: u8 = 1;
const ALGO: u8 = 2;
const STRING: u8 = 3;
const HEX: u8 = 4;
const ICASE: u8 = 5;
/// Most bytes of a pattern.
const MAX: usize = 128;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "string",
    opts: &[
        opt("from", FROM, Ty::U16),
        opt("to", TO, Ty::U16),
        opt("algo", ALGO, Ty::Text).mand(),
        opt("string", STRING, Ty::Text).inv().excl(1 << HEX),
        opt("hex-string", HEX, Ty::Text).inv().excl(1 << STRING),
        opt("icase", ICASE, Ty::None),
    ],
    check: Some(|i, _, _| match i.opt.id {
        STRING => pattern(&i.arg).map(|_| ()),
        HEX => hex(&i.arg).map(|_| ()),
        _ => Ok(()),
    }),
    build,
    save: |m| match_args(m).to_owned(),
    list: |m, _, _| list(m),
};

/// As it is saved, in other words.
fn list(m: &Match) -> String {
    let Some(Asks::String(s)) = asks(m) else { return String::new() };
    let (what, how) = match_args(m).rsplit_once(" --algo ").unwrap_or_default();
    let quoted = what.split_once("string ").map_or("", |(_, q)| q);
    let mut out = format!(
        " STRING match {} {quoted} ALGO name {}",
        if s.inv { "!" } else { "" },
        how.split(' ').next().unwrap_or("")
    );
    for (name, n, usual) in [("FROM", s.from, 0), ("TO", s.to, u16::MAX)] {
        if n != usual {
            out += &format!(" {name} {n}");
        }
    }
    out + if s.icase { " ICASE" } else { "" }
}

fn pattern(text: &str) -> Result<Vec<u8>, Fail> {
    if text.is_empty() {
        return Err(Fail::param("STRING must contain at least one char"));
    }
    if text.len() > MAX {
        return Err(Fail::param(format!("STRING too long \"{text}\"")));
    }
    Ok(text.as_bytes().to_vec())
}

/// Text with bytes in hexadecimal between bars.
fn hex(text: &str) -> Result<Vec<u8>, Fail> {
    pattern(text)?;
    let mut out = Vec::new();
    for (i, part) in text.split('|').enumerate() {
        if i % 2 == 0 {
            // A backslash takes away the meaning of the letter after it.
            let mut bytes = part.bytes();
            while let Some(b) = bytes.next() {
                out.push(if b == b'\\' { bytes.next().unwrap_or(b) } else { b });
            }
            continue;
        }
        let digits: Vec<char> = part.chars().filter(|c| *c != ' ').collect();
        if let Some(c) = digits.iter().find(|c| !c.is_ascii_hexdigit()) {
            return Err(Fail::param(format!("Invalid hex char '{c}'")));
        }
        if !digits.len().is_multiple_of(2) {
            return Err(Fail::param("Odd number of hex digits"));
        }
        for pair in digits.chunks(2) {
            out.extend(u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok());
        }
    }
    if !text.matches('|').count().is_multiple_of(2) {
        return Err(Fail::param("Invalid hex block"));
    }
    Ok(out)
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    let Some(i) = g.items.iter().find(|i| matches!(i.opt.id, STRING | HEX)) else {
        return Err(Fail::param("STRING match: You must specify `--string' or `--hex-string'"));
    };
    let bytes = if i.opt.id == STRING { pattern(&i.arg)? } else { hex(&i.arg)? };
    let binary = bytes.iter().any(|b| !(0x20..0x7f).contains(b)) || bytes.last().is_none_or(|b| *b == b'\\');
    let mut out = bang(i.inv).to_owned();
    if binary {
        let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        out += &format!(" --hex-string \"|{digits}|\"");
    } else {
        let text: String = bytes.iter().map(|b| char::from(*b)).collect();
        out += &format!(" --string \"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    out += &format!(" --algo {}", g.get(ALGO).map_or("", |a| a.arg.as_str()));
    for (id, usual) in [(FROM, 0), (TO, 65535)] {
        if let Some(i) = g.get(id).filter(|i| i.num() != usual) {
            out += &format!(" --{} {}", i.opt.name, i.num());
        }
    }
    out += if g.has(ICASE) { " --icase" } else { "" };
    let number = |id, usual| g.get(id).map_or(usual, |i| u16::try_from(i.num()).unwrap_or(u16::MAX));
    let asks = StringMatch {
        pattern: bytes.into(),
        inv: i.inv,
        icase: g.has(ICASE),
        from: number(FROM, 0),
        to: number(TO, u16::MAX),
    };
    Ok(written_match("string", &out, false, Asks::String(asks)))
}

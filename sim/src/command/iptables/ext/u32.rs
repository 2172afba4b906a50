//! `-m u32` (libxt_u32): kept in its canonical form, all numbers in hexadecimal.

use super::kept::{match_args, opaque_match};
use super::opt::{Ty, opt};
use super::{MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::number::leading_u32;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "u32",
    opts: &[opt("u32", 0, Ty::Text).mand().inv()],
    check: Some(|i, _, _| canonical(&i.arg).map(|_| ())),
    build: |g, _| match g.get(0) {
        Some(i) => {
            let args = format!("{} --u32 \"{}\"", bang(i.inv), canonical(&i.arg)?);
            Ok(opaque_match("u32", &args, false))
        }
        None => Err(Fail::param("u32: option \"--u32\" must be specified\n")),
    },
    save: |m| match_args(m).to_owned(),
    list: |m, _, _| {
        let (not, tests) = match_args(m).split_once("--u32 ").unwrap_or_default();
        format!(" u32{} {tests}", not.trim_end())
    },
};

/// `LOCATION=VALUES`, with `&&` between tests.
fn canonical(text: &str) -> Result<String, Fail> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bad = |at: &str| {
        Fail::param(format!("u32: at char {}: no number given or number out of bounds", compact.len() - at.len()))
    };
    let mut out = String::new();
    let mut left = compact.as_str();
    loop {
        let (n, rest) = leading_u32(left, u32::MAX).ok_or_else(|| bad(left))?;
        out += &format!("0x{n:x}");
        let op = ["&&", "<<", ">>", "&", "@", "=", ",", ":"].iter().find(|op| rest.starts_with(**op));
        match op {
            None if rest.is_empty() => return Ok(out),
            None => return Err(bad(rest)),
            Some(op) => {
                out += op;
                left = &rest[op.len()..];
            }
        }
    }
}

//! `-m quota` (libxt_quota).

use super::MatchExt;
use super::kept::{as_written, asks, match_args, written_match};
use super::opt::{Ty, opt};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::written::Asks;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "quota",
    opts: &[opt("quota", 0, Ty::Text).mand().inv()],
    check: Some(|i, _, _| number(&i.arg).map(|_| ())),
    build: |g, _| {
        let (bytes, inv) = g.get(0).map_or(Ok((0, false)), |i| number(&i.arg).map(|n| (n, i.inv)))?;
        Ok(written_match("quota", &as_written(g), false, Asks::Quota { bytes, inv }))
    },
    save: |m| match_args(m).to_owned(),
    list: |m, _, _| match asks(m) {
        // That it is negated is not told.
        Some(Asks::Quota { bytes, .. }) => format!(" quota: {bytes} bytes"),
        _ => String::new(),
    },
};

fn number(text: &str) -> Result<u64, Fail> {
    text.parse().map_err(|_| Fail::param(format!("quota: Bad value for \"--quota\" option: \"{text}\"")))
}

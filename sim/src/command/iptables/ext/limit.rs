//! `-m limit` (libxt_limit).

use super::MatchExt;
use super::conntrack::begins;
use super::opt::{Ty, opt};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::number::atoi;
use crate::kernel::xtables::matches::{LimitMatch, Match};

/// Units of `avg` in a second (`XT_LIMIT_SCALE`).
pub const SCALE: u32 = 10000;
/// Burst where none is given.
pub const BURST: u32 = 5;

/// Names of units, and their length in units of `avg`.
pub const RATES: [(&str, u32); 4] =
    [("day", SCALE * 24 * 60 * 60), ("hour", SCALE * 60 * 60), ("min", SCALE * 60), ("sec", SCALE)];

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "limit",
    opts: &[opt("limit", 0, Ty::Text), opt("limit-burst", 1, Ty::U32).range(0, 10000)],
    check: Some(|i, _, _| if i.opt.id == 0 { average(&i.arg).map(|_| ()) } else { Ok(()) }),
    build: |g, _| {
        let avg = g.get(0).map_or(Ok(SCALE * 60 * 60 / 3), |i| average(&i.arg))?;
        let burst = g.get(1).map_or(BURST, super::opt::Item::u32);
        Ok(Match::Limit(LimitMatch { avg, burst }))
    },
    save: |m| match m {
        Match::Limit(l) if l.burst == BURST => format!(" --limit {}", rate(l.avg)),
        Match::Limit(l) => format!(" --limit {} --limit-burst {}", rate(l.avg), l.burst),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Limit(l) => format!(" limit: avg {} burst {}", rate(l.avg), l.burst),
        _ => String::new(),
    },
};

fn average(text: &str) -> Result<u32, Fail> {
    parse(text)?.ok_or_else(|| Fail::param(format!("bad rate \"{text}\"'")))
}

/// `N/UNIT`, as the time between two packets.
pub fn parse(text: &str) -> Result<Option<u32>, Fail> {
    let mult = match text.split_once('/') {
        None => 1,
        Some((_, u)) if begins("second", u) => 1,
        Some((_, u)) if begins("minute", u) => 60,
        Some((_, u)) if begins("hour", u) => 60 * 60,
        Some((_, u)) if begins("day", u) => 24 * 60 * 60,
        Some(_) => return Ok(None),
    };
    // The tool keeps it as an unsigned number of 32 bits.
    let r = u32::try_from(atoi(text) & 0xffff_ffff).unwrap_or(0);
    if r == 0 {
        return Ok(None);
    }
    let avg = SCALE * mult / r;
    if avg == 0 {
        return Err(Fail::param(format!("Rate too fast \"{text}\"")));
    }
    Ok(Some(avg))
}

/// The unit in which a rate is told: the longest in which it is a good whole number.
pub fn unit(avg: u32) -> usize {
    let too_long = |mult: u32| avg > mult || mult / avg < mult % avg;
    RATES.iter().skip(1).position(|(_, mult)| too_long(*mult)).unwrap_or(RATES.len() - 1)
}

/// A rate as it is printed.
pub fn rate(avg: u32) -> String {
    if avg == 0 {
        return "inf".to_owned();
    }
    let (name, mult) = RATES[unit(avg)];
    format!("{}/{name}", mult / avg)
}

//! `-m connlimit` (libxt_connlimit).

use super::MatchExt;
use super::kept::{asks, match_args, written_match};
use super::opt::{Item, Ty, opt};
use crate::command::iptables::addr::prefix_len;
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::connlimit::ConnlimitMatch;
use crate::kernel::xtables::matches::written::Asks;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "connlimit",
    opts: &[
        opt("connlimit-upto", 0, Ty::U32).excl(1 << 1).inv(),
        opt("connlimit-above", 1, Ty::U32).excl(1).inv(),
        opt("connlimit-mask", 2, Ty::Plen),
        opt("connlimit-saddr", 3, Ty::None).excl(1 << 4),
        opt("connlimit-daddr", 4, Ty::None).excl(1 << 3),
    ],
    check: None,
    build: |g, _| {
        let Some(i) = g.items.iter().find(|i| i.opt.id < 2) else {
            return Err(Fail::param("You must specify \"--connlimit-above\" or \"--connlimit-upto\"."));
        };
        let what = if (i.opt.id == 0) == i.inv { "above" } else { "upto" };
        let bits = g.get(2).map_or(Some(32), |m| prefix_len(m.masked().1)).unwrap_or(32);
        let side = if g.has(4) { 'd' } else { 's' };
        let args = format!(" --connlimit-{what} {} --connlimit-mask {bits} --connlimit-{side}addr", Item::num(i));
        let asks = ConnlimitMatch {
            limit: i.u32(),
            upto: what == "upto",
            mask: u32::MAX.checked_shl(32 - bits).unwrap_or(0),
            daddr: side == 'd',
        };
        Ok(written_match("connlimit", &args, true, Asks::Connlimit(asks)))
    },
    save: |m| match_args(m).to_owned(),
    list: |m, _, _| match asks(m) {
        Some(Asks::Connlimit(c)) => {
            let (side, sign) = (if c.daddr { "dst" } else { "src" }, if c.upto { "<=" } else { ">" });
            format!(" #conn {side}/{} {sign} {}", c.mask.leading_ones(), c.limit)
        }
        _ => String::new(),
    },
};

//! `-j TCPMSS` (libxt_TCPMSS) and `-m tcpmss` (libxt_tcpmss).

use super::kept::{as_written, asks, match_args, written_match};
use super::opt::{Item, Ty, Val, opt};
use super::{MatchExt, TargetExt};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::written::Asks;
use crate::kernel::xtables::targets::Target;

/// The target. The kernel means the path MTU by 65535, and 65515 is the largest segment there is.
pub static TARGET: TargetExt = TargetExt {
    name: "TCPMSS",
    opts: &[opt("set-mss", 0, Ty::U16).range(0, 65515), opt("clamp-mss-to-pmtu", 1, Ty::None)],
    check: None,
    build: |g, _| {
        if g.items.is_empty() {
            return Err(Fail::param("TCPMSS target: At least one parameter is required"));
        }
        // Both write to the same place: the last one counts.
        let last = g.items.last().filter(|i| i.opt.id == 0).map(Item::num);
        Ok(Target::TcpMss(last.and_then(|n| u16::try_from(n).ok())))
    },
    save: |t| match t {
        Target::TcpMss(Some(n)) => format!(" --set-mss {n}"),
        _ => " --clamp-mss-to-pmtu".to_owned(),
    },
    list: |t, _, _| match t {
        Target::TcpMss(Some(n)) => format!(" TCPMSS set {n}"),
        _ => " TCPMSS clamp to PMTU".to_owned(),
    },
};

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "tcpmss",
    opts: &[opt("mss", 0, Ty::U16Range).mand().inv()],
    check: None,
    build: |g, _| {
        let (mss, inv) = g.get(0).map_or(((0, 0), false), |i| match (&i.val, i.ports()) {
            // One number is a range of one.
            (Val::Range(_, _, 1), (mss, _)) => ((mss, mss), i.inv),
            (_, mss) => (mss, i.inv),
        });
        Ok(written_match("tcpmss", &as_written(g), false, Asks::Tcpmss { mss, inv }))
    },
    save: |m| match_args(m).to_owned(),
    list: |m, _, _| match asks(m) {
        Some(Asks::Tcpmss { mss: (a, b), inv }) => {
            let to = if a == b { String::new() } else { format!(":{b}") };
            format!(" tcpmss match {}{a}{to}", if *inv { "!" } else { "" })
        }
        _ => String::new(),
    },
};

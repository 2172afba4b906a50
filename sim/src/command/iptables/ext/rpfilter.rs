//! `-m rpfilter` (libxt_rpfilter).

use super::MatchExt;
use super::opt::{Ty, opt};
use crate::kernel::xtables::matches::{Match, RpfilterMatch};

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "rpfilter",
    opts: &[
        opt("loose", 0, Ty::None),
        opt("validmark", 1, Ty::None),
        opt("accept-local", 2, Ty::None),
        opt("invert", 3, Ty::None),
    ],
    check: None,
    build: |g, _| {
        let (loose, validmark, accept_local, invert) = (g.has(0), g.has(1), g.has(2), g.has(3));
        Ok(Match::Rpfilter(RpfilterMatch { loose, validmark, accept_local, invert }))
    },
    save: |m| dump(m, "--"),
    list: |m, _, _| format!(" rpfilter{}", dump(m, "")),
};

fn dump(m: &Match, prefix: &str) -> String {
    let Match::Rpfilter(r) = m else { return String::new() };
    let words =
        [(r.loose, "loose"), (r.validmark, "validmark"), (r.accept_local, "accept-local"), (r.invert, "invert")];
    words.iter().filter(|(on, _)| *on).map(|(_, w)| format!(" {prefix}{w}")).collect()
}

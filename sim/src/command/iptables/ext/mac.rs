//! `-m mac` (libxt_mac).

use super::opt::{Ty, Val, opt};
use super::{MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{MacMatch, Match};

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "mac",
    opts: &[opt("mac-source", 0, Ty::Mac).mand().inv()],
    check: None,
    build: |g, _| match g.get(0).map(|i| (&i.val, i.inv)) {
        Some((Val::Mac(addr), inv)) => Ok(Match::Mac(MacMatch { addr: *addr, inv })),
        _ => Err(Fail::param("mac: option \"--mac-source\" must be specified\n")),
    },
    save: |m| match m {
        Match::Mac(m) => format!("{} --mac-source {}", bang(m.inv), m.addr),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Mac(m) => format!(" MAC{} {}", bang(m.inv), m.addr),
        _ => String::new(),
    },
};

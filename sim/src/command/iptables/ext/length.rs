//! `-m length` (libxt_length).

use super::opt::{Ty, Val, opt};
use super::{MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{LengthMatch, Match};

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "length",
    opts: &[opt("length", 0, Ty::U16Range).mand().inv()],
    check: None,
    build: |g, _| {
        let Some(i) = g.get(0) else { return Err(Fail::param("length: option \"--length\" must be specified\n")) };
        let (min, mut max) = i.ports();
        if let Val::Range(_, _, 1) = i.val {
            max = min;
        }
        Ok(Match::Length(LengthMatch { min, max, inv: i.inv }))
    },
    save: |m| match m {
        Match::Length(l) => format!("{} --length {}", bang(l.inv), shown(l)),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Length(l) => format!(" length {}{}", if l.inv { "!" } else { "" }, shown(l)),
        _ => String::new(),
    },
};

fn shown(l: &LengthMatch) -> String {
    if l.min == l.max { l.min.to_string() } else { format!("{}:{}", l.min, l.max) }
}

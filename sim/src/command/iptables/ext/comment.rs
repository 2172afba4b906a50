//! `-m comment` (libxt_comment).

use std::sync::Arc;

use super::opt::{Ty, opt};
use super::{MatchExt, quoted};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::Match;

/// The kernel keeps 256 bytes.
const MAX: u64 = 256;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "comment",
    opts: &[opt("comment", 0, Ty::Text).mand()],
    check: Some(|i, _, _| {
        if i.arg.len() as u64 > MAX {
            return Err(Fail::param(format!("COMMENT: Argument too long (max. {MAX} chars)")));
        }
        Ok(())
    }),
    build: |g, _| Ok(Match::Comment(Arc::from(g.get(0).map_or("", |i| i.arg.as_str())))),
    save: |m| match m {
        Match::Comment(c) => format!(" --comment{}", quoted(c)),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Comment(c) => format!(" /* {c} */"),
        _ => String::new(),
    },
};

//! `-m comment` (libxt_comment).

use std::sync::Arc;

use super::opt::{Ty, opt};
use super::{MatchExt, quoted};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::Match;

/// As long as a comment may be; the last byte is lost, for the kernel keeps 256 with a zero at the end.
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
    build: |g, _| Ok(Match::Comment(Arc::from(g.get(0).map_or("", |i| kept(&i.arg))))),
    save: |m| match m {
        Match::Comment(c) => format!(" --comment{}", quoted(c)),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Comment(c) => format!(" /* {c} */"),
        _ => String::new(),
    },
};

fn kept(text: &str) -> &str {
    let mut end = text.len().min(255);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

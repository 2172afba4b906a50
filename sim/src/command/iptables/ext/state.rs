//! `-m state`: the older form of `-m conntrack --ctstate` (libxt_conntrack).

use super::conntrack::{STATES, begins, joined};
use super::opt::{Ty, opt};
use super::{MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{Match, Neg, ctstate};

const LIST: &str = "\"--state\" requires a list of states with no spaces, e.g. ESTABLISHED,RELATED";

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "state",
    opts: &[opt("state", 0, Ty::Text).mand().inv()],
    check: Some(|i, _, _| states(&i.arg).map(|_| ())),
    build: |g, _| match g.get(0) {
        Some(i) => Ok(Match::State(Neg { value: states(&i.arg)?, inv: i.inv })),
        None => Err(Fail::param("state: option \"--state\" must be specified\n")),
    },
    save: |m| dump(m, "--"),
    list: |m, _, _| dump(m, ""),
};

fn dump(m: &Match, prefix: &str) -> String {
    let Match::State(s) = m else { return String::new() };
    format!("{} {prefix}state {}", bang(s.inv), joined(s.value, &STATES))
}

fn states(text: &str) -> Result<u16, Fail> {
    const NAMES: [(&str, u16); 5] = [
        ("INVALID", ctstate::INVALID),
        ("NEW", ctstate::NEW),
        ("ESTABLISHED", ctstate::ESTABLISHED),
        ("RELATED", ctstate::RELATED),
        ("UNTRACKED", ctstate::UNTRACKED),
    ];
    let (mut set, mut left) = (0, text);
    loop {
        let (word, more) = left.split_once(',').map_or((left, None), |(w, m)| (w, Some(m)));
        if left.is_empty() {
            return Err(Fail::param(LIST));
        }
        let found = NAMES.iter().find(|(n, _)| begins(n, word));
        set |= found.ok_or_else(|| Fail::param(format!("Bad state \"{left}\"")))?.1;
        match more {
            Some(m) => left = m,
            None => return Ok(set),
        }
    }
}

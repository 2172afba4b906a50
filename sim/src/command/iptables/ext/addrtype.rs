//! `-m addrtype`: what the routing table says of an address (libxt_addrtype).

use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{AddrtypeMatch, Match};

/// Names by bit.
const TYPES: [&str; 12] = [
    "UNSPEC",
    "UNICAST",
    "LOCAL",
    "BROADCAST",
    "ANYCAST",
    "MULTICAST",
    "BLACKHOLE",
    "UNREACHABLE",
    "PROHIBIT",
    "THROW",
    "NAT",
    "XRESOLVE",
];

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "addrtype",
    opts: &[
        opt("src-type", 0, Ty::Text).inv(),
        opt("dst-type", 1, Ty::Text).inv(),
        opt("limit-iface-in", 2, Ty::None).excl(1 << 3),
        opt("limit-iface-out", 3, Ty::None).excl(1 << 2),
    ],
    check: Some(check),
    build,
    save,
    list: |m, _, _| {
        let mut out = " ADDRTYPE match".to_owned();
        let Match::Addrtype(a) = m else { return out };
        for (what, set, inv) in [("src", a.src, a.inv_src), ("dst", a.dst, a.inv_dst)] {
            if set != 0 {
                out += &format!(" {what}-type {}{}", if inv { "!" } else { "" }, names(set));
            }
        }
        out += if a.limit_iface_in { " limit-in" } else { "" };
        out += if a.limit_iface_out { " limit-out" } else { "" };
        out
    },
};

/// A list of types, each by the start of its name.
fn types(text: &str) -> Result<u16, Fail> {
    let mut set = 0;
    let mut left = text;
    loop {
        let (word, more) = left.split_once(',').map_or((left, None), |(w, m)| (w, Some(m)));
        let found = TYPES.iter().position(|t| {
            !word.is_empty() && t.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        });
        match (found, more) {
            (Some(bit), _) => set |= 1 << bit,
            (None, Some(_)) => return Err(Fail::param(format!("addrtype: bad type `{left}'"))),
            (None, None) => return Err(Fail::param(format!("addrtype: bad type \"{left}\""))),
        }
        match more {
            Some(m) => left = m,
            None => return Ok(set),
        }
    }
}

fn names(set: u16) -> String {
    let on = TYPES.iter().enumerate().filter(|(bit, _)| set & 1 << bit != 0);
    on.map(|(_, n)| *n).collect::<Vec<_>>().join(",")
}

fn check(i: &Item, _: &Given, _: &Ctx<'_>) -> Result<(), Fail> {
    if i.opt.ty == Ty::Text { types(&i.arg).map(|_| ()) } else { Ok(()) }
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    if !g.has(0) && !g.has(1) {
        return Err(Fail::param("addrtype: you must specify --src-type or --dst-type"));
    }
    let side = |id| -> Result<_, Fail> { g.get(id).map_or(Ok((0, false)), |i| Ok((types(&i.arg)?, i.inv))) };
    let ((src, inv_src), (dst, inv_dst)) = (side(0)?, side(1)?);
    let (limit_iface_in, limit_iface_out) = (g.has(2), g.has(3));
    Ok(Match::Addrtype(AddrtypeMatch { src, inv_src, dst, inv_dst, limit_iface_in, limit_iface_out }))
}

fn save(m: &Match) -> String {
    let Match::Addrtype(a) = m else { return String::new() };
    let mut out = String::new();
    for (what, set, inv) in [("src", a.src, a.inv_src), ("dst", a.dst, a.inv_dst)] {
        if set != 0 {
            out += &format!("{} --{what}-type {}", bang(inv), names(set));
        }
    }
    out += if a.limit_iface_in { " --limit-iface-in" } else { "" };
    out += if a.limit_iface_out { " --limit-iface-out" } else { "" };
    out
}

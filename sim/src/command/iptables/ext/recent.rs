//! `-m recent` (libxt_recent, revision 1).

use std::net::Ipv4Addr;

use super::kept::{asks, match_args, written_match};
use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::Match;
use crate::kernel::xtables::matches::recent::{RecentMatch, RecentOp};
use crate::kernel::xtables::matches::written::Asks;

const OPS: u32 = 0xf;
const SECONDS: u8 = 4;
const REAP: u8 = 5;
const HITCOUNT: u8 = 6;
const RTTL: u8 = 7;
const NAME: u8 = 8;
const RSOURCE: u8 = 9;
const RDEST: u8 = 10;
const MASK: u8 = 11;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "recent",
    opts: &[
        opt("set", 0, Ty::None).excl(OPS).inv(),
        opt("rcheck", 1, Ty::None).excl(OPS).inv(),
        opt("update", 2, Ty::None).excl(OPS).inv(),
        opt("remove", 3, Ty::None).excl(OPS).inv(),
        opt("seconds", SECONDS, Ty::U32).range(1, 0),
        opt("reap", REAP, Ty::None).also(1 << SECONDS),
        opt("hitcount", HITCOUNT, Ty::U32),
        opt("rttl", RTTL, Ty::None).excl(1 | 1 << 3),
        opt("name", NAME, Ty::Text),
        opt("rsource", RSOURCE, Ty::None),
        opt("rdest", RDEST, Ty::None),
        opt("mask", MASK, Ty::Host),
    ],
    check: None,
    build,
    save: |m| match_args(m).to_owned(),
    list: |m, _, _| list(m),
};

fn list(m: &Match) -> String {
    let Some(Asks::Recent(r)) = asks(m) else { return String::new() };
    let op = match r.op {
        RecentOp::Set => "SET",
        RecentOp::Rcheck => "CHECK",
        RecentOp::Update => "UPDATE",
        RecentOp::Remove => "REMOVE",
    };
    let mut out = format!("{} recent: {op}", bang(r.inv));
    for (name, n) in [("seconds", r.seconds), ("hit_count", r.hitcount)] {
        if n > 0 {
            out += &format!(" {name}: {n}");
        }
        out += if name == "seconds" && r.reap { " reap" } else { "" };
    }
    out += if r.rttl { " TTL-Match" } else { "" };
    let side = if r.dest { "dest" } else { "source" };
    out + &format!(" name: {} side: {side} mask: {}", r.name, Ipv4Addr::from(r.mask))
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    let Some(op) = g.items.iter().find(|i| OPS & 1 << i.opt.id != 0) else {
        let text = "recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'";
        return Err(Fail::param(text));
    };
    let mut out = format!("{} --{}", bang(g.items.iter().any(|i| i.inv)), op.opt.name);
    for id in [SECONDS, REAP, HITCOUNT, RTTL] {
        if let Some(i) = g.get(id) {
            out += &format!(" --{}", i.opt.name);
            out += &if i.opt.ty == Ty::None { String::new() } else { format!(" {}", i.num()) };
        }
    }
    let mask = g.get(MASK).map_or(u32::MAX, |m| m.masked().0);
    let side = g.items.iter().rev().find(|i| matches!(i.opt.id, RSOURCE | RDEST)).map_or("rsource", |i| i.opt.name);
    let name = g.get(NAME).map_or("DEFAULT", |n| n.arg.as_str());
    out += &format!(" --name {name} --mask {} --{side}", Ipv4Addr::from(mask));
    let number = |id| g.get(id).map_or(0, Item::u32);
    let asks = RecentMatch {
        op: match op.opt.id {
            0 => RecentOp::Set,
            1 => RecentOp::Rcheck,
            2 => RecentOp::Update,
            _ => RecentOp::Remove,
        },
        inv: g.items.iter().any(|i| i.inv),
        seconds: number(SECONDS),
        hitcount: number(HITCOUNT),
        rttl: g.has(RTTL),
        reap: g.has(REAP),
        dest: side == "rdest",
        mask,
        name: name.into(),
    };
    Ok(written_match("recent", &out, false, Asks::Recent(asks)))
}

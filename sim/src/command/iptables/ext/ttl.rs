//! `-m ttl` and `-j TTL` (libipt_ttl, libipt_TTL).

use super::opt::{Item, Ty, opt};
use super::{MatchExt, TargetExt};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{Match, TtlMatch, TtlMode};
use crate::kernel::xtables::targets::{Target, TtlTarget};

const ANY: u32 = 0x7;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "ttl",
    opts: &[
        opt("ttl-lt", 0, Ty::U8).excl(ANY),
        opt("ttl-gt", 1, Ty::U8).excl(ANY),
        opt("ttl-eq", 2, Ty::U8).excl(ANY).inv(),
        opt("ttl", 2, Ty::U8).excl(ANY),
    ],
    check: None,
    build: |g, _| {
        let Some(i) = g.items.last() else {
            return Err(Fail::param("TTL match: You must specify one of `--ttl-eq', `--ttl-lt', `--ttl-gt"));
        };
        let mode = match (i.opt.id, i.inv) {
            (0, _) => TtlMode::Lt,
            (1, _) => TtlMode::Gt,
            (_, true) => TtlMode::Ne,
            _ => TtlMode::Eq,
        };
        Ok(Match::Ttl(TtlMatch { mode, ttl: i.u8() }))
    },
    save: |m| {
        let Match::Ttl(t) = m else { return String::new() };
        let what = match t.mode {
            TtlMode::Eq => "--ttl-eq",
            TtlMode::Ne => "! --ttl-eq",
            TtlMode::Lt => "--ttl-lt",
            TtlMode::Gt => "--ttl-gt",
        };
        format!(" {what} {}", t.ttl)
    },
    list: |m, _, _| {
        let Match::Ttl(t) = m else { return String::new() };
        let what = match t.mode {
            TtlMode::Eq => "==",
            TtlMode::Ne => "!=",
            TtlMode::Lt => "<",
            TtlMode::Gt => ">",
        };
        format!(" TTL match TTL {what} {}", t.ttl)
    },
};

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "TTL",
    opts: &[
        opt("ttl-set", 0, Ty::U8).excl(ANY),
        opt("ttl-dec", 1, Ty::U8).excl(ANY).range(1, 0),
        opt("ttl-inc", 2, Ty::U8).excl(ANY).range(1, 0),
    ],
    check: None,
    build: |g, _| {
        let Some(i) = g.items.last() else { return Err(Fail::param("TTL: You must specify an action")) };
        let n = Item::u8(i);
        Ok(Target::Ttl(match i.opt.id {
            0 => TtlTarget::Set(n),
            1 => TtlTarget::Dec(n),
            _ => TtlTarget::Inc(n),
        }))
    },
    save: |t| match t {
        Target::Ttl(TtlTarget::Set(n)) => format!(" --ttl-set {n}"),
        Target::Ttl(TtlTarget::Dec(n)) => format!(" --ttl-dec {n}"),
        Target::Ttl(TtlTarget::Inc(n)) => format!(" --ttl-inc {n}"),
        _ => String::new(),
    },
    list: |t, _, _| match t {
        Target::Ttl(TtlTarget::Set(n)) => format!(" TTL set to {n}"),
        Target::Ttl(TtlTarget::Dec(n)) => format!(" TTL decrement by {n}"),
        Target::Ttl(TtlTarget::Inc(n)) => format!(" TTL increment by {n}"),
        _ => String::new(),
    },
};

//! `-m mark` and `-j MARK`: the mark of a packet (libxt_mark, libxt_MARK).

use super::opt::{Given, Ty, opt};
use super::{Ctx, MatchExt, TargetExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{MarkMatch, Match};
use crate::kernel::xtables::targets::{MarkTarget, Target};

/// A mark; its mask where it is not all ones.
pub fn shown(mark: u32, mask: u32) -> String {
    if mask == u32::MAX { format!("0x{mark:x}") } else { format!("0x{mark:x}/0x{mask:x}") }
}

/// What a value and mask do to a mark, in a word.
pub fn how(value: u32, mask: u32) -> String {
    if value == 0 {
        format!(" and 0x{:x}", !mask)
    } else if value == mask {
        format!(" or 0x{value:x}")
    } else if mask == 0 {
        format!(" xor 0x{value:x}")
    } else if mask == u32::MAX {
        format!(" set 0x{value:x}")
    } else {
        format!(" xset 0x{value:x}/0x{mask:x}")
    }
}

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "mark",
    opts: &[opt("mark", 0, Ty::Mark).mand().inv()],
    check: None,
    build: |g, _| {
        let Some(i) = g.get(0) else { return Err(Fail::param("mark: option \"--mark\" must be specified\n")) };
        let (mark, mask) = i.masked();
        Ok(Match::Mark(MarkMatch { mark, mask, inv: i.inv }))
    },
    save: |m| match m {
        Match::Mark(c) => format!("{} --mark {}", bang(c.inv), shown(c.mark, c.mask)),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Mark(c) => format!(" mark match{} {}", bang(c.inv), shown(c.mark, c.mask)),
        _ => String::new(),
    },
};

const SET_XMARK: u8 = 0;
const SET_MARK: u8 = 1;
const AND: u8 = 2;
const OR: u8 = 3;
const XOR: u8 = 4;
const ANY: u32 = 0x1f;

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "MARK",
    opts: &[
        opt("set-xmark", SET_XMARK, Ty::Mark).excl(ANY),
        opt("set-mark", SET_MARK, Ty::Mark).excl(ANY),
        opt("and-mark", AND, Ty::U32).excl(ANY),
        opt("or-mark", OR, Ty::U32).excl(ANY),
        opt("xor-mark", XOR, Ty::U32).excl(ANY),
    ],
    check: None,
    build,
    save: |t| match t {
        Target::Mark(m) => format!(" --set-xmark 0x{:x}/0x{:x}", m.value, m.mask),
        _ => String::new(),
    },
    list: |t, _, _| match t {
        Target::Mark(m) => format!(" MARK{}", how(m.value, m.mask)),
        _ => String::new(),
    },
};

fn build(g: &Given, _: &Ctx<'_>) -> Result<Target, Fail> {
    let Some(i) = g.items.first() else {
        let text = "MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required";
        return Err(Fail::param(text));
    };
    let (v, m) = i.masked();
    let n = i.u32();
    let (value, mask) = match i.opt.id {
        SET_XMARK => (v, m),
        SET_MARK => (v, v | m),
        AND => (0, !n),
        OR => (n, n),
        _ => (n, 0),
    };
    Ok(Target::Mark(MarkTarget { value, mask }))
}

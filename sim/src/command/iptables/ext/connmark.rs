//! `-m connmark` and `-j CONNMARK`: the mark of a connection (libxt_connmark, libxt_CONNMARK).

use super::mark::shown;
use super::opt::{Given, Ty, opt};
use super::{Ctx, MatchExt, TargetExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{MarkMatch, Match};
use crate::kernel::xtables::targets::{ConnmarkTarget, Target};

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "connmark",
    opts: &[opt("mark", 0, Ty::Mark).mand().inv()],
    check: None,
    build: |g, _| {
        let Some(i) = g.get(0) else { return Err(Fail::param("connmark: option \"--mark\" must be specified\n")) };
        let (mark, mask) = i.masked();
        Ok(Match::Connmark(MarkMatch { mark, mask, inv: i.inv }))
    },
    save: |m| match m {
        Match::Connmark(c) => format!("{} --mark {}", bang(c.inv), shown(c.mark, c.mask)),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Connmark(c) => {
            format!(" connmark match {} {}", if c.inv { "!" } else { "" }, shown(c.mark, c.mask))
        }
        _ => String::new(),
    },
};

const SET_XMARK: u8 = 0;
const SET_MARK: u8 = 1;
const AND: u8 = 2;
const OR: u8 = 3;
const XOR: u8 = 4;
const SAVE: u8 = 5;
const RESTORE: u8 = 6;
const CTMASK: u8 = 7;
const NFMASK: u8 = 8;
const MASK: u8 = 9;
const LEFT: u8 = 10;
const RIGHT: u8 = 11;
/// What can be done, of which one thing is.
const OPS: u32 = 0x7f;

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "CONNMARK",
    opts: &[
        opt("set-xmark", SET_XMARK, Ty::Mark).excl(OPS),
        opt("set-mark", SET_MARK, Ty::Mark).excl(OPS),
        opt("and-mark", AND, Ty::U32).excl(OPS),
        opt("or-mark", OR, Ty::U32).excl(OPS),
        opt("xor-mark", XOR, Ty::U32).excl(OPS),
        opt("save-mark", SAVE, Ty::None).excl(OPS),
        opt("restore-mark", RESTORE, Ty::None).excl(OPS),
        opt("left-shift-mark", LEFT, Ty::U8).range(0, 32),
        opt("right-shift-mark", RIGHT, Ty::U8).range(0, 32),
        opt("ctmask", CTMASK, Ty::U32).excl(1 << MASK),
        opt("nfmask", NFMASK, Ty::U32).excl(1 << MASK),
        opt("mask", MASK, Ty::U32).excl(1 << CTMASK | 1 << NFMASK),
    ],
    check: Some(|i, _, _| match i.opt.id {
        LEFT | RIGHT if i.num() != 0 => Err(Fail::refused(format!("iptables -j CONNMARK --{}", i.opt.name))),
        _ => Ok(()),
    }),
    build,
    save: |t| match t {
        Target::Connmark(ConnmarkTarget::Set { value, mask }) => format!(" --set-xmark 0x{value:x}/0x{mask:x}"),
        Target::Connmark(ConnmarkTarget::Save { nfmask, ctmask }) => {
            format!(" --save-mark --nfmask 0x{nfmask:x} --ctmask 0x{ctmask:x}")
        }
        Target::Connmark(ConnmarkTarget::Restore { nfmask, ctmask }) => {
            format!(" --restore-mark --nfmask 0x{nfmask:x} --ctmask 0x{ctmask:x}")
        }
        _ => String::new(),
    },
    list: |t, _, _| match t {
        Target::Connmark(c) => list(c),
        _ => String::new(),
    },
};

fn build(g: &Given, _: &Ctx<'_>) -> Result<Target, Fail> {
    let op = g.items.iter().find(|i| OPS & 1 << i.opt.id != 0);
    let Some(i) = op else { return Err(Fail::param("CONNMARK target: No operation specified")) };
    let all = g.get(MASK).map(super::opt::Item::u32);
    let nfmask = g.get(NFMASK).map(super::opt::Item::u32).or(all).unwrap_or(u32::MAX);
    let ctmask = g.get(CTMASK).map(super::opt::Item::u32).or(all).unwrap_or(u32::MAX);
    let (v, m) = i.masked();
    let n = i.u32();
    Ok(Target::Connmark(match i.opt.id {
        SET_XMARK => ConnmarkTarget::Set { value: v, mask: m },
        SET_MARK => ConnmarkTarget::Set { value: v, mask: v | m },
        AND => ConnmarkTarget::Set { value: 0, mask: !n },
        OR => ConnmarkTarget::Set { value: n, mask: n },
        XOR => ConnmarkTarget::Set { value: n, mask: 0 },
        SAVE => ConnmarkTarget::Save { nfmask, ctmask },
        _ => ConnmarkTarget::Restore { nfmask, ctmask },
    }))
}

fn list(c: &ConnmarkTarget) -> String {
    match *c {
        ConnmarkTarget::Set { value, mask } => format!(" CONNMARK{}", super::mark::how(value, mask)),
        ConnmarkTarget::Save { nfmask: u32::MAX, ctmask: u32::MAX } => " CONNMARK save".to_owned(),
        ConnmarkTarget::Save { nfmask, ctmask } if nfmask == ctmask => format!(" CONNMARK save mask 0x{nfmask:x}"),
        ConnmarkTarget::Save { nfmask, ctmask } => {
            format!(" CONNMARK save nfmask 0x{nfmask:x} ctmask ~0x{ctmask:x}")
        }
        ConnmarkTarget::Restore { nfmask: u32::MAX, ctmask: u32::MAX } => " CONNMARK restore".to_owned(),
        ConnmarkTarget::Restore { nfmask, ctmask } if nfmask == ctmask => {
            format!(" CONNMARK restore mask 0x{ctmask:x}")
        }
        ConnmarkTarget::Restore { nfmask, ctmask } => {
            format!(" CONNMARK restore ctmask 0x{ctmask:x} nfmask ~0x{nfmask:x}")
        }
    }
}

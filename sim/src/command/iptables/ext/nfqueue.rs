//! `-j NFQUEUE` (libxt_NFQUEUE, revision 3): kept in its canonical form.

use super::TargetExt;
use super::kept::{opaque_target, target_args};
use super::opt::{Item, Ty, Val, opt};
use crate::command::iptables::fail::Fail;

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "NFQUEUE",
    opts: &[
        opt("queue-num", 0, Ty::U16).excl(1 << 1),
        opt("queue-balance", 1, Ty::U16Range).excl(1),
        opt("queue-bypass", 2, Ty::None),
        opt("queue-cpu-fanout", 3, Ty::None).also(1 << 1),
    ],
    check: Some(|i, _, _| match i.val {
        Val::Range(_, _, n) if n != 2 => {
            Err(Fail::param(format!("NFQUEUE: Bad value for \"--queue-balance\" option: \"{}\"", i.arg)))
        }
        Val::Range(a, b, _) if a >= b => Err(Fail::param("--queue-balance: \"from\" must be smaller than \"to\"")),
        _ => Ok(()),
    }),
    build: |g, _| {
        let mut out = match g.get(1).map(|i| &i.val) {
            Some(Val::Range(a, b, _)) => format!(" --queue-balance {a}:{b}"),
            _ => format!(" --queue-num {}", g.get(0).map_or(0, Item::num)),
        };
        for i in [2, 3].iter().filter_map(|id| g.get(*id)) {
            out += &format!(" --{}", i.opt.name);
        }
        Ok(opaque_target("NFQUEUE", &out, false))
    },
    save: |t| target_args(t).to_owned(),
    list: |t, _, _| format!(" NFQUEUE{}", target_args(t).replace("--queue-", "")),
};

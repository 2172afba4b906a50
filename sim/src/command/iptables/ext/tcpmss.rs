//! `-j TCPMSS` (libxt_TCPMSS).

use super::TargetExt;
use super::opt::{Item, Ty, opt};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::targets::Target;

/// The target. The kernel means the path MTU by 65535, and 65515 is the largest segment there is.
pub static TARGET: TargetExt = TargetExt {
    name: "TCPMSS",
    opts: &[opt("set-mss", 0, Ty::U16).range(0, 65515), opt("clamp-mss-to-pmtu", 1, Ty::None)],
    check: None,
    build: |g, _| {
        if g.items.is_empty() {
            return Err(Fail::param("TCPMSS target: At least one parameter is required"));
        }
        // Both write to the same place: the last one counts.
        let last = g.items.last().filter(|i| i.opt.id == 0).map(Item::num);
        Ok(Target::TcpMss(last.and_then(|n| u16::try_from(n).ok())))
    },
    save: |t| match t {
        Target::TcpMss(Some(n)) => format!(" --set-mss {n}"),
        _ => " --clamp-mss-to-pmtu".to_owned(),
    },
    list: |t, _, _| match t {
        Target::TcpMss(Some(n)) => format!(" TCPMSS set {n}"),
        _ => " TCPMSS clamp to PMTU".to_owned(),
    },
};

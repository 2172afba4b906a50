//! `-m physdev`: ports of a bridge (libxt_physdev).

use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::iface;
use crate::kernel::xtables::IfMatch;
use crate::kernel::xtables::matches::{Match, Neg, PhysdevMatch};

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "physdev",
    opts: &[
        opt("physdev-in", 0, Ty::Text).inv(),
        opt("physdev-out", 1, Ty::Text).inv(),
        opt("physdev-is-in", 2, Ty::None).inv(),
        opt("physdev-is-out", 3, Ty::None).inv(),
        opt("physdev-is-bridged", 4, Ty::None).inv(),
    ],
    check: Some(|i: &Item, _, _| if i.opt.id < 2 { iface::check(&i.arg) } else { Ok(()) }),
    build,
    save: dump,
    list: |m, _, _| format!(" PHYSDEV match{}", dump(m)),
};

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    if g.items.is_empty() {
        return Err(Fail::param("PHYSDEV: no physdev option specified"));
    }
    let mut p = PhysdevMatch::default();
    for i in &g.items {
        let name = || Some(Neg { value: IfMatch::parse(&i.arg), inv: i.inv });
        match i.opt.id {
            0 => p.physin = name(),
            1 => p.physout = name(),
            2 => p.is_in = Some(!i.inv),
            3 => p.is_out = Some(!i.inv),
            _ => p.is_bridged = Some(!i.inv),
        }
    }
    Ok(Match::Physdev(p))
}

fn dump(m: &Match) -> String {
    let Match::Physdev(p) = m else { return String::new() };
    let mut out = String::new();
    for (what, is, name) in [("in", p.is_in, p.physin), ("out", p.is_out, p.physout)] {
        if let Some(yes) = is {
            out += &format!("{} --physdev-is-{what}", bang(!yes));
        }
        if let Some(n) = name {
            out += &format!("{} --physdev-{what} {}", bang(n.inv), n.value.text());
        }
    }
    if let Some(yes) = p.is_bridged {
        out += &format!("{} --physdev-is-bridged", bang(!yes));
    }
    out
}

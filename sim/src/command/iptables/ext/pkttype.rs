//! `-m pkttype` (libxt_pkttype).

use super::opt::{Ty, opt};
use super::{MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{Match, PkttypeMatch};

const TYPES: [(&str, u8); 7] =
    [("unicast", 0), ("broadcast", 1), ("multicast", 2), ("otherhost", 3), ("bcast", 1), ("mcast", 2), ("host", 0)];

fn number(text: &str) -> Result<u8, Fail> {
    let found = TYPES.iter().find(|(n, _)| n.eq_ignore_ascii_case(text));
    found.map(|t| t.1).ok_or_else(|| Fail::param(format!("Bad packet type '{text}'")))
}

fn name(ty: u8) -> String {
    TYPES.iter().find(|(_, n)| *n == ty).map_or_else(|| ty.to_string(), |t| t.0.to_owned())
}

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "pkttype",
    opts: &[opt("pkt-type", 0, Ty::Text).mand().inv()],
    check: Some(|i, _, _| number(&i.arg).map(|_| ())),
    build: |g, _| match g.get(0) {
        Some(i) => Ok(Match::Pkttype(PkttypeMatch { ty: number(&i.arg)?, inv: i.inv })),
        None => Err(Fail::param("pkttype: option \"--pkt-type\" must be specified\n")),
    },
    save: |m| match m {
        Match::Pkttype(p) => format!("{} --pkt-type {}", bang(p.inv), name(p.ty)),
        _ => String::new(),
    },
    list: |m, _, _| match m {
        Match::Pkttype(p) => format!(" PKTTYPE {}= {}", if p.inv { "!" } else { "" }, name(p.ty)),
        _ => String::new(),
    },
};

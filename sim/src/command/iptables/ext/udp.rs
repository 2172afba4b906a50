//! `-m udp` (libxt_udp).

use super::MatchExt;
use super::opt::{Ty, opt};
use super::tcp::{list_ports, save_ports};
use crate::kernel::xtables::matches::{Match, UdpMatch};

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "udp",
    opts: &[
        opt("source-port", 0, Ty::Ports).inv(),
        opt("sport", 0, Ty::Ports).inv(),
        opt("destination-port", 1, Ty::Ports).inv(),
        opt("dport", 1, Ty::Ports).inv(),
    ],
    check: None,
    build: |g, _| {
        let mut u = UdpMatch::default();
        for i in &g.items {
            if i.opt.id == 0 {
                (u.sports, u.inv_sports) = (i.ports(), i.inv);
            } else {
                (u.dports, u.inv_dports) = (i.ports(), i.inv);
            }
        }
        Ok(Match::Udp(u))
    },
    save: |m| match m {
        Match::Udp(u) => save_ports("sport", u.sports, u.inv_sports) + &save_ports("dport", u.dports, u.inv_dports),
        _ => String::new(),
    },
    list: |m, _, numeric| match m {
        Match::Udp(u) => {
            let source = list_ports("spt", u.sports, u.inv_sports, "udp", numeric);
            format!(" udp{source}{}", list_ports("dpt", u.dports, u.inv_dports, "udp", numeric))
        }
        _ => String::new(),
    },
};

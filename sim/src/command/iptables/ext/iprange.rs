//! `-m iprange` (libxt_iprange).

use std::net::Ipv4Addr;

use super::opt::{Ty, opt};
use super::{MatchExt, bang};
use crate::command::iptables::addr;
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{IprangeMatch, Match};

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "iprange",
    opts: &[opt("src-range", 0, Ty::Text).inv(), opt("dst-range", 1, Ty::Text).inv()],
    check: Some(|i, _, _| range(&i.arg, i.opt.name).map(|_| ())),
    build: |g, _| {
        if g.items.is_empty() {
            return Err(Fail::param("iprange match: You must specify `--src-range' or `--dst-range'"));
        }
        let mut m = IprangeMatch::default();
        for i in &g.items {
            let r = Some(range(&i.arg, i.opt.name)?);
            if i.opt.id == 0 {
                (m.src, m.inv_src) = (r, i.inv);
            } else {
                (m.dst, m.inv_dst) = (r, i.inv);
            }
        }
        Ok(Match::Iprange(m))
    },
    save: |m| {
        let Match::Iprange(r) = m else { return String::new() };
        let mut out = String::new();
        for (what, range, inv) in [("src", r.src, r.inv_src), ("dst", r.dst, r.inv_dst)] {
            if let Some((a, b)) = range {
                out += &format!("{} --{what}-range {a}-{b}", bang(inv));
            }
        }
        out
    },
    list: |m, _, _| {
        let Match::Iprange(r) = m else { return String::new() };
        let mut out = String::new();
        for (what, range, inv) in [("source", r.src, r.inv_src), ("destination", r.dst, r.inv_dst)] {
            if let Some((a, b)) = range {
                out += &format!(" {what} IP range{} {a}-{b}", bang(inv));
            }
        }
        out
    },
};

fn range(text: &str, option: &str) -> Result<(Ipv4Addr, Ipv4Addr), Fail> {
    let (a, b) = text.split_once('-').unwrap_or((text, text));
    let one = |t: &str| {
        addr::strict(t).ok_or_else(|| Fail::param(format!("iprange: Bad value for \"--{option}\" option: \"{t}\"")))
    };
    Ok((one(a)?, one(b)?))
}

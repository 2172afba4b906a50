//! `-m multiport` (libxt_multiport).

use arrayvec::ArrayVec;

use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::names;
use crate::etc;
use crate::kernel::xtables::matches::{Match, MultiportMatch, MultiportSide, Ports};
use crate::kernel::xtables::types::IpMatch;

const ANY: u32 = 0x7;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "multiport",
    opts: &[
        opt("source-ports", 0, Ty::Text).excl(ANY).inv(),
        opt("sports", 0, Ty::Text).excl(ANY).inv(),
        opt("destination-ports", 1, Ty::Text).excl(ANY).inv(),
        opt("dports", 1, Ty::Text).excl(ANY).inv(),
        opt("ports", 2, Ty::Text).excl(ANY).inv(),
    ],
    check: Some(check),
    build,
    save: |m| match m {
        Match::Multiport(p) => format!("{} --{} {}", bang(p.inv), side(p.side), shown(p, |n| n.to_string())),
        _ => String::new(),
    },
    list: |m, ip, numeric| match m {
        Match::Multiport(p) => {
            let proto = protocol(ip).ok();
            let name = |n: u16| match etc::service_name(n, proto) {
                Some(s) if !numeric => s.to_owned(),
                _ => n.to_string(),
            };
            format!(" multiport {} {}{}", side(p.side), if p.inv { " !" } else { "" }, shown(p, name))
        }
        _ => String::new(),
    },
};

fn side(s: MultiportSide) -> &'static str {
    match s {
        MultiportSide::Source => "sports",
        MultiportSide::Destination => "dports",
        MultiportSide::Either => "ports",
    }
}

fn shown(p: &MultiportMatch, name: impl Fn(u16) -> String) -> String {
    let one = |(a, b): &Ports| if a == b { name(*a) } else { format!("{}:{}", name(*a), name(*b)) };
    p.ports.iter().map(one).collect::<Vec<_>>().join(",")
}

/// The protocol whose ports they are.
fn protocol(ip: &IpMatch) -> Result<&'static str, Fail> {
    const ONLY: &str = "multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP";
    if ip.inv_proto {
        return Err(Fail::param(ONLY));
    }
    match ip.proto {
        6 => Ok("tcp"),
        17 => Ok("udp"),
        33 => Ok("dccp"),
        132 => Ok("sctp"),
        136 => Ok("udplite"),
        0 => Err(Fail::param("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'")),
        _ => Err(Fail::param(ONLY)),
    }
}

/// Ports and ranges; there is room for 15, and a range takes two places.
fn ports(text: &str, proto: &str) -> Result<ArrayVec<Ports, 15>, Fail> {
    let too_many = || Fail::param("too many ports specified");
    let (mut out, mut room) = (ArrayVec::new(), 15usize);
    for part in text.split(',') {
        let port = |t: &str| {
            let found = names::port(t, Some(proto));
            found.ok_or_else(|| Fail::param(format!("invalid port/service `{t}' specified")))
        };
        room = room.checked_sub(1).ok_or_else(too_many)?;
        let range = match part.split_once(':') {
            Some((a, b)) => {
                room = room.checked_sub(1).ok_or_else(too_many)?;
                let (a, b) = (port(a)?, port(b)?);
                if a >= b {
                    return Err(Fail::param("invalid portrange specified"));
                }
                (a, b)
            }
            None => {
                let p = port(part)?;
                (p, p)
            }
        };
        out.try_push(range).map_err(|_| too_many())?;
    }
    Ok(out)
}

fn check(i: &Item, _: &Given, c: &Ctx<'_>) -> Result<(), Fail> {
    ports(&i.arg, protocol(c.ip)?).map(|_| ())
}

fn build(g: &Given, c: &Ctx<'_>) -> Result<Match, Fail> {
    let Some(i) = g.items.last() else { return Err(Fail::param("multiport expection an option")) };
    let side = match i.opt.id {
        0 => MultiportSide::Source,
        1 => MultiportSide::Destination,
        _ => MultiportSide::Either,
    };
    let proto = protocol(c.ip).unwrap_or("tcp");
    Ok(Match::Multiport(MultiportMatch { side, ports: ports(&i.arg, proto)?, inv: i.inv }))
}

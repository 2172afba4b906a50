//! `-m conntrack` (libxt_conntrack, revision 3).

use std::net::Ipv4Addr;

use super::opt::{Given, Item, Ty, Val, opt};
use super::{Ctx, MatchExt, bang};
use crate::command::iptables::addr::{any_name, list_mask};
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::{ConntrackMatch, Match, Neg, ctstate};

const STATE: u8 = 0;
const PROTO: u8 = 1;
const ORIGSRC: u8 = 2;
const ORIGDST: u8 = 3;
const REPLSRC: u8 = 4;
const REPLDST: u8 = 5;
const STATUS: u8 = 6;
const EXPIRE: u8 = 7;
const ORIGSRCPORT: u8 = 8;
const DIR: u8 = 12;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "conntrack",
    opts: &[
        opt("ctstate", STATE, Ty::Text).inv(),
        opt("ctproto", PROTO, Ty::Proto).inv(),
        opt("ctorigsrc", ORIGSRC, Ty::HostMask).inv(),
        opt("ctorigdst", ORIGDST, Ty::HostMask).inv(),
        opt("ctreplsrc", REPLSRC, Ty::HostMask).inv(),
        opt("ctrepldst", REPLDST, Ty::HostMask).inv(),
        opt("ctstatus", STATUS, Ty::Text).inv(),
        opt("ctexpire", EXPIRE, Ty::U32Range).inv(),
        opt("ctorigsrcport", ORIGSRCPORT, Ty::Ports).inv(),
        opt("ctorigdstport", ORIGSRCPORT + 1, Ty::Ports).inv(),
        opt("ctreplsrcport", ORIGSRCPORT + 2, Ty::Ports).inv(),
        opt("ctrepldstport", ORIGSRCPORT + 3, Ty::Ports).inv(),
        opt("ctdir", DIR, Ty::Text),
    ],
    check: Some(check),
    build,
    save: |m| dump(m, "--", true),
    list: |m, _, numeric| dump(m, "", numeric),
};

/// States with their names, in the order in which they are printed.
pub const STATES: [(&str, u16); 7] = [
    ("INVALID", ctstate::INVALID),
    ("NEW", ctstate::NEW),
    ("RELATED", ctstate::RELATED),
    ("ESTABLISHED", ctstate::ESTABLISHED),
    ("UNTRACKED", ctstate::UNTRACKED),
    ("SNAT", ctstate::SNAT),
    ("DNAT", ctstate::DNAT),
];

/// States as they are looked for: a part of a name means the first that begins so.
const LOOKED_FOR: [usize; 7] = [0, 1, 3, 2, 4, 5, 6];

const STATUSES: [(&str, u16); 5] = [("NONE", 0), ("EXPECTED", 1), ("SEEN_REPLY", 2), ("ASSURED", 4), ("CONFIRMED", 8)];

/// The name begins so, whatever the case of letters.
pub fn begins(name: &str, start: &str) -> bool {
    !start.is_empty() && name.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start))
}

fn words(text: &str, what: &str, find: impl Fn(&str) -> Option<u16>) -> Result<u16, Fail> {
    let (mut set, mut left) = (0, text);
    loop {
        let (word, more) = left.split_once(',').map_or((left, None), |(w, m)| (w, Some(m)));
        set |= find(word).ok_or_else(|| Fail::param(format!("Bad {what} \"{left}\"")))?;
        match more {
            Some(m) => left = m,
            None => return Ok(set),
        }
    }
}

fn states(text: &str) -> Result<u16, Fail> {
    let find = |w: &str| LOOKED_FOR.iter().map(|i| STATES[*i]).find(|(n, _)| begins(n, w)).map(|s| s.1);
    words(text, "ctstate", find)
}

fn statuses(text: &str) -> Result<u16, Fail> {
    words(text, "ctstatus", |w| STATUSES.iter().find(|(n, _)| begins(n, w)).map(|s| s.1))
}

fn check(i: &Item, _: &Given, _: &Ctx<'_>) -> Result<(), Fail> {
    match i.opt.id {
        STATE => states(&i.arg).map(|_| ()),
        STATUS => statuses(&i.arg).map(|_| ()),
        DIR => direction(&i.arg).map(|_| ()),
        _ => Ok(()),
    }
}

fn direction(text: &str) -> Result<bool, Fail> {
    if text.eq_ignore_ascii_case("ORIGINAL") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("REPLY") {
        Ok(false)
    } else {
        Err(Fail::param(format!("conntrack: Bad value for \"--ctdir\" option: \"{text}\"")))
    }
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    if g.items.is_empty() {
        return Err(Fail::param("conntrack: At least one option is required"));
    }
    let mut c = ConntrackMatch::default();
    for i in &g.items {
        set(&mut c, i)?;
    }
    Ok(Match::Conntrack(c))
}

fn set(c: &mut ConntrackMatch, i: &Item) -> Result<(), Fail> {
    let inv = i.inv;
    let (a, m) = i.masked();
    let addr = Some(Neg { value: (Ipv4Addr::from(a), Ipv4Addr::from(m)), inv });
    let ports = Some(Neg { value: i.ports(), inv });
    match i.opt.id {
        STATE => c.state = Some(Neg { value: states(&i.arg)?, inv }),
        PROTO => c.proto = Some(Neg { value: i.u8(), inv }),
        ORIGSRC => c.origsrc = addr,
        ORIGDST => c.origdst = addr,
        REPLSRC => c.replsrc = addr,
        REPLDST => c.repldst = addr,
        STATUS => c.status = Some(Neg { value: statuses(&i.arg)?, inv }),
        EXPIRE => {
            if let Val::Range(a, b, n) = i.val {
                let narrow = |v| u32::try_from(v).unwrap_or(u32::MAX);
                c.expire = Some(Neg { value: (narrow(a), narrow(if n > 1 { b } else { a })), inv });
            }
        }
        ORIGSRCPORT => c.origsrcport = ports,
        9 => c.origdstport = ports,
        10 => c.replsrcport = ports,
        11 => c.repldstport = ports,
        _ => c.original = Some(direction(&i.arg)?),
    }
    Ok(())
}

/// Names of a set, with commas.
pub fn joined(set: u16, table: &[(&str, u16)]) -> String {
    table.iter().filter(|(_, bit)| set & bit != 0).map(|(n, _)| *n).collect::<Vec<_>>().join(",")
}

fn dump(m: &Match, prefix: &str, numeric: bool) -> String {
    let Match::Conntrack(c) = m else { return String::new() };
    let mut out = String::new();
    let mut put = |inv: bool, what: &str, text: &str| out += &format!("{} {prefix}{what} {text}", bang(inv));
    if let Some(s) = c.state {
        put(s.inv, "ctstate", &joined(s.value, &STATES));
    }
    if let Some(p) = c.proto {
        put(p.inv, "ctproto", &p.value.to_string());
    }
    let addrs =
        [("ctorigsrc", c.origsrc), ("ctorigdst", c.origdst), ("ctreplsrc", c.replsrc), ("ctrepldst", c.repldst)];
    for (what, a) in addrs {
        if let Some(Neg { value: (a, m), inv }) = a {
            let (a, m) = (u32::from(a), u32::from(m));
            let text = match (numeric, a) {
                (false, 0) => "anywhere".to_owned(),
                (false, _) => any_name(a) + &list_mask(m),
                (true, _) => Ipv4Addr::from(a).to_string() + &list_mask(m),
            };
            put(inv, what, &text);
        }
    }
    let ports = [
        ("ctorigsrcport", c.origsrcport),
        ("ctorigdstport", c.origdstport),
        ("ctreplsrcport", c.replsrcport),
        ("ctrepldstport", c.repldstport),
    ];
    for (what, p) in ports {
        if let Some(Neg { value: (a, b), inv }) = p {
            put(inv, what, &if b == 0 || a == b { a.to_string() } else { format!("{a}:{b}") });
        }
    }
    if let Some(s) = c.status {
        put(s.inv, "ctstatus", &if s.value == 0 { "NONE".to_owned() } else { joined(s.value, &STATUSES) });
    }
    if let Some(Neg { value: (a, b), inv }) = c.expire {
        put(inv, "ctexpire", &if a == b { a.to_string() } else { format!("{a}:{b}") });
    }
    if let Some(original) = c.original {
        put(false, "ctdir", if original { "ORIGINAL" } else { "REPLY" });
    }
    out
}

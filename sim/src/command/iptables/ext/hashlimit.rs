//! `-m hashlimit` (libxt_hashlimit, revision 3). Rates in bytes are kept as written.

use super::kept::{match_args, opaque_match, written_match};
use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, MatchExt, limit};
use crate::command::iptables::addr::prefix_len;
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::matches::Match;
use crate::kernel::xtables::matches::hashlimit::HashlimitMatch;
use crate::kernel::xtables::matches::written::Asks;

const UPTO: u8 = 0;
const ABOVE: u8 = 1;
const BURST: u8 = 3;
const SIZE: u8 = 4;
const MAX: u8 = 5;
const GC: u8 = 6;
const EXPIRE: u8 = 7;
const MODE: u8 = 8;
const NAME: u8 = 9;
const SRCMASK: u8 = 10;
const DSTMASK: u8 = 11;
const RATE_MATCH: u8 = 12;
const INTERVAL: u8 = 13;

/// The match.
pub static MATCH: MatchExt = MatchExt {
    name: "hashlimit",
    opts: &[
        opt("hashlimit-upto", UPTO, Ty::Text).excl(1 << ABOVE).inv(),
        opt("hashlimit-above", ABOVE, Ty::Text).excl(1 << UPTO).inv(),
        opt("hashlimit", UPTO, Ty::Text).excl(1 << ABOVE).inv(),
        opt("hashlimit-srcmask", SRCMASK, Ty::Plen),
        opt("hashlimit-dstmask", DSTMASK, Ty::Plen),
        opt("hashlimit-burst", BURST, Ty::Text),
        opt("hashlimit-htable-size", SIZE, Ty::U32),
        opt("hashlimit-htable-max", MAX, Ty::U32),
        opt("hashlimit-htable-gcinterval", GC, Ty::U32),
        opt("hashlimit-htable-expire", EXPIRE, Ty::U32),
        opt("hashlimit-mode", MODE, Ty::Text),
        opt("hashlimit-name", NAME, Ty::Text).mand().range(1, 0),
        opt("hashlimit-rate-match", RATE_MATCH, Ty::None),
        opt("hashlimit-rate-interval", INTERVAL, Ty::Text),
    ],
    check: Some(|i, _, _| match i.opt.id {
        UPTO | ABOVE if !bytes(&i.arg) => rate(i).map(|_| ()),
        MODE => modes(&i.arg).map(|_| ()),
        _ => Ok(()),
    }),
    build,
    save: |m| match_args(m).to_owned(),
    list: |m, _, _| list(match_args(m)),
};

/// As it is saved, in other words.
fn list(args: &str) -> String {
    let mut out = String::new();
    for option in args.split(" --hashlimit-").filter(|o| !o.is_empty()) {
        let (name, value) = option.split_once(' ').unwrap_or((option, ""));
        match name {
            "upto" => out += &format!(" limit: up to {value}"),
            "above" => out += &format!(" limit: above {value}"),
            "mode" => out += &format!(" mode {}", value.replace(',', "-")),
            "name" => {}
            _ => out += &format!(" {option}"),
        }
    }
    out
}

/// A rate in bytes: `512kb/s`.
fn bytes(text: &str) -> bool {
    text.contains("b/s")
}

fn rate(i: &Item) -> Result<u32, Fail> {
    let bad = || Fail::param(format!("hashlimit: Bad value for \"--{}\" option: \"{}\"", i.opt.name, i.arg));
    limit::parse(&i.arg)?.ok_or_else(bad)
}

fn modes(text: &str) -> Result<String, Fail> {
    const ORDER: [&str; 4] = ["srcip", "srcport", "dstip", "dstport"];
    let mut set = [false; 4];
    for w in text.split(',') {
        match ORDER.iter().position(|m| *m == w) {
            Some(at) => set[at] = true,
            None => {
                let text = format!("hashlimit: Bad value for \"--hashlimit-mode\" option: \"{text}\"");
                return Err(Fail::param(text));
            }
        }
    }
    Ok(ORDER.iter().zip(set).filter(|(_, on)| *on).map(|(m, _)| *m).collect::<Vec<_>>().join(","))
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Match, Fail> {
    let Some(i) = g.items.iter().find(|i| i.opt.id == UPTO || i.opt.id == ABOVE) else {
        return Err(Fail::param("You have to specify --hashlimit"));
    };
    let what = if (i.opt.id == ABOVE) == i.inv { "upto" } else { "above" };
    let mut unit_ms = 0;
    let mut out = if bytes(&i.arg) {
        let burst = g.get(BURST).map_or_else(String::new, |b| format!(" --hashlimit-burst {}", b.arg));
        format!(" --hashlimit-{what} {}{burst}", i.arg)
    } else {
        let avg = rate(i)?;
        unit_ms = u64::from(limit::RATES[limit::unit(avg)].1 / 10);
        let burst = g.get(BURST).map_or("5", |b| &b.arg);
        format!(" --hashlimit-{what} {} --hashlimit-burst {burst}", limit::rate(avg))
    };
    if let Some(m) = g.get(MODE) {
        out += &format!(" --hashlimit-mode {}", modes(&m.arg)?);
    }
    out += &format!(" --hashlimit-name {}", g.get(NAME).map_or("", |n| n.arg.get(..14).unwrap_or(&n.arg)));
    for (id, usual) in [(SIZE, 0), (MAX, 0), (GC, 1000), (EXPIRE, unit_ms)] {
        if let Some(i) = g.get(id).filter(|i| i.num() != usual) {
            out += &format!(" --{} {}", i.opt.name, i.num());
        }
    }
    for id in [SRCMASK, DSTMASK] {
        let bits = g.get(id).and_then(|m| prefix_len(m.masked().1)).unwrap_or(32);
        if let Some(i) = g.get(id).filter(|_| bits != 32) {
            out += &format!(" --{} {bits}", i.opt.name);
        }
    }
    for i in [RATE_MATCH, INTERVAL].iter().filter_map(|id| g.get(*id)) {
        out += &format!(" --{} {}", i.opt.name, i.arg);
    }
    let out = out.trim_end();
    // Rates of bytes and rates that are only counted, and how large the table may become, are not modelled.
    if bytes(&i.arg) || [SIZE, MAX, RATE_MATCH, INTERVAL].iter().any(|id| g.has(*id)) {
        return Ok(opaque_match("hashlimit", out, false));
    }
    let mode = g.get(MODE).map_or(Ok(String::new()), |m| modes(&m.arg))?;
    let asks = HashlimitMatch {
        name: g.get(NAME).map_or("", |n| n.arg.get(..14).unwrap_or(&n.arg)).into(),
        above: what == "above",
        cost: u64::from(rate(i)?) * 100,
        burst: g.get(BURST).map_or(5, |b| b.arg.parse().unwrap_or(5)),
        by: ["srcip", "srcport", "dstip", "dstport"].map(|w| mode.split(',').any(|m| m == w)),
        masks: [SRCMASK, DSTMASK].map(|id| g.get(id).map_or(u32::MAX, |m| m.masked().1)),
        expire: g.get(EXPIRE).map_or(unit_ms, Item::num),
        gc: g.get(GC).map_or(1000, Item::num),
    };
    Ok(written_match("hashlimit", out, false, Asks::Hashlimit(asks)))
}

//! `-j CT` and `-j NOTRACK` (libxt_CT).

use std::sync::Arc;

use super::opt::{Given, Item, Ty, opt};
use super::{Ctx, TargetExt};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::number::whole;
use crate::kernel::xtables::targets::{CtTarget, Target};

const NOTRACK_OPT: u8 = 0;
const HELPER: u8 = 1;
const TIMEOUT: u8 = 2;
const CTEVENTS: u8 = 3;
const EXPEVENTS: u8 = 4;
const ZONE_ORIG: u8 = 5;
const ZONE_REPLY: u8 = 6;
const ZONE: u8 = 7;

const EVENTS: [&str; 10] =
    ["new", "related", "destroy", "reply", "assured", "protoinfo", "helper", "mark", "natseqinfo", "secmark"];

/// The target.
pub static TARGET: TargetExt = TargetExt {
    name: "CT",
    opts: &[
        opt("notrack", NOTRACK_OPT, Ty::None),
        opt("helper", HELPER, Ty::Text),
        opt("timeout", TIMEOUT, Ty::Text),
        opt("ctevents", CTEVENTS, Ty::Text),
        opt("expevents", EXPEVENTS, Ty::Text),
        opt("zone-orig", ZONE_ORIG, Ty::Text),
        opt("zone-reply", ZONE_REPLY, Ty::Text),
        opt("zone", ZONE, Ty::Text),
    ],
    check: Some(|i, _, _| match i.opt.id {
        CTEVENTS => events(&i.arg, &EVENTS).map(|_| ()),
        EXPEVENTS => events(&i.arg, &EVENTS[..1]).map(|_| ()),
        ZONE_ORIG | ZONE_REPLY | ZONE => zone(&i.arg).map(|_| ()),
        _ => Ok(()),
    }),
    build,
    save: |t| dump(t, "--"),
    list: |t, _, _| format!(" CT{}", dump(t, "")),
};

/// `NOTRACK`: `CT --notrack` by another name.
pub static NOTRACK: TargetExt = TargetExt {
    name: "NOTRACK",
    opts: &[],
    check: None,
    build: |_, _| Ok(Target::Ct(CtTarget { notrack: true, alias: true, ..CtTarget::default() })),
    save: |_| String::new(),
    list: |_, _, _| " NOTRACK".to_owned(),
};

/// A zone; none for `mark`.
fn zone(text: &str) -> Result<Option<u16>, Fail> {
    if text.eq_ignore_ascii_case("mark") {
        return Ok(None);
    }
    let n = whole(text, 0, 65535).and_then(|n| u16::try_from(n).ok());
    n.map(Some).ok_or_else(|| Fail::param(format!("Cannot parse {text} as a zone ID")))
}

/// Names of events, in the order of their bits.
fn events(text: &str, known: &[&str]) -> Result<String, Fail> {
    let mut set = 0u16;
    for w in text.split(',') {
        match known.iter().position(|k| *k == w) {
            Some(bit) => set |= 1 << bit,
            None => return Err(Fail::param(format!("Unknown event type \"{w}\""))),
        }
    }
    let on = known.iter().enumerate().filter(|(bit, _)| set & 1 << bit != 0);
    Ok(on.map(|(_, n)| *n).collect::<Vec<_>>().join(","))
}

fn build(g: &Given, _: &Ctx<'_>) -> Result<Target, Fail> {
    let mut c = CtTarget { notrack: g.has(NOTRACK_OPT), ..CtTarget::default() };
    let (mut orig, mut reply) = (false, false);
    for i in &g.items {
        if matches!(i.opt.id, ZONE_ORIG | ZONE_REPLY | ZONE) {
            let z = zone(&i.arg)?;
            c.zone_mark |= z.is_none();
            c.zone = z.unwrap_or(0);
            orig |= i.opt.id == ZONE_ORIG;
            reply |= i.opt.id == ZONE_REPLY;
        }
    }
    c.zone_dir = (orig != reply).then_some(orig);
    let rest: String = [HELPER, TIMEOUT].iter().filter_map(|id| g.get(*id)).map(plain).collect();
    let mut rest = rest;
    if let Some(i) = g.get(CTEVENTS) {
        rest += &format!(" --ctevents {}", events(&i.arg, &EVENTS)?);
    }
    if let Some(i) = g.get(EXPEVENTS) {
        rest += &format!(" --expevents {}", events(&i.arg, &EVENTS[..1])?);
    }
    c.rest = (!rest.is_empty()).then(|| Arc::from(rest.as_str()));
    Ok(Target::Ct(c))
}

fn plain(i: &Item) -> String {
    format!(" --{} {}", i.opt.name, i.arg)
}

fn dump(t: &Target, prefix: &str) -> String {
    let Target::Ct(c) = t else { return String::new() };
    let mut out = if c.notrack { format!(" {prefix}notrack") } else { String::new() };
    if let Some(r) = &c.rest {
        out += &if prefix.is_empty() { r.replace("--", "") } else { r.to_string() };
    }
    if c.zone_mark || c.zone != 0 {
        let dir = match c.zone_dir {
            Some(true) => "-orig",
            Some(false) => "-reply",
            None => "",
        };
        let zone = if c.zone_mark { "mark".to_owned() } else { c.zone.to_string() };
        out += &format!(" {prefix}zone{dir} {zone}");
    }
    out
}

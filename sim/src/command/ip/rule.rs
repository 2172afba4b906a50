//! `ip rule` (ip/iprule.c).

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::args::{Args, Bad, inet_proto, invarg, matches, parse_u64, table};
use super::route::dsfield;
use super::{Globals, apply, nl_error, print_json};
use crate::command::Proc;
use crate::etc::{inet_proto_name, rt_proto_name, rt_table_name};
use crate::kernel::fib::{FibRule, RuleAction, proto};
use crate::kernel::types::{Errno, IfName};
use crate::op::{Op, OpError, RuleMatch};

/// An `ip rule` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleCmd {
    /// `add`; the second says that no preference was given.
    Add(FibRule, bool),
    /// `del`.
    Del(RuleMatch),
    /// `show`: those that have what is given.
    Show(RuleMatch),
    /// `flush`: likewise.
    Flush(RuleMatch),
}

pub(super) fn parse(a: &mut Args<'_>) -> Result<RuleCmd, Bad> {
    let Some(w) = a.next() else { return Ok(RuleCmd::Show(RuleMatch::default())) };
    let some = |a: &Args<'_>, verb: &str| match a.peek() {
        Some(_) => Ok(()),
        None => Err(Bad::Say(format!("\"ip rule {verb}\" requires arguments.\n"), 1)),
    };
    match w {
        _ if matches(w, "list") || matches(w, "lst") || matches(w, "show") => filter(a).map(RuleCmd::Show),
        _ if matches(w, "add") => some(a, "add").and_then(|()| add(a, false)),
        _ if matches(w, "delete") => some(a, "del").and_then(|()| add(a, true)),
        _ if matches(w, "flush") => filter(a).map(RuleCmd::Flush),
        "help" => Err(super::usage("ip rule { add | del } SELECTOR ACTION")),
        "save" | "restore" => Err(a.refuse_last(&format!("ip rule {w}"))),
        _ => Err(Bad::Say(format!("Command \"{w}\" is unknown, try \"ip rule help\".\n"), 255)),
    }
}

/// What `show` and `flush` are asked for.
fn filter(a: &mut Args<'_>) -> Result<RuleMatch, Bad> {
    let mut m = RuleMatch::default();
    while let Some(w) = a.next() {
        match w {
            "table" | "lookup" => {
                let v = a.value()?;
                m.table = Some(table(v).ok_or_else(|| invarg("table id value is invalid\n", v))?);
            }
            "preference" | "pref" | "order" | "priority" => {
                m.pref = Some(a.number("preference value is invalid\n")?);
            }
            "not" => m.invert = true,
            "tos" | "dsfield" => m.tos = Some(tos(a)?),
            "fwmark" => m.fwmark = Some(fwmark(a)?),
            "iif" | "dev" => m.iif = Some(ifname(a, "\"iif\"/\"dev\"")?),
            "oif" => m.oif = Some(ifname(a, "\"oif\"")?),
            "ipproto" => m.ipproto = Some(protocol(a)?),
            "sport" => m.sport = Some(range(a, "sport")?),
            "dport" => m.dport = Some(range(a, "dport")?),
            "from" | "src" => m.src = whole(a.host_prefix("inet")?),
            "to" | "dst" => m.dst = whole(a.host_prefix("inet")?),
            "l3mdev" | "uidrange" | "tun_id" | "protocol" => {
                return Err(a.refuse_last(&format!("ip rule show {w}")));
            }
            _ => m.dst = whole(super::args::host_net(w, "inet")?),
        }
    }
    Ok(m)
}

fn fits(m: &RuleMatch, r: &FibRule) -> bool {
    m.pref.is_none_or(|x| x == r.pref)
        && (!m.invert || r.invert)
        && m.table.is_none_or(|t| t == 0 || r.action == RuleAction::Table(t))
        && m.tos.is_none_or(|x| x == r.tos)
        && m.fwmark.is_none_or(|(x, k)| r.fwmark.is_some_and(|(y, l)| x == y && (k == u32::MAX || k == l)))
        && (m.iif.is_none() || m.iif == r.iif)
        && (m.oif.is_none() || m.oif == r.oif)
        && (m.ipproto.is_none() || m.ipproto == r.ipproto)
        && (m.sport.is_none() || m.sport == r.sport)
        && (m.dport.is_none() || m.dport == r.dport)
        && (m.src.is_none() || m.src == r.src)
        && (m.dst.is_none() || m.dst == r.dst)
}

/// Everything is no selector.
fn whole(n: Ipv4Net) -> Option<Ipv4Net> {
    (n.prefix_len() != 0).then_some(n)
}

fn tos(a: &mut Args<'_>) -> Result<u8, Bad> {
    let v = a.value()?;
    dsfield(v).ok_or_else(|| invarg("TOS value is invalid\n", v))
}

fn fwmark(a: &mut Args<'_>) -> Result<(u32, u32), Bad> {
    let v = a.value()?;
    let (x, m) = v.split_once('/').map_or((v, None), |(x, m)| (x, Some(m)));
    let n = |t: &str| parse_u64(t).and_then(|n| u32::try_from(n).ok());
    let mark = n(x).ok_or_else(|| invarg("fwmark value is invalid\n", v))?;
    match m {
        Some(m) => Ok((mark, n(m).ok_or_else(|| invarg("fwmask value is invalid\n", m))?)),
        None => Ok((mark, u32::MAX)),
    }
}

fn protocol(a: &mut Args<'_>) -> Result<u8, Bad> {
    let v = a.value()?;
    inet_proto(v).ok_or_else(|| invarg("Invalid \"ipproto\" value\n", v))
}

fn range(a: &mut Args<'_>, what: &str) -> Result<(u16, u16), Bad> {
    let v = a.value()?;
    let Some((x, rest)) = short(v) else {
        let what = if what == "sport" { "port" } else { what };
        return Err(invarg(&format!("invalid {what} range\n"), v));
    };
    Ok((x, rest.strip_prefix('-').and_then(short).map_or(x, |(y, _)| y)))
}

/// `%hu` of scanf(3): a sign, digits, and of them the lower 16 bits. Behind it the rest.
fn short(v: &str) -> Option<(u16, &str)> {
    let v = v.trim_start();
    let unsigned = v.strip_prefix(['-', '+']).unwrap_or(v);
    let end = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    let (digits, rest) = unsigned.split_at(end);
    if digits.is_empty() {
        return None;
    }
    // More than fits is the greatest number there is.
    let n = digits.parse::<u64>().unwrap_or(u64::MAX);
    Some((if v.starts_with('-') { n.wrapping_neg() } else { n } as u16, rest))
}

/// `fib_rule_port_range_valid`.
fn ports(ranges: [(&str, Option<(u16, u16)>); 2]) -> Result<(), Bad> {
    for (name, v) in ranges {
        if v.is_some_and(|(lo, hi)| lo > hi || lo == 0 || hi == u16::MAX) {
            return Err(nl_error(&OpError::ext(Errno::EINVAL, format!("Invalid {name} range"))));
        }
    }
    Ok(())
}

fn ifname(a: &mut Args<'_>, option: &str) -> Result<IfName, Bad> {
    let v = a.value()?;
    IfName::from(v).map_err(|_| invarg(&format!("{option} not a valid ifname"), v))
}

fn add(a: &mut Args<'_>, del: bool) -> Result<RuleCmd, Bad> {
    let mut r = FibRule::all(0, RuleAction::Nop);
    r.proto = proto::UNSPEC;
    let mut pref = None;
    let mut action = None;
    let mut tos_given = None;
    while let Some(w) = a.next() {
        match w {
            "not" => r.invert = true,
            // The kernel keeps the host's bits.
            "from" => r.src = whole(a.host_prefix("any valid")?),
            "to" => r.dst = whole(a.host_prefix("any valid")?),
            "preference" | "pref" | "order" | "priority" => pref = Some(a.number("preference value is invalid\n")?),
            "tos" | "dsfield" => tos_given = Some(tos(a)?),
            "fwmark" => r.fwmark = Some(fwmark(a)?),
            "iif" | "dev" => r.iif = Some(ifname(a, "\"iif\"/\"dev\"")?),
            "oif" => r.oif = Some(ifname(a, "\"oif\"")?),
            "ipproto" => r.ipproto = Some(protocol(a)?),
            "sport" => r.sport = Some(range(a, "sport")?),
            "dport" => r.dport = Some(range(a, "dport")?),
            "uidrange" => {
                let v = a.value()?;
                let bad = || invarg("invalid UID range\n", v);
                let (x, y) = v.split_once('-').ok_or_else(bad)?;
                r.uidrange = Some((x.parse().map_err(|_| bad())?, y.parse().map_err(|_| bad())?));
            }
            "suppress_prefixlength" | "sup_pl" => {
                r.suppress_prefixlength = Some(a.number("suppress_prefixlength value is invalid\n")?);
            }
            "suppress_ifgroup" | "sup_group" => {
                r.suppress_ifgroup = Some(a.number("Invalid \"suppress_ifgroup\" value\n")?);
            }
            "table" | "lookup" => {
                let v = a.value()?;
                action = Some(RuleAction::Table(table(v).ok_or_else(|| invarg("invalid table ID\n", v))?));
            }
            "protocol" => {
                let v = a.value()?;
                r.proto = super::args::proto(v).ok_or_else(|| invarg("\"protocol\" value is invalid\n", v))?;
            }
            "goto" => action = Some(RuleAction::Goto(a.number("invalid target\n")?)),
            "nop" => action = Some(RuleAction::Nop),
            "realms" | "l3mdev" | "tun_id" | "nat" | "map-to" => {
                return Err(a.refuse_last(&format!("ip rule {w}")));
            }
            _ => {
                let w = if w == "type" { a.value()? } else { w };
                action = Some(match w {
                    "unicast" => RuleAction::Table(254),
                    "blackhole" => RuleAction::Blackhole,
                    "unreachable" => RuleAction::Unreachable,
                    "prohibit" => RuleAction::Prohibit,
                    _ => return Err(invarg("Failed to parse rule type", w)),
                });
            }
        }
    }
    r.tos = tos_given.unwrap_or(0);
    if del {
        // A deletion is matched by these too, and the op does not carry them.
        if r.uidrange.is_some() || r.suppress_ifgroup.is_some() || r.proto != proto::UNSPEC {
            return Err(a.refuse_last("ip rule del with uidrange, suppress_ifgroup or protocol"));
        }
        return Ok(RuleCmd::Del(RuleMatch {
            pref,
            invert: r.invert,
            src: r.src,
            dst: r.dst,
            iif: r.iif,
            oif: r.oif,
            fwmark: r.fwmark,
            tos: tos_given,
            table: match action {
                Some(RuleAction::Table(t)) => Some(t),
                _ => None,
            },
            action: action.filter(|x| !matches!(x, RuleAction::Table(_))),
            ipproto: r.ipproto,
            sport: r.sport,
            dport: r.dport,
            suppress_prefixlength: r.suppress_prefixlength,
        }));
    }
    r.action = action.unwrap_or(RuleAction::Table(254));
    r.pref = pref.unwrap_or(0);
    Ok(RuleCmd::Add(r, pref.is_none()))
}

pub(super) fn exec(p: &mut Proc<'_>, g: &Globals, c: &RuleCmd) -> Result<i32, Bad> {
    let netns = p.ns;
    match c {
        RuleCmd::Add(rule, auto_pref) => {
            ports([("sport", rule.sport), ("dport", rule.dport)])?;
            let mut rule = rule.clone();
            if rule.action == RuleAction::Table(0) {
                // The kernel takes a table that nobody uses (`fib_empty_table`).
                let tables = &p.sess.kernel.ns(netns).fib.tables;
                let free = (1..=255).find(|t| !tables.contains_key(t));
                rule.action = RuleAction::Table(free.ok_or_else(|| nl_error(&Errno::ENOBUFS.into()))?);
            }
            apply(p, &Op::RuleAdd { netns, rule, auto_pref: *auto_pref })?;
        }
        RuleCmd::Del(m) => {
            ports([("sport", m.sport), ("dport", m.dport)])?;
            apply(p, &Op::RuleDel { netns, rule: m.clone() })?;
        }
        RuleCmd::Flush(m) => {
            let rules = p.sess.kernel.ns(netns).fib.rules.clone();
            for r in rules.iter().filter(|r| r.pref != 0 && fits(m, r)) {
                let rule = RuleMatch { pref: Some(r.pref), action: Some(r.action), ..RuleMatch::default() };
                apply(p, &Op::RuleDel { netns, rule })?;
            }
        }
        RuleCmd::Show(m) => {
            let k = &p.sess.kernel;
            let rules = &k.ns(netns).fib.rules;
            let lost = |n: &Option<IfName>| n.is_some_and(|n| k.dev_by_name(netns, &n).is_none());
            let notes = |r: &FibRule| Notes {
                iif_detached: lost(&r.iif),
                oif_detached: lost(&r.oif),
                unresolved: matches!(r.action, RuleAction::Goto(n) if !rules.iter().any(|x| x.pref == n)),
            };
            let shown = rules.iter().filter(|r| fits(m, r)).map(|r| (r, notes(r)));
            if g.json {
                let list = Value::Array(shown.map(|(r, n)| Value::Object(json_rule(r, &n, g))).collect());
                print_json(p, g, &list);
            } else {
                let text: String = shown.map(|(r, n)| format!("{}\n", line(r, &n, g))).collect();
                p.out.push_str(&text);
            }
        }
    }
    Ok(0)
}

/// What a rule waits for: a device (`FIB_RULE_IIF_DETACHED`), or the rule to go to (`FIB_RULE_UNRESOLVED`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// `iif` names no device.
    pub iif_detached: bool,
    /// `oif` names no device.
    pub oif_detached: bool,
    /// There is no rule of that preference.
    pub unresolved: bool,
}

fn net(n: &Ipv4Net) -> String {
    if n.prefix_len() == 32 { n.addr().to_string() } else { n.to_string() }
}

/// A rule as `ip rule` writes it.
pub fn line(r: &FibRule, n: &Notes, g: &Globals) -> String {
    let mut s = format!("{}:\t", r.pref);
    if r.invert {
        s.push_str("not ");
    }
    s.push_str(&format!("from {}", r.src.as_ref().map_or_else(|| "all".into(), net)));
    if let Some(d) = &r.dst {
        s.push_str(&format!(" to {}", net(d)));
    }
    if r.tos != 0 {
        s.push_str(&format!(" tos {:#04x}", r.tos));
    }
    match r.fwmark {
        Some((m, u32::MAX)) => s.push_str(&format!(" fwmark {m:#x}")),
        Some((m, k)) => s.push_str(&format!(" fwmark {m:#x}/{k:#x}")),
        None => {}
    }
    if let Some(i) = &r.iif {
        s.push_str(&format!(" iif {i}{}", if n.iif_detached { " [detached]" } else { "" }));
    }
    if let Some(o) = &r.oif {
        s.push_str(&format!(" oif {o}{}", if n.oif_detached { " [detached]" } else { "" }));
    }
    if let Some((a, b)) = r.uidrange {
        s.push_str(&format!(" uidrange {a}-{b}"));
    }
    if let Some(x) = r.ipproto {
        s.push_str(&format!(" ipproto {}", inet_proto_name(x)));
    }
    for (name, v) in [("sport", r.sport), ("dport", r.dport)] {
        match v {
            Some((a, b)) if a == b => s.push_str(&format!(" {name} {a}")),
            Some((a, b)) => s.push_str(&format!(" {name} {a}-{b}")),
            None => {}
        }
    }
    match r.action {
        RuleAction::Table(t) => {
            s.push_str(&format!(" lookup {}", rt_table_name(t)));
            if let Some(n) = r.suppress_prefixlength {
                s.push_str(&format!(" suppress_prefixlength {n}"));
            }
            if let Some(n) = r.suppress_ifgroup {
                s.push_str(&format!(" suppress_ifgroup {n}"));
            }
        }
        RuleAction::Goto(to) => s.push_str(&format!(" goto {to}{}", if n.unresolved { " [unresolved]" } else { "" })),
        RuleAction::Nop => s.push_str(" nop"),
        RuleAction::Blackhole => s.push_str(" blackhole"),
        RuleAction::Unreachable => s.push_str(" unreachable"),
        RuleAction::Prohibit => s.push_str(" prohibit"),
    }
    if told_proto(r, g) {
        s.push_str(&format!(" proto {}", rt_proto_name(r.proto)));
    }
    s
}

/// A rule as `ip -j rule` writes it.
pub fn json_rule(r: &FibRule, notes: &Notes, g: &Globals) -> Map<String, Value> {
    let mut o = Map::new();
    o.insert("priority".into(), json!(r.pref));
    if r.invert {
        o.insert("not".into(), Value::Null);
    }
    match &r.src {
        None => {
            o.insert("src".into(), json!("all"));
        }
        Some(n) => {
            o.insert("src".into(), json!(n.addr().to_string()));
            if n.prefix_len() != 32 {
                o.insert("srclen".into(), json!(n.prefix_len()));
            }
        }
    }
    if let Some(n) = &r.dst {
        o.insert("dst".into(), json!(n.addr().to_string()));
        if n.prefix_len() != 32 {
            o.insert("dstlen".into(), json!(n.prefix_len()));
        }
    }
    if r.tos != 0 {
        o.insert("tos".into(), json!(format!("{:#04x}", r.tos)));
    }
    if let Some((m, k)) = r.fwmark {
        o.insert("fwmark".into(), json!(format!("{m:#x}")));
        if k != u32::MAX {
            o.insert("fwmask".into(), json!(format!("{k:#x}")));
        }
    }
    if let Some(i) = &r.iif {
        o.insert("iif".into(), json!(i.as_str()));
        if notes.iif_detached {
            o.insert("iif_detached".into(), Value::Null);
        }
    }
    if let Some(i) = &r.oif {
        o.insert("oif".into(), json!(i.as_str()));
        if notes.oif_detached {
            o.insert("oif_detached".into(), Value::Null);
        }
    }
    if let Some((a, b)) = r.uidrange {
        o.insert("uid_start".into(), json!(a));
        o.insert("uid_end".into(), json!(b));
    }
    if let Some(n) = r.ipproto {
        o.insert("ipproto".into(), json!(inet_proto_name(n)));
    }
    for (name, v) in [("sport", r.sport), ("dport", r.dport)] {
        match v {
            Some((a, b)) if a == b => {
                o.insert(name.into(), json!(a));
            }
            Some((a, b)) => {
                o.insert(format!("{name}_start"), json!(a));
                o.insert(format!("{name}_end"), json!(b));
            }
            None => {}
        }
    }
    match r.action {
        RuleAction::Table(t) => {
            o.insert("table".into(), json!(rt_table_name(t)));
            if let Some(n) = r.suppress_prefixlength {
                o.insert("suppress_prefixlen".into(), json!(n));
            }
            if let Some(n) = r.suppress_ifgroup {
                o.insert("suppress_ifgroup".into(), json!(n.to_string()));
            }
        }
        RuleAction::Goto(n) => {
            o.insert("goto".into(), json!(n));
            if notes.unresolved {
                o.insert("unresolved".into(), Value::Null);
            }
        }
        RuleAction::Nop => {
            o.insert("nop".into(), Value::Null);
        }
        RuleAction::Blackhole => {
            o.insert("action".into(), json!("blackhole"));
        }
        RuleAction::Unreachable => {
            o.insert("action".into(), json!("unreachable"));
        }
        RuleAction::Prohibit => {
            o.insert("action".into(), json!("prohibit"));
        }
    }
    if told_proto(r, g) {
        o.insert("protocol".into(), json!(rt_proto_name(r.proto)));
    }
    o
}

/// Who made the rule is told where it was said, and with `-d`.
fn told_proto(r: &FibRule, g: &Globals) -> bool {
    (r.proto != proto::KERNEL && r.proto != proto::UNSPEC) || g.details
}

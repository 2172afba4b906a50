//! `ip rule` (ip/iprule.c).

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::args::{Args, Bad, invarg, matches, parse_u64, proto_name, table, table_name};
use super::{Globals, apply, print_json};
use crate::command::Proc;
use crate::kernel::fib::{FibRule, RuleAction, proto};
use crate::kernel::types::IfName;
use crate::op::{Op, RuleMatch};

/// An `ip rule` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleCmd {
    /// `add`; the second says that no preference was given.
    Add(FibRule, bool),
    /// `del`.
    Del(RuleMatch),
    /// `show`, of one table where one was given.
    Show(Option<u32>),
    /// `flush`, of one table where one was given.
    Flush(Option<u32>),
}

pub(super) fn parse(a: &mut Args<'_>) -> Result<RuleCmd, Bad> {
    let Some(w) = a.next() else { return Ok(RuleCmd::Show(None)) };
    match w {
        _ if matches(w, "list") || matches(w, "lst") || matches(w, "show") => only_table(a).map(RuleCmd::Show),
        _ if matches(w, "add") => add(a, false),
        _ if matches(w, "delete") => add(a, true),
        _ if matches(w, "flush") => only_table(a).map(RuleCmd::Flush),
        "save" | "restore" | "help" => Err(a.refuse_last(&format!("ip rule {w}"))),
        _ => Err(Bad::Say(format!("Command \"{w}\" is unknown, try \"ip rule help\".\n"), 255)),
    }
}

fn only_table(a: &mut Args<'_>) -> Result<Option<u32>, Bad> {
    let mut t = None;
    while let Some(w) = a.next() {
        match w {
            "table" | "lookup" => {
                let v = a.value()?;
                t = Some(table(v).ok_or_else(|| invarg("invalid table ID\n", v))?);
            }
            _ => return Err(a.refuse_last(&format!("ip rule show {w}"))),
        }
    }
    Ok(t)
}

/// A protocol by number or name.
pub fn ipproto(v: &str) -> Option<u8> {
    Some(match v {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "gre" => 47,
        "esp" => 50,
        "sctp" => 132,
        _ => parse_u64(v)?.try_into().ok()?,
    })
}

fn ipproto_name(n: u8) -> String {
    match n {
        1 => "icmp".into(),
        6 => "tcp".into(),
        17 => "udp".into(),
        47 => "gre".into(),
        50 => "esp".into(),
        132 => "sctp".into(),
        n => n.to_string(),
    }
}

fn range(a: &mut Args<'_>, what: &str) -> Result<(u16, u16), Bad> {
    let v = a.value()?;
    let (x, y) = v.split_once('-').unwrap_or((v, v));
    match (x.parse(), y.parse()) {
        (Ok(x), Ok(y)) => Ok((x, y)),
        _ => Err(invarg(&format!("invalid {what}"), v)),
    }
}

fn ifname(a: &mut Args<'_>, what: &str) -> Result<IfName, Bad> {
    let v = a.value()?;
    IfName::from(v).map_err(|_| invarg(&format!("\"{what}\" not a valid ifname"), v))
}

fn add(a: &mut Args<'_>, del: bool) -> Result<RuleCmd, Bad> {
    let mut r = FibRule::all(0, RuleAction::Nop);
    r.proto = proto::UNSPEC;
    let mut pref = None;
    let mut action = None;
    let mut tos = None;
    let whole = |n: Ipv4Net| (n.prefix_len() != 0).then_some(n);
    while let Some(w) = a.next() {
        match w {
            "not" => r.invert = true,
            "from" => r.src = whole(a.prefix("any valid")?.0),
            "to" => r.dst = whole(a.prefix("any valid")?.0),
            "preference" | "pref" | "order" | "priority" => pref = Some(a.number("preference value is invalid\n")?),
            "tos" | "dsfield" => tos = Some(a.number("TOS value is invalid\n")?),
            "fwmark" => {
                let v = a.value()?;
                let (x, m) = v.split_once('/').map_or((v, None), |(x, m)| (x, Some(m)));
                let n = |t: &str| parse_u64(t).and_then(|n| u32::try_from(n).ok());
                let mark = n(x).ok_or_else(|| invarg("fwmark value is invalid\n", v))?;
                let mask = match m {
                    Some(m) => n(m).ok_or_else(|| invarg("fwmask value is invalid\n", v))?,
                    None => u32::MAX,
                };
                r.fwmark = Some((mark, mask));
            }
            "iif" | "dev" => r.iif = Some(ifname(a, "iif")?),
            "oif" => r.oif = Some(ifname(a, "oif")?),
            "ipproto" => {
                let v = a.value()?;
                r.ipproto = Some(ipproto(v).ok_or_else(|| invarg("Invalid \"ipproto\" value\n", v))?);
            }
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
            "blackhole" => action = Some(RuleAction::Blackhole),
            "unreachable" => action = Some(RuleAction::Unreachable),
            "prohibit" => action = Some(RuleAction::Prohibit),
            "type" | "realms" | "l3mdev" | "tun_id" | "nat" | "map-to" => {
                return Err(a.refuse_last(&format!("ip rule {w}")));
            }
            _ => {
                let m = format!("Error: argument \"{w}\" is wrong: Failed to parse rule type\n");
                return Err(Bad::Say(m, 255));
            }
        }
    }
    r.tos = tos.unwrap_or(0);
    if del {
        return Ok(RuleCmd::Del(RuleMatch {
            pref,
            invert: r.invert,
            src: r.src,
            dst: r.dst,
            iif: r.iif,
            oif: r.oif,
            fwmark: r.fwmark,
            tos,
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
            apply(p, &Op::RuleAdd { netns, rule: rule.clone(), auto_pref: *auto_pref })?;
        }
        RuleCmd::Del(m) => {
            apply(p, &Op::RuleDel { netns, rule: m.clone() })?;
        }
        RuleCmd::Flush(t) => {
            let rules = p.sess.kernel.ns(netns).fib.rules.clone();
            let gone = |r: &&FibRule| r.pref != 0 && t.is_none_or(|t| r.action == RuleAction::Table(t));
            for r in rules.iter().filter(gone) {
                let rule = RuleMatch { pref: Some(r.pref), action: Some(r.action), ..RuleMatch::default() };
                apply(p, &Op::RuleDel { netns, rule })?;
            }
        }
        RuleCmd::Show(t) => {
            let rules = p.sess.kernel.ns(netns).fib.rules.clone();
            let shown: Vec<&FibRule> =
                rules.iter().filter(|r| t.is_none_or(|t| r.action == RuleAction::Table(t))).collect();
            if g.json {
                let list: Vec<Value> = shown.iter().map(|r| Value::Object(json_rule(r))).collect();
                print_json(p, g, &Value::Array(list));
            } else {
                for r in shown {
                    p.out.push_str(&format!("{}\n", line(r, g)));
                }
            }
        }
    }
    Ok(0)
}

fn net(n: &Ipv4Net) -> String {
    if n.prefix_len() == 32 { n.addr().to_string() } else { n.to_string() }
}

/// A rule as `ip rule` writes it.
pub fn line(r: &FibRule, g: &Globals) -> String {
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
        s.push_str(&format!(" iif {i}"));
    }
    if let Some(o) = &r.oif {
        s.push_str(&format!(" oif {o}"));
    }
    if let Some((a, b)) = r.uidrange {
        s.push_str(&format!(" uidrange {a}-{b}"));
    }
    if let Some(n) = r.ipproto {
        s.push_str(&format!(" ipproto {}", ipproto_name(n)));
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
            s.push_str(&format!(" lookup {}", table_name(t)));
            if let Some(n) = r.suppress_prefixlength {
                s.push_str(&format!(" suppress_prefixlength {n}"));
            }
            if let Some(n) = r.suppress_ifgroup {
                s.push_str(&format!(" suppress_ifgroup {n}"));
            }
        }
        RuleAction::Goto(n) => s.push_str(&format!(" goto {n}")),
        RuleAction::Nop => s.push_str(" nop"),
        RuleAction::Blackhole => s.push_str(" blackhole"),
        RuleAction::Unreachable => s.push_str(" unreachable"),
        RuleAction::Prohibit => s.push_str(" prohibit"),
    }
    if r.proto != proto::KERNEL && r.proto != proto::UNSPEC || g.details {
        s.push_str(&format!(" proto {}", proto_name(r.proto)));
    }
    s
}

/// A rule as `ip -j rule` writes it.
pub fn json_rule(r: &FibRule) -> Map<String, Value> {
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
    }
    if let Some(i) = &r.oif {
        o.insert("oif".into(), json!(i.as_str()));
    }
    if let Some((a, b)) = r.uidrange {
        o.insert("uid_start".into(), json!(a));
        o.insert("uid_end".into(), json!(b));
    }
    if let Some(n) = r.ipproto {
        o.insert("ipproto".into(), json!(ipproto_name(n)));
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
            o.insert("table".into(), json!(table_name(t)));
            if let Some(n) = r.suppress_prefixlength {
                o.insert("suppress_prefixlen".into(), json!(n));
            }
        }
        RuleAction::Goto(n) => {
            o.insert("goto".into(), json!(n));
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
    o
}

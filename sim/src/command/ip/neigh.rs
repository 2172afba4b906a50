//! `ip neigh` (ip/ipneigh.c).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::args::{Args, Bad, expected, invarg, matches};
use super::{Globals, apply, dev, flushed, nl_error, print_json};
use crate::command::Proc;
use crate::kernel::neigh::Nud;
use crate::kernel::types::{DevId, Errno, SEC};
use crate::op::{NeighVerb, Op, OpError};
use crate::wire::MacAddr;

/// An entry as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighArgs {
    /// Address.
    pub dst: Ipv4Addr,
    /// Device.
    pub dev: Option<String>,
    /// `lladdr`.
    pub lladdr: Option<MacAddr>,
    /// `nud`.
    pub nud: Nud,
    /// `proxy`.
    pub proxy: bool,
    /// `extern_learn`.
    pub extern_learn: bool,
}

/// What to show or flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeighShow {
    /// `dev`.
    pub dev: Option<String>,
    /// `nud`; none leaves the usual ones.
    pub nud: Vec<Nud>,
    /// `nud all`.
    pub all: bool,
    /// `to`.
    pub to: Option<Ipv4Net>,
    /// `proxy`.
    pub proxy: bool,
    /// `unused`: nothing holds on to them.
    pub unused: bool,
}

/// An `ip neigh` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeighCmd {
    /// `add`, `change`, `replace`.
    Add(NeighVerb, NeighArgs),
    /// `del`.
    Del(NeighArgs),
    /// `show`.
    Show(NeighShow),
    /// `flush`.
    Flush(NeighShow),
    /// `get`.
    Get(NeighArgs),
}

pub(super) fn parse(a: &mut Args<'_>) -> Result<NeighCmd, Bad> {
    let Some(w) = a.next() else { return Ok(NeighCmd::Show(NeighShow::default())) };
    match w {
        _ if matches(w, "add") => entry(a).map(|e| NeighCmd::Add(NeighVerb::Add, e)),
        _ if matches(w, "change") || matches(w, "chg") => entry(a).map(|e| NeighCmd::Add(NeighVerb::Change, e)),
        _ if matches(w, "replace") => entry(a).map(|e| NeighCmd::Add(NeighVerb::Replace, e)),
        _ if matches(w, "delete") => entry(a).map(NeighCmd::Del),
        _ if matches(w, "get") => match entry(a) {
            Err(Bad::Say(t, 255)) if t.starts_with("Device and") => {
                Err(Bad::Say("Device and address are required arguments.\n".into(), 1))
            }
            e => e.map(NeighCmd::Get),
        },
        _ if matches(w, "show") || matches(w, "lst") || matches(w, "list") => filter(a).map(NeighCmd::Show),
        _ if matches(w, "flush") => filter(a).map(NeighCmd::Flush),
        _ if matches(w, "help") => Err(super::usage("ip neigh { add | del | change | replace }")),
        _ => Err(Bad::Say(format!("Command \"{w}\" is unknown, try \"ip neigh help\".\n"), 255)),
    }
}

fn nud(v: &str) -> Option<Nud> {
    Some(match v {
        "permanent" => Nud::Permanent,
        "reachable" => Nud::Reachable,
        "noarp" => Nud::Noarp,
        "none" => Nud::None,
        "stale" => Nud::Stale,
        "incomplete" => Nud::Incomplete,
        "delay" => Nud::Delay,
        "probe" => Nud::Probe,
        "failed" => Nud::Failed,
        _ => return None,
    })
}

fn entry(a: &mut Args<'_>) -> Result<NeighArgs, Bad> {
    let mut dst = None;
    let mut e = NeighArgs {
        dst: Ipv4Addr::UNSPECIFIED,
        dev: None,
        lladdr: None,
        nud: Nud::Permanent,
        proxy: false,
        extern_learn: false,
    };
    while let Some(w) = a.next() {
        match w {
            "lladdr" => {
                let v = a.value()?;
                e.lladdr = Some(v.parse().map_err(|_| Bad::Say(format!("\"{v}\" is invalid lladdr.\n"), 1))?);
            }
            "nud" => {
                let v = a.value()?;
                e.nud = nud(v).ok_or_else(|| invarg("nud state is bad", v))?;
            }
            "dev" => e.dev = Some(a.value()?.to_owned()),
            "proxy" => {
                e.proxy = true;
                if let Some(n) = a.peek()
                    && n != "dev"
                {
                    dst = Some(a.addr("any valid")?);
                }
            }
            "extern_learn" => e.extern_learn = true,
            "router" | "use" | "managed" | "protocol" | "nhid" => return Err(a.refuse_last(&format!("ip neigh {w}"))),
            _ => {
                let v = if w == "to" { a.value()? } else { w };
                if v.contains(':') {
                    return Err(a.refuse_last("IPv6 addresses: IPv6 is not modelled"));
                }
                dst = Some(super::args::parse_addr(v).ok_or_else(|| expected("any valid address", v))?);
            }
        }
    }
    match (dst, &e.dev) {
        (Some(d), Some(_)) => e.dst = d,
        (Some(d), None) if e.proxy => e.dst = d,
        _ => return Err(Bad::Say("Device and destination are required arguments.\n".into(), 255)),
    }
    Ok(e)
}

fn filter(a: &mut Args<'_>) -> Result<NeighShow, Bad> {
    let mut s = NeighShow::default();
    while let Some(w) = a.next() {
        match w {
            "dev" => s.dev = Some(a.value()?.to_owned()),
            "unused" => s.unused = true,
            "nud" => {
                let v = a.value()?;
                match v {
                    "all" => s.all = true,
                    v => s.nud.push(nud(v).ok_or_else(|| invarg("nud state is bad", v))?),
                }
            }
            "proxy" => s.proxy = true,
            "all" => s.all = true,
            "vrf" | "nomaster" | "master" | "protocol" => return Err(a.refuse_last(&format!("ip neigh show {w}"))),
            "to" => s.to = Some(a.prefix("any valid")?.0),
            _ => s.to = Some(super::args::parse_prefix(w, "any valid")?.0),
        }
    }
    Ok(s)
}

/// An entry that is shown.
struct Line {
    dst: Ipv4Addr,
    dev: DevId,
    lladdr: Option<MacAddr>,
    nud: Nud,
    times: (u64, u64, u64, u32),
    extern_learn: bool,
}

fn select(p: &Proc<'_>, s: &NeighShow, flush: bool) -> Result<Vec<Line>, Bad> {
    let k = &p.sess.kernel;
    let d = s.dev.as_deref().map(|d| dev(p, d)).transpose()?;
    let now = k.now();
    let fits = |n: Nud| match (s.all, s.nud.is_empty()) {
        // `flush all` leaves what is permanent alone.
        (true, _) if flush => !matches!(n, Nud::Permanent | Nud::Noarp),
        (true, _) => true,
        (_, false) => s.nud.contains(&n),
        (_, true) => !(matches!(n, Nud::None | Nud::Noarp) || flush && n == Nud::Permanent),
    };
    Ok(k.ns(p.ns)
        .neigh
        .entries
        .iter()
        .filter(|((dev, dst), _)| d.is_none_or(|d| d == *dev) && s.to.is_none_or(|t| t.contains(dst)))
        .filter(|(_, n)| fits(n.nud) && !(s.unused && n.nud.in_timer()))
        .map(|((dev, dst), n)| Line {
            dst: *dst,
            dev: *dev,
            lladdr: n.nud.is_valid().then_some(n.lladdr),
            nud: n.nud,
            times: ((now - n.used) / SEC, now.saturating_sub(n.confirmed) / SEC, (now - n.updated) / SEC, n.probes),
            extern_learn: n.extern_learn,
        })
        .collect())
}

pub(super) fn exec(p: &mut Proc<'_>, g: &Globals, c: &NeighCmd) -> Result<i32, Bad> {
    match c {
        NeighCmd::Add(_, e) | NeighCmd::Del(e) if e.proxy => {
            let d = e.dev.as_deref().map(|d| dev(p, d)).transpose()?;
            let add = matches!(c, NeighCmd::Add(..));
            apply(p, &Op::NeighProxy { netns: p.ns, dev: d, dst: e.dst, add })?;
        }
        NeighCmd::Add(verb, e) => {
            let dev = dev(p, e.dev.as_deref().unwrap_or(""))?;
            let op = Op::NeighAdd {
                dev,
                dst: e.dst,
                verb: *verb,
                lladdr: e.lladdr,
                nud: e.nud,
                extern_learn: e.extern_learn,
            };
            // A state that needs an address without one: `neigh_add` says so.
            if e.lladdr.is_none() && e.nud.is_valid() && e.nud != Nud::Noarp && !known(p, dev, e.dst) {
                return Err(nl_error(&OpError::ext(Errno::EINVAL, "No link layer address given")));
            }
            apply(p, &op)?;
        }
        NeighCmd::Del(e) => {
            let dev = dev(p, e.dev.as_deref().unwrap_or(""))?;
            apply(p, &Op::NeighDel { dev, dst: e.dst })?;
        }
        NeighCmd::Flush(s) => {
            if *s == NeighShow::default() {
                return Err(Bad::Say("Flush requires arguments.\n".into(), 1));
            }
            let lines = select(p, s, true)?;
            if g.stats > 1 {
                let text = Globals { json: false, brief: false, ..g.clone() };
                show(p, &text, &lines, s.dev.is_some());
            }
            for l in &lines {
                apply(p, &Op::NeighDel { dev: l.dev, dst: l.dst })?;
            }
            flushed(p, g, lines.len(), "entries");
        }
        NeighCmd::Show(s) if s.proxy => proxies(p, g, s)?,
        NeighCmd::Show(s) => {
            let lines = select(p, s, false)?;
            show(p, g, &lines, s.dev.is_some());
        }
        NeighCmd::Get(e) => {
            let s = NeighShow { dev: e.dev.clone(), all: true, to: Some(e.dst.into()), ..Default::default() };
            let lines = select(p, &s, false)?;
            if lines.is_empty() {
                return Err(Bad::Say("Error: Neighbour entry not found.\n".into(), 2));
            }
            show(p, g, &lines, false);
        }
    }
    Ok(0)
}

fn known(p: &Proc<'_>, dev: DevId, dst: Ipv4Addr) -> bool {
    p.sess.kernel.ns(p.ns).neigh.entries.get(&(dev, dst)).is_some_and(|n| n.nud.is_valid())
}

fn proxies(p: &mut Proc<'_>, g: &Globals, s: &NeighShow) -> Result<(), Bad> {
    let d = s.dev.as_deref().map(|d| dev(p, d)).transpose()?;
    let k = &p.sess.kernel;
    let list: Vec<(Option<DevId>, Ipv4Addr)> =
        k.ns(p.ns).neigh.proxies.iter().filter(|(x, _)| d.is_none() || *x == d).copied().collect();
    let mut text = String::new();
    let mut out = Vec::new();
    for (x, a) in list {
        let mut o = Map::new();
        o.insert("dst".into(), json!(a.to_string()));
        text.push_str(&format!("{a} "));
        if let Some(x) = x.filter(|_| d.is_none()) {
            text.push_str(&format!("dev {} ", k.dev(x).name));
            o.insert("dev".into(), json!(k.dev(x).name.as_str()));
        }
        text.push_str("proxy \n");
        o.insert("proxy".into(), Value::Null);
        out.push(Value::Object(o));
    }
    if g.json {
        print_json(p, g, &Value::Array(out));
    } else {
        p.out.push_str(&text);
    }
    Ok(())
}

fn show(p: &mut Proc<'_>, g: &Globals, lines: &[Line], one_dev: bool) {
    let k = &p.sess.kernel;
    if g.json {
        let list = lines.iter().map(|l| {
            let mut o = Map::new();
            o.insert("dst".into(), json!(l.dst.to_string()));
            if !one_dev {
                o.insert("dev".into(), json!(k.dev(l.dev).name.as_str()));
            }
            if let Some(m) = l.lladdr {
                o.insert("lladdr".into(), json!(m));
            }
            if l.extern_learn {
                o.insert("extern_learn".into(), Value::Null);
            }
            if g.stats > 0 && !g.brief {
                let (used, confirmed, updated, probes) = l.times;
                if l.nud.in_timer() {
                    o.insert("refcnt".into(), json!(1));
                }
                o.insert("used".into(), json!(used));
                o.insert("confirmed".into(), json!(confirmed));
                o.insert("updated".into(), json!(updated));
                o.insert("probes".into(), json!(probes));
            }
            if g.brief {
                return Value::Object(o);
            }
            let state: Vec<&str> = if l.nud == Nud::None { vec![] } else { vec![l.nud.as_str()] };
            o.insert("state".into(), json!(state));
            Value::Object(o)
        });
        let list = Value::Array(list.collect());
        return print_json(p, g, &list);
    }
    let mut text = String::new();
    for l in lines {
        if g.brief {
            let dev = if one_dev { String::new() } else { format!("{:<16} ", k.dev(l.dev).name) };
            let mac = l.lladdr.map(|m| m.to_string()).unwrap_or_default();
            text.push_str(&format!("{:<39} {dev}{mac}\n", l.dst.to_string()));
            continue;
        }
        text.push_str(&format!("{} ", l.dst));
        if !one_dev {
            text.push_str(&format!("dev {} ", k.dev(l.dev).name));
        }
        if let Some(m) = l.lladdr {
            text.push_str(&format!("lladdr {m} "));
        }
        if l.extern_learn {
            text.push_str("extern_learn ");
        }
        if g.stats > 0 {
            let (used, confirmed, updated, probes) = l.times;
            // A running timer holds on to its entry.
            let held = if l.nud.in_timer() { " ref 1" } else { "" };
            text.push_str(&format!("{held} used {used}/{confirmed}/{updated}probes {probes} "));
        }
        text.push_str(&if l.nud == Nud::None { "\n".to_owned() } else { format!("{} \n", l.nud.as_str()) });
    }
    p.out.push_str(&text);
}

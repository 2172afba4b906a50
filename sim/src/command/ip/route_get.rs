//! `ip route get` (`inet_rtm_getroute`).

use serde_json::{Map, Value, json};

use super::args::Bad;
use super::route::RouteGet;
use super::{Globals, dev, nl_error, print_json};
use crate::command::Proc;
use crate::etc::rt_table_name;
use crate::kernel::fib::{RouteType, table};
use crate::kernel::route::{Dst, OutputKey};
use crate::kernel::types::{DevId, Errno, SEC};
use crate::op::OpError;

pub(super) fn get(p: &mut Proc<'_>, g: &Globals, q: &RouteGet) -> Result<i32, Bad> {
    if let Some(n) = q.odd_len {
        p.err.push_str(&format!("Warning: /{n} as prefix is invalid, only /32 (or none) is supported.\n"));
    }
    let oif = q.oif.as_deref().map(|d| dev(p, d)).transpose()?;
    let iif = q.iif.as_deref().map(|d| dev(p, d)).transpose()?;
    let rt = lookup(p, q, iif, oif).map_err(|e| nl_error(&OpError::from(e)))?;
    let (words, mtu, expires, redirected) = cache_words(p, q, &rt);
    let k = &p.sess.kernel;
    // A local destination is told with its own device only when it came from there.
    let name = k.dev(rt.dev).name;
    let kind = rt.kind;
    let typed = matches!(kind, RouteType::Local | RouteType::Broadcast | RouteType::Multicast);
    let from = q.from;
    let t = rt.route.map(|r| r.table).or(typed.then_some(table::LOCAL));
    // With no rules but the first three, local and main are one trie under main's name.
    let merged = !k.ns(p.ns).fib.custom_rules;
    let t = t.map(|t| if merged && t == table::LOCAL { table::MAIN } else { t });
    let t = t.filter(|t| *t != table::MAIN || g.details);
    if g.json {
        let mut o = Map::new();
        if typed || g.details {
            o.insert("type".into(), json!(kind.as_str()));
        }
        o.insert("dst".into(), json!(q.dst.to_string()));
        if let Some(f) = from {
            o.insert("from".into(), json!(f.to_string()));
        }
        if let Some(v) = rt.gateway {
            o.insert("gateway".into(), json!(v.to_string()));
        }
        o.insert("dev".into(), json!(name.as_str()));
        if let Some(t) = t {
            o.insert("table".into(), json!(rt_table_name(t)));
        }
        if from.is_none() && !rt.src.is_unspecified() {
            o.insert("prefsrc".into(), json!(rt.src.to_string()));
        }
        o.insert("flags".into(), json!([]));
        if q.mark != 0 {
            o.insert("mark".into(), json!(q.mark));
        }
        if iif.is_none() {
            o.insert("uid".into(), json!(0));
        }
        let mut words = words;
        if redirected {
            words.push("redirected");
        }
        o.insert("cache".into(), json!(words));
        if let Some(e) = expires {
            o.insert("expires".into(), json!(e));
        }
        if let Some((m, _)) = mtu {
            o.insert("metrics".into(), json!([{"mtu": m}]));
        }
        if let Some(i) = &q.iif {
            o.insert("iif".into(), json!(i));
        }
        print_json(p, g, &Value::Array(vec![Value::Object(o)]));
        return Ok(0);
    }
    let mut s = String::new();
    if typed || g.details {
        s.push_str(&format!("{} ", kind.as_str()));
    }
    s.push_str(&format!("{} ", q.dst));
    if let Some(f) = from {
        s.push_str(&format!("from {f} "));
    }
    if let Some(v) = rt.gateway {
        s.push_str(&format!("via {v} "));
    }
    s.push_str(&format!("dev {name} "));
    if let Some(t) = t {
        s.push_str(&format!("table {} ", rt_table_name(t)));
    }
    if from.is_none() && !rt.src.is_unspecified() {
        s.push_str(&format!("src {} ", rt.src));
    }
    if q.mark != 0 {
        // Small ones in decimal, as iproute2 has it.
        s.push_str(&if q.mark < 16 { format!("mark {} ", q.mark) } else { format!("mark {:#x} ", q.mark) });
    }
    if iif.is_none() {
        s.push_str("uid 0 ");
    }
    s.push_str(&format!("{}    cache ", g.nl()));
    let mut flags = words;
    if redirected {
        flags.push("redirected");
    }
    if !flags.is_empty() {
        s.push_str(&format!("<{}> ", flags.join(",")));
    }
    if let Some(e) = expires {
        s.push_str(&format!("expires {e}sec "));
    }
    if let Some((m, lock)) = mtu {
        s.push_str(&format!("mtu {}{m} ", if lock { "lock " } else { "" }));
    }
    if let Some(i) = &q.iif {
        s.push_str(&format!("iif {i} "));
    }
    s.push('\n');
    p.out.push_str(&s);
    Ok(0)
}

/// The question is asked of a copy of the kernel's view that records nothing.
fn lookup(p: &mut Proc<'_>, q: &RouteGet, iif: Option<DevId>, oif: Option<DevId>) -> Result<Dst, Errno> {
    let key = OutputKey {
        dst: q.dst,
        src: q.from.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED),
        oif,
        mark: q.mark,
        tos: q.tos & 0x1e,
        proto: q.proto,
        ports: q.ports,
        anysrc: false,
    };
    let k = &mut p.sess.kernel;
    let at = k.rec.events.len();
    let r = match iif {
        None => k.ip_route_output(p.ns, key, None),
        Some(i) => k.ip_route_get_input(i, key),
    };
    // A question leaves no mark in the walk.
    k.rec.events.truncate(at);
    r
}

/// Words between the brackets, path MTU with its lock, seconds until it is forgotten, and whether it was redirected.
type CacheWords = (Vec<&'static str>, Option<(u32, bool)>, Option<u64>, bool);

/// `<local,brd>` and what was learnt about the path.
fn cache_words(p: &Proc<'_>, q: &RouteGet, rt: &Dst) -> CacheWords {
    let k = &p.sess.kernel;
    let mut w = Vec::new();
    if rt.local {
        w.push("local");
    }
    match rt.kind {
        RouteType::Broadcast => w.push("brd"),
        RouteType::Multicast => w.push("mc"),
        _ => {}
    }
    let via = rt.route.and_then(|r| r.via);
    let e = k.exception(p.ns, q.dst, rt.dev, via);
    let set = rt.route.and_then(|r| r.mtu.map(|m| (m, r.mtu_lock)));
    let mtu = e.and_then(|e| e.pmtu.map(|m| (m, e.lock))).or(set);
    let expires = e.map(|e| (e.expires - k.now()) / SEC);
    (w, mtu, expires, e.is_some_and(|e| e.gateway.is_some()))
}

//! `ip -j route show table all` and `ip -j rule`.

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use crate::etc::{inet_proto_name, rt_proto_name, rt_scope_name, rt_table_name};
use crate::kernel::Kernel;
use crate::kernel::fib::{FibRule, Route, RouteType, RuleAction, proto, scope as scopes, table};
use crate::kernel::types::NetnsId;
use crate::trace::Recorder;

fn put(o: &mut Map<String, Value>, key: &str, v: impl Into<Value>) {
    o.insert(key.to_owned(), v.into());
}

/// The routes of all tables, in the order of the kernel's table hash (256 buckets by number).
pub(super) fn routes<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let mut tables: Vec<u32> = k.ns(ns).fib.tables.keys().copied().collect();
    tables.sort_by_key(|t| (t % 256, *t));
    tables.into_iter().flat_map(|t| k.routes_of(ns, t)).map(|r| route(k, &r)).collect()
}

fn route<R: Recorder>(k: &Kernel<R>, r: &Route) -> Value {
    let mut o = Map::new();
    if r.kind != RouteType::Unicast {
        put(&mut o, "type", r.kind.as_str());
    }
    let dst = match r.dst.prefix_len() {
        0 => "default".to_owned(),
        32 => r.dst.addr().to_string(),
        _ => r.dst.to_string(),
    };
    put(&mut o, "dst", dst);
    if r.tos != 0 {
        put(&mut o, "tos", tos(r.tos));
    }
    if let Some(via) = r.via {
        put(&mut o, "gateway", via.to_string());
    }
    if let Some(dev) = r.dev {
        put(&mut o, "dev", k.dev(dev).name.as_str());
    }
    if r.table != table::MAIN {
        put(&mut o, "table", rt_table_name(r.table));
    }
    if r.proto != proto::BOOT {
        put(&mut o, "protocol", rt_proto_name(r.proto));
    }
    if r.scope != scopes::UNIVERSE {
        put(&mut o, "scope", rt_scope_name(r.scope));
    }
    if let Some(src) = r.prefsrc {
        put(&mut o, "prefsrc", src.to_string());
    }
    if r.metric != 0 {
        put(&mut o, "metric", r.metric);
    }
    let marks = [(r.dead, "dead"), (r.onlink, "onlink"), (r.linkdown, "linkdown")];
    let marks: Vec<&str> = marks.iter().filter(|(on, _)| *on).map(|(_, n)| *n).collect();
    if !marks.is_empty() {
        put(&mut o, "flags", marks);
    }
    let mut metrics = Map::new();
    // Whether the MTU is locked, iproute2 6.1 does not say in JSON.
    if let Some(mtu) = r.mtu {
        put(&mut metrics, "mtu", mtu);
    }
    if let Some(mss) = r.advmss {
        put(&mut metrics, "advmss", mss);
    }
    if !metrics.is_empty() {
        put(&mut o, "metrics", json!([metrics]));
    }
    Value::Object(o)
}

/// `rtnl_dsfield_n2a` without names.
fn tos(t: u8) -> String {
    format!("0x{t:02x}")
}

/// The rules, in the order they are asked.
pub(super) fn rules<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    k.ns(ns).fib.rules.iter().map(|r| rule(k, ns, r)).collect()
}

/// `from` or `to`: the address, and its length where it is no single one.
fn selector(o: &mut Map<String, Value>, key: &str, net: &Ipv4Net) {
    put(o, key, net.addr().to_string());
    if net.prefix_len() != 32 {
        put(o, &format!("{key}len"), net.prefix_len());
    }
}

fn range(o: &mut Map<String, Value>, key: &str, (a, b): (u16, u16)) {
    if a == b {
        put(o, key, a);
    } else {
        put(o, &format!("{key}_start"), a);
        put(o, &format!("{key}_end"), b);
    }
}

fn rule<R: Recorder>(k: &Kernel<R>, ns: NetnsId, r: &FibRule) -> Value {
    let mut o = Map::new();
    put(&mut o, "priority", r.pref);
    if r.invert {
        put(&mut o, "not", Value::Null);
    }
    match r.src.as_ref().filter(|n| n.prefix_len() != 0) {
        Some(n) => selector(&mut o, "src", n),
        None => put(&mut o, "src", "all"),
    }
    if let Some(n) = r.dst.as_ref().filter(|n| n.prefix_len() != 0) {
        selector(&mut o, "dst", n);
    }
    if r.tos != 0 {
        put(&mut o, "tos", tos(r.tos));
    }
    if let Some((mark, mask)) = r.fwmark {
        put(&mut o, "fwmark", format!("{mark:#x}"));
        if mask != u32::MAX {
            put(&mut o, "fwmask", format!("{mask:#x}"));
        }
    }
    for (key, dev) in [("iif", &r.iif), ("oif", &r.oif)] {
        let Some(dev) = dev else { continue };
        put(&mut o, key, dev.as_str());
        if k.dev_by_name(ns, dev).is_none() {
            put(&mut o, &format!("{key}_detached"), Value::Null);
        }
    }
    if let Some((a, b)) = r.uidrange {
        put(&mut o, "uid_start", a);
        put(&mut o, "uid_end", b);
    }
    if let Some(p) = r.ipproto {
        put(&mut o, "ipproto", inet_proto_name(p));
    }
    if let Some(p) = r.sport {
        range(&mut o, "sport", p);
    }
    if let Some(p) = r.dport {
        range(&mut o, "dport", p);
    }
    if let RuleAction::Table(t) = r.action {
        put(&mut o, "table", rt_table_name(t));
        if let Some(n) = r.suppress_prefixlength {
            put(&mut o, "suppress_prefixlen", n);
        }
        if let Some(n) = r.suppress_ifgroup {
            put(&mut o, "suppress_ifgroup", n.to_string());
        }
    }
    match r.action {
        RuleAction::Table(_) => {}
        RuleAction::Goto(pref) => {
            put(&mut o, "goto", pref);
            if !k.ns(ns).fib.rules.iter().any(|x| x.pref == pref) {
                put(&mut o, "unresolved", Value::Null);
            }
        }
        RuleAction::Nop => put(&mut o, "nop", Value::Null),
        RuleAction::Blackhole => put(&mut o, "action", "blackhole"),
        RuleAction::Unreachable => put(&mut o, "action", "unreachable"),
        RuleAction::Prohibit => put(&mut o, "action", "prohibit"),
    }
    Value::Object(o)
}

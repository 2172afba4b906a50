//! What `ip route show` prints, and `ip route flush`.

use serde_json::{Map, Value, json};

use super::args::Bad;
use super::route::RouteShow;
use super::{Globals, apply, dev, flushed, print_json};
use crate::command::Proc;
use crate::etc::{rt_proto_name, rt_scope_name, rt_table_name};
use crate::kernel::Kernel;
use crate::kernel::fib::{Route, RouteType, proto, scope, table};
use crate::kernel::types::{DevId, NetnsId, SEC};
use crate::op::{Op, RouteSpec};
use crate::trace::Trace;

/// Routes in the order the kernel dumps its tables: main, then the higher numbers hash by hash.
pub fn all_routes(k: &Kernel<Trace>, ns: NetnsId) -> Vec<Route> {
    // Tables hang in 256 buckets by number; within one the newest comes first.
    let mut ids: Vec<u32> = k.ns(ns).fib.tables.keys().copied().collect();
    ids.sort_by_key(|t| (t & 0xff, *t));
    ids.into_iter().flat_map(|t| k.routes_of(ns, t)).collect()
}

fn select(p: &Proc<'_>, f: &RouteShow, flush: bool) -> Result<Vec<Route>, Bad> {
    let k = &p.sess.kernel;
    let d: Option<DevId> = f.dev.as_deref().map(|d| dev(p, d)).transpose()?;
    let t = f.table.unwrap_or(table::MAIN);
    if t != 0 && !k.ns(p.ns).fib.tables.contains_key(&t) && t != table::DEFAULT {
        let what = if flush { "Flush" } else { "Dump" };
        return Err(Bad::Say(format!("Error: ipv4: FIB table does not exist.\n{what} terminated\n"), 2));
    }
    let all = if t == 0 { all_routes(k, p.ns) } else { k.routes_of(p.ns, t) };
    Ok(all
        .into_iter()
        .filter(|r| d.is_none() || r.dev == d)
        .filter(|r| f.via.is_none() || r.via == f.via)
        .filter(|r| f.src.is_none() || r.prefsrc == f.src)
        .filter(|r| f.proto.is_none_or(|x| x == r.proto))
        .filter(|r| f.scope.is_none_or(|x| x == r.scope))
        .filter(|r| f.kind.is_none_or(|x| x == r.kind))
        .filter(|r| f.metric.is_none_or(|x| x == r.metric))
        .filter(|r| f.tos.is_none_or(|x| x == r.tos))
        .filter(|r| f.exact.is_none_or(|x| x == r.dst))
        .filter(|r| f.root.is_none_or(|x| x.contains(&r.dst)))
        .filter(|r| f.contains.is_none_or(|x| r.dst.contains(&x)))
        .collect())
}

pub(super) fn show(p: &mut Proc<'_>, g: &Globals, f: &RouteShow) -> Result<i32, Bad> {
    if f.cache {
        let text = cache(p, f)?;
        p.out.push_str(&text);
        return Ok(0);
    }
    let routes = select(p, f, false)?;
    let k = &p.sess.kernel;
    if g.json {
        let list: Vec<Value> = routes.iter().map(|r| Value::Object(json_route(k, r, f, g))).collect();
        print_json(p, g, &Value::Array(list));
        return Ok(0);
    }
    let text: String = routes.iter().map(|r| format!("{}\n", line(k, r, f, g))).collect();
    p.out.push_str(&text);
    Ok(0)
}

/// `default`, an address, or a prefix.
pub fn dst_text(r: &Route) -> String {
    match r.dst.prefix_len() {
        0 => "default".into(),
        32 => r.dst.addr().to_string(),
        _ => r.dst.to_string(),
    }
}

/// A route as `ip route` writes it.
pub fn line(k: &Kernel<Trace>, r: &Route, f: &RouteShow, g: &Globals) -> String {
    let mut s = String::new();
    if r.kind != RouteType::Unicast || g.details {
        s.push_str(&format!("{} ", r.kind.as_str()));
    }
    s.push_str(&format!("{} ", dst_text(r)));
    if r.tos != 0 && f.tos.is_none() {
        s.push_str(&format!("tos {:#04x} ", r.tos));
    }
    if f.via.is_none()
        && let Some(v) = r.via
    {
        s.push_str(&format!("via {v} "));
    }
    if f.dev.is_none()
        && let Some(d) = r.dev
    {
        s.push_str(&format!("dev {} ", k.dev(d).name));
    }
    // The table is told only where more than one may show.
    if (r.table != table::MAIN || g.details) && f.table == Some(0) {
        s.push_str(&format!("table {} ", rt_table_name(r.table)));
    }
    if (r.proto != proto::BOOT || g.details) && f.proto.is_none() {
        s.push_str(&format!("proto {} ", rt_proto_name(r.proto)));
    }
    if (r.scope != scope::UNIVERSE || g.details) && f.scope.is_none() {
        s.push_str(&format!("scope {} ", rt_scope_name(r.scope)));
    }
    if f.src.is_none()
        && let Some(a) = r.prefsrc
    {
        s.push_str(&format!("src {a} "));
    }
    if r.metric != 0 && f.metric.is_none() {
        s.push_str(&format!("metric {} ", r.metric));
    }
    for w in flags(k, r) {
        s.push_str(w);
        s.push(' ');
    }
    if let Some(m) = r.mtu {
        s.push_str(&format!("mtu {}{m} ", if r.mtu_lock { "lock " } else { "" }));
    }
    if let Some(m) = r.advmss {
        s.push_str(&format!("advmss {m} "));
    }
    s
}

/// `dead`, `onlink`, `linkdown`.
fn flags(k: &Kernel<Trace>, r: &Route) -> Vec<&'static str> {
    let mut f = Vec::new();
    // A route over a device without carrier counts as dead where such routes are ignored.
    let ignored = r.dev.is_some_and(|d| {
        let d = k.dev(d);
        d.conf.ignore_routes_with_linkdown != 0 || k.ns(d.netns).sysctl.all.ignore_routes_with_linkdown != 0
    });
    if r.dead || (r.linkdown && ignored) {
        f.push("dead");
    }
    if r.onlink {
        f.push("onlink");
    }
    if r.linkdown {
        f.push("linkdown");
    }
    f
}

/// A route as `ip -j route` writes it.
pub fn json_route(k: &Kernel<Trace>, r: &Route, f: &RouteShow, g: &Globals) -> Map<String, Value> {
    let mut o = Map::new();
    if r.kind != RouteType::Unicast || g.details {
        o.insert("type".into(), json!(r.kind.as_str()));
    }
    o.insert("dst".into(), json!(dst_text(r)));
    if r.tos != 0 && f.tos.is_none() {
        o.insert("tos".into(), json!(format!("{:#04x}", r.tos)));
    }
    if let Some(v) = r.via.filter(|_| f.via.is_none()) {
        o.insert("gateway".into(), json!(v.to_string()));
    }
    if let Some(d) = r.dev
        && f.dev.is_none()
    {
        o.insert("dev".into(), json!(k.dev(d).name.as_str()));
    }
    if (r.table != table::MAIN || g.details) && f.table == Some(0) {
        o.insert("table".into(), json!(rt_table_name(r.table)));
    }
    if (r.proto != proto::BOOT || g.details) && f.proto.is_none() {
        o.insert("protocol".into(), json!(rt_proto_name(r.proto)));
    }
    if (r.scope != scope::UNIVERSE || g.details) && f.scope.is_none() {
        o.insert("scope".into(), json!(rt_scope_name(r.scope)));
    }
    if let Some(a) = r.prefsrc.filter(|_| f.src.is_none()) {
        o.insert("prefsrc".into(), json!(a.to_string()));
    }
    if r.metric != 0 && f.metric.is_none() {
        o.insert("metric".into(), json!(r.metric));
    }
    o.insert("flags".into(), json!(flags(k, r)));
    let mut m = Map::new();
    if let Some(v) = r.mtu {
        m.insert("mtu".into(), json!(v));
    }
    if let Some(v) = r.advmss {
        m.insert("advmss".into(), json!(v));
    }
    if !m.is_empty() {
        o.insert("metrics".into(), json!([m]));
    }
    o
}

/// `ip route show cache`: what was learnt about paths.
fn cache(p: &Proc<'_>, f: &RouteShow) -> Result<String, Bad> {
    let k = &p.sess.kernel;
    let now = k.now();
    let d: Option<DevId> = f.dev.as_deref().map(|d| dev(p, d)).transpose()?;
    let mut s = String::new();
    for (dst, list) in &k.ns(p.ns).exceptions.by_dst {
        for e in list.iter().filter(|e| e.expires > now && d.is_none_or(|d| d == e.dev)) {
            s.push_str(&format!("{dst} "));
            if let Some(v) = e.gateway.or(e.via) {
                s.push_str(&format!("via {v} "));
            }
            s.push_str(&format!("dev {} \n    cache ", k.dev(e.dev).name));
            if e.gateway.is_some() {
                s.push_str("<redirected> ");
            }
            s.push_str(&format!("expires {}sec ", (e.expires - now) / SEC));
            if let Some(m) = e.pmtu {
                s.push_str(&format!("mtu {}{m} ", if e.lock { "lock " } else { "" }));
            }
            s.push('\n');
        }
    }
    Ok(s)
}

pub(super) fn flush(p: &mut Proc<'_>, g: &Globals, f: &RouteShow) -> Result<i32, Bad> {
    if f.cache {
        apply(p, &Op::RouteFlushCache { netns: p.ns })?;
        return Ok(0);
    }
    if *f == RouteShow::default() {
        return Err(Bad::Say("\"ip route flush\" requires arguments.\n".into(), 1));
    }
    let routes = select(p, f, true)?;
    let n = routes.len();
    if g.stats > 1 {
        let k = &p.sess.kernel;
        let told: String = routes.iter().map(|r| format!("{}\n", line(k, r, f, g))).collect();
        p.out.push_str(&told);
    }
    let netns = p.ns;
    // The kernel's own and redirected routes are flushed too: what `ip route flush` was asked for.
    for r in routes {
        let route = RouteSpec {
            dst: r.dst,
            host_bits: false,
            table: r.table,
            kind: r.kind,
            proto: Some(r.proto),
            scope: Some(r.scope),
            tos: r.tos,
            metric: Some(r.metric),
            prefsrc: r.prefsrc,
            via: r.via,
            dev: r.dev,
            onlink: r.onlink,
            mtu: None,
            advmss: None,
        };
        apply(p, &Op::RouteDel { netns, route, match_kind: true })?;
    }
    flushed(p, g, n, "entries");
    Ok(0)
}

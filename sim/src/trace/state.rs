//! What a namespace looks like, as JSON in the shape of iproute2's own.
//!
//! [`netns_state`] has the names and the rules of the recordings (what the recorder leaves out is left out
//! here too), [`place_state`] those of a walk's output; both come from the same builders.

mod addr;
mod link;
mod route;
mod sysctl;

use serde_json::{Map, Value, json};

use crate::command::{ebtables, iptables};
use crate::kernel::Kernel;
use crate::kernel::mib::MibItem;
use crate::kernel::neigh::Nud;
use crate::kernel::types::NetnsId;
use crate::kernel::xtables::Variant;
use crate::trace::Recorder;

/// The counters that a recording keeps: those that say what became of a packet.
const NSTAT: &[MibItem] = &[
    MibItem::IpInHdrErrors,
    MibItem::IpInAddrErrors,
    MibItem::IpForwDatagrams,
    MibItem::IpInUnknownProtos,
    MibItem::IpInDiscards,
    MibItem::IpOutDiscards,
    MibItem::IpOutNoRoutes,
    MibItem::IpReasmOKs,
    MibItem::IpReasmFails,
    MibItem::IpFragOKs,
    MibItem::IpFragFails,
    MibItem::IpFragCreates,
    MibItem::IcmpInErrors,
    MibItem::IcmpInCsumErrors,
    MibItem::IcmpInDestUnreachs,
    MibItem::IcmpInTimeExcds,
    MibItem::IcmpInRedirects,
    MibItem::IcmpInEchos,
    MibItem::IcmpInEchoReps,
    MibItem::IcmpOutRateLimitGlobal,
    MibItem::IcmpOutRateLimitHost,
    MibItem::IcmpOutDestUnreachs,
    MibItem::IcmpOutTimeExcds,
    MibItem::IcmpOutParmProbs,
    MibItem::IcmpOutRedirects,
    MibItem::IcmpOutEchoReps,
    MibItem::TcpActiveOpens,
    MibItem::TcpPassiveOpens,
    MibItem::TcpAttemptFails,
    MibItem::TcpEstabResets,
    MibItem::TcpOutRsts,
    MibItem::UdpNoPorts,
    MibItem::UdpInErrors,
    MibItem::TcpExtIPReversePathFilter,
    MibItem::IpExtInNoRoutes,
    MibItem::IpExtInTruncatedPkts,
];

/// State of a namespace as the recordings have it (`state.end.ns.PLACE`): `link`, `addr`, `route`, `rule`,
/// `neigh`, `fdb`, `blink`, `listen`, `sysctl`, `nstat`; what is empty is left out, `fdb` excepted.
pub fn netns_state<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let parts = [
        ("link", link::links(k, ns)),
        ("addr", addr::addresses(k, ns)),
        ("route", route::routes(k, ns)),
        ("rule", route::rules(k, ns)),
        ("neigh", neighbours(k, ns)),
        ("fdb", link::fdb(k, ns)),
        ("blink", link::ports(k, ns)),
        ("listen", listen(k, ns)),
        ("sysctl", sysctl::sysctls(k, ns)),
        ("nstat", counters(k, ns)),
        ("conntrack", connections(k, ns)),
        ("iptables", rules_of(k, ns, Variant::Nft)),
        ("iptables_legacy", rules_of(k, ns, Variant::Legacy)),
        ("ebtables", ebtables::save(&k.ns(ns).nf.ebt, false).lines().map(Value::from).collect()),
    ];
    let mut out = Map::new();
    for (name, v) in parts {
        if name == "fdb" || !is_empty(&v) {
            out.insert(name.to_owned(), v);
        }
    }
    Value::Object(out)
}

/// State of a namespace for `run --format json`: every name is always there.
pub fn place_state<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    json!({
        "links": link::links(k, ns),
        "addresses": addr::addresses(k, ns),
        "routes": route::routes(k, ns),
        "rules": route::rules(k, ns),
        "neighbours": neighbours(k, ns),
        "fdb": link::fdb(k, ns),
        "sysctls": sysctl::sysctls(k, ns),
        "conntrack": connections(k, ns),
        "iptables_save": iptables::save(k.ns(ns).nf.xt.of(Variant::Nft), Variant::Nft, true, None),
        "iptables_legacy_save": iptables::save(k.ns(ns).nf.xt.of(Variant::Legacy), Variant::Legacy, true, None),
        "sockets": sockets(k, ns),
    })
}

fn is_empty(v: &Value) -> bool {
    match v {
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        _ => false,
    }
}

/// `ip -j neigh`: neither entries without a state nor those of devices that have no ARP.
fn neighbours<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let mut out = Vec::new();
    for ((dev, dst), n) in &k.ns(ns).neigh.entries {
        if matches!(n.nud, Nud::None | Nud::Noarp) && !n.extern_learn {
            continue;
        }
        let mut o = Map::new();
        o.insert("dst".to_owned(), dst.to_string().into());
        o.insert("dev".to_owned(), k.dev(*dev).name.as_str().into());
        if n.nud.is_valid() {
            o.insert("lladdr".to_owned(), n.lladdr.to_string().into());
        }
        if n.extern_learn {
            o.insert("extern_learn".to_owned(), Value::Null);
        }
        o.insert("state".to_owned(), json!([n.nud.as_str()]));
        out.push(Value::Object(o));
    }
    Value::Array(out)
}

/// `ss -Hlntu`: protocol and local end, UDP first.
fn listen<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let all = k.sockets(ns);
    let of = |proto: &'static str, state: &'static str| {
        all.iter().filter(move |s| s.proto == proto && s.state == state).map(|s| {
            let dev = s.dev.map(|d| format!("%{d}")).unwrap_or_default();
            let local = if s.dual { "*".to_owned() } else { s.local.to_string() };
            Value::from(format!("{} {local}{dev}:{}", s.proto, s.lport))
        })
    };
    of("udp", "UNCONN").chain(of("tcp", "LISTEN")).collect()
}

/// `iptables-save -c` line by line, without its comments.
fn rules_of<R: Recorder>(k: &Kernel<R>, ns: NetnsId, v: Variant) -> Value {
    iptables::save(k.ns(ns).nf.xt.of(v), v, true, None).lines().map(Value::from).collect()
}

/// `conntrack -L` line by line.
fn connections<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    crate::command::conntrack::list(k, ns).into_iter().map(Value::from).collect()
}

/// All sockets, as `ss` has them.
fn sockets<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let one = |s: crate::kernel::socket::SocketInfo| {
        json!({
            "proto": s.proto,
            "state": s.state,
            "local": s.local.to_string(),
            "local_port": s.lport,
            "remote": s.remote.to_string(),
            "remote_port": s.rport,
            "dev": s.dev.map(|d| d.to_string()),
            "process": s.process.map(|p| p.0),
        })
    };
    k.sockets(ns).into_iter().map(one).collect()
}

/// `nstat -as`: those of the recordings that moved.
fn counters<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let mib = &k.ns(ns).mib;
    let moved = NSTAT.iter().filter(|i| mib.get(**i) != 0);
    Value::Object(moved.map(|i| (i.name().to_owned(), mib.get(*i).into())).collect())
}

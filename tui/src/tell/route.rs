//! Sentences on what a routing look-up found, and for which packet it was.

use std::net::Ipv4Addr;

use packetwalk_sim::kernel::fib::{RouteType, RuleAction, table};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::event::{Event, EventKind, FibResult, FlowKey};

use super::tell_first;

/// The sentences on a look-up.
pub(super) fn tell(s: &Session, e: &Event, here: &str, key: &FlowKey, result: &FibResult) -> String {
    let own = key.iif.is_none();
    let way = fib(s, here, key.dst.to_string(), result, own);
    if for_a_tunnel(s, e, key.dst) {
        return format!("Where does the tunnel's datagram go? {}", tell_first(way));
    }
    if own && about(s, e, key.dst) {
        return format!("A message about this packet is to go back to its sender. {}", tell_first(way));
    }
    way
}

/// The look-up is for a message to the packet's sender, and not for the packet.
fn about(s: &Session, e: &Event, dst: Ipv4Addr) -> bool {
    let last = s.kernel.rec.events.partition_point(|x| x.at <= e.at);
    let before = s.kernel.rec.events[..last].iter().rev().take(4096).filter(|x| x.packet == e.packet);
    let ip = before.filter_map(|x| s.kernel.rec.packet_at(x)).find_map(|p| p.ipv4());
    ip.is_some_and(|ip| ip.src == dst && ip.dst != dst)
}

/// The look-up is that of a tunnel for its datagram: the frame goes into it next.
fn for_a_tunnel(s: &Session, e: &Event, dst: Ipv4Addr) -> bool {
    let events = &s.kernel.rec.events;
    let now = events[events.partition_point(|x| x.at < e.at)..].iter().take_while(|x| x.at == e.at).take(256);
    now.filter(|x| x.packet == e.packet).any(|x| matches!(&x.kind, EventKind::Encap { remote, .. } if *remote == dst))
        && s.kernel.rec.packet_at(e).and_then(|p| p.ipv4()).is_none_or(|ip| ip.dst != dst)
}

/// The answer of a routing look-up; `own`: of what the host itself sends.
fn fib(s: &Session, here: &str, dst: String, result: &FibResult, own: bool) -> String {
    match result {
        FibResult::Route { pref, route } => {
            let dev = route.dev.map(|d| s.kernel.dev(d).name.to_string()).unwrap_or_default();
            match (route.kind, route.gateway()) {
                // A rule of somebody's own asks a table of its own, whatever the main one says.
                (RouteType::Unicast, gw) if !matches!(pref, 0 | 32_766 | 32_767) => {
                    let to = gw.map_or_else(|| "straight to it".to_owned(), |gw| format!("to the router {gw}"));
                    let table = table_name(route.table);
                    format!("Routing rule {pref} asks table {table} for {dst}: {here} sends {to}, out of {dev}.")
                }
                (RouteType::Local, _) if own => {
                    format!("{dst} is an address of {here} itself: the packet does not leave it, and goes by lo.")
                }
                (RouteType::Local, _) => {
                    format!("{dst} is an address of {here} itself: the packet has arrived at its host.")
                }
                (RouteType::Broadcast, _) => format!("{dst} means everybody on {dev}."),
                (RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit, _) => {
                    format!("A route says that {dst} must not be reached ({}).", route.kind.as_str())
                }
                (_, Some(gw)) if route.dst.prefix_len() == 0 => {
                    format!(
                        "{here} has no better way to {dst} than the default route: to the router {gw}, out of {dev}."
                    )
                }
                (_, Some(gw)) => format!("To reach {dst}, {here} sends to the router {gw}, out of {dev}."),
                (_, None) => format!("{dst} is a direct neighbour of {here}, on the cable of {dev}."),
            }
        }
        FibResult::Rule { pref, action } => {
            let what = match action {
                RuleAction::Prohibit => "forbids it",
                RuleAction::Unreachable => "calls it unreachable",
                _ => "swallows it",
            };
            format!("Where to with {dst}? Routing rule {pref} {what}.")
        }
        FibResult::None => format!("{here} knows no way to {dst}: no route fits, and there is no default route."),
    }
}

/// The name of a routing table.
pub(crate) fn table_name(n: u32) -> String {
    match n {
        table::DEFAULT => "default".into(),
        table::MAIN => "main".into(),
        table::LOCAL => "local".into(),
        n => n.to_string(),
    }
}

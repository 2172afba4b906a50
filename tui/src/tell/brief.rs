//! A decision in three or four words, for a narrow list.

use packetwalk_sim::kernel::conntrack::{CtInfo, L4Id};
use packetwalk_sim::kernel::fib::RouteType;
use packetwalk_sim::kernel::neigh::Nud;
use packetwalk_sim::kernel::types::DevId;
use packetwalk_sim::kernel::xtables::Policy;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::clause::clause;
use packetwalk_sim::trace::event::{
    ArpVerdict, BrVerdict, CtVerdict, Event, EventKind, Expired, FibResult, RuleVerdict,
};
use packetwalk_sim::trace::{DropReason, words};
use packetwalk_sim::wire::packet::{Arp, Body};

/// The words.
pub(crate) fn brief(s: &Session, e: &Event) -> String {
    let dev = |d: DevId| s.kernel.dev(d).name.to_string();
    match &e.kind {
        EventKind::Tx => leaves(s, e),
        EventKind::BrLookup { verdict, .. } => match verdict {
            BrVerdict::Port(p) => format!("fdb: behind {}", dev(*p)),
            BrVerdict::Local => "fdb: for the host".into(),
            BrVerdict::Unknown => "fdb: unknown, floods".into(),
            BrVerdict::Group => "broadcast, floods".into(),
        },
        EventKind::Fib { result: FibResult::Route { route, .. }, .. } => {
            let out = route.dev.map(dev).unwrap_or_default();
            match (route.kind, route.gateway()) {
                (RouteType::Local, _) => "route: for this host".into(),
                (_, Some(gw)) => format!("route: via {gw}"),
                (_, None) => format!("route: direct, {out}"),
            }
        }
        EventKind::Fib { result: FibResult::None, .. } => "no route".into(),
        EventKind::Forward { ttl } => format!("forwards, ttl {}", ttl.saturating_sub(1)),
        EventKind::Neigh { ip, lladdr: Some(_), .. } => format!("knows {ip}"),
        EventKind::NeighWait { ip } => format!("ARP: asks for {ip}"),
        EventKind::NeighState { ip, old: Nud::Incomplete, lladdr: Some(_), .. } => format!("ARP: learns {ip}"),
        EventKind::NeighState { ip, old: Nud::Incomplete | Nud::Probe, new: Nud::Failed, .. } => {
            format!("ARP: no answer, {ip}")
        }
        EventKind::NeighState { ip, new: Nud::Failed, .. } => format!("forgets {ip}"),
        EventKind::Arp { verdict } => match verdict {
            ArpVerdict::Answered => "ARP: answered".into(),
            ArpVerdict::Learned => "ARP: learned".into(),
            ArpVerdict::NotOurs => "ARP: for another".into(),
            _ => "ARP: no answer".into(),
        },
        EventKind::Ct { verdict, .. } => tracking(*verdict).into(),
        EventKind::Expired { what: Expired::Connection(_) } => "conntrack: forgotten".into(),
        EventKind::Expired { what: Expired::Bridge { mac, .. } | Expired::Vxlan { mac, .. } } => {
            format!("fdb: forgets {mac}")
        }
        EventKind::XtChain { table, hook, .. } => format!("{} {}", table.name(), hook.name()),
        EventKind::XtMissed { at, miss } => format!("{} {} missed {}", at.chain, at.number, miss.option),
        EventKind::XtMatched { at, verdict } => {
            let target = at.rule.target.chain().map(|c| c.to_string()).unwrap_or_default();
            match verdict {
                RuleVerdict::Jump | RuleVerdict::Goto => format!("{} {} → {target}", at.chain, at.number),
                RuleVerdict::Accept => format!("{} {} accepts", at.chain, at.number),
                RuleVerdict::Drop => format!("{} {} drops", at.chain, at.number),
                RuleVerdict::Reject => format!("{} {} rejects", at.chain, at.number),
                RuleVerdict::Nat => format!("{} {} translates", at.chain, at.number),
                _ => format!("{} {} fits", at.chain, at.number),
            }
        }
        EventKind::XtPolicy { hook, policy, .. } => {
            format!("{} policy {}", hook.name(), if *policy == Policy::Drop { "DROP" } else { "ACCEPT" })
        }
        EventKind::Nat { before, after, .. } => {
            let ports = |l4: L4Id| match l4 {
                L4Id::Ports { src, dst } => (Some(src), Some(dst)),
                _ => (None, None),
            };
            let text = |port: Option<u16>| port.map(|p| format!(":{p}")).unwrap_or_default();
            let (src, dst) = ports(after.l4);
            if before.dst != after.dst || ports(before.l4).1 != dst {
                format!("dst → {}{}", after.dst, text(dst))
            } else {
                format!("src → {}{}", after.src, text(src))
            }
        }
        EventKind::Encap { remote, .. } => format!("into the tunnel → {remote}"),
        EventKind::Decap { .. } => "out of the tunnel".into(),
        EventKind::SocketDeliver { port: 0, .. } => "arrived".into(),
        EventKind::SocketDeliver { port, .. } => format!("arrived: port {port}"),
        EventKind::SocketCopy { .. } => "arrived: raw socket".into(),
        EventKind::EchoReply => "answers the ping".into(),
        EventKind::Drop { reason: DropReason::NOT_SPECIFIED, func } => {
            words::drop(DropReason::NOT_SPECIFIED, func).into()
        }
        EventKind::Drop { reason, .. } => reason.name(),
        other => clause(s, other).1,
    }
}

/// A frame that a device sends: what it is where it is ARP, and where it comes out.
pub(crate) fn leaves(s: &Session, e: &Event) -> String {
    let way = sent(s, e).unwrap_or_else(|| "sent".into());
    match s.kernel.rec.packet_at(e).map(|p| &p.body) {
        Some(Body::Arp(a)) if a.spa == a.tpa => format!("ARP announcement {way}"),
        Some(Body::Arp(a)) if a.op == Arp::REPLY => format!("ARP answer {way}"),
        Some(Body::Arp(_)) => format!("ARP question {way}"),
        _ => way,
    }
}

/// Where a frame comes out that a device sends.
fn sent(s: &Session, e: &Event) -> Option<String> {
    let d = s.kernel.dev(e.dev?);
    if d.bridge().is_some() {
        return Some("through the bridge".into());
    }
    if d.vxlan().is_some() {
        return Some("→ the tunnel".into());
    }
    let p = s.kernel.dev(d.veth_peer()?);
    let ns = s.kernel.ns(p.netns);
    if ns.is_switch {
        let lan = p.master.map(|m| s.kernel.dev(m).name.to_string()).unwrap_or_default();
        return Some(format!("→ {lan}"));
    }
    let bare = ns.label.rsplit('/').next().unwrap_or(&ns.label).trim_start_matches("ns:");
    Some(format!("→ {bare}/{}", p.name))
}

fn tracking(v: CtVerdict) -> &'static str {
    match v {
        CtVerdict::Made => "conntrack: NEW",
        CtVerdict::Found(CtInfo::Established | CtInfo::EstablishedReply) => "conntrack: ESTABLISHED",
        CtVerdict::Found(CtInfo::Related | CtInfo::RelatedReply) => "conntrack: RELATED",
        CtVerdict::Found(_) => "conntrack: NEW, known",
        CtVerdict::Confirmed => "conntrack: confirmed",
        CtVerdict::Invalid(_) => "conntrack: INVALID",
        CtVerdict::Untracked => "conntrack: untracked",
        CtVerdict::Clash => "conntrack: clash",
        CtVerdict::Full => "conntrack: table full",
    }
}

//! An event as a short clause in Linux's words.

mod firewall;

pub use firewall::miss_text;

use super::event::{
    ArpVerdict, BrSkip, BrVerdict, EventKind, Expired, FibResult, MacvlanVerdict, RuleMiss, SourceCheck,
};
use super::words;
use crate::etc::rt_table_name;
use crate::kernel::fib::{Route, RouteType, RuleAction, table};
use crate::kernel::neigh::Nud;
use crate::kernel::types::DevId;
use crate::session::Session;
use crate::wire::MacAddr;

/// How much a reader must want to know to be shown an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Always.
    Story,
    /// With `--verbose`: what was tried and missed, checks that passed.
    Detail,
}

/// Name, clause and weight of an event.
pub fn clause(s: &Session, kind: &EventKind) -> (&'static str, String, Weight) {
    use Weight::{Detail, Story};
    let dev = |d: DevId| s.kernel.dev(d).name.to_string();
    match kind {
        EventKind::Tx => ("tx", "sent".into(), Story),
        EventKind::Rx => ("rx", "received".into(), Story),
        EventKind::BrLearn { port, moved_from } => {
            let from = moved_from.map(|d| format!(", moved from {}", dev(d))).unwrap_or_default();
            (
                "br_learn",
                format!("fdb learns the sender at {}{from}", dev(*port)),
                if moved_from.is_some() { Story } else { Detail },
            )
        }
        EventKind::Expired { what } => {
            let (name, text) = match what {
                Expired::Connection(c) => {
                    ("ct_expired", format!("conntrack forgets {}: its time is over", firewall::tuple(&c.tuples[0])))
                }
                Expired::Bridge { mac, port } => {
                    ("br_expired", format!("fdb forgets {mac} at {}: not heard again", dev(*port)))
                }
                Expired::Vxlan { mac, remote } => {
                    ("vxlan_expired", format!("fdb forgets {mac} on host {remote}: not heard again"))
                }
            };
            (name, text, Story)
        }
        EventKind::BrLookup { verdict, .. } => {
            let text = match verdict {
                BrVerdict::Port(p) => format!("fdb: the receiver is at {}", dev(*p)),
                BrVerdict::Local => "fdb: an address of this bridge, goes up to the host".into(),
                BrVerdict::Unknown => "fdb: unknown, flood to every port".into(),
                BrVerdict::Group => "broadcast or multicast, flood to every port".into(),
            };
            ("br_lookup", text, Story)
        }
        EventKind::BrSkip { port, why } => {
            let why = match why {
                BrSkip::SamePort => "it came in there, and hairpin is off",
                BrSkip::NotForwarding => "it does not forward",
                BrSkip::FloodOff => "flooding is off there",
                BrSkip::Isolated => "both ports are isolated",
                BrSkip::NeighSuppress => "neigh_suppress",
                BrSkip::TooBig => "the frame is longer than its MTU",
            };
            ("br_skip", format!("not out of {}: {why}", dev(*port)), Detail)
        }
        EventKind::BrForward { port } => ("br_forward", format!("out of port {}", dev(*port)), Detail),
        EventKind::BrUp { bridge } => ("br_up", format!("up to the host, as received by {}", dev(*bridge)), Detail),
        EventKind::RuleMissed { pref, action, why } => {
            let why = match why {
                RuleMiss::Src => "from does not match",
                RuleMiss::Dst => "to does not match",
                RuleMiss::Iif => "iif does not match",
                RuleMiss::Oif => "oif does not match",
                RuleMiss::Mark => "fwmark does not match",
                RuleMiss::Tos => "tos does not match",
                RuleMiss::Proto => "ipproto does not match",
                RuleMiss::Port => "sport or dport does not match",
                RuleMiss::Uid => "uidrange does not match",
                RuleMiss::Inverted => "it matched, and the rule says not",
                RuleMiss::NoRoute => "no route there",
                RuleMiss::Suppressed => "the route found is suppressed",
                RuleMiss::Throw => "the table says throw",
            };
            ("rule_missed", format!("rule {pref} {}: {why}", action_text(action)), Detail)
        }
        EventKind::Fib { key, result } => {
            let text = match result {
                FibResult::Route { route, .. } => format!("fib {}: {}", key.dst, route_text(s, route)),
                FibResult::Rule { pref, action } => {
                    format!("fib {}: rule {pref} says {}", key.dst, action_text(action))
                }
                FibResult::None => format!("fib {}: no route", key.dst),
            };
            ("fib", text, Story)
        }
        EventKind::SourceChosen { src, by_route } => {
            let why = if *by_route { "the route's src" } else { "first address of the device" };
            ("source_chosen", format!("source {src}: {why}"), Detail)
        }
        EventKind::SourceCheck { verdict } => match verdict {
            SourceCheck::Ok => ("source_check", "source: the way back leaves by the same device".into(), Detail),
            SourceCheck::OtherDevice => {
                ("source_check", "source: the way back leaves by another device, allowed".into(), Detail)
            }
            SourceCheck::RpFilter(n) => {
                ("source_check", format!("source refused: rp_filter={n}, the way back leaves by another device"), Story)
            }
            SourceCheck::Martian => {
                ("source_check", "source refused: a martian (own address, or none that can send)".into(), Story)
            }
        },
        EventKind::LocalIn => ("local_in", "for this host (ip_local_deliver)".into(), Detail),
        EventKind::Forward { ttl } => {
            ("forward", format!("forward (ip_forward): ttl {ttl} becomes {}", ttl.saturating_sub(1)), Story)
        }
        EventKind::Neigh { ip, nud, lladdr } => match lladdr {
            Some(mac) => ("neigh", format!("neigh {ip}: {mac} ({})", nud.as_str()), Story),
            None => ("neigh", format!("neigh {ip}: address unknown ({})", nud.as_str()), Detail),
        },
        EventKind::NeighWait { ip } => ("neigh_wait", format!("waits for ARP to find {ip}"), Story),
        EventKind::NeighState { ip, old, new, lladdr } => {
            let mac = lladdr.map(|m| format!(" {m}")).unwrap_or_default();
            let weight = if *new == Nud::Failed { Story } else { Detail };
            // `ip neigh flush` ends an entry in FAILED too, and had not asked.
            let note = match (old, new) {
                (Nud::Incomplete | Nud::Probe, Nud::Failed) => ", nobody answered",
                (Nud::None | Nud::Failed, _) => "",
                (_, Nud::Failed) => ", deleted",
                _ => "",
            };
            ("neigh_state", format!("neigh {ip}{mac}: {} becomes {}{note}", old.as_str(), new.as_str()), weight)
        }
        EventKind::Arp { verdict } => {
            let (text, weight) = match verdict {
                ArpVerdict::Answered => ("arp: for us, answers".to_owned(), Story),
                ArpVerdict::Proxied => ("arp: answers for another link (proxy_arp)".into(), Story),
                ArpVerdict::NotOurs => ("arp: asks for somebody else".into(), Detail),
                ArpVerdict::Ignored(n) => (format!("arp: no answer, arp_ignore={n}"), Story),
                ArpVerdict::Filtered => {
                    ("arp: no answer, arp_filter: the way back leaves by another device".into(), Story)
                }
                ArpVerdict::TableFull => {
                    ("arp: no answer, the neighbour table has no room for the asker (gc_thresh3)".into(), Story)
                }
                ArpVerdict::SourceRefused => {
                    ("arp: no answer, the asker's address is refused here (rp_filter or martian)".into(), Story)
                }
                ArpVerdict::Learned => ("arp: the answer fills the entry".into(), Story),
                ArpVerdict::Unsolicited => ("arp: nobody asked for it".into(), Detail),
                ArpVerdict::NoArp => ("arp: the device does no ARP".into(), Story),
                ArpVerdict::Bad => ("arp: malformed, or an address that ARP never serves".into(), Story),
            };
            ("arp", text, weight)
        }
        EventKind::Fragmented { pieces, mtu } => {
            ("fragmented", format!("cut into {pieces} fragments for mtu {mtu}"), Story)
        }
        EventKind::FragWait => ("frag_wait", "waits for the other fragments".into(), Story),
        EventKind::Reassembled { pieces } => ("reassembled", format!("whole again from {pieces} fragments"), Story),
        EventKind::PmtuLearned { dst, mtu } => ("pmtu_learned", format!("learns path MTU {mtu} to {dst}"), Story),
        EventKind::Segmented { pieces } => ("segmented", format!("cut into its {pieces} segments"), Detail),
        EventKind::Encap { vni, remote, .. } => {
            ("encap", format!("vxlan {vni}: goes into a UDP datagram to {remote}"), Story)
        }
        EventKind::Decap { vni, dev: d, .. } => {
            ("decap", format!("vxlan {vni}: taken out, received by {}", dev(*d)), Story)
        }
        EventKind::VxlanLookup { mac, remotes } => {
            let n = if *remotes == 1 { "one host".to_owned() } else { format!("{remotes} hosts") };
            let text = if *mac == MacAddr::ZERO {
                format!("vxlan fdb: the default entry, {n}")
            } else {
                format!("vxlan fdb: {mac} is at {n}")
            };
            ("vxlan_lookup", text, Detail)
        }
        EventKind::VxlanLearn { remote, moved_from } => {
            let from = moved_from.map(|d| format!(", moved from {d}")).unwrap_or_default();
            let weight = if moved_from.is_some() { Story } else { Detail };
            ("vxlan_learn", format!("vxlan fdb learns the sender at {remote}{from}"), weight)
        }
        EventKind::VxlanProxy { ip, lladdr } => {
            let text = match lladdr {
                Some(mac) => format!("vxlan proxy: answers for {ip} with {mac} from the neighbour table"),
                None => format!("vxlan proxy: no neighbour entry for {ip}, the question ends here"),
            };
            ("vxlan_proxy", text, Story)
        }
        EventKind::VxlanTooBig { mtu } => {
            let text = format!("too big for the tunnel: becomes a frag-needed with mtu {mtu} to the sender");
            ("vxlan_too_big", text, Story)
        }
        EventKind::Macvlan { dev: d, verdict } => {
            let (text, weight) = match verdict {
                MacvlanVerdict::Received => (format!("macvlan: the address is {}'s", dev(*d)), Story),
                MacvlanVerdict::Sibling => (format!("macvlan: {} lies on the same device", dev(*d)), Story),
                MacvlanVerdict::Out => (format!("macvlan: out by {}", dev(*d)), Detail),
            };
            ("macvlan", text, weight)
        }
        EventKind::RedirectTaken { dst, gateway } => {
            ("redirect_taken", format!("takes the redirect: {dst} via {gateway}"), Story)
        }
        EventKind::IcmpError { ty, code } => {
            ("icmp_error", format!("answers with ICMP {}", words::icmp(*ty, *code)), Story)
        }
        EventKind::IcmpLimited { ty, code } => {
            ("icmp_limited", format!("would send ICMP {}, but icmp_ratelimit is spent", words::icmp(*ty, *code)), Story)
        }
        EventKind::EchoReply => ("echo_reply", "answers the ping (icmp_reply)".into(), Story),
        EventKind::SocketDeliver { port, .. } => {
            let text =
                if *port == 0 { "to the raw socket".to_owned() } else { format!("to the socket on port {port}") };
            ("socket_deliver", text, Story)
        }
        EventKind::TcpState { old, new, .. } => ("tcp_state", format!("tcp: {old} becomes {new}"), Detail),
        EventKind::Consumed { what } => ("consumed", (*what).to_owned(), Detail),
        EventKind::Drop { reason, func } => {
            ("drop", format!("DROP {} ({func}): {}", reason.name(), words::drop(*reason, func)), Story)
        }
        EventKind::Bound { what } => ("bound", format!("cut short: the bound on {what} was reached"), Story),
        EventKind::SocketCopy { .. } => ("socket_copy", "a raw socket gets a copy".into(), Story),
        other => firewall::clause(s, other).unwrap_or_else(|| ("other", format!("{other:?}"), Story)),
    }
}

fn action_text(a: &RuleAction) -> String {
    match a {
        RuleAction::Table(t) => format!("lookup {}", rt_table_name(*t)),
        RuleAction::Goto(p) => format!("goto {p}"),
        RuleAction::Nop => "nop".into(),
        RuleAction::Blackhole => "blackhole".into(),
        RuleAction::Unreachable => "unreachable".into(),
        RuleAction::Prohibit => "prohibit".into(),
    }
}

/// A route as evidence: `table main 10.0.0.0/24 dev docker0`.
pub fn route_text(s: &Session, r: &Route) -> String {
    let mut out = format!("table {}", rt_table_name(r.table));
    if !matches!((r.kind, r.table), (RouteType::Unicast, _) | (RouteType::Local, table::LOCAL)) {
        out.push_str(&format!(" {}", r.kind.as_str()));
    }
    let dst = if r.dst.prefix_len() == 0 {
        "default".to_owned()
    } else if r.dst.prefix_len() == 32 {
        r.dst.addr().to_string()
    } else {
        r.dst.to_string()
    };
    out.push_str(&format!(" {dst}"));
    if let Some(v) = r.via {
        out.push_str(&format!(" via {v}"));
    }
    if let Some(d) = r.dev {
        out.push_str(&format!(" dev {}", s.kernel.dev(d).name));
    }
    if r.metric > 0 {
        out.push_str(&format!(" metric {}", r.metric));
    }
    out
}

//! A decision in one or two plain sentences, for somebody who does not know Linux's words yet.
//!
//! Linux's own words for it are `trace::clause`'s; these say what happened and why.

pub(crate) mod brief;
mod counted;
pub(crate) mod firewall;
mod names;

use packetwalk_sim::kernel::fib::{RouteType, RuleAction, table};
use packetwalk_sim::kernel::neigh::Nud;
use packetwalk_sim::kernel::types::{DevId, NetnsId};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::event::{ArpVerdict, Birth, BrSkip, BrVerdict, Event, EventKind, FibResult, MacvlanVerdict};
use packetwalk_sim::trace::event::{RuleMiss, SourceCheck};
use packetwalk_sim::trace::words;
use packetwalk_sim::wire::MacAddr;
use packetwalk_sim::wire::packet::{Arp, Body};

/// Who a namespace is: `the host node1`, `the container web of node1`.
pub(crate) fn who(s: &Session, ns: NetnsId) -> String {
    let n = s.kernel.ns(ns);
    if n.is_switch {
        return "the LAN's switch".into();
    }
    match n.label.split_once('/') {
        None => format!("host {}", n.label),
        Some((host, inner)) => match inner.split_once(':') {
            Some(("ns", name)) => format!("namespace {name} of {host}"),
            Some((kind, name)) => format!("the {kind} sandbox {name} of {host}"),
            None => format!("container {inner} of {host}"),
        },
    }
}

/// The sentences.
pub(crate) fn tell(s: &Session, e: &Event) -> String {
    let text = sentences(s, e);
    let mut chars = text.chars();
    // Many begin with the place, which is written small elsewhere. A device's name stays as it is.
    let place = ["host ", "container ", "namespace ", "the "].iter().any(|p| text.starts_with(p));
    match chars.next() {
        Some(c) if place => c.to_uppercase().chain(chars).collect(),
        _ => text,
    }
}

fn sentences(s: &Session, e: &Event) -> String {
    let dev = |d: DevId| s.kernel.dev(d).name.to_string();
    let of = |d: DevId| format!("{} of {}", s.kernel.dev(d).name, who(s, s.kernel.dev(d).netns));
    let here = who(s, e.ns);
    match &e.kind {
        EventKind::Tx => tx(s, e),
        EventKind::Rx => match e.dev {
            Some(d) => format!("{} of {here} receives the frame.", dev(d)),
            None => format!("{here} receives the frame."),
        },
        EventKind::BrLearn { port, moved_from } => {
            let moved = moved_from.map(|d| format!(" It was behind {} before.", dev(d))).unwrap_or_default();
            format!("The bridge notes that the sender's Ethernet address is behind port {}.{moved}", dev(*port))
        }
        EventKind::BrLookup { bridge, verdict } => bridge_lookup(s, *bridge, *verdict),
        EventKind::BrSkip { port, why } => {
            let why = match why {
                BrSkip::SamePort => {
                    "the frame came in there, and a bridge does not send a frame back where it came from (hairpin is off)"
                }
                BrSkip::NotForwarding => "that port is not forwarding",
                BrSkip::FloodOff => "flooding is switched off for that port",
                BrSkip::Isolated => "both ports are marked isolated, and isolated ports do not talk to each other",
                BrSkip::NeighSuppress => "neighbour suppression answers there instead",
                BrSkip::TooBig => "the frame is longer than that port's MTU",
            };
            format!("The bridge leaves port {} out: {why}.", dev(*port))
        }
        EventKind::BrForward { port } => format!("The bridge sends the frame out of port {}.", dev(*port)),
        EventKind::BrUp { bridge } => {
            format!("The frame is for the host itself: the bridge hands it up, as if {} had received it.", dev(*bridge))
        }
        EventKind::RuleMissed { pref, why, .. } => {
            let why = match why {
                RuleMiss::NoRoute => "its table has no route for the destination",
                RuleMiss::Suppressed => "it throws away the route that was found",
                RuleMiss::Throw => "its table says: look elsewhere",
                RuleMiss::Inverted => "it fits, and the rule says \"not\"",
                _ => "what it asks for does not fit this packet",
            };
            format!("Routing rule {pref} does not decide: {why}. The next rule is asked.")
        }
        EventKind::Fib { key, result } if for_a_tunnel(s, e, key.dst) => {
            format!(
                "Where does the tunnel's datagram go? {}",
                tell_first(fib(s, &here, key.dst.to_string(), result, key.iif.is_none()))
            )
        }
        EventKind::Fib { key, result } if key.iif.is_none() && about(s, e, key.dst) => {
            let way = fib(s, &here, key.dst.to_string(), result, true);
            format!("A message about this packet is to go back to its sender. {}", tell_first(way))
        }
        EventKind::Fib { key, result } => fib(s, &here, key.dst.to_string(), result, key.iif.is_none()),
        EventKind::SourceChosen { src, by_route } => {
            let why =
                if *by_route { "the route names it" } else { "it is the first address of the device it leaves by" };
            format!("The packet gets the source address {src}: {why}.")
        }
        EventKind::SourceCheck { verdict } => match verdict {
            SourceCheck::Ok => {
                "Would an answer leave by the device this came in by? Yes, so the source is believed.".into()
            }
            SourceCheck::OtherDevice => {
                "An answer would leave by another device. That is allowed here (rp_filter is 0 or loose).".into()
            }
            SourceCheck::RpFilter(n) => format!(
                "An answer would not leave by the device this came in by, so {here} takes the source for forged (rp_filter={n})."
            ),
            SourceCheck::Martian => {
                "Nobody can send from that source address, or it is this host's own: a martian.".into()
            }
        },
        EventKind::LocalIn => format!("The packet is for {here}: it goes up to the programs there."),
        EventKind::Forward { ttl } => format!(
            "{here} is not the receiver, but a router: it passes the packet on. Each router takes one from the time to live: {ttl} becomes {}.",
            ttl.saturating_sub(1)
        ),
        EventKind::Neigh { ip, lladdr: Some(mac), .. } => {
            format!("Who is next on the cable? {ip}, whose Ethernet address is known: {mac}.")
        }
        EventKind::Neigh { ip, .. } => {
            format!("Who is next on the cable? {ip}, but its Ethernet address is not known yet.")
        }
        EventKind::NeighWait { ip } => {
            format!("The packet waits while ARP asks everybody on the cable who has {ip}.")
        }
        EventKind::NeighState { ip, old, new, lladdr } => match (new, lladdr) {
            (Nud::Failed, _) if matches!(old, Nud::Incomplete | Nud::Probe) => {
                format!("Nobody answered for {ip}: {here} gives up on this neighbour.")
            }
            (Nud::Failed, _) => format!("What {here} knew of {ip} is deleted: it has to ask again."),
            (_, Some(mac)) if *old == Nud::Incomplete => {
                format!("{here} learns that {ip} is at {mac}. What waited for it can go on.")
            }
            (_, Some(mac)) => format!("{here} now believes that {ip} is at {mac} ({}).", new.as_str()),
            (_, None) => format!("{here} keeps {ip} as {}.", new.as_str()),
        },
        EventKind::Arp { verdict } => arp(&here, *verdict),
        EventKind::Fragmented { pieces, mtu } => {
            format!("The packet is longer than the way on allows (MTU {mtu}): it is cut into {pieces} fragments.")
        }
        EventKind::FragWait => "A fragment is of no use alone: it waits for the others.".into(),
        EventKind::Reassembled { pieces } => format!("All {pieces} fragments are here: the packet is whole again."),
        EventKind::PmtuLearned { dst, mtu } => {
            format!(
                "A router on the way said that packets to {dst} may have {mtu} bytes at most, and {here} remembers it."
            )
        }
        EventKind::Segmented { pieces } => format!("The big packet is cut into {pieces} segments that fit the cable."),
        EventKind::Encap { vni, remote, .. } => format!(
            "The tunnel (VXLAN {vni}) puts the whole frame into a UDP datagram to host {remote}. What goes on is the datagram."
        ),
        EventKind::Decap { vni, dev: d, .. } => format!(
            "The tunnel (VXLAN {vni}) takes the frame out of the datagram. It goes on as if {} had received it from a cable.",
            dev(*d)
        ),
        EventKind::VxlanLookup { mac, remotes } if *mac == MacAddr::ZERO => {
            format!("The tunnel does not know where the receiver is: its default entry sends to {remotes} host(s).")
        }
        EventKind::VxlanLookup { mac, .. } => format!("The tunnel's table says on which host {mac} is."),
        EventKind::VxlanLearn { remote, .. } => format!("The tunnel notes that the sender is on host {remote}."),
        EventKind::VxlanProxy { ip, lladdr: Some(mac) } => {
            format!("The tunnel answers the ARP question for {ip} itself, with {mac}: nothing has to cross the wire.")
        }
        EventKind::VxlanProxy { ip, .. } => {
            format!("The tunnel should answer for {ip}, but was not told its address: the question ends here.")
        }
        EventKind::VxlanTooBig { mtu } => {
            format!(
                "With the tunnel's headers the packet would be too long: the sender is told to use at most {mtu} bytes."
            )
        }
        EventKind::Macvlan { dev: d, verdict } => match verdict {
            MacvlanVerdict::Received => {
                format!("The Ethernet address is that of {}, which shares this card: it gets the frame.", of(*d))
            }
            MacvlanVerdict::Sibling => format!("{} shares the same card: the frame goes straight there.", of(*d)),
            MacvlanVerdict::Out => format!("The frame leaves by {}, the card below.", of(*d)),
        },
        EventKind::RedirectTaken { dst, gateway } => {
            format!("A router said that {gateway} is nearer to {dst}, and {here} will go there from now on.")
        }
        EventKind::IcmpError { ty, code } => {
            format!("{here} tells the sender what went wrong: ICMP {}.", words::icmp(*ty, *code))
        }
        EventKind::IcmpLimited { .. } => {
            "The sender should be told, but this host has sent too many such messages lately.".into()
        }
        EventKind::EchoReply => format!("{here} answers the ping. Its kernel does that, no program is needed."),
        EventKind::SocketDeliver { port: 0, .. } => "The program that sent the question takes the answer.".into(),
        EventKind::SocketDeliver { port, .. } => {
            let own = |x: &packetwalk_sim::kernel::socket::SocketInfo| x.lport == *port;
            if s.kernel
                .sockets(e.ns)
                .iter()
                .filter(|x| own(x))
                .any(|x| x.process.as_ref().is_some_and(|p| p.0 == "docker-proxy"))
            {
                return format!(
                    "Arrived: docker-proxy on port {port} in {here} gets the packet. What is in it goes on over a connection of \
                     its own."
                );
            }
            let said = names::said(s, e).map(|t| format!(" {t}")).unwrap_or_default();
            format!("Arrived: the program on port {port} in {here} gets the packet.{said}")
        }
        EventKind::SocketCopy { .. } => {
            "A program that listens to everything takes a copy. The packet itself goes on.".into()
        }
        EventKind::TcpState { old, new, .. } => {
            format!("This end of the TCP connection goes from {old} to {new}: {}.", tcp_state(new))
        }
        EventKind::Consumed { what } => format!("The packet has done its work and ends here: {what}."),
        EventKind::Drop { reason, func } => {
            let why = words::drop(*reason, func);
            let too_long = (why == words::TOO_BIG_OR_DOWN).then(|| too_long(s, e)).flatten();
            let why = too_long.unwrap_or_else(|| why.to_owned());
            format!("The packet ends here, unwanted: {why}.")
        }
        EventKind::Bound { what } => format!("packetwalk itself stopped the packet: {what}."),
        _ => firewall::tell(s, &here, e),
    }
}

/// The look-up is for a message to the packet's sender, and not for the packet.
fn about(s: &Session, e: &Event, dst: std::net::Ipv4Addr) -> bool {
    let last = s.kernel.rec.events.partition_point(|x| x.at <= e.at);
    let before = s.kernel.rec.events[..last].iter().rev().take(4096).filter(|x| x.packet == e.packet);
    let ip = before.filter_map(|x| s.kernel.rec.packet_at(x)).find_map(|p| p.ipv4());
    ip.is_some_and(|ip| ip.src == dst && ip.dst != dst)
}

/// A sentence's beginning, written large.
fn tell_first(text: String) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// The look-up is that of a tunnel for its datagram: the frame goes into it next.
fn for_a_tunnel(s: &Session, e: &Event, dst: std::net::Ipv4Addr) -> bool {
    let events = &s.kernel.rec.events;
    let now = events[events.partition_point(|x| x.at < e.at)..].iter().take_while(|x| x.at == e.at).take(256);
    now.filter(|x| x.packet == e.packet).any(|x| matches!(&x.kind, EventKind::Encap { remote, .. } if *remote == dst))
        && s.kernel.rec.packet_at(e).and_then(|p| p.ipv4()).is_none_or(|ip| ip.dst != dst)
}

/// The frame is longer than the device, or the one at the other end of its cable, takes.
fn too_long(s: &Session, e: &Event) -> Option<String> {
    let d = s.kernel.dev(e.dev?);
    let long = s.kernel.rec.packet_at(e)?.frame_len().saturating_sub(14);
    let ends = [Some(d), d.veth_peer().map(|p| s.kernel.dev(p))];
    let narrow = ends.into_iter().flatten().find(|d| long > d.mtu as usize)?;
    Some(format!("it has {long} bytes, and {} of {} takes {} at most", narrow.name, who(s, narrow.netns), narrow.mtu))
}

/// What a state of TCP means.
fn tcp_state(state: &str) -> &'static str {
    match state {
        "SYN_SENT" => "it has asked for a connection and waits for the answer",
        "SYN_RECV" => "it was asked, and waits until its answer is confirmed",
        "ESTABLISHED" => "the connection stands, and data may go both ways",
        "FIN_WAIT1" => "it has said that it sends no more",
        "FIN_WAIT2" => "the other end knows that this one sends no more",
        "CLOSE_WAIT" => "the other end sends no more, this one still may",
        "CLOSING" => "both ends stopped at the same time",
        "LAST_ACK" => "both ends have stopped, and the last confirmation is still to come",
        "TIME_WAIT" => "it is over, and stays for what may come late",
        "LISTEN" => "it waits for others to ask",
        _ => "there is no connection any more",
    }
}

/// A packet of the host's own that nobody confirmed in time.
fn sent_again(s: &Session, e: &Event) -> bool {
    let again = matches!(s.kernel.rec.birth(e.packet), Some((_, Birth::Retransmit)));
    let src = s.kernel.rec.packet_at(e).and_then(|p| p.ipv4()).map(|ip| ip.src);
    again && src.is_some_and(|a| s.kernel.devs_of(e.ns).any(|d| d.addrs.iter().any(|x| x.local == a)))
}

/// What leaves a device, and what it is where the device itself asks or answers by ARP.
fn tx(s: &Session, e: &Event) -> String {
    let own = e.dev.and_then(|d| match s.kernel.rec.packet_at(e).map(|p| &p.body) {
        Some(Body::Arp(a)) if a.sha == s.kernel.dev(d).mac => Some(a),
        _ => None,
    });
    let here = who(s, e.ns);
    let lead = match own {
        Some(a) if a.spa == a.tpa => format!("{here} tells everybody on the cable that {} is its own. ", a.spa),
        Some(a) if a.op == Arp::REPLY => {
            format!("The ARP question is for {here}: it answers with its Ethernet address. ")
        }
        Some(a) => format!("{here} asks everybody on the cable: who has {}? ", a.tpa),
        None if sent_again(s, e) => "Nobody confirmed the packet in time, so TCP sends it again. ".into(),
        None => String::new(),
    };
    format!("{lead}{}", cable(s, e))
}

fn cable(s: &Session, e: &Event) -> String {
    let Some(d) = e.dev.map(|d| s.kernel.dev(d)) else { return "The frame is sent.".into() };
    match d.veth_peer().map(|p| s.kernel.dev(p)) {
        Some(p) if s.kernel.ns(p.netns).is_switch => format!("{} sends the frame onto the LAN.", d.name),
        Some(p) => format!(
            "{} sends the frame. It is one end of a veth pair: what goes in comes out at {} in {}.",
            d.name,
            p.name,
            who(s, p.netns)
        ),
        None if d.bridge().is_some() => {
            format!("The host sends through its bridge {}, which now looks for a port.", d.name)
        }
        None if d.is_loopback() => "lo sends the packet back to where it is.".into(),
        None if d.vxlan().is_some() => format!("{} takes the frame: it is a tunnel's end, not a cable's.", d.name),
        None => format!("{} sends the frame.", d.name),
    }
}

fn bridge_lookup(s: &Session, bridge: DevId, verdict: BrVerdict) -> String {
    let b = &s.kernel.dev(bridge).name;
    match verdict {
        BrVerdict::Port(p) => {
            format!("Bridge {b} knows the receiver's Ethernet address: it is behind port {}.", s.kernel.dev(p).name)
        }
        BrVerdict::Local => format!("The receiver's Ethernet address is bridge {b}'s own: the frame is for the host."),
        BrVerdict::Unknown => {
            format!("Bridge {b} has never seen the receiver's Ethernet address, so every port gets a copy (flooding).")
        }
        BrVerdict::Group => format!("The frame is for everybody (broadcast), so bridge {b} gives every port a copy."),
    }
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

fn arp(here: &str, v: ArpVerdict) -> String {
    match v {
        ArpVerdict::Answered => format!("The ARP question is for {here}: it answers with its Ethernet address."),
        ArpVerdict::Proxied => format!("{here} answers for somebody on another cable (proxy_arp)."),
        ArpVerdict::NotOurs => format!("The question is for somebody else: {here} keeps quiet."),
        ArpVerdict::Ignored(n) => format!("{here} has the address, but arp_ignore={n} forbids to answer here."),
        ArpVerdict::Filtered => {
            format!("{here} keeps quiet: arp_filter is set, and the way back leaves by another device.")
        }
        ArpVerdict::TableFull => {
            format!("{here} keeps quiet: its neighbour table is full, and has no room for whoever asks.")
        }
        ArpVerdict::SourceRefused => format!("{here} keeps quiet: it does not believe the asker's address."),
        ArpVerdict::Learned => format!("{here} learns the Ethernet address. What waited for it can go on."),
        ArpVerdict::Unsolicited => "Nobody here asked for that answer: it changes nothing.".into(),
        ArpVerdict::NoArp => "That device does no ARP.".into(),
        ArpVerdict::Bad => "The ARP packet makes no sense, and is thrown away.".into(),
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

//! A decision in one or two plain sentences, for somebody who does not know Linux's words yet.
//!
//! Linux's own words for it are `trace::clause`'s; these say what happened and why.

pub(crate) mod brief;
mod counted;
pub(crate) mod firewall;
mod names;
pub(crate) mod route;
mod wire;

use packetwalk_sim::kernel::neigh::Nud;
use packetwalk_sim::kernel::types::{DevId, NetnsId};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::event::{BrSkip, Event, EventKind, Expired, MacvlanVerdict};
use packetwalk_sim::trace::event::{RuleMiss, SourceCheck};
use packetwalk_sim::trace::words;
use packetwalk_sim::wire::MacAddr;

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

/// An entry that vanished by itself.
fn expired(s: &Session, here: &str, what: &Expired) -> String {
    match what {
        Expired::Connection(c) => format!(
            "{here} forgets the connection of {}: no packet of it came for so long that its time is over. The next one would \
             begin a new connection.",
            firewall::flow(&c.tuples[0])
        ),
        Expired::Bridge { mac, port } => format!(
            "The bridge forgets that {mac} is behind port {}: it sent nothing for as long as an entry may age. What is for \
             it is flooded until it is heard again.",
            s.kernel.dev(*port).name
        ),
        Expired::Vxlan { mac, remote } => format!(
            "The tunnel forgets that {mac} is on host {remote}: it sent nothing for as long as an entry may age."
        ),
    }
}

fn sentences(s: &Session, e: &Event) -> String {
    let dev = |d: DevId| s.kernel.dev(d).name.to_string();
    let of = |d: DevId| format!("{} of {}", s.kernel.dev(d).name, who(s, s.kernel.dev(d).netns));
    let here = who(s, e.ns);
    match &e.kind {
        EventKind::Tx => wire::tx(s, e),
        EventKind::Rx => match e.dev {
            Some(d) => format!("{} of {here} receives the frame.", dev(d)),
            None => format!("{here} receives the frame."),
        },
        EventKind::BrLearn { port, moved_from } => {
            let moved = moved_from.map(|d| format!(" It was behind {} before.", dev(d))).unwrap_or_default();
            format!("The bridge notes that the sender's Ethernet address is behind port {}.{moved}", dev(*port))
        }
        EventKind::Expired { what } => expired(s, &here, what),
        EventKind::BrLookup { bridge, verdict } => wire::bridge_lookup(s, *bridge, *verdict),
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
        EventKind::Fib { key, result } => route::tell(s, e, &here, key, result),
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
        EventKind::Arp { verdict } => wire::arp(&here, *verdict),
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
            "Arrived: a raw socket takes a copy. So a program such as ping gets its answers; the kernel reads the packet, too."
                .into()
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

/// A sentence's beginning, written large.
fn tell_first(text: String) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
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

//! Sentences on what is sent, asked and answered on the wire, and on what a bridge does with it.

use packetwalk_sim::kernel::types::DevId;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::event::{ArpVerdict, Birth, BrVerdict, Event};
use packetwalk_sim::wire::packet::{Arp, Body};

use super::who;

/// A packet of the host's own that nobody confirmed in time.
fn sent_again(s: &Session, e: &Event) -> bool {
    let again = matches!(s.kernel.rec.birth(e.packet), Some((_, Birth::Retransmit)));
    let src = s.kernel.rec.packet_at(e).and_then(|p| p.ipv4()).map(|ip| ip.src);
    again && src.is_some_and(|a| s.kernel.devs_of(e.ns).any(|d| d.addrs.iter().any(|x| x.local == a)))
}

/// What leaves a device, and what it is where the device itself asks or answers by ARP.
pub(super) fn tx(s: &Session, e: &Event) -> String {
    let own = e.dev.and_then(|d| match s.kernel.rec.packet_at(e).map(|p| (&p.body, p.dst)) {
        Some((Body::Arp(a), to)) if a.sha == s.kernel.dev(d).mac => Some((a, to)),
        _ => None,
    });
    let here = who(s, e.ns);
    let lead = match own {
        Some((a, _)) if a.spa == a.tpa => format!("{here} tells everybody on the cable that {} is its own. ", a.spa),
        Some((a, _)) if a.op == Arp::REPLY => {
            format!("The ARP question is for {here}: it answers with its Ethernet address. ")
        }
        // `neigh_probe` asks the address that it knows, until that fails.
        Some((a, to)) if !to.is_multicast() => {
            format!("{here} has not heard of {} for a while, and asks it alone: are you still there? ", a.tpa)
        }
        Some((a, _)) => format!("{here} asks everybody on the cable: who has {}? ", a.tpa),
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

/// What the forwarding database said.
pub(super) fn bridge_lookup(s: &Session, bridge: DevId, verdict: BrVerdict) -> String {
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

/// What became of a question or an answer of ARP.
pub(super) fn arp(here: &str, v: ArpVerdict) -> String {
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

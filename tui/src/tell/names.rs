//! Questions for names and their answers in plain sentences.

use std::net::Ipv4Addr;

use packetwalk_sim::session::Session;
use packetwalk_sim::trace::event::Event;
use packetwalk_sim::wire::dns::{Data, Message, QType, Rcode};
use packetwalk_sim::wire::packet::L4;

/// Where the engine's name server is asked, inside a container.
const DOCKERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// What a packet asks a name server, or what the name server answers; none where it is no such packet.
pub(super) fn said(s: &Session, e: &Event) -> Option<String> {
    let ip = s.kernel.rec.packet_at(e).and_then(|p| p.ipv4())?;
    let L4::Udp(u) = &ip.l4 else { return None };
    let asks_names = u.sport == 53 || u.dport == 53 || ip.src == DOCKERS || ip.dst == DOCKERS;
    let m = Message::parse(&u.payload).filter(|_| asks_names)?;
    let what = match m.qtype {
        QType::A => "the address of",
        QType::Aaaa => "the IPv6 address of",
        QType::Ptr => "the name that belongs to",
        QType::Other(_) => "something about",
    };
    if !m.response {
        return Some(format!("It asks for {what} {}.", m.name));
    }
    let all: Vec<String> = m.answers.iter().map(|r| told(&r.data)).collect();
    Some(match m.rcode {
        Rcode::NoError if all.is_empty() => format!("The answer: nobody knows {what} {}.", m.name),
        Rcode::NoError => format!("The answer: {what} {} is {}.", m.name, all.join(", ")),
        Rcode::NxDomain => format!("The answer: there is no such name as {} (NXDOMAIN).", m.name),
        other => format!("The answer: the name server could not tell ({}).", other.name()),
    })
}

fn told(d: &Data) -> String {
    match d {
        Data::A(a) => a.to_string(),
        Data::Aaaa(a) => a.to_string(),
        Data::Ptr(n) => n.clone(),
    }
}

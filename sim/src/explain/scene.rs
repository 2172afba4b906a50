//! One step between the world before and the world after it.

use std::net::Ipv4Addr;

use crate::kernel::types::NetnsId;
use crate::scenario::run::StepResult;
use crate::session::Session;
use crate::trace::event::{Birth, Event, EventKind};
use crate::wire::PacketId;
use crate::wire::packet::{Icmp, L4, Packet, TcpFlags};

/// A step, the world that it found, and what it left.
pub struct Scene<'a> {
    /// The world before.
    pub before: &'a Session,
    /// The world after, with the trace of the step and nothing else.
    pub after: &'a Session,
    /// What the step did.
    pub result: &'a StepResult,
    /// Namespace that the step ran in.
    pub ns: NetnsId,
}

impl Scene<'_> {
    /// What happened.
    pub fn events(&self) -> &[Event] {
        self.after.kernel.rec.events.get(self.result.first_event..self.result.end_event).unwrap_or_default()
    }

    /// The packet as it was at an event.
    pub fn packet(&self, e: &Event) -> Option<&Packet> {
        self.after.kernel.rec.packet_at(e)
    }

    /// The last content of an event's packet at or before it.
    pub fn packet_before(&self, i: usize) -> Option<&Packet> {
        let id = self.events()[i].packet;
        self.events()[..=i].iter().rev().filter(|e| e.packet == id).find_map(|e| self.packet(e))
    }

    /// The last content of an event's packet before it.
    pub fn packet_until(&self, i: usize) -> Option<&Packet> {
        self.back(i).find_map(|e| self.packet(e))
    }

    /// Events of the same packet before one, the latest first.
    pub fn back(&self, i: usize) -> impl Iterator<Item = &Event> {
        let id = self.events()[i].packet;
        self.events()[..i].iter().rev().filter(move |e| e.packet == id)
    }

    /// Why a packet came into being, and of which other.
    pub fn birth(&self, id: PacketId) -> (Option<PacketId>, Birth) {
        self.after.kernel.rec.birth(id).copied().unwrap_or((None, Birth::Sent))
    }

    /// The packet is a tunnel's datagram.
    pub fn is_outer(&self, id: PacketId) -> bool {
        let mut id = id;
        for _ in 0..8 {
            match self.birth(id) {
                (_, Birth::Encapsulated) => return true,
                (Some(p), Birth::Copy | Birth::Fragment | Birth::Reassembled) => id = p,
                _ => return false,
            }
        }
        false
    }

    /// Namespaces that forwarded a packet in the step, in order.
    pub fn routers(&self) -> Vec<NetnsId> {
        let mut all = Vec::new();
        for e in self.events() {
            if matches!(e.kind, EventKind::Forward { .. }) && !all.contains(&e.ns) {
                all.push(e.ns);
            }
        }
        all
    }
}

/// Addresses, protocol and ports of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// What it carries.
    pub l4: FlowL4,
}

/// What a packet carries, as far as a rule would name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowL4 {
    /// TCP: source and destination port, and whether it opens a connection.
    Tcp(u16, u16, bool),
    /// UDP: source and destination port.
    Udp(u16, u16),
    /// ICMP: its type.
    Icmp(u8),
    /// Another protocol, or a later fragment.
    Other(u8),
}

impl Flow {
    /// Of an IPv4 packet.
    pub fn of(p: &Packet) -> Option<Flow> {
        let ip = p.ipv4()?;
        let l4 = match &ip.l4 {
            L4::Tcp(t) => {
                FlowL4::Tcp(t.sport, t.dport, t.flags.contains(TcpFlags::SYN) && !t.flags.contains(TcpFlags::ACK))
            }
            L4::Udp(u) => FlowL4::Udp(u.sport, u.dport),
            L4::Icmp(Icmp { ty, .. }) => FlowL4::Icmp(*ty),
            L4::Raw(p, _) => FlowL4::Other(*p),
        };
        Some(Flow { src: ip.src, dst: ip.dst, l4 })
    }

    /// The words of a rule that fits it and its like: a service's port, whoever asks from wherever.
    pub fn spec(&self) -> String {
        let port = |name: &str, s: u16, d: u16, asks: bool| match asks || d <= s {
            true => format!("-p {name} --dport {d}"),
            false => format!("-p {name} --sport {s}"),
        };
        let l4 = match self.l4 {
            FlowL4::Tcp(s, d, syn) => port("tcp", s, d, syn),
            FlowL4::Udp(s, d) => port("udp", s, d, false),
            FlowL4::Icmp(_) => "-p icmp".to_owned(),
            FlowL4::Other(p) => format!("-p {p}"),
        };
        format!("-s {} -d {} {l4}", self.src, self.dst)
    }

    /// It looks like an answer: nobody asks by it.
    pub fn answers(&self) -> bool {
        match self.l4 {
            FlowL4::Tcp(s, d, opens) => !opens && s < d,
            FlowL4::Udp(s, d) => s < d,
            FlowL4::Icmp(ty) => ty == 0,
            FlowL4::Other(_) => false,
        }
    }

    /// Destination port, where there is one.
    pub fn dport(&self) -> Option<u16> {
        match self.l4 {
            FlowL4::Tcp(_, d, _) | FlowL4::Udp(_, d) => Some(d),
            _ => None,
        }
    }

    /// `tcp` or `udp`.
    pub fn proto(&self) -> &'static str {
        match self.l4 {
            FlowL4::Tcp(..) => "tcp",
            FlowL4::Udp(..) => "udp",
            FlowL4::Icmp(_) => "icmp",
            FlowL4::Other(_) => "ip",
        }
    }
}

/// The ARP message in a frame.
pub fn arp(p: &Packet) -> Option<&crate::wire::packet::Arp> {
    match &p.body {
        crate::wire::packet::Body::Arp(a) => Some(a),
        _ => None,
    }
}

//! What happened, as values: the contract between those who walk packets and those who read walks.
//!
//! [`event`] defines decisions with their evidence, [`mod@drop`] the kernel's names for the ends of
//! packets, [`outcome`] what an application saw. The kernel writes events through a [`Recorder`];
//! [`Trace`] keeps them, [`NoTrace`] compiles to nothing. Output forms are one file each and only
//! read: [`text`], [`json`], [`state`].

pub mod clause;
pub mod drop;
pub mod event;
pub mod json;
pub mod outcome;
pub mod pcapng;
pub mod state;
pub mod svg;
pub mod text;
pub mod topology;
pub mod way;
pub mod words;

pub use drop::DropReason;
pub use event::{Event, EventKind};
pub use outcome::Outcome;

use crate::kernel::types::{DevId, Nanos, NetnsId};
use crate::wire::{Packet, PacketId};

/// Takes the events of a walk.
pub trait Recorder: Clone {
    /// Whether anybody reads: guards the work of collecting evidence.
    const ON: bool;
    /// One event; `packet` as it is at that moment, a snapshot of it is taken when it changed.
    fn event(&mut self, at: Nanos, ns: NetnsId, dev: Option<DevId>, packet: Option<&mut Packet>, kind: EventKind);
    /// An event about a packet that is known by its number only.
    fn event_id(&mut self, at: Nanos, ns: NetnsId, dev: Option<DevId>, packet: PacketId, kind: EventKind);
    /// A packet came into being; its parent is the packet that caused it, or that it was copied from.
    fn born(&mut self, id: PacketId, parent: Option<PacketId>, why: event::Birth);
}

/// Records nothing, at no cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Recorder for NoTrace {
    const ON: bool = false;
    #[inline(always)]
    fn event(&mut self, _: Nanos, _: NetnsId, _: Option<DevId>, _: Option<&mut Packet>, _: EventKind) {}
    #[inline(always)]
    fn event_id(&mut self, _: Nanos, _: NetnsId, _: Option<DevId>, _: PacketId, _: EventKind) {}
    #[inline(always)]
    fn born(&mut self, _: PacketId, _: Option<PacketId>, _: event::Birth) {}
}

/// UDP port of the engines' gossip, which is not recorded.
const GOSSIP: u16 = 7946;

/// A recorded walk.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Events in order of (time, sequence).
    pub events: Vec<Event>,
    /// Contents of packets: `Event::snap` - 1 is an index into it.
    pub snaps: Vec<Packet>,
    /// Parent and cause of every packet, by `PacketId`.
    pub births: Vec<(Option<PacketId>, event::Birth)>,
}

impl Trace {
    /// The packet as it was at an event.
    pub fn packet_at(&self, e: &Event) -> Option<&Packet> {
        (e.snap as usize).checked_sub(1).and_then(|i| self.snaps.get(i))
    }

    /// Parent and cause of a packet.
    pub fn birth(&self, id: PacketId) -> Option<&(Option<PacketId>, event::Birth)> {
        self.births.get(id.0 as usize)
    }
}

impl Recorder for Trace {
    const ON: bool = true;

    fn event(&mut self, at: Nanos, ns: NetnsId, dev: Option<DevId>, packet: Option<&mut Packet>, kind: EventKind) {
        let (id, snap) = match packet {
            Some(p) if p.id == PacketId::UNTOLD => return,
            // It never ends, and nobody asked for it.
            Some(p) if p.udp_ports() == Some((GOSSIP, GOSSIP)) => return,
            Some(p) => {
                if p.snap == 0 {
                    self.snaps.push(p.clone());
                    p.snap = self.snaps.len() as u32;
                }
                (p.id, p.snap)
            }
            None => (PacketId(0), 0),
        };
        self.events.push(Event { at, ns, dev, packet: id, snap, kind });
    }

    fn event_id(&mut self, at: Nanos, ns: NetnsId, dev: Option<DevId>, packet: PacketId, kind: EventKind) {
        if packet == PacketId::UNTOLD {
            return;
        }
        self.events.push(Event { at, ns, dev, packet, snap: 0, kind });
    }

    fn born(&mut self, id: PacketId, parent: Option<PacketId>, why: event::Birth) {
        if id == PacketId::UNTOLD {
            return;
        }
        let parent = parent.filter(|p| *p != PacketId::UNTOLD);
        let i = id.0 as usize;
        if self.births.len() <= i {
            self.births.resize(i + 1, (None, event::Birth::Sent));
        }
        self.births[i] = (parent, why);
    }
}

//! What a recorder's taps show of fragments that are put together and sent on.
//!
//! `ip_do_fragment` sends the pieces of what came in pieces in the buffers they came in: `ip_fraglist_prepare` writes the
//! whole's header over each piece's own, and the neighbour its Ethernet header over that which was there. Of the first
//! piece NAT and `ip_forward` took a copy to write in (`skb_ensure_writable`, `skb_cow`); of the others nobody did, and
//! a tap has no copy either: it shares the buffer. A recorder reads it when the interrupt is over, so that all rows of
//! such a piece, even the sender's own, show the headers with which it was sent last.
//!
//! Where a tap took the whole in between, as at a bridge whose ports put together, the pieces are shared with it
//! (`skb_shared`): `ip_do_fragment` makes new ones, and nothing is written over.

use std::collections::{BTreeMap, BTreeSet};

use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::Event;
use packetwalk_sim::trace::event::Birth;
use packetwalk_sim::wire::packet::PacketId;
use packetwalk_sim::wire::{Packet, encode};

/// Bytes before a frame's own IP header: Ethernet; and before that of a frame in a VXLAN tunnel.
const PLACES: [usize; 2] = [14, 14 + 20 + 8 + 8 + 14];

/// A piece in a namespace: protocol, the datagram's id, offset and length.
type Piece = (NetnsId, u8, u16, u16, usize);

/// Later pieces that wait for the others, with the header they came with.
#[derive(Default)]
pub(super) struct Buffers {
    waiting: BTreeMap<Piece, Vec<u8>>,
    /// Wholes that a tap saw.
    tapped: BTreeSet<PacketId>,
}

/// The headers of a frame that was written over another: the IP header that was there, and both that are.
pub(super) struct Written {
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Written {
    /// Shows a frame that shares the buffer as it is now.
    pub(super) fn over(&self, frame: &mut [u8]) {
        for at in PLACES {
            if frame.get(at..at + self.old.len()) == Some(&self.old) {
                frame[at - 14..at + self.old.len()].copy_from_slice(&self.new);
            }
        }
    }
}

impl Buffers {
    /// A later piece begins to wait.
    pub(super) fn wait(&mut self, e: &Event, p: &Packet) {
        if let Some(piece) = piece(e, p) {
            self.waiting.insert(piece, ip_header(&encode::frame(p)).to_vec());
        }
    }

    /// A tap sees a packet. If it is a later piece of a whole that came in the same pieces: what is written over the
    /// buffer that it came in.
    pub(super) fn tap(&mut self, s: &Session, e: &Event, p: &Packet) -> Option<Written> {
        let whole = whole(s, p)?;
        let Some(piece) = piece(e, p) else {
            if p.ipv4().is_some_and(|ip| !ip.is_fragment()) {
                self.tapped.insert(whole);
            }
            return None;
        };
        if self.tapped.contains(&whole) {
            return None;
        }
        let old = self.waiting.remove(&piece)?;
        let bytes = encode::frame(p);
        let new = bytes[..14 + ip_header(&bytes).len()].to_vec();
        (new.len() == 14 + old.len()).then_some(Written { old, new })
    }
}

/// The IP header of a frame without a tunnel.
fn ip_header(frame: &[u8]) -> &[u8] {
    &frame[14..14 + usize::from(frame[14] & 15) * 4]
}

/// A packet that is a later piece.
fn piece(e: &Event, p: &Packet) -> Option<Piece> {
    let ip = p.ipv4().filter(|ip| ip.frag_off > 0)?;
    Some((e.ns, ip.proto(), ip.id, ip.frag_off, ip.total_len()))
}

/// What was put together, of a packet that is it or was cut from it.
fn whole(s: &Session, p: &Packet) -> Option<PacketId> {
    let mut id = p.id;
    loop {
        match s.kernel.rec.birth(id)? {
            (_, Birth::Reassembled) => return Some(id),
            (Some(parent), Birth::Fragment | Birth::Copy) => id = *parent,
            _ => return None,
        }
    }
}

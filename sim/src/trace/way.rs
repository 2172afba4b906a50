//! The way of a step's first packet from device to device, and back: for the pictures.

use super::Trace;
use crate::trace::event::Birth;
use crate::wire::PacketId;

/// The packet that others were made from: copies, fragments, and what a tunnel wraps and unwraps.
pub fn story(t: &Trace, mut id: PacketId) -> PacketId {
    for _ in 0..64 {
        match t.birth(id) {
            Some((
                Some(parent),
                Birth::Copy | Birth::Fragment | Birth::Reassembled | Birth::Encapsulated | Birth::Decapsulated,
            )) => id = *parent,
            _ => break,
        }
    }
    id
}

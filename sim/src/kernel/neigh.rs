//! Neighbours (net/core/neighbour.c) and ARP (net/ipv4/arp.c).

mod alloc;
mod arp;
mod output;
mod timer;
mod types;
mod update;

pub use alloc::NeighRoom;
pub use types::*;
pub(crate) use update::Update;

//! Headers and packets: typed inside the model, bytes only at the edge.
//!
//! [`packet`] holds the types, [`encode`] writes them as an Ethernet frame and [`parse`] reads
//! one back, both through `etherparse`. Nothing on the packet path looks at bytes.

pub mod dns;
pub mod encode;
pub mod mac;
pub mod packet;
pub mod parse;

pub use mac::MacAddr;
pub use packet::*;

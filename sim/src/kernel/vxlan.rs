//! VXLAN: Ethernet in UDP (drivers/net/vxlan/vxlan_core.c).
//!
//! In reading order: `types` (settings and forwarding database as values), `port` (making, changing, going up and
//! down, the UDP socket), `fdb`, `xmit`, `receive`.

mod fdb;
mod port;
mod receive;
mod types;
mod xmit;

pub use types::*;
pub(crate) use xmit::{split_super_packet, tunnel_mtu_len};

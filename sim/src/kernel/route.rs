//! Routing decisions (net/ipv4/route.c): `input` for what arrives, `output` for what the host sends,
//! and what was learnt about paths since ([`Exceptions`]).

mod exceptions;
mod input;
mod output;

pub use exceptions::{Exception, Exceptions};
pub use output::{OutputKey, RouteError};

use std::net::Ipv4Addr;

use super::fib::{Route, RouteType};
use super::types::{DevId, Errno};

/// A routing decision (`struct rtable`): what happens to a packet, and by which device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dst {
    /// Kind: unicast (forward or send), local, broadcast, multicast, or unreachable with an errno.
    pub kind: RouteType,
    /// Delivered to this host (`RTCF_LOCAL`).
    pub local: bool,
    /// Outgoing device; `lo` for what goes to oneself.
    pub dev: DevId,
    /// Next hop; none where the destination itself is on the link.
    pub gateway: Option<Ipv4Addr>,
    /// Source address chosen.
    pub src: Ipv4Addr,
    /// Path MTU that was learnt, or set on the route.
    pub pmtu: Option<u32>,
    /// The MTU must not be exceeded silently: it is locked (`RTAX_LOCK`).
    pub mtu_locked: bool,
    /// `advmss` of the route.
    pub advmss: Option<u32>,
    /// The route that was used.
    pub route: Option<Route>,
    /// Made for a packet that arrived.
    pub input: bool,
    /// The packet leaves by the device it came by, straight to a better hop: send a redirect.
    pub redirect: bool,
    /// Why it cannot be routed (`dst.error`).
    pub error: Option<Errno>,
}

//! IPv4: receiving, delivering, forwarding, sending, cutting (net/ipv4/ip_input.c, ip_forward.c, ip_output.c).

mod forward;
mod input;
mod output;

pub(crate) use forward::mtu_len;
pub use output::{IpMeta, KERNEL_SOCKET, PmtuDisc};

use super::dev::PktType;
use super::fib::RouteType;
use super::types::DevId;

/// How a packet came to this host: what ICMP needs to know before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rx {
    /// Device that received it.
    pub dev: DevId,
    /// Device that sockets bound to one see it from: the address's own for what came round by `lo` (`inet_iif`).
    pub sock_dev: DevId,
    /// To whom the frame was addressed.
    pub ty: PktType,
    /// Kind of its route.
    pub kind: RouteType,
    /// For this host (`RTCF_LOCAL`).
    pub local: bool,
}

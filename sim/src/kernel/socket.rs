//! Sockets: what applications hold (being written).

use std::net::Ipv4Addr;

use super::types::{IfName, NetnsId, Pid, SockId};

/// Something happened to a socket that its application waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wakeup {
    /// The socket.
    pub sock: SockId,
}

/// The sockets of a namespace.
#[derive(Clone, Debug, Default)]
pub struct SocketTable {}

/// A socket as `ss` and `netstat` list it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SocketInfo {
    /// `tcp`, `udp`, `raw` or `icmp`.
    pub proto: &'static str,
    /// `LISTEN`, `ESTAB`, `UNCONN` … as `ss` writes it.
    pub state: &'static str,
    /// Local address.
    pub local: Ipv4Addr,
    /// Local port; the protocol number of a raw socket.
    pub lport: u16,
    /// Remote address, unspecified while unconnected.
    pub remote: Ipv4Addr,
    /// Remote port, 0 while unconnected.
    pub rport: u16,
    /// Device it is bound to.
    pub dev: Option<IfName>,
    /// Bytes received and not yet read; the backlog of a listener.
    pub recvq: u32,
    /// Bytes not yet acknowledged; the backlog limit of a listener.
    pub sendq: u32,
    /// Process name and number.
    pub process: Option<(String, Pid)>,
}

impl<R: crate::trace::Recorder> super::Kernel<R> {
    /// The sockets of a namespace, in the order they were made.
    pub fn sockets(&self, ns: NetnsId) -> Vec<SocketInfo> {
        let _ = ns;
        Vec::new()
    }
}

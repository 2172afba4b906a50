//! Sockets as values.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use bytes::Bytes;
use indexmap::IndexMap;

use crate::FxBuild;
use crate::kernel::dev::PktType;
use crate::kernel::ip::PmtuDisc;
use crate::kernel::tcp::{Listener, Tcb};
use crate::kernel::types::{DevId, Errno, IfName, NetnsId, Pid, SockId};
use crate::wire::{Ipv4, Packet};

/// Something happened to a socket that its application waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wakeup {
    /// The socket.
    pub sock: SockId,
}

/// Local address and port, remote address and port.
pub type Quad = (Ipv4Addr, u16, Ipv4Addr, u16);

/// The sockets of a namespace.
#[derive(Clone, Debug, Default)]
pub struct SocketTable {
    /// All, in the order they were made.
    pub all: Vec<SockId>,
    /// Raw ones.
    pub raw: Vec<SockId>,
    /// Packet sockets.
    pub packet: Vec<SockId>,
    /// UDP by local port.
    pub udp: IndexMap<u16, Vec<SockId>, FxBuild>,
    /// TCP that hold a local port.
    pub tcp_bound: IndexMap<u16, Vec<SockId>, FxBuild>,
    /// TCP listeners by port.
    pub tcp_listen: IndexMap<u16, Vec<SockId>, FxBuild>,
    /// Connections.
    pub tcp_established: IndexMap<Quad, SockId, FxBuild>,
}

/// What kind of socket it is.
#[derive(Clone, Debug)]
pub enum SockKind {
    /// `SOCK_RAW` of a protocol.
    Raw {
        /// Protocol number.
        proto: u8,
    },
    /// `SOCK_DGRAM`.
    Udp,
    /// `SOCK_STREAM`, connecting, connected or closed.
    Tcp(Box<Tcb>),
    /// `SOCK_STREAM` after `listen(2)`.
    Listen(Box<Listener>),
    /// `AF_PACKET` of an EtherType.
    Packet {
        /// EtherType.
        ethertype: u16,
    },
}

/// Options of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct SockOpts {
    /// `IP_TTL`.
    pub ttl: Option<u8>,
    /// `IP_TOS`.
    pub tos: u8,
    /// `IP_MTU_DISCOVER`.
    pub pmtudisc: PmtuDisc,
    /// `IP_RECVERR`.
    pub recverr: bool,
    /// `SO_BROADCAST`.
    pub broadcast: bool,
    /// `SO_REUSEADDR`.
    pub reuseaddr: bool,
    /// `SO_MARK`.
    pub mark: u32,
    /// A socket of AF_INET6 bound to all addresses, which takes IPv4 as well.
    pub dual: bool,
}

/// An entry of a socket's error queue (`struct sock_extended_err`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SockErr {
    /// errno.
    pub errno: Errno,
    /// ICMP type and code; none for an error of the own host.
    pub icmp: Option<(u8, u8)>,
    /// Who sent the ICMP error.
    pub from: Ipv4Addr,
    /// MTU of a frag-needed.
    pub mtu: u32,
}

/// What a socket received.
#[derive(Clone, Debug)]
pub enum Rcv {
    /// A datagram.
    Udp {
        /// Sender.
        from: (Ipv4Addr, u16),
        /// Address it was sent to.
        to: Ipv4Addr,
        /// TTL as it arrived.
        ttl: u8,
        /// Data.
        payload: Bytes,
    },
    /// An IP packet.
    Raw(Ipv4),
    /// A frame.
    Packet(Packet, PktType),
}

/// A socket.
#[derive(Clone, Debug)]
pub struct Sock {
    /// Its number.
    pub id: SockId,
    /// Namespace.
    pub ns: NetnsId,
    /// An application still holds it.
    pub open: bool,
    /// What it is.
    pub kind: SockKind,
    /// Local address, unspecified for any.
    pub local: Ipv4Addr,
    /// Bound to a broadcast or group address: it receives for that address, and sends from the device's own
    /// (`inet_saddr` is 0).
    pub group_bound: bool,
    /// Local port.
    pub lport: u16,
    /// Remote address.
    pub remote: Ipv4Addr,
    /// Remote port.
    pub rport: u16,
    /// Device it is bound to.
    pub dev: Option<DevId>,
    /// Options.
    pub opts: SockOpts,
    /// `SO_ERROR`.
    pub err: Option<Errno>,
    /// Error queue.
    pub errq: VecDeque<SockErr>,
    /// What was received and not read.
    pub rx: VecDeque<Rcv>,
    /// Process that made it.
    pub process: Option<(Pid, String)>,
    /// The kernel's own: a tunnel takes what it receives (`encap_rcv`).
    pub encap: bool,
    /// Counter of IP ids.
    pub ip_id: u16,
}

impl Sock {
    /// Address it sends from, unspecified where routing chooses.
    pub fn saddr(&self) -> Ipv4Addr {
        if self.group_bound { Ipv4Addr::UNSPECIFIED } else { self.local }
    }

    /// Key of a connection.
    pub fn quad(&self) -> Quad {
        (self.local, self.lport, self.remote, self.rport)
    }

    /// The TCP control block.
    ///
    /// # Panics
    /// Where the socket is no TCP connection: a bug of ours.
    pub fn tcb(&self) -> &Tcb {
        match &self.kind {
            SockKind::Tcp(t) => t,
            _ => panic!("not a TCP connection"),
        }
    }

    /// The TCP control block, to be changed.
    ///
    /// # Panics
    /// Where the socket is no TCP connection: a bug of ours.
    pub fn tcb_mut(&mut self) -> &mut Tcb {
        match &mut self.kind {
            SockKind::Tcp(t) => t,
            _ => panic!("not a TCP connection"),
        }
    }
}

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
    /// Of both families (`IPV6_V6ONLY` off): its local address is written `*`.
    pub dual: bool,
    /// Device it is bound to.
    pub dev: Option<IfName>,
    /// Bytes received and not yet read; the backlog of a listener.
    pub recvq: u32,
    /// Bytes not yet acknowledged; the backlog limit of a listener.
    pub sendq: u32,
    /// Process name and number.
    pub process: Option<(String, Pid)>,
}

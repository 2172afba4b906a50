//! What socat is asked to join.

use std::net::Ipv4Addr;

use bytes::Bytes;

use crate::kernel::types::Nanos;

/// What a listening address waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waits {
    /// A connection (`TCP-LISTEN`).
    Tcp,
    /// The first datagram of a peer, to talk to it from then on (`UDP-LISTEN`).
    Udp,
    /// One datagram, which may be answered (`UDP-RECVFROM`).
    Datagram,
    /// All datagrams, which are not answered (`UDP-RECV`).
    Datagrams,
}

/// An address that waits for somebody.
#[derive(Clone, Debug)]
pub struct Listen {
    /// For what.
    pub waits: Waits,
    /// `bind=`.
    pub at: Ipv4Addr,
    /// Port.
    pub port: u16,
    /// `fork`: goes on waiting, and each peer gets a second address of its own.
    pub fork: bool,
    /// `reuseaddr`.
    pub reuseaddr: bool,
}

/// An address that begins a connection.
#[derive(Clone, Debug)]
pub struct Connect {
    /// UDP.
    pub udp: bool,
    /// Where to.
    pub to: (Ipv4Addr, u16),
    /// `bind=` and `sourceport=`.
    pub source: (Option<Ipv4Addr>, u16),
    /// The address as it was written, without its options.
    pub text: String,
    /// `connect-timeout=`.
    pub timeout: Option<Nanos>,
}

/// One of the two addresses.
#[derive(Clone, Debug)]
pub enum Address {
    /// `-`, `STDIO`.
    Stdio,
    /// `PIPE`, and a program that says what it reads: what is written comes back.
    Pipe,
    /// `SYSTEM:` and `EXEC:`: a line that the shell runs, and of which only the output counts.
    Run(String),
    /// Waits.
    Listen(Listen),
    /// Connects.
    Connect(Connect),
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct SocatSpec {
    /// The address that comes first: the one that waits, where one does.
    pub first: Address,
    /// The other.
    pub second: Address,
    /// Only one way (`-u`, `-U`): `true` from the first to the second, `false` back.
    pub one_way: Option<bool>,
    /// How long the other end may still talk after one has ended (`-t`).
    pub linger: Nanos,
    /// Ends when nothing happened for so long (`-T`).
    pub idle: Option<Nanos>,
    /// Its release is 1.8, which says more of a connection that does not come.
    pub newer: bool,
    /// What standard input says.
    pub input: Bytes,
}

//! A small blocking netlink client: one request, its answer, nothing in between.
//!
//! A socket belongs to the network namespace of the thread that opened it, whatever that thread enters later, and keeps
//! that namespace alive: let go of it before the namespace should end.
//!
//! [`Request`] and [`Dump`] are raw (a header of the family and attributes, [`attr`]); [`route`] has rtnetlink's typed
//! messages and the few helpers everybody needs.

pub mod attr;
mod error;
pub mod route;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};

pub use error::NlError;

/// `NETLINK_ROUTE`: links, addresses, routes, rules, neighbours, FDB entries.
pub const ROUTE: isize = 0;
/// `NETLINK_SOCK_DIAG`: sockets.
pub const SOCK_DIAG: isize = 4;
/// `NETLINK_NETFILTER`: nftables, conntrack.
pub const NETFILTER: isize = 12;

/// `NLM_F_REPLACE`: take the place of what is there.
pub const REPLACE: u16 = 0x100;
/// `NLM_F_EXCL`: refuse if it is there.
pub const EXCL: u16 = 0x200;
/// `NLM_F_CREATE`: make it if it is not there.
pub const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`: behind what is there.
pub const APPEND: u16 = 0x800;

const F_REQUEST: u16 = 1;
const F_ACK: u16 = 4;
const F_DUMP_INTR: u16 = 0x10;
const F_DUMP: u16 = 0x300;
const MSG_ERROR: u16 = 2;
const MSG_DONE: u16 = 3;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// Where attributes of an acknowledgement begin: behind the error number and the header of its request (`netlink_ack`, cut
/// by `NETLINK_CAP_ACK`).
const TLVS_OF_ERROR: usize = 20;
/// Where those of the end of a dump begin: behind the error number (`netlink_dump_done`).
const TLVS_OF_DONE: usize = 4;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Larger than any datagram of a dump (`netlink_dump` allocates at most 32 KiB).
const BUFFER: usize = 64 << 10;
/// What a namespace full of events may pile up before the kernel says ENOBUFS.
const RECEIVE_BUFFER: usize = 8 << 20;
/// How often a dump that the kernel interrupted is asked for again.
const RETRIES: usize = 8;

/// What is asked: type, flags beyond those of the kind of call, and the family's header with its attributes.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `nlmsg_type`.
    pub kind: u16,
    /// [`CREATE`], [`EXCL`], [`REPLACE`], [`APPEND`].
    pub flags: u16,
    /// The family's header and attributes.
    pub body: Vec<u8>,
}

impl Request {
    /// A request of this type whose body starts with the family's header.
    #[must_use]
    pub fn new(kind: u16, flags: u16, header: &[u8]) -> Self {
        Request { kind, flags, body: header.to_vec() }
    }

    fn emit(&self, flags: u16, seq: u32, out: &mut Vec<u8>) {
        let len = u32::try_from(HEADER + self.body.len()).expect("a request is small");
        out.extend(len.to_ne_bytes());
        out.extend(self.kind.to_ne_bytes());
        out.extend((self.flags | flags | F_REQUEST).to_ne_bytes());
        out.extend(seq.to_ne_bytes());
        out.extend(0u32.to_ne_bytes());
        out.extend(&self.body);
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// One message of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`: whose answer this is; 0 for an event.
    pub seq: u32,
    /// The family's header and attributes.
    pub body: &'a [u8],
}

/// The messages of a dump, in the kernel's order.
#[derive(Clone, Debug, Default)]
pub struct Dump(Vec<u8>);

impl Dump {
    /// The messages one by one.
    pub fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        messages(&self.0)
    }
}

/// A netlink socket of one namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    seq: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a socket of `protocol` in the network namespace of this thread.
    ///
    /// # Errors
    /// Where the kernel has no such protocol.
    pub fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Netlink { socket, seq: 0, buffer: vec![0; BUFFER] })
    }

    /// Enlarges the receive buffer, as far as one may: events come faster than a reader that shares two cores.
    ///
    /// # Errors
    /// None in practice: more than `rmem_max` is only given to root, then `rmem_max` is what one gets.
    pub fn enlarge(&self) -> io::Result<()> {
        if setsockopt(&self.socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&self.socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        Ok(())
    }

    /// Joins a multicast group: its events come with [`Netlink::events`].
    ///
    /// # Errors
    /// Where the group needs a privilege that is missing.
    pub fn join(&self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }

    /// Carries a request out and waits for its acknowledgement.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn ack(&mut self, request: &Request) -> Result<(), NlError> {
        self.exchange(request, F_ACK).map(drop)
    }

    /// Carries requests of a subsystem of nfnetlink out as one transaction: all of them or none (`nfnetlink_rcv_batch`).
    ///
    /// # Errors
    /// What the kernel answered first.
    pub fn transaction(&mut self, subsystem: u16, requests: &[Request]) -> Result<(), NlError> {
        // `struct nfgenmsg`: no family, version 0, and the subsystem in network order.
        let [high, low] = subsystem.to_be_bytes();
        let mark = |kind| Request::new(kind, 0, &[0, 0, high, low]);
        let first = self.seq + 1;
        let mut out = Vec::with_capacity(256 * requests.len());
        mark(BATCH_BEGIN).emit(0, first, &mut out);
        for (r, seq) in requests.iter().zip(first + 1..) {
            r.emit(F_ACK, seq, &mut out);
        }
        let last = first + 1 + u32::try_from(requests.len()).expect("a transaction is small");
        mark(BATCH_END).emit(0, last, &mut out);
        self.seq = last;
        self.socket.send(&out, 0)?;
        let mut waiting = requests.len();
        let mut failed = None;
        while waiting > 0 {
            let len = self.receive()?;
            for m in messages(&self.buffer[..len]).filter(|m| m.seq >= first && m.kind == MSG_ERROR) {
                waiting = waiting.saturating_sub(1);
                if let Some(e) = NlError::of(&m, TLVS_OF_ERROR) {
                    failed.get_or_insert(e);
                }
                // What cannot start or be committed is said once, in the name of its mark.
                if m.seq == first {
                    waiting = 0;
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Asks for one object and returns its message.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn get(&mut self, request: &Request) -> Result<Dump, NlError> {
        self.exchange(request, F_ACK)
    }

    /// Asks for all objects of a kind. A dump that something changed underneath is asked for again.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn dump(&mut self, request: &Request) -> Result<Dump, NlError> {
        for _ in 0..RETRIES {
            match self.exchange(request, F_DUMP) {
                Err(e) if e.errno == Errno::EINTR => {}
                done => return done,
            }
        }
        Err(NlError::new(Errno::EINTR, "the state changed faster than it can be read"))
    }

    /// Sends a request and gathers what answers it, up to its acknowledgement or the end of the dump.
    fn exchange(&mut self, request: &Request, flags: u16) -> Result<Dump, NlError> {
        self.seq += 1;
        let seq = self.seq;
        let mut out = Vec::with_capacity(HEADER + request.body.len());
        request.emit(flags, seq, &mut out);
        self.socket.send(&out, 0)?;
        let mut all = Vec::new();
        let mut interrupted = false;
        loop {
            let len = self.receive()?;
            let mut ours = false;
            for m in messages(&self.buffer[..len]).filter(|m| m.seq == seq) {
                ours = true;
                interrupted |= m.flags & F_DUMP_INTR != 0;
                if matches!(m.kind, MSG_ERROR | MSG_DONE) {
                    let tlvs = if m.kind == MSG_DONE { TLVS_OF_DONE } else { TLVS_OF_ERROR };
                    if let Some(e) = NlError::of(&m, tlvs) {
                        return Err(e);
                    }
                    if interrupted {
                        return Err(NlError::new(Errno::EINTR, ""));
                    }
                    all.extend_from_slice(&self.buffer[..len]);
                    return Ok(Dump(all));
                }
            }
            if ours {
                all.extend_from_slice(&self.buffer[..len]);
            }
        }
    }

    /// Reads the events that are there and hands each to `each`; never waits. Returns whether the kernel had to drop some
    /// since the last call (ENOBUFS).
    ///
    /// # Errors
    /// Where the socket cannot be read.
    pub fn events(&mut self, mut each: impl FnMut(Message<'_>)) -> io::Result<bool> {
        let mut lost = false;
        loop {
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(len) => messages(&self.buffer[..len]).for_each(&mut each),
                Err(Errno::EAGAIN) => return Ok(lost),
                Err(Errno::ENOBUFS) => lost = true,
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Waits for a datagram.
    fn receive(&mut self) -> Result<usize, NlError> {
        loop {
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_TRUNC) {
                Ok(len) if len > self.buffer.len() => self.buffer.resize(len, 0),
                Ok(len) => return Ok(len),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(NlError::new(e, "")),
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The messages of a buffer of datagrams; a broken length ends it.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let (header, _) = rest.split_at_checked(HEADER)?;
        let len = attr::u32_at(header, 0) as usize;
        let body = rest.get(HEADER..len)?;
        let m = Message {
            kind: attr::u16_at(header, 4),
            flags: attr::u16_at(header, 6),
            seq: attr::u32_at(header, 8),
            body,
        };
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(m)
    })
}

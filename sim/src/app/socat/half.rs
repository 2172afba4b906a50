//! One side of socat's, open: what it has to read, and what becomes of what is written to it.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use bytes::Bytes;

use crate::app::Cx;
use crate::kernel::socket::Rcv;
use crate::kernel::tcp::TcpRead;
use crate::kernel::types::{Errno, SockId};
use crate::trace::{Outcome, Recorder};

/// An open address.
#[derive(Clone, Debug)]
pub(super) enum Half {
    /// Standard input and output.
    Stdio { inbox: VecDeque<Bytes> },
    /// What is written comes back.
    Pipe { inbox: VecDeque<Bytes>, eof: bool },
    /// A command, with what it is going to write.
    Run { output: Option<Bytes>, inbox: VecDeque<Bytes>, eof: bool },
    /// A connection.
    Tcp { sock: SockId, up: bool },
    /// Datagrams; `to` where the socket is not connected, `eof` where there was one and no more.
    Udp { sock: SockId, to: Option<(Ipv4Addr, u16)>, inbox: VecDeque<Bytes>, eof: bool },
}

/// What came of reading one side and writing the other.
pub(super) struct Pumped {
    /// Something was read.
    pub some: bool,
    /// There is no more to read.
    pub end: bool,
}

impl Half {
    /// An accepted connection.
    pub fn connected(sock: SockId) -> Half {
        Half::Tcp { sock, up: true }
    }

    /// Its socket.
    pub fn sock(&self) -> Option<SockId> {
        match self {
            Half::Tcp { sock, .. } | Half::Udp { sock, .. } => Some(*sock),
            _ => None,
        }
    }

    /// A datagram that somebody else read for it.
    pub fn take(&mut self, d: Bytes) {
        if let Half::Udp { inbox, .. } = self {
            inbox.push_back(d);
        }
    }

    /// Its command has written, or is over.
    pub fn ran(&mut self, over: bool) {
        if let Half::Run { output, inbox, eof } = self {
            inbox.extend(output.take().filter(|o| !o.is_empty()));
            *eof |= over;
        }
    }

    /// Is it connected?
    pub fn is_up<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<bool, Errno> {
        let Half::Tcp { sock, up } = self else { return Ok(true) };
        if !*up {
            if let Some(e) = cx.k.tcp_so_error(*sock) {
                return Err(e);
            }
            *up = cx.k.tcp_is_connected(*sock);
            if *up {
                cx.app.report.connected = Some(true);
            }
        }
        Ok(*up)
    }

    /// Reads all there is and writes it to the other side, which learns of the end too.
    pub fn pump<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, to: &mut Half) -> Result<Pumped, Errno> {
        let mut some = false;
        let end = loop {
            match self.read(cx)? {
                TcpRead::Data(d) => {
                    some = true;
                    to.write(cx, d);
                }
                TcpRead::Eof => break true,
                TcpRead::Empty => break false,
            }
        };
        if end {
            to.shutdown(cx);
        }
        Ok(Pumped { some, end })
    }

    fn read<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<TcpRead, Errno> {
        let next = |inbox: &mut VecDeque<Bytes>, eof: bool| match inbox.pop_front() {
            Some(d) => TcpRead::Data(d),
            None if eof => TcpRead::Eof,
            None => TcpRead::Empty,
        };
        Ok(match self {
            Half::Stdio { inbox } => next(inbox, true),
            Half::Pipe { inbox, eof } | Half::Run { inbox, eof, .. } => next(inbox, *eof),
            Half::Tcp { sock, .. } => cx.k.tcp_recv(*sock)?,
            Half::Udp { inbox, eof, .. } if *eof || !inbox.is_empty() => next(inbox, *eof),
            Half::Udp { sock, .. } => {
                if let Some(e) = cx.k.sock_take_err(*sock) {
                    return Err(e);
                }
                match cx.k.sock_recv(*sock) {
                    Some(Rcv::Udp { payload, .. }) => TcpRead::Data(payload),
                    _ => TcpRead::Empty,
                }
            }
        })
    }

    fn write<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, d: Bytes) {
        match self {
            Half::Stdio { .. } => {
                cx.app.out.push_str(&String::from_utf8_lossy(&d));
                cx.app.report.outcome = Some(Outcome::Reply);
            }
            Half::Pipe { inbox, .. } => inbox.push_back(d),
            // Nobody reads it: the command is one that does not.
            Half::Run { .. } => {}
            // A connection that is gone, and an error of the network, show at the next read.
            Half::Tcp { sock, .. } => drop(cx.k.tcp_send(*sock, d)),
            Half::Udp { sock, to, .. } => drop(cx.k.udp_sendto(*sock, *to, d)),
        }
    }

    fn shutdown<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        match self {
            Half::Pipe { eof, .. } => *eof = true,
            Half::Tcp { sock, .. } => cx.k.tcp_shutdown(*sock),
            Half::Stdio { .. } | Half::Run { .. } | Half::Udp { .. } => {}
        }
    }
}

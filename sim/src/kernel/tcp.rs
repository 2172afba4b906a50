//! TCP (net/ipv4/tcp*.c): enough to be the same on the wire as Linux for connect, request, answer and
//! close, with loss and its recovery, resets and path MTU. Congestion control is slow start.

mod ack;
mod input;
mod ofo;
mod output;
mod recovery;
mod rtt;
mod rtx;
mod state;
mod timer;

pub use state::{Listener, Tcb, TcpState};

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::Kernel;
use super::mib::MibItem as M;
use super::route::OutputKey;
use super::socket::SockKind;
use super::types::{Errno, SockId};
use crate::trace::{EventKind, Recorder};

/// What a read finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpRead {
    /// Data.
    Data(Bytes),
    /// The peer sends no more.
    Eof,
    /// Nothing yet.
    Empty,
}

impl<R: Recorder> Kernel<R> {
    /// `connect(2)` without waiting: the SYN is on its way.
    ///
    /// # Errors
    /// No route, no port, or the destination is a group (ENETUNREACH).
    pub fn tcp_connect(&mut self, id: SockId, dst: Ipv4Addr, port: u16) -> Result<(), Errno> {
        let s = self.sock(id);
        let (ns, opts) = (s.ns, s.opts);
        let key = OutputKey {
            src: s.local,
            oif: s.dev,
            mark: opts.mark,
            tos: opts.tos & 0x1e,
            ports: (s.lport, port),
            ..OutputKey::to(dst, 6)
        };
        let rt = match self.ip_route_connect(ns, key) {
            Ok(rt) => rt,
            Err(e) => {
                if e == Errno::ENETUNREACH {
                    self.ns_mut(ns).mib.inc(M::IpOutNoRoutes);
                }
                return Err(e);
            }
        };
        use super::fib::RouteType;
        if matches!(rt.kind, RouteType::Broadcast | RouteType::Multicast) {
            return Err(Errno::ENETUNREACH);
        }
        let dst = if dst.is_unspecified() { rt.src } else { dst };
        let src = rt.src;
        let rt = if self.sock(id).lport == 0 {
            let p = self.pick_port(id, src)?;
            self.take_port(id, src, p);
            self.ip_route_newports(ns, rt, OutputKey { src, dst, ports: (p, port), ..key })?
        } else {
            rt
        };
        let s = self.sock_mut(id);
        s.local = src;
        s.remote = dst;
        s.rport = port;
        let quad = s.quad();
        let t = &mut self.ns_mut(ns).socks.tcp_established;
        if t.contains_key(&quad) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        t.insert(quad, id);
        self.ns_mut(ns).mib.inc(M::TcpActiveOpens);
        let iss = self.rng.next_u64() as u32;
        let mss = self.tcp_mss(&rt);
        let t = self.sock_mut(id).tcb_mut();
        t.open(iss, mss);
        self.tcp_set_state(id, TcpState::SynSent);
        // `inet_stream_connect` has the socket until the SYN, and all that it sets off, is through: virtual devices hand
        // a packet on in the context of whoever sent the one before (`netif_rx`, `do_softirq`). Measured with a firewall
        // that answers our ACK with a reset, of which `connect` tells, and with two errors about one SYN.
        self.sock_mut(id).tcb_mut().backlog = Some(Vec::new());
        self.tcp_send_syn(id);
        self.tcp_arm(id, super::types::SEC);
        self.do_softirq();
        self.release_sock(id);
        Ok(())
    }

    /// `listen(2)`.
    ///
    /// # Errors
    /// EADDRINUSE where another listens on the port.
    pub fn tcp_listen(&mut self, id: SockId, backlog: u32) -> Result<(), Errno> {
        let s = self.sock(id);
        let (ns, local) = (s.ns, s.local);
        if s.lport == 0 {
            let p = self.pick_port(id, local)?;
            self.take_port(id, local, p);
        }
        let port = self.sock(id).lport;
        if self.port_conflict(id, local, port) {
            return Err(Errno::EADDRINUSE);
        }
        self.sock_mut(id).kind = SockKind::Listen(Box::new(Listener { backlog, queue: Default::default() }));
        self.ns_mut(ns).socks.tcp_listen.entry(port).or_default().push(id);
        Ok(())
    }

    /// `accept(2)`: the oldest connection that is ready.
    pub fn tcp_accept(&mut self, id: SockId) -> Option<SockId> {
        match &mut self.sock_mut(id).kind {
            SockKind::Listen(l) => l.queue.pop_front(),
            _ => None,
        }
    }

    /// Is the handshake done?
    pub fn tcp_is_connected(&self, id: SockId) -> bool {
        !matches!(self.sock(id).tcb().state, TcpState::Closed | TcpState::SynSent | TcpState::SynRecv)
    }

    /// `SO_ERROR`: a pending error, or one that does not end the connection (`sk_err_soft`).
    pub fn tcp_so_error(&mut self, id: SockId) -> Option<Errno> {
        self.sock_take_err(id).or_else(|| self.sock_mut(id).tcb_mut().soft.take())
    }

    /// `send(2)`.
    ///
    /// # Errors
    /// EPIPE after a close, the pending error after a reset.
    pub fn tcp_send(&mut self, id: SockId, data: Bytes) -> Result<(), Errno> {
        if let Some(e) = self.sock_take_err(id) {
            return Err(e);
        }
        let t = self.sock_mut(id).tcb_mut();
        if !matches!(t.state, TcpState::Established | TcpState::CloseWait) || t.fin_queued {
            return Err(Errno::EPIPE);
        }
        t.push(data);
        t.paced = false;
        t.backlog = Some(Vec::new());
        self.tcp_push(id);
        self.release_sock(id);
        // What is left goes with the acknowledgments and the pacing timer, before the process gets to close.
        while self.sock(id).tcb().has_more() {
            self.do_softirq();
            if !self.sock(id).tcb().paced {
                break;
            }
            self.tcp_pace_kick(id);
        }
        Ok(())
    }

    /// `release_sock`: what came meanwhile gets its turn, with what that sets off, then what was put off
    /// (`tcp_release_cb`).
    fn release_sock(&mut self, id: SockId) {
        while let Some(came) = self.sock_mut(id).tcb_mut().backlog.as_mut().map(std::mem::take) {
            if came.is_empty() {
                break;
            }
            for (rx, p) in came {
                self.tcp_v4_do_rcv(rx, id, p);
                self.do_softirq();
            }
        }
        let t = self.sock_mut(id).tcb_mut();
        t.backlog = None;
        if let Some(mtu) = t.mtu_reduced.take() {
            self.tcp_mtu_reduced(id, mtu, None);
        }
    }

    /// `recv(2)` without waiting.
    ///
    /// # Errors
    /// The pending error.
    pub fn tcp_recv(&mut self, id: SockId) -> Result<TcpRead, Errno> {
        if let Some(e) = self.sock_take_err(id) {
            return Err(e);
        }
        let t = self.sock_mut(id).tcb_mut();
        if !t.recv.is_empty() {
            return Ok(TcpRead::Data(t.recv.split().freeze()));
        }
        if t.peer_closed || t.state == TcpState::Closed {
            return Ok(TcpRead::Eof);
        }
        Ok(TcpRead::Empty)
    }

    /// `shutdown(SHUT_WR)`.
    pub fn tcp_shutdown(&mut self, id: SockId) {
        let t = self.sock_mut(id).tcb_mut();
        if t.fin_queued {
            return;
        }
        t.paced = false;
        match t.state {
            TcpState::Established | TcpState::SynRecv => {
                t.fin_queued = true;
                self.tcp_set_state(id, TcpState::FinWait1);
            }
            TcpState::CloseWait => {
                t.fin_queued = true;
                self.tcp_set_state(id, TcpState::LastAck);
            }
            _ => return,
        }
        self.sock_mut(id).tcb_mut().backlog = Some(Vec::new());
        self.tcp_push(id);
        self.release_sock(id);
    }

    /// `tcp_close`: unread data resets the connection, else it ends in good order.
    pub(crate) fn tcp_close(&mut self, id: SockId) {
        let ns = self.sock(id).ns;
        let t = self.sock(id).tcb();
        match t.state {
            TcpState::Closed => self.sock_forget(id),
            TcpState::SynSent => self.tcp_done(id),
            _ if !t.recv.is_empty() => {
                self.ns_mut(ns).mib.inc(M::TcpExtTCPAbortOnClose);
                self.tcp_send_active_reset(id);
                self.tcp_done(id);
            }
            _ => self.tcp_shutdown(id),
        }
    }

    /// `inet_csk_listen_stop`: connections that nobody accepted are reset.
    pub(crate) fn tcp_stop_listening(&mut self, id: SockId) {
        if let SockKind::Listen(l) = &mut self.sock_mut(id).kind {
            for child in std::mem::take(&mut l.queue) {
                self.tcp_send_active_reset(child);
                self.tcp_done(child);
            }
        }
        self.sock_forget(id);
    }

    /// `tcp_set_state`.
    pub(crate) fn tcp_set_state(&mut self, id: SockId, new: TcpState) {
        let (ns, now) = (self.sock(id).ns, self.queue.now);
        let t = self.sock_mut(id).tcb_mut();
        let old = std::mem::replace(&mut t.state, new);
        if R::ON && old != new {
            let kind = EventKind::TcpState { sock: id, old: old.name(), new: new.name() };
            self.rec.event(now, ns, None, None, kind);
        }
    }

    /// `tcp_done`: the connection is over.
    pub(crate) fn tcp_done(&mut self, id: SockId) {
        self.tcp_set_state(id, TcpState::Closed);
        let s = self.sock_mut(id);
        s.tcb_mut().timer_gen += 1;
        let (ns, quad, open) = (s.ns, s.quad(), s.open);
        if !open {
            self.tcp_purge(id);
        }
        let t = &mut self.ns_mut(ns).socks;
        if t.tcp_established.get(&quad) == Some(&id) {
            t.tcp_established.swap_remove(&quad);
        }
        if open {
            self.wake(id);
        } else {
            self.sock_forget(id);
        }
    }

    /// The connection ends with an error that the application reads.
    pub(crate) fn tcp_fail(&mut self, id: SockId, e: Errno) {
        self.sock_mut(id).err = Some(e);
        self.tcp_done(id);
    }
}

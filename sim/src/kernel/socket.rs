//! Sockets: what applications hold (net/ipv4/af_inet.c, inet_hashtables.c, raw.c, net/packet/af_packet.c).

mod bind;
pub mod raw;
mod types;

pub use types::*;

use std::net::Ipv4Addr;

use super::Kernel;
use super::types::{DevId, Errno, NetnsId, Pid, SockId};
use crate::trace::Recorder;

impl<R: Recorder> Kernel<R> {
    /// A socket.
    #[inline]
    pub fn sock(&self, id: SockId) -> &Sock {
        &self.socks[id.ix()]
    }

    /// A socket, to be changed.
    #[inline]
    pub fn sock_mut(&mut self, id: SockId) -> &mut Sock {
        &mut self.socks[id.ix()]
    }

    /// `socket(2)`.
    pub fn sock_new(&mut self, ns: NetnsId, kind: SockKind, process: Option<(Pid, &str)>) -> SockId {
        let id = SockId(self.socks.len() as u32);
        let ip_id = (self.rng.next_u64() & 0x7fff) as u16;
        let n = self.ns_mut(ns);
        n.socks.all.push(id);
        match kind {
            SockKind::Raw { .. } => n.socks.raw.push(id),
            SockKind::Packet { .. } => n.socks.packet.push(id),
            _ => {}
        }
        self.socks.push(Sock {
            id,
            ns,
            open: true,
            kind,
            local: Ipv4Addr::UNSPECIFIED,
            group_bound: false,
            lport: 0,
            remote: Ipv4Addr::UNSPECIFIED,
            rport: 0,
            dev: None,
            opts: SockOpts::default(),
            err: None,
            errq: Default::default(),
            rx: Default::default(),
            process: process.map(|(p, n)| (p, n.to_owned())),
            encap: false,
            ip_id,
        });
        id
    }

    /// `SO_BINDTODEVICE`.
    ///
    /// # Errors
    /// ENODEV where there is no such device.
    pub fn sock_bind_dev(&mut self, id: SockId, name: &str) -> Result<(), Errno> {
        let dev = self.dev_by_name(self.sock(id).ns, name).ok_or(Errno::ENODEV)?;
        self.sock_mut(id).dev = Some(dev);
        Ok(())
    }

    /// `close(2)`. A connection is closed in good order; what was not read resets it.
    pub fn sock_close(&mut self, id: SockId) {
        if !self.sock(id).open {
            return;
        }
        self.sock_mut(id).open = false;
        match self.sock(id).kind {
            SockKind::Tcp(_) => self.tcp_close(id),
            SockKind::Listen(_) => self.tcp_stop_listening(id),
            _ => self.sock_forget(id),
        }
    }

    /// The socket is no longer found by anything.
    pub(crate) fn sock_forget(&mut self, id: SockId) {
        let s = &self.socks[id.ix()];
        let (ns, lport, quad) = (s.ns, s.lport, s.quad());
        let t = &mut self.netns[ns.ix()].socks;
        t.all.retain(|x| *x != id);
        t.raw.retain(|x| *x != id);
        t.packet.retain(|x| *x != id);
        for by_port in [&mut t.udp, &mut t.tcp_bound, &mut t.tcp_listen] {
            if let Some(l) = by_port.get_mut(&lport) {
                l.retain(|x| *x != id);
                if l.is_empty() {
                    by_port.swap_remove(&lport);
                }
            }
        }
        if t.tcp_established.get(&quad) == Some(&id) {
            t.tcp_established.swap_remove(&quad);
        }
        let s = &mut self.socks[id.ix()];
        s.open = false;
        s.rx.clear();
    }

    /// Tells the application that something happened.
    pub(crate) fn wake(&mut self, sock: SockId) {
        self.wakeups.push_back(Wakeup { sock });
    }

    /// Takes what was received, oldest first.
    pub fn sock_recv(&mut self, id: SockId) -> Option<Rcv> {
        self.sock_mut(id).rx.pop_front()
    }

    /// Takes and clears `SO_ERROR`.
    pub fn sock_take_err(&mut self, id: SockId) -> Option<Errno> {
        self.sock_mut(id).err.take()
    }

    /// Takes the oldest entry of the error queue (`MSG_ERRQUEUE`).
    pub fn sock_errq(&mut self, id: SockId) -> Option<SockErr> {
        self.sock_mut(id).errq.pop_front()
    }

    /// The sockets of a namespace as `ss` lists them, in the order they were made.
    pub fn sockets(&self, ns: NetnsId) -> Vec<SocketInfo> {
        let ids = &self.ns(ns).socks.all;
        ids.iter().map(|i| self.sock(*i)).filter_map(|s| self.socket_info(s)).collect()
    }

    fn socket_info(&self, s: &Sock) -> Option<SocketInfo> {
        let (proto, state, recvq, sendq) = match &s.kind {
            SockKind::Udp => ("udp", if s.rport == 0 { "UNCONN" } else { "ESTAB" }, s.rx.len() as u32, 0),
            SockKind::Raw { .. } => ("raw", "UNCONN", 0, 0),
            SockKind::Packet { .. } => return None,
            SockKind::Listen(l) => ("tcp", "LISTEN", l.queue.len() as u32, l.backlog),
            SockKind::Tcp(t) => ("tcp", t.state.ss_name(), t.recv.len() as u32, t.send.len() as u32),
        };
        let lport = if let SockKind::Raw { proto } = s.kind { u16::from(proto) } else { s.lport };
        Some(SocketInfo {
            proto,
            state,
            local: s.local,
            lport,
            remote: s.remote,
            rport: s.rport,
            dual: s.opts.dual,
            dev: s.dev.map(|d| self.dev(d).name),
            recvq,
            sendq,
            process: s.process.clone().map(|(p, n)| (n, p)),
        })
    }

    /// Sockets of a device that is gone lose it.
    pub(crate) fn dev_still_there(&self, dev: Option<DevId>) -> bool {
        dev.is_none_or(|d| self.dev(d).alive)
    }
}

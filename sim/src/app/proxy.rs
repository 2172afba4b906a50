//! `docker-proxy` (cmd/docker-proxy): listens on a port of the host, connects to the container and relays both ways.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::{Cx, Wake};
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::tcp::TcpRead;
use crate::kernel::types::{Errno, MSEC, Nanos, SockId};
use crate::trace::Recorder;

/// A client and its connection to the container.
#[derive(Clone, Debug)]
struct Pair {
    client: SockId,
    server: SockId,
    up: bool,
    /// What the client sent before the container's side was there.
    held: Vec<Bytes>,
    client_done: bool,
    server_done: bool,
    /// When something was read last.
    read_at: Nanos,
}

/// A sender of datagrams and the socket that speaks to the container for it.
#[derive(Clone, Debug)]
struct Flow {
    peer: (Ipv4Addr, u16),
    server: SockId,
}

/// The program.
#[derive(Clone, Debug)]
pub struct Proxy {
    udp: bool,
    host: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    /// The engine answers UDP from the address that was asked (28).
    answers_from_asked: bool,
    asked: Option<Ipv4Addr>,
    listener: Option<SockId>,
    /// Clients for whom nobody has connected yet.
    accepted: Vec<SockId>,
    pairs: Vec<Pair>,
    flows: Vec<Flow>,
    /// Why it could not begin.
    pub failed: Option<Errno>,
}

impl Proxy {
    /// Relays from a port of the host to one of a container.
    pub fn new(udp: bool, host: (Ipv4Addr, u16), to: (Ipv4Addr, u16), answers_from_asked: bool) -> Proxy {
        Proxy {
            udp,
            host,
            to,
            answers_from_asked,
            asked: None,
            listener: None,
            accepted: Vec::new(),
            pairs: Vec::new(),
            flows: Vec::new(),
            failed: None,
        }
    }

    /// UDP or not, where it listens, whom it relays to (port 0 for nobody: it only keeps its port), and whether it
    /// answers UDP from the address that was asked.
    pub fn relays(&self) -> (bool, (Ipv4Addr, u16), (Ipv4Addr, u16), bool) {
        (self.udp, self.host, self.to, self.answers_from_asked)
    }

    /// Called by the kernel's wakeups.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => {
                if let Err(e) = self.open(cx) {
                    self.failed = Some(e);
                    cx.exit(1);
                }
            }
            // It only keeps the port.
            Wake::Sock(s) if Some(s) == self.listener && self.to.1 == 0 => {}
            Wake::Sock(s) if Some(s) == self.listener => {
                if self.udp {
                    self.datagrams(cx, s);
                } else {
                    self.accept(cx, s);
                }
            }
            Wake::Sock(s) if self.udp => self.answers(cx, s),
            Wake::Sock(s) => self.relay(cx, s),
            Wake::Timer(t) if self.accepted.contains(&SockId(t)) => self.dial(cx, SockId(t)),
            Wake::Timer(t) => self.relay(cx, SockId(t)),
        }
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        let s = cx.socket(if self.udp { SockKind::Udp } else { SockKind::Tcp(Box::default()) });
        cx.k.sock_mut(s).opts.reuseaddr = !self.udp;
        cx.k.sock_bind(s, self.host.0, self.host.1)?;
        if !self.udp {
            // 28 keeps a port with a queue for nobody.
            let backlog = if self.to.1 == 0 && self.answers_from_asked { 0 } else { 4096 };
            cx.k.tcp_listen(s, backlog)?;
        }
        self.listener = Some(s);
        Ok(())
    }

    fn accept<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        while let Some(client) = cx.k.tcp_accept(s) {
            cx.adopt(client);
            self.accepted.push(client);
            cx.timer(BEFORE_DIAL, client.0);
        }
    }

    /// Connects to the container for a client.
    fn dial<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, client: SockId) {
        if let Some(i) = self.accepted.iter().position(|c| *c == client) {
            self.accepted.remove(i);
            let server = cx.socket(SockKind::Tcp(Box::default()));
            if cx.k.tcp_connect(server, self.to.0, self.to.1).is_err() {
                cx.close(server);
                return cx.close(client);
            }
            self.pairs.push(Pair {
                client,
                server,
                up: false,
                held: Vec::new(),
                client_done: false,
                server_done: false,
                read_at: 0,
            });
            self.relay(cx, client);
        }
    }

    fn relay<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        let Some(i) = self.pairs.iter().position(|p| p.client == s || p.server == s) else { return };
        let p = &mut self.pairs[i];
        if !p.up && p.server == s {
            if cx.k.tcp_so_error(s).is_some() {
                return self.drop_pair(cx, i);
            }
            p.up = cx.k.tcp_is_connected(s);
            if !p.up {
                return;
            }
            for d in std::mem::take(&mut p.held) {
                // A refusal shows at the next read.
                let _ = cx.k.tcp_send(p.server, d);
            }
        }
        if !p.up {
            return;
        }
        let ok = pump(cx, p.client, p.server, &mut p.client_done, &mut p.read_at)
            && pump(cx, p.server, p.client, &mut p.server_done, &mut p.read_at);
        if !ok || (p.client_done && p.server_done) {
            self.drop_pair(cx, i);
        }
    }

    fn drop_pair<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, i: usize) {
        let p = self.pairs.remove(i);
        cx.close(p.client);
        cx.close(p.server);
    }

    fn datagrams<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        while let Some(Rcv::Udp { from, to, payload, .. }) = cx.k.sock_recv(s) {
            self.asked = Some(to);
            let server = match self.flows.iter().find(|f| f.peer == from) {
                Some(f) => f.server,
                None => {
                    let c = cx.socket(SockKind::Udp);
                    if cx.k.udp_connect(c, self.to.0, self.to.1).is_err() {
                        cx.close(c);
                        continue;
                    }
                    self.flows.push(Flow { peer: from, server: c });
                    c
                }
            };
            // What cannot be sent is lost.
            let _ = cx.k.udp_sendto(server, None, payload);
        }
    }

    fn answers<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        let Some(f) = self.flows.iter().find(|f| f.server == s).cloned() else { return };
        let Some(listener) = self.listener else { return };
        // An ICMP error of the container's side is read and forgotten.
        let _ = cx.k.sock_take_err(s);
        while let Some(Rcv::Udp { payload, .. }) = cx.k.sock_recv(s) {
            let local = cx.k.sock(listener).local;
            if let Some(a) = self.asked.filter(|_| self.answers_from_asked) {
                // IP_PKTINFO with the address that was asked.
                cx.k.sock_mut(listener).local = a;
            }
            // What cannot be sent is lost.
            let _ = cx.k.udp_sendto(listener, Some(f.peer), payload);
            cx.k.sock_mut(listener).local = local;
        }
    }
}

/// What passes between a client's connection and the proxy's own: a goroutine begins.
const BEFORE_DIAL: Nanos = MSEC / 2;

/// What passes between two reads.
const BETWEEN_READS: Nanos = MSEC / 25;

/// Moves what there is to read; false once the connection is broken.
fn pump<R: Recorder>(cx: &mut Cx<'_, R>, from: SockId, to: SockId, done: &mut bool, read_at: &mut Nanos) -> bool {
    let now = cx.k.now();
    while !*done {
        match cx.k.tcp_recv(from) {
            Ok(TcpRead::Data(d)) => {
                *read_at = now;
                if cx.k.tcp_send(to, d).is_err() {
                    return false;
                }
            }
            Ok(TcpRead::Eof) if *read_at > 0 && now < *read_at + BETWEEN_READS => {
                cx.timer(BETWEEN_READS, from.0);
                return true;
            }
            Ok(TcpRead::Eof) => {
                *done = true;
                cx.k.tcp_shutdown(to);
            }
            Ok(TcpRead::Empty) => return true,
            Err(_) => return false,
        }
    }
    true
}

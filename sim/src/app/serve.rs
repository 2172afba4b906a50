//! A server that answers with the address it saw: `serve tcp|udp PORT`, and what a host's `serve:` starts.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::{Cx, Wake};
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::tcp::TcpRead;
use crate::kernel::types::{Errno, MSEC, Nanos, SockId};
use crate::trace::Recorder;

/// A connection being served.
#[derive(Clone, Debug)]
struct Client {
    sock: SockId,
    answered: bool,
    /// Bytes of a second write that is still to come.
    more: usize,
    /// Its own end was said.
    shut: bool,
    /// The client's end was read.
    left: bool,
}

/// The program.
#[derive(Clone, Debug)]
pub struct Serve {
    ports: Vec<(bool, u16)>,
    addr: Ipv4Addr,
    listeners: Vec<SockId>,
    clients: Vec<Client>,
    /// Why it could not begin: the port.
    pub failed: Option<(u16, Errno)>,
}

impl Serve {
    /// Listens on each port; `true` for UDP.
    pub fn new(ports: Vec<(bool, u16)>) -> Serve {
        Serve::on(Ipv4Addr::UNSPECIFIED, ports)
    }

    /// Listens on each port of one address.
    pub fn on(addr: Ipv4Addr, ports: Vec<(bool, u16)>) -> Serve {
        Serve { ports, addr, listeners: Vec::new(), clients: Vec::new(), failed: None }
    }

    /// Its address and its ports; `true` for UDP.
    pub fn listens(&self) -> (Ipv4Addr, &[(bool, u16)]) {
        (self.addr, &self.ports)
    }

    /// Called by the kernel's wakeups.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => {
                for (udp, port) in self.ports.clone() {
                    if let Err(e) = self.open(cx, udp, port) {
                        self.failed = Some((port, e));
                        let line = format!(
                            "[emerg] bind() to {}:{port} failed ({}: {})\n",
                            self.addr,
                            e.number(),
                            e.strerror()
                        );
                        cx.app.err.push_str(&line);
                        return cx.exit(1);
                    }
                }
            }
            Wake::Sock(s) if self.listeners.contains(&s) => self.listener(cx, s),
            Wake::Sock(s) => self.client(cx, s),
            Wake::Timer(t) => self.bulk(cx, SockId(t)),
        }
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, udp: bool, port: u16) -> Result<(), Errno> {
        let s = cx.socket(if udp { SockKind::Udp } else { SockKind::Tcp(Box::default()) });
        cx.k.sock_mut(s).opts.reuseaddr = true;
        cx.k.sock_bind(s, self.addr, port)?;
        if !udp {
            cx.k.tcp_listen(s, 16)?;
        }
        self.listeners.push(s);
        Ok(())
    }

    fn listener<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        if let SockKind::Udp = cx.k.sock(s).kind {
            while let Some(Rcv::Udp { from, to, .. }) = cx.k.sock_recv(s) {
                let line = line(cx, "udp", from, (to, cx.k.sock(s).lport));
                // The kernel picks the source address, as with most UDP servers. An answer that cannot be sent is lost.
                let _ = cx.k.udp_sendto(s, Some(from), line.into());
            }
            return;
        }
        while let Some(c) = cx.k.tcp_accept(s) {
            cx.adopt(c);
            self.clients.push(Client { sock: c, answered: false, more: 0, shut: false, left: false });
            self.client(cx, c);
        }
    }

    fn client<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        let Some(i) = self.clients.iter().position(|c| c.sock == s) else { return };
        loop {
            match cx.k.tcp_recv(s) {
                Ok(TcpRead::Data(d)) if !self.clients[i].answered => {
                    self.clients[i].answered = true;
                    match answer(cx, s, &d) {
                        Ok(0) => cx.timer(BEFORE_CLOSE, s.0),
                        Ok(more) => {
                            self.clients[i].more = more;
                            cx.timer(BETWEEN_WRITES, s.0);
                        }
                        Err(_) => break,
                    }
                }
                Ok(TcpRead::Data(_)) => {}
                Ok(TcpRead::Empty) => return,
                // It reads to the end only when it has said its own.
                Ok(TcpRead::Eof) if self.clients[i].answered && !self.clients[i].shut => {
                    self.clients[i].left = true;
                    return;
                }
                Ok(TcpRead::Eof) | Err(_) => break,
            }
        }
        self.clients.remove(i);
        cx.close(s);
    }

    /// The second write of an answer, or the end.
    fn bulk<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        let Some(i) = self.clients.iter().position(|c| c.sock == s) else { return };
        let c = &mut self.clients[i];
        let more = std::mem::take(&mut c.more);
        if more == 0 {
            c.shut = true;
            cx.k.tcp_shutdown(s);
            if self.clients[i].left {
                self.clients.remove(i);
                cx.close(s);
            }
            return;
        }
        // A client that is gone meanwhile reads nothing.
        let _ = cx.k.tcp_send(s, Bytes::from(vec![b'z'; more]));
        cx.timer(BETWEEN_WRITES, s.0);
    }
}

/// What passes in a program between two writes: long enough for the first to be acknowledged nearby.
const BETWEEN_WRITES: Nanos = MSEC / 2;

/// What passes between the last write and the end.
const BEFORE_CLOSE: Nanos = MSEC / 25;

fn line<R: Recorder>(cx: &Cx<'_, R>, proto: &str, peer: (Ipv4Addr, u16), local: (Ipv4Addr, u16)) -> String {
    let n = &cx.app.host_name;
    format!("name={n} proto={proto} peer={}:{} local={}:{}\n", peer.0, peer.1, local.0, local.1)
}

/// Answers with one line, and says how many bytes are to follow in a write of their own.
fn answer<R: Recorder>(cx: &mut Cx<'_, R>, s: SockId, asked: &[u8]) -> Result<usize, Errno> {
    let k = cx.k.sock(s);
    let text = line(cx, "tcp", (k.remote, k.rport), (k.local, k.lport));
    if asked.starts_with(b"GET ") || asked.starts_with(b"HEAD ") {
        let h = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        return cx.k.tcp_send(s, h.into()).map(|()| 0);
    }
    cx.k.tcp_send(s, text.into())?;
    let Some(n) = asked.strip_prefix(b"BULK ") else { return Ok(0) };
    Ok(n.iter().take_while(|b| b.is_ascii_digit()).take(8).fold(0usize, |a, b| a * 10 + usize::from(b - 48)))
}

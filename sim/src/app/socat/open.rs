//! How socat's addresses are opened: those that wait, and those that begin.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::half::Half;
use super::{Address, BACKLOG, CONNECTING, Command, Connect, KINDS, Listen, Socat, Waits, log, peers};
use crate::app::Cx;
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::{Errno, SockId};
use crate::trace::Recorder;

impl Socat {
    pub(super) fn listen<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, l: &Listen) -> Result<(), (&'static str, Errno)> {
        let udp = l.waits != Waits::Tcp;
        let s = cx.socket(if udp { SockKind::Udp } else { SockKind::Tcp(Box::default()) });
        // A socket of a peer stays at the port of the one that waits.
        cx.k.sock_mut(s).opts.reuseaddr = l.reuseaddr || (udp && l.fork);
        cx.k.sock_bind(s, l.at, l.port).map_err(|e| ("bind", e))?;
        if !udp {
            cx.k.tcp_listen(s, BACKLOG).map_err(|e| ("listen", e))?;
        }
        self.listener = Some(s);
        Ok(())
    }

    /// Somebody came to the socket that waits.
    pub(super) fn somebody<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        let Address::Listen(l) = self.spec.first.clone() else { return };
        if l.waits == Waits::Tcp {
            while let Some(c) = cx.k.tcp_accept(s) {
                cx.adopt(c);
                if !l.fork {
                    cx.close(s);
                    self.listener = None;
                }
                let k = cx.k.sock(c);
                let env = peers((k.remote, k.rport), (k.local, k.lport));
                self.begin(cx, Half::connected(c), env);
                if !l.fork {
                    return;
                }
            }
            return;
        }
        while let Some(Rcv::Udp { from, to, payload, .. }) = cx.k.sock_recv(s) {
            let env = peers(from, (to, l.port));
            match l.waits {
                Waits::Udp => {
                    // The first sender is the one it talks to from then on. Another socket waits in its place.
                    let _ = cx.k.udp_connect(s, from.0, from.1);
                    self.listener = None;
                    if l.fork
                        && let Err((call, e)) = self.listen(cx, &l)
                    {
                        log(cx, 'E', &format!("{call}(5, {{AF=2 {}:{}}}, 16): {}", l.at, l.port, e.strerror()));
                    }
                    self.begin(cx, Half::Udp { sock: s, to: None, inbox: VecDeque::from([payload]), eof: false }, env);
                    return;
                }
                Waits::Datagram => {
                    if !l.fork {
                        self.listener = None;
                    }
                    let half = Half::Udp { sock: s, to: Some(from), inbox: VecDeque::from([payload]), eof: true };
                    self.begin(cx, half, env);
                    if !l.fork {
                        return;
                    }
                }
                _ => match self.pairs.iter().position(|p| p.has(s)) {
                    Some(i) => {
                        self.pairs[i].first.take(payload);
                        self.turn(cx, i);
                    }
                    None => {
                        let inbox = VecDeque::from([payload]);
                        self.begin(cx, Half::Udp { sock: s, to: None, inbox, eof: false }, env);
                    }
                },
            }
        }
    }

    /// Opens an address that does not wait. What went wrong is told.
    pub(super) fn open<R: Recorder>(
        &mut self,
        cx: &mut Cx<'_, R>,
        n: u32,
        address: &Address,
        env: &[(String, String)],
    ) -> Option<Half> {
        match address {
            Address::Stdio => {
                let input = std::mem::take(&mut self.spec.input);
                let inbox = Some(input).filter(|i| !i.is_empty()).into_iter().collect();
                Some(Half::Stdio { inbox })
            }
            Address::Pipe => Some(Half::Pipe { inbox: VecDeque::new(), eof: false }),
            Address::Run(line) => {
                cx.command(Command { line: line.clone(), pair: n, env: env.to_vec() });
                Some(Half::Run { output: None, inbox: VecDeque::new(), eof: false })
            }
            Address::Connect(c) => match self.connect(cx, n, c) {
                Ok(half) => Some(half),
                Err((call, at, e)) => {
                    match call {
                        "connect" => self.no_connection(cx, c, e, false),
                        _ => log(cx, 'E', &format!("{call}(5, {{AF=2 {}:{}}}, 16): {}", at.0, at.1, e.strerror())),
                    }
                    self.failed(cx, e);
                    None
                }
            },
            Address::Listen(_) => None,
        }
    }

    fn connect<R: Recorder>(
        &self,
        cx: &mut Cx<'_, R>,
        n: u32,
        c: &Connect,
    ) -> Result<Half, (&'static str, (Ipv4Addr, u16), Errno)> {
        let s = cx.socket(if c.udp { SockKind::Udp } else { SockKind::Tcp(Box::default()) });
        if c.source != (None, 0) {
            let at = (c.source.0.unwrap_or(Ipv4Addr::UNSPECIFIED), c.source.1);
            cx.k.sock_bind(s, at.0, at.1).map_err(|e| ("bind", at, e))?;
        }
        let done = match c.udp {
            true => cx.k.udp_connect(s, c.to.0, c.to.1),
            false => cx.k.tcp_connect(s, c.to.0, c.to.1),
        };
        done.map_err(|e| ("connect", c.to, e))?;
        if c.udp {
            return Ok(Half::Udp { sock: s, to: None, inbox: VecDeque::new(), eof: false });
        }
        if let Some(t) = c.timeout {
            cx.timer(t, n * KINDS + CONNECTING);
        }
        Ok(Half::Tcp { sock: s, up: false })
    }
}

//! What members say to each other by TCP: joining (memberlist's push/pull), bulk sync (networkdb), and the ping that is
//! tried where datagrams get no answer; and a node's session with its manager (swarmkit's dispatcher).

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::{Gossip, Mail, PORT, REJOIN, REJOIN_NS, SYNC, SYNC_NS};
use crate::app::Cx;
use crate::kernel::socket::SockKind;
use crate::kernel::tcp::TcpRead;
use crate::kernel::types::SockId;
use crate::trace::Recorder;

/// What a stream is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    /// Joining.
    Join,
    /// All changes are told and asked for.
    Sync,
    /// The answer to it.
    Answer,
    /// Is it alive?
    Ping,
    /// A session, which stays.
    Session,
    /// Somebody else's.
    Theirs,
}

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    sock: SockId,
    /// Member at the other end, where this one dialled.
    to: Option<u32>,
    what: What,
    said: bool,
    got: Vec<u8>,
}

impl Gossip {
    /// Joins, where there is somebody to join, and begins its session.
    pub(super) fn enter<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        match self.through {
            Some(addr) => self.dial(cx, None, (addr, PORT), What::Join),
            None => cx.mail(Mail::Joined),
        }
        if let Some(at) = self.manager.take() {
            self.dial(cx, None, at, What::Session);
        }
    }

    /// Members whose changes are wanted are asked; who could not be is asked again.
    pub(super) fn sync<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let due = self.peers.iter_mut().filter(|(_, p)| p.due && !p.failed);
        let take = |(n, p): (&u32, &mut super::Peer)| {
            p.due = false;
            (*n, p.addr)
        };
        let wanted: Vec<(u32, Ipv4Addr)> = due.map(take).collect();
        for (n, addr) in &wanted {
            self.dial(cx, Some(*n), (*addr, PORT), What::Sync);
        }
        if !wanted.is_empty() && !self.syncing {
            self.syncing = true;
            cx.timer(SYNC_NS, SYNC);
        }
    }

    /// One at a time.
    pub(super) fn ping_by_stream<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, number: u32, addr: Ipv4Addr) {
        if !self.streams.iter().any(|s| s.to == Some(number) && s.what == What::Ping) {
            self.dial(cx, Some(number), (addr, PORT), What::Ping);
        }
    }

    fn dial<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, to: Option<u32>, at: (Ipv4Addr, u16), what: What) {
        let sock = cx.socket(SockKind::Tcp(Box::default()));
        self.streams.push(Stream { sock, to, what, said: false, got: Vec::new() });
        if cx.k.tcp_connect(sock, at.0, at.1).is_err() {
            self.lost_stream(cx, sock);
        }
    }

    pub(super) fn accept<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, listener: SockId) {
        while let Some(sock) = cx.k.tcp_accept(listener) {
            cx.adopt(sock);
            self.streams.push(Stream { sock, to: None, what: What::Theirs, said: true, got: Vec::new() });
            self.stream(cx, sock);
        }
    }

    /// Something happened to a stream.
    pub(super) fn stream<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, sock: SockId) {
        let Some(s) = self.streams.iter_mut().find(|s| s.sock == sock) else { return };
        if !s.said {
            if cx.k.tcp_so_error(sock).is_some() {
                return self.lost_stream(cx, sock);
            }
            if !cx.k.tcp_is_connected(sock) {
                return;
            }
            s.said = true;
            let (what, to) = (s.what, s.to);
            return self.say(cx, sock, what, to);
        }
        loop {
            match cx.k.tcp_recv(sock) {
                // A request to a manager: it is answered, and the connection has done its work.
                Ok(TcpRead::Data(_)) if cx.k.sock(sock).lport != PORT => return self.drop_stream(cx, sock),
                Ok(TcpRead::Data(d)) => {
                    if let Some(s) = self.streams.iter_mut().find(|s| s.sock == sock) {
                        s.got.extend_from_slice(&d);
                    }
                }
                Ok(TcpRead::Empty) => return,
                Ok(TcpRead::Eof) => return self.read_out(cx, sock),
                Err(_) => return self.lost_stream(cx, sock),
            }
        }
    }

    /// A connection is there: the word, and, but for a session, the end.
    fn say<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, sock: SockId, what: What, to: Option<u32>) {
        let word = match what {
            What::Sync => b'?',
            What::Answer => b'a',
            _ => b'p',
        };
        let mut b = vec![word];
        b.extend(self.me.to_be_bytes());
        b.extend(self.upto.to_be_bytes());
        match what {
            What::Session | What::Theirs => return,
            What::Join => {
                self.through = None;
                cx.mail(Mail::Joined);
            }
            What::Ping => {
                if let Some(p) = to.and_then(|n| self.peers.get_mut(&n)) {
                    p.silent_since = None;
                }
            }
            What::Sync | What::Answer => {}
        }
        // What is lost here is asked for again.
        let _ = cx.k.tcp_send(sock, Bytes::from(b));
        self.drop_stream(cx, sock);
    }

    /// The other side said all it had to say.
    fn read_out<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, sock: SockId) {
        let got = self.streams.iter().find(|s| s.sock == sock).map(|s| s.got.clone()).unwrap_or_default();
        self.drop_stream(cx, sock);
        let [word, a, b, c, d, e, f, g, h] = got[..] else { return };
        let (from, upto) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        let Some(p) = self.peers.get_mut(&from).filter(|_| matches!(word, b'?' | b'a')) else { return };
        let addr = p.addr;
        p.heard = p.heard.max(upto);
        if word == b'a' {
            p.ask = false;
        }
        cx.mail(Mail::Heard { from, upto, all: true });
        if word == b'?' {
            self.dial(cx, Some(from), (addr, PORT), What::Answer);
        }
    }

    /// It could not be made, or broke.
    fn lost_stream<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, sock: SockId) {
        let joining = self.streams.iter().any(|s| s.sock == sock && s.what == What::Join);
        self.drop_stream(cx, sock);
        if joining {
            cx.timer(REJOIN_NS, REJOIN);
        }
    }

    fn drop_stream<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, sock: SockId) {
        self.streams.retain(|s| s.sock != sock);
        cx.close(sock);
    }
}

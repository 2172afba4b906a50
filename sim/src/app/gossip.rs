//! The engines' talk with each other, as far as it can be cut off: memberlist's gossip and probes on UDP 7946, with
//! serf's and networkdb's habits (hashicorp/memberlist, libnetwork networkdb).
//!
//! A message does not carry the entries themselves: it says up to which of its changes the sender speaks, and who
//! hears it may know them ([`Mail`]). So reachability, loss and delay are the network's, and a cluster of many
//! thousand entries costs no copies. Unlike memberlist's, changes go to every member, once; each probe and its answer
//! say the number again, so that what was lost on the way is made up for there. A silent member is not asked for by way
//! of others. What goes by TCP is in `streams`.

mod streams;

use std::net::Ipv4Addr;

use bytes::Bytes;
use indexmap::IndexMap;

use super::{Cx, Wake};
use crate::FxBuild;
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::{Errno, MSEC, Nanos, SEC, SockId};
use crate::trace::Recorder;

/// Port of gossip, UDP and TCP.
pub const PORT: u16 = 7946;
/// How often changes go out (`GossipInterval`).
const GOSSIP_NS: Nanos = 200 * MSEC;
/// How often one member is probed (`ProbeInterval`).
const PROBE_NS: Nanos = SEC;
/// How long its answer may take (`ProbeTimeout`).
const ANSWER_NS: Nanos = 500 * MSEC;
/// How long a silent member is only suspected: `SuspicionMult` probes.
const SUSPICION_NS: Nanos = 4 * SEC;

/// How often what is missing is asked for again (networkdb's bulk sync, `bulkSyncTables`).
const SYNC_NS: Nanos = 30 * SEC;
/// How often a member that found nobody tries again (networkdb's `rejoinClusterBootStrap`).
const REJOIN_NS: Nanos = 60 * SEC;

/// Words of its timers; larger ones come back as [`Mail::Due`].
const GOSSIP: u32 = 0;
const PROBE: u32 = 1;
const SYNC: u32 = 2;
const REJOIN: u32 = 3;
/// The first word of an errand.
pub const ERRAND: u32 = 16;

/// What the engine is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mail {
    /// A member speaks of its changes up to a number; `all`: of those from the beginning, as it was asked.
    Heard {
        /// Its number.
        from: u32,
        /// Changes.
        upto: u32,
        /// From the beginning.
        all: bool,
    },
    /// A member is silent.
    Failed(u32),
    /// It was let in among those who talk.
    Joined,
    /// The time of an errand has come.
    Due(u32),
}

/// Another member.
#[derive(Clone, Copy, Debug)]
struct Peer {
    addr: Ipv4Addr,
    /// Which of our changes it was told of.
    told: u32,
    /// Which of its changes we heard of.
    heard: u32,
    /// It is asked for all of its changes until it answers.
    ask: bool,
    /// Since when a probe waits for an answer.
    silent_since: Option<Nanos>,
    failed: bool,
    /// It is to be asked now, or again.
    due: bool,
}

/// The program.
#[derive(Clone, Debug)]
pub struct Gossip {
    /// Address it listens on; none for all, by a socket of both families.
    bind: Option<Ipv4Addr>,
    me: u32,
    /// TCP ports that it keeps open beside its own.
    listens: Vec<(Ipv4Addr, u16)>,
    listeners: Vec<SockId>,
    streams: Vec<streams::Stream>,
    /// Members are asked for their changes by streams, as networkdb does it; else by datagrams, as serf does.
    by_stream: bool,
    /// Through whom it joins: where that one talks, and where it manages.
    through: Option<Ipv4Addr>,
    manager: Option<(Ipv4Addr, u16)>,
    peers: IndexMap<u32, Peer, FxBuild>,
    upto: u32,
    sock: Option<SockId>,
    next: usize,
    gossiping: bool,
    syncing: bool,
    /// Why it could not begin.
    pub failed: Option<Errno>,
}

impl Gossip {
    /// A member with its number.
    pub fn new(me: u32, bind: Option<Ipv4Addr>, listens: Vec<(Ipv4Addr, u16)>) -> Gossip {
        Gossip {
            bind,
            me,
            listens,
            listeners: Vec::new(),
            streams: Vec::new(),
            by_stream: bind.is_none(),
            through: None,
            manager: None,
            peers: IndexMap::default(),
            upto: 0,
            sock: None,
            next: 0,
            gossiping: false,
            syncing: false,
            failed: None,
        }
    }

    /// It is to join through another member, and to stay in touch with a manager.
    pub fn join(mut self, through: Option<Ipv4Addr>, manager: Option<(Ipv4Addr, u16)>) -> Gossip {
        (self.through, self.manager) = (through, manager);
        self
    }

    /// Learns of another member.
    pub fn meet(&mut self, number: u32, addr: Ipv4Addr) {
        let ask = !self.by_stream;
        self.peers.insert(number, Peer { addr, told: 0, heard: 0, ask, silent_since: None, failed: false, due: ask });
    }

    /// A member left.
    pub fn forget(&mut self, number: u32) {
        self.peers.shift_remove(&number);
    }

    /// Has so many changes to tell.
    pub fn tell(&mut self, upto: u32) {
        self.upto = upto;
    }

    /// Wants all changes of some others.
    pub fn ask(&mut self, of: impl Fn(u32) -> bool) {
        self.peers.iter_mut().filter(|(n, _)| of(**n)).for_each(|(_, p)| (p.ask, p.due) = (true, true));
    }

    /// Is a member silent?
    pub fn lost(&self, number: u32) -> bool {
        self.peers.get(&number).is_some_and(|p| p.failed)
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => match self.open(cx) {
                Ok(()) => {
                    cx.timer(0, GOSSIP);
                    cx.timer(PROBE_NS, PROBE);
                    self.enter(cx);
                }
                Err(e) => {
                    self.failed = Some(e);
                    cx.exit(1);
                }
            },
            Wake::Sock(s) if Some(s) == self.sock => self.read(cx, s),
            Wake::Sock(s) if self.listeners.contains(&s) => self.accept(cx, s),
            Wake::Sock(s) => self.stream(cx, s),
            Wake::Timer(SYNC) => {
                self.syncing = false;
                self.peers.values_mut().for_each(|p| p.due = p.ask);
                self.sync(cx);
            }
            Wake::Timer(REJOIN) => self.enter(cx),
            Wake::Timer(GOSSIP) => {
                self.gossiping = false;
                self.gossip(cx);
            }
            Wake::Timer(PROBE) => self.probe(cx),
            Wake::Timer(errand) => cx.mail(Mail::Due(errand)),
        }
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) -> Result<(), Errno> {
        let addr = self.bind.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let s = cx.socket(SockKind::Udp);
        cx.k.sock_mut(s).opts.dual = self.bind.is_none();
        cx.k.sock_bind(s, addr, PORT)?;
        self.sock = Some(s);
        for (addr, port) in std::iter::once((addr, PORT)).chain(self.listens.clone()) {
            let l = cx.socket(SockKind::Tcp(Box::default()));
            let o = &mut cx.k.sock_mut(l).opts;
            (o.reuseaddr, o.dual) = (true, addr.is_unspecified());
            cx.k.sock_bind(l, addr, port)?;
            cx.k.tcp_listen(l, 4096)?;
            self.listeners.push(l);
        }
        Ok(())
    }

    /// Changes go out soon.
    pub fn kick<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        if self.by_stream {
            self.sync(cx);
        }
        if !self.gossiping {
            self.gossiping = true;
            cx.timer(GOSSIP_NS, GOSSIP);
        }
    }

    fn gossip<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let (upto, by_stream) = (self.upto, self.by_stream);
        let behind = |p: &&mut Peer| !p.failed && (p.told < upto || p.ask && !by_stream);
        let tell = |p: &mut Peer| {
            let asks = p.ask && !by_stream;
            if !asks {
                p.told = upto;
            }
            (p.addr, asks)
        };
        let all: Vec<(Ipv4Addr, bool)> = self.peers.values_mut().filter(behind).map(tell).collect();
        for (addr, asks) in &all {
            self.send(cx, *addr, if *asks { b'?' } else { b'!' }, upto);
        }
        if all.iter().any(|(_, asks)| *asks) {
            self.kick(cx);
        }
    }

    /// One member after the other; who does not answer is suspected, then given up.
    fn probe<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        cx.timer(PROBE_NS, PROBE);
        let now = cx.k.now();
        let me = self.peers.len();
        for (n, p) in &mut self.peers {
            let over = p.silent_since.is_some_and(|t| now >= t + ANSWER_NS + SUSPICION_NS);
            if over && !p.failed {
                p.failed = true;
                cx.mail(Mail::Failed(*n));
            }
        }
        if me == 0 {
            return;
        }
        self.next = (self.next + 1) % me;
        let Some((n, p)) = self.peers.get_index_mut(self.next) else { return };
        let number = *n;
        p.silent_since.get_or_insert(now);
        let addr = p.addr;
        self.send(cx, addr, b'p', self.upto);
        // Who did not answer the last datagram is tried by a stream.
        let quiet =
            |(n, p): (&u32, &Peer)| (!p.failed && *n != number && p.silent_since.is_some()).then_some((*n, p.addr));
        for (n, addr) in self.peers.iter().filter_map(quiet).collect::<Vec<_>>() {
            self.ping_by_stream(cx, n, addr);
        }
    }

    fn send<R: Recorder>(&self, cx: &mut Cx<'_, R>, to: Ipv4Addr, word: u8, number: u32) {
        let Some(s) = self.sock else { return };
        let mut b = vec![word];
        b.extend(self.me.to_be_bytes());
        b.extend(number.to_be_bytes());
        // What cannot be sent is lost, as on the way.
        let _ = cx.k.sock_take_err(s);
        let _ = cx.k.udp_sendto(s, Some((to, PORT)), Bytes::from(b));
    }

    fn read<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        while let Some(Rcv::Udp { payload, .. }) = cx.k.sock_recv(s) {
            let [word, a, b, c, d, e, f, g, h] = payload[..] else { continue };
            let (from, upto) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            self.hear(cx, word, from, upto);
        }
    }

    fn hear<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, word: u8, from: u32, upto: u32) {
        let mine = self.upto;
        let Some(p) = self.peers.get_mut(&from) else { return };
        p.silent_since = None;
        if p.failed {
            // It is back: both begin anew.
            (p.failed, p.told, p.heard, p.ask, p.due) = (false, 0, 0, true, true);
            self.kick(cx);
            return;
        }
        let addr = p.addr;
        let news = matches!(word, b'p' | b'k' | b'!') && upto > p.heard;
        if matches!(word, b'p' | b'k' | b'!' | b'a') {
            p.heard = p.heard.max(upto);
        }
        if news {
            cx.mail(Mail::Heard { from, upto, all: false });
        }
        match word {
            b'p' => self.send(cx, addr, b'k', mine),
            b'?' => self.send(cx, addr, b'a', mine),
            b'a' => {
                p.ask = false;
                cx.mail(Mail::Heard { from, upto, all: true });
            }
            _ => {}
        }
    }
}

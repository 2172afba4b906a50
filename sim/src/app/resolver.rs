//! The engine's name server inside a container, at 127.0.0.11 (libnetwork `resolver.go`): it answers for the
//! containers that share a network with its own, and asks the host's name servers for the rest.

use std::net::Ipv4Addr;
use std::sync::Arc;

use indexmap::IndexMap;

use super::dns::PORT;
use super::{Cx, Wake};
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::{Nanos, NetnsId, SEC, SockId};
use crate::trace::Recorder;
use crate::wire::dns::{Data, Message, QType, Rcode, Record};

/// Where it listens.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Seconds its own answers may be kept (`respTTL`).
const TTL: u32 = 600;
/// Servers it asks at most (`maxExtDNS`).
pub const MAX_EXT: usize = 3;
/// How long it waits for each (`extIOTimeout`).
pub const EXT_TIMEOUT: Nanos = 4 * SEC;
/// Queries it forwards at a time (`maxConcurrent`).
const MAX_CONCURRENT: usize = 1024;

/// The names of one network.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NetNames {
    /// Id of the network.
    pub id: String,
    /// Its name, with which a container's name may be qualified: `web.mynet`.
    pub network: String,
    /// Names in lower case, with the addresses they have.
    pub forward: IndexMap<String, Vec<Ipv4Addr>>,
    /// Addresses, with the name that a reverse look-up tells.
    pub reverse: IndexMap<Ipv4Addr, String>,
}

impl NetNames {
    /// Adds a name of an address.
    pub fn add(&mut self, name: &str, addr: Ipv4Addr) {
        let all = self.forward.entry(name.to_ascii_lowercase()).or_default();
        if !all.contains(&addr) {
            all.push(addr);
        }
    }
}

/// A network that its container has joined.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Joined {
    /// The names there.
    pub names: Arc<NetNames>,
    /// `--link`: aliases that only this container knows, and whom they mean.
    pub links: Vec<(String, String)>,
}

impl Joined {
    /// The addresses of a name here: an alias goes before a name (`Sandbox.resolveName`).
    fn find(&self, name: &str) -> Option<&Vec<Ipv4Addr>> {
        let alias = self.links.iter().find(|(a, _)| a == name).map(|(_, of)| of.as_str());
        self.names.forward.get(alias.unwrap_or(name))
    }
}

/// A server outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct External {
    /// Its address.
    pub addr: Ipv4Addr,
    /// The host's namespace where it is a loopback address of the host; otherwise it is asked from the container.
    pub from: Option<NetnsId>,
}

/// What it is told when its container joins a network or leaves one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Setup {
    /// The networks that its container has joined, in the order in which they are looked through.
    pub nets: Vec<Joined>,
    /// Servers outside, in the order in which they are asked.
    pub external: Vec<External>,
    /// A network of the container leads outside (`proxyDNS`): where none does, the host's own servers are not asked.
    pub forwards: bool,
    /// `options ndots:` was set by the user, to more than 0: plain names are not asked outside (`NdotsSet`).
    pub ndots_set: bool,
    /// The engine is older than 23: it says nothing where nobody answered, later ones say `SERVFAIL`; and it asks the
    /// next server also after an `NXDOMAIN` that is not authoritative.
    pub before_23: bool,
}

impl Setup {
    /// What it answers without asking anybody (`handleIPQuery`, `handlePTRQuery`); `shuffle` orders several addresses.
    pub fn answer(&self, q: &Message, shuffle: impl FnOnce(&mut [Ipv4Addr])) -> Option<Message> {
        let mut m = q.reply(Rcode::NoError);
        m.recursion_available = true;
        match q.qtype {
            QType::A | QType::Aaaa => {
                if let Some(mut found) = self.addresses(&q.name.to_ascii_lowercase()) {
                    if q.qtype == QType::A {
                        shuffle(&mut found);
                        let record = |a| Record { name: q.name.clone(), ttl: TTL, data: Data::A(a) };
                        m.answers = found.into_iter().map(record).collect();
                    }
                    return Some(m);
                }
            }
            QType::Ptr => {
                let addr = crate::wire::dns::addr_of_arpa(&q.name)?;
                let own = |n: &Joined| n.names.reverse.get(&addr).map(|c| format!("{c}.{}", n.names.network));
                if let Some(name) = self.nets.iter().find_map(own) {
                    m.answers.push(Record { name: q.name.clone(), ttl: TTL, data: Data::Ptr(name) });
                    return Some(m);
                }
            }
            QType::Other(_) => {}
        }
        let plain = matches!(q.qtype, QType::A | QType::Aaaa) && !q.name.contains('.');
        (self.ndots_set && plain).then_some(m)
    }

    /// The addresses of a name, plain or qualified with a network's (`Sandbox.ResolveName`).
    fn addresses(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        let dots = name.rmatch_indices('.').map(|(i, _)| (&name[..i], Some(&name[i + 1..])));
        let mut parts = std::iter::once((name, None)).chain(dots);
        parts.find_map(|(name, network)| {
            let mut there = self.nets.iter().filter(|n| network.is_none_or(|w| w == n.names.network));
            there.find_map(|n| n.find(name)).cloned()
        })
    }
}

/// A question that is asked outside.
#[derive(Clone, Debug)]
struct Pending {
    query: Message,
    from: (Ipv4Addr, u16),
    /// Index of the server that is being asked.
    server: usize,
    sock: SockId,
    token: u32,
    /// A server has answered, though not usefully.
    last: Option<Message>,
}

/// The program.
#[derive(Clone, Debug)]
pub struct Resolver {
    /// What it knows and whom it asks.
    pub setup: Setup,
    udp: Option<SockId>,
    tcp: Option<SockId>,
    pending: Vec<Pending>,
    next_token: u32,
}

impl Resolver {
    /// A name server that is still to be started.
    pub fn new(setup: Setup) -> Resolver {
        Resolver { setup, udp: None, tcp: None, pending: Vec::new(), next_token: 0 }
    }

    /// Its UDP and its TCP port, once it runs.
    pub fn ports<R: Recorder>(&self, k: &crate::kernel::Kernel<R>) -> Option<(u16, u16)> {
        Some((k.sock(self.udp?).lport, k.sock(self.tcp?).lport))
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => self.open(cx),
            Wake::Sock(s) if Some(s) == self.udp => self.questions(cx, s),
            Wake::Sock(s) if Some(s) == self.tcp => {
                // Nothing in the model asks by TCP; who connects is heard and left.
                while let Some(c) = cx.k.tcp_accept(s) {
                    cx.adopt(c);
                    cx.close(c);
                }
            }
            Wake::Sock(s) => self.outside(cx, s),
            Wake::Timer(token) => {
                if let Some(i) = self.pending.iter().position(|p| p.token == token) {
                    self.try_next(cx, i, None);
                }
            }
        }
    }

    fn open<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let udp = cx.socket(SockKind::Udp);
        let tcp = cx.socket(SockKind::Tcp(Box::default()));
        let ready = cx.k.sock_bind(udp, ADDRESS, 0).and_then(|()| cx.k.sock_bind(tcp, ADDRESS, 0));
        if ready.and_then(|()| cx.k.tcp_listen(tcp, 4096)).is_err() {
            return cx.exit(1);
        }
        (self.udp, self.tcp) = (Some(udp), Some(tcp));
    }

    fn questions<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        while let Some(Rcv::Udp { from, payload, .. }) = cx.k.sock_recv(s) {
            let Some(query) = Message::parse(&payload).filter(|m| !m.response) else { continue };
            match self.setup.answer(&query, |found| shuffle(cx, found)) {
                Some(m) => self.reply(cx, from, &m, false),
                None => self.forward(cx, query, from),
            }
        }
    }

    fn reply<R: Recorder>(&self, cx: &mut Cx<'_, R>, to: (Ipv4Addr, u16), m: &Message, compressed: bool) {
        if let (Some(s), Some(bytes)) = (self.udp, m.bytes(compressed)) {
            // Who asked may be gone.
            let _ = cx.k.udp_sendto(s, Some(to), bytes);
        }
    }

    fn forward<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, query: Message, from: (Ipv4Addr, u16)) {
        if self.pending.len() >= MAX_CONCURRENT {
            return;
        }
        self.ask(cx, Pending { query, from, server: 0, sock: SockId(0), token: 0, last: None });
    }

    /// Asks the present server of a question, or the first one after it that can be asked.
    fn ask<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, mut p: Pending) {
        while let Some(server) = self.setup.external.iter().take(MAX_EXT).nth(p.server).copied() {
            if server.from.is_some() && !self.setup.forwards {
                p.server += 1;
                continue;
            }
            let home = cx.app.ns;
            cx.app.ns = server.from.unwrap_or(home);
            let sock = cx.socket(SockKind::Udp);
            cx.app.ns = home;
            let sent =
                cx.k.udp_connect(sock, server.addr, PORT)
                    .and_then(|()| p.query.bytes(false).map_or(Ok(()), |b| cx.k.udp_sendto(sock, None, b)));
            if sent.is_ok() {
                self.next_token += 1;
                (p.sock, p.token) = (sock, self.next_token);
                cx.timer(EXT_TIMEOUT, p.token);
                return self.pending.push(p);
            }
            cx.close(sock);
            p.server += 1;
        }
        match p.last {
            Some(m) if self.setup.before_23 => self.reply(cx, p.from, &m, true),
            _ if self.setup.before_23 => {}
            _ => self.reply(cx, p.from, &p.query.reply(Rcode::ServFail), false),
        }
    }

    /// The present server was of no use; `last` is what it said, if anything.
    fn try_next<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, i: usize, last: Option<Message>) {
        let mut p = self.pending.remove(i);
        cx.close(p.sock);
        p.server += 1;
        p.last = last;
        self.ask(cx, p);
    }

    /// A server outside has answered, or its port is closed.
    fn outside<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        let Some(i) = self.pending.iter().position(|p| p.sock == s) else { return };
        if cx.k.sock_take_err(s).is_some() {
            return self.try_next(cx, i, None);
        }
        while let Some(Rcv::Udp { payload, .. }) = cx.k.sock_recv(s) {
            let Some(m) = Message::parse(&payload).filter(|m| m.response && m.id == self.pending[i].query.id) else {
                continue;
            };
            let done = match m.rcode {
                Rcode::NoError => true,
                Rcode::ServFail | Rcode::Refused => false,
                Rcode::NxDomain => m.authoritative || !self.setup.before_23,
                _ => !self.setup.before_23,
            };
            if done {
                let p = self.pending.remove(i);
                cx.close(s);
                return self.reply(cx, p.from, &m, true);
            }
            return self.try_next(cx, i, Some(m));
        }
    }
}

/// Fisher and Yates' shuffle, by the scenario's dice (`shuffleAddr`).
fn shuffle<R: Recorder>(cx: &mut Cx<'_, R>, a: &mut [Ipv4Addr]) {
    for i in (1..a.len()).rev() {
        let j = (cx.k.rng.next_u64() % (i as u64 + 1)) as usize;
        a.swap(i, j);
    }
}

//! Whether translation undoes itself: who asked whom, before and behind the router.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use packetwalk_sim::app::probe::ProbeReport;
use packetwalk_sim::trace::{EventKind, Outcome};
use packetwalk_sim::wire::packet::TcpFlags;
use packetwalk_sim::wire::{L4, Packet};

use super::net::{IN, Net, OUT};

/// Who speaks to whom: addresses, protocol, ports; of ICMP its type and id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Who {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    proto: u8,
    a: u16,
    b: u16,
}

impl Who {
    fn inverse(self) -> Who {
        let (a, b) = if self.proto == 1 { (if self.a == 8 { 0 } else { 8 }, self.b) } else { (self.b, self.a) };
        Who { src: self.dst, dst: self.src, a, b, ..self }
    }
}

/// What a packet says; of an ICMP error what it quotes.
enum Says {
    Speech(Who),
    Error(Option<Who>),
}

fn says(p: &Packet) -> Option<Says> {
    let ip = p.ipv4()?;
    let who = |a, b| Some(Says::Speech(Who { src: ip.src, dst: ip.dst, proto: ip.proto(), a, b }));
    match &ip.l4 {
        L4::Tcp(t) => who(t.sport, t.dport),
        L4::Udp(u) => who(u.sport, u.dport),
        L4::Icmp(i) if matches!(i.ty, 0 | 8) => who(i.ty.into(), (i.rest >> 16) as u16),
        L4::Icmp(i) => Some(Says::Error(quoted(&i.payload))),
        L4::Raw(..) => None,
    }
}

/// The header that an error quotes, read by hand.
fn quoted(b: &[u8]) -> Option<Who> {
    let at = |i: usize| Some(u16::from_be_bytes([*b.get(i)?, *b.get(i + 1)?]));
    let addr = |i: usize| Some(Ipv4Addr::new(*b.get(i)?, *b.get(i + 1)?, *b.get(i + 2)?, *b.get(i + 3)?));
    let head = usize::from(b.first()? & 15) * 4;
    let proto = *b.get(9)?;
    let (x, y) = match proto {
        1 => (u16::from(*b.get(head)?), at(head + 4)?),
        _ => (at(head)?, at(head + 2)?),
    };
    Some(Who { src: addr(12)?, dst: addr(16)?, proto, a: x, b: y })
}

/// What the router's trace tells.
#[derive(Default)]
pub struct Told {
    /// A question as it came in, and what became of it: as it left for the server or reached a socket.
    behind: BTreeMap<Who, BTreeSet<Who>>,
    /// The same, with the questions that got nowhere, as they last were.
    last: BTreeMap<Who, BTreeSet<Who>>,
    /// Packets that came from the server's side, and how they left for the client.
    back: Vec<(Who, Option<Who>)>,
    /// What left for the client.
    left: Vec<Who>,
    /// Questions that were answered by a reset: the first packet of an answer that is one ends the entry.
    reset: BTreeSet<Who>,
    /// What errors that left for the client quote.
    errors: Vec<Option<Who>>,
}

impl Told {
    pub fn by(net: &Net) -> Told {
        let mut told = Told::default();
        let mut asked = BTreeMap::new();
        let mut last = BTreeMap::new();
        let mut back = BTreeMap::new();
        for e in net.events(net.router) {
            let Some((p, dev)) = net.ip(e) else { continue };
            let Some(says) = says(p) else { continue };
            let who = match (says, &e.kind) {
                (Says::Speech(who), _) => who,
                (Says::Error(who), EventKind::Tx) if dev == IN => {
                    told.errors.push(who);
                    continue;
                }
                _ => continue,
            };
            match (&e.kind, dev) {
                (EventKind::Rx, IN) => drop(asked.insert(e.packet, who)),
                (EventKind::Rx, OUT) => drop(back.insert(e.packet, (who, None))),
                (EventKind::Tx, IN) => {
                    told.left.push(who);
                    let is_reset = |t: &L4| matches!(t, L4::Tcp(t) if t.flags.contains(TcpFlags::RST));
                    if p.ipv4().is_some_and(|ip| is_reset(&ip.l4)) {
                        told.reset.insert(who.inverse());
                    }
                    if let Some(b) = back.get_mut(&e.packet) {
                        b.1 = Some(who);
                    }
                }
                (EventKind::Tx | EventKind::SocketDeliver { .. } | EventKind::EchoReply, _) => {
                    if let Some(q) = asked.get(&e.packet) {
                        told.behind.entry(*q).or_default().insert(who);
                    }
                }
                _ => {}
            }
            if let Some(q) = asked.get(&e.packet) {
                last.insert(e.packet, (*q, who));
            }
        }
        for (q, s) in last.into_values() {
            told.last.entry(q).or_default().insert(s);
        }
        told.back = back.into_values().collect();
        told
    }

    /// Everything that holds of a router that translates.
    pub fn check(&self, net: &Net) -> Result<(), String> {
        let mut way_back: BTreeMap<Who, BTreeSet<Who>> = BTreeMap::new();
        for (q, s) in &self.behind {
            let [s] = s.iter().copied().collect::<Vec<_>>()[..] else {
                return Err(format!("{q:?} became several: {s:?}"));
            };
            let ways = way_back.entry(s.inverse()).or_default();
            ways.insert(q.inverse());
            // After a reset the same words may be used again.
            if ways.iter().filter(|a| !self.reset.contains(&a.inverse())).count() > 1 {
                return Err(format!("the inverses of {ways:?} all became {s:?}"));
            }
        }
        for (came, left) in &self.back {
            match way_back.get(came) {
                Some(ways) if !left.is_some_and(|l| ways.contains(&l)) => {
                    return Err(format!("{came:?} left as {left:?}, not as {ways:?}"));
                }
                _ => {}
            }
        }
        for a in &self.left {
            if !self.last.contains_key(&a.inverse()) {
                return Err(format!("{a:?} left for the client, who did not ask so"));
            }
        }
        for quoted in &self.errors {
            if !quoted.is_some_and(|q| self.last.contains_key(&q)) {
                return Err(format!("an error quotes {quoted:?}, which the client did not send"));
            }
        }
        self.check_entries(&net.clone().ok("router", "conntrack -L"))
    }

    /// Entries of `conntrack -L` agree with what was seen.
    fn check_entries(&self, list: &str) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for line in list.lines() {
            let [orig, reply] = entry(line);
            seen.insert(orig);
            let Some(s) = self.last.get(&orig) else { return Err(format!("nobody sent what is tracked as {line}")) };
            if !s.contains(&reply.inverse()) {
                return Err(format!("{orig:?} was last seen as {s:?}, but is tracked as {line}"));
            }
        }
        match self.behind.keys().find(|q| !seen.contains(q) && !self.reset.contains(q)) {
            Some(q) => Err(format!("{q:?} is not tracked:\n{list}")),
            None => Ok(()),
        }
    }

    /// What the client was told agrees with what was seen.
    pub fn check_report(&self, asked: &str, r: &ProbeReport) -> Result<(), String> {
        if r.outcome != Some(Outcome::Reply) {
            return Ok(());
        }
        let target = asked.split_whitespace().last().unwrap_or("");
        if let Some(by) = &r.by
            && by != target
            && Some(by.as_str()) != target.split(':').next()
        {
            return Err(format!("{asked} was answered by {by}"));
        }
        match &r.seen {
            Some(seen) if !self.behind.values().flatten().any(|s| *seen == format!("{}:{}", s.src, s.a)) => {
                Err(format!("{asked}: nobody came to the server as {seen}"))
            }
            _ => Ok(()),
        }
    }
}

/// Both directions of a line of `conntrack -L`.
fn entry(line: &str) -> [Who; 2] {
    let proto = line.split_whitespace().nth(1).and_then(|w| w.parse().ok()).expect("a protocol");
    let mut out = [Who { src: Ipv4Addr::UNSPECIFIED, dst: Ipv4Addr::UNSPECIFIED, proto, a: 0, b: 0 }; 2];
    let mut n = 0;
    for (key, value) in line.split_whitespace().filter_map(|w| w.split_once('=')) {
        n += usize::from(key == "src");
        let Some(w) = n.checked_sub(1).and_then(|i| out.get_mut(i)) else { continue };
        let number = || value.parse().expect("a number");
        match key {
            "src" => w.src = value.parse().expect("an address"),
            "dst" => w.dst = value.parse().expect("an address"),
            "sport" | "type" => w.a = number(),
            "dport" | "id" => w.b = number(),
            _ => {}
        }
    }
    out
}

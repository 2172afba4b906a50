//! A stub resolver: what a C library does with a name, from `/etc/hosts` and `/etc/resolv.conf`.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::probe::local_class;
use super::{Cx, Wake};
use crate::kernel::socket::{Rcv, SockKind};
use crate::kernel::types::{Errno, Nanos, SEC, SockId};
use crate::trace::{Outcome, Recorder};
use crate::wire::dns::{Data, Message, QType, Rcode, in_addr_arpa, reversed};

/// Port of name servers.
pub const PORT: u16 = 53;
/// Name servers that are asked at most (`MAXNS`).
const MAXNS: usize = 3;

/// `/etc/resolv.conf` (resolv.conf(5)).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResolvConf {
    /// `nameserver`, IPv4 only.
    pub servers: Vec<Ipv4Addr>,
    /// `search`, `domain`.
    pub search: Vec<String>,
    /// `options ndots:N`.
    pub ndots: usize,
    /// `options timeout:N`.
    pub timeout: Nanos,
    /// `options attempts:N`.
    pub attempts: u32,
}

impl ResolvConf {
    /// Reads the file; what it does not know it passes over, as the C library does.
    pub fn parse(text: &str) -> ResolvConf {
        let mut c = ResolvConf { servers: Vec::new(), search: Vec::new(), ndots: 1, timeout: 5 * SEC, attempts: 2 };
        for line in text.lines() {
            let mut words = line.split(['#', ';']).next().unwrap_or("").split_whitespace();
            match words.next() {
                Some("nameserver") => c.servers.extend(words.next().and_then(|w| w.parse::<Ipv4Addr>().ok())),
                Some("search" | "domain") => c.search = words.map(|w| w.trim_end_matches('.').to_owned()).collect(),
                Some("options") => words.for_each(|w| c.option(w)),
                _ => {}
            }
        }
        c.servers.truncate(MAXNS);
        c.search.retain(|s| !s.is_empty());
        c
    }

    fn option(&mut self, word: &str) {
        let Some((name, Ok(n))) = word.split_once(':').map(|(a, b)| (a, b.parse::<u32>())) else { return };
        match name {
            "ndots" => self.ndots = n.min(15) as usize,
            "timeout" => self.timeout = Nanos::from(n.clamp(1, 30)) * SEC,
            "attempts" => self.attempts = n.clamp(1, 5),
            _ => {}
        }
    }

    /// The full names to try for a name, in order (`res_search`).
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(full) = name.strip_suffix('.') {
            return vec![full.to_owned()];
        }
        let mut all: Vec<String> = self.search.iter().map(|s| format!("{name}.{s}")).collect();
        if name.matches('.').count() >= self.ndots {
            all.insert(0, name.to_owned());
        } else {
            all.push(name.to_owned());
        }
        all
    }
}

/// The addresses of a name in the text of `/etc/hosts` (hosts(5)).
pub fn in_hosts(text: &str, name: &str) -> Vec<Ipv4Addr> {
    let line = |l: &str| {
        let mut w = l.split('#').next()?.split_whitespace();
        let a = w.next()?.parse().ok()?;
        w.any(|x| x.eq_ignore_ascii_case(name)).then_some(a)
    };
    text.lines().filter_map(line).collect()
}

/// Whose habits a look-up has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// A probe's: one query of one type at a time, two seconds each, no second try; its number is the probe's port.
    Probe(u16),
    /// The C library's `getaddrinfo`: A and AAAA at once, attempts and timeout as configured.
    Libc,
    /// Go's own resolver: as configured, each type from a socket of its own.
    Go,
    /// Busybox `nslookup`: A and AAAA of all names at once, five seconds; each answer counts for itself.
    Nslookup,
}

/// How a name was found, as the recordings tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct How {
    /// `hosts` or `dns`.
    pub via: &'static str,
    /// Each query that decided something.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<Asked>,
}

/// A query and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Whom.
    pub server: String,
    /// For what.
    pub name: String,
    /// RCODE, or the outcome where no answer came: `timeout`, `refused`.
    pub rcode: String,
    /// Answers; none where there was no answer at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Vec<String>>,
    /// The server is the authority for the name.
    #[serde(skip)]
    pub authoritative: bool,
    /// Seconds the last of them may be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

/// What a probe's name stood for, as the recordings tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The address that is asked.
    pub addr: String,
    /// All that were found, sorted.
    pub all: Vec<String>,
    /// `hosts` or `dns`.
    pub via: &'static str,
    /// The name server that knew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// One look-up under way.
#[derive(Clone, Debug)]
pub struct Lookup {
    servers: Vec<Ipv4Addr>,
    names: Vec<String>,
    qtypes: Vec<QType>,
    habit: Habit,
    timeout: Nanos,
    attempts: u32,
    /// Name, server and attempt that are asked now.
    name: usize,
    server: usize,
    attempt: u32,
    sock: Option<SockId>,
    /// Queries without an answer yet: number, type and name.
    waiting: Vec<(u16, QType, usize)>,
    /// All that were sent for the present name.
    sent: Vec<(u16, QType, usize)>,
    /// Answers to the present name.
    found: Vec<String>,
    ttl: Option<u32>,
    authoritative: bool,
    /// Counts the rounds, so that an old timer is known.
    round: u32,
    /// What a round without an answer met.
    trouble: bool,
    /// The name as it stands comes first, and search domains after it whatever becomes of that (`res_nsearch`).
    as_is_first: bool,
}

impl Lookup {
    /// Looks a name up in the DNS.
    pub fn name(name: &str, conf: &ResolvConf, habit: Habit) -> Lookup {
        let qtypes = if matches!(habit, Habit::Probe(_)) { vec![QType::A] } else { vec![QType::A, QType::Aaaa] };
        let all = conf.candidates(name);
        let as_is_first = all.len() > 1 && all[0] == name;
        Lookup { as_is_first, ..Lookup::new(all, qtypes, conf, habit) }
    }

    /// Looks a name up as Go does: one type of two, at the same time as the other.
    pub fn go(name: &str, conf: &ResolvConf) -> [Lookup; 2] {
        [QType::A, QType::Aaaa].map(|q| Lookup::new(conf.candidates(name), vec![q], conf, Habit::Go))
    }

    /// Looks names up as busybox `nslookup` does: all of them.
    pub fn names(names: Vec<String>, qtypes: &[QType], conf: &ResolvConf) -> Lookup {
        Lookup::new(names, qtypes.to_vec(), conf, Habit::Nslookup)
    }

    /// Looks the name of an address up.
    pub fn address(addr: Ipv4Addr, conf: &ResolvConf, habit: Habit) -> Lookup {
        Lookup::new(vec![in_addr_arpa(addr)], vec![QType::Ptr], conf, habit)
    }

    /// Looks up what somebody takes for an address.
    pub fn reversed(text: &str, conf: &ResolvConf, habit: Habit) -> Lookup {
        Lookup::new(vec![reversed(text)], vec![QType::Ptr], conf, habit)
    }

    fn new(names: Vec<String>, qtypes: Vec<QType>, conf: &ResolvConf, habit: Habit) -> Lookup {
        let (timeout, attempts) = match habit {
            Habit::Probe(_) => (2 * SEC, 1),
            Habit::Nslookup => (5 * SEC, 1),
            Habit::Libc | Habit::Go => (conf.timeout, conf.attempts),
        };
        let mut servers = conf.servers.clone();
        if servers.is_empty() && matches!(habit, Habit::Libc | Habit::Go) {
            servers.push(Ipv4Addr::LOCALHOST);
        }
        Lookup {
            servers,
            names,
            qtypes,
            habit,
            timeout,
            attempts,
            name: 0,
            server: 0,
            attempt: 0,
            sock: None,
            waiting: Vec::new(),
            sent: Vec::new(),
            found: Vec::new(),
            ttl: None,
            authoritative: false,
            round: 0,
            trouble: false,
            as_is_first: false,
        }
    }

    /// Called by the kernel's wakeups and by its timers.
    pub fn wake<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, why: Wake) {
        match why {
            Wake::Start => {
                cx.app.report.how = Some(How { via: "dns", queries: Vec::new() });
                self.ask(cx);
            }
            Wake::Sock(s) if Some(s) == self.sock => self.read(cx, s),
            Wake::Sock(_) => {}
            Wake::Timer(round) if round == self.round => self.silent(cx, "timeout".into()),
            Wake::Timer(_) => {}
        }
    }

    /// Sends the present name to the present server.
    fn ask<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let Some(server) = self.servers.get(self.server).copied() else { return self.finish(cx) };
        self.round += 1;
        self.found.clear();
        self.ttl = None;
        if let Err(e) = self.send(cx, server) {
            return self.silent(cx, errno_word(e));
        }
        cx.timer(self.timeout, self.round);
    }

    fn send<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, server: Ipv4Addr) -> Result<(), Errno> {
        if let Some(s) = self.sock {
            // The same again, from where it was asked before.
            self.waiting.clone_from(&self.sent);
            for (id, qtype, name) in self.sent.clone() {
                let query = Message::query(id, &self.names[name], qtype).bytes(false).ok_or(Errno::EINVAL)?;
                cx.k.udp_sendto(s, None, query)?;
            }
            return Ok(());
        }
        let s = cx.socket(SockKind::Udp);
        self.sock = Some(s);
        cx.k.udp_connect(s, server, PORT)?;
        self.waiting.clear();
        let names = if self.habit == Habit::Nslookup { 0..self.names.len() } else { self.name..self.name + 1 };
        for (qtype, name) in self.qtypes.clone().into_iter().flat_map(|q| names.clone().map(move |n| (q, n))) {
            let id = match self.habit {
                Habit::Probe(port) => port,
                _ => cx.k.rng.next_u64() as u16,
            };
            let query = Message::query(id, &self.names[name], qtype).bytes(false).ok_or(Errno::EINVAL)?;
            cx.k.udp_sendto(s, None, query)?;
            self.waiting.push((id, qtype, name));
        }
        self.sent.clone_from(&self.waiting);
        Ok(())
    }

    fn read<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, s: SockId) {
        if let Some(e) = cx.k.sock_take_err(s) {
            return self.silent(cx, errno_word(e));
        }
        while let Some(Rcv::Udp { payload, .. }) = cx.k.sock_recv(s) {
            let Some(m) = Message::parse(&payload).filter(|m| m.response) else { continue };
            let Some(i) = self.waiting.iter().position(|w| (w.0, w.1) == (m.id, m.qtype)) else { continue };
            let (_, _, name) = self.waiting.remove(i);
            self.authoritative = m.authoritative;
            let alone = self.habit == Habit::Nslookup && matches!(m.rcode, Rcode::NoError | Rcode::NxDomain);
            if alone {
                self.name = name;
                self.found.clear();
            }
            for a in &m.answers {
                self.ttl = Some(a.ttl);
                match &a.data {
                    Data::A(a) => self.found.push(a.to_string()),
                    Data::Ptr(n) => self.found.push(n.clone()),
                    Data::Aaaa(_) => {}
                }
            }
            if alone {
                self.log(cx, m.rcode.name().to_owned(), Some(self.found.clone()));
                if !self.found.is_empty() {
                    cx.app.report.addrs.get_or_insert_default().append(&mut self.found);
                }
                if self.waiting.is_empty() {
                    self.hang_up(cx);
                    return self.finish(cx);
                }
                continue;
            }
            // The C library waits for the other answer, be one as bad as it may.
            let bad = !matches!(m.rcode, Rcode::NoError | Rcode::NxDomain) && self.habit != Habit::Libc;
            if self.waiting.is_empty() || bad {
                return self.answered(cx, m.rcode);
            }
        }
    }

    fn log<R: Recorder>(&self, cx: &mut Cx<'_, R>, rcode: String, answers: Option<Vec<String>>) {
        let Some(how) = &mut cx.app.report.how else { return };
        how.queries.push(Asked {
            server: self.servers[self.server].to_string(),
            name: self.names[self.name].clone(),
            rcode,
            authoritative: self.authoritative,
            ttl: self.ttl.filter(|_| answers.is_some()),
            answers,
        });
    }

    fn hang_up<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        self.round += 1;
        if let Some(s) = self.sock.take() {
            cx.close(s);
        }
    }

    /// The C library asks an only server again from the same socket (`__res_context_send`).
    fn asks_again(&self) -> bool {
        self.habit == Habit::Libc && self.servers.len() == 1 && self.attempt + 1 < self.attempts
    }

    /// The present server has answered every query.
    fn answered<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, rcode: Rcode) {
        let over = !self.found.is_empty() || matches!(rcode, Rcode::NoError | Rcode::NxDomain);
        if over || !self.asks_again() {
            self.hang_up(cx);
        }
        // A name without an address of one family only has the other's answer.
        let rcode = if self.found.is_empty() { rcode } else { Rcode::NoError };
        self.log(cx, rcode.name().to_owned(), Some(self.found.clone()));
        match rcode {
            Rcode::NoError if !self.found.is_empty() => {
                let r = &mut cx.app.report;
                r.addrs = Some(std::mem::take(&mut self.found));
                self.finish(cx);
            }
            Rcode::NoError | Rcode::NxDomain => self.next_name(cx),
            _ => self.next_server(cx),
        }
    }

    /// The present server did not answer, or could not be asked.
    fn silent<R: Recorder>(&mut self, cx: &mut Cx<'_, R>, word: String) {
        if word != "timeout" || !self.asks_again() {
            self.hang_up(cx);
        }
        self.log(cx, word, None);
        self.next_server(cx);
    }

    fn next_server<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        self.server += 1;
        if self.server == self.servers.len() {
            self.server = 0;
            self.attempt += 1;
        }
        if self.attempt < self.attempts {
            return self.ask(cx);
        }
        self.trouble = true;
        // The C library gives up when nobody answers; a probe tries its other names.
        let goes_on = matches!(self.habit, Habit::Probe(_)) || (self.as_is_first && self.name == 0);
        if goes_on { self.next_name(cx) } else { self.finish(cx) }
    }

    fn next_name<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        self.name += 1;
        self.server = 0;
        self.attempt = 0;
        if self.name < self.names.len() { self.ask(cx) } else { self.finish(cx) }
    }

    fn finish<R: Recorder>(&mut self, cx: &mut Cx<'_, R>) {
        let found = cx.app.report.addrs.is_some();
        cx.app.report.outcome = Some(if found { Outcome::Reply } else { Outcome::ResolveFailed });
        // 2: nobody knows the name; 3: nobody could be asked (`EAI_NONAME`, `EAI_AGAIN`).
        cx.exit(if found {
            0
        } else if self.trouble {
            3
        } else {
            2
        });
    }
}

fn errno_word(e: Errno) -> String {
    // serde knows how an outcome is spelt.
    serde_json::to_value(local_class(e)).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

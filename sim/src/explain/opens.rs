//! What else a change lets through: the same connections between places are tried before and after it.

use std::net::Ipv4Addr;

use super::prove::apply;
use super::{Fix, Line, copy, world};
use crate::app::probe::Probe;
use crate::kernel::types::{HostId, NetnsId};
use crate::scenario::What;
use crate::session::Session;
use crate::trace::Outcome;

/// How many connections are tried at most.
const BOUND: usize = 120;
/// How many places take part at most.
const PLACES: usize = 10;

/// Connections between the places of a world, and which of them work.
pub struct Others {
    all: Vec<(HostId, NetnsId, String, Probe)>,
    before: Vec<bool>,
}

impl Others {
    /// Tries them in the world as it is. The line that is being explained is not among them.
    pub fn of(s: &Session, what: &What) -> Others {
        let own = match what {
            What::Probe { place, probe } => Some((place.clone(), format!("{} {}", probe.target, probe.port))),
            _ => None,
        };
        // What a typed tool tries stands in its line.
        let typed = match what {
            What::Command { place, line } => {
                Some((place.clone(), line.split_whitespace().map(str::to_owned).collect()))
            }
            _ => None,
        };
        let typed = |s: &Session, from: NetnsId, kind: &str, a: Ipv4Addr| {
            let Some((place, words)): &Option<(String, Vec<String>)> = &typed else { return false };
            let tool = words.iter().any(|w| w == kind);
            tool && s.place(place).is_ok_and(|p| p.1 == from) && words.iter().any(|w| *w == a.to_string())
        };
        let mut all = Vec::new();
        let places = places(s);
        for (host, from) in &places {
            for (_, to) in places.iter().filter(|p| p.1 != *from) {
                let Some(a) = address(s, *to) else { continue };
                let mut add = |kind: &str, target: String, port: u16| {
                    let label = world::place(s, *from);
                    let same = own
                        .as_ref()
                        .is_some_and(|(p, t)| s.place(p).is_ok_and(|x| x.1 == *from) && *t == format!("{a} {port}"));
                    let text = format!("{kind} -W 1 {target}");
                    if let Ok(p) = Probe::parse(&text)
                        && !same
                        && !typed(s, *from, kind, a)
                        && all.len() < BOUND
                    {
                        let name = match kind {
                            "ping" => format!("{label} pings {}", world::place(s, *to)),
                            k => format!("{label} reaches {k} port {port} of {}", world::place(s, *to)),
                        };
                        all.push((*host, *from, name, p));
                    }
                };
                add("ping", a.to_string(), 0);
                for port in listeners(s, *to) {
                    add("tcp", format!("{a}:{port}"), port);
                }
            }
        }
        let before = all.iter().map(|c| works(s, c)).collect();
        Others { all, before }
    }

    /// A fix with what it opens and closes.
    pub fn fix(&self, s: &Session, lines: Vec<Line>) -> Fix {
        let (mut opens, mut closes) = (Vec::new(), Vec::new());
        if let Some(changed) = apply(s, &lines) {
            for (c, before) in self.all.iter().zip(&self.before) {
                match (before, works(&changed, c)) {
                    (false, true) => opens.push(c.2.clone()),
                    (true, false) => closes.push(c.2.clone()),
                    _ => {}
                }
            }
        }
        Fix { lines, opens, closes, tried: self.all.len() }
    }
}

/// Hosts, namespaces made by hand, containers.
fn places(s: &Session) -> Vec<(HostId, NetnsId)> {
    let mut all = Vec::new();
    for (i, n) in s.kernel.netns.iter().enumerate() {
        let inner = n.label.split_once('/').is_some_and(|(_, r)| r.starts_with("overlay:") || r.starts_with("lb:"));
        if n.alive && !n.is_switch && !inner && all.len() < PLACES {
            all.push((n.host, NetnsId(i as u32)));
        }
    }
    all
}

fn address(s: &Session, ns: NetnsId) -> Option<Ipv4Addr> {
    s.kernel.devs_of(ns).filter(|d| d.alive && !d.is_loopback()).flat_map(|d| d.addrs.first()).map(|a| a.local).next()
}

fn listeners(s: &Session, ns: NetnsId) -> Vec<u16> {
    let mut ports: Vec<u16> = s
        .kernel
        .sockets(ns)
        .iter()
        .filter(|x| x.state == "LISTEN" && !x.local.is_loopback())
        .map(|x| x.lport)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports.truncate(3);
    ports
}

fn works(s: &Session, (host, ns, _, probe): &(HostId, NetnsId, String, Probe)) -> bool {
    let mut s = copy(s);
    s.probe(*host, *ns, probe).outcome == Some(Outcome::Reply)
}

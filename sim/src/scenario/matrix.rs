//! `reaches:`: who must reach whom, and who must not.
//!
//! A row is a place or a group and its targets: `web: [db:5432, cache:6379/udp, not db:22]`. A target without a port is
//! pinged. `none` stands for: none of the targets that the other rows name, and none of their places by ping.

use std::net::Ipv4Addr;

use super::At;
use super::node::{Node, Value};
use super::read::Reader;
use super::suggest::closest;

/// Targets of a place or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where in the file.
    pub at: At,
    /// A place, a network or a pattern.
    pub from: String,
    /// Whom it must reach or must not.
    pub targets: Vec<Target>,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where in the file.
    pub at: At,
    /// It must answer; else it must not.
    pub want: bool,
    /// A place, a network, a pattern or an address.
    pub name: String,
    /// How it is asked.
    pub by: By,
}

/// How a target is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// An echo request.
    Ping,
    /// A TCP connection and a word.
    Tcp(u16),
    /// A UDP datagram.
    Udp(u16),
}

impl By {
    /// The probe that asks an address.
    pub fn probe(self, a: Ipv4Addr) -> String {
        match self {
            By::Ping => format!("ping {a}"),
            By::Tcp(p) => format!("tcp {a}:{p}"),
            By::Udp(p) => format!("udp {a}:{p}"),
        }
    }
}

impl Target {
    /// As it is written, without `not`.
    pub fn text(&self) -> String {
        match self.by {
            By::Ping => self.name.clone(),
            By::Tcp(p) => format!("{}:{p}", self.name),
            By::Udp(p) => format!("{}:{p}/udp", self.name),
        }
    }
}

const FORM: &str = "write NAME:PORT, NAME:PORT/udp or NAME (a ping), with `not ` before one that must not answer";

/// Reads a target.
fn target(text: &str) -> Result<(bool, String, By), String> {
    let (want, rest) = match text.strip_prefix("not ") {
        Some(r) => (false, r.trim()),
        None => (true, text.trim()),
    };
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let (head, proto) = match rest.rsplit_once('/') {
        Some((h, p)) if h.rsplit_once(':').is_some_and(|x| digits(x.1)) => (h, Some(p)),
        _ => (rest, None),
    };
    let (name, by) = match head.rsplit_once(':') {
        Some((name, port)) if digits(port) => {
            let port: u16 = port.parse().ok().filter(|p| *p > 0).ok_or_else(|| format!("{port} is no port"))?;
            let by = match proto {
                None | Some("tcp") => By::Tcp(port),
                Some("udp") => By::Udp(port),
                Some(p) => return Err(format!("`{p}` is neither tcp nor udp")),
            };
            (name, by)
        }
        _ => (head, By::Ping),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!("`{text}` is no target"));
    }
    Ok((want, name.to_owned(), by))
}

impl Reader {
    /// `reaches:`.
    pub(super) fn reaches(&mut self, n: &Node) -> Vec<Row> {
        let help = "reaches: {web: [db:5432, not db:22], \"dmz/*\": none}";
        let Value::Map(m) = &n.value else {
            self.issue(n.at, format!("reaches is {}, not a mapping", n.kind()), help);
            return Vec::new();
        };
        if m.is_empty() {
            self.issue(n.at, "`reaches` is empty", help);
        }
        let mut rows = Vec::new();
        let mut nones = Vec::new();
        for (from, at, x) in m {
            self.spot(from, *at);
            let mut row = Row { at: *at, from: from.clone(), targets: Vec::new() };
            match &x.value {
                Value::Scalar(t) if t == "none" => nones.push((rows.len(), x.at)),
                Value::Scalar(t) => row.targets.extend(self.target(t, x.at)),
                Value::List(l) if l.is_empty() => {
                    self.issue(x.at, format!("`{from}` has no targets"), FORM);
                }
                _ => {
                    for y in self.list(x, "the targets of a place") {
                        let Some(t) = self.text(y, "a target") else { continue };
                        row.targets.extend(self.target(&t, y.at));
                    }
                }
            }
            rows.push(row);
        }
        let written = rows.clone();
        for (i, at) in nones {
            let targets = others(&written, i, at);
            if targets.is_empty() {
                let what = format!("nothing is tried for `{}: none`", rows[i].from);
                self.issue(at, what, "`none` stands for the targets and places of the other rows; name some");
            }
            rows[i].targets = targets;
        }
        rows
    }

    fn target(&mut self, t: &str, at: At) -> Option<Target> {
        match target(t) {
            Ok((want, name, by)) => {
                if name.parse::<Ipv4Addr>().is_err() {
                    self.spot(&name, at);
                }
                Some(Target { at, want, name, by })
            }
            Err(why) => {
                self.issue(at, why, FORM);
                None
            }
        }
    }

    /// A place or a group, as far as it can be known before anything runs.
    fn spot(&mut self, name: &str, at: At) {
        if is_pattern(name) || self.places.iter().chain(&self.networks).any(|p| p.contains('$')) {
            return;
        }
        let (host, net) = match name.split_once("net:") {
            Some((h, n)) => (h.trim_end_matches('/'), Some(n)),
            None => ("", None),
        };
        if !host.is_empty() {
            self.place(host, at);
        }
        let builtin = |n: &str| matches!(n, "bridge" | "docker_gwbridge" | "ingress");
        let known = |r: &Reader, n: &str| r.networks.contains(n) || builtin(n);
        match net {
            Some(n) if known(self, n) => {}
            Some(n) => self.issue(at, format!("no line makes a network `{n}`"), "`docker network create` makes one"),
            None if name.contains('/') => self.place(name, at),
            None if self.places.contains(name) || known(self, name) => {}
            None => {
                let all: Vec<&str> = self.places.iter().chain(&self.networks).map(String::as_str).collect();
                let help = match closest(name, &all) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("hosts, namespaces and containers here: {}", join(&self.places)),
                };
                self.issue(at, format!("there is no host, namespace, container or network `{name}`"), help);
            }
        }
    }
}

/// Whether a name is a pattern (`dmz/*`).
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn join(all: &std::collections::BTreeSet<String>) -> String {
    all.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What `none` of a row stands for: the targets of the other rows, and their places by ping.
fn others(rows: &[Row], i: usize, at: At) -> Vec<Target> {
    let mut out: Vec<Target> = Vec::new();
    let mut add = |name: &str, by: By| {
        if !out.iter().any(|t| t.name == name && t.by == by) {
            out.push(Target { at, want: false, name: name.to_owned(), by });
        }
    };
    for r in rows.iter().enumerate().filter(|(k, _)| *k != i).map(|x| x.1) {
        for t in r.targets.iter() {
            add(&t.name, t.by);
        }
    }
    for r in rows.iter().enumerate().filter(|(k, _)| *k != i).map(|x| x.1) {
        add(&r.from, By::Ping);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        assert_eq!(target("db:5432"), Ok((true, "db".into(), By::Tcp(5432))));
        assert_eq!(target("not n1/net:back:53/udp"), Ok((false, "n1/net:back".into(), By::Udp(53))));
        assert_eq!(target("n1/ns:red"), Ok((true, "n1/ns:red".into(), By::Ping)));
        assert_eq!(target("10.0.0.1:80/tcp"), Ok((true, "10.0.0.1".into(), By::Tcp(80))));
        assert!(target("db:0").is_err() && target("db:80/sctp").is_err() && target("a b").is_err());
    }
}

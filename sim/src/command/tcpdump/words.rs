//! The words of a `tcpdump` line.

use std::net::Ipv4Addr;

use crate::command::Refusal;
use crate::wire::{Body, L4, Packet};

/// A term of the filter; all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    Icmp,
    Arp,
    Tcp,
    Udp,
    Ip,
    Port(u16),
    Host(Ipv4Addr, Side),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Either,
    Src,
    Dst,
}

/// What a line asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// `-i`.
    pub dev: Option<String>,
    /// `-c`.
    pub count: Option<usize>,
    /// `-e`.
    pub ether: bool,
    /// `-t`: no time.
    pub timeless: bool,
    /// `-l`: lines are written one by one.
    pub line_buffered: bool,
    /// `--immediate-mode`: the kernel hands over each packet as it comes.
    pub immediate: bool,
    /// The filter's terms, each with its `not`.
    pub filter: Vec<(bool, Term)>,
}

/// Reads a line.
///
/// # Errors
/// Options and filters that the model has not.
pub(super) fn parse(argv: &[String]) -> Result<Ask, Refusal> {
    let mut a = Ask::default();
    let mut i = 1;
    while i < argv.len() && argv[i].starts_with('-') && argv[i].len() > 1 {
        if argv[i] == "--immediate-mode" {
            a.immediate = true;
            i += 1;
            continue;
        }
        let cs = argv[i][1..].char_indices();
        let word = argv[i].clone();
        let at = i;
        for (pos, c) in cs {
            let mut value = || {
                let rest = &word[1 + pos + 1..];
                if rest.is_empty() {
                    i += 1;
                    argv.get(i).cloned()
                } else {
                    Some(rest.to_owned())
                }
            };
            match c {
                'n' | 'p' => {}
                'l' | 'U' => a.line_buffered = true,
                // Twice it is another form of time.
                't' if !a.timeless => a.timeless = true,
                'e' => a.ether = true,
                'i' => {
                    let none = || Refusal::new("tcpdump -i without a device", at);
                    a.dev = Some(value().ok_or_else(none)?);
                    break;
                }
                'c' => {
                    let none = || Refusal::new("tcpdump -c without a number", at);
                    a.count = Some(value().and_then(|v| v.parse().ok()).ok_or_else(none)?);
                    break;
                }
                _ => return Err(Refusal::new(format!("tcpdump -{c}"), at)),
            }
        }
        i += 1;
    }
    // The filter may be one quoted word.
    let words: Vec<(usize, String)> = argv[i..]
        .iter()
        .enumerate()
        .flat_map(|(n, w)| w.split_whitespace().map(move |x| (i + n, x.to_owned())).collect::<Vec<_>>())
        .collect();
    let mut w = words.into_iter();
    let mut not = false;
    let mut side = Side::Either;
    while let Some((at, x)) = w.next() {
        let bad = |what: &str| Refusal::new(format!("tcpdump filter \"{what}\""), at);
        let term = match x.as_str() {
            "and" | "&&" => continue,
            "not" | "!" => {
                not = !not;
                continue;
            }
            "src" => {
                side = Side::Src;
                continue;
            }
            "dst" => {
                side = Side::Dst;
                continue;
            }
            "icmp" => Term::Icmp,
            "arp" => Term::Arp,
            "tcp" => Term::Tcp,
            "udp" => Term::Udp,
            "ip" => Term::Ip,
            "port" if side == Side::Either => {
                Term::Port(w.next().and_then(|x| x.1.parse().ok()).ok_or_else(|| bad("port"))?)
            }
            "host" => Term::Host(w.next().and_then(|x| x.1.parse().ok()).ok_or_else(|| bad("host"))?, side),
            other if side != Side::Either => Term::Host(other.parse().map_err(|_| bad(other))?, side),
            other => return Err(bad(other)),
        };
        side = Side::Either;
        a.filter.push((std::mem::take(&mut not), term));
    }
    Ok(a)
}

impl Term {
    /// Is the packet one of these?
    pub(super) fn fits(&self, p: &Packet) -> bool {
        let ip = p.ipv4();
        match self {
            Term::Arp => matches!(p.body, Body::Arp(_)),
            Term::Ip => ip.is_some(),
            Term::Icmp => ip.is_some_and(|i| i.proto() == 1),
            Term::Tcp => ip.is_some_and(|i| i.proto() == 6),
            Term::Udp => ip.is_some_and(|i| i.proto() == 17),
            Term::Port(n) => match ip.map(|i| &i.l4) {
                Some(L4::Tcp(t)) => t.sport == *n || t.dport == *n,
                Some(L4::Udp(u)) => u.sport == *n || u.dport == *n,
                _ => false,
            },
            Term::Host(a, side) => {
                let (s, d) = match &p.body {
                    Body::Ipv4(i) => (i.src, i.dst),
                    Body::Arp(x) => (x.spa, x.tpa),
                    Body::Other(..) => return false,
                };
                (*side != Side::Dst && s == *a) || (*side != Side::Src && d == *a)
            }
        }
    }
}

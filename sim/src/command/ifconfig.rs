//! `ifconfig` (net-tools 2.10).

pub(crate) mod show;

use std::net::Ipv4Addr;

use super::{Exit, Proc, Refusal};
use crate::kernel::link::IfAddr;
use crate::kernel::types::{DevId, Errno};
use crate::op::{LinkChange, Op};
use crate::wire::MacAddr;

/// Words that net-tools has and the model has not.
const REFUSED: &[&str] = &[
    "add",
    "del",
    "pointopoint",
    "-pointopoint",
    "-broadcast",
    "dstaddr",
    "tunnel",
    "outfill",
    "keepalive",
    "trailers",
    "-trailers",
    "mem_start",
    "io_addr",
    "irq",
    "media",
    "name",
    "dynamic",
    "-dynamic",
    "inet6",
];

/// Runs `ifconfig`.
///
/// # Errors
/// Words that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let (mut all, mut short) = (false, false);
    let mut at = 1;
    while let Some(w) = argv.get(at).filter(|w| w.starts_with('-')) {
        match w.as_str() {
            "-a" => all = true,
            "-s" => short = true,
            "-v" => {}
            "-V" | "--version" | "-h" | "--help" | "-?" => {
                return Err(Refusal::new(format!("ifconfig {w}"), at));
            }
            w => {
                p.err.push_str(&format!("ifconfig: option `{w}' not recognised.\n"));
                p.err.push_str("ifconfig: `--help' gives usage information.\n");
                return Ok(1);
            }
        }
        at += 1;
    }
    let Some(name) = argv.get(at) else {
        show::list(p, None, all, short);
        return Ok(0);
    };
    at += 1;
    if argv.get(at).is_some_and(|w| w == "inet") {
        at += 1;
    }
    if at >= argv.len() {
        if !show::list(p, Some(name), all, short) {
            p.err.push_str(&format!("{name}: error fetching interface information: Device not found\n"));
            return Ok(1);
        }
        return Ok(0);
    }
    Setter::new(p, name).set(argv, at)
}

/// An interface being changed, word by word: what went wrong makes the exit status.
struct Setter<'p, 's> {
    p: &'p mut Proc<'s>,
    /// Name as typed, alias included: the label of its address.
    name: String,
    dev: Option<DevId>,
    status: i32,
}

impl<'p, 's> Setter<'p, 's> {
    fn new(p: &'p mut Proc<'s>, name: &str) -> Self {
        let plain = name.split(':').next().unwrap_or(name);
        let dev = p.sess.kernel.dev_by_name(p.ns, plain);
        Setter { p, name: name.to_owned(), dev, status: 0 }
    }

    fn set(mut self, argv: &[String], mut at: usize) -> Exit {
        let mut mask = None;
        while let Some(w) = argv.get(at).map(String::as_str) {
            at += 1;
            let (word, on) = match w.strip_prefix('-') {
                Some(rest) => (rest, false),
                None => (w, true),
            };
            let flag = match word {
                "arp" => Some(LinkChange::Arp(on)),
                "promisc" => Some(LinkChange::Promisc(on)),
                "allmulti" => Some(LinkChange::Allmulti(on)),
                "multicast" => Some(LinkChange::Multicast(on)),
                _ => None,
            };
            if let Some(c) = flag {
                if !self.flags(c) {
                    return Ok(255);
                }
                continue;
            }
            if matches!(w, "netmask" | "broadcast" | "mtu" | "txqueuelen" | "hw" | "metric") && at >= argv.len() {
                self.p.err.push_str("Usage:\n  ifconfig [-a] [-v] [-s] <interface> [[<AF>] <address>]\n");
                return Ok(3);
            }
            let value = argv.get(at).cloned().unwrap_or_default();
            match w {
                "up" | "down" => {
                    let up = w == "up";
                    let done = match self.dev {
                        // An alias that goes down loses its address.
                        Some(d) if !up && self.name.contains(':') => self.alias_down(d),
                        _ => self.flags(LinkChange::Up(up)),
                    };
                    if !done {
                        return Ok(255);
                    }
                }
                "mtu" | "txqueuelen" => {
                    at += 1;
                    let n = value.parse().unwrap_or(0);
                    let (call, c) = match w {
                        "mtu" => ("SIOCSIFMTU", LinkChange::Mtu(n)),
                        _ => ("SIOCSIFTXQLEN", LinkChange::Txqlen(n)),
                    };
                    let done = self.change(c);
                    self.said(call, done);
                }
                "hw" => {
                    if value != "ether" {
                        return Err(Refusal::new(format!("ifconfig hw {value}"), at));
                    }
                    let mac = argv.get(at + 1).cloned().unwrap_or_default();
                    at += 2;
                    match mac.parse::<MacAddr>() {
                        Ok(m) => {
                            let done = self.change(LinkChange::Mac(m));
                            self.said("SIOCSIFHWADDR", done);
                        }
                        Err(_) => {
                            self.p.err.push_str(&format!("{mac}: invalid ether address.\n"));
                            return Ok(1);
                        }
                    }
                }
                "netmask" | "broadcast" => {
                    at += 1;
                    let Some(a) = self.resolve(&value) else { return Ok(1) };
                    if w == "netmask" {
                        mask = Some(a);
                        self.netmask(a);
                    } else {
                        let done = self.address().and_then(|(d, old)| {
                            let new = IfAddr { broadcast: Some(a), ..old.clone() };
                            self.swap(d, &old, new)
                        });
                        self.said("SIOCSIFBRDADDR", done);
                    }
                }
                w if REFUSED.contains(&w) => return Err(Refusal::new(format!("ifconfig {w}"), at - 1)),
                w => {
                    let (text, prefix) = match w.split_once('/') {
                        Some((a, n)) => (a, n.parse::<u8>().ok().filter(|n| *n <= 32)),
                        None => (w, None),
                    };
                    let Some(a) = self.resolve(text) else {
                        self.p.err.push_str("ifconfig: `--help' gives usage information.\n");
                        return Ok(1);
                    };
                    let done = self.set_address(a);
                    self.said("SIOCSIFADDR", done);
                    if !self.flags(LinkChange::Up(true)) {
                        return Ok(255);
                    }
                    if let Some(m) = prefix.map(mask_of).or(mask).filter(|_| !a.is_unspecified()) {
                        self.netmask(m);
                    }
                }
            }
        }
        Ok(self.status)
    }

    /// A numeric address, or a name of `/etc/hosts`.
    fn resolve(&mut self, text: &str) -> Option<Ipv4Addr> {
        let found = match text {
            "default" => Some(Ipv4Addr::UNSPECIFIED),
            t => t.parse().ok().or_else(|| self.p.lookup(t).ok()),
        };
        if found.is_none() {
            let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let why = if numeric { "Unknown host" } else { "Host name lookup failure" };
            self.p.err.push_str(&format!("{text}: {why}\n"));
        }
        found
    }

    fn apply(&mut self, op: &Op) -> Result<(), Errno> {
        self.p.sess.kernel.apply(op).map(|_| ()).map_err(|e| e.errno)
    }

    fn change(&mut self, c: LinkChange) -> Result<(), Errno> {
        let dev = self.dev.ok_or(Errno::ENODEV)?;
        self.apply(&Op::LinkSet { dev, changes: vec![c] })
    }

    fn said(&mut self, call: &str, done: Result<(), Errno>) {
        if let Err(e) = done {
            self.p.err.push_str(&format!("{call}: {e}\n"));
            self.status = 1;
        }
    }

    /// Changes flags; false ends the tool.
    fn flags(&mut self, c: LinkChange) -> bool {
        if self.dev.is_none() {
            let text = format!("{}: ERROR while getting interface flags: No such device\n", self.name);
            self.p.err.push_str(&text);
            return false;
        }
        let done = self.change(c);
        self.said("SIOCSIFFLAGS", done);
        true
    }

    /// The address that the old calls mean: the first with the name as its label.
    fn address(&self) -> Result<(DevId, IfAddr), Errno> {
        let dev = self.dev.ok_or(Errno::ENODEV)?;
        let a = self.p.sess.kernel.dev(dev).addrs.iter().find(|a| a.label == self.name);
        a.map(|a| (dev, a.clone())).ok_or(Errno::EADDRNOTAVAIL)
    }

    fn delete(&mut self, dev: DevId, a: &IfAddr) -> Result<(), Errno> {
        let op = Op::AddrDel { dev, local: a.local, prefix: Some(a.prefix), peer: None, label: Some(a.label.clone()) };
        self.apply(&op)
    }

    fn swap(&mut self, dev: DevId, old: &IfAddr, new: IfAddr) -> Result<(), Errno> {
        self.delete(dev, old)?;
        self.apply(&Op::AddrAdd { dev, addr: new, replace: false })
    }

    fn alias_down(&mut self, dev: DevId) -> bool {
        if let Ok((_, a)) = self.address() {
            let done = self.delete(dev, &a);
            self.said("SIOCSIFFLAGS", done);
        }
        true
    }

    /// `SIOCSIFADDR`: the address takes the place of the old one, with the mask of its class.
    fn set_address(&mut self, a: Ipv4Addr) -> Result<(), Errno> {
        let dev = self.dev.ok_or(Errno::ENODEV)?;
        let Some(prefix) = class_prefix(a) else { return Err(Errno::EINVAL) };
        if let Ok((_, old)) = self.address() {
            if old.local == a {
                return Ok(());
            }
            self.delete(dev, &old)?;
        }
        if a.is_unspecified() {
            return Ok(());
        }
        let loopback = self.p.sess.kernel.dev(dev).is_loopback();
        let broadcast = (!loopback).then(|| last(a, prefix));
        let addr = IfAddr {
            local: a,
            peer: a,
            prefix,
            broadcast,
            scope: if a.is_loopback() { crate::kernel::fib::scope::HOST } else { 0 },
            secondary: false,
            noprefixroute: false,
            label: self.name.clone(),
        };
        self.apply(&Op::AddrAdd { dev, addr, replace: false })
    }

    /// `SIOCSIFNETMASK`: the broadcast address follows where it was the old subnet's.
    fn netmask(&mut self, mask: Ipv4Addr) {
        let bits = u32::from(mask);
        let done = self.address().and_then(|(dev, old)| {
            if bits.leading_ones() + bits.trailing_zeros() != 32 {
                return Err(Errno::EINVAL);
            }
            let prefix = bits.leading_ones() as u8;
            if prefix == old.prefix {
                return Ok(());
            }
            let follows = old.prefix < 31 && old.broadcast == Some(last(old.local, old.prefix));
            let broadcast = if follows { Some(last(old.local, prefix)) } else { old.broadcast };
            self.swap(dev, &old, IfAddr { prefix, broadcast, secondary: false, ..old.clone() })
        });
        self.said("SIOCSIFNETMASK", done);
    }
}

/// `inet_abc_len`: the prefix length of an address's class.
fn class_prefix(a: Ipv4Addr) -> Option<u8> {
    match a.octets()[0] {
        _ if a.is_unspecified() => Some(0),
        0..=127 => Some(8),
        128..=191 => Some(16),
        192..=223 => Some(24),
        _ => None,
    }
}

/// The netmask of a prefix length.
pub(crate) fn mask_of(prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0))
}

fn last(a: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(a) | !u32::from(mask_of(prefix)))
}

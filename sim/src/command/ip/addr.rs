//! `ip addr` (ip/ipaddress.c).

use std::net::Ipv4Addr;

use super::args::{Args, Bad, expected, invarg, matches, parse_host_prefix, parse_prefix, scope};
use super::link::{Show, show_dev, show_options};
use super::{Globals, addr_show, apply, dev, flushed, nl_error};
use crate::command::Proc;
use crate::kernel::link::IfAddr;
use crate::kernel::types::{DevId, Errno};
use crate::op::Op;

/// An address as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddrSpec {
    /// Device.
    pub dev: Option<String>,
    /// The address; none where there was none, or `any`: the kernel knows no family for it.
    pub local: Option<Ipv4Addr>,
    /// Prefix length.
    pub prefix: u8,
    /// The prefix length was given.
    pub prefix_given: bool,
    /// `peer`.
    pub peer: Option<Ipv4Addr>,
    /// `broadcast`: an address, or `+` and `-` for host bits all one and all zero.
    pub brd: Option<String>,
    /// `scope`.
    pub scope: Option<u8>,
    /// `label`.
    pub label: Option<String>,
    /// `noprefixroute`.
    pub noprefixroute: bool,
}

/// What to show or flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddrShow {
    /// Which devices.
    pub link: Show,
    /// `to`: addresses within a prefix.
    pub to: Option<(Ipv4Addr, u8)>,
    /// `scope`.
    pub scope: Option<u8>,
    /// `label`.
    pub label: Option<String>,
    /// `primary` (true) or `secondary` (false).
    pub primary: Option<bool>,
}

/// An `ip addr` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddrCmd {
    /// `add`.
    Add(AddrSpec),
    /// `replace`, `change`.
    Replace(AddrSpec),
    /// `del`.
    Del(AddrSpec),
    /// `show`.
    Show(AddrShow),
    /// `flush`.
    Flush(AddrShow),
}

pub(super) fn parse(a: &mut Args<'_>) -> Result<AddrCmd, Bad> {
    let Some(w) = a.next() else { return Ok(AddrCmd::Show(AddrShow::default())) };
    match w {
        _ if matches(w, "add") => spec(a).map(AddrCmd::Add),
        _ if matches(w, "change") || matches(w, "chg") || matches(w, "replace") => spec(a).map(AddrCmd::Replace),
        _ if matches(w, "delete") => spec(a).map(AddrCmd::Del),
        _ if matches(w, "show") || matches(w, "lst") || matches(w, "list") => filter(a).map(AddrCmd::Show),
        _ if matches(w, "flush") => filter(a).map(AddrCmd::Flush),
        "help" => Err(super::usage("ip address { add | change | replace | del | show | flush }")),
        "save" | "restore" | "showdump" => Err(a.refuse_last(&format!("ip address {w}"))),
        _ => Err(Bad::Say(format!("Command \"{w}\" is unknown, try \"ip address help\".\n"), 255)),
    }
}

fn spec(a: &mut Args<'_>) -> Result<AddrSpec, Bad> {
    let mut local: Option<(Ipv4Addr, u8, bool)> = None;
    let mut s = AddrSpec {
        dev: None,
        local: None,
        prefix: 32,
        prefix_given: false,
        peer: None,
        brd: None,
        scope: None,
        label: None,
        noprefixroute: false,
    };
    let mut peer_len = None;
    while let Some(w) = a.next() {
        match w {
            "peer" | "remote" => {
                let v = a.value()?;
                let (p, len, given) = parse_host_prefix(v)?;
                s.peer = Some(p);
                peer_len = given.then_some(len);
            }
            "broadcast" | "brd" => {
                let v = a.value()?;
                if !matches!(v, "+" | "-") && v.parse::<Ipv4Addr>().is_err() {
                    return Err(expected("inet address", v));
                }
                s.brd = Some(v.to_owned());
            }
            "scope" => {
                let v = a.value()?;
                s.scope = Some(scope(v).ok_or_else(|| invarg("invalid scope value.", v))?);
            }
            "dev" => s.dev = Some(a.value()?.to_owned()),
            "label" => s.label = Some(a.value()?.to_owned()),
            "noprefixroute" => s.noprefixroute = true,
            "anycast" | "metric" | "valid_lft" | "preferred_lft" | "home" | "mngtmpaddr" | "nodad" | "optimistic"
            | "autojoin" | "proto" => return Err(a.refuse_last(&format!("ip address {w}"))),
            _ => {
                let v = if w == "local" { a.value()? } else { w };
                if v.contains(':') {
                    return Err(a.refuse_last("IPv6 addresses: IPv6 is not modelled"));
                }
                if local.is_some() {
                    let m = format!("Error: either \"local\" is duplicate, or \"{v}\" is a garbage.\n");
                    return Err(Bad::Say(m, 255));
                }
                if matches!(v, "any" | "default" | "all") {
                    continue;
                }
                local = Some(parse_host_prefix(v)?);
            }
        }
    }
    if let Some((l, len, given)) = local {
        s.local = Some(l);
        s.prefix = peer_len.unwrap_or(len);
        s.prefix_given = given || peer_len.is_some();
    }
    if s.dev.is_none() {
        return Err(Bad::Say("Not enough information: \"dev\" argument is required.\n".into(), 1));
    }
    Ok(s)
}

fn filter(a: &mut Args<'_>) -> Result<AddrShow, Bad> {
    let mut s = AddrShow::default();
    while let Some(w) = a.next() {
        match w {
            "to" => {
                let (n, _) = parse_prefix(a.value()?, "any valid")?;
                s.to = Some((n.addr(), n.prefix_len()));
            }
            "scope" => {
                let v = a.value()?;
                if v != "all" {
                    s.scope = Some(scope(v).ok_or_else(|| invarg("invalid \"scope\"\n", v))?);
                }
            }
            "label" => s.label = Some(a.value()?.to_owned()),
            "primary" => s.primary = Some(true),
            "secondary" => s.primary = Some(false),
            // Addresses of the model are all permanent, and none is any of the others.
            "permanent" => {}
            "dynamic" | "tentative" | "deprecated" | "dadfailed" | "temporary" | "-permanent" | "-primary"
            | "-secondary" | "-dynamic" | "-tentative" | "-deprecated" | "-dadfailed" => {
                return Err(a.refuse_last(&format!("ip address show {w}")));
            }
            _ if show_options(a, &mut s.link, w)? => {}
            _ => show_dev(&mut s.link, w)?,
        }
    }
    Ok(s)
}

pub(super) fn exec(p: &mut Proc<'_>, g: &Globals, c: &AddrCmd) -> Result<i32, Bad> {
    match c {
        AddrCmd::Add(s) | AddrCmd::Replace(s) => {
            let dev = dev(p, s.dev.as_deref().unwrap_or(""))?;
            let addr = s.address(s.local.ok_or_else(no_family)?);
            if addr.local.is_unspecified() {
                // `inet_insert_ifa` throws such an address away without a word.
                return Ok(0);
            }
            apply(p, &Op::AddrAdd { dev, addr, replace: matches!(c, AddrCmd::Replace(_)) })?;
        }
        AddrCmd::Del(s) => {
            let dev = dev(p, s.dev.as_deref().unwrap_or(""))?;
            let local = s.local.ok_or_else(no_family)?;
            // Without a length the kernel is asked for /32 only, as ip says.
            if !s.prefix_given && s.peer.is_none() {
                p.err.push_str(
                    "Warning: Executing wildcard deletion to stay compatible with old scripts.\n         \
                     Explicitly specify the prefix length (",
                );
                p.err.push_str(&format!("{local}/32) to avoid this warning.\n         "));
                p.err.push_str(
                    "This special behaviour is likely to disappear in further releases,\n         fix your scripts!\n",
                );
            }
            let op = Op::AddrDel {
                dev,
                local,
                prefix: s.prefix_given.then_some(s.prefix),
                peer: s.peer,
                label: s.label.clone(),
            };
            apply(p, &op)?;
        }
        AddrCmd::Show(s) => return addr_show::show(p, g, s),
        AddrCmd::Flush(s) => flush(p, g, s)?,
    }
    Ok(0)
}

/// The answer to an address without a family.
fn no_family() -> Bad {
    nl_error(&Errno::EOPNOTSUPP.into())
}

fn flush(p: &mut Proc<'_>, g: &Globals, s: &AddrShow) -> Result<(), Bad> {
    if *s == AddrShow::default() {
        return Err(Bad::Say("Flush requires arguments.\n".into(), 1));
    }
    let held = addr_show::select(p, s)?;
    if g.stats > 1 {
        addr_show::told(p, &held);
    }
    let n = held.len();
    for (dev, a) in held {
        // A primary address may have taken it along.
        let there = |k: &IfAddr| k.local == a.local && k.prefix == a.prefix;
        if p.sess.kernel.dev(dev).addrs.iter().any(there) {
            let op = Op::AddrDel { dev, local: a.local, prefix: Some(a.prefix), peer: Some(a.peer), label: None };
            apply(p, &op)?;
        }
    }
    flushed(p, g, n, "addresses");
    Ok(())
}

impl AddrSpec {
    fn address(&self, local: Ipv4Addr) -> IfAddr {
        let peer = self.peer.unwrap_or(local);
        let mask = if self.prefix == 0 { 0 } else { u32::MAX << (32 - u32::from(self.prefix)) };
        let brd = match self.brd.as_deref() {
            // Only subnets of more than two addresses have one.
            Some("+") if self.prefix < 31 => Some(Ipv4Addr::from(u32::from(peer) | !mask)),
            Some("-") if self.prefix < 31 => Some(Ipv4Addr::from(u32::from(peer) & mask)),
            Some("+" | "-") | None => None,
            Some(v) => v.parse().ok(),
        };
        let default_scope = if local.is_loopback() { 254 } else { 0 };
        IfAddr {
            local,
            peer,
            prefix: self.prefix,
            broadcast: brd,
            scope: self.scope.unwrap_or(default_scope),
            secondary: false,
            noprefixroute: self.noprefixroute,
            label: self.label.clone().unwrap_or_default(),
        }
    }
}

/// An address and the device that has it.
pub(super) type Held = (DevId, IfAddr);

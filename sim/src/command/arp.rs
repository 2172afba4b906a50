//! `arp` (net-tools 2.10).

use std::net::Ipv4Addr;

use super::opts::{BadOpt, Opt, getopt};
use super::{Exit, Proc, Refusal, names};
use crate::kernel::fib::{Flow, Lookup};
use crate::kernel::neigh::Nud;
use crate::kernel::types::{DevId, Errno};
use crate::op::{NeighVerb, Op};
use crate::wire::MacAddr;

const USAGE: &str = "\
Usage:
  arp [-vn]  [<HW>] [-i <if>] [-a] [<hostname>]             <-Display ARP cache
  arp [-v]          [-i <if>] -d  <host> [pub]               <-Delete ARP entry
  arp [-vnD] [<HW>] [-i <if>] -f  [<filename>]            <-Add entry from file
  arp [-v]   [<HW>] [-i <if>] -s  <host> <hwaddr> [temp]            <-Add entry
  arp [-v]   [<HW>] [-i <if>] -Ds <host> <if> [netmask <nm>] pub          <-''-

";

/// Runs `arp`.
///
/// # Errors
/// Options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let opts = match getopt(argv, "anvesd", "iHtAp", "DfV6h") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c)) => {
            p.err.push_str(&format!("arp: invalid option -- '{c}'\n{USAGE}"));
            return Ok(3);
        }
        Err(BadOpt::NoValue(c)) => {
            p.err.push_str(&format!("arp: option requires an argument -- '{c}'\n{USAGE}"));
            return Ok(3);
        }
    };
    let has = |c: char| opts.iter().any(|(_, o)| *o == Opt::Flag(c, None));
    let dev = opts.iter().find_map(|(_, o)| match o {
        Opt::Flag('i', Some(v)) => Some(v.clone()),
        _ => None,
    });
    let words: Vec<(usize, &str)> = opts
        .iter()
        .filter_map(|(at, o)| match o {
            Opt::Word(w) => Some((*at, w.as_str())),
            Opt::Flag(..) => None,
        })
        .collect();
    for (at, o) in &opts {
        match o {
            Opt::Flag('H' | 't', Some(v)) if v != "ether" => return Err(Refusal::new(format!("arp -H {v}"), *at)),
            Opt::Flag('A' | 'p', Some(v)) if v != "inet" => return Err(Refusal::new(format!("arp -A {v}"), *at)),
            _ => {}
        }
    }
    if let Some((at, w)) = words.iter().skip(1).find(|(_, w)| matches!(*w, "pub" | "netmask" | "dontpub" | "trail")) {
        return Err(Refusal::new(format!("arp {w}"), *at));
    }
    let host = match words.first() {
        Some((_, name)) => match resolve(p, name) {
            Some(a) => Some((a, *name)),
            None => return Ok(255),
        },
        None => None,
    };
    let set = has('s');
    if !set && !has('d') {
        show(p, host, dev.as_deref(), (has('a') && !has('e'), has('n'), has('v')));
        return Ok(0);
    }
    let Some((addr, name)) = host else {
        p.err.push_str("arp: need host name\n");
        return Ok(255);
    };
    if set {
        let Some((_, mac)) = words.get(1) else {
            p.err.push_str("arp: need hardware address\n");
            return Ok(255);
        };
        let Ok(mac) = mac.parse::<MacAddr>() else {
            p.err.push_str("arp: invalid hardware address\n");
            return Ok(255);
        };
        let nud = if words.iter().skip(2).any(|(_, w)| *w == "temp") { Nud::Stale } else { Nud::Permanent };
        let done = device(p, dev.as_deref(), addr).and_then(|dev| {
            let op =
                Op::NeighAdd { dev, dst: addr, verb: NeighVerb::Replace, lladdr: Some(mac), nud, extern_learn: false };
            p.sess.kernel.apply(&op).map_err(|e| e.errno)
        });
        return Ok(said(p, "SIOCSARP", done.err()));
    }
    let done = device(p, dev.as_deref(), addr).and_then(|dev| {
        let known = p.sess.kernel.ns(p.ns).neigh.entries.get(&(dev, addr));
        if !known.is_some_and(|n| n.nud.is_valid()) {
            return Err(Errno::ENOENT);
        }
        p.sess.kernel.apply(&Op::NeighDel { dev, dst: addr }).map_err(|e| e.errno)
    });
    match done {
        Err(Errno::ENOENT) => {
            p.err.push_str(&format!("No ARP entry for {name}\n"));
            Ok(255)
        }
        done => Ok(said(p, "SIOCDARP(dontpub)", done.err())),
    }
}

fn said(p: &mut Proc<'_>, call: &str, e: Option<Errno>) -> i32 {
    match e {
        None => 0,
        Some(e) => {
            p.err.push_str(&format!("{call}: {e}\n"));
            255
        }
    }
}

fn resolve(p: &mut Proc<'_>, name: &str) -> Option<Ipv4Addr> {
    let found = name.parse().ok().or_else(|| p.lookup(name).ok());
    if found.is_none() {
        let numeric = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let why = if numeric { "Unknown host" } else { "Host name lookup failure" };
        p.err.push_str(&format!("{name}: {why}\n"));
    }
    found
}

/// The device named, or the one that a route to the address names.
fn device(p: &Proc<'_>, name: Option<&str>, addr: Ipv4Addr) -> Result<DevId, Errno> {
    let k = &p.sess.kernel;
    match name {
        Some(n) => k.dev_by_name(p.ns, n).ok_or(Errno::ENODEV),
        None => match k.lookup_rules_quietly(p.ns, &Flow::to(addr)) {
            Lookup::Route(_, r) => r.dev.ok_or(Errno::EINVAL),
            Lookup::Refused(_, e, _) => Err(e),
            Lookup::None => Err(Errno::ENETUNREACH),
        },
    }
}

/// A line of `/proc/net/arp`.
struct Entry {
    addr: Ipv4Addr,
    /// Known addresses only.
    mac: Option<MacAddr>,
    permanent: bool,
    /// Answered for, not known.
    public: bool,
    dev: String,
}

/// busybox' `arp`, which knows the form of BSD alone (networking/arp.c).
///
/// # Errors
/// As [`run`].
pub fn busybox(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let shows = argv.iter().skip(1).all(|w| !matches!(w.as_str(), "-d" | "-s" | "-f"));
    let mut argv = argv.to_vec();
    if shows {
        argv.insert(1, "-a".into());
    }
    let from = p.out.len();
    let done = run(p, &argv);
    // One space more before `on`, where the flags would be.
    let text = p.out.split_off(from);
    let flags = |a: &str| a.ends_with("PERM") || a.ends_with("PUB");
    let wide = |l: &str| match l.rsplit_once(" on ") {
        Some((a, b)) if !flags(a) => format!("{a}  on {b}\n"),
        _ => format!("{l}\n"),
    };
    p.out.extend(text.lines().map(wide));
    done
}

fn entries(p: &Proc<'_>) -> Vec<Entry> {
    let k = &p.sess.kernel;
    let table = &k.ns(p.ns).neigh;
    let known = table.entries.iter().filter(|(_, n)| n.nud != Nud::Noarp).map(|((dev, addr), n)| Entry {
        addr: *addr,
        mac: n.nud.is_valid().then_some(n.lladdr),
        permanent: n.nud == Nud::Permanent,
        public: false,
        dev: k.dev(*dev).name.to_string(),
    });
    let proxied = table.proxies.iter().map(|(dev, addr)| Entry {
        addr: *addr,
        mac: None,
        permanent: true,
        public: true,
        dev: dev.map_or_else(|| "*".to_owned(), |d| k.dev(d).name.to_string()),
    });
    known.chain(proxied).collect()
}

fn show(
    p: &mut Proc<'_>,
    host: Option<(Ipv4Addr, &str)>,
    dev: Option<&str>,
    (bsd, numeric, verbose): (bool, bool, bool),
) {
    let all = entries(p);
    let (mut text, mut shown) = (String::new(), 0);
    for e in &all {
        if host.is_some_and(|(a, _)| a != e.addr) || dev.is_some_and(|d| d != e.dev) {
            continue;
        }
        shown += 1;
        let name = if numeric { None } else { names::host(p, e.addr) };
        if bsd {
            let name = name.unwrap_or_else(|| "?".to_owned());
            let mac = match (e.mac, e.public) {
                (Some(m), _) => format!("{m} [ether]"),
                (None, true) => "<from_interface>".to_owned(),
                (None, false) => "<incomplete>".to_owned(),
            };
            let (perm, public) = (if e.permanent { "PERM " } else { "" }, if e.public { "PUB " } else { "" });
            text.push_str(&format!("{name} ({}) at {mac} {perm}{public}on {}\n", e.addr, e.dev));
            continue;
        }
        if shown == 1 {
            text.push_str("Address                  HWtype  HWaddress           Flags Mask            Iface\n");
        }
        let (kind, mac) = match (e.mac, e.public) {
            (Some(m), _) => ("ether", m.to_string()),
            (None, true) => ("*", "<from_interface>".to_owned()),
            (None, false) => ("", "(incomplete)".to_owned()),
        };
        let mut flags = String::new();
        flags.extend(e.mac.map(|_| 'C'));
        flags.extend(e.permanent.then_some('M'));
        flags.extend(e.public.then_some('P'));
        let name = name.unwrap_or_else(|| e.addr.to_string());
        text.push_str(&format!("{name:<23.23}  {kind:<8}{mac:<20}{flags:<6}{:<15} {}\n", "", e.dev));
    }
    if verbose {
        text.push_str(&format!("Entries: {}\tSkipped: {}\tFound: {shown}\n", all.len(), all.len() - shown));
    }
    if shown == 0 {
        match host {
            Some((a, name)) if !bsd => text.push_str(&format!("{name} ({a}) -- no entry\n")),
            _ if host.is_some() || dev.is_some() => {
                text.push_str(&format!("arp: in {} entries no match found.\n", all.len()));
            }
            _ => {}
        }
    }
    p.out.push_str(&text);
}

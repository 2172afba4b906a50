//! `route` (net-tools 2.10).

pub(crate) mod show;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::ifconfig::mask_of;
use super::opts::{BadOpt, Opt, getopt};
use super::{Exit, Proc, Refusal};
use crate::kernel::fib::{RouteType, proto, scope, table};
use crate::kernel::types::Errno;
use crate::op::{Op, RouteSpec, RouteVerb};

const USAGE: &str = "\
Usage: inet_route [-vF] del {-host|-net} Target[/prefix] [gw Gw] [metric M] [[dev] If]
       inet_route [-vF] add {-host|-net} Target[/prefix] [gw Gw] [metric M]
                              [netmask N] [mss Mss] [window W] [irtt I]
                              [mod] [dyn] [reinstate] [[dev] If]
       inet_route [-vF] add {-host|-net} Target[/prefix] [metric M] reject
       inet_route [-FC] flush      NOT supported
";

const MAIN_USAGE: &str = "\
Usage: route [-nNvee] [-FC] [<AF>]           List kernel routing tables
       route [-v] [-FC] {add|del|flush} ...  Modify routing table for AF.

       route {-h|--help} [<AF>]              Detailed usage syntax for specified AF.
       route {-V|--version}                  Display version/author and exit.

";

/// Runs `route`.
///
/// # Errors
/// Options that the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    // Options come first: after the verb, -net and -host are words.
    let verb = argv.iter().skip(1).position(|w| !w.starts_with('-')).map_or(argv.len(), |i| i + 1);
    let opts = match getopt(&argv[..verb], "nve4F", "A", "N6CVh") {
        Ok(o) => o,
        Err(BadOpt::Refused(r)) => return Err(r),
        Err(BadOpt::Invalid(c)) => return Ok(usage(p, &format!("route: invalid option -- '{c}'\n{MAIN_USAGE}"), 3)),
        Err(BadOpt::NoValue(c)) => {
            return Ok(usage(p, &format!("route: option requires an argument -- '{c}'\n{MAIN_USAGE}"), 3));
        }
    };
    let mut s = show::Style::default();
    for (at, o) in opts {
        match o {
            Opt::Flag('n', _) => s.numeric = true,
            Opt::Flag('e', _) => s.extend += 1,
            Opt::Flag('A', Some(v)) if v != "inet" => return Err(Refusal::new(format!("route -A {v}"), at)),
            _ => {}
        }
    }
    match argv.get(verb).map(String::as_str) {
        None => {
            show::table(p, s);
            Ok(0)
        }
        Some(w @ ("add" | "del" | "delete")) => match change(p, &argv[verb + 1..], w == "add") {
            Ok(status) | Err(Stop::Exit(status)) => Ok(status),
            Err(Stop::Refused(word)) => Err(Refusal::new(format!("route {word}"), verb)),
        },
        Some("flush") => Err(Refusal::new("route flush", verb)),
        Some(_) => Ok(usage(p, MAIN_USAGE, 3)),
    }
}

fn usage(p: &mut Proc<'_>, text: &str, status: i32) -> i32 {
    p.err.push_str(text);
    status
}

enum Stop {
    Exit(i32),
    Refused(String),
}

/// An address by number or by name.
fn resolve(p: &mut Proc<'_>, text: &str, gateway: bool) -> Result<Ipv4Addr, Stop> {
    let found = text.parse().ok().or_else(|| p.lookup(text).ok());
    found.ok_or_else(|| {
        let unknown = gateway || text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let why = if unknown { "Unknown host" } else { "Host name lookup failure" };
        Stop::Exit(usage(p, &format!("{text}: {why}\n"), 6))
    })
}

fn change(p: &mut Proc<'_>, args: &[String], add: bool) -> Result<i32, Stop> {
    let mut words = args.iter().map(String::as_str).peekable();
    let kind = words.next_if(|w| matches!(*w, "-net" | "-host"));
    let Some(target) = words.next() else {
        // The tool ends well here.
        return Ok(usage(p, USAGE, 0));
    };
    let (addr, prefix) = match target.split_once('/') {
        Some((a, n)) => match n.parse::<u8>().ok().filter(|n| *n <= 32) {
            Some(n) => (a, Some(n)),
            None => return Ok(usage(p, USAGE, 3)),
        },
        None => (target, None),
    };
    let is_default = addr == "default";
    let addr = if is_default { Ipv4Addr::UNSPECIFIED } else { resolve(p, addr, false)? };
    let is_host = kind == Some("-host") || (kind.is_none() && !is_default);
    let (mut mask, mut via, mut dev, mut metric, mut mss, mut reject) =
        (prefix.map(mask_of), None, None, None, None, false);
    while let Some(w) = words.next() {
        let takes = matches!(w, "gw" | "gateway" | "netmask" | "metric" | "dev" | "device" | "mss");
        let Some(v) = (if takes { words.next() } else { Some(w) }) else {
            return Ok(usage(p, USAGE, 3));
        };
        match w {
            "gw" | "gateway" if via.is_none() => via = Some(resolve(p, v, true)?),
            "netmask" if mask.is_none() => mask = Some(resolve(p, v, false)?),
            "metric" => match v.parse::<u32>() {
                Ok(n) => metric = Some(n),
                Err(_) => return Ok(usage(p, USAGE, 4)),
            },
            "mss" => match v.parse::<u32>() {
                Ok(n) if (65..=32768).contains(&n) => mss = Some(n),
                _ => return Ok(usage(p, "route: Invalid MSS/MTU.\n", 4)),
            },
            "dev" | "device" if dev.is_none() => dev = Some(v),
            "reject" => reject = true,
            "window" | "irtt" | "mod" | "dyn" | "reinstate" => return Err(Stop::Refused(w.to_owned())),
            // The last word alone is a device.
            w if dev.is_none() && words.peek().is_none() && !takes => dev = Some(w),
            _ => return Ok(usage(p, USAGE, 3)),
        }
    }
    let bits = u32::from(addr);
    if let Some(m) = mask.map(u32::from) {
        if is_host && m != u32::MAX {
            let text = format!("route: netmask {:08x} doesn't make sense with host route\n{USAGE}", m.swap_bytes());
            return Ok(usage(p, &text, 3));
        }
        if m.leading_ones() + m.trailing_zeros() != 32 {
            return Ok(usage(p, "route: bogus netmask\n", 3));
        }
        if bits & !m != 0 {
            return Ok(usage(p, &format!("route: netmask doesn't match route address\n{USAGE}"), 3));
        }
    }
    let len = match mask {
        _ if is_host => 32,
        Some(m) => u32::from(m).leading_ones() as u8,
        None => match addr.octets()[0] {
            _ if addr.is_unspecified() => 0,
            0..=127 => 8,
            128..=191 => 16,
            _ => 24,
        },
    };
    let target = Target { add, addr, len, via, dev, metric, mss, reject };
    let call = if add { "SIOCADDRT" } else { "SIOCDELRT" };
    match target.apply(p) {
        Ok(()) => Ok(0),
        Err(e) => Ok(usage(p, &format!("{call}: {e}\n"), 7)),
    }
}

/// `struct rtentry`.
struct Target<'a> {
    add: bool,
    addr: Ipv4Addr,
    len: u8,
    via: Option<Ipv4Addr>,
    dev: Option<&'a str>,
    metric: Option<u32>,
    mss: Option<u32>,
    reject: bool,
}

impl Target<'_> {
    /// `rtentry_to_fib_config`, and what the kernel does with it.
    fn apply(&self, p: &mut Proc<'_>) -> Result<(), Errno> {
        let net = Ipv4Net::new(self.addr, self.len).map_err(|_| Errno::EINVAL)?;
        if net.trunc() != net {
            return Err(Errno::EINVAL);
        }
        let k = &p.sess.kernel;
        let dev = match self.dev {
            Some(name) => Some(k.dev_by_name(p.ns, name).ok_or(Errno::ENODEV)?),
            None => None,
        };
        if self.add && !self.reject && dev.is_none() && self.via.is_none() {
            return Err(Errno::ENODEV);
        }
        // A gateway that is an address of this host makes no route beyond the link.
        let beyond = self.via.is_some_and(|g| k.inet_addr_type(p.ns, g) == RouteType::Unicast);
        let at = match (self.reject, beyond) {
            (true, _) => scope::HOST,
            (false, true) => scope::UNIVERSE,
            (false, false) => scope::LINK,
        };
        let route = RouteSpec {
            dst: net,
            host_bits: false,
            table: table::MAIN,
            kind: if self.reject { RouteType::Unreachable } else { RouteType::Unicast },
            proto: self.add.then_some(proto::BOOT),
            scope: self.add.then_some(at),
            tos: 0,
            metric: self.metric,
            prefsrc: None,
            via: self.via.filter(|g| !g.is_unspecified()),
            dev,
            onlink: false,
            mtu: None,
            advmss: self.mss.map(|m| m - 40),
        };
        let op = if self.add {
            Op::RouteAdd { netns: p.ns, verb: RouteVerb::Prepend, route }
        } else {
            Op::RouteDel { netns: p.ns, route, match_kind: true }
        };
        p.sess.kernel.apply(&op).map(|_| ()).map_err(|e| e.errno)
    }
}

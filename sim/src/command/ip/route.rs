//! `ip route` (ip/iproute.c).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::args::{Args, Bad, expected, inet_proto, invarg, matches, proto, scope, table};
use super::{Globals, apply, dev, route_get, route_show};
use crate::command::Proc;
use crate::kernel::fib::RouteType;
use crate::op::{Op, RouteSpec, RouteVerb};

/// A route as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteArgs {
    /// Destination.
    pub dst: Ipv4Net,
    /// Bits beyond the prefix were set.
    pub host_bits: bool,
    /// Kind, where one was given.
    pub kind: Option<RouteType>,
    /// `table`.
    pub table: Option<u32>,
    /// `via`.
    pub via: Option<Ipv4Addr>,
    /// `dev`.
    pub dev: Option<String>,
    /// `src`.
    pub src: Option<Ipv4Addr>,
    /// `metric`.
    pub metric: Option<u32>,
    /// `proto`.
    pub proto: Option<u8>,
    /// `scope`.
    pub scope: Option<u8>,
    /// `tos`.
    pub tos: u8,
    /// `onlink`.
    pub onlink: bool,
    /// `mtu`, and `lock`.
    pub mtu: Option<(u32, bool)>,
    /// `advmss`.
    pub advmss: Option<u32>,
}

/// What to show or flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteShow {
    /// `table`: a number, 0 for all; main where none was given.
    pub table: Option<u32>,
    /// `cache`.
    pub cache: bool,
    /// `dev`.
    pub dev: Option<String>,
    /// `via`.
    pub via: Option<Ipv4Addr>,
    /// `src`.
    pub src: Option<Ipv4Addr>,
    /// `proto`.
    pub proto: Option<u8>,
    /// `scope`.
    pub scope: Option<u8>,
    /// `type`.
    pub kind: Option<RouteType>,
    /// `root`: at least as specific as this.
    pub root: Option<Ipv4Net>,
    /// `match`: at most as specific as this, and containing it.
    pub contains: Option<Ipv4Net>,
    /// `exact`.
    pub exact: Option<Ipv4Net>,
    /// `metric`.
    pub metric: Option<u32>,
    /// `tos`.
    pub tos: Option<u8>,
}

/// What to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteGet {
    /// Destination.
    pub dst: Ipv4Addr,
    /// `from`.
    pub from: Option<Ipv4Addr>,
    /// `iif`.
    pub iif: Option<String>,
    /// `oif`.
    pub oif: Option<String>,
    /// `mark`.
    pub mark: u32,
    /// `tos`.
    pub tos: u8,
    /// `ipproto`.
    pub proto: u8,
    /// `sport` and `dport`.
    pub ports: (u16, u16),
    /// A prefix length other than 32, which `ip` warns of and passes over.
    pub odd_len: Option<u8>,
}

/// An `ip route` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteCmd {
    /// `add`, `replace`, `change`, `append`, `prepend`, `test`.
    Add(RouteVerb, RouteArgs),
    /// `del`.
    Del(RouteArgs),
    /// `show`.
    Show(RouteShow),
    /// `flush`.
    Flush(RouteShow),
    /// `get`.
    Get(RouteGet),
}

const USAGE: &str = "ip route { list | flush } SELECTOR";

pub(super) fn parse(a: &mut Args<'_>) -> Result<RouteCmd, Bad> {
    let Some(w) = a.next() else { return Ok(RouteCmd::Show(RouteShow::default())) };
    let verb = match w {
        _ if matches(w, "list") || matches(w, "show") || matches(w, "lst") => {
            return filter(a, "show").map(RouteCmd::Show);
        }
        _ if matches(w, "get") => return get(a).map(RouteCmd::Get),
        _ if matches(w, "add") => RouteVerb::Add,
        _ if matches(w, "change") || matches(w, "chg") => RouteVerb::Change,
        _ if matches(w, "replace") => RouteVerb::Replace,
        _ if matches(w, "prepend") => RouteVerb::Prepend,
        _ if matches(w, "append") => RouteVerb::Append,
        _ if matches(w, "test") => RouteVerb::Test,
        _ if matches(w, "delete") => return route(a).map(RouteCmd::Del),
        _ if matches(w, "flush") => return filter(a, "flush").map(RouteCmd::Flush),
        "help" => return Err(super::usage(USAGE)),
        "save" | "restore" | "showdump" => return Err(a.refuse_last(&format!("ip route {w}"))),
        _ => return Err(Bad::Say(format!("Command \"{w}\" is unknown, try \"ip route help\".\n"), 255)),
    };
    route(a).map(|r| RouteCmd::Add(verb, r))
}

fn kind(w: &str) -> Option<RouteType> {
    Some(match w {
        "unicast" => RouteType::Unicast,
        "local" => RouteType::Local,
        "broadcast" | "brd" => RouteType::Broadcast,
        "multicast" => RouteType::Multicast,
        "anycast" => RouteType::Anycast,
        "blackhole" => RouteType::Blackhole,
        "unreachable" => RouteType::Unreachable,
        "prohibit" => RouteType::Prohibit,
        "throw" => RouteType::Throw,
        _ => return None,
    })
}

fn table_arg(a: &mut Args<'_>) -> Result<u32, Bad> {
    let v = a.value()?;
    table(v).ok_or_else(|| invarg("\"table\" value is invalid\n", v))
}

/// A TOS, in hexadecimal whether or not `0x` is before it (`rtnl_dsfield_a2n`).
pub(super) fn dsfield(v: &str) -> Option<u8> {
    u8::from_str_radix(v.strip_prefix("0x").unwrap_or(v), 16).ok().filter(|_| !v.starts_with('+'))
}

fn tos(a: &mut Args<'_>) -> Result<u8, Bad> {
    let v = a.value()?;
    dsfield(v).ok_or_else(|| invarg("\"tos\" value is invalid\n", v))
}

fn route(a: &mut Args<'_>) -> Result<RouteArgs, Bad> {
    if a.peek().is_none() {
        return Err(super::usage(USAGE));
    }
    let mut r = RouteArgs {
        dst: Ipv4Net::default(),
        host_bits: false,
        kind: None,
        table: None,
        via: None,
        dev: None,
        src: None,
        metric: None,
        proto: None,
        scope: None,
        tos: 0,
        onlink: false,
        mtu: None,
        advmss: None,
    };
    let mut dst_given = false;
    let mut family_known = false;
    while let Some(w) = a.next() {
        // Once a destination was read the family is known.
        let family = if family_known { "inet" } else { "any valid" };
        match w {
            "src" => r.src = Some(a.addr(family)?),
            "via" => {
                let inet = a.take("inet");
                let via = a.addr(if inet { "inet" } else { family })?;
                if r.via.replace(via).is_some() {
                    return Err(invarg("use nexthop syntax to specify multiple via\n", "via"));
                }
            }
            "dev" | "oif" => r.dev = Some(a.value()?.to_owned()),
            "table" | "vrf" if w == "table" => r.table = Some(table_arg(a)?),
            "metric" | "priority" | "preference" => r.metric = Some(a.number("\"metric\" value is invalid\n")?),
            "proto" | "protocol" => {
                let v = a.value()?;
                r.proto = Some(proto(v).ok_or_else(|| invarg("\"protocol\" value is invalid\n", v))?);
            }
            "scope" => {
                let v = a.value()?;
                r.scope = Some(scope(v).ok_or_else(|| invarg("invalid \"scope\" value\n", v))?);
            }
            "tos" | "dsfield" => r.tos = tos(a)?,
            "onlink" => r.onlink = true,
            "mtu" => {
                let lock = a.take("lock");
                r.mtu = Some((a.number("\"mtu\" value is invalid\n")?, lock));
            }
            "advmss" => {
                a.take("lock");
                r.advmss = Some(a.number("\"mss\" value is invalid\n")?);
            }
            "nexthop" | "nhid" | "encap" | "expires" | "hoplimit" | "rtt" | "rttvar" | "window" | "cwnd"
            | "ssthresh" | "realms" | "initcwnd" | "initrwnd" | "quickack" | "features" | "pervasive" | "rto_min"
            | "reordering" | "congctl" | "vrf" | "pref" | "as" | "ttl-propagate" | "fastopen_no_cookie" => {
                return Err(a.refuse_last(&format!("ip route {w}")));
            }
            _ => {
                let w = if w == "to" { a.value()? } else { w };
                if let Some(k) = kind(w)
                    && r.kind.is_none()
                    && !dst_given
                {
                    r.kind = Some(k);
                    continue;
                }
                if dst_given {
                    let m = format!("Error: either \"to\" is duplicate, or \"{w}\" is a garbage.\n");
                    return Err(Bad::Say(m, 255));
                }
                if w.contains(':') {
                    return Err(a.refuse_last("IPv6 addresses: IPv6 is not modelled"));
                }
                (r.dst, r.host_bits) = super::args::parse_prefix(w, "any valid")?;
                dst_given = true;
                // `default` says nothing of the family.
                family_known = w != "default" && w != "any" && w != "all";
            }
        }
    }
    Ok(r)
}

/// An address where iproute2 takes a prefix: only whole addresses are modelled.
fn host(a: &mut Args<'_>) -> Result<Ipv4Addr, Bad> {
    let (n, _) = a.prefix("any valid")?;
    if n.prefix_len() != 32 {
        return Err(a.refuse_last("ip route show with a prefix of addresses"));
    }
    Ok(n.addr())
}

fn filter(a: &mut Args<'_>, verb: &str) -> Result<RouteShow, Bad> {
    let mut f = RouteShow::default();
    while let Some(w) = a.next() {
        match w {
            "table" => {
                let v = a.value()?;
                if v == "cache" {
                    f.cache = true;
                } else {
                    f.table = Some(table(v).ok_or_else(|| invarg("table id value is invalid\n", v))?);
                }
            }
            "cache" | "cached" | "cloned" => f.cache = true,
            "dev" | "oif" => f.dev = Some(a.value()?.to_owned()),
            "via" => f.via = Some(host(a)?),
            "src" => f.src = Some(host(a)?),
            "proto" | "protocol" => {
                let v = a.value()?;
                if v != "all" {
                    f.proto = Some(proto(v).ok_or_else(|| invarg("invalid \"protocol\"\n", v))?);
                }
            }
            "scope" => {
                let v = a.value()?;
                if v != "all" {
                    f.scope = Some(scope(v).ok_or_else(|| invarg("invalid \"scope\"\n", v))?);
                }
            }
            "type" => {
                let v = a.value()?;
                f.kind = Some(kind(v).ok_or_else(|| invarg("node type value is invalid\n", v))?);
            }
            "root" => f.root = Some(a.prefix("any valid")?.0),
            "match" => f.contains = Some(a.prefix("any valid")?.0),
            "exact" => f.exact = Some(a.prefix("any valid")?.0),
            "metric" | "priority" | "preference" => f.metric = Some(a.number("\"metric\" value is invalid\n")?),
            "tos" | "dsfield" => f.tos = Some(tos(a)?),
            // Every prefix lies within it.
            "all" | "any" => f.root = Some(Ipv4Net::default()),
            "iif" | "mark" | "from" | "realms" | "vrf" => {
                return Err(a.refuse_last(&format!("ip route {verb} {w}")));
            }
            "to" => f.exact = Some(a.prefix("any valid")?.0),
            "default" => f.exact = Some(Ipv4Net::default()),
            _ => f.exact = Some(super::args::parse_prefix(w, "any valid")?.0),
        }
    }
    Ok(f)
}

fn get(a: &mut Args<'_>) -> Result<RouteGet, Bad> {
    let mut g = RouteGet {
        dst: Ipv4Addr::UNSPECIFIED,
        from: None,
        iif: None,
        oif: None,
        mark: 0,
        tos: 0,
        proto: 0,
        ports: (0, 0),
        odd_len: None,
    };
    let mut dst = None;
    while let Some(w) = a.next() {
        match w {
            "from" => g.from = Some(a.prefix(if dst.is_some() { "inet" } else { "any valid" })?.0.addr()),
            "iif" => g.iif = Some(a.value()?.to_owned()),
            "oif" | "dev" => g.oif = Some(a.value()?.to_owned()),
            "mark" => g.mark = a.number("invalid mark value")?,
            "tos" | "dsfield" => g.tos = tos(a)?,
            "sport" => g.ports.0 = a.number("invalid sport\n")?,
            "dport" => g.ports.1 = a.number("invalid dport\n")?,
            "ipproto" => {
                let v = a.value()?;
                g.proto = inet_proto(v).ok_or_else(|| invarg("Invalid \"ipproto\" value\n", v))?;
            }
            "uid" | "fibmatch" | "connected" | "notify" | "vrf" | "as" => {
                return Err(a.refuse_last(&format!("ip route get {w}")));
            }
            _ => {
                let w = if w == "to" { a.value()? } else { w };
                if w.contains(':') {
                    return Err(a.refuse_last("IPv6 addresses: IPv6 is not modelled"));
                }
                let family = if dst.is_some() { "inet" } else { "any valid" };
                // The host's bits stay: a length is only warned of.
                let (addr, len, _) = super::args::parse_host_prefix(w).map_err(|bad| match bad {
                    Bad::Exit(..) => expected(&format!("{family} prefix"), w),
                    bad => bad,
                })?;
                if len != 32 {
                    g.odd_len = Some(len);
                }
                dst = Some(addr);
            }
        }
    }
    g.dst = dst.ok_or_else(|| Bad::Say("need at least a destination address\n".into(), 1))?;
    Ok(g)
}

pub(super) fn exec(p: &mut Proc<'_>, g: &Globals, c: &RouteCmd) -> Result<i32, Bad> {
    let netns = p.ns;
    match c {
        RouteCmd::Add(verb, r) => {
            let mut s = r.spec(p)?;
            s.scope = Some(r.scope.unwrap_or(match s.kind {
                RouteType::Local => 254,
                RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast => 253,
                RouteType::Unicast if r.via.is_none() => 253,
                _ => 0,
            }));
            apply(p, &Op::RouteAdd { netns, verb: *verb, route: s })?;
        }
        RouteCmd::Del(r) => {
            let s = r.spec(p)?;
            apply(p, &Op::RouteDel { netns, route: s, match_kind: r.kind.is_some() })?;
        }
        RouteCmd::Show(f) => return route_show::show(p, g, f),
        RouteCmd::Flush(f) => return route_show::flush(p, g, f),
        RouteCmd::Get(q) => return route_get::get(p, g, q),
    }
    Ok(0)
}

impl RouteArgs {
    fn spec(&self, p: &Proc<'_>) -> Result<RouteSpec, Bad> {
        let kind = self.kind.unwrap_or(RouteType::Unicast);
        let local = matches!(kind, RouteType::Local | RouteType::Broadcast | RouteType::Anycast);
        Ok(RouteSpec {
            dst: self.dst,
            host_bits: self.host_bits,
            table: self.table.unwrap_or(if local { 255 } else { 254 }),
            kind,
            proto: self.proto,
            scope: self.scope,
            tos: self.tos,
            metric: self.metric,
            prefsrc: self.src,
            via: self.via,
            dev: self.dev.as_deref().map(|d| dev(p, d)).transpose()?,
            onlink: self.onlink,
            mtu: self.mtu,
            advmss: self.advmss,
        })
    }
}

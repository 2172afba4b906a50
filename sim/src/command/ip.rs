//! `ip` (iproute2 6.1): global options, and one file for each object.

pub mod addr;
mod addr_show;
pub mod args;
mod batch;
pub mod canon;
mod json;
pub mod link;
mod link_json;
mod link_show;
mod macvlan;
pub mod neigh;
pub mod netns;
pub mod ntable;
pub mod route;
mod route_get;
mod route_show;
pub mod rule;
pub mod vxlan;

use args::{Args, Bad, matches};

use super::{Exit, Proc};
use crate::kernel::types::{DevId, NetnsId};
use crate::op::OpError;

/// Options before the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// `-j`.
    pub json: bool,
    /// `-p`.
    pub pretty: bool,
    /// `-d`.
    pub details: bool,
    /// `-s`, once or twice.
    pub stats: u8,
    /// `-br`.
    pub brief: bool,
    /// `-h`: counters in thousands and millions.
    pub human: bool,
    /// `-o`.
    pub oneline: bool,
    /// `-4`.
    pub inet: bool,
    /// `-n NETNS`.
    pub netns: Option<String>,
    /// `-a`: `ip netns exec` in every namespace.
    pub all: bool,
    /// `-b FILE`: commands come from there; `-` is the standard input.
    pub batch: Option<String>,
    /// `-force`: a batch goes on behind a command that failed.
    pub force: bool,
}

impl Globals {
    /// The end of a line within a record: a backslash with `-o`.
    pub fn nl(&self) -> &'static str {
        if self.oneline { "\\" } else { "\n" }
    }
}

/// A parsed `ip` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpCmd {
    /// `ip link`.
    Link(link::LinkCmd),
    /// `ip addr`.
    Addr(addr::AddrCmd),
    /// `ip route`.
    Route(route::RouteCmd),
    /// `ip rule`.
    Rule(rule::RuleCmd),
    /// `ip neigh`.
    Neigh(neigh::NeighCmd),
    /// `ip netns`.
    Netns(netns::NetnsCmd),
    /// `ip ntable change`.
    Ntable(ntable::NtableChange),
}

/// Runs `ip`.
///
/// # Errors
/// What iproute2 knows and the model does not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let mut a = Args::new(argv);
    let g = match options(&mut a) {
        Ok(g) => g,
        Err(bad) => return bad.tell(p),
    };
    let ns = match &g.netns {
        None => p.ns,
        Some(n) => match p.sess.kernel.host(p.host).named.get(n) {
            Some(ns) => *ns,
            None => {
                p.err.push_str(&format!("Cannot open network namespace \"{n}\": No such file or directory\n"));
                return Ok(255);
            }
        },
    };
    let back = std::mem::replace(&mut p.ns, ns);
    let done = match &g.batch {
        Some(file) => batch::run(p, &g, file),
        None => carry_out(p, &g, &mut a),
    };
    p.ns = back;
    done.or_else(|bad| bad.tell(p))
}

/// `do_cmd`: the object and what is to be done with it.
fn carry_out(p: &mut Proc<'_>, g: &Globals, a: &mut Args<'_>) -> Result<i32, Bad> {
    match object(a, g)? {
        IpCmd::Link(c) => link::exec(p, g, &c),
        IpCmd::Addr(c) => addr::exec(p, g, &c),
        IpCmd::Route(c) => route::exec(p, g, &c),
        IpCmd::Rule(c) => rule::exec(p, g, &c),
        IpCmd::Neigh(c) => neigh::exec(p, g, &c),
        IpCmd::Netns(c) => netns::exec(p, g, &c),
        IpCmd::Ntable(c) => ntable::exec(p, &c),
    }
}

/// Reads a whole command line.
///
/// # Errors
/// What `ip` says to it, or what the model lacks.
pub fn parse(a: &mut Args<'_>) -> Result<(Globals, IpCmd), Bad> {
    let g = options(a)?;
    let cmd = object(a, &g)?;
    Ok((g, cmd))
}

/// Options before the object.
fn options(a: &mut Args<'_>) -> Result<Globals, Bad> {
    let mut g = Globals::default();
    while let Some(w) = a.peek().filter(|w| w.starts_with('-')) {
        let w = w.strip_prefix("--").or_else(|| w.strip_prefix('-')).unwrap_or(w);
        match w {
            "4" => g.inet = true,
            "6" => return Err(a.refuse("ip -6: IPv6 is not modelled")),
            "n" | "netns" => {
                a.skip();
                // Without a name iproute2 tries a null pointer, which prints like this.
                let null = "Cannot open network namespace \"(null)\": No such file or directory\n";
                g.netns = Some(a.next().ok_or_else(|| Bad::Say(null.into(), 255))?.to_owned());
                continue;
            }
            "f" | "family" => {
                a.skip();
                match a.value()? {
                    "inet" => g.inet = true,
                    f => return Err(a.refuse_last(&format!("ip -family {f}"))),
                }
                continue;
            }
            "s" | "stats" | "statistics" => g.stats += 1,
            "ss" => g.stats += 2,
            "d" | "details" => g.details = true,
            "o" | "oneline" => g.oneline = true,
            "br" | "brief" => g.brief = true,
            "j" | "json" => g.json = true,
            "p" | "pretty" => g.pretty = true,
            // Colours go to terminals only.
            "c" | "color" | "color=never" | "color=auto" | "c=never" | "c=auto" => {}
            "V" | "Version" => return Err(Bad::Print("ip utility, iproute2-6.1.0, libbpf 1.1.2\n".into())),
            "a" | "all" => g.all = true,
            "b" | "batch" => {
                a.skip();
                // Without a name there is usage.
                g.batch = Some(a.next().ok_or_else(|| usage("ip [ OPTIONS ] OBJECT { COMMAND | help }"))?.to_owned());
                continue;
            }
            "force" => g.force = true,
            "h" | "human" | "human-readable" => g.human = true,
            "N" | "Numeric" | "t" | "timestamp" | "r" | "resolve" | "iec" => {
                return Err(a.refuse(&format!("ip -{w}")));
            }
            _ => {
                return Err(Bad::Say(format!("Option \"-{w}\" is unknown, try \"ip -help\".\n"), 255));
            }
        }
        a.skip();
    }
    Ok(g)
}

/// The object and its command.
fn object(a: &mut Args<'_>, g: &Globals) -> Result<IpCmd, Bad> {
    let Some(object) = a.next() else {
        return Err(usage("ip [ OPTIONS ] OBJECT { COMMAND | help }"));
    };
    const OBJECTS: &[&str] = &[
        "address",
        "addrlabel",
        "maddress",
        "route",
        "rule",
        "neighbour",
        "neighbor",
        "ntable",
        "ntbl",
        "link",
        "l2tp",
        "fou",
        "ila",
        "macsec",
        "tunnel",
        "tunl",
        "tuntap",
        "tap",
        "token",
        "tcpmetrics",
        "tcp_metrics",
        "monitor",
        "xfrm",
        "mroute",
        "mrule",
        "netns",
        "netconf",
        "vrf",
        "sr",
        "nexthop",
        "mptcp",
        "ioam",
        "stats",
        "help",
    ];
    let Some(found) = OBJECTS.iter().find(|o| matches(object, o)) else {
        return Err(Bad::Say(format!("Object \"{object}\" is unknown, try \"ip help\".\n"), 1));
    };
    Ok(match *found {
        "address" => IpCmd::Addr(addr::parse(a)?),
        "link" => IpCmd::Link(link::parse(a)?),
        "route" => IpCmd::Route(route::parse(a)?),
        "rule" => IpCmd::Rule(rule::parse(a)?),
        "neighbour" | "neighbor" => IpCmd::Neigh(neigh::parse(a)?),
        "netns" => IpCmd::Netns(netns::parse(a, g.all)?),
        "ntable" | "ntbl" => IpCmd::Ntable(ntable::parse(a)?),
        "help" => return Err(usage("ip [ OPTIONS ] OBJECT { COMMAND | help }")),
        other => return Err(a.refuse_last(&format!("ip {other}"))),
    })
}

/// The first line of a usage text; the exit status is what scripts look at.
pub(crate) fn usage(line: &str) -> Bad {
    Bad::Say(format!("Usage: {line}\n"), 255)
}

/// A device by its name.
pub(crate) fn dev(p: &Proc<'_>, name: &str) -> Result<DevId, Bad> {
    dev_in(p, p.ns, name)
}

/// A device of a namespace by its name.
pub(crate) fn dev_in(p: &Proc<'_>, ns: NetnsId, name: &str) -> Result<DevId, Bad> {
    let d = p.sess.kernel.dev_by_name(ns, name);
    d.ok_or_else(|| Bad::Say(format!("Cannot find device \"{name}\"\n"), 1))
}

/// What `ip` prints for a refusal of the kernel.
pub(crate) fn nl_error(e: &OpError) -> Bad {
    match &e.msg {
        Some(m) => Bad::Say(format!("Error: {m}.\n"), 2),
        None => Bad::Say(format!("RTNETLINK answers: {}\n", e.errno.strerror()), 2),
    }
}

/// What `flush` tells with `-s`.
pub(crate) fn flushed(p: &mut Proc<'_>, g: &Globals, n: usize, what: &str) {
    if g.stats == 0 {
        return;
    }
    if n == 0 {
        p.out.push_str("Nothing to flush.\n");
    } else {
        let rounds = "*** Flush is complete after 1 round ***";
        p.out.push_str(&format!("\n*** Round 1, deleting {n} {what} ***\n{rounds}\n"));
    }
}

/// Carries out an op.
pub(crate) fn apply(p: &mut Proc<'_>, op: &crate::op::Op) -> Result<crate::op::OpReply, Bad> {
    p.sess.kernel.apply(op).map_err(|e| nl_error(&e))
}

/// Prints a list as JSON.
pub(crate) fn print_json(p: &mut Proc<'_>, g: &Globals, v: &serde_json::Value) {
    p.out.push_str(&json::text(v, g.pretty));
}

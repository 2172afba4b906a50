//! The one way to write an `ip` command: every option by its full name, in a fixed order.
//!
//! What is written here and parsed again is the same command.

use std::fmt;

use ipnet::Ipv4Net;

use super::addr::{AddrCmd, AddrShow, AddrSpec};
use super::link::{End, Kind, LinkCmd, Set, Show};
use super::neigh::{NeighArgs, NeighCmd, NeighShow};
use super::netns::NetnsCmd;
use super::ntable::{NtableChange, PARMS};
use super::route::{RouteArgs, RouteCmd, RouteGet, RouteShow};
use super::rule::RuleCmd;
use super::{Globals, IpCmd};
use crate::kernel::fib::{FibRule, RuleAction};
use crate::op::{BridgeSet, LinkChange, NeighVerb, PortSet, RouteVerb, RuleMatch};

/// A whole command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpLine {
    /// Options before the object.
    pub globals: Globals,
    /// Object and command.
    pub cmd: IpCmd,
}

/// Words of a command line.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn word(&mut self, w: impl ToString) -> &mut Self {
        self.0.push(w.to_string());
        self
    }

    /// An option with its value.
    fn opt(&mut self, name: &str, v: impl ToString) -> &mut Self {
        self.word(name).word(v)
    }

    /// An option that may be left out.
    fn some<T: ToString>(&mut self, name: &str, v: &Option<T>) -> &mut Self {
        if let Some(v) = v {
            self.opt(name, v.to_string());
        }
        self
    }

    fn flag(&mut self, name: &str, on: bool) -> &mut Self {
        if on {
            self.word(name);
        }
        self
    }

    fn hex(&mut self, name: &str, v: Option<u8>) -> &mut Self {
        self.some(name, &v.map(|v| format!("{v:#x}")))
    }
}

impl IpLine {
    /// The words after `ip`.
    pub fn words(&self) -> Vec<String> {
        let mut w = Words::default();
        let g = &self.globals;
        w.some("-n", &g.netns);
        for (name, on) in [
            ("-4", g.inet),
            ("-d", g.details),
            ("-o", g.oneline),
            ("-br", g.brief),
            ("-j", g.json),
            ("-p", g.pretty),
            ("-a", g.all),
        ] {
            w.flag(name, on);
        }
        for _ in 0..g.stats {
            w.word("-s");
        }
        match &self.cmd {
            IpCmd::Link(c) => link(w.word("link"), c),
            IpCmd::Addr(c) => addr(w.word("address"), c),
            IpCmd::Route(c) => route(w.word("route"), c),
            IpCmd::Rule(c) => rule(w.word("rule"), c),
            IpCmd::Neigh(c) => neigh(w.word("neighbour"), c),
            IpCmd::Netns(c) => netns(w.word("netns"), c),
            IpCmd::Ntable(c) => ntable(w.word("ntable"), c),
        }
        w.0
    }
}

impl fmt::Display for IpLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ip")?;
        for w in self.words() {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+@%,=".contains(c);
            if !w.is_empty() && w.chars().all(plain) {
                write!(f, " {w}")?;
            } else {
                write!(f, " '{}'", w.replace('\'', "'\\''"))?;
            }
        }
        Ok(())
    }
}

fn link(w: &mut Words, c: &LinkCmd) {
    match c {
        LinkCmd::Add(e, kind) => {
            end(w.word("add"), e);
            match kind {
                Kind::Veth(peer) => {
                    w.opt("type", "veth");
                    if *peer != End::default() {
                        end(w.word("peer"), peer);
                    }
                }
                Kind::Bridge(sets) => {
                    w.opt("type", "bridge");
                    sets.iter().for_each(|s| bridge(w, s));
                }
                Kind::Vxlan(v) => {
                    w.opt("type", "vxlan").0.extend(v.words());
                }
                Kind::Macvlan(mode) => {
                    w.opt("type", "macvlan").some("mode", &mode.map(|m| m.as_str()));
                }
                Kind::Unknown(k) => {
                    w.opt("type", k);
                }
            }
        }
        LinkCmd::Del(d) => {
            w.word("delete").opt("dev", d);
        }
        LinkCmd::Set(d, sets) => {
            w.word("set").opt("dev", d);
            let mut typed = false;
            for s in sets {
                match s {
                    Set::Netns(n) => {
                        w.opt("netns", n);
                    }
                    Set::Master(m) => {
                        w.opt("master", m);
                    }
                    Set::Vxlan(v) => {
                        w.opt("type", "vxlan").0.extend(v.words());
                    }
                    Set::Plain(c) => change(w, c, &mut typed),
                }
            }
        }
        LinkCmd::Show(s) => shown(w.word("show"), s),
    }
}

fn end(w: &mut Words, e: &End) {
    w.some("link", &e.link).some("name", &e.name).some("address", &e.mac).some("mtu", &e.mtu);
    w.some("index", &e.index).some("txqueuelen", &e.txqlen).some("numtxqueues", &e.num_tx_queues);
    w.some("numrxqueues", &e.num_rx_queues).some("netns", &e.netns).some("master", &e.master);
    w.flag("up", e.up);
}

fn change(w: &mut Words, c: &LinkChange, typed: &mut bool) {
    let on = |b: bool| if b { "on" } else { "off" };
    match c {
        LinkChange::Mac(m) => w.opt("address", m),
        LinkChange::Mtu(n) => w.opt("mtu", n),
        LinkChange::Name(n) => w.opt("name", n),
        LinkChange::Alias(a) => w.opt("alias", a.clone().unwrap_or_default()),
        LinkChange::Up(up) => w.word(if *up { "up" } else { "down" }),
        LinkChange::Arp(b) => w.opt("arp", on(*b)),
        LinkChange::Multicast(b) => w.opt("multicast", on(*b)),
        LinkChange::Allmulti(b) => w.opt("allmulticast", on(*b)),
        LinkChange::Promisc(b) => w.opt("promisc", on(*b)),
        LinkChange::Txqlen(n) => w.opt("txqueuelen", n),
        LinkChange::Group(n) => w.opt("group", n),
        LinkChange::Master(None) => w.word("nomaster"),
        // Settings of a kind come last, after its name.
        LinkChange::Bridge(s) => {
            if !std::mem::replace(typed, true) {
                w.opt("type", "bridge");
            }
            bridge(w, s);
            w
        }
        LinkChange::Port(s) => {
            if !std::mem::replace(typed, true) {
                w.opt("type", "bridge_slave");
            }
            port(w, s);
            w
        }
        // Ids are what names become; a command line holds names.
        LinkChange::Netns(_) | LinkChange::Master(Some(_)) | LinkChange::Vxlan(_) => w,
        LinkChange::Macvlan(m) => w.opt("type", "macvlan").opt("mode", m.as_str()),
    };
}

fn bridge(w: &mut Words, s: &BridgeSet) {
    // Times are given in hundredths of a second.
    let ticks = |ns: u64| ns / 10_000_000;
    match *s {
        BridgeSet::AgeingTime(t) => w.opt("ageing_time", ticks(t)),
        BridgeSet::Stp(b) => w.opt("stp_state", u8::from(b)),
        BridgeSet::ForwardDelay(t) => w.opt("forward_delay", ticks(t)),
        BridgeSet::McastSnooping(b) => w.opt("mcast_snooping", u8::from(b)),
        BridgeSet::NfCallIptables(b) => w.opt("nf_call_iptables", u8::from(b)),
        BridgeSet::NfCallIp6tables(b) => w.opt("nf_call_ip6tables", u8::from(b)),
        BridgeSet::NfCallArptables(b) => w.opt("nf_call_arptables", u8::from(b)),
        BridgeSet::GroupFwdMask(m) => w.opt("group_fwd_mask", m),
        BridgeSet::Priority(p) => w.opt("priority", p),
        BridgeSet::FdbFlush => w.word("fdb_flush"),
    };
}

fn port(w: &mut Words, s: &PortSet) {
    let on = |b: bool| if b { "on" } else { "off" };
    match *s {
        PortSet::State(s) => w.opt("state", s as u8),
        PortSet::Cost(n) => w.opt("cost", n),
        PortSet::Priority(n) => w.opt("priority", n),
        PortSet::Hairpin(b) => w.opt("hairpin", on(b)),
        PortSet::Guard(b) => w.opt("guard", on(b)),
        PortSet::Learning(b) => w.opt("learning", on(b)),
        PortSet::Flood(b) => w.opt("flood", on(b)),
        PortSet::McastFlood(b) => w.opt("mcast_flood", on(b)),
        PortSet::BcastFlood(b) => w.opt("bcast_flood", on(b)),
        PortSet::NeighSuppress(b) => w.opt("neigh_suppress", on(b)),
        PortSet::Isolated(b) => w.opt("isolated", on(b)),
        PortSet::Locked(b) => w.opt("locked", on(b)),
    };
}

fn shown(w: &mut Words, s: &Show) {
    w.some("dev", &s.dev).some("type", &s.kind).some("master", &s.master).some("group", &s.group);
    w.flag("nomaster", s.nomaster).flag("up", s.up);
}

fn addr(w: &mut Words, c: &AddrCmd) {
    match c {
        AddrCmd::Add(s) => addr_spec(w.word("add"), s),
        AddrCmd::Replace(s) => addr_spec(w.word("replace"), s),
        AddrCmd::Del(s) => addr_spec(w.word("delete"), s),
        AddrCmd::Show(s) => addr_filter(w.word("show"), s),
        AddrCmd::Flush(s) => addr_filter(w.word("flush"), s),
    }
}

fn addr_spec(w: &mut Words, s: &AddrSpec) {
    let len = |a: std::net::Ipv4Addr| if s.prefix_given { format!("{a}/{}", s.prefix) } else { a.to_string() };
    match (s.local, s.peer) {
        // The length belongs to the far end.
        (Some(l), Some(p)) => w.word(l).opt("peer", len(p)),
        (Some(l), None) => w.word(len(l)),
        (None, Some(p)) => w.opt("peer", p),
        (None, None) => w,
    };
    w.some("broadcast", &s.brd).some("scope", &s.scope).some("dev", &s.dev).some("label", &s.label);
    w.flag("noprefixroute", s.noprefixroute);
}

fn addr_filter(w: &mut Words, s: &AddrShow) {
    shown(w, &s.link);
    w.some("to", &s.to.map(|(a, n)| format!("{a}/{n}"))).some("scope", &s.scope).some("label", &s.label);
    w.flag("primary", s.primary == Some(true)).flag("secondary", s.primary == Some(false));
}

fn route(w: &mut Words, c: &RouteCmd) {
    match c {
        RouteCmd::Add(v, r) => {
            let verb = match v {
                RouteVerb::Add => "add",
                RouteVerb::Replace => "replace",
                RouteVerb::Change => "change",
                RouteVerb::Append => "append",
                RouteVerb::Prepend => "prepend",
                RouteVerb::Test => "test",
            };
            route_args(w.word(verb), r);
        }
        RouteCmd::Del(r) => route_args(w.word("delete"), r),
        RouteCmd::Show(f) => route_filter(w.word("show"), f),
        RouteCmd::Flush(f) => route_filter(w.word("flush"), f),
        RouteCmd::Get(g) => route_get(w.word("get"), g),
    }
}

fn route_args(w: &mut Words, r: &RouteArgs) {
    if let Some(k) = r.kind {
        w.word(k.as_str());
    }
    // Which of the host's bits were set is forgotten; that some were is not.
    let dst = if r.host_bits { u32::from(r.dst.addr()) | 1 } else { u32::from(r.dst.addr()) };
    w.word(format!("{}/{}", std::net::Ipv4Addr::from(dst), r.dst.prefix_len()));
    w.hex("tos", (r.tos != 0).then_some(r.tos)).some("table", &r.table).some("via", &r.via).some("dev", &r.dev);
    w.some("src", &r.src).some("metric", &r.metric).some("protocol", &r.proto).some("scope", &r.scope);
    match r.mtu {
        Some((n, true)) => w.word("mtu").opt("lock", n),
        Some((n, false)) => w.opt("mtu", n),
        None => w,
    };
    w.some("advmss", &r.advmss).flag("onlink", r.onlink);
}

fn route_filter(w: &mut Words, f: &RouteShow) {
    w.some("table", &f.table.map(super::args::table_word)).flag("cache", f.cache).some("dev", &f.dev);
    w.some("via", &f.via).some("src", &f.src).some("protocol", &f.proto).some("scope", &f.scope);
    w.some("type", &f.kind.map(|k| k.as_str())).some("root", &f.root).some("match", &f.contains);
    w.some("exact", &f.exact).some("metric", &f.metric).hex("tos", f.tos);
}

fn route_get(w: &mut Words, g: &RouteGet) {
    match g.odd_len {
        Some(n) => w.word(format!("{}/{n}", g.dst)),
        None => w.word(g.dst),
    };
    w.some("from", &g.from).some("iif", &g.iif).some("oif", &g.oif);
    w.some("mark", &(g.mark != 0).then_some(g.mark)).hex("tos", (g.tos != 0).then_some(g.tos));
    w.some("ipproto", &(g.proto != 0).then_some(g.proto));
    let port = |n: u16| (n != 0).then_some(n);
    w.some("sport", &port(g.ports.0)).some("dport", &port(g.ports.1));
}

fn rule(w: &mut Words, c: &RuleCmd) {
    match c {
        RuleCmd::Add(r, auto) => rule_add(w.word("add"), r, *auto),
        RuleCmd::Del(m) => {
            w.word("delete");
            if m.src.is_none() {
                w.opt("from", "all");
            }
            rule_match(w, m);
        }
        RuleCmd::Show(m) => rule_match(w.word("show"), m),
        RuleCmd::Flush(m) => rule_match(w.word("flush"), m),
    }
}

fn rule_add(w: &mut Words, r: &FibRule, auto: bool) {
    selector(w, r.invert, [("from", &r.src), ("to", &r.dst)], r.fwmark);
    w.hex("tos", (r.tos != 0).then_some(r.tos));
    w.some("iif", &r.iif).some("oif", &r.oif).some("ipproto", &r.ipproto);
    ports(w, r.sport, r.dport);
    w.some("uidrange", &r.uidrange.map(|(a, b)| format!("{a}-{b}")));
    w.some("preference", &(!auto).then_some(r.pref));
    w.some("suppress_prefixlength", &r.suppress_prefixlength).some("suppress_ifgroup", &r.suppress_ifgroup);
    w.some("protocol", &(r.proto != 0).then_some(r.proto));
    action(w, r.action);
}

fn rule_match(w: &mut Words, m: &RuleMatch) {
    selector(w, m.invert, [("from", &m.src), ("to", &m.dst)], m.fwmark);
    w.hex("tos", m.tos).some("iif", &m.iif).some("oif", &m.oif).some("ipproto", &m.ipproto);
    ports(w, m.sport, m.dport);
    w.some("preference", &m.pref).some("suppress_prefixlength", &m.suppress_prefixlength);
    w.some("table", &m.table.map(super::args::table_word));
    if let Some(a) = m.action {
        action(w, a);
    }
}

fn selector(w: &mut Words, invert: bool, nets: [(&str, &Option<Ipv4Net>); 2], fwmark: Option<(u32, u32)>) {
    w.flag("not", invert);
    for (name, n) in nets {
        w.some(name, n);
    }
    w.some("fwmark", &fwmark.map(|(m, k)| format!("{m:#x}/{k:#x}")));
}

fn ports(w: &mut Words, sport: Option<(u16, u16)>, dport: Option<(u16, u16)>) {
    for (name, v) in [("sport", sport), ("dport", dport)] {
        w.some(name, &v.map(|(a, b)| format!("{a}-{b}")));
    }
}

fn action(w: &mut Words, a: RuleAction) {
    match a {
        RuleAction::Table(t) => w.opt("lookup", super::args::table_word(t)),
        RuleAction::Goto(n) => w.opt("goto", n),
        RuleAction::Nop => w.word("nop"),
        RuleAction::Blackhole => w.word("blackhole"),
        RuleAction::Unreachable => w.word("unreachable"),
        RuleAction::Prohibit => w.word("prohibit"),
    };
}

fn ntable(w: &mut Words, c: &NtableChange) {
    w.word("change").opt("name", &c.name).some("dev", &c.dev);
    if c.whole {
        // Which one makes no difference: none is there.
        w.opt("thresh1", 0);
    }
    for (parm, value) in &c.parms {
        let name = PARMS.iter().find(|p| p.1 == *parm).map_or("", |p| p.0);
        w.opt(name, value);
    }
}

fn neigh(w: &mut Words, c: &NeighCmd) {
    match c {
        NeighCmd::Add(v, e) => {
            let verb = match v {
                NeighVerb::Add | NeighVerb::Append => "add",
                NeighVerb::Change => "change",
                NeighVerb::Replace => "replace",
            };
            entry(w.word(verb), e);
        }
        NeighCmd::Del(e) => entry(w.word("delete"), e),
        NeighCmd::Get(e) => entry(w.word("get"), e),
        NeighCmd::Show(s) => neigh_filter(w.word("show"), s),
        NeighCmd::Flush(s) => neigh_filter(w.word("flush"), s),
    }
}

fn entry(w: &mut Words, e: &NeighArgs) {
    w.flag("proxy", e.proxy).word(e.dst).some("lladdr", &e.lladdr);
    w.opt("nud", e.nud.as_str().to_ascii_lowercase()).some("dev", &e.dev).flag("extern_learn", e.extern_learn);
}

fn neigh_filter(w: &mut Words, s: &NeighShow) {
    w.some("to", &s.to).some("dev", &s.dev);
    for n in &s.nud {
        w.opt("nud", n.as_str().to_ascii_lowercase());
    }
    if s.all {
        w.opt("nud", "all");
    }
    w.flag("unused", s.unused).flag("proxy", s.proxy);
}

fn netns(w: &mut Words, c: &NetnsCmd) {
    match c {
        NetnsCmd::List => w.word("list"),
        NetnsCmd::Add(n) => w.opt("add", n),
        NetnsCmd::Del(n) => w.opt("delete", n),
        NetnsCmd::Exec(n, cmd) => {
            w.opt("exec", n).0.extend(cmd.iter().cloned());
            w
        }
        NetnsCmd::ExecAll(cmd) => {
            w.word("exec").0.extend(cmd.iter().cloned());
            w
        }
        NetnsCmd::Identify(None) => w.word("identify"),
        NetnsCmd::Identify(Some(pid)) => w.opt("identify", pid),
        NetnsCmd::Pids(n) => w.opt("pids", n),
        NetnsCmd::ListId => w.word("list-id"),
    };
}

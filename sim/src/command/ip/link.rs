//! `ip link` (ip/iplink.c).

use super::args::{Args, Bad, invarg, matches, parse_u64};
use super::vxlan::VxlanArgs;
use super::{Globals, apply, dev, dev_in, link_show, macvlan, vxlan};
use crate::command::Proc;
use crate::kernel::bridge::PortState;
use crate::kernel::macvlan::MacvlanMode;
use crate::kernel::types::NetnsId;
use crate::op::{BridgeSet, LinkChange, LinkSpec, NewLink, Op, PortSet};
use crate::wire::MacAddr;

/// One end of a new link, as named on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Name.
    pub name: Option<String>,
    /// `address`.
    pub mac: Option<MacAddr>,
    /// `mtu`.
    pub mtu: Option<u32>,
    /// `index`.
    pub index: Option<u32>,
    /// `txqueuelen`.
    pub txqlen: Option<u32>,
    /// `numtxqueues`; a negative number is a large one to the kernel.
    pub num_tx_queues: Option<u32>,
    /// `numrxqueues`.
    pub num_rx_queues: Option<u32>,
    /// `netns`: a name, or a process number.
    pub netns: Option<String>,
    /// `up`.
    pub up: bool,
    /// `master`.
    pub master: Option<String>,
    /// `link`: the lower device.
    pub link: Option<String>,
}

/// What is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A veth pair with its other end.
    Veth(End),
    /// A bridge.
    Bridge(Vec<BridgeSet>),
    /// A VXLAN tunnel.
    Vxlan(Box<VxlanArgs>),
    /// A macvlan.
    Macvlan(Option<MacvlanMode>),
    /// A kind that the recorded kernel does not have.
    Unknown(String),
}

/// A change as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// What needs no names.
    Plain(LinkChange),
    /// `netns`.
    Netns(String),
    /// `master`.
    Master(String),
    /// `type vxlan`.
    Vxlan(Box<VxlanArgs>),
}

/// What to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Show {
    /// One device.
    pub dev: Option<String>,
    /// `up`.
    pub up: bool,
    /// `type`.
    pub kind: Option<String>,
    /// `master`.
    pub master: Option<String>,
    /// `nomaster`.
    pub nomaster: bool,
    /// `group`.
    pub group: Option<u32>,
}

/// An `ip link` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkCmd {
    /// `add`.
    Add(End, Kind),
    /// `del`.
    Del(String),
    /// `set`.
    Set(String, Vec<Set>),
    /// `show`.
    Show(Show),
}

pub(super) fn parse(a: &mut Args<'_>) -> Result<LinkCmd, Bad> {
    let Some(w) = a.next() else { return Ok(LinkCmd::Show(Show::default())) };
    match w {
        _ if matches(w, "add") => add(a),
        _ if matches(w, "set") || matches(w, "change") => set(a),
        _ if matches(w, "replace") => Err(a.refuse_last("ip link replace")),
        _ if matches(w, "delete") => del(a),
        _ if matches(w, "show") || matches(w, "lst") || matches(w, "list") => show(a),
        "help" => Err(super::usage("ip link { add | delete | set | show }")),
        "xstats" | "afstats" | "property" => Err(a.refuse_last(&format!("ip link {w}"))),
        _ => Err(Bad::Say(format!("Command \"{w}\" is unknown, try \"ip link help\".\n"), 255)),
    }
}

/// `ll_addr_a2n`: fewer bytes than six are told apart from what is no address at all.
fn mac(a: &mut Args<'_>) -> Result<MacAddr, Bad> {
    let v = a.value()?;
    let parts: Vec<&str> = v.split(':').collect();
    let bytes = parts.iter().all(|p| !p.is_empty() && p.len() <= 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
    match v.parse() {
        Ok(m) => Ok(m),
        Err(_) if bytes && parts.len() != 6 => {
            Err(Bad::Say(format!("Invalid address length {} - must be 6 bytes\n", parts.len()), 1))
        }
        Err(_) => Err(Bad::Say(format!("\"{v}\" is invalid lladdr.\n"), 1)),
    }
}

/// A group by number; only `default` has a name.
fn group(a: &mut Args<'_>) -> Result<u32, Bad> {
    let v = a.value()?;
    let n = if v == "default" { Some(0) } else { parse_u64(v).and_then(|n| n.try_into().ok()) };
    n.ok_or_else(|| invarg("Invalid \"group\" value\n", v))
}

/// A number of queues, which may be given once.
fn queues(a: &mut Args<'_>, before: Option<u32>, option: &str) -> Result<u32, Bad> {
    if before.is_some() {
        let v = a.value()?;
        return Err(Bad::Say(format!("Error: duplicate \"{option}\": \"{v}\" is the second value.\n"), 255));
    }
    let v = a.value()?;
    let n = match v.strip_prefix('-') {
        Some(n) => parse_u64(n).and_then(|n| i32::try_from(n).ok()).map(i32::wrapping_neg),
        None => parse_u64(v).and_then(|n| n.try_into().ok()),
    };
    n.map(i32::cast_unsigned).ok_or_else(|| invarg(&format!("Invalid \"{option}\" value\n"), v))
}

fn garbage(w: &str) -> Bad {
    Bad::Say(format!("Error: either \"dev\" is duplicate, or \"{w}\" is a garbage.\n"), 255)
}

/// Options that both ends of a new link may have; `false` where the word is none of them.
fn end_option(a: &mut Args<'_>, e: &mut End, w: &str) -> Result<bool, Bad> {
    match w {
        "address" => e.mac = Some(mac(a)?),
        "mtu" => e.mtu = Some(a.number("Invalid \"mtu\" value\n")?),
        "index" => e.index = Some(a.number("Invalid \"index\" value")?),
        "txqueuelen" | "txqlen" | "qlen" => e.txqlen = Some(a.number("Invalid \"txqueuelen\" value\n")?),
        "netns" => e.netns = Some(a.value()?.to_owned()),
        "up" => e.up = true,
        "down" => e.up = false,
        "master" => e.master = Some(a.value()?.to_owned()),
        "link" => e.link = Some(a.value()?.to_owned()),
        "name" => e.name = Some(a.value()?.to_owned()),
        "numtxqueues" => e.num_tx_queues = Some(queues(a, e.num_tx_queues, w)?),
        "numrxqueues" => e.num_rx_queues = Some(queues(a, e.num_rx_queues, w)?),
        "gso_max_size" | "broadcast" | "brd" => {
            return Err(a.refuse_last(&format!("ip link add {w}")));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A new name: `check_ifname`, and where it may be too long for `ip`, the kernel refuses it.
fn ifname(v: &str, option: &str, any_length: bool) -> Result<String, Bad> {
    let bad = v.is_empty() || (v.len() > 15 && !any_length) || v.contains(|c: char| c == '/' || c.is_whitespace());
    if bad {
        return Err(invarg(&format!("\"{option}\" not a valid ifname"), v));
    }
    Ok(v.to_owned())
}

fn add(a: &mut Args<'_>) -> Result<LinkCmd, Bad> {
    let mut e = End::default();
    let mut kind = None;
    while let Some(w) = a.next() {
        if w == "type" || matches(w, "type") && w.len() > 1 {
            kind = Some(a.value()?);
            break;
        }
        if w == "dev" {
            e.name = Some(a.value()?.to_owned());
        } else if !end_option(a, &mut e, w)? {
            if e.name.is_some() {
                return Err(garbage(w));
            }
            e.name = Some(w.to_owned());
        }
    }
    if let Some(n) = &e.name {
        ifname(n, "dev", true)?;
    }
    let Some(kind) = kind else {
        return Err(Bad::Say("Not enough information: \"type\" argument is required\n".into(), 1));
    };
    let kind = match kind {
        "veth" => Kind::Veth(peer(a)?),
        "bridge" => Kind::Bridge(bridge(a)?),
        // The recorded kernel has these, the model has not.
        "vxlan" => Kind::Vxlan(Box::new(vxlan::parse(a, false)?)),
        "macvlan" => Kind::Macvlan(macvlan::parse(a)?),
        "macvtap" | "tun" | "ifb" => {
            return Err(a.refuse_last(&format!("ip link add type {kind}")));
        }
        _ => {
            a.rest();
            Kind::Unknown(kind.to_owned())
        }
    };
    Ok(LinkCmd::Add(e, kind))
}

fn peer(a: &mut Args<'_>) -> Result<End, Bad> {
    let mut e = End::default();
    let Some(w) = a.next() else { return Ok(e) };
    if w != "peer" {
        return Err(Bad::Say("Usage: ip link <options> type veth [peer <options>]\n".into(), 1));
    }
    while let Some(w) = a.next() {
        if !end_option(a, &mut e, w)? && e.name.replace(w.to_owned()).is_some() {
            return Err(garbage(w));
        }
    }
    if let Some(n) = &e.name {
        ifname(n, "name", false)?;
    }
    Ok(e)
}

/// Hundredths of a second as nanoseconds.
fn ticks(a: &mut Args<'_>, what: &str) -> Result<u64, Bad> {
    Ok(u64::from(a.number::<u32>(&format!("invalid {what}"))?) * 10_000_000)
}

fn bridge(a: &mut Args<'_>) -> Result<Vec<BridgeSet>, Bad> {
    let mut out = Vec::new();
    while let Some(w) = a.next() {
        let flag = |a: &mut Args<'_>| a.number::<u8>(&format!("invalid {w}")).map(|n| n != 0);
        out.push(match w {
            "ageing_time" => BridgeSet::AgeingTime(ticks(a, w)?),
            "forward_delay" => BridgeSet::ForwardDelay(ticks(a, w)?),
            "stp_state" => BridgeSet::Stp(flag(a)?),
            "mcast_snooping" => BridgeSet::McastSnooping(flag(a)?),
            "nf_call_iptables" => BridgeSet::NfCallIptables(flag(a)?),
            "nf_call_ip6tables" => BridgeSet::NfCallIp6tables(flag(a)?),
            "nf_call_arptables" => BridgeSet::NfCallArptables(flag(a)?),
            "group_fwd_mask" => BridgeSet::GroupFwdMask(a.number("invalid group_fwd_mask")?),
            "priority" => BridgeSet::Priority(a.number("invalid priority")?),
            "fdb_flush" => BridgeSet::FdbFlush,
            "vlan_filtering" | "hello_time" | "max_age" | "mcast_router" | "mcast_querier" | "vlan_default_pvid" => {
                return Err(a.refuse_last(&format!("ip link type bridge {w}")));
            }
            _ => return Err(Bad::Say(format!("bridge: unknown command \"{w}\"?\n"), 1)),
        });
    }
    Ok(out)
}

fn brport(a: &mut Args<'_>) -> Result<Vec<PortSet>, Bad> {
    let mut out = Vec::new();
    while let Some(w) = a.next() {
        let on = |a: &mut Args<'_>| a.off_on(w);
        out.push(match w {
            "state" => PortSet::State(match a.number::<u8>("state is invalid")? {
                0 => PortState::Disabled,
                1 => PortState::Listening,
                2 => PortState::Learning,
                3 => PortState::Forwarding,
                _ => PortState::Blocking,
            }),
            "cost" => PortSet::Cost(a.number("cost is invalid")?),
            "priority" => PortSet::Priority(a.number("priority is invalid")?),
            "hairpin" => PortSet::Hairpin(on(a)?),
            "guard" => PortSet::Guard(on(a)?),
            "learning" => PortSet::Learning(on(a)?),
            "flood" => PortSet::Flood(on(a)?),
            "mcast_flood" => PortSet::McastFlood(on(a)?),
            "bcast_flood" => PortSet::BcastFlood(on(a)?),
            "neigh_suppress" => PortSet::NeighSuppress(on(a)?),
            "isolated" => PortSet::Isolated(on(a)?),
            "locked" => PortSet::Locked(on(a)?),
            _ => return Err(a.refuse_last(&format!("ip link type bridge_slave {w}"))),
        });
    }
    Ok(out)
}

fn del(a: &mut Args<'_>) -> Result<LinkCmd, Bad> {
    let mut dev = None;
    while let Some(w) = a.next() {
        match w {
            "dev" => dev = Some(a.value()?.to_owned()),
            "type" => {
                a.value()?;
            }
            "group" => return Err(a.refuse_last("ip link del group")),
            _ if dev.is_some() => return Err(garbage(w)),
            _ => dev = Some(w.to_owned()),
        }
    }
    dev.map(LinkCmd::Del).ok_or_else(|| Bad::Say("Not enough information: \"dev\" argument is required.\n".into(), 255))
}

fn set(a: &mut Args<'_>) -> Result<LinkCmd, Bad> {
    let mut dev = None;
    let mut out = Vec::new();
    while let Some(w) = a.next() {
        let p = |c| Set::Plain(c);
        out.push(match w {
            "dev" => {
                dev = Some(a.value()?.to_owned());
                continue;
            }
            "up" => p(LinkChange::Up(true)),
            "down" => p(LinkChange::Up(false)),
            "name" => p(LinkChange::Name(ifname(a.value()?, "name", false)?)),
            "address" => p(LinkChange::Mac(mac(a)?)),
            "mtu" => p(LinkChange::Mtu(a.number("Invalid \"mtu\" value\n")?)),
            "txqueuelen" | "txqlen" | "qlen" => p(LinkChange::Txqlen(a.number("Invalid \"txqueuelen\" value\n")?)),
            "netns" => Set::Netns(a.value()?.to_owned()),
            "master" => Set::Master(a.value()?.to_owned()),
            "nomaster" => p(LinkChange::Master(None)),
            "arp" => p(LinkChange::Arp(a.on_off("arp")?)),
            "multicast" => p(LinkChange::Multicast(a.on_off("multicast")?)),
            "allmulticast" => p(LinkChange::Allmulti(a.on_off("allmulticast")?)),
            "promisc" => p(LinkChange::Promisc(a.on_off("promisc")?)),
            // With no device named yet it stands for all devices of the group.
            "group" if dev.is_none() => return Err(a.refuse_last("ip link set group")),
            "group" => p(LinkChange::Group(group(a)?)),
            "alias" => {
                let v = a.value()?;
                p(LinkChange::Alias((!v.is_empty()).then(|| v.to_owned())))
            }
            "type" => {
                match a.value()? {
                    "bridge" => out.extend(bridge(a)?.into_iter().map(|s| p(LinkChange::Bridge(s)))),
                    "bridge_slave" => out.extend(brport(a)?.into_iter().map(|s| p(LinkChange::Port(s)))),
                    "veth" => {}
                    "vxlan" => out.push(Set::Vxlan(Box::new(vxlan::parse(a, true)?))),
                    "macvlan" => out.extend(macvlan::parse(a)?.map(|m| p(LinkChange::Macvlan(m)))),
                    k => return Err(a.refuse_last(&format!("ip link set type {k}"))),
                }
                continue;
            }
            "vf" | "xdp" | "xdpgeneric" | "addrgenmode" | "carrier" | "state" | "mode" | "trailers" | "broadcast"
            | "brd" | "protodown" | "dynamic" | "vrf" | "numtxqueues" => {
                return Err(a.refuse_last(&format!("ip link set {w}")));
            }
            _ if dev.is_none() => {
                dev = Some(w.to_owned());
                continue;
            }
            _ => return Err(garbage(w)),
        });
    }
    let Some(dev) = dev else {
        return Err(Bad::Say("Not enough information: \"dev\" argument is required.\n".into(), 255));
    };
    Ok(LinkCmd::Set(dev, out))
}

pub(super) fn show_options(a: &mut Args<'_>, s: &mut Show, w: &str) -> Result<bool, Bad> {
    match w {
        "up" => s.up = true,
        "dev" => s.dev = Some(a.value()?.to_owned()),
        "type" => s.kind = Some(a.value()?.to_owned()),
        "master" => s.master = Some(a.value()?.to_owned()),
        "nomaster" => s.nomaster = true,
        "group" => s.group = Some(group(a)?),
        "vrf" => return Err(a.refuse_last("ip link show vrf")),
        _ => return Ok(false),
    }
    Ok(true)
}

/// A word that is no option names the device, once.
pub(super) fn show_dev(s: &mut Show, w: &str) -> Result<(), Bad> {
    match s.dev.replace(w.to_owned()) {
        Some(_) => Err(garbage(w)),
        None => Ok(()),
    }
}

fn show(a: &mut Args<'_>) -> Result<LinkCmd, Bad> {
    let mut s = Show::default();
    while let Some(w) = a.next() {
        if !show_options(a, &mut s, w)? {
            show_dev(&mut s, w)?;
        }
    }
    Ok(LinkCmd::Show(s))
}

/// A namespace by its name or by the number of a process in it.
fn netns(p: &Proc<'_>, v: &str) -> Result<NetnsId, Bad> {
    if let Some(ns) = p.sess.kernel.host(p.host).named.get(v) {
        return Ok(*ns);
    }
    let bad = || invarg("Invalid \"netns\" value\n", v);
    let pid = v.parse::<u32>().map_err(|_| bad())?;
    if pid == 1 {
        return Ok(p.sess.kernel.host(p.host).root_ns);
    }
    p.sess
        .ns_of_pid(p.host, crate::kernel::types::Pid(pid))
        .ok_or_else(|| Bad::Say("RTNETLINK answers: No such process\n".into(), 2))
}

fn spec(p: &Proc<'_>, e: &End, default_ns: NetnsId) -> Result<LinkSpec, Bad> {
    let ns = e.netns.as_deref().map_or(Ok(default_ns), |n| netns(p, n))?;
    Ok(LinkSpec {
        netns: ns,
        name: e.name.clone(),
        mac: e.mac,
        mtu: e.mtu,
        index: e.index,
        txqlen: e.txqlen,
        num_tx_queues: e.num_tx_queues,
        num_rx_queues: e.num_rx_queues,
        up: e.up,
    })
}

pub(super) fn exec(p: &mut Proc<'_>, g: &Globals, c: &LinkCmd) -> Result<i32, Bad> {
    match c {
        LinkCmd::Show(s) => link_show::show(p, g, s),
        LinkCmd::Add(e, kind) => exec_add(p, e, kind),
        LinkCmd::Del(d) => {
            let dev = dev(p, d)?;
            apply(p, &Op::LinkDel { dev })?;
            Ok(0)
        }
        LinkCmd::Set(d, sets) => {
            // Names in the options are looked up before the device's.
            let mut changes = Vec::new();
            for s in sets {
                changes.push(match s {
                    Set::Plain(c) => c.clone(),
                    Set::Vxlan(v) => LinkChange::Vxlan(v.sets(p)?),
                    Set::Netns(n) => LinkChange::Netns(netns(p, n)?),
                    Set::Master(m) => {
                        let no = || invarg("Device does not exist\n", m);
                        LinkChange::Master(Some(p.sess.kernel.dev_by_name(p.ns, m).ok_or_else(no)?))
                    }
                });
            }
            // A port's flags are set before its numbers, and its state last (`br_setport`).
            changes.sort_by_key(|c| match c {
                LinkChange::Port(PortSet::Cost(_)) => 1,
                LinkChange::Port(PortSet::Priority(_)) => 2,
                LinkChange::Port(PortSet::State(_)) => 3,
                _ => 0,
            });
            let dev = dev(p, d)?;
            apply(p, &Op::LinkSet { dev, changes })?;
            Ok(0)
        }
    }
}

fn exec_add(p: &mut Proc<'_>, e: &End, kind: &Kind) -> Result<i32, Bad> {
    let lower = e.link.as_ref().map(|l| dev(p, l)).transpose()?;
    let spec_ = spec(p, e, p.ns)?;
    let new = match kind {
        Kind::Veth(peer) => NewLink::Veth { peer: spec(p, peer, p.ns)? },
        Kind::Bridge(sets) => NewLink::Bridge(sets.clone()),
        Kind::Vxlan(v) => {
            if **v == VxlanArgs::default() {
                let text = "Error: Required attributes not provided to perform the operation.\n";
                return Err(Bad::Say(text.into(), 2));
            }
            let cfg = v.cfg(p)?;
            if v.dstport.is_none() {
                p.err.push_str(vxlan::NO_PORT);
            }
            NewLink::Vxlan(Box::new(cfg))
        }
        Kind::Macvlan(mode) => NewLink::Macvlan { lower, mode: mode.unwrap_or_default() },
        Kind::Unknown(_) => return Err(Bad::Say("Error: Unknown device type.\n".into(), 2)),
    };
    let ns = spec_.netns;
    let reply = apply(p, &Op::LinkAdd { spec: spec_, kind: new })?;
    if let (Some(m), crate::op::OpReply::Dev(d)) = (&e.master, reply) {
        let master = dev_in(p, ns, m)?;
        apply(p, &Op::LinkSet { dev: d, changes: vec![LinkChange::Master(Some(master))] })?;
    }
    Ok(0)
}

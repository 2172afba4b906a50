//! `bridge fdb`: the forwarding databases of bridges, and what devices listen to.

use std::net::Ipv4Addr;

use serde_json::{Map, Value};

use super::vxlan::{VxlanRow, vxlan_entries};
use super::{Ctx, Stop, device, fail, matches, rtnl};
use crate::command::ip::args::{parse_addr, parse_u64};
use crate::command::{Proc, Refusal};
use crate::kernel::Kernel;
use crate::kernel::bridge::{FdbEntry, FdbKind};
use crate::kernel::link::Device;
use crate::kernel::types::{DevId, SEC};
use crate::kernel::vxlan::{VxlanDst, VxlanFdbState};
use crate::op::{NeighVerb, Op};
use crate::trace::Trace;
use crate::wire::MacAddr;

pub(super) const USAGE: &str = "\
Usage: bridge fdb { add | append | del | replace } ADDR dev DEV
              [ self ] [ master ] [ use ] [ router ] [ extern_learn ]
              [ sticky ] [ local | static | dynamic ] [ vlan VID ]
              { [ dst IPADDR ] [ port PORT] [ vni VNI ] | [ nhid NHID ] }
\t      [ via DEV ] [ src_vni VNI ]
       bridge fdb [ show [ br BRDEV ] [ brport DEV ] [ vlan VID ]
              [ state STATE ] [ dynamic ] ]
       bridge fdb get [ to ] LLADDR [ br BRDEV ] { brport | dev } DEV
              [ vlan VID ] [ vni VNI ] [ self ] [ master ] [ dynamic ]
       bridge fdb flush dev DEV [ brport DEV ] [ vlan VID ]
              [ self ] [ master ] [ [no]permanent | [no]static | [no]dynamic ]
              [ [no]added_by_user ] [ [no]extern_learn ] [ [no]sticky ]
              [ [no]offloaded ]
";

pub(super) fn run(p: &mut Proc<'_>, c: &mut Ctx<'_>) -> Result<i32, Stop> {
    let at = c.at;
    let Some(w) = c.next() else { return show(p, c) };
    if matches(w, "add") {
        modify(p, c, Some(NeighVerb::Add))
    } else if matches(w, "append") {
        modify(p, c, Some(NeighVerb::Append))
    } else if matches(w, "replace") || matches(w, "change") {
        modify(p, c, Some(NeighVerb::Replace))
    } else if matches(w, "delete") {
        modify(p, c, None)
    } else if matches(w, "flush") {
        super::flush::run(p, c)
    } else if matches(w, "get") {
        Err(Refusal::new(format!("bridge fdb {w}"), at).into())
    } else if ["show", "lst", "list"].iter().any(|k| matches(w, k)) {
        show(p, c)
    } else if matches(w, "help") {
        Ok(fail(p, USAGE))
    } else {
        Ok(fail(p, &format!("Command \"{w}\" is unknown, try \"bridge fdb help\".\n")))
    }
}

/// What a command line says about an entry of a VXLAN device.
struct Entry {
    dev: DevId,
    mac: MacAddr,
    dst: VxlanDst,
    kind: FdbKind,
    sticky: bool,
    extern_learn: bool,
}

/// The tunnel's own table, the bridge's, or both: the bridge's first (`rtnl_fdb_add`).
fn modify_vxlan(p: &mut Proc<'_>, e: &Entry, verb: Option<NeighVerb>, (own, master): (bool, bool)) -> i32 {
    let &Entry { dev, mac, dst, kind, sticky, extern_learn } = e;
    if master {
        if p.sess.kernel.dev(dev).master.is_none() {
            return fail(p, "RTNETLINK answers: Operation not supported\n");
        }
        let op = match verb {
            Some(verb) => Op::FdbAdd { dev, on_self: false, mac, kind, verb, sticky, extern_learn },
            None => Op::FdbDel { dev, on_self: false, mac },
        };
        let status = rtnl(p, &op);
        if status != 0 || !own {
            return status;
        }
    }
    let state = match kind {
        FdbKind::Local => VxlanFdbState::Permanent,
        FdbKind::Static => VxlanFdbState::Static,
        FdbKind::Learned => VxlanFdbState::Reachable,
    };
    let op = match verb {
        Some(verb) => Op::VxlanFdbAdd { dev, mac, dst, state, verb, extern_learn },
        None => Op::VxlanFdbDel { dev, mac, dst },
    };
    rtnl(p, &op)
}

/// An address, or the tool's words about it.
fn address(p: &mut Proc<'_>, v: &str) -> Result<Ipv4Addr, i32> {
    parse_addr(v).ok_or_else(|| {
        p.err.push_str(&format!("Error: any valid address is expected rather than \"{v}\".\n"));
        1
    })
}

/// A number up to a limit, or the tool's words about it.
fn number(p: &mut Proc<'_>, v: &str, what: &str, most: u64) -> Result<u64, i32> {
    let n = parse_u64(v).filter(|n| *n <= most);
    n.ok_or_else(|| fail(p, &format!("Error: argument \"{v}\" is wrong: {what}\n\n")))
}

/// `add`, `append`, `replace`, and without a verb `del`.
fn modify(p: &mut Proc<'_>, c: &mut Ctx<'_>, verb: Option<NeighVerb>) -> Result<i32, Stop> {
    let (mut dev, mut addr) = (None, None);
    let (mut on_self, mut on_master, mut sticky, mut extern_learn) = (false, false, false, false);
    let mut kind = FdbKind::Local;
    let mut dst = VxlanDst::default();
    let mut via = None;
    while let Some(w) = c.next() {
        let at = c.at - 1;
        match w {
            "dev" => dev = Some(c.value(p)?),
            "self" => on_self = true,
            "dst" => {
                let v = c.value(p)?;
                dst.ip = Some(address(p, v)?);
            }
            "port" => {
                let v = c.value(p)?;
                dst.port = Some(number(p, v, "invalid port", u64::from(u16::MAX))? as u16);
            }
            "vni" => {
                let v = c.value(p)?;
                dst.vni = Some(number(p, v, "invalid VNI", (1 << 24) - 1)? as u32);
            }
            "via" => via = Some(c.value(p)?),
            "nhid" | "src_vni" | "vlan" | "use" => {
                return Err(Refusal::new(format!("bridge fdb {w}"), at).into());
            }
            w if matches(w, "master") => on_master = true,
            w if matches(w, "router") => return Err(Refusal::new("bridge fdb router", at).into()),
            w if matches(w, "local") || matches(w, "permanent") => kind = FdbKind::Local,
            w if matches(w, "temp") || matches(w, "static") => kind = FdbKind::Static,
            w if matches(w, "dynamic") => kind = FdbKind::Learned,
            w if matches(w, "extern_learn") => extern_learn = true,
            w if matches(w, "sticky") => sticky = true,
            w => {
                let w = if w == "to" { c.value(p)? } else { w };
                if matches(w, "help") {
                    return Ok(fail(p, USAGE));
                }
                if addr.is_some() {
                    let text = format!("Error: either \"to\" is duplicate, or \"{w}\" is a garbage.\n");
                    return Ok(fail(p, &text));
                }
                addr = Some((at, w));
            }
        }
    }
    let (Some(dev), Some((at, addr))) = (dev, addr) else {
        return Ok(fail(p, "Device and address are required arguments.\n"));
    };
    let Ok(mac) = addr.parse::<MacAddr>() else {
        return Ok(fail(p, &format!("Invalid mac address {addr}\n")));
    };
    if let Some(name) = via {
        let no = format!("Cannot find device \"{name}\"\n");
        dst.via = Some(p.sess.kernel.dev_by_name(c.ns, name).ok_or_else(|| fail(p, &no))?);
    }
    let dev = device(p, c.ns, dev, "device")?;
    // Without a word the device's own table is meant.
    let on_self = on_self || !on_master;
    if p.sess.kernel.dev(dev).vxlan().is_some() {
        let e = Entry { dev, mac, dst, kind, sticky, extern_learn };
        return Ok(modify_vxlan(p, &e, verb, (on_self, on_master)));
    }
    if dst != VxlanDst::default() {
        return Err(Refusal::new("bridge fdb dst on a device that is no vxlan", at).into());
    }
    let has_table = p.sess.kernel.dev(dev).bridge().is_some();
    if on_self && !has_table {
        if verb.is_none() {
            return Ok(fail(p, "RTNETLINK answers: No such file or directory\n"));
        }
        return Err(Refusal::new("bridge fdb add to a port's own address filter: add master", at).into());
    }
    if on_master && !on_self && p.sess.kernel.dev(dev).master.is_none() {
        return Ok(fail(p, "RTNETLINK answers: Operation not supported\n"));
    }
    if mac.is_multicast() {
        return Err(Refusal::new("bridge fdb with a group address", at).into());
    }
    let op = match verb {
        Some(verb) => Op::FdbAdd { dev, on_self, mac, kind, verb, sticky, extern_learn },
        None => Op::FdbDel { dev, on_self, mac },
    };
    Ok(rtnl(p, &op))
}

/// What is asked for.
#[derive(Default)]
struct Filter {
    br: Option<DevId>,
    dev: Option<DevId>,
    /// `state`: kinds that pass, where given.
    kinds: Option<Vec<FdbKind>>,
    dynamic: bool,
}

fn show(p: &mut Proc<'_>, c: &mut Ctx<'_>) -> Result<i32, Stop> {
    let mut f = Filter::default();
    let (mut br, mut dev) = (None, None);
    while let Some(w) = c.next() {
        match w {
            "brport" | "dev" => dev = Some(c.value(p)?),
            "br" => br = Some(c.value(p)?),
            "vlan" => return Err(Refusal::new("bridge fdb show vlan", c.at - 1).into()),
            "state" => {
                let v = c.value(p)?;
                let kinds = match v {
                    "permanent" => vec![FdbKind::Local],
                    "static" | "temp" => vec![FdbKind::Static],
                    "dynamic" | "reachable" => vec![FdbKind::Learned, FdbKind::Static],
                    "stale" => vec![],
                    "all" => vec![FdbKind::Local, FdbKind::Static, FdbKind::Learned],
                    v => return Ok(fail(p, &format!("Error: argument \"{v}\" is wrong: invalid state\n"))),
                };
                f.kinds.get_or_insert_default().extend(kinds);
            }
            w if w.starts_with("dyn") && matches(w, "dynamic") => f.dynamic = true,
            w if matches(w, "help") => return Ok(fail(p, USAGE)),
            _ => {}
        }
    }
    if let Some(name) = br {
        f.br = Some(device(p, c.ns, name, "bridge device")?);
    }
    if let Some(name) = dev {
        f.dev = Some(device(p, c.ns, name, "device")?);
    }
    let k = &p.sess.kernel;
    let mut rows = Vec::new();
    for d in k.devs_of(c.ns) {
        if f.dev.is_some_and(|x| x != d.id) || f.br.is_some_and(|b| b != d.id && d.master != Some(b)) {
            continue;
        }
        let table = if d.bridge().is_some() { Some(d.id) } else { d.master };
        let own = own_addresses(k, d).into_iter().map(|mac| Row::Plain(Plain { mac, dev: d, entry: None }));
        // The kernel walks a list that new entries begin.
        let entries = table.map(|b| k.fdb_of(b)).unwrap_or_default();
        let entries = entries.into_iter().rev().filter(|(_, e)| e.dev == d.id);
        let br = table.map(|b| k.dev(b).name);
        let entries =
            entries.filter_map(|(mac, e)| Some(Row::Plain(Plain { mac, dev: d, entry: Some((br?.to_string(), e)) })));
        if let Some(v) = d.vxlan() {
            rows.extend(entries.chain(vxlan_entries(k, d, v).into_iter().map(Row::Tunnel)));
        } else if d.bridge().is_some() {
            rows.extend(own.chain(entries));
        } else {
            rows.extend(entries.chain(own));
        }
    }
    rows.retain(|r| {
        let kind = r.kind();
        f.kinds.as_ref().is_none_or(|l| l.contains(&kind)) && !(f.dynamic && kind == FdbKind::Local)
    });
    let (now, with_dev) = (k.now(), f.dev.is_none());
    let text = if c.json {
        let all = rows.iter().map(|r| r.json(now, with_dev, c.stats)).collect();
        format!("{}\n", Value::Array(all))
    } else {
        rows.iter().map(|r| r.text(now, with_dev, c.stats)).collect()
    };
    p.out.push_str(&text);
    Ok(0)
}

/// Addresses of macvlans and groups a device's address filter lets in: all nodes of IPv6 always, all hosts of IPv4 while it is up, and the
/// snoopers' groups on a bridge that snoops.
fn own_addresses(k: &Kernel<Trace>, d: &Device) -> Vec<MacAddr> {
    if d.is_loopback() {
        return Vec::new();
    }
    let mut out: Vec<MacAddr> = d.macvlans.iter().map(|m| k.dev(*m).mac).collect();
    out.push(MacAddr([0x33, 0x33, 0, 0, 0, 1]));
    if d.is_up() {
        if d.bridge().is_some_and(|b| b.mcast_snooping) {
            out.push(MacAddr([0x01, 0x00, 0x5e, 0, 0, 0x6a]));
            out.push(MacAddr([0x33, 0x33, 0, 0, 0, 0x6a]));
        }
        out.push(MacAddr([0x01, 0x00, 0x5e, 0, 0, 1]));
    }
    out
}

/// A line of the table.
enum Row<'a> {
    Plain(Plain<'a>),
    Tunnel(VxlanRow),
}

impl Row<'_> {
    fn kind(&self) -> FdbKind {
        match self {
            Row::Plain(r) => r.kind(),
            Row::Tunnel(r) => match r.state {
                VxlanFdbState::Permanent => FdbKind::Local,
                VxlanFdbState::Static => FdbKind::Static,
                VxlanFdbState::Reachable => FdbKind::Learned,
            },
        }
    }

    fn text(&self, now: u64, with_dev: bool, stats: bool) -> String {
        match self {
            Row::Plain(r) => r.text(now, with_dev, stats),
            Row::Tunnel(r) => r.text(with_dev, stats),
        }
    }

    fn json(&self, now: u64, with_dev: bool, stats: bool) -> Value {
        match self {
            Row::Plain(r) => r.json(now, with_dev, stats),
            Row::Tunnel(r) => Value::Object(r.json(with_dev, stats)),
        }
    }
}

/// An entry of a bridge, or without one an address of the device's filter.
struct Plain<'a> {
    mac: MacAddr,
    dev: &'a Device,
    entry: Option<(String, FdbEntry)>,
}

impl Plain<'_> {
    fn kind(&self) -> FdbKind {
        self.entry.as_ref().map_or(FdbKind::Local, |(_, e)| e.kind)
    }

    fn state(&self) -> &'static str {
        match self.kind() {
            FdbKind::Local => "permanent",
            FdbKind::Static => "static",
            FdbKind::Learned => "",
        }
    }

    fn flags(&self) -> Vec<&'static str> {
        match &self.entry {
            None => vec!["self"],
            Some((_, e)) => {
                let all = [(e.extern_learn, "extern_learn"), (e.sticky, "sticky")];
                all.into_iter().filter(|(on, _)| *on).map(|(_, n)| n).collect()
            }
        }
    }

    fn ages(&self, now: u64) -> Option<(u64, u64)> {
        let (_, e) = self.entry.as_ref()?;
        Some((now.saturating_sub(e.used) / SEC, now.saturating_sub(e.updated) / SEC))
    }

    fn text(&self, now: u64, with_dev: bool, stats: bool) -> String {
        let mut s = format!("{} ", self.mac);
        if with_dev {
            s.push_str(&format!("dev {} ", self.dev.name));
        }
        if let Some((used, updated)) = self.ages(now).filter(|_| stats) {
            s.push_str(&format!("used {used}/{updated} "));
        }
        for f in self.flags() {
            s.push_str(f);
            s.push(' ');
        }
        if let Some((br, _)) = &self.entry {
            s.push_str(&format!("master {br} "));
        }
        s.push_str(self.state());
        s.push('\n');
        s
    }

    fn json(&self, now: u64, with_dev: bool, stats: bool) -> Value {
        let mut o = Map::new();
        o.insert("mac".into(), self.mac.to_string().into());
        if with_dev {
            o.insert("ifname".into(), self.dev.name.as_str().into());
        }
        if let Some((used, updated)) = self.ages(now).filter(|_| stats) {
            o.insert("used".into(), used.into());
            o.insert("updated".into(), updated.into());
        }
        o.insert("flags".into(), self.flags().into());
        if let Some((br, _)) = &self.entry {
            o.insert("master".into(), br.as_str().into());
        }
        o.insert("state".into(), self.state().into());
        Value::Object(o)
    }
}

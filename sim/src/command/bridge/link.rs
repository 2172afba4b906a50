//! `bridge link`: the ports of bridges.

use serde_json::{Map, Value, json};

use super::{Ctx, Stop, device, fail, matches, rtnl};
use crate::command::{Proc, Refusal};
use crate::kernel::bridge::{BrPort, PortState};
use crate::kernel::link::{Device, IfFlags};
use crate::op::{LinkChange, Op, PortSet};

const USAGE: &str = "\
Usage: bridge link set dev DEV [ cost COST ] [ priority PRIO ] [ state STATE ]
                               [ guard {on | off} ]
                               [ hairpin {on | off} ]
                               [ fastleave {on | off} ]
                               [ root_block {on | off} ]
                               [ learning {on | off} ]
                               [ learning_sync {on | off} ]
                               [ flood {on | off} ]
                               [ mcast_router MULTICAST_ROUTER ]
                               [ mcast_flood {on | off} ]
                               [ bcast_flood {on | off} ]
                               [ mcast_to_unicast {on | off} ]
                               [ neigh_suppress {on | off} ]
                               [ vlan_tunnel {on | off} ]
                               [ isolated {on | off} ]
                               [ locked {on | off} ]
                               [ hwmode {vepa | veb} ]
                               [ backup_port DEVICE ] [ nobackup_port ]
                               [ self ] [ master ]
       bridge link show [dev DEV]
";

pub(super) fn run(p: &mut Proc<'_>, c: &mut Ctx<'_>) -> Result<i32, Stop> {
    match c.next() {
        None => show(p, c),
        Some(w) if matches(w, "set") || matches(w, "change") => set(p, c),
        Some(w) if matches(w, "show") || matches(w, "lst") || matches(w, "list") => show(p, c),
        Some(w) if matches(w, "help") => Ok(fail(p, USAGE)),
        Some(w) => Ok(fail(p, &format!("Command \"{w}\" is unknown, try \"bridge link help\".\n"))),
    }
}

fn set(p: &mut Proc<'_>, c: &mut Ctx<'_>) -> Result<i32, Stop> {
    let mut dev = None;
    let mut changes = Vec::new();
    while let Some(w) = c.next() {
        let at = c.at - 1;
        let set: fn(bool) -> PortSet = match w {
            "dev" => {
                dev = Some(c.value(p)?);
                continue;
            }
            "state" => {
                let v = c.value(p)?;
                if let Some(s) = state(p, v)? {
                    changes.push(LinkChange::Port(PortSet::State(s)));
                } else {
                    return Ok(fail(p, "RTNETLINK answers: Invalid argument\n"));
                }
                continue;
            }
            "cost" => {
                // As atoi(3) reads it, and only where it is more than nothing.
                let n: u32 = c.value(p)?.parse().unwrap_or(0);
                if n > 0 {
                    changes.push(LinkChange::Port(PortSet::Cost(n)));
                }
                continue;
            }
            "priority" => {
                let n: u16 = c.value(p)?.parse().unwrap_or(0);
                changes.push(LinkChange::Port(PortSet::Priority(n)));
                continue;
            }
            "learning" => PortSet::Learning,
            "flood" => PortSet::Flood,
            "mcast_flood" => PortSet::McastFlood,
            "bcast_flood" => PortSet::BcastFlood,
            "hairpin" => PortSet::Hairpin,
            "guard" => PortSet::Guard,
            "isolated" => PortSet::Isolated,
            "locked" => PortSet::Locked,
            "neigh_suppress" => PortSet::NeighSuppress,
            "master" => continue,
            "fastleave" | "root_block" | "learning_sync" | "mcast_router" | "mcast_to_unicast" | "vlan_tunnel"
            | "hwmode" | "backup_port" | "nobackup_port" | "self" => {
                return Err(Refusal::new(format!("bridge link set {w}"), at).into());
            }
            _ => return Ok(fail(p, USAGE)),
        };
        match c.value(p)? {
            "on" => changes.push(LinkChange::Port(set(true))),
            "off" => changes.push(LinkChange::Port(set(false))),
            v => {
                let text = format!("Error: argument of \"{w}\" must be one of \"off\", \"on\", not \"{v}\"\n");
                p.err.push_str(&text);
                return Ok(234);
            }
        }
    }
    let Some(dev) = dev else { return Ok(fail(p, "Device is a required argument.\n")) };
    let dev = device(p, c.ns, dev, "bridge device")?;
    if changes.is_empty() {
        return Ok(0);
    }
    Ok(rtnl(p, &Op::LinkSet { dev, changes }))
}

/// A state by number or word; nothing for a number the kernel refuses.
fn state(p: &mut Proc<'_>, v: &str) -> Result<Option<PortState>, Stop> {
    use PortState::*;
    let all = [Disabled, Listening, Learning, Forwarding, Blocking];
    if let Ok(n) = v.parse::<u8>() {
        return Ok(all.get(usize::from(n)).copied());
    }
    match all.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(v)) {
        Some(s) => Ok(Some(s)),
        None => Err(Stop::Exit(fail(p, "Error: invalid STP port state\n"))),
    }
}

fn show(p: &mut Proc<'_>, c: &mut Ctx<'_>) -> Result<i32, Stop> {
    let (mut dev, mut master) = (None, None);
    while let Some(w) = c.next() {
        match w {
            "dev" => dev = Some(c.value(p)?),
            // A master that is not there filters nothing.
            "master" => {
                let name = c.value(p)?;
                master = p.sess.kernel.dev_by_name(c.ns, name);
            }
            _ => {}
        }
    }
    let dev = match dev {
        Some(name) => Some(device(p, c.ns, name, "device")?),
        None => None,
    };
    let k = &p.sess.kernel;
    let mut list = Vec::new();
    let mut text = String::new();
    for d in k.devs_of(c.ns) {
        let (Some(br), Some(port)) = (d.master, &d.port) else { continue };
        if dev.is_some_and(|x| x != d.id) || master.is_some_and(|m| m != br) {
            continue;
        }
        // The message names the far end by ifindex alone: the near namespace gives it a name, right or wrong.
        let far = k.iflink_index(d);
        let named = far.and_then(|i| k.ns(c.ns).devs.get(&i)).map(|x| k.dev(*x));
        let far = far.map(|i| named.map_or_else(|| format!("if{i}"), |x| x.name.to_string()));
        let mut shown = flags(d);
        // The flags of that device, right or wrong (`ll_index_to_flags`).
        if named.is_some_and(|x| !x.is_up()) {
            shown.push("M-DOWN");
        }
        let br = k.dev(br).name;
        if c.json {
            list.push(as_json(d, port, (far.as_deref(), &shown), br.as_str(), c.details));
            continue;
        }
        let at = far.map(|f| format!("@{f}")).unwrap_or_default();
        text.push_str(&format!(
            "{}: {}{at}: <{}> mtu {} master {br} state {} priority {} cost {} ",
            d.ifindex,
            d.name,
            shown.join(","),
            d.mtu,
            port.state.as_str(),
            port.priority,
            port.cost
        ));
        if c.details {
            text.push_str(if c.oneline { "\\    " } else { "\n    " });
            for (name, v) in details(port) {
                match v {
                    Value::Bool(on) => text.push_str(&format!("{name} {} ", if on { "on" } else { "off" })),
                    v => text.push_str(&format!("{name} {v} ")),
                }
            }
        }
        text.push('\n');
    }
    if c.json {
        text = format!("{}\n", Value::Array(list));
    }
    p.out.push_str(&text);
    Ok(0)
}

/// The flags between the angle brackets.
fn flags(d: &Device) -> Vec<&'static str> {
    let mut out = Vec::new();
    if d.is_up() && !d.is_oper_up() {
        out.push("NO-CARRIER");
    }
    let named = [
        (IfFlags::LOOPBACK, "LOOPBACK"),
        (IfFlags::BROADCAST, "BROADCAST"),
        (IfFlags::MULTICAST, "MULTICAST"),
        (IfFlags::NOARP, "NOARP"),
        (IfFlags::ALLMULTI, "ALLMULTI"),
        (IfFlags::PROMISC, "PROMISC"),
        (IfFlags::UP, "UP"),
    ];
    out.extend(named.into_iter().filter(|(f, _)| d.flags.contains(*f)).map(|(_, n)| n));
    if d.is_lower_up() {
        out.push("LOWER_UP");
    }
    out
}

fn details(port: &BrPort) -> [(&'static str, Value); 14] {
    [
        ("hairpin", port.hairpin.into()),
        ("guard", port.guard.into()),
        ("root_block", false.into()),
        ("fastleave", false.into()),
        ("learning", port.learning.into()),
        ("flood", port.flood.into()),
        ("mcast_flood", port.mcast_flood.into()),
        ("bcast_flood", port.bcast_flood.into()),
        ("mcast_router", 1.into()),
        ("mcast_to_unicast", false.into()),
        ("neigh_suppress", port.neigh_suppress.into()),
        ("vlan_tunnel", false.into()),
        ("isolated", port.isolated.into()),
        ("locked", port.locked.into()),
    ]
}

fn as_json(d: &Device, port: &BrPort, (far, flags): (Option<&str>, &[&str]), br: &str, long: bool) -> Value {
    let mut o = Map::new();
    o.insert("ifindex".into(), d.ifindex.into());
    if let Some(f) = far {
        o.insert("link".into(), f.into());
    }
    o.insert("ifname".into(), d.name.as_str().into());
    o.insert("flags".into(), json!(flags));
    o.insert("mtu".into(), d.mtu.into());
    o.insert("master".into(), br.into());
    o.insert("state".into(), port.state.as_str().into());
    o.insert("priority".into(), port.priority.into());
    o.insert("cost".into(), port.cost.into());
    if long {
        o.extend(details(port).into_iter().map(|(k, v)| (k.to_owned(), v)));
    }
    Value::Object(o)
}

//! `ip -j -d link`, `bridge -j fdb` and `bridge -j -d link`.

use serde_json::{Map, Value, json};

use crate::kernel::Kernel;
use crate::kernel::bridge::{Bridge, FdbEntry, FdbKind};
use crate::kernel::link::{AddrAssign, DevKind, Device, IfFlags};
use crate::kernel::types::NetnsId;
use crate::trace::Recorder;
use crate::wire::MacAddr;

fn put(o: &mut Map<String, Value>, key: &str, v: impl Into<Value>) {
    o.insert(key.to_owned(), v.into());
}

/// Every device.
pub(super) fn links<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    k.devs_of(ns).map(|d| link(k, ns, d)).collect()
}

fn link<R: Recorder>(k: &Kernel<R>, ns: NetnsId, d: &Device) -> Value {
    let mut o = Map::new();
    let link = k.iflink(d);
    let local = link.filter(|l| l.netns == ns).and_then(|l| l.dev).map(|p| k.dev(p));
    let far = link.filter(|l| l.netns != ns);
    put(&mut o, "ifindex", d.ifindex);
    if let Some(p) = far {
        put(&mut o, "link_index", p.ifindex);
    }
    if let Some(p) = local {
        put(&mut o, "link", p.name.as_str());
    }
    put(&mut o, "ifname", d.name.as_str());
    put(&mut o, "flags", flags(d, local.is_some_and(|p| !p.is_up())));
    put(&mut o, "mtu", d.mtu);
    if let Some(m) = d.master {
        put(&mut o, "master", k.dev(m).name.as_str());
    }
    put(&mut o, "operstate", if d.is_up() { d.operstate.as_str() } else { "DOWN" });
    put(&mut o, "link_type", if d.is_loopback() { "loopback" } else { "ether" });
    put(&mut o, "address", d.mac.to_string());
    put(&mut o, "broadcast", if d.is_loopback() { MacAddr::ZERO } else { MacAddr([0xff; 6]) }.to_string());
    if let Some(p) = far {
        put(&mut o, "link_netnsid", nsid(k, ns, p.netns));
    }
    let mut info = Map::new();
    if let Some(kind) = d.info_kind() {
        put(&mut info, "info_kind", kind);
    }
    if let Some(b) = d.bridge() {
        put(&mut info, "info_data", bridge(d, b));
    }
    if let Some(v) = d.vxlan() {
        put(&mut info, "info_data", crate::command::ip::vxlan::info_data(k, d, v));
    }
    if let DevKind::Macvlan { mode, .. } = d.kind {
        put(&mut info, "info_data", json!({"mode": mode.as_str(), "bcqueuelen": 1000, "usedbcqueuelen": 1000}));
    }
    if d.port.is_some() {
        put(&mut info, "info_slave_kind", "bridge");
    }
    if !info.is_empty() {
        put(&mut o, "linkinfo", info);
    }
    if let Some(a) = &d.alias {
        put(&mut o, "ifalias", a.as_str());
    }
    if let Some(p) = far {
        // By its number, which may mean nothing there: a tunnel gives its own.
        let far = k.ns(p.netns);
        let name = far.devs.get(&p.ifindex).map_or_else(|| format!("if{}", p.ifindex), |x| k.dev(*x).name.to_string());
        put(&mut o, "peer", format!("{}:{name}", far.label));
    }
    Value::Object(o)
}

/// The id that a namespace has for another; for one it never spoke of, the next free one (`peernet2id_alloc`).
fn nsid<R: Recorder>(k: &Kernel<R>, ns: NetnsId, other: NetnsId) -> u32 {
    let ids = &k.ns(ns).nsids;
    ids.get(other).unwrap_or_else(|| ids.lowest())
}

/// `print_link_flags` of iproute2; `m_down` when the other end, in the same namespace, is down.
fn flags(d: &Device, m_down: bool) -> Value {
    const NAMES: &[(IfFlags, &str)] = &[
        (IfFlags::LOOPBACK, "LOOPBACK"),
        (IfFlags::BROADCAST, "BROADCAST"),
        (IfFlags::MULTICAST, "MULTICAST"),
        (IfFlags::NOARP, "NOARP"),
        (IfFlags::ALLMULTI, "ALLMULTI"),
        (IfFlags::PROMISC, "PROMISC"),
        (IfFlags::UP, "UP"),
    ];
    let mut out = Vec::new();
    if d.is_up() && !d.is_oper_up() {
        out.push("NO-CARRIER");
    }
    out.extend(NAMES.iter().filter(|(f, _)| d.flags.contains(*f)).map(|(_, n)| *n));
    if d.is_lower_up() {
        out.push("LOWER_UP");
    }
    if m_down {
        out.push("M-DOWN");
    }
    out.into()
}

/// `info_data` of a bridge, as far as recordings keep it. Ageing time in ticks of 1/100 s.
fn bridge(d: &Device, b: &Bridge) -> Value {
    // The id has no address until the bridge was given one or took a port's.
    let mac = if d.mac_assign == AddrAssign::Random { MacAddr::ZERO } else { d.mac };
    let m = mac.0;
    let id = format!("{:04x}.{:x}:{:x}:{:x}:{:x}:{:x}:{:x}", b.priority, m[0], m[1], m[2], m[3], m[4], m[5]);
    let mask = if b.group_fwd_mask == 0 { "0".to_owned() } else { format!("{:#x}", b.group_fwd_mask) };
    json!({
        "ageing_time": b.ageing_time / 10_000_000,
        "stp_state": u8::from(b.stp),
        "vlan_filtering": 0,
        "bridge_id": id,
        "group_fwd_mask": mask,
        "mcast_snooping": u8::from(b.mcast_snooping),
        "nf_call_iptables": u8::from(b.nf_call_iptables),
        "nf_call_ip6tables": u8::from(b.nf_call_ip6tables),
        "nf_call_arptables": u8::from(b.nf_call_arptables),
    })
}

/// The forwarding databases of all bridges; multicast addresses of devices are left out.
pub(super) fn fdb<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let mut out = Vec::new();
    for d in k.devs_of(ns) {
        own_entries(k, d, &mut out);
        for (mac, e) in k.fdb_of(d.id) {
            let mut o = Map::new();
            put(&mut o, "mac", mac.to_string());
            put(&mut o, "ifname", k.dev(e.dev).name.as_str());
            let mut marks = Vec::new();
            if e.extern_learn {
                marks.push("extern_learn");
            }
            if e.sticky {
                marks.push("sticky");
            }
            if !marks.is_empty() {
                put(&mut o, "flags", marks);
            }
            put(&mut o, "master", d.name.as_str());
            put(&mut o, "state", fdb_state(&e));
            out.push(Value::Object(o));
        }
    }
    Value::Array(out)
}

/// What a device has itself: a tunnel its forwarding database, others the addresses of macvlans on them.
fn own_entries<R: Recorder>(k: &Kernel<R>, d: &Device, out: &mut Vec<Value>) {
    for m in &d.macvlans {
        out.push(json!({"mac": k.dev(*m).mac, "ifname": d.name.as_str(), "flags": ["self"], "state": "permanent"}));
    }
    let Some(v) = d.vxlan() else { return };
    out.extend(crate::command::bridge::vxlan_entries(k, d, v).iter().map(|e| Value::Object(e.json(true, false))));
}

/// `fdb_to_nud`, in the words of `bridge fdb`: what has expired is collected at once, and nobody sees it as `stale`.
fn fdb_state(e: &FdbEntry) -> &'static str {
    match e.kind {
        FdbKind::Local => "permanent",
        FdbKind::Static => "static",
        FdbKind::Learned => "",
    }
}

/// The ports of all bridges. What `link` says is the name that the other end's number has *here*: this dump
/// does not say that the other end is in another namespace.
pub(super) fn ports<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let mut out = Vec::new();
    for d in k.devs_of(ns) {
        let (Some(port), Some(master)) = (&d.port, d.master) else { continue };
        let mut o = Map::new();
        let mut m_down = false;
        put(&mut o, "ifindex", d.ifindex);
        if let Some(p) = k.iflink_index(d) {
            let here = k.ns(ns).devs.get(&p).map(|x| k.dev(*x));
            m_down = here.is_some_and(|x| !x.is_up());
            put(&mut o, "link", here.map_or_else(|| format!("if{p}"), |x| x.name.to_string()));
        }
        put(&mut o, "ifname", d.name.as_str());
        put(&mut o, "flags", flags(d, m_down));
        put(&mut o, "mtu", d.mtu);
        put(&mut o, "master", k.dev(master).name.as_str());
        put(&mut o, "state", port.state.as_str());
        put(&mut o, "cost", port.cost);
        put(&mut o, "hairpin", port.hairpin);
        put(&mut o, "guard", port.guard);
        put(&mut o, "learning", port.learning);
        put(&mut o, "flood", port.flood);
        put(&mut o, "bcast_flood", port.bcast_flood);
        put(&mut o, "neigh_suppress", port.neigh_suppress);
        put(&mut o, "isolated", port.isolated);
        put(&mut o, "locked", port.locked);
        out.push(Value::Object(o));
    }
    Value::Array(out)
}

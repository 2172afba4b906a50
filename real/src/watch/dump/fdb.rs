//! `bridge -j fdb`: forwarding databases of bridges and tunnels; multicast addresses of devices are left out.

use serde_json::{Map, Value, json};

use super::link::{Link, Links};
use super::neigh::{GETNEIGH, HEADER, Head, NDA_DST, NDA_LLADDR, NEWNEIGH, NTF_EXT_LEARNED, NTF_OFFLOADED, NTF_ROUTER};
use super::{names, put};
use crate::netlink::attr::Table;
use crate::netlink::{Netlink, NlError, Request};

const NDA_VLAN: u16 = 5;
const NDA_PORT: u16 = 6;
const NDA_VNI: u16 = 7;
const NDA_IFINDEX: u16 = 8;
const NDA_MASTER: u16 = 9;
const NDA_LINK_NETNSID: u16 = 10;
const NDA_SRC_VNI: u16 = 11;
const NDA_NH_ID: u16 = 13;
const NDA_FLAGS_EXT: u16 = 15;
const NTF_EXT_LOCKED: u32 = 2;
/// `fdb_print_flags` of iproute2, in its order.
const FLAGS: [(u8, &str); 6] = [
    (0x2, "self"),
    (NTF_ROUTER, "router"),
    (NTF_EXT_LEARNED, "extern_learn"),
    (NTF_OFFLOADED, "offload"),
    (0x4, "master"),
    (0x40, "sticky"),
];

/// Every entry, in the kernel's order. Where no device can have one nobody is asked, which would take the lock of the whole
/// machine's devices.
pub fn entries(rt: &mut Netlink, all: &Links<'_>) -> Result<Value, NlError> {
    if all.0.iter().all(Link::is_without_addresses) {
        return Ok(Value::Array(Vec::new()));
    }
    let mut header = [0; HEADER];
    header[0] = names::BRIDGE;
    let dump = rt.dump(&Request::new(GETNEIGH, 0, &header))?;
    let entries = dump.iter().filter(|m| m.kind == NEWNEIGH && m.body.len() >= HEADER);
    Ok(entries.filter_map(|m| entry(all, m.body)).collect())
}

/// `print_fdb`.
fn entry(all: &Links<'_>, body: &[u8]) -> Option<Value> {
    let head = Head::read(body);
    let t = Table::<16>::new(&body[HEADER..]);
    let mac = t.get(NDA_LLADDR).map_or(&[][..], |a| a.value);
    if mac.starts_with(&[0x33, 0x33]) || mac.starts_with(&[0x01, 0x00, 0x5e]) {
        return None;
    }
    let mut o = Map::new();
    put(&mut o, "mac", names::mac(mac));
    put(&mut o, "ifname", all.name(head.dev));
    if let Some(dst) = t.get(NDA_DST) {
        put(&mut o, "dst", names::ip(dst.value));
    }
    if let Some(vlan) = t.get(NDA_VLAN).filter(|a| a.u16() != 0) {
        put(&mut o, "vlan", vlan.u16());
    }
    if let Some(port) = t.get(NDA_PORT) {
        put(&mut o, "port", port.be16());
    }
    for (kind, name) in [(NDA_VNI, "vni"), (NDA_SRC_VNI, "src_vni")] {
        if let Some(a) = t.get(kind) {
            put(&mut o, name, a.u32());
        }
    }
    via(all, &t, &mut o);
    if let Some(id) = t.get(NDA_NH_ID) {
        put(&mut o, "nhid", id.u32());
    }
    let mut marks: Vec<&str> = FLAGS.iter().filter(|(bit, _)| head.flags & bit != 0).map(|(_, n)| *n).collect();
    if t.get(NDA_FLAGS_EXT).is_some_and(|a| a.u32() & NTF_EXT_LOCKED != 0) {
        marks.push("locked");
    }
    if !marks.is_empty() {
        put(&mut o, "flags", json!(marks));
    }
    if let Some(master) = t.get(NDA_MASTER) {
        put(&mut o, "master", all.name(master.u32()));
    }
    put(&mut o, "state", state(head.state));
    Some(Value::Object(o))
}

/// The device that a tunnel's entry leaves by.
fn via(all: &Links<'_>, t: &Table<'_, 16>, o: &mut Map<String, Value>) {
    let far = t.get(NDA_LINK_NETNSID);
    if let Some(dev) = t.get(NDA_IFINDEX).map(|a| a.u32()) {
        match far {
            Some(_) => put(o, "viaIfIndex", dev),
            None => put(o, "viaIf", all.name(dev)),
        }
    }
    if let Some(id) = far {
        put(o, "linkNetNsId", id.u32());
    }
}

/// `state_n2a`.
fn state(s: u16) -> String {
    if s & 0x80 != 0 {
        return "permanent".to_owned();
    }
    if s & 0x40 != 0 {
        return "static".to_owned();
    }
    if s & 0x4 != 0 {
        return "stale".to_owned();
    }
    if s & 0x2 != 0 { String::new() } else { format!("state={s:#x}") }
}

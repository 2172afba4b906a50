//! `ip -j neigh`.

use serde_json::{Map, Value, json};

use super::link::Links;
use super::{names, put};
use crate::netlink::attr::{self, Table};
use crate::netlink::{Netlink, NlError, Request};

pub const GETNEIGH: u16 = 30;
pub const NEWNEIGH: u16 = 28;
/// Length of `struct ndmsg`.
pub const HEADER: usize = 12;
pub const NDA_DST: u16 = 1;
pub const NDA_LLADDR: u16 = 2;
const NUD_NOARP: u16 = 0x40;
const NTF_PROXY: u8 = 0x8;
pub const NTF_EXT_LEARNED: u8 = 0x10;
pub const NTF_OFFLOADED: u8 = 0x20;
pub const NTF_ROUTER: u8 = 0x80;
const STATES: [(u16, &str); 8] = [
    (0x1, "INCOMPLETE"),
    (0x2, "REACHABLE"),
    (0x4, "STALE"),
    (0x8, "DELAY"),
    (0x10, "PROBE"),
    (0x20, "FAILED"),
    (NUD_NOARP, "NOARP"),
    (0x80, "PERMANENT"),
];

/// The word of a state, if it is one (`NUD_*`).
pub fn state_name(bits: u16) -> Option<&'static str> {
    STATES.iter().find(|(b, _)| *b == bits).map(|(_, name)| *name)
}

/// What a neighbour or FDB message begins with (`struct ndmsg`).
pub struct Head {
    /// `ndm_ifindex`.
    pub dev: u32,
    /// `ndm_state`.
    pub state: u16,
    /// `ndm_flags`.
    pub flags: u8,
}

impl Head {
    /// Reads it.
    pub fn read(body: &[u8]) -> Self {
        Head { dev: attr::u32_at(body, 4), state: attr::u16_at(body, 8), flags: body.get(10).copied().unwrap_or(0) }
    }
}

/// Every neighbour, in the kernel's order.
pub fn neighbours(rt: &mut Netlink, all: &Links<'_>) -> Result<Value, NlError> {
    let dump = rt.dump(&Request::new(GETNEIGH, 0, &[0; HEADER]))?;
    let entries = dump.iter().filter(|m| m.kind == NEWNEIGH && m.body.len() >= HEADER);
    Ok(entries.filter_map(|m| neighbour(all, m.body)).collect())
}

/// `print_neigh`: neither entries without a state nor those of devices that have no ARP.
fn neighbour(all: &Links<'_>, body: &[u8]) -> Option<Value> {
    let head = Head::read(body);
    if head.state & !NUD_NOARP == 0 && head.flags & (NTF_PROXY | NTF_EXT_LEARNED) == 0 {
        return None;
    }
    let t = Table::<3>::new(&body[HEADER..]);
    let mut o = Map::new();
    if let Some(dst) = t.get(NDA_DST) {
        put(&mut o, "dst", names::ip(dst.value));
    }
    put(&mut o, "dev", all.name(head.dev));
    if let Some(mac) = t.get(NDA_LLADDR) {
        put(&mut o, "lladdr", names::mac(mac.value));
    }
    let marks =
        [(NTF_ROUTER, "router"), (NTF_PROXY, "proxy"), (NTF_EXT_LEARNED, "extern_learn"), (NTF_OFFLOADED, "offload")];
    for (bit, name) in marks {
        if head.flags & bit != 0 {
            put(&mut o, name, Value::Null);
        }
    }
    let states: Vec<&str> = STATES.iter().filter(|(bit, _)| head.state & bit != 0).map(|(_, n)| *n).collect();
    if !states.is_empty() {
        put(&mut o, "state", json!(states));
    }
    Some(Value::Object(o))
}

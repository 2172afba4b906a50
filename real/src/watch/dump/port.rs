//! `bridge -j -d link`: the ports of all bridges.

use serde_json::{Map, Value};

use super::link::{self, IFLA_MASTER, Link, Links};
use super::put;
use crate::netlink::attr::Table;
use crate::netlink::{Netlink, NlError};

const IFLA_PROTINFO: u16 = 12;
const STATES: [&str; 5] = ["disabled", "listening", "learning", "forwarding", "blocking"];
/// `IFLA_BRPORT_*`, in the words of `print_portinfo`.
const MARKS: [(u16, &str); 8] = [
    (4, "hairpin"),
    (5, "guard"),
    (8, "learning"),
    (9, "flood"),
    (30, "bcast_flood"),
    (32, "neigh_suppress"),
    (33, "isolated"),
    (39, "locked"),
];

/// Every port. Where no device is one nobody is asked, which would take the lock of the whole machine's devices.
pub fn ports(rt: &mut Netlink, all: &Links<'_>) -> Result<Value, NlError> {
    if all.0.iter().all(|l| l.attrs.get(IFLA_MASTER).is_none()) {
        return Ok(Value::Array(Vec::new()));
    }
    let dump = link::ask_ports(rt)?;
    Ok(Links::new(&dump).0.iter().map(|l| port(all, l)).collect())
}

fn port(all: &Links<'_>, l: &Link<'_>) -> Value {
    let mut o = Map::new();
    link::name_and_flags(all, l, &mut o);
    if let Some(master) = l.attrs.get(IFLA_MASTER) {
        put(&mut o, "master", all.name(master.u32()));
    }
    let Some(info) = l.attrs.get(IFLA_PROTINFO) else { return Value::Object(o) };
    let t = Table::<40>::new(info.value);
    if let Some(state) = t.get(1) {
        put(&mut o, "state", STATES.get(usize::from(state.u8())).copied().unwrap_or("unknown"));
    }
    if let Some(cost) = t.get(3) {
        put(&mut o, "cost", cost.u32());
    }
    for (kind, name) in MARKS {
        if let Some(a) = t.get(kind) {
            put(&mut o, name, a.u8() != 0);
        }
    }
    Value::Object(o)
}

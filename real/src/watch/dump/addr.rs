//! `ip -j addr`.

use packetwalk_sim::etc;
use serde_json::{Map, Value, json};

use super::link::Links;
use super::{names, put};
use crate::netlink::attr::{self, Table};
use crate::netlink::{Netlink, NlError, Request};

const GETADDR: u16 = 22;
const NEWADDR: u16 = 20;
/// Length of `struct ifaddrmsg`.
const HEADER: usize = 8;
const SECONDARY: u32 = 1;
const PERMANENT: u32 = 0x80;

/// The addresses of every device, devices without any included.
pub fn addresses(rt: &mut Netlink, all: &Links<'_>) -> Result<Value, NlError> {
    let dump = rt.dump(&Request::new(GETADDR, 0, &[0; HEADER]))?;
    let list: Vec<(u32, Value)> =
        dump.iter().filter(|m| m.kind == NEWADDR && m.body.len() >= HEADER).map(|m| address(m.body)).collect();
    let of = |index| -> Vec<&Value> { list.iter().filter(|(i, _)| *i == index).map(|(_, a)| a).collect() };
    Ok(all.0.iter().map(|l| json!({"ifname": l.name(), "addr": of(l.index)})).collect())
}

/// `print_addrinfo`, as far as a recording keeps it; with the index of its device.
fn address(body: &[u8]) -> (u32, Value) {
    let v4 = body[0] == names::INET;
    let t = Table::<9>::new(&body[HEADER..]);
    let (address, local) = (t.get(1), t.get(2).or(t.get(1)));
    let flags = t.get(8).map_or(body[2].into(), |a| a.u32());
    let mut o = Map::new();
    put(&mut o, "family", if v4 { "inet" } else { "inet6" });
    if let Some(local) = local {
        put(&mut o, "local", names::ip(local.value));
    }
    if let Some(a) = address.filter(|a| local.is_some_and(|l| l.value != a.value)) {
        put(&mut o, "address", names::ip(a.value));
    }
    put(&mut o, "prefixlen", body[1]);
    if let Some(b) = t.get(4) {
        put(&mut o, "broadcast", names::ip(b.value));
    }
    put(&mut o, "scope", etc::rt_scope_name(body[3]));
    if v4 && flags & SECONDARY != 0 {
        put(&mut o, "secondary", true);
    }
    if flags & PERMANENT == 0 {
        put(&mut o, "dynamic", true);
    }
    if let Some(label) = t.get(3) {
        put(&mut o, "label", label.str());
    }
    (attr::u32_at(body, 4), Value::Object(o))
}

//! `ip -j rule`, IPv4.

use packetwalk_sim::etc;
use serde_json::{Map, Value};

use super::{names, put};
use crate::netlink::attr::{self, Attr, Table};
use crate::netlink::{Netlink, NlError, Request};

const GETRULE: u16 = 34;
const NEWRULE: u16 = 32;
/// Length of `struct fib_rule_hdr`.
const HEADER: usize = 12;
const INVERT: u32 = 2;
const UNRESOLVED: u32 = 4;
const IIF_DETACHED: u32 = 8;
const OIF_DETACHED: u32 = 16;
const TO_TABLE: u8 = 1;
const GOTO: u8 = 2;
const NOP: u8 = 3;
const KERNEL: u8 = 2;

/// The rules, in the order they are asked.
pub fn rules(rt: &mut Netlink) -> Result<Value, NlError> {
    let mut header = [0; HEADER];
    header[0] = names::INET;
    let dump = rt.dump(&Request::new(GETRULE, 0, &header))?;
    Ok(dump.iter().filter(|m| m.kind == NEWRULE && m.body.len() >= HEADER).map(|m| rule(m.body)).collect())
}

/// `print_rule`.
fn rule(body: &[u8]) -> Value {
    let [_, dst_len, src_len, tos, table, _, _, action, ..] = *body else { return Value::Null };
    let flags = attr::u32_at(body, 8);
    let t = Table::<26>::new(&body[HEADER..]);
    let mut o = Map::new();
    put(&mut o, "priority", t.get(6).map_or(0, |a| a.u32()));
    if flags & INVERT != 0 {
        put(&mut o, "not", Value::Null);
    }
    if !selector(&mut o, "src", t.get(2), src_len) {
        put(&mut o, "src", "all");
    }
    selector(&mut o, "dst", t.get(1), dst_len);
    if tos != 0 {
        put(&mut o, "tos", format!("0x{tos:02x}"));
    }
    mark(&mut o, t.get(10), t.get(16));
    for (kind, name, detached) in [(3, "iif", IIF_DETACHED), (17, "oif", OIF_DETACHED)] {
        let Some(dev) = t.get(kind) else { continue };
        put(&mut o, name, dev.str());
        if flags & detached != 0 {
            put(&mut o, &format!("{name}_detached"), Value::Null);
        }
    }
    if t.get(19).is_some_and(|a| a.u8() != 0) {
        put(&mut o, "l3mdev", Value::Null);
    }
    if let Some(range) = t.get(20) {
        put(&mut o, "uid_start", attr::u32_at(range.value, 0));
        put(&mut o, "uid_end", attr::u32_at(range.value, 4));
    }
    if let Some(p) = t.get(22) {
        put(&mut o, "ipproto", etc::inet_proto_name(p.u8()));
    }
    for (kind, name) in [(23, "sport"), (24, "dport")] {
        if let Some(a) = t.get(kind) {
            range(&mut o, name, attr::u16_at(a.value, 0), attr::u16_at(a.value, 2));
        }
    }
    let table = t.get(15).map_or(table.into(), |a| a.u32());
    if table != 0 {
        put(&mut o, "table", etc::rt_table_name(table));
        suppress(&mut o, t.get(14), t.get(13));
    }
    act(&mut o, action, t.get(4), flags);
    if let Some(p) = t.get(21).map(|a| a.u8()).filter(|p| *p != 0 && *p != KERNEL) {
        put(&mut o, "protocol", etc::rt_proto_name(p));
    }
    Value::Object(o)
}

/// `from` or `to`; whether there is one.
fn selector(o: &mut Map<String, Value>, key: &str, addr: Option<Attr<'_>>, len: u8) -> bool {
    if addr.is_none() && len == 0 {
        return false;
    }
    put(o, key, addr.map_or_else(|| "0".to_owned(), |a| names::ip(a.value)));
    if addr.is_none() || len != 32 {
        put(o, &format!("{key}len"), len);
    }
    true
}

fn mark(o: &mut Map<String, Value>, mark: Option<Attr<'_>>, mask: Option<Attr<'_>>) {
    if mark.is_none() && mask.is_none() {
        return;
    }
    put(o, "fwmark", names::hex(mark.map_or(0, |a| a.u32())));
    if let Some(mask) = mask.map(|a| a.u32()).filter(|m| *m != u32::MAX) {
        put(o, "fwmask", names::hex(mask));
    }
}

fn range(o: &mut Map<String, Value>, key: &str, a: u16, b: u16) {
    if a == b {
        put(o, key, a);
    } else {
        put(o, &format!("{key}_start"), a);
        put(o, &format!("{key}_end"), b);
    }
}

fn suppress(o: &mut Map<String, Value>, prefix: Option<Attr<'_>>, group: Option<Attr<'_>>) {
    if let Some(n) = prefix.map(|a| a.i32()).filter(|n| *n != -1) {
        put(o, "suppress_prefixlen", n);
    }
    if let Some(n) = group.map(|a| a.i32()).filter(|n| *n != -1) {
        // `/etc/iproute2/group` knows one name.
        put(o, "suppress_ifgroup", if n == 0 { "default".to_owned() } else { n.to_string() });
    }
}

fn act(o: &mut Map<String, Value>, action: u8, target: Option<Attr<'_>>, flags: u32) {
    match action {
        TO_TABLE => {}
        GOTO => {
            put(o, "goto", target.map_or_else(|| "none".into(), |a| Value::from(a.u32())));
            if flags & UNRESOLVED != 0 {
                put(o, "unresolved", Value::Null);
            }
        }
        NOP => put(o, "nop", Value::Null),
        n => put(o, "action", names::rtntype(n)),
    }
}

//! `ip -j addr`.

use serde_json::{Map, Value, json};

use crate::kernel::Kernel;
use crate::kernel::link::IfAddr;
use crate::kernel::types::NetnsId;
use crate::trace::Recorder;

/// The IPv4 addresses of every device, devices without any included.
pub(super) fn addresses<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Value {
    let one = |d: &crate::kernel::link::Device| {
        let list: Vec<Value> = d.addrs.iter().map(address).collect();
        json!({"ifname": d.name.as_str(), "addr": list})
    };
    k.devs_of(ns).map(one).collect()
}

fn address(a: &IfAddr) -> Value {
    let mut o = Map::new();
    o.insert("family".to_owned(), "inet".into());
    o.insert("local".to_owned(), a.local.to_string().into());
    if a.is_ptp() {
        o.insert("address".to_owned(), a.peer.to_string().into());
    }
    o.insert("prefixlen".to_owned(), a.prefix.into());
    if let Some(b) = a.broadcast {
        o.insert("broadcast".to_owned(), b.to_string().into());
    }
    o.insert("scope".to_owned(), crate::etc::rt_scope_name(a.scope).into());
    o.insert("label".to_owned(), a.label.clone().into());
    if a.secondary {
        o.insert("secondary".to_owned(), true.into());
    }
    Value::Object(o)
}

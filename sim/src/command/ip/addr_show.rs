//! What `ip addr show` prints.

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::addr::{AddrShow, Held};
use super::args::Bad;
use super::link_json::{brief_name, json_head, stats64};
use super::link_show::{far_netns, full_name, head, state, stats, sync, wanted};
use super::{Globals, print_json};
use crate::command::Proc;
use crate::etc::rt_scope_name;
use crate::kernel::link::{Device, IfAddr};

impl AddrShow {
    fn fits(&self, a: &IfAddr) -> bool {
        self.scope.is_none_or(|s| s == a.scope)
            && self.primary.is_none_or(|p| p != a.secondary)
            && self.label.as_deref().is_none_or(|l| glob(l, &a.label))
            && self.to.is_none_or(|(n, len)| Ipv4Net::new_assert(n, len).contains(&a.local))
    }
}

/// A label pattern: a star at its end stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(p) => text.starts_with(p),
        None => pattern == text,
    }
}

/// The addresses that a filter picks.
pub(super) fn select(p: &Proc<'_>, s: &AddrShow) -> Result<Vec<Held>, Bad> {
    let devs = wanted(p, &s.link)?;
    Ok(devs.iter().flat_map(|d| d.addrs.iter().filter(|a| s.fits(a)).map(|a| (d.id, a.clone()))).collect())
}

pub(super) fn show(p: &mut Proc<'_>, g: &Globals, s: &AddrShow) -> Result<i32, Bad> {
    sync(p, &s.link);
    let k = &p.sess.kernel;
    let devs = wanted(p, &s.link)?;
    let mut text = String::new();
    let mut list = Vec::new();
    // `to` asks for a family as `-4` does.
    let family = g.inet || s.to.is_some();
    for d in devs {
        let addrs: Vec<&IfAddr> = d.addrs.iter().filter(|a| s.fits(a)).collect();
        // A device without any address stays, unless a family was asked for (`ipaddr_filter`).
        if addrs.is_empty() && (family || !d.addrs.is_empty()) {
            continue;
        }
        // With a label, or on one line each, only addresses are told.
        let head_too = s.label.is_none();
        if g.json {
            let mut o = match (head_too, g.brief) {
                (false, _) => Map::new(),
                (true, true) => brief_name(k, d),
                (true, false) => json_head(k, d, g, false),
            };
            let info = |a: &&IfAddr| if g.brief { brief_addr(a) } else { json_addr(a) };
            o.insert("addr_info".into(), addrs.iter().map(info).collect());
            if g.stats > 0 && !g.brief && head_too {
                o.insert("stats64".into(), stats64(d, g));
            }
            list.push(Value::Object(o));
        } else if g.brief {
            text.push_str(&format!("{:<16} {:<14} ", full_name(k, d), state(d)));
            for a in addrs {
                text.push_str(&format!("{} ", address(a)));
            }
            text.push('\n');
        } else if g.oneline {
            for a in addrs {
                text.push_str(&line(d, a, "\\"));
            }
        } else {
            if head_too {
                let full = head(k, p.host, d, g, false);
                // Of a family the link-layer line is told with -d only.
                if family && !g.details {
                    text.push_str(full.split('\n').next().unwrap_or(""));
                    text.push_str(&far_netns(k, p.host, d).unwrap_or_default());
                } else {
                    text.push_str(&full);
                }
                text.push('\n');
            }
            for a in addrs {
                text.push_str(&format!("    inet {} {}{LIFETIME}", address(a), attributes(a)));
            }
            if g.stats > 0 && head_too {
                text.push_str(&format!("{}\n", stats(d, g)));
            }
        }
    }
    if g.json {
        print_json(p, g, &Value::Array(list));
    }
    p.out.push_str(&text);
    Ok(0)
}

/// `10.0.0.1/24`, or with the far end of a point-to-point one.
fn address(a: &IfAddr) -> String {
    if a.is_ptp() { format!("{} peer {}/{}", a.local, a.peer, a.prefix) } else { format!("{}/{}", a.local, a.prefix) }
}

fn attributes(a: &IfAddr) -> String {
    let mut s = String::new();
    if let Some(b) = a.broadcast {
        s.push_str(&format!("brd {b} "));
    }
    s.push_str(&format!("scope {} ", rt_scope_name(a.scope)));
    if a.secondary {
        s.push_str("secondary ");
    }
    if a.noprefixroute {
        s.push_str("noprefixroute ");
    }
    s.push_str(&a.label);
    s
}

/// The second line about an address: those of the model stay for ever.
const LIFETIME: &str = "\n       valid_lft forever preferred_lft forever\n";

fn line(d: &Device, a: &IfAddr, nl: &str) -> String {
    let lifetime = LIFETIME.trim_start_matches('\n');
    format!("{}: {}    inet {} {}{nl}{lifetime}", d.ifindex, d.name, address(a), attributes(a))
}

/// What `flush` tells with `-s -s`: every address that goes.
pub(super) fn told(p: &mut Proc<'_>, held: &[Held]) {
    let k = &p.sess.kernel;
    let text: String = held.iter().map(|(d, a)| line(k.dev(*d), a, "\n")).collect();
    p.out.push_str(&text);
}

fn brief_addr(a: &IfAddr) -> Value {
    let mut o = Map::new();
    o.insert("local".into(), json!(a.local.to_string()));
    if a.is_ptp() {
        o.insert("address".into(), json!(a.peer.to_string()));
    }
    o.insert("prefixlen".into(), json!(a.prefix));
    Value::Object(o)
}

/// An address as `ip -j addr` writes it.
pub fn json_addr(a: &IfAddr) -> Value {
    let mut o = Map::new();
    o.insert("family".into(), json!("inet"));
    o.insert("local".into(), json!(a.local.to_string()));
    if a.is_ptp() {
        o.insert("address".into(), json!(a.peer.to_string()));
    }
    o.insert("prefixlen".into(), json!(a.prefix));
    if let Some(b) = a.broadcast {
        o.insert("broadcast".into(), json!(b.to_string()));
    }
    o.insert("scope".into(), json!(rt_scope_name(a.scope)));
    if a.secondary {
        o.insert("secondary".into(), json!(true));
    }
    if a.noprefixroute {
        o.insert("noprefixroute".into(), json!(true));
    }
    o.insert("label".into(), json!(a.label));
    o.insert("valid_life_time".into(), json!(u32::MAX));
    o.insert("preferred_life_time".into(), json!(u32::MAX));
    Value::Object(o)
}

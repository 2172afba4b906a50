//! What `brctl` shows.

use super::{bridge, fail};
use crate::command::Proc;
use crate::kernel::bridge::FdbKind;
use crate::kernel::link::{AddrAssign, Device};
use crate::kernel::types::{Errno, MSEC};
use crate::wire::MacAddr;

/// `brctl show [BRIDGE…]`.
pub(super) fn show(p: &mut Proc<'_>, args: &[String]) -> i32 {
    let mut status = 0;
    let mut list = Vec::new();
    if args.is_empty() {
        list = p.sess.kernel.devs_of(p.ns).filter(|d| d.bridge().is_some()).map(|d| d.id).collect();
        list.sort_by_key(|d| p.sess.kernel.dev(*d).name);
    }
    for name in args {
        match bridge(p, name) {
            Ok(b) => list.push(b),
            Err(e) => {
                let text = if e == Errno::ENODEV {
                    format!("bridge {name} does not exist!\n")
                } else {
                    format!("device {name} is not a bridge!\n")
                };
                status = fail(p, &text);
            }
        }
    }
    if list.is_empty() && status != 0 {
        return status;
    }
    let k = &p.sess.kernel;
    let mut text = "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n".to_owned();
    for b in list {
        let d = k.dev(b);
        let Some(br) = d.bridge() else { continue };
        let mut ports: Vec<&Device> = br.ports.iter().map(|x| k.dev(*x)).collect();
        ports.sort_by_key(|x| x.name);
        // Its id is its address only where that was set; else it is the lowest of its ports.
        let mac = match d.mac_assign {
            AddrAssign::Set => d.mac,
            _ => ports.iter().map(|x| x.mac).min().unwrap_or(MacAddr::ZERO),
        };
        let id: String = mac.0.iter().map(|b| format!("{b:02x}")).collect();
        let stp = if br.stp { "yes" } else { "no" };
        let names: Vec<&str> = ports.iter().map(|x| x.name.as_str()).collect();
        text.push_str(&format!(
            "{}\t\t{:04x}.{id}\t{stp}\t\t{}\n",
            d.name,
            br.priority,
            names.join("\n\t\t\t\t\t\t\t")
        ));
    }
    p.out.push_str(&text);
    status
}

/// `brctl showmacs BRIDGE`, in the order of the addresses.
pub(super) fn showmacs(p: &mut Proc<'_>, name: &str) -> i32 {
    let b = match bridge(p, name) {
        Ok(b) => b,
        Err(e) => return fail(p, &format!("read of forward table failed: {e}\n")),
    };
    let k = &p.sess.kernel;
    let mut rows: Vec<_> = k
        .fdb_of(b)
        .into_iter()
        .filter_map(|(mac, e)| k.dev(e.dev).port.as_ref().map(|port| (mac, e, port.port_no)))
        .collect();
    rows.sort_by_key(|(mac, ..)| *mac);
    let mut text = "port no\tmac addr\t\tis local?\tageing timer\n".to_owned();
    for (mac, e, port) in rows {
        let local = if e.kind == FdbKind::Local { "yes" } else { "no" };
        let age = if e.kind == FdbKind::Learned { k.now().saturating_sub(e.updated) / (10 * MSEC) } else { 0 };
        text.push_str(&format!("{port:3}\t{mac}\t{local}\t\t{:4}.{:02}\n", age / 100, age % 100));
    }
    p.out.push_str(&text);
    0
}

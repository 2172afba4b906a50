//! What `ifconfig` and `netstat -i` show of an interface.

use std::cmp::Ordering;

use super::mask_of;
use crate::command::Proc;
use crate::kernel::link::{Device, IfAddr, IfFlags};

/// Flags with their bit, the word of `ifconfig` and the letter of `netstat -i`, in the order they are printed.
const FLAGS: &[(IfFlags, &str)] = &[
    (IfFlags::UP, "UP"),
    (IfFlags::BROADCAST, "BROADCAST"),
    (IfFlags::LOOPBACK, "LOOPBACK"),
    // RUNNING has its place here.
    (IfFlags::NOARP, "NOARP"),
    (IfFlags::PROMISC, "PROMISC"),
    (IfFlags::ALLMULTI, "ALLMULTI"),
    (IfFlags::MULTICAST, "MULTICAST"),
];

/// Names as net-tools sorts them: numbers at their end by value (`nstrcmp`).
pub(crate) fn nstrcmp(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let at = |s: &[u8], i: usize| s.get(i).copied().unwrap_or(0);
    let number = |s: &[u8], from: usize| {
        let s = s.get(from..).unwrap_or_default().iter();
        s.take_while(|c| c.is_ascii_digit()).fold(0u64, |n, c| n.wrapping_mul(10).wrapping_add(u64::from(c - b'0')))
    };
    let (mut i, mut from) = (0, 0);
    while at(a, i) == at(b, i) {
        if at(a, i) == 0 {
            return Ordering::Equal;
        }
        if !at(a, i).is_ascii_digit() && at(a, i + 1).is_ascii_digit() {
            from = i + 1;
        }
        i += 1;
    }
    if at(a, i).is_ascii_digit() && at(b, i).is_ascii_digit() {
        return number(a, from).cmp(&number(b, from));
    }
    at(a, i).cmp(&at(b, i))
}

/// Prints one interface, or all that are up, or all; false where there is no such one.
pub(crate) fn list(p: &mut Proc<'_>, only: Option<&str>, all: bool, short: bool) -> bool {
    let k = &p.sess.kernel;
    let mut rows: Vec<(String, &Device)> = Vec::new();
    for d in k.devs_of(p.ns) {
        if only.is_none() && !all && !d.is_up() {
            continue;
        }
        rows.push((d.name.to_string(), d));
        if short {
            continue;
        }
        for a in &d.addrs {
            if a.label.contains(':') && !rows.iter().any(|(n, _)| *n == a.label) {
                rows.push((a.label.clone(), d));
            }
        }
    }
    rows.retain(|(n, _)| only.is_none_or(|o| o == n));
    if rows.is_empty() && only.is_some() {
        return false;
    }
    rows.sort_by(|(a, _), (b, _)| nstrcmp(a, b));
    let mut text = String::new();
    if short {
        text.push_str(SHORT_HEAD);
    }
    for (name, d) in rows {
        text.push_str(&if short { short_row(d) } else { long(&name, d) });
    }
    p.out.push_str(&text);
    true
}

const SHORT_HEAD: &str = "Iface      MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg\n";

/// The line of `ifconfig -s` and `netstat -i`.
fn short_row(d: &Device) -> String {
    let s = &d.stats;
    let mut flags = String::new();
    let letters = [
        (d.flags.contains(IfFlags::ALLMULTI), 'A'),
        (d.flags.contains(IfFlags::BROADCAST), 'B'),
        (d.flags.contains(IfFlags::LOOPBACK), 'L'),
        (d.flags.contains(IfFlags::MULTICAST), 'M'),
        (d.flags.contains(IfFlags::PROMISC), 'P'),
        (d.is_oper_up(), 'R'),
        (d.is_up(), 'U'),
        (d.flags.contains(IfFlags::NOARP), 'O'),
    ];
    flags.extend(letters.iter().filter(|(on, _)| *on).map(|(_, c)| *c));
    format!(
        "{:<15} {:5} {:8} {:6} {:6} {:<6} {:8} {:6} {:6} {:6} {flags}\n",
        d.name, d.mtu, s.rx_packets, s.rx_errors, s.rx_dropped, 0, s.tx_packets, s.tx_errors, s.tx_dropped, 0
    )
}

/// The words for an interface's flags.
pub(crate) fn flags(d: &Device) -> Vec<&'static str> {
    let mut words = Vec::new();
    for (i, (f, word)) in FLAGS.iter().enumerate() {
        if i == 3 && d.is_oper_up() {
            words.push("RUNNING");
        }
        if d.flags.contains(*f) {
            words.push(*word);
        }
    }
    words
}

/// The paragraph of an interface or of an alias.
fn long(name: &str, d: &Device) -> String {
    let alias = name.contains(':');
    let bits = d.flags.bits() | if d.is_oper_up() { 0x40 } else { 0 };
    let words = flags(d);
    let mut s = format!("{name}: flags={bits}<{}>  mtu {}\n", words.join(","), d.mtu);
    if let Some(a) = d.addrs.iter().find(|a| a.label == name) {
        s.push_str(&inet(a, d));
    }
    if d.is_loopback() {
        s.push_str(&format!("        loop  txqueuelen {}  (Local Loopback)\n", d.txqlen));
    } else {
        s.push_str(&format!("        ether {}  txqueuelen {}  (Ethernet)\n", d.mac, d.txqlen));
    }
    if !alias {
        let t = &d.stats;
        s.push_str(&format!("        RX packets {}  bytes {} ({})\n", t.rx_packets, t.rx_bytes, human(t.rx_bytes)));
        s.push_str(&format!("        RX errors {}  dropped {}  overruns 0  frame 0\n", t.rx_errors, t.rx_dropped));
        s.push_str(&format!("        TX packets {}  bytes {} ({})\n", t.tx_packets, t.tx_bytes, human(t.tx_bytes)));
        s.push_str(&format!(
            "        TX errors {}  dropped {} overruns 0  carrier 0  collisions 0\n",
            t.tx_errors, t.tx_dropped
        ));
    }
    s.push('\n');
    s
}

fn inet(a: &IfAddr, d: &Device) -> String {
    let mut s = format!("        inet {}  netmask {}", a.local, mask_of(a.prefix));
    if d.flags.contains(IfFlags::BROADCAST) {
        s.push_str(&format!("  broadcast {}", a.broadcast.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED)));
    }
    s.push('\n');
    s
}

/// Bytes with a unit and one digit after the point, cut off.
fn human(n: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = (1u64, "B");
    for (i, name) in units.into_iter().enumerate() {
        let size = 1u64 << (10 * (i + 1));
        if n > size {
            unit = (size, name);
        }
    }
    let tenths = u128::from(n) * 10 / u128::from(unit.0);
    format!("{}.{} {}", tenths / 10, tenths % 10, unit.1)
}

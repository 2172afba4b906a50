//! The table that `route` and `netstat -r` print from `/proc/net/route`.

use std::net::Ipv4Addr;

use crate::command::Proc;
use crate::command::ifconfig::mask_of;
use crate::kernel::fib::{Route, RouteType, table as tables};

/// How the table is printed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Style {
    /// `-n`.
    pub numeric: bool,
    /// Number of `-e`: one for netstat's columns, two for all.
    pub extend: u8,
}

/// Prints the main table.
pub(crate) fn table(p: &mut Proc<'_>, s: Style) {
    let mut text = "Kernel IP routing table\n".to_owned();
    text.push_str("Destination     Gateway         Genmask         ");
    text.push_str(match s.extend {
        0 => "Flags Metric Ref    Use Iface\n",
        1 => "Flags   MSS Window  irtt Iface\n",
        _ => "Flags Metric Ref    Use Iface    MSS   Window irtt\n",
    });
    for r in p.sess.kernel.routes_of(p.ns, tables::MAIN) {
        if matches!(r.kind, RouteType::Broadcast | RouteType::Multicast) {
            continue;
        }
        text.push_str(&row(p, &r, s));
    }
    p.out.push_str(&text);
}

fn row(p: &Proc<'_>, r: &Route, s: Style) -> String {
    let reject = matches!(r.kind, RouteType::Unreachable | RouteType::Prohibit);
    let mut flags = if reject { "!".to_owned() } else { "U".to_owned() };
    if r.via.is_some() {
        flags.push('G');
    }
    if r.dst.prefix_len() == 32 {
        flags.push('H');
    }
    let (addr, mask) = (r.dst.addr(), mask_of(r.dst.prefix_len()));
    let target = match (s.numeric, addr.octets()) {
        (false, [0, 0, 0, 0]) if r.dst.prefix_len() == 0 => "default".to_owned(),
        (false, [169, 254, 0, 0]) => "link-local".to_owned(),
        _ => addr.to_string(),
    };
    let gateway = match r.via {
        _ if reject => "-".to_owned(),
        // Busybox writes a name for nobody.
        None if p.inside && !s.numeric => "*".to_owned(),
        via => via.unwrap_or(Ipv4Addr::UNSPECIFIED).to_string(),
    };
    let dev = match r.dev {
        _ if reject => "-".to_owned(),
        Some(d) => p.sess.kernel.dev(d).name.to_string(),
        None => "*".to_owned(),
    };
    // Rejected routes have no numbers of their own.
    let number = |n: u32| if reject { "-".to_owned() } else { n.to_string() };
    let mss = number(r.advmss.map_or(0, |m| m + 40));
    let none = number(0);
    let head = format!("{target:<15} {gateway:<15} {:<15} ", mask.to_string());
    match s.extend {
        0 => format!("{head}{flags:<5} {:<6} {none:<2} {:7} {dev}\n", r.metric, 0),
        1 => format!("{head}{flags:<5} {mss:>5} {none:<5} {none:>6} {dev}\n"),
        _ => {
            format!("{head}{flags:<5} {:<6} {none:<2} {:7} {dev:<8} {mss:<5} {none:<6} {none}\n", r.metric, 0)
        }
    }
}

//! busybox `ifconfig` without changes (networking/interface.c).

use super::super::ifconfig::{mask_of, show};
use super::super::{Exit, Proc};
use crate::kernel::link::{Device, IfFlags};

/// Prints one interface, all that are up, or (`-a`) all.
pub fn show(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let only = argv.get(1).filter(|a| *a != "-a");
    let all = argv.len() > 1;
    let k = &p.sess.kernel;
    let mut devs: Vec<&Device> =
        k.devs_of(p.ns).filter(|d| only.map_or(all || d.is_up(), |o| d.name.as_str() == o)).collect();
    if let (Some(o), []) = (only, devs.as_slice()) {
        p.err.push_str(&format!("ifconfig: {o}: error fetching interface information: Device not found\n"));
        return Ok(1);
    }
    devs.sort_by(|a, b| show::nstrcmp(a.name.as_str(), b.name.as_str()));
    let text: String = devs.into_iter().map(paragraph).collect();
    p.out.push_str(&text);
    Ok(0)
}

fn paragraph(d: &Device) -> String {
    let kind = if d.is_loopback() {
        "Local Loopback  ".to_owned()
    } else {
        format!("Ethernet  HWaddr {}  ", d.mac.to_string().to_uppercase())
    };
    let mut s = format!("{:<9} Link encap:{kind}\n", d.name);
    if let Some(a) = d.addrs.first() {
        s.push_str(&format!("          inet addr:{}", a.local));
        if d.flags.contains(IfFlags::BROADCAST) {
            s.push_str(&format!("  Bcast:{}", a.broadcast.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED)));
        }
        s.push_str(&format!("  Mask:{}\n", mask_of(a.prefix)));
    }
    let flags: String = show::flags(d).into_iter().map(|w| format!("{w} ")).collect();
    let t = &d.stats;
    s.push_str(&format!("          {flags} MTU:{}  Metric:1\n", d.mtu));
    s.push_str(&format!(
        "          RX packets:{} errors:{} dropped:{} overruns:0 frame:0\n",
        t.rx_packets, t.rx_errors, t.rx_dropped
    ));
    s.push_str(&format!(
        "          TX packets:{} errors:{} dropped:{} overruns:0 carrier:0\n",
        t.tx_packets, t.tx_errors, t.tx_dropped
    ));
    s.push_str(&format!("          collisions:0 txqueuelen:{} \n", d.txqlen));
    s.push_str(&format!(
        "          RX bytes:{} ({})  TX bytes:{} ({})\n\n",
        t.rx_bytes,
        human(t.rx_bytes),
        t.tx_bytes,
        human(t.tx_bytes)
    ));
    s
}

/// Bytes with a unit and one digit after the point, rounded (`make_human_readable_str`).
fn human(n: u64) -> String {
    let (mut value, mut tenths, mut unit) = (n, 0, 0);
    while value >= 1024 && unit < 4 {
        tenths = (value % 1024 * 10 + 512) / 1024;
        value /= 1024;
        unit += 1;
    }
    if tenths >= 10 {
        (value, tenths) = (value + 1, 0);
    }
    format!("{value}.{tenths} {}", ["B", "KiB", "MiB", "GiB", "TiB"][unit])
}

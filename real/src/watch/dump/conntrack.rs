//! `conntrack -L`, IPv4, line by line.

use std::fmt::Write;

use nix::errno::Errno;
use packetwalk_sim::command::conntrack::proto_name;
use packetwalk_sim::kernel::conntrack::{L4Id, Tuple, Zone, state_name};

use super::names;
use crate::netlink::attr::{Attr, Table, Write as _};
use crate::netlink::{Netlink, NlError, Request};

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET`.
const GET: u16 = 0x101;
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW`.
const NEW: u16 = 0x100;
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS`.
const GET_STATS: u16 = 0x105;
/// Length of `struct nfgenmsg`.
const HEADER: usize = 4;
const SEEN_REPLY: u32 = 1 << 1;
const ASSURED: u32 = 1 << 2;
const OFFLOAD: u32 = 1 << 14;
const HW_OFFLOAD: u32 = 1 << 15;
const GRE: u8 = 47;

/// How many connections the namespace has, expired ones that nobody has collected yet included; 0 where the kernel has no
/// connection tracking.
pub fn count(nf: &mut Netlink) -> Result<u32, NlError> {
    let stats = match nf.get(&Request::new(GET_STATS, 0, &[0, 0, 0, 0])) {
        // `nfnetlink_rcv_msg`: nobody of that subsystem.
        Err(e) if e.errno == Errno::EINVAL => return Ok(0),
        d => d?,
    };
    let global = stats.iter().find(|m| m.kind == GET_STATS).and_then(|m| Table::<2>::new(&m.body[HEADER..]).get(1));
    Ok(global.map_or(0, |a| a.be32()))
}

/// A connection that may be there: its original direction, and its zone.
pub type Known = (Tuple, Zone);

/// The lines of all connections.
///
/// The table is one for the whole machine, and a dump walks all of its buckets (5 ms for the 262,144 of a small machine): it
/// is not asked for nothing, nor where `known` names all that are there, which are then asked for one by one.
pub fn lines(nf: &mut Netlink, known: &[Known]) -> Result<Vec<String>, NlError> {
    let count = count(nf)? as usize;
    if count == 0 {
        return Ok(Vec::new());
    }
    if known.len() == count
        && let Some(all) = each(nf, known)?
    {
        return Ok(all);
    }
    let dump = nf.dump(&Request::new(GET, 0, &[names::INET, 0, 0, 0]))?;
    Ok(dump.iter().filter(|m| m.kind == NEW && m.body.len() >= HEADER).map(|m| line(m.body, 0)).collect())
}

/// These connections; nothing where one of them is not there.
fn each(nf: &mut Netlink, known: &[Known]) -> Result<Option<Vec<String>>, NlError> {
    let mut all = Vec::with_capacity(known.len());
    for (tuple, zone) in known {
        let answer = match nf.get(&ask(tuple, *zone)) {
            Err(e) if e.errno == Errno::ENOENT => return Ok(None),
            d => d?,
        };
        // Who looks one up holds it meanwhile.
        let told = answer.iter().find(|m| m.kind == NEW && m.body.len() >= HEADER).map(|m| line(m.body, 1));
        let Some(line) = told else { return Ok(None) };
        all.push(line);
    }
    Ok(Some(all))
}

/// `ctnetlink_get_conntrack` by the original direction (`CTA_TUPLE_ORIG`).
fn ask(tuple: &Tuple, zone: Zone) -> Request {
    let mut r = Request::new(GET, 0, &[names::INET, 0, 0, 0]);
    r.body.put_nest(1, |t| {
        t.put_nest(1, |ip| {
            ip.put(1, &tuple.src.octets());
            ip.put(2, &tuple.dst.octets());
        });
        t.put_nest(2, |proto| {
            proto.put(1, &[tuple.proto]);
            match tuple.l4 {
                L4Id::Ports { src, dst } => {
                    proto.put(2, &src.to_be_bytes());
                    proto.put(3, &dst.to_be_bytes());
                }
                L4Id::Icmp { id, ty, code } => {
                    proto.put(4, &id.to_be_bytes());
                    proto.put(5, &[ty]);
                    proto.put(6, &[code]);
                }
                L4Id::None => {}
            }
        });
    });
    if zone.id != 0 {
        r.body.put(18, &zone.id.to_be_bytes());
    }
    r
}

/// `__snprintf_conntrack_default` of libnetfilter_conntrack; `held` of its references are those of who asks.
fn line(body: &[u8], held: u32) -> String {
    let t = Table::<22>::new(&body[HEADER..]);
    let status = t.get(3).map_or(0, |a| a.be32());
    let mut out = String::with_capacity(160);
    let proto = t.get(1).map_or(0, |a| proto_of(a));
    let _ = write!(out, "{:<8} {proto} ", proto_name(proto));
    if let Some(timeout) = t.get(7) {
        let _ = write!(out, "{} ", timeout.be32());
    }
    if let Some(state) = t.get(4).and_then(tcp_state) {
        let _ = write!(out, "{state} ");
    }
    direction(&mut out, t.get(1), "orig", t.get(9));
    if status & SEEN_REPLY == 0 {
        out.push_str("[UNREPLIED] ");
    }
    direction(&mut out, t.get(2), "reply", t.get(10));
    let mark = [(HW_OFFLOAD, "[HW_OFFLOAD] "), (OFFLOAD, "[OFFLOAD] "), (ASSURED, "[ASSURED] ")];
    out.push_str(mark.iter().find(|(bit, _)| status & bit != 0).map_or("", |(_, name)| name));
    for (kind, name) in [(8, "mark"), (17, "secmark")] {
        if let Some(a) = t.get(kind) {
            let _ = write!(out, "{name}={} ", a.be32());
        }
    }
    if let Some(zone) = t.get(18) {
        let _ = write!(out, "zone={} ", zone.be16());
    }
    if let Some(used) = t.get(11) {
        let _ = write!(out, "use={} ", used.be32() - held);
    }
    if let Some(name) = t.get(5).and_then(|a| Table::<2>::new(a.value).get(1)) {
        let _ = write!(out, "helper={} ", name.str());
    }
    out.truncate(out.trim_end().len());
    out
}

fn proto_of(tuple: Attr<'_>) -> u8 {
    let proto = Table::<4>::new(tuple.value).get(2);
    proto.and_then(|a| Table::<2>::new(a.value).get(1)).map_or(0, |a| a.u8())
}

fn tcp_state(info: Attr<'_>) -> Option<&'static str> {
    let tcp = Table::<2>::new(info.value).get(1)?;
    let state = Table::<2>::new(tcp.value).get(1)?;
    Some(state_name(state.u8()))
}

/// Addresses, ports or ICMP, zone and counters of one direction.
fn direction(out: &mut String, tuple: Option<Attr<'_>>, which: &str, counters: Option<Attr<'_>>) {
    let Some(tuple) = tuple.map(|a| Table::<4>::new(a.value)) else { return };
    let ip = Table::<3>::new(tuple.get(1).map_or(&[], |a| a.value));
    let proto = Table::<7>::new(tuple.get(2).map_or(&[], |a| a.value));
    for (kind, name) in [(1, "src"), (2, "dst")] {
        let _ = write!(out, "{name}={} ", names::ip(ip.get(kind).map_or(&[], |a| a.value)));
    }
    let gre = proto.get(1).is_some_and(|a| a.u8() == GRE);
    for (kind, name, key) in [(2, "sport", "srckey"), (3, "dport", "dstkey")] {
        let Some(n) = proto.get(kind).map(|a| a.be16()) else { continue };
        let _ = if gre { write!(out, "{key}={n:#x} ") } else { write!(out, "{name}={n} ") };
    }
    for (kind, name) in [(5, "type"), (6, "code")] {
        if let Some(a) = proto.get(kind) {
            let _ = write!(out, "{name}={} ", a.u8());
        }
    }
    if let Some(id) = proto.get(4) {
        let _ = write!(out, "id={} ", id.be16());
    }
    if let Some(zone) = tuple.get(3) {
        let _ = write!(out, "zone-{which}={} ", zone.be16());
    }
    if let Some(c) = counters.map(|a| Table::<3>::new(a.value)) {
        let n = |kind| c.get(kind).map_or(0, |a| a.be64());
        let _ = write!(out, "packets={} bytes={} ", n(1), n(2));
    }
}

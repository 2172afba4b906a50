//! Lines of `conntrack -L`, as libnetfilter_conntrack writes them.

use std::fmt::Write;

use crate::kernel::Kernel;
use crate::kernel::conntrack::types::{CtEvent, CtEventKind};
use crate::kernel::conntrack::{Conn, CtDir, L4Id, ProtoState, Status, Tuple, state_name};
use crate::kernel::types::{Nanos, NetnsId, SEC};
use crate::trace::Recorder;

/// What `-o` adds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// `extended`: the network protocol in front.
    pub extended: bool,
    /// `id`: the entry's number at the end.
    pub id: bool,
    /// `timestamp`: when an event was heard.
    pub timestamp: bool,
}

/// The lines of `conntrack -L` in a namespace, in the order in which the connections came.
pub fn list<R: Recorder>(k: &Kernel<R>, ns: NetnsId) -> Vec<String> {
    let now = k.now();
    k.ns(ns).nf.ct.iter(now).map(|(r, c)| line(c, now, k.ct_use(ns, r), Style::default())).collect()
}

/// The name of a protocol that the library knows.
pub fn proto_name(proto: u8) -> &'static str {
    match proto {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        47 => "gre",
        58 => "icmpv6",
        132 => "sctp",
        136 => "udplite",
        _ => "unknown",
    }
}

/// One connection, which so many hold.
pub fn line(c: &Conn, now: Nanos, used: usize, style: Style) -> String {
    let mut out = String::new();
    if style.extended {
        out.push_str("ipv4     2 ");
    }
    let proto = c.tuples[0].proto;
    let _ = write!(out, "{:<8} {proto} {} ", proto_name(proto), c.left(now) / SEC);
    if let ProtoState::Tcp(t) = &c.proto {
        let _ = write!(out, "{} ", state_name(t.state));
    }
    direction(&mut out, c, CtDir::Original);
    if !c.status.contains(Status::SEEN_REPLY) {
        out.push_str("[UNREPLIED] ");
    }
    direction(&mut out, c, CtDir::Reply);
    if c.status.contains(Status::ASSURED) {
        out.push_str("[ASSURED] ");
    }
    let _ = write!(out, "mark={} ", c.mark);
    if c.zone.dir.is_none() && c.zone.id != 0 {
        let _ = write!(out, "zone={} ", c.zone.id);
    }
    let _ = write!(out, "use={used}");
    if style.id {
        let _ = write!(out, " id={}", id(c));
    }
    out
}

/// One event as `conntrack -E` writes it: without the mark where it is 0, and without references.
pub fn event_line(e: &CtEvent, style: Style) -> String {
    let kind = match e.kind {
        CtEventKind::New => "    [NEW]",
        CtEventKind::Update => " [UPDATE]",
        CtEventKind::Destroy => "[DESTROY]",
    };
    let entry = line(&e.conn, e.at, 1, style);
    // A time that is over is not sent (`ctnetlink_dump_timeout`).
    let over = e.kind == CtEventKind::Destroy && e.conn.left(e.at) < SEC;
    let proto = e.conn.tuples[0].proto;
    let entry = if over { entry.replacen(&format!(" {proto} 0 "), &format!(" {proto} "), 1) } else { entry };
    let at = e.at / 1000;
    let stamp = if style.timestamp { format!("[{}.{:06}]\t", at / 1_000_000, at % 1_000_000) } else { String::new() };
    let entry = entry.replace(" use=1", "");
    let entry = if e.conn.mark == 0 { entry.replace(" mark=0", "") } else { entry };
    format!("{stamp}{kind} {entry}")
}

/// Linux hides its addresses behind a keyed hash; here the number says which entry it is.
fn id(c: &Conn) -> u32 {
    c.id.wrapping_add(1)
}

fn direction(out: &mut String, c: &Conn, dir: CtDir) {
    tuple(out, &c.tuples[dir as usize]);
    if c.zone.dir == Some(dir) && c.zone.id != 0 {
        let name = if dir == CtDir::Original { "orig" } else { "reply" };
        let _ = write!(out, "zone-{name}={} ", c.zone.id);
    }
    if let Some(a) = &c.acct {
        let n = a[dir as usize];
        let _ = write!(out, "packets={} bytes={} ", n.packets, n.bytes);
    }
}

fn tuple(out: &mut String, t: &Tuple) {
    let _ = write!(out, "src={} dst={} ", t.src, t.dst);
    let _ = match t.l4 {
        L4Id::Ports { src, dst } => write!(out, "sport={src} dport={dst} "),
        L4Id::Icmp { id, ty, code } => write!(out, "type={ty} code={code} id={id} "),
        L4Id::None => Ok(()),
    };
}

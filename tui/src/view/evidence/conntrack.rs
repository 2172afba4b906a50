//! An entry of connection tracking before and after; what address translation rewrote.

use packetwalk_sim::kernel::conntrack::{L4Id, Status, Tuple};
use packetwalk_sim::trace::event::CtView;
use ratatui::style::Style;

use crate::view::doc::Doc;
use crate::view::look::{FAINT, HEAD, NEW};

fn end(addr: std::net::Ipv4Addr, t: &Tuple, source: bool) -> String {
    match t.l4 {
        L4Id::Ports { src, dst } => format!("{addr}:{}", if source { src } else { dst }),
        L4Id::Icmp { id, .. } if source => format!("{addr} id {id}"),
        _ => addr.to_string(),
    }
}

fn tuple(t: &Tuple) -> String {
    format!("{} → {}", end(t.src, t, true), end(t.dst, t, false))
}

fn status(s: Status) -> String {
    let names = [
        (Status::SEEN_REPLY, "answered"),
        (Status::ASSURED, "assured"),
        (Status::CONFIRMED, "in the table"),
        (Status::SRC_NAT, "source translated"),
        (Status::DST_NAT, "destination translated"),
        (Status::DYING, "dying"),
    ];
    let on: Vec<&str> = names.iter().filter(|(b, _)| s.contains(*b)).map(|x| x.1).collect();
    if on.is_empty() { "new".into() } else { on.join(", ") }
}

/// The fields of an entry, by name.
fn fields(c: &CtView) -> Vec<(&'static str, String)> {
    let mut out = vec![
        ("there", tuple(&c.tuples[0])),
        ("back", tuple(&c.tuples[1])),
        ("status", status(c.status)),
        ("expires in", format!("{} s", c.expires_s)),
    ];
    if let Some(t) = c.tcp {
        out.push(("tcp", t.to_owned()));
    }
    if c.mark != 0 {
        out.push(("mark", format!("{:#x}", c.mark)));
    }
    if c.zone != 0 {
        out.push(("zone", c.zone.to_string()));
    }
    out
}

/// An entry; where it was another before, what changed.
pub(super) fn entry(before: Option<&CtView>, after: Option<&CtView>, d: &mut Doc) {
    let Some(now) = after.or(before) else {
        d.line("no entry in the table of connections", FAINT);
        return;
    };
    d.line("entry in the table of connections", HEAD);
    let old = before.filter(|_| after.is_some()).map(fields).unwrap_or_default();
    for (name, value) in fields(now) {
        let was = old.iter().find(|(n, _)| *n == name).map(|x| &x.1).filter(|v| **v != value);
        match was {
            None => d.hang(&format!("  {name:<11}"), &value, "             ", Style::new()),
            Some(v) if name == "status" => {
                let new: Vec<&str> = value.split(", ").filter(|x| !v.split(", ").any(|y| y == *x)).collect();
                d.hang("* status     ", &format!("{v}; now also: {}", new.join(", ")), "             ", NEW);
            }
            Some(v) => d.hang(&format!("* {name:<11}"), &format!("{v} becomes {value}"), "             ", NEW),
        }
    }
    if now.tuples[1].src != now.tuples[0].dst || now.tuples[1].dst != now.tuples[0].src {
        d.gap();
        d.para("Back is not there turned round: an address is translated, and answers are translated back.", FAINT);
    }
}

/// Addresses before and after.
pub(super) fn rewrite(before: &Tuple, after: &Tuple, d: &mut Doc) {
    d.line("the packet's addresses", HEAD);
    let rows = [
        ("source", end(before.src, before, true), end(after.src, after, true)),
        ("destination", end(before.dst, before, false), end(after.dst, after, false)),
    ];
    for (name, b, a) in rows {
        if a == b {
            d.line(&format!("  {name:<12} {b}"), Style::new());
        } else {
            d.line(&format!("* {name:<12} {b} → {a}"), NEW);
        }
    }
}

//! Cables, bridges and tunnels.

use packetwalk_sim::session::Session;
use packetwalk_sim::trace::event::{BrVerdict, Event, EventKind};
use packetwalk_sim::wire::MacAddr;
use ratatui::style::Style;

use super::{table, was};
use crate::state::device;
use crate::state::walk::WalkState;
use crate::tell::who;
use crate::view::doc::Doc;
use crate::view::look::{FAINT, GOOD, HEAD, PLACE};

/// A device and what is at the other end of its cable.
pub(super) fn cable(s: &Session, e: &Event, d: &mut Doc) {
    let Some(dev) = e.dev.map(|d| s.kernel.dev(d)) else { return };
    match dev.veth_peer().map(|p| s.kernel.dev(p)) {
        Some(p) => {
            d.line("the cable", HEAD);
            let mut ends = [(dev, who(s, dev.netns)), (p, who(s, p.netns))];
            if matches!(e.kind, EventKind::Rx) {
                ends.reverse();
            }
            let [a, b] = ends;
            d.spans(vec![
                (format!("  {}", a.0.name), PLACE),
                (" ══════▶ ".to_owned(), GOOD),
                (b.0.name.to_string(), PLACE),
            ]);
            d.line(&format!("  {} → {}", a.1, b.1), FAINT);
        }
        None => d.line(&format!("{}: {}", dev.name, dev.info_kind().unwrap_or("loopback")), HEAD),
    }
    d.gap();
    let frame = s.kernel.rec.packet_at(e).map_or(0, packetwalk_sim::wire::Packet::frame_len);
    d.line(&format!("  the frame has {frame} bytes; MTU {} (without 14 of Ethernet)", dev.mtu), FAINT);
}

/// The devices that share a card, each with the Ethernet address that frames are told apart by.
pub(super) fn sharing(w: &WalkState, e: &Event, d: &mut Doc) {
    let s = w.world();
    let EventKind::Macvlan { dev, .. } = e.kind else { return };
    let lower = s.kernel.macvlan_lower(dev).unwrap_or(dev);
    if let Some(p) = s.kernel.rec.packet_at(e) {
        d.line(&format!("receiver of the frame: {}", p.dst), Style::new());
    }
    let card = s.kernel.dev(lower);
    d.line(&format!("who shares {} of {}", card.name, who(s, card.netns)), HEAD);
    let own = |x: &&packetwalk_sim::kernel::link::Device| x.alive && s.kernel.macvlan_lower(x.id) == Some(lower);
    for x in std::iter::once(card).chain(s.kernel.devs.iter().filter(own)) {
        let (mark, style) = if x.id == dev { ('▶', GOOD) } else { (' ', Style::new()) };
        if x.id == dev {
            d.mark();
        }
        d.line(&format!("{mark} {} {} of {}", x.mac, x.name, who(s, x.netns)), style);
    }
}

/// A bridge's table and its ports.
pub(super) fn bridge(w: &WalkState, e: &Event, d: &mut Doc) {
    let s = w.world();
    let bridge = match &e.kind {
        EventKind::BrLookup { bridge, .. } | EventKind::BrUp { bridge } => Some(*bridge),
        EventKind::Expired { .. } => e.dev,
        EventKind::BrLearn { port, .. } | EventKind::BrSkip { port, .. } | EventKind::BrForward { port } => {
            s.kernel.dev(*port).master
        }
        _ => None,
    };
    let Some(b) = bridge.map(|b| s.kernel.dev(b)) else { return };
    let packet = s.kernel.rec.packet_at(e);
    let mac = match &e.kind {
        EventKind::BrLearn { .. } => packet.map(|p| p.src),
        _ => packet.map(|p| p.dst),
    };
    let lit = mac.map(|m| m.to_string()).unwrap_or_default();
    if let Some(m) = mac {
        let role = if matches!(e.kind, EventKind::BrLearn { .. }) { "sender" } else { "receiver" };
        d.line(&format!("{role} of the frame: {m}"), Style::new());
    }
    let own = format!("{}: ", b.name);
    let (before, lines) = (mine(was(w, b.netns, device::fdb), &own), mine(device::fdb(s, b.netns), &own));
    table(w, &format!("entries of {}", b.name), &before, lines, &lit, d);
    d.gap();
    d.line(&format!("ports of {}", b.name), HEAD);
    let chosen = match &e.kind {
        EventKind::BrLookup { verdict: BrVerdict::Port(p), .. } | EventKind::BrForward { port: p } => Some(*p),
        _ => None,
    };
    for p in b.bridge().map(|b| b.ports.as_slice()).unwrap_or_default() {
        let port = s.kernel.dev(*p);
        let far = port.veth_peer().map(|f| s.kernel.dev(f));
        let far = far.map(|f| format!(" → {} of {}", f.name, who(s, f.netns))).unwrap_or_default();
        let state = port.port.as_ref().map_or("", |x| x.state.as_str());
        let (mark, style) = if chosen == Some(*p) { ('▶', GOOD) } else { (' ', Style::new()) };
        d.line(&format!("{mark} {}{far}  {state}", port.name), style);
    }
}

/// The lines of one device, without its name.
fn mine(all: Vec<String>, own: &str) -> Vec<String> {
    all.into_iter().filter_map(|l| l.strip_prefix(own).map(str::to_owned)).collect()
}

/// The entry that a frame was sent by: its receiver's, or that of all zeros, which stands for everybody unknown
/// (`vxlan_xmit`).
fn used(s: &Session, e: &Event, lines: &[String]) -> Option<String> {
    let mac = s.kernel.rec.packet_at(e)?.dst.to_string();
    let known = lines.iter().any(|l| l.starts_with(&mac));
    Some(if known { mac } else { MacAddr::default().to_string() })
}

/// A tunnel's settings and table.
pub(super) fn tunnel(w: &WalkState, e: &Event, d: &mut Doc) {
    let s = w.world();
    let of_host = |d: &&packetwalk_sim::kernel::link::Device| {
        d.alive && s.kernel.ns(d.netns).host == s.kernel.ns(e.ns).host && d.vxlan().is_some()
    };
    let own = e.dev.map(|x| s.kernel.dev(x)).filter(|x| x.vxlan().is_some());
    let all: Vec<_> = match own {
        Some(x) => vec![x],
        None => s.kernel.devs.iter().filter(of_host).collect(),
    };
    if all.is_empty() {
        d.line("this host has no VXLAN device", FAINT);
    }
    for t in all {
        let Some(v) = t.vxlan() else { continue };
        let what = format!("VNI {}, UDP port {}, MTU {}", v.cfg.vni, v.cfg.port, t.mtu);
        d.hang("", &format!("{} of {}: {what}", t.name, who(s, t.netns)), "  ", HEAD);
        let lead = format!("{}: ", t.name);
        let (before, lines) = (mine(was(w, t.netns, device::fdb), &lead), mine(device::fdb(s, t.netns), &lead));
        let lit = match &e.kind {
            EventKind::VxlanLookup { mac, .. } => mac.to_string(),
            EventKind::Encap { remote, .. } => used(s, e, &lines).unwrap_or_else(|| remote.to_string()),
            _ => String::new(),
        };
        table(w, "entries (which address is on which host)", &before, lines, &lit, d);
    }
}

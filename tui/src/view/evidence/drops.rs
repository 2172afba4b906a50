//! What shows why a packet ended: sizes, Ethernet addresses, the state of devices, room in a table.

use packetwalk_sim::kernel::link::Device;
use packetwalk_sim::trace::event::{Event, EventKind, FibResult};
use packetwalk_sim::wire::Packet;
use ratatui::style::Style;

use crate::state::walk::WalkState;
use crate::view::doc::Doc;
use crate::view::look::{BAD, GOOD, HEAD};

/// The packet as it was last seen at or before an event.
fn packet<'w>(w: &'w WalkState, i: usize, e: &Event) -> Option<&'w Packet> {
    let events = w.walk.events(w.chapter);
    let until = &events[..events.len().min(i + 1)];
    until.iter().rev().filter(|x| x.packet == e.packet).find_map(|x| w.world().kernel.rec.packet_at(x))
}

/// The device that the packet was to leave by, and the two sizes.
pub(super) fn too_big(w: &WalkState, i: usize, e: &Event, d: &mut Doc) {
    let s = w.world();
    let events = w.walk.events(w.chapter);
    let mut back = events[..events.len().min(i)].iter().rev().filter(|x| x.packet == e.packet && x.ns == e.ns);
    let out = back.find_map(|x| match &x.kind {
        EventKind::Fib { result: FibResult::Route { route, .. }, .. } => route.dev,
        _ => None,
    });
    let size = packet(w, i, e).map_or(0, |p| p.frame_len().saturating_sub(14));
    d.line("the way on", HEAD);
    for dev in s.kernel.devs_of(e.ns).filter(|x| !x.is_loopback() && x.is_up()) {
        let here = Some(dev.id) == out;
        let (mark, style) = if here { ('▶', BAD) } else { (' ', Style::new()) };
        let why = if here { format!(": the packet has {size}") } else { String::new() };
        d.line(&format!("{mark} {} takes {} bytes{why}", dev.name, dev.mtu), style);
    }
}

/// Whom the frame is for, and who got it.
pub(super) fn receiver(w: &WalkState, i: usize, e: &Event, d: &mut Doc) {
    let (Some(p), Some(dev)) = (packet(w, i, e), e.dev.map(|x| w.world().kernel.dev(x))) else { return };
    d.line("whom the frame is for", HEAD);
    d.line(&format!("▶ {} is its receiver", p.dst), BAD);
    d.line(&format!("  {} has {}", dev.name, dev.mac), Style::new());
}

/// The devices of the place, and which are up.
pub(super) fn devices(w: &WalkState, e: &Event, d: &mut Doc) {
    d.line("devices here", HEAD);
    for dev in w.world().kernel.devs_of(e.ns) {
        let (mark, here) = if Some(dev.id) == e.dev { ('▶', true) } else { (' ', false) };
        let style = if here && !dev.is_up() { BAD } else { Style::new() };
        d.line(&format!("{mark} {} is {}", dev.name, state(dev)), style);
    }
}

fn state(dev: &Device) -> &'static str {
    if dev.is_up() { "up" } else { "down" }
}

/// The bound of the table of connections, and how many are in it.
pub(super) fn tracking(w: &WalkState, e: &Event, d: &mut Doc) {
    d.line("room in the table of connections", HEAD);
    for key in ["net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_count"] {
        if let Ok(v) = w.world().kernel.sysctl_get(e.ns, key) {
            d.line(&format!("  {key} = {}", v.trim()), Style::new());
        }
    }
}

/// The bound of the neighbour table, which is the whole host's.
pub(super) fn room(w: &WalkState, e: &Event, d: &mut Doc) {
    let k = &w.world().kernel;
    let host = k.ns(e.ns).host;
    let all: usize = k.netns.iter().filter(|n| n.alive && n.host == host).map(|n| n.neigh.entries.len()).sum();
    let key = "net.ipv4.neigh.default.gc_thresh3";
    let bound = k.sysctl_get(k.host(host).root_ns, key).unwrap_or_default();
    d.line("room in the neighbour table of the host", HEAD);
    d.line(&format!("  {key} = {bound}"), Style::new());
    d.line(&format!("  {all} entries in all of its namespaces"), GOOD);
    d.gap();
}

//! Bridges that are connected twice: frames go round, and more with every broadcast.

use super::{Found, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::types::DevId;
use crate::trace::DropReason;
use crate::trace::event::EventKind;

/// How many ports are tried at most.
const PORTS: usize = 4;

/// A step whose frames had to be cut: the bridges that they went round between.
pub fn find(sc: &Scene<'_>, out: &mut Vec<Found>) {
    if !sc.result.storm {
        return;
    }
    let s = sc.after;
    let mut ports: Vec<DevId> = Vec::new();
    for e in sc.events().iter().rev() {
        let cut = matches!(e.kind, EventKind::Drop { reason: DropReason::PACKETWALK_BOUND, .. });
        if let Some(d) = e.dev.filter(|d| cut && !ports.contains(d) && world::comes_round(s, *d)) {
            ports.push(d);
        }
    }
    ports.sort_unstable();
    ports.truncate(PORTS);
    let mut bridges: Vec<DevId> = ports.iter().filter_map(|p| s.kernel.dev(*p).master).collect();
    bridges.sort_unstable();
    bridges.dedup();
    let full = |d: DevId| format!("{}/{}", world::place(s, s.kernel.dev(d).netns), world::name(s, d));
    let Some(first) = bridges.first().copied() else { return };
    let names: Vec<String> = bridges.iter().map(|b| full(*b)).collect();
    let says = format!(
        "frames go round for ever by {}: there are two ways, and no spanning tree cuts one of them",
        names.join(" and ")
    );
    let mut f = Found::new(Cause::BridgeLoop, full(first), says);
    for b in &bridges {
        let dev = s.kernel.dev(*b);
        f = f.shown(
            format!("counters of {} that run up", dev.name),
            Some(line(sc, dev.netns, format!("ip -s link show {}", dev.name))),
        );
    }
    for p in &ports {
        let dev = s.kernel.dev(*p);
        let own = line(sc, dev.netns, format!("bridge link show dev {}", dev.name));
        f = f.shown(format!("{} is a port on that round", dev.name), Some(own));
        f = f.fix(vec![line(sc, dev.netns, format!("ip link set {} down", dev.name))]);
    }
    out.push(f);
}

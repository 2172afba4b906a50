//! Ports that a bridge leaves out, though the receiver is behind them.

use super::link::receiver;
use super::{Found, at, line, words};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::bridge::PortState;
use crate::kernel::types::DevId;
use crate::trace::event::BrSkip;

/// A port that is up, of a bridge that is up, and whose state is not forwarding.
pub fn shut(sc: &Scene<'_>, port: DevId) -> Option<Found> {
    let s = sc.after;
    let d = s.kernel.dev(port);
    let bridge = s.kernel.dev(d.master?);
    let state = d.port.as_ref().map(|p| p.state).filter(|p| *p != PortState::Forwarding)?;
    if !d.is_up() || !bridge.is_up() {
        return None;
    }
    let place = format!("{}/{}", world::place(s, d.netns), d.name);
    let says =
        format!("port {} of {} is {}: frames neither come in nor leave by it", d.name, bridge.name, state.as_str());
    let show = line(sc, d.netns, format!("bridge link show dev {}", d.name));
    let f = Found::new(Cause::LinkDown, place, says).shown(format!("state {}", state.as_str()), Some(show));
    Some(f.fix(vec![line(sc, d.netns, format!("bridge link set dev {} state 3", d.name))]))
}

/// A bridge left a port out of those that get a frame.
pub fn port(sc: &Scene<'_>, i: usize, port: DevId, why: BrSkip, late: &mut Vec<Found>) {
    let s = sc.after;
    let p = s.kernel.dev(port);
    let Some(bridge) = p.master else { return };
    // The receiver is beyond the port, and not on the bridge's own side of it.
    let beyond = |to: &DevId| world::wires(s, port, *to).is_some_and(|w| w.get(1) != Some(&bridge) && w.len() > 1);
    if !receiver(sc, i).iter().any(beyond) {
        return;
    }
    let name = &p.name;
    let (cause, says, fixes) = match why {
        BrSkip::Isolated => (
            Cause::Isolation,
            format!("both ports are isolated, and {} does not leave by {name}", words(sc, i)),
            vec!["isolated off"],
        ),
        BrSkip::NotForwarding => {
            late.extend(shut(sc, port));
            return;
        }
        BrSkip::FloodOff => (
            Cause::FdbMissing,
            format!("the bridge does not know where {} is to go, and flooding by {name} is off", words(sc, i)),
            vec!["flood on", "bcast_flood on", "mcast_flood on"],
        ),
        BrSkip::SamePort | BrSkip::NeighSuppress | BrSkip::TooBig => return,
    };
    let ns = p.netns;
    let mut f = Found::new(cause, at(sc, i), says)
        .shown(format!("port {name}"), Some(line(sc, ns, format!("bridge -d link show dev {name}"))));
    for x in fixes {
        f = f.fix(vec![line(sc, ns, format!("bridge link set dev {name} {x}"))]);
    }
    late.push(f);
}

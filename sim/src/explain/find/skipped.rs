//! Ports that a bridge leaves out, though the receiver is behind them.

use super::link::receiver;
use super::{Found, at, line, words};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::types::DevId;
use crate::trace::event::BrSkip;

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
        BrSkip::NotForwarding => (
            Cause::LinkDown,
            format!("port {name} of the bridge does not forward: its state is not forwarding"),
            vec!["state 3"],
        ),
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

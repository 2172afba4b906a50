//! The switches of the LANs, kept from one scenario for the next.
//!
//! A bridge that goes holds the lock of the whole machine's devices for some 20 ms (`br_multicast_dev_del`: `rcu_barrier`),
//! for which labs side by side wait. A LAN's bridge is the same in every scenario, and with its last port all that it learned
//! is gone.

use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::scenario::{Scenario, What};
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::SWITCH;

use super::links::{LO, Links};
use super::netns::NetNs;

/// Names and indices of the bridges, by which it is told what can take whose place.
pub type Bridges = Vec<(String, u32)>;

/// A case that just ended takes a little until it has left, so that more than one are under way.
const MOST: usize = 6;

/// Namespaces of switches that wait for a scenario.
#[derive(Default)]
pub struct Switches {
    spare: Vec<(Bridges, NetNs)>,
}

impl Switches {
    /// One with these bridges and nothing else, if there is.
    pub fn take(&mut self, wanted: &Bridges) -> Option<NetNs> {
        let at = self.spare.iter().position(|(b, net)| b == wanted && is_bare(net, wanted))?;
        Some(self.spare.remove(at).1)
    }

    /// Keeps one; of too many the oldest goes.
    pub fn give(&mut self, bridges: Bridges, net: NetNs) {
        if self.spare.len() == MOST {
            self.spare.remove(0);
        }
        self.spare.push((bridges, net));
    }
}

/// The namespace of the switches in the model, and its bridges.
pub fn of(s: &Session) -> Option<(NetnsId, Bridges)> {
    let ns = s.kernel.netns.iter().position(|n| n.is_switch)?;
    let ns = NetnsId(ns as u32);
    let bridges =
        s.kernel.devs_of(ns).filter(|d| d.bridge().is_some()).map(|d| (d.name.to_string(), d.ifindex)).collect();
    Some((ns, bridges))
}

/// Whether a scenario leaves the switches as they are but for what is plugged in.
pub fn untouched(scenario: &Scenario) -> bool {
    let actions = scenario.setup.iter().chain(scenario.steps.iter().map(|s| &s.action));
    let place = |w: &What| match w {
        What::Command { place, .. } | What::Probe { place, .. } => place.split('/').next() == Some(SWITCH),
        What::Nothing | What::Sleep(_) => false,
    };
    !actions.map(|a| &a.what).any(place)
}

/// The ports of the last scenario are gone.
fn is_bare(net: &NetNs, wanted: &Bridges) -> bool {
    let found = net.run(|| Links::open().map(|mut l| l.devices()).unwrap_or_default()).unwrap_or_default();
    let found: Bridges = found.into_iter().filter(|d| d.index != LO).map(|d| (d.name, d.index)).collect();
    found == *wanted
}

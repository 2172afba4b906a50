//! A random case as plain numbers: what proptest makes and shrinks. Numbers choose among what there is (modulo its
//! count), so that a case with anything left out is a case too.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::change::{self, Change};
use crate::probe::{self, Ask};
use crate::rule::{self, Rule};

/// A whole case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Hosts; the number is of bits: 1, it is on a second LAN as well; 2, it serves.
    pub hosts: Vec<u8>,
    /// Namespaces made on hosts.
    pub spaces: Vec<Space>,
    /// Bridges: the node each is on, and its bits: 1, it has no address; 2, in a namespace if there is one; 4 to 16
    /// together, it is there even if it has no port.
    pub bridges: Vec<(u8, u8)>,
    /// Cables between bridges of one host.
    pub cables: Vec<(u8, u8)>,
    /// What is not as it should be.
    pub mistakes: Vec<Mistake>,
    /// Settings: node, which, value.
    pub sysctls: Vec<(u8, u8, u8)>,
    /// Rules of the firewall.
    pub rules: Vec<Rule>,
    /// What happens then.
    pub walk: Vec<Step>,
}

/// A namespace.
#[derive(Clone, Debug)]
pub struct Space {
    /// Host.
    pub host: u8,
    /// What its veths lead to: a bridge, its host or an earlier namespace there.
    pub links: Vec<u8>,
    /// Which ports it serves.
    pub serve: u8,
}

/// A mistake: kind, where, how.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// Of [`crate::mistake::KINDS`].
    pub kind: u8,
    /// Node or device.
    pub at: u8,
    /// Which of several.
    pub how: u8,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// A probe.
    Ask(Ask),
    /// A change half way.
    Change(Change),
}

/// All cases.
pub fn strategy() -> impl Strategy<Value = Case> {
    let n = any::<u8>;
    let hosts = prop_oneof![3 => vec(0..4u8, 1), 3 => vec(0..4u8, 2), 1 => vec(0..4u8, 3)];
    let space = (n(), prop_oneof![5 => vec(n(), 1), 3 => vec(n(), 2), 1 => vec(n(), 3)], 0..4u8)
        .prop_map(|(host, links, serve)| Space { host, links, serve });
    let mistake = (n(), n(), n()).prop_map(|(kind, at, how)| Mistake { kind, at, how });
    let step = prop_oneof![
        6 => probe::strategy().prop_map(Step::Ask),
        1 => change::strategy().prop_map(Step::Change),
    ];
    // To take a bridge down costs as much as all the rest of a case ([`crate::plan::Plan::without_ports`]): more cases
    // find more than more bridges do.
    let bridge = (n(), 0..32u8);
    let bridges = prop_oneof![5 => vec(bridge.clone(), 0), 4 => vec(bridge.clone(), 1), 2 => vec(bridge.clone(), 2), 1 => vec(bridge, 3)];
    let topology = (hosts, vec(space, 1..5), bridges, vec((n(), n()), 0..2));
    (topology, vec(mistake, 0..4), vec((n(), n(), n()), 0..4), rule::strategy(), vec(step, 2..8)).prop_map(
        |((hosts, spaces, bridges, cables), mistakes, sysctls, rules, walk)| Case {
            hosts,
            spaces,
            bridges,
            cables,
            mistakes,
            sysctls,
            rules,
            walk,
        },
    )
}

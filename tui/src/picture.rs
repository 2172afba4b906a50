//! The world as a drawing in characters: hosts as boxes, namespaces inside, bridges as bars, cables as lines.
//!
//! Laid out once per step and width, so that it stays put while a packet walks through it; every cell knows what it
//! belongs to, so that a frame only has to light some of them.

mod block;
mod grid;
mod layout;

pub(crate) use grid::{Cell, Grid, Tag};

use packetwalk_sim::kernel::types::{DevId, HostId, NetnsId};
use packetwalk_sim::session::Session;
use std::collections::{BTreeMap, BTreeSet};

/// A rectangle of the drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    pub x: usize,
    pub y: usize,
    pub w: usize,
    pub h: usize,
}

/// The drawing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    pub grid: Grid,
    pub devs: BTreeMap<DevId, Spot>,
    pub spaces: BTreeMap<NetnsId, Spot>,
}

impl Picture {
    /// Draws a world within a width where that is possible.
    pub fn draw(s: &Session, width: usize, folded: &BTreeSet<HostId>) -> Picture {
        layout::draw(s, width.max(30), folded)
    }

    /// Where a device is, or else its namespace, or else its host.
    pub fn spot(&self, s: &Session, ns: NetnsId, dev: Option<DevId>) -> Option<Spot> {
        let root = s.kernel.hosts.get(s.kernel.ns(ns).host.ix()).map(|h| h.root_ns);
        dev.and_then(|d| self.devs.get(&d))
            .or_else(|| self.spaces.get(&ns))
            .or_else(|| root.and_then(|r| self.spaces.get(&r)))
            .copied()
    }
}

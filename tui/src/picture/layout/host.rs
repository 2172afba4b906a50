//! A host as a box: its network cards, then each bridge with what hangs on it, then the namespaces that hang on none.

use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

use packetwalk_sim::kernel::types::{DevId, HostId, NetnsId};

use super::super::block::{Block, device, title_of};
use super::super::grid::{Grid, Tag};
use super::{Plan, side_by_side};

/// Cables that are drawn apart at a folded host; more of them share a column.
const MOST_CABLES: usize = 5;

impl Plan<'_> {
    pub(super) fn folded(&self, id: HostId, inner: usize) -> Block {
        let host = self.s.kernel.host(id);
        let ns = host.root_ns;
        let text = match inner {
            0 => "folded".to_owned(),
            1 => "folded: 1 namespace inside".to_owned(),
            n => format!("folded: {n} namespaces inside"),
        };
        let cards = self.cards(ns);
        // A cable each, beside the name.
        let cables = cards.len().min(MOST_CABLES);
        let w = (text.chars().count() + 4).max(host.name.chars().count() + 4 + 2 * cables);
        let mut grid = Grid::new(w, 3);
        grid.frame((0, 0), (w, 3), Tag::Border(ns));
        title_of(&mut grid, ns, &host.name);
        grid.text(2, 1, &text, Tag::Border(ns));
        let column = |i: usize| w - 3 - 2 * i.min(cables.saturating_sub(1));
        let plugs: Vec<(usize, DevId)> =
            cards.into_iter().enumerate().map(|(i, n)| (column(i), self.g[n].dev)).collect();
        for (x, d) in &plugs {
            grid.set(*x, 0, '┴', Tag::Wire(*d, *d));
        }
        Block { grid, plugs }
    }

    /// The network cards of a host: what is plugged into a LAN.
    fn cards(&self, ns: NetnsId) -> Vec<NodeIndex> {
        let all = self.of_space.get(&ns).map(Vec::as_slice).unwrap_or_default();
        all.iter().copied().filter(|n| self.lan(*n).is_some()).collect()
    }

    pub(super) fn host(&self, id: HostId, inner: &[NetnsId]) -> Block {
        let root = self.s.kernel.host(id).root_ns;
        let devs = self.of_space.get(&root).map(Vec::as_slice).unwrap_or_default();
        let bridge = |n: &NodeIndex| self.g[*n].kind == "bridge";
        let mut parts: Vec<Grid> = Vec::new();
        let (cards, plugs) = self.card_row(root);
        parts.extend(cards);
        let mut placed: BTreeSet<NetnsId> = BTreeSet::new();
        let mut bridges = Vec::new();
        for b in devs.iter().copied().filter(bridge) {
            let ports: Vec<NodeIndex> = devs.iter().copied().filter(|p| self.master(*p) == Some(b)).collect();
            let grid = Block::stack(&self.bridge(b, &ports, inner, &mut placed));
            bridges.push(Block { grid, plugs: Vec::new() });
        }
        for row in Block::rows(bridges, self.width.saturating_sub(4), 2) {
            parts.push(side_by_side(&row, 2));
        }
        let plain = |n: &NodeIndex| !bridge(n) && self.lan(*n).is_none() && self.master(*n).is_none();
        for n in devs.iter().copied().filter(plain) {
            let about = format!("{} {}", self.about(n), self.beyond(n).unwrap_or_default());
            let name = &self.g[n].name;
            let mut g = Grid::new(name.chars().count() + about.chars().count() + 3, 1);
            device(&mut g, (0, 0), name, about.trim(), self.g[n].dev);
            parts.push(g);
        }
        let rest: Vec<Block> = inner
            .iter()
            .filter(|ns| !placed.contains(ns))
            .map(|ns| Block::space(*ns, &self.title(*ns), &self.lines(*ns, None), None))
            .collect();
        for row in Block::rows(rest, self.width.saturating_sub(6), 1) {
            parts.push(side_by_side(&row, 1));
        }
        let content = Block::stack(&parts);
        let title = &self.s.kernel.host(id).name;
        let (w, h) = (content.w.max(title.chars().count() + 4) + 2, content.h.max(1) + 2);
        let mut grid = Grid::new(w, h);
        grid.frame((0, 0), (w, h), Tag::Border(root));
        title_of(&mut grid, root, title);
        grid.paste(1, 1, &content);
        let plugs: Vec<(usize, DevId)> = plugs.into_iter().map(|(x, d)| (x + 1, d)).collect();
        for (x, d) in &plugs {
            grid.set(*x, 0, '┴', Tag::Wire(*d, *d));
        }
        Block { grid, plugs }
    }

    /// The cards of a host side by side. A cable comes in above the end of the name.
    fn card_row(&self, ns: NetnsId) -> (Option<Grid>, Vec<(usize, DevId)>) {
        let cards = self.cards(ns);
        let title = self.s.kernel.ns(ns).label.chars().count() + 3;
        let (mut row, mut plugs, mut x) = (Vec::new(), Vec::new(), 0);
        for n in &cards {
            // The first cable must not come in through the title.
            let least = if row.is_empty() { title } else { 0 };
            let (grid, column) = self.card(*n, least);
            plugs.push((x + column, self.g[*n].dev));
            x += grid.w + 1;
            row.push(Block { grid, plugs: Vec::new() });
        }
        ((!row.is_empty()).then(|| side_by_side(&row, 1)), plugs)
    }

    /// A card, its addresses below it, and the column of its cable, which is `least` or more.
    fn card(&self, n: NodeIndex, least: usize) -> (Grid, usize) {
        let node = &self.g[n];
        let mut about: Vec<String> = node.addresses.clone();
        if let Some(m) = self.master(n) {
            about.push(format!("port of {}", self.g[m].name));
        }
        if !self.s.kernel.dev(node.dev).is_up() {
            about.push("down".into());
        }
        let name = node.name.chars().count();
        let column = (name + 2).max(least);
        let w = about.iter().map(|a| a.chars().count() + 2).max().unwrap_or(0).max(column + 1);
        let mut g = Grid::new(w, about.len() + 1);
        device(&mut g, (0, 0), &node.name, "", node.dev);
        for (i, a) in about.iter().enumerate() {
            g.text(1, i + 1, a, Tag::About(node.dev));
        }
        let tag = Tag::Wire(node.dev, node.dev);
        g.across(name + 2, 0, column.saturating_sub(name + 2), '─', tag);
        g.set(column, 0, '┘', tag);
        (g, column)
    }
}

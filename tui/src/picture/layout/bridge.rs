//! A bridge as a bar, and below it what hangs on its ports.

use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

use packetwalk_sim::kernel::types::NetnsId;

use super::super::block::{Block, device};
use super::super::grid::{Grid, Tag};
use super::{Plan, side_by_side};

impl Plan<'_> {
    /// A bridge as a bar, and below it what hangs on its ports.
    pub(super) fn bridge(
        &self,
        b: NodeIndex,
        ports: &[NodeIndex],
        inner: &[NetnsId],
        placed: &mut BTreeSet<NetnsId>,
    ) -> Vec<Grid> {
        let mut hanging = Vec::new();
        for p in ports.iter().copied().filter(|p| self.lan(*p).is_none()) {
            let far = self.far(p);
            let boxed = far.map(|f| self.g[f].ns).filter(|ns| inner.contains(ns) && placed.insert(*ns));
            hanging.push(self.port(p, far, boxed));
        }
        let node = &self.g[b];
        let (name, about) = (&node.name, self.about(b));
        let label = name.chars().count() + about.chars().count() + 2;
        if hanging.is_empty() {
            let mut g = Grid::new(label + 6, 1);
            device(&mut g, (0, 0), name, &about, node.dev);
            g.across(label + 1, 0, 4, '═', Tag::Dev(node.dev));
            return vec![g];
        }
        let mut out = Vec::new();
        for row in Block::rows(hanging, self.width.saturating_sub(6), 1) {
            let below = side_by_side(&row, 1);
            let mut bar = Grid::new(below.w.max(label), 2);
            device(&mut bar, (0, 0), name, &about, node.dev);
            bar.across(1, 1, below.w.max(label) - 1, '═', Tag::Dev(node.dev));
            let mut x = 0;
            for item in &row {
                for (col, d) in &item.plugs {
                    bar.set(x + col, 1, '╤', Tag::Wire(*d, node.dev));
                }
                x += item.grid.w + 1;
            }
            out.push(Block::stack(&[bar, below]));
        }
        out
    }

    /// A port of a bridge, and below it the namespace at the other end of its cable, or a word on that.
    fn port(&self, p: NodeIndex, far: Option<NodeIndex>, boxed: Option<NetnsId>) -> Block {
        let node = &self.g[p];
        let below = match (far, boxed) {
            (Some(f), Some(ns)) => Block::space(ns, &self.title(ns), &self.lines(ns, Some(f)), Some(self.g[f].dev)),
            _ => {
                let text = format!("{} {}", self.about(p), self.beyond(p).unwrap_or_default());
                let mut grid = Grid::new(text.trim().chars().count() + 3, 1);
                grid.text(2, 0, text.trim(), Tag::About(node.dev));
                Block { grid, plugs: Vec::new() }
            }
        };
        let name = node.name.chars().count();
        let column = below.plugs.first().map_or(1, |p| p.0);
        let shift = (name + 2).saturating_sub(column);
        let column = if boxed.is_some() { column + shift } else { 1 };
        let w = (below.grid.w + if boxed.is_some() { shift } else { 0 }).max(name + 4);
        let mut grid = Grid::new(w, below.grid.h + 1);
        let other = far.map_or(node.dev, |f| self.g[f].dev);
        if boxed.is_some() {
            device(&mut grid, (column - name - 2, 0), &node.name, "", node.dev);
            grid.set(column, 0, '│', Tag::Wire(node.dev, other));
            grid.paste(shift, 1, &below.grid);
            grid.set(column, 1, '┴', Tag::Wire(node.dev, other));
        } else {
            grid.set(1, 0, '└', Tag::Wire(node.dev, node.dev));
            device(&mut grid, (2, 0), &node.name, "", node.dev);
            grid.paste(1, 1, &below.grid);
        }
        Block { grid, plugs: vec![(column, node.dev)] }
    }
}

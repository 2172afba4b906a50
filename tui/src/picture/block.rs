//! A piece of the drawing that others are put together from: a field, and where in it a cable may come in from above.

use packetwalk_sim::kernel::types::DevId;
use packetwalk_sim::kernel::types::NetnsId;

use super::grid::{Grid, Tag};

/// A piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub grid: Grid,
    /// Devices whose cable comes in from above, with their column.
    pub plugs: Vec<(usize, DevId)>,
}

impl Block {
    /// A box of a namespace with lines of devices in it, each with the device it speaks of.
    pub fn space(ns: NetnsId, title: &str, lines: &[(String, String, DevId)], plug: Option<DevId>) -> Block {
        let text = |l: &(String, String, DevId)| l.0.chars().count() + l.1.chars().count() + 1;
        let inner = lines.iter().map(text).max().unwrap_or(0).max(title.chars().count() + 4);
        let (w, h) = (inner + 3, lines.len().max(1) + 2);
        let mut grid = Grid::new(w, h);
        grid.frame((0, 0), (w, h), Tag::Border(ns));
        title_of(&mut grid, ns, title);
        for (i, (name, about, dev)) in lines.iter().enumerate() {
            device(&mut grid, (1, i + 1), name, about, *dev);
        }
        if lines.is_empty() {
            grid.text(2, 1, "only lo", Tag::Border(ns));
        }
        let mut plugs = Vec::new();
        if let Some(d) = plug {
            grid.set(w - 3, 0, '┴', Tag::Wire(d, d));
            plugs.push((w - 3, d));
        }
        Block { grid, plugs }
    }

    /// Pieces side by side, in as many rows as the width asks for: the rows.
    pub fn rows(blocks: Vec<Block>, width: usize, gap: usize) -> Vec<Vec<Block>> {
        let mut rows: Vec<Vec<Block>> = Vec::new();
        let mut used = 0;
        for b in blocks {
            let need = b.grid.w + gap;
            match rows.last_mut() {
                Some(row) if used + need <= width + gap => {
                    used += need;
                    row.push(b);
                }
                _ => {
                    used = need;
                    rows.push(vec![b]);
                }
            }
        }
        rows
    }

    /// One below the other.
    pub fn stack(parts: &[Grid]) -> Grid {
        let w = parts.iter().map(|p| p.w).max().unwrap_or(0);
        let mut out = Grid::new(w, parts.iter().map(|p| p.h).sum());
        let mut y = 0;
        for p in parts {
            out.paste(0, y, p);
            y += p.h;
        }
        out
    }
}

/// A namespace's name on its border.
pub(super) fn title_of(grid: &mut Grid, ns: NetnsId, title: &str) {
    grid.set(1, 0, ' ', Tag::SpaceMark(ns));
    grid.text(2, 0, title, Tag::Space(ns));
    grid.set(2 + title.chars().count(), 0, ' ', Tag::Border(ns));
}

/// A device: place for the mark, name, and what is to be said of it.
pub(super) fn device(grid: &mut Grid, (x, y): (usize, usize), name: &str, about: &str, dev: DevId) {
    grid.set(x, y, ' ', Tag::Mark(dev));
    grid.text(x + 1, y, name, Tag::Dev(dev));
    grid.text(x + 2 + name.chars().count(), y, about, Tag::About(dev));
}

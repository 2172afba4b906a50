//! Cells of the drawing.

use packetwalk_sim::kernel::types::{DevId, NetnsId};

/// What a cell belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tag {
    #[default]
    None,
    /// The name of a device.
    Dev(DevId),
    /// Where the mark stands when a packet is at the device.
    Mark(DevId),
    /// Addresses and other words about a device.
    About(DevId),
    /// The name of a namespace.
    Space(NetnsId),
    /// Where the mark stands when a packet is in the namespace and at no device.
    SpaceMark(NetnsId),
    /// The border of a namespace.
    Border(NetnsId),
    /// A cable between two devices.
    Wire(DevId, DevId),
}

/// A character with what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub ch: char,
    pub tag: Tag,
}

impl Default for Cell {
    fn default() -> Self {
        Cell { ch: ' ', tag: Tag::None }
    }
}

/// A field of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grid {
    pub w: usize,
    pub h: usize,
    cells: Vec<Cell>,
}

impl Grid {
    /// An empty field.
    pub fn new(w: usize, h: usize) -> Grid {
        Grid { w, h, cells: vec![Cell::default(); w * h] }
    }

    /// A cell; empty outside.
    pub fn at(&self, x: usize, y: usize) -> Cell {
        if x >= self.w || y >= self.h { Cell::default() } else { self.cells[y * self.w + x] }
    }

    /// A row.
    pub fn row(&self, y: usize) -> &[Cell] {
        if y < self.h { &self.cells[y * self.w..(y + 1) * self.w] } else { &[] }
    }

    /// Sets a cell; one outside is not there.
    pub fn set(&mut self, x: usize, y: usize, ch: char, tag: Tag) {
        if x < self.w && y < self.h {
            self.cells[y * self.w + x] = Cell { ch, tag };
        }
    }

    /// Writes a text.
    pub fn text(&mut self, x: usize, y: usize, text: &str, tag: Tag) {
        for (i, ch) in text.chars().filter(|c| !c.is_control()).enumerate() {
            self.set(x + i, y, ch, tag);
        }
    }

    /// A line from left to right.
    pub fn across(&mut self, x: usize, y: usize, len: usize, ch: char, tag: Tag) {
        for i in 0..len {
            self.set(x + i, y, ch, tag);
        }
    }

    /// A line downwards; what it crosses keeps its direction.
    pub fn down(&mut self, x: usize, y: usize, len: usize, tag: Tag) {
        for i in 0..len {
            let ch = match self.at(x, y + i).ch {
                '═' => '╪',
                '─' => '┼',
                _ => '│',
            };
            self.set(x, y + i, ch, tag);
        }
    }

    /// A box.
    pub fn frame(&mut self, (x, y): (usize, usize), (w, h): (usize, usize), tag: Tag) {
        if w < 2 || h < 2 {
            return;
        }
        self.across(x + 1, y, w - 2, '─', tag);
        self.across(x + 1, y + h - 1, w - 2, '─', tag);
        for i in 1..h - 1 {
            self.set(x, y + i, '│', tag);
            self.set(x + w - 1, y + i, '│', tag);
        }
        for (cx, cy, ch) in [(x, y, '┌'), (x + w - 1, y, '┐'), (x, y + h - 1, '└'), (x + w - 1, y + h - 1, '┘')]
        {
            self.set(cx, cy, ch, tag);
        }
    }

    /// Puts another field into this one.
    pub fn paste(&mut self, x: usize, y: usize, other: &Grid) {
        for oy in 0..other.h {
            for (ox, c) in other.row(oy).iter().enumerate() {
                if c.ch != ' ' || c.tag != Tag::None {
                    self.set(x + ox, y + oy, c.ch, c.tag);
                }
            }
        }
    }
}

//! Where the panes of an open scenario are, for a size of the terminal.
//!
//! ```text
//! 80×24                      120×40                     200×60
//! ┌ steps ───┬ picture ───┐  ┌ steps ─┬ picture ─────┐  ┌ steps ─┬ picture ───────────────┐
//! │          │            │  │        │              │  │        │                        │
//! ├ decision (or packet) ─┤  │        ├ decision ────┤  │        ├ decision ──┬ packet ───┤
//! │                       │  │        ├ packet ──────┤  │        │            │           │
//! └───────────────────────┘  └────────┴──────────────┘  └────────┴────────────┴───────────┘
//! ```

use ratatui::layout::{Constraint, Layout, Rect};

/// The smallest terminal that shows everything.
pub(crate) const MIN: (u16, u16) = (64, 18);

/// A pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    Steps,
    Picture,
    Now,
    Packet,
}

impl Pane {
    pub const ALL: [Pane; 4] = [Pane::Steps, Pane::Picture, Pane::Now, Pane::Packet];
}

/// What of them is on the screen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Panes {
    pub head: Rect,
    pub foot: Rect,
    pub steps: Option<Rect>,
    pub picture: Option<Rect>,
    pub now: Option<Rect>,
    pub packet: Option<Rect>,
}

impl Panes {
    /// The place of a pane.
    pub fn of(&self, p: Pane) -> Option<Rect> {
        match p {
            Pane::Steps => self.steps,
            Pane::Picture => self.picture,
            Pane::Now => self.now,
            Pane::Packet => self.packet,
        }
    }
}

/// Divides a screen. `zoom` is the pane that has it for itself; where there is room for one of decision and packet only,
/// `packet` says which.
pub(crate) fn panes((w, h): (u16, u16), zoom: Option<Pane>, packet: bool) -> Panes {
    let area = Rect::new(0, 0, w, h);
    let [head, main, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    let mut p = Panes { head, foot, ..Panes::default() };
    if let Some(z) = zoom {
        match z {
            Pane::Steps => p.steps = Some(main),
            Pane::Picture => p.picture = Some(main),
            Pane::Now => p.now = Some(main),
            Pane::Packet => p.packet = Some(main),
        }
        return p;
    }
    if w < 110 || h < 34 {
        let [top, low] = Layout::vertical([Constraint::Fill(6), Constraint::Fill(5)]).areas(main);
        let [steps, picture] = Layout::horizontal([Constraint::Percentage(40), Constraint::Fill(1)]).areas(top);
        (p.steps, p.picture) = (Some(steps), Some(picture));
        if packet {
            p.packet = Some(low);
        } else {
            p.now = Some(low);
        }
        return p;
    }
    let left = if w < 170 { w * 38 / 100 } else { 62 };
    let [steps, right] = Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(main);
    p.steps = Some(steps);
    if w < 170 {
        let [picture, now, packet] =
            Layout::vertical([Constraint::Fill(4), Constraint::Fill(4), Constraint::Fill(3)]).areas(right);
        (p.picture, p.now, p.packet) = (Some(picture), Some(now), Some(packet));
    } else {
        let [picture, low] = Layout::vertical([Constraint::Fill(4), Constraint::Fill(5)]).areas(right);
        let [now, packet] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(low);
        (p.picture, p.now, p.packet) = (Some(picture), Some(now), Some(packet));
    }
    p
}

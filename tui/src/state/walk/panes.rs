//! The panes: which has the focus, what is scrolled, and what is shown of the picture.

use packetwalk_sim::kernel::types::HostId;

use crate::keys::Action;
use crate::panes::Pane;
use crate::picture::Picture;

use super::{Moved, WalkState};

impl WalkState {
    /// Draws the picture anew.
    pub(super) fn redraw(&mut self) {
        let width = self.panes().picture.map_or(self.size.0, |r| r.width).saturating_sub(2);
        self.picture = Picture::draw(self.world(), width.into(), &self.folded);
        self.follow();
    }

    /// Scrolls the picture to where the packet is.
    pub(super) fn follow(&mut self) {
        let (w, h) = self.picture_size();
        let spot = match self.event() {
            Some((_, e, _)) => self.picture.spot(self.world(), e.ns, e.dev),
            // Where the line is run.
            None => self.walk.chapter(self.chapter).and_then(|d| {
                let (_, ns) = self.world().place(&d.result.place).ok()?;
                self.picture.spot(self.world(), ns, None)
            }),
        };
        if let Some(s) = spot {
            let keep = |from: usize, size: usize, lo: usize, hi: usize| match (lo < from, hi > from + size) {
                (true, _) => lo.saturating_sub(2),
                (_, true) if hi - lo >= size => lo,
                (_, true) => (hi + 2).saturating_sub(size),
                _ => from,
            };
            self.scroll.0 = keep(self.scroll.0, w, s.x, s.x + s.w);
            self.scroll.1 = keep(self.scroll.1, h, s.y.saturating_sub(1), s.y + s.h.min(3) + 1);
        }
        self.scroll.0 = self.scroll.0.min(self.picture.grid.w.saturating_sub(w));
        self.scroll.1 = self.scroll.1.min(self.picture.grid.h.saturating_sub(h));
    }

    pub(super) fn picture_size(&self) -> (usize, usize) {
        let r = self.panes().picture;
        r.map_or((1, 1), |r| {
            (usize::from(r.width.saturating_sub(2)).max(1), usize::from(r.height.saturating_sub(2)).max(1))
        })
    }

    pub(super) fn fold_host(&mut self) {
        let s = self.world();
        let ns = self.event().map(|(_, e, _)| e.ns);
        let host = ns.map(|n| s.kernel.ns(n).host).or((!s.kernel.hosts.is_empty()).then_some(HostId(0)));
        if let Some(h) = host.filter(|h| h.ix() < s.kernel.hosts.len()) {
            if !self.folded.remove(&h) {
                self.folded.insert(h);
            }
            self.redraw();
        }
    }

    pub(super) fn focus(&mut self, by: usize) {
        let panes = self.panes();
        let mut i = Pane::ALL.iter().position(|p| *p == self.pane).unwrap_or(0);
        for _ in 0..Pane::ALL.len() {
            i = (i + by) % Pane::ALL.len();
            if self.zoom.is_some() || panes.of(Pane::ALL[i]).is_some() {
                break;
            }
        }
        self.pane = Pane::ALL[i];
        if self.zoom.is_some() {
            self.zoom = Some(self.pane);
            self.redraw();
        }
    }

    pub(super) fn zoom_on(&mut self, p: Pane) {
        self.zoom = if self.zoom == Some(p) { None } else { Some(p) };
        self.redraw();
    }

    pub(super) fn show_packet(&mut self) {
        self.packet = !self.packet;
        if self.zoom.is_some() {
            self.zoom = Some(if self.zoom == Some(Pane::Packet) { Pane::Now } else { Pane::Packet });
        }
        self.pane = match (self.pane, self.packet) {
            (Pane::Now, true) => Pane::Packet,
            (Pane::Packet, false) => Pane::Now,
            (p, _) => p,
        };
    }

    pub(super) fn scroll(&mut self, a: Action) -> Moved {
        let pane = self.zoom.unwrap_or(self.pane);
        let page = self.panes().of(pane).map_or(1, |r| usize::from(r.height.saturating_sub(3)).max(1));
        let move_by = |at: usize, last: usize| {
            match a {
                Action::Up => at.saturating_sub(1),
                Action::Down => at + 1,
                Action::PageUp => at.saturating_sub(page),
                _ => at + page,
            }
            .min(last)
        };
        match pane {
            Pane::Steps => match a {
                Action::Up => return self.back(),
                Action::Down => return self.forward(),
                _ if self.must_ask() => return Moved::Ask,
                _ => return self.go(move_by(self.pos, self.listing.positions() - 1)),
            },
            Pane::Picture => {
                let (_, h) = self.picture_size();
                self.scroll.1 = move_by(self.scroll.1, self.picture.grid.h.saturating_sub(h));
            }
            Pane::Now => self.now_scroll = move_by(self.now_scroll, 10_000),
            Pane::Packet => self.packet_scroll = move_by(self.packet_scroll, 10_000),
        }
        Moved::No(String::new())
    }
}

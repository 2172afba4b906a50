//! The picture: what is folded, and which part of it is shown.

use packetwalk_sim::kernel::types::HostId;

use super::walk::WalkState;
use crate::picture::Picture;

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
}

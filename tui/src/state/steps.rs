//! Where keys lead: decision by decision, hop by hop, to the next rewrite or drop, step by step.

use crate::walk::index::Index;
use crate::walk::listing::Filter;

use super::walk::{Moved, WalkState};

impl WalkState {
    /// To a packet's first shown decision.
    pub fn go_to_story(&mut self, n: usize) -> Moved {
        let Some(first) = self.index().and_then(|i| i.stories.get(n)).map(|s| s.first) else {
            return Moved::No("There is no such packet.".into());
        };
        if self.filter.story.is_some_and(|f| f as usize != n) {
            self.filter.story = None;
            self.relist();
        }
        let index = self.index().map(|i| &i.items);
        let of = |e: u32| index.and_then(|x| x.get(e as usize)).is_some_and(|i| i.story as usize == n);
        let from = self.listing.position_of(first);
        let shown = self.listing.shown.get(from - 1..).unwrap_or_default();
        match shown.iter().position(|e| of(*e)) {
            Some(k) => self.go(from + k),
            None => Moved::No("Its decisions are not shown: v shows all of them, / shows the filter.".into()),
        }
    }

    pub(super) fn forward(&mut self) -> Moved {
        if self.must_ask() {
            return Moved::Ask;
        }
        if self.chapter == 0 || self.pos + 1 >= self.listing.positions() {
            return self.enter(self.chapter + 1, 0);
        }
        let mut to = self.pos + 1;
        if let (Some(a), Some(b)) = (self.listing.hop_at(self.pos), self.listing.hop_at(to))
            && let Some(h) = self.listing.hops.get(a as usize)
            && a == b
            && h.folded
        {
            to = h.end as usize + 1;
        }
        self.go(to)
    }

    pub(super) fn back(&mut self) -> Moved {
        if self.pos == 0 {
            return if self.chapter == 0 {
                Moved::No("This is the beginning.".into())
            } else {
                self.enter(self.chapter - 1, usize::MAX)
            };
        }
        let mut to = self.pos - 1;
        if let Some(h) = self.listing.hop_at(to).and_then(|h| self.listing.hops.get(h as usize))
            && h.folded
        {
            to = if self.listing.hop_at(self.pos) == self.listing.hop_at(to) {
                h.first as usize
            } else {
                h.first as usize + 1
            };
        }
        self.go(to)
    }

    pub(super) fn hop(&mut self, by: isize) -> Moved {
        if by > 0 && self.must_ask() {
            return Moved::Ask;
        }
        // The world has no hops: the walk begins.
        if by > 0 && self.chapter == 0 {
            return self.enter(1, 0);
        }
        let hops = self.listing.hops.len() as isize;
        let to = match self.listing.hop_at(self.pos) {
            Some(h) if by < 0 && self.listing.hops[h as usize].first as usize + 1 < self.pos => h as isize,
            Some(h) => h as isize + by,
            None if self.pos == 0 => by - 1,
            None => hops - 1,
        };
        match to {
            t if t < 0 && self.pos == 0 => self.back(),
            t if t < 0 => self.go(0),
            t if t >= hops && self.pos + 1 >= self.listing.positions() => self.enter(self.chapter + 1, 0),
            t if t >= hops => self.go(self.listing.positions() - 1),
            t => self.go(self.listing.hops[t as usize].first as usize + 1),
        }
    }

    /// To the next event of a list, in this step or a later one.
    pub(super) fn seek(&mut self, list: fn(&Index) -> &Vec<u32>, none: &str) -> Moved {
        if self.must_ask() {
            return Moved::Ask;
        }
        let mut from = match self.pos {
            0 => 0,
            p => self.listing.event_at(p).map_or(u32::MAX, |e| e.saturating_add(1)),
        };
        for chapter in self.chapter..self.walk.chapters() {
            if let Err(e) = self.walk.run_to(chapter) {
                return Moved::Failed(format!("{}; {}", e.what, e.help));
            }
            let found = self.walk.chapter(chapter).and_then(|d| {
                let all = list(&d.index);
                all.get(all.partition_point(|e| *e < from)).copied()
            });
            if let Some(event) = found {
                self.show(chapter, 0);
                if !self.listing.shown.contains(&event) {
                    self.filter = Filter { details: self.filter.details, ..Filter::default() };
                    self.relist();
                }
                return self.go(self.listing.position_of(event));
            }
            from = 0;
        }
        Moved::No(none.into())
    }

    pub(super) fn relative(&mut self, parent: bool) -> Moved {
        let story = self.story().and_then(|s| self.index()?.stories.get(s as usize));
        let to = story.and_then(|s| if parent { s.parent } else { s.child });
        match (to, parent) {
            (Some(n), _) => self.go_to_story(n as usize),
            (None, true) => Moved::No("No packet of this step caused this one: a program sent it.".into()),
            (None, false) => Moved::No("This packet caused no other.".into()),
        }
    }

    pub(super) fn undo(&mut self) -> Moved {
        match self.walk.undo() {
            Some(chapter) => self.enter(chapter, usize::MAX),
            None => Moved::No("There is nothing of yours to take back. : runs a line.".into()),
        }
    }

    pub(super) fn enter(&mut self, chapter: usize, pos: usize) -> Moved {
        if chapter >= self.walk.chapters() {
            return Moved::No("This is the end of the scenario. : tries something of your own, q leaves.".into());
        }
        if chapter > self.chapter && self.must_ask() {
            return Moved::Ask;
        }
        if let Err(e) = self.walk.run_to(chapter) {
            return Moved::Failed(format!("{}; {}", e.what, e.help));
        }
        self.show(chapter, pos);
        Moved::Yes
    }

    pub(super) fn show(&mut self, chapter: usize, pos: usize) {
        if chapter != self.chapter || self.filter.story.is_some() {
            self.filter.story = None;
        }
        self.chapter = chapter;
        self.pos = 0;
        self.relist();
        self.redraw();
        self.go(pos);
    }

    /// Moves the cursor.
    pub(super) fn go(&mut self, pos: usize) -> Moved {
        // The opening page is one.
        self.pos = if self.chapter == 0 { 0 } else { pos.min(self.listing.positions() - 1) };
        self.now_scroll = 0;
        self.packet_scroll = 0;
        if self.at_end()
            && let Some(p) = self.chapter.checked_sub(1).and_then(|i| self.walk.plan.get_mut(i))
        {
            p.seen = true;
        }
        self.follow();
        Moved::Yes
    }
}

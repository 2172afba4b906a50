//! An open scenario: where the reader is in it, and what is shown of it.

use std::collections::BTreeSet;

use packetwalk_sim::kernel::types::HostId;
use packetwalk_sim::scenario::{Ask, Scenario};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::Event;

use crate::keys::Action;
use crate::panes::{Pane, Panes, panes};
use crate::picture::Picture;
use crate::walk::index::{Index, Item};
use crate::walk::listing::{Filter, Listing};
use crate::walk::{Answer, Walk, line};

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Yes,
    /// It cannot go there; a word on it.
    No(String),
    /// The step could not be walked.
    Failed(String),
    /// There is a question to answer first.
    Ask,
}

/// An open scenario.
pub(crate) struct WalkState {
    pub walk: Walk,
    /// 0 is the opening page, then every step.
    pub chapter: usize,
    /// 0 is what is said and run, then every shown decision, then what came of it.
    pub pos: usize,
    pub filter: Filter,
    pub listing: Listing,
    pub picture: Picture,
    pub folded: BTreeSet<HostId>,
    /// Left and top of what is shown of the picture.
    pub scroll: (usize, usize),
    pub now_scroll: usize,
    pub packet_scroll: usize,
    pub pane: Pane,
    pub zoom: Option<Pane>,
    /// The packet is shown where there is no room for it and the decision.
    pub packet: bool,
    pub playing: bool,
    pub size: (u16, u16),
}

impl WalkState {
    /// At the opening page.
    pub fn new(walk: Walk, size: (u16, u16)) -> WalkState {
        let mut w = WalkState {
            walk,
            chapter: 0,
            pos: 0,
            filter: Filter::default(),
            listing: Listing::default(),
            picture: Picture::default(),
            folded: BTreeSet::new(),
            scroll: (0, 0),
            now_scroll: 0,
            packet_scroll: 0,
            pane: Pane::Steps,
            zoom: None,
            packet: false,
            playing: false,
            size,
        };
        w.relist();
        w.redraw();
        w
    }

    /// The world that names the devices of what is shown.
    pub fn world(&self) -> &Session {
        self.walk.after(self.chapter)
    }

    /// The event under the cursor: its number within the step, itself, and what is known of it.
    pub fn event(&self) -> Option<(usize, &Event, &Item)> {
        let i = self.listing.event_at(self.pos)? as usize;
        Some((i, self.walk.events(self.chapter).get(i)?, self.index()?.items.get(i)?))
    }

    /// The index of the step.
    pub fn index(&self) -> Option<&Index> {
        self.walk.chapter(self.chapter).map(|d| &d.index)
    }

    /// The packet of the event under the cursor.
    pub fn story(&self) -> Option<u32> {
        self.event().map(|(_, _, item)| item.story).filter(|s| *s != crate::walk::index::NONE)
    }

    /// How many packets the step has.
    pub fn stories(&self) -> usize {
        self.index().map_or(0, |i| i.stories.len())
    }

    /// The cursor is at what came of the step.
    pub fn at_end(&self) -> bool {
        self.chapter > 0 && self.pos + 1 == self.listing.positions()
    }

    /// The panes for the present size.
    pub fn panes(&self) -> Panes {
        panes(self.size, self.zoom, self.packet)
    }

    /// The question of this step.
    pub fn question(&self) -> Option<&Ask> {
        self.walk.planned(self.chapter).and_then(|p| p.step.ask.as_ref())
    }

    /// Walked to the end; questions answered rightly; questions in all.
    pub fn score(&self) -> (bool, u32, u32) {
        let own = self.walk.plan.iter().filter(|p| !p.own);
        let asked = own.clone().filter(|p| p.step.ask.is_some()).count() as u32;
        let right = own.clone().filter(|p| p.seen && p.right()).count() as u32;
        (own.clone().next_back().is_some_and(|p| p.seen), right, asked)
    }

    /// `PLACE$ ` for where the packet is.
    pub fn place_here(&self) -> String {
        let s = self.world();
        let of_event = self.event().map(|(_, e, _)| e.ns).filter(|n| !s.kernel.ns(*n).is_switch);
        let place = of_event.map(|n| s.kernel.ns(n).label.clone());
        let place = place.or_else(|| self.walk.chapter(self.chapter).map(|d| d.result.place.clone()));
        let first = || s.kernel.hosts.first().map(|h| h.name.clone()).unwrap_or_default();
        format!("{}$ ", place.filter(|p| !p.is_empty()).unwrap_or_else(first))
    }

    /// What `why` needs: the scenario with what was typed, and the step.
    pub fn why(&self) -> Result<(Scenario, usize), String> {
        if self.chapter == 0 {
            return Err("Nothing has failed here: this page only shows the world.".into());
        }
        let steps = self.walk.plan.iter().map(|p| p.step.clone()).collect();
        Ok((Scenario { steps, ..self.walk.scenario.clone() }, self.chapter))
    }

    /// Another size.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.redraw();
    }

    /// Shows only what has these words.
    pub fn set_words(&mut self, words: String) {
        self.filter.words = words;
        self.refilter();
    }

    /// Runs a line in the world as it is after this step.
    pub fn run(&mut self, text: &str) -> Result<(), String> {
        let what = line::parse(text)?;
        let to = self.walk.run_line(self.chapter, what).map_err(|e| format!("{}; {}", e.what, e.help))?;
        self.show(to, 0);
        self.packet = false;
        // What sends no packet has nothing to walk: its output is what one wants to see.
        if self.listing.positions() == 2 {
            self.go(1);
        }
        Ok(())
    }

    /// What this step's line asks for and the model does not have.
    pub fn refused(&self) -> Option<String> {
        let result = &self.walk.chapter(self.chapter)?.result;
        result.refusal.as_ref().map(|(what, _)| what.to_string().trim_end_matches('.').to_owned())
    }

    /// The answer to the question of this step; none where it was passed over.
    pub fn answer(&mut self, choice: Option<usize>) {
        if let Some(p) = self.chapter.checked_sub(1).and_then(|i| self.walk.plan.get_mut(i)) {
            p.answer = Some(choice.map_or(Answer::Passed, Answer::Chosen));
        }
    }

    /// A key.
    pub fn act(&mut self, a: Action) -> Moved {
        let last = self.listing.positions() - 1;
        match a {
            Action::Forward => return self.forward(),
            Action::Back => return self.back(),
            Action::First => return self.go(0),
            Action::Last => return if self.must_ask() { Moved::Ask } else { self.go(last) },
            Action::NextStep => return self.enter(self.chapter + 1, 0),
            Action::PrevStep => {
                let to = if self.pos > 0 { self.chapter } else { self.chapter.saturating_sub(1) };
                return self.enter(to, 0);
            }
            Action::NextHop => return self.hop(1),
            Action::PrevHop => return self.hop(-1),
            Action::NextRewrite => return self.seek(|i| &i.rewrites, "No address is rewritten after this."),
            Action::NextDrop => return self.seek(|i| &i.drops, "Nothing is dropped after this."),
            Action::Parent => return self.relative(true),
            Action::Child => return self.relative(false),
            Action::Undo => return self.undo(),
            Action::Play => self.playing = !self.playing,
            Action::Details => {
                self.filter.details = !self.filter.details;
                self.refilter();
            }
            Action::OnlyPacket => {
                self.filter.story = if self.filter.story.is_some() { None } else { self.story() };
                self.refilter();
            }
            Action::Fold => {
                if let Some(h) = self.listing.hop_at(self.pos) {
                    self.listing.fold(h);
                }
            }
            Action::FoldAll => self.listing.fold_all(),
            Action::FoldHost => self.fold_host(),
            Action::NextPane => self.focus(1),
            Action::PrevPane => self.focus(3),
            Action::Zoom => self.zoom_on(self.pane),
            Action::Evidence => self.zoom_on(Pane::Now),
            Action::PacketPane => self.show_packet(),
            Action::Close => {
                if self.zoom.take().is_none() && (!self.filter.words.is_empty() || self.filter.story.is_some()) {
                    self.filter.words.clear();
                    self.filter.story = None;
                    self.refilter();
                }
                self.redraw();
            }
            Action::ScrollLeft => self.scroll.0 = self.scroll.0.saturating_sub(8),
            Action::ScrollRight => self.scroll.0 = (self.scroll.0 + 8).min(self.picture.grid.w.saturating_sub(8)),
            Action::Up | Action::Down | Action::PageUp | Action::PageDown => return self.scroll(a),
            _ => {}
        }
        Moved::No(String::new())
    }

    /// A question waits for an answer: until then nothing of what follows is shown.
    pub fn must_ask(&self) -> bool {
        self.pos == 0
            && self.question().is_some()
            && self.walk.planned(self.chapter).is_some_and(|p| p.answer.is_none())
    }

    pub(super) fn relist(&mut self) {
        let w = &self.walk;
        self.listing = match w.chapter(self.chapter) {
            Some(d) => Listing::new(w.after(self.chapter), &d.index, w.events(self.chapter), &self.filter),
            None => Listing::new(w.after(0), &Index::default(), &[], &self.filter),
        };
        self.pos = self.pos.min(self.listing.positions() - 1);
    }

    /// Lists anew and stays at the same event where it is still shown.
    fn refilter(&mut self) {
        let (event, end) = (self.listing.event_at(self.pos), self.at_end());
        self.relist();
        let to = event.map_or(if end { usize::MAX } else { 0 }, |e| self.listing.position_of(e));
        self.go(to);
    }

    fn focus(&mut self, by: usize) {
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

    fn zoom_on(&mut self, p: Pane) {
        self.zoom = if self.zoom == Some(p) { None } else { Some(p) };
        self.redraw();
    }

    fn show_packet(&mut self) {
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

    fn scroll(&mut self, a: Action) -> Moved {
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

//! The decisions of a step that are shown, grouped by hop; made anew where the filter changes.

use packetwalk_sim::session::Session;
use packetwalk_sim::trace::Event;
use packetwalk_sim::trace::clause::clause;

use super::index::{Index, Rank};

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Missed rules and passed checks too.
    pub details: bool,
    /// Only this packet.
    pub story: Option<u32>,
    /// Only what contains these words.
    pub words: String,
}

/// Decisions in a row in one namespace about one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    /// Its first event within `Listing::shown`.
    pub first: u32,
    /// After its last one.
    pub end: u32,
    pub folded: bool,
    /// Nothing but ARP that the packet waits for.
    pub aside: bool,
}

/// A line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// The step itself: what is said and run.
    Begin,
    /// A hop.
    Hop(u32),
    /// An event: its number within `Listing::shown`.
    Event(u32),
    /// What came of it.
    End,
}

/// The list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// Events, by their number within the step.
    pub shown: Vec<u32>,
    pub hops: Vec<Hop>,
    /// Hop of each shown event.
    pub hop_of: Vec<u32>,
    pub rows: Vec<Row>,
    /// Row of each shown event, or of its hop where that is folded.
    pub row_of: Vec<u32>,
}

impl Listing {
    /// The list of a step's events.
    pub fn new(s: &Session, index: &Index, events: &[Event], f: &Filter) -> Listing {
        let words: Vec<String> = f.words.split_whitespace().map(str::to_lowercase).collect();
        let mut out = Listing::default();
        let mut last = None;
        for (i, (item, e)) in index.items.iter().zip(events).enumerate() {
            let skip = (item.rank == Rank::Detail && !f.details) || f.story.is_some_and(|p| p != item.story);
            if skip || !fits(s, e, &words) {
                continue;
            }
            let here = (e.ns, item.story);
            let n = out.shown.len() as u32;
            if last != Some(here) {
                out.hops.push(Hop { first: n, end: n, folded: false, aside: true });
                last = Some(here);
            }
            out.shown.push(i as u32);
            out.hop_of.push(out.hops.len() as u32 - 1);
            if let Some(h) = out.hops.last_mut() {
                h.end = n + 1;
                h.aside &= item.aside;
            }
        }
        out.lay();
        out
    }

    /// Makes the lines anew: a hop was folded or unfolded.
    fn lay(&mut self) {
        self.rows.clear();
        self.row_of.clear();
        self.rows.push(Row::Begin);
        for (i, h) in self.hops.iter().enumerate() {
            let head = self.rows.len() as u32;
            self.rows.push(Row::Hop(i as u32));
            for e in h.first..h.end {
                self.row_of.push(if h.folded { head } else { self.rows.len() as u32 });
                if !h.folded {
                    self.rows.push(Row::Event(e));
                }
            }
        }
        self.rows.push(Row::End);
    }

    /// Folds a hop, or unfolds it.
    pub fn fold(&mut self, hop: u32) {
        if let Some(h) = self.hops.get_mut(hop as usize) {
            h.folded = !h.folded;
            self.lay();
        }
    }

    /// Folds every hop; unfolds all where all are folded.
    pub fn fold_all(&mut self) {
        let fold = !self.hops.iter().all(|h| h.folded);
        for h in &mut self.hops {
            h.folded = fold;
        }
        self.lay();
    }

    /// Positions of the cursor: the begin, each event, the end.
    pub fn positions(&self) -> usize {
        self.shown.len() + 2
    }

    /// The event at a position, by its number within the step.
    pub fn event_at(&self, pos: usize) -> Option<u32> {
        pos.checked_sub(1).and_then(|i| self.shown.get(i)).copied()
    }

    /// The hop at a position.
    pub fn hop_at(&self, pos: usize) -> Option<u32> {
        pos.checked_sub(1).and_then(|i| self.hop_of.get(i)).copied()
    }

    /// The row at a position.
    pub fn row_at(&self, pos: usize) -> usize {
        match pos.checked_sub(1) {
            None => 0,
            Some(i) => self.row_of.get(i).map_or(self.rows.len().saturating_sub(1), |r| *r as usize),
        }
    }

    /// The position of an event, or of the first shown one after it.
    pub fn position_of(&self, event: u32) -> usize {
        self.shown.partition_point(|e| *e < event) + 1
    }
}

fn fits(s: &Session, e: &Event, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let place = &s.kernel.ns(e.ns).label;
    let dev = e.dev.map(|d| s.kernel.dev(d).name.to_string()).unwrap_or_default();
    let text = format!("{place}/{dev} {}", clause(s, &e.kind).1).to_lowercase();
    words.iter().all(|w| text.contains(w.as_str()))
}

//! What the screen must find quickly in the events of a step, worked out once when the step has run.

use packetwalk_sim::kernel::neigh::Nud;
use packetwalk_sim::kernel::types::NetnsId;
use packetwalk_sim::scenario::run::StepResult;
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::clause::{Weight, clause};
use packetwalk_sim::trace::event::{ArpVerdict, Birth, Event, EventKind};
use packetwalk_sim::trace::{Trace, words};
use packetwalk_sim::wire::PacketId;
use packetwalk_sim::wire::packet::{Arp, Body, L4};
use std::collections::BTreeMap;

/// No such number.
pub(crate) const NONE: u32 = u32::MAX;

/// How soon an event is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Always.
    Story,
    /// With all decisions.
    Detail,
}

/// What is known of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// The packet whose story it belongs to: a number within `Index::stories`.
    pub story: u32,
    pub rank: Rank,
    /// It is about ARP that another packet waits for: an aside to the story.
    pub aside: bool,
    /// The device event of the same story before this one, or [`NONE`].
    pub visit: u32,
    /// The snapshot that the same packet had before its present one, 0 where none.
    pub old_snap: u32,
}

/// A packet with what belongs to it: copies, fragments, ARP that it waits for.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub root: PacketId,
    /// Its first event.
    pub first: u32,
    /// The packet in one line, as it began.
    pub title: String,
    /// It is ARP itself.
    pub arp: bool,
    /// Why it came into being.
    pub birth: Birth,
    /// The story that caused it.
    pub parent: Option<u32>,
    /// The first story that it caused.
    pub child: Option<u32>,
    /// It, or a copy of it, was dropped by somebody.
    pub dropped: bool,
}

/// The index of a step's events.
#[derive(Default)]
pub(crate) struct Index {
    pub items: Vec<Item>,
    pub stories: Vec<Story>,
    /// Events that change addresses or put the packet into another.
    pub rewrites: Vec<u32>,
    pub drops: Vec<u32>,
}

impl Index {
    /// Looks through the events of a step once.
    pub fn build(s: &Session, r: &StepResult) -> Index {
        let trace = &s.kernel.rec;
        let events = trace.events.get(r.first_event..r.end_event).unwrap_or_default();
        let mut b = Builder { s, trace, out: Index::default(), by_root: BTreeMap::new() };
        let stories = b.assign(events);
        b.items(events, &stories);
        b.relations();
        b.out
    }
}

struct Builder<'s> {
    s: &'s Session,
    trace: &'s Trace,
    out: Index,
    by_root: BTreeMap<PacketId, u32>,
}

impl Builder<'_> {
    /// The story of each event; what is about no packet goes to the packet it was done for.
    fn assign(&mut self, events: &[Event]) -> Vec<u32> {
        let mut stories = vec![NONE; events.len()];
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        let mut waiting: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (i, e) in events.iter().enumerate() {
            // What a table forgets belongs to no packet.
            if matches!(e.kind, EventKind::Expired { .. }) {
                continue;
            }
            if e.packet.0 == 0 {
                // A route is looked up before there is a packet.
                let before = matches!(
                    e.kind,
                    EventKind::Fib { .. } | EventKind::RuleMissed { .. } | EventKind::SourceChosen { .. }
                );
                match last.get(&e.ns.0) {
                    Some(story) if !before => stories[i] = *story,
                    _ => waiting.entry(e.ns.0).or_default().push(i),
                }
                continue;
            }
            let root = root(self.trace, e.packet, is_arp(self.trace, e));
            let story = self.story(root, e, i);
            stories[i] = story;
            last.insert(e.ns.0, story);
            for w in waiting.remove(&e.ns.0).unwrap_or_default() {
                stories[w] = story;
                let first = &mut self.out.stories[story as usize].first;
                *first = (*first).min(w as u32);
            }
        }
        stories
    }

    fn story(&mut self, root: PacketId, e: &Event, i: usize) -> u32 {
        if let Some(n) = self.by_root.get(&root) {
            return *n;
        }
        let n = self.out.stories.len() as u32;
        let title = self.trace.packet_at(e).map(words::packet).unwrap_or_default();
        let birth = self.trace.birth(root).map_or(Birth::Sent, |b| b.1);
        self.out.stories.push(Story {
            root,
            first: i as u32,
            title,
            arp: is_arp(self.trace, e),
            birth,
            parent: None,
            child: None,
            dropped: false,
        });
        self.by_root.insert(root, n);
        n
    }

    fn items(&mut self, events: &[Event], stories: &[u32]) {
        let mut visit = vec![NONE; self.out.stories.len()];
        let mut snaps: BTreeMap<PacketId, (u32, u32)> = BTreeMap::new();
        let mut last = None;
        let mut arp = ArpOrder::default();
        for (i, e) in events.iter().enumerate() {
            let story = stories[i];
            let switch = self.s.kernel.ns(e.ns).is_switch;
            let dropped = matches!(e.kind, EventKind::Drop { .. } | EventKind::Bound { .. });
            let (_, text, weight) = clause(self.s, &e.kind);
            // The list says where a frame comes out when it is sent; that it did is a small thing then.
            let mut detail = (weight == Weight::Detail || switch || matches!(e.kind, EventKind::Rx)) && !dropped;
            if let Some(told) = arp.tells(self.s, e) {
                detail = !told || switch;
            }
            if !detail {
                // A socket asks for its route when it connects, and again when it sends.
                let line = (e.ns, text);
                detail = last.as_ref() == Some(&line) && !dropped;
                last = Some(line);
            }
            let old_snap = match snaps.get_mut(&e.packet) {
                _ if e.snap == 0 || e.packet.0 == 0 => 0,
                None => {
                    snaps.insert(e.packet, (0, e.snap));
                    0
                }
                Some((old, now)) => {
                    if *now != e.snap {
                        (*old, *now) = (*now, e.snap);
                    } else {
                        // Only the event that changed it shows the change.
                        *old = 0;
                    }
                    *old
                }
            };
            let seen = visit.get(story as usize).copied().unwrap_or(NONE);
            let rank = if detail { Rank::Detail } else { Rank::Story };
            let of_arp = self.out.stories.get(story as usize).is_some_and(|s| s.arp);
            let aside = !of_arp && e.packet.0 != 0 && is_arp(self.trace, e);
            self.out.items.push(Item { story, rank, aside, visit: seen, old_snap });
            if e.dev.is_some()
                && let Some(v) = visit.get_mut(story as usize)
            {
                *v = i as u32;
            }
            match e.kind {
                EventKind::Nat { .. }
                | EventKind::Encap { .. }
                | EventKind::Decap { .. }
                | EventKind::VxlanTooBig { .. } => self.out.rewrites.push(i as u32),
                EventKind::Drop { .. } | EventKind::Bound { .. } => {
                    self.out.drops.push(i as u32);
                    if let Some(s) = self.out.stories.get_mut(story as usize) {
                        s.dropped = true;
                    }
                }
                _ => {}
            }
        }
    }

    fn relations(&mut self) {
        for n in 0..self.out.stories.len() {
            let cause = self.trace.birth(self.out.stories[n].root).and_then(|b| b.0);
            let parent = cause.map(|c| root(self.trace, c, false)).and_then(|r| self.by_root.get(&r).copied());
            let Some(p) = parent.filter(|p| *p as usize != n) else { continue };
            self.out.stories[n].parent = Some(p);
            self.out.stories[p as usize].child.get_or_insert(n as u32);
        }
    }
}

/// ARP in the order in which it makes sense. The kernel is done with an ARP packet only when the answer was sent, or what
/// waited for it: the word that it answered or learned comes last. It is told where it happens instead.
#[derive(Default)]
struct ArpOrder {
    /// An answer just left this namespace.
    answered: Option<NetnsId>,
    /// An entry of this namespace was just filled.
    filled: Option<NetnsId>,
}

impl ArpOrder {
    /// Whether an event is told at once; none where this has no say in it.
    fn tells(&mut self, s: &Session, e: &Event) -> Option<bool> {
        match &e.kind {
            EventKind::Tx => {
                let mac = e.dev.map(|d| s.kernel.dev(d).mac);
                let own = |b: &Body| matches!(b, Body::Arp(a) if a.op == Arp::REPLY && Some(a.sha) == mac);
                if s.kernel.rec.packet_at(e).is_some_and(|p| own(&p.body)) {
                    self.answered = Some(e.ns);
                }
                None
            }
            EventKind::NeighState { old: Nud::Incomplete, lladdr: Some(_), .. } => {
                self.filled = Some(e.ns);
                Some(true)
            }
            EventKind::Arp { verdict } => {
                let (answered, filled) = (self.answered.take() == Some(e.ns), self.filled.take() == Some(e.ns));
                match verdict {
                    ArpVerdict::Answered | ArpVerdict::Proxied => answered.then_some(false),
                    ArpVerdict::Learned => filled.then_some(false),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Is it about an ARP packet, or a tunnel's datagram with one inside?
fn is_arp(trace: &Trace, e: &Event) -> bool {
    trace.packet_at(e).is_some_and(|p| match &p.body {
        Body::Arp(_) => true,
        Body::Ipv4(ip) => match &ip.l4 {
            L4::Udp(u) => u.payload.first() == Some(&8) && u.payload.get(20..22) == Some(&[8, 6]),
            _ => false,
        },
        Body::Other(..) => false,
    })
}

/// The packet that a copy, a fragment, a tunnel's datagram or an ARP packet belongs to.
fn root(trace: &Trace, mut id: PacketId, arp: bool) -> PacketId {
    for _ in 0..64 {
        match trace.birth(id) {
            Some((
                Some(parent),
                Birth::Copy | Birth::Fragment | Birth::Solicit | Birth::Encapsulated | Birth::Decapsulated,
            )) => id = *parent,
            Some((Some(parent), Birth::Answer)) if arp => id = *parent,
            _ => break,
        }
    }
    id
}

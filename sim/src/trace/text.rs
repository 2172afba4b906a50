//! A walk as people read it: step by step, packet by packet, one line for each decision.

use indexmap::IndexMap;

use crate::FxBuild;
use crate::kernel::types::{Nanos, NetnsId};
use crate::scenario::run::{StepResult, Walk};
use crate::scenario::{Step, expect::names};
use crate::trace::clause::{Weight, clause};
use crate::trace::event::{ArpVerdict, Birth, Event, EventKind};
use crate::trace::{Trace, words};
use crate::wire::PacketId;
use crate::wire::packet::{Body, L4};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What was tried and missed too, and the switches of the LANs.
    pub verbose: bool,
    /// With colours.
    pub color: bool,
    /// Columns.
    pub width: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { verbose: false, color: false, width: 80 }
    }
}

const PLACE: usize = 22;
const MAX_LINES_PER_STEP: usize = 4000;

/// Prints a walk.
pub fn print(walk: &Walk, o: &Options) -> String {
    let mut out = Out { text: String::new(), o: *o };
    let s = &walk.scenario;
    out.heading(&if s.title.is_empty() { s.name.clone() } else { format!("{}: {}", s.name, s.title) });
    if !s.about.is_empty() {
        out.blank();
        out.para(&s.about, "");
    }
    if !walk.setup.is_empty() {
        out.blank();
        for r in &walk.setup {
            out.command(&format!("{}{} ", r.place, if r.probe { '>' } else { '$' }), &r.command, "  ", Ink::Dim);
        }
    }
    for (step, r) in s.steps.iter().zip(&walk.steps) {
        out.blank();
        print_step(walk, step, r, &mut out);
    }
    out.text
}

/// Prints one step of a walk, counted from 1.
pub fn one(walk: &Walk, number: usize, o: &Options) -> String {
    let mut out = Out { text: String::new(), o: *o };
    if let Some((step, r)) = number.checked_sub(1).and_then(|n| walk.scenario.steps.get(n).zip(walk.steps.get(n))) {
        print_step(walk, step, r, &mut out);
    }
    out.text
}

fn print_step(walk: &Walk, step: &Step, r: &StepResult, out: &mut Out) {
    let mark = if r.probe { '>' } else { '$' };
    if r.place.is_empty() {
        out.wrapped(&format!("{}. ", r.index), &r.command, "", Ink::Bold);
    } else {
        out.command(&format!("{}. {}{mark} ", r.index, r.place), &r.command, "", Ink::Bold);
    }
    if let Some(say) = &step.say {
        out.para(say, "   ");
    }
    for (i, l) in r.stdout.lines().chain(r.stderr.lines()).enumerate() {
        if i == 0 {
            out.blank();
        }
        out.line(&format!("   | {l}"), Ink::Plain);
    }
    if let Some((refusal, col)) = &r.refusal {
        out.line(&format!("   {refusal} (column {} of the command)", col + 1), Ink::Red);
    }
    let events = walk.session.kernel.rec.events.get(r.first_event..r.end_event).unwrap_or_default();
    Teller {
        walk,
        out,
        started: r.started_ns,
        stories: IndexMap::default(),
        pending: Vec::new(),
        forgot: Vec::new(),
        last: IndexMap::default(),
        lines: 0,
    }
    .tell(events);
    if r.storm {
        let why = "Frames of this step go round for ever: bridges that are connected twice, with no spanning tree to cut \
                   the loop. They were dropped here, or it would not end (PACKETWALK_BOUND).";
        out.blank();
        out.wrapped("   ! ", why, "     ", Ink::Red);
    }
    if let Some(rep) = &r.report
        && let Some(o) = rep.outcome
    {
        let mut text = o.as_str().to_owned();
        if let Some(by) = &rep.by {
            text.push_str(&format!(" by {by}"));
        }
        if let Some(t) = rep.ttl {
            text.push_str(&format!(", ttl {t}"));
        }
        if let Some(m) = rep.mtu {
            text.push_str(&format!(", mtu {m}"));
        }
        if let Some(seen) = &rep.seen {
            text.push_str(&format!(", the server saw {seen}"));
        }
        for (ttl, who, o) in rep.hops.iter().flatten() {
            text.push_str(&format!("; hop {ttl}: {who} {}", o.as_str()));
        }
        out.blank();
        out.wrapped("   = ", &text, "     ", Ink::Bold);
    }
    for (i, c) in r.aside.cells.iter().enumerate() {
        if i == 0 {
            out.blank();
        }
        let ink = if c.holds() { Ink::Plain } else { Ink::Red };
        out.wrapped("   ", &format!("{} -> {}: {}", c.from, c.to, c.got()), "     ", ink);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ink {
    Plain,
    Bold,
    Dim,
    Red,
    Cyan,
}

struct Out {
    text: String,
    o: Options,
}

impl Out {
    fn line(&mut self, t: &str, ink: Ink) {
        let code = match ink {
            Ink::Plain => "",
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Red => "1;31",
            Ink::Cyan => "36",
        };
        let t = t.trim_end();
        // Nothing that a world says may steer the terminal.
        let clean: String = t.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        if self.o.color && !code.is_empty() && !clean.is_empty() {
            self.text.push_str(&format!("\x1b[{code}m{clean}\x1b[0m\n"));
        } else {
            self.text.push_str(&clean);
            self.text.push('\n');
        }
    }

    fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn heading(&mut self, t: &str) {
        self.line(t, Ink::Bold);
    }

    fn para(&mut self, t: &str, indent: &str) {
        for p in t.split("\n\n") {
            self.wrapped(indent, p, indent, Ink::Plain);
        }
    }

    /// A command after its place; where it has several lines, each begins anew.
    fn command(&mut self, label: &str, t: &str, hang: &str, ink: Ink) {
        let mut lines = t.lines();
        self.wrapped(label, lines.next().unwrap_or(""), hang, ink);
        for l in lines {
            self.wrapped("  ", l, "    ", ink);
        }
    }

    /// A text after a label, broken at spaces to fit the width; further lines begin with `hang`.
    fn wrapped(&mut self, label: &str, t: &str, hang: &str, ink: Ink) {
        let mut line = label.to_owned();
        let mut fresh = true;
        for w in t.split_whitespace() {
            if !fresh && line.chars().count() + 1 + w.chars().count() > self.o.width {
                self.line(&line, ink);
                line = hang.to_owned();
                fresh = true;
            }
            if !fresh {
                line.push(' ');
            }
            line.push_str(w);
            fresh = false;
        }
        self.line(&line, ink);
    }
}

/// The events of a step, sorted into the stories of its packets.
struct Teller<'w, 'o> {
    walk: &'w Walk,
    out: &'o mut Out,
    started: Nanos,
    /// Stories in the order they began.
    stories: IndexMap<PacketId, Story, FxBuild>,
    /// What was decided before a packet existed: goes to the packet that comes of it.
    pending: Vec<(NetnsId, Line)>,
    /// What expired meanwhile.
    forgot: Vec<Line>,
    /// The story that a namespace was last busy with.
    last: IndexMap<NetnsId, PacketId, FxBuild>,
    lines: usize,
}

#[derive(Default)]
struct Story {
    header: Option<String>,
    lines: Vec<Line>,
    /// Packets that were handed to a device and not yet seen to arrive: number and line.
    sent: Vec<(PacketId, usize)>,
}

#[derive(Clone, PartialEq, Eq)]
struct Line {
    place: String,
    text: String,
    ink: Ink,
}

impl Teller<'_, '_> {
    fn tell(mut self, events: &[Event]) {
        for e in events {
            if self.lines < MAX_LINES_PER_STEP {
                self.event(e);
            }
        }
        let cut = self.lines >= MAX_LINES_PER_STEP;
        let rest: Vec<Line> = self.pending.drain(..).map(|x| x.1).collect();
        for (_, story) in std::mem::take(&mut self.stories) {
            self.print(story);
        }
        self.print(Story { lines: rest, ..Story::default() });
        let lines = std::mem::take(&mut self.forgot);
        self.print(Story { lines, ..Story::default() });
        if cut {
            self.out.line(&format!("   … {} events in all; --format json has them", events.len()), Ink::Dim);
        }
    }

    fn print(&mut self, story: Story) {
        if story.lines.is_empty() && story.header.is_none() {
            return;
        }
        self.out.blank();
        if let Some(h) = &story.header {
            self.out.wrapped("   ", h, "     ", Ink::Bold);
        }
        let mut last: Option<&Line> = None;
        for l in &story.lines {
            if last == Some(l) {
                continue;
            }
            let pad = PLACE.saturating_sub(l.place.chars().count()).max(1);
            let hang = " ".repeat(5 + PLACE + 2);
            self.out.wrapped(&format!("     {}{}", l.place, " ".repeat(pad)), &l.text, &hang, l.ink);
            last = Some(l);
        }
    }

    fn trace(&self) -> &Trace {
        &self.walk.session.kernel.rec
    }

    /// Is it about an ARP packet, or a tunnel's datagram with one inside?
    fn is_arp(&self, e: &Event) -> bool {
        self.trace().packet_at(e).is_some_and(|p| match &p.body {
            Body::Arp(_) => true,
            Body::Ipv4(ip) => match &ip.l4 {
                // The header of VXLAN, the two Ethernet addresses, the EtherType.
                L4::Udp(u) => u.payload.first() == Some(&8) && u.payload.get(20..22) == Some(&[8, 6]),
                _ => false,
            },
            Body::Other(..) => false,
        })
    }

    /// The packet whose story an event belongs to: copies, fragments and what a tunnel wraps and unwraps belong to what they were made from, ARP to
    /// the packet that waits for it.
    fn story(&self, mut id: PacketId, arp: bool) -> PacketId {
        for _ in 0..64 {
            match self.trace().birth(id) {
                Some((
                    Some(parent),
                    Birth::Copy | Birth::Fragment | Birth::Solicit | Birth::Encapsulated | Birth::Decapsulated,
                )) => {
                    id = *parent;
                }
                Some((Some(parent), Birth::Answer)) if arp => id = *parent,
                _ => break,
            }
        }
        id
    }

    fn event(&mut self, e: &Event) {
        let s = &self.walk.session;
        let verbose = self.out.o.verbose;
        let (_, text, weight) = clause(s, &e.kind);
        let dropped = matches!(e.kind, EventKind::Drop { .. } | EventKind::Bound { .. });
        if !verbose && ((s.kernel.ns(e.ns).is_switch && !dropped) || weight == Weight::Detail) {
            return;
        }
        let place = names(s, e.ns, e.dev).remove(0);
        let ink = if dropped { Ink::Red } else { Ink::Plain };
        let mut line = Line { place, text, ink };
        self.lines += 1;
        // What a table forgets belongs to no packet of the step.
        if matches!(e.kind, EventKind::Expired { .. }) {
            self.forgot.push(line);
            return;
        }
        if e.packet.0 == 0 {
            let before =
                matches!(e.kind, EventKind::Fib { .. } | EventKind::RuleMissed { .. } | EventKind::SourceChosen { .. });
            match self.last.get(&e.ns).copied().and_then(|id| self.stories.get_mut(&id)) {
                Some(story) if !before => story.lines.push(line),
                _ => self.pending.push((e.ns, line)),
            }
            return;
        }
        let arp = self.is_arp(e);
        let id = self.story(e.packet, arp);
        if arp && !verbose {
            match self.arp(e, &line.text, dropped) {
                Some(text) => line.text = text,
                None => return,
            }
            if !dropped {
                line.ink = Ink::Dim;
            }
        }
        let fresh = !self.stories.contains_key(&id);
        let header = if fresh { self.header(e, id) } else { None };
        let mut early = Vec::new();
        if fresh {
            let (mine, others) = std::mem::take(&mut self.pending).into_iter().partition(|(ns, _)| *ns == e.ns);
            self.pending = others;
            early = mine;
        }
        self.last.insert(e.ns, id);
        // The tunnel itself says what it did.
        let tunnel = !verbose && e.dev.is_some_and(|d| s.kernel.dev(d).vxlan().is_some());
        let unwrapped = self.trace().birth(e.packet).is_some_and(|b| b.1 == Birth::Decapsulated);
        let story = self.stories.entry(id).or_default();
        if fresh {
            story.header = header;
            story.lines.extend(early.into_iter().map(|x: (NetnsId, Line)| x.1));
        }
        match e.kind {
            EventKind::Tx if tunnel => return,
            EventKind::Rx if tunnel && unwrapped => return,
            EventKind::Tx if !verbose && !arp && e.dev.is_some_and(|d| s.kernel.macvlan_lower(d).is_some()) => {
                line.text = "sent by way of the device below".into();
            }
            EventKind::Tx if !verbose && !arp && e.dev.is_some_and(|d| s.kernel.dev(d).bridge().is_some()) => {
                line.text = "sent through the bridge".into();
            }
            EventKind::Tx if !verbose && !arp => {
                story.sent.push((e.packet, story.lines.len()));
                line.text = "-> sent, and nobody received it".into();
                line.ink = Ink::Cyan;
            }
            EventKind::Rx if !verbose && !arp => {
                if let Some(i) = story.sent.iter().rposition(|(p, _)| *p == e.packet) {
                    let (_, at) = story.sent.remove(i);
                    if let Some(l) = story.lines.get_mut(at) {
                        l.text = format!("-> {}", line.place);
                    }
                    return;
                }
            }
            _ => {}
        }
        // The kernel sends what waited before it tells that it learned; a reader wants cause before effect.
        if arp
            && matches!(e.kind, EventKind::Arp { verdict: ArpVerdict::Learned })
            && let Some((_, at)) = story.sent.last_mut()
            && *at + 1 == story.lines.len()
        {
            story.lines.insert(*at, line);
            *at += 1;
            return;
        }
        story.lines.push(line);
    }

    /// ARP in few words: the question when it is asked, and what became of it.
    fn arp(&self, e: &Event, text: &str, dropped: bool) -> Option<String> {
        let s = &self.walk.session;
        let Body::Arp(a) = &self.trace().packet_at(e)?.body else { return dropped.then(|| text.to_owned()) };
        match e.kind {
            EventKind::Arp { verdict: ArpVerdict::Learned } if a.op == 2 => {
                Some(format!("arp: {} is at {}", a.spa, a.sha))
            }
            EventKind::Arp { verdict: ArpVerdict::Answered | ArpVerdict::Learned } => None,
            EventKind::Arp { .. } => Some(format!("{text} (who has {}? tell {})", a.tpa, a.spa)),
            EventKind::Tx if self.trace().birth(e.packet).is_none_or(|b| b.1 != Birth::Copy) && a.op == 1 => {
                let bridged = e.dev.is_some_and(|d| s.kernel.dev(d).master.is_some());
                if bridged { None } else { Some(format!("arp: who has {}? tell {}", a.tpa, a.spa)) }
            }
            EventKind::Encap { .. } if a.op == 1 => Some(format!("arp: {text}")),
            EventKind::VxlanProxy { .. } => Some(text.to_owned()),
            _ if dropped => Some(text.to_owned()),
            _ => None,
        }
    }

    fn header(&self, e: &Event, story: PacketId) -> Option<String> {
        let text = words::packet(self.trace().packet_at(e)?);
        let why = match self.trace().birth(story).map(|b| b.1) {
            Some(Birth::Retransmit) => " (again)",
            _ => "",
        };
        Some(format!("{text}{why}  +{}", span(e.at.saturating_sub(self.started))))
    }
}

/// A span of time in a unit that fits.
fn span(ns: Nanos) -> String {
    match ns {
        0..1_000_000 => format!("{} us", ns / 1000),
        1_000_000..1_000_000_000 => format!("{}.{} ms", ns / 1_000_000, ns / 100_000 % 10),
        _ => format!("{}.{:02} s", ns / 1_000_000_000, ns / 10_000_000 % 100),
    }
}

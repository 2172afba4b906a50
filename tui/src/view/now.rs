//! What was decided, in plain sentences, and the evidence for it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use packetwalk_sim::scenario::expect::names;
use packetwalk_sim::scenario::matrix::{Row, Target};
use packetwalk_sim::scenario::run::StepResult;
use packetwalk_sim::trace::clause::clause;
use packetwalk_sim::trace::event::{Birth, EventKind, RuleVerdict};
use packetwalk_sim::trace::{Outcome, words};

use super::doc::{Doc, wrap};
use super::evidence;
use super::look::{BAD, FAINT, GOOD, HEAD, KEY, PLACE};
use super::walk::frame_of;
use crate::keys::{Action, Context, key_of};
use crate::state::State;
use crate::state::walk::WalkState;
use crate::tell::tell;
use crate::walk::{Answer, line_of};

/// A pane with fewer rows leaves out what the others say too.
const TIGHT: u16 = 14;

/// Draws it.
pub(super) fn render(state: &State, w: &WalkState, frame: &mut Frame<'_>, area: Rect, focus: bool) {
    let since = w.event().map(|(_, e, _)| {
        let at = w.walk.chapter(w.chapter).map_or(0, |c| e.at.saturating_sub(c.result.started_ns));
        format!("the decision, +{}", span(at))
    });
    let title = if let Some(since) = &since {
        since.as_str()
    } else if w.chapter == 0 {
        "the world"
    } else if w.at_end() {
        "what came of it"
    } else {
        "the step"
    };
    let inner = frame_of(frame, area, title, focus, None);
    let mut d = Doc::new(inner.width.saturating_sub(1));
    if w.event().is_some() {
        // The sentence stays; the evidence scrolls below it.
        event(state, w, inner.height < TIGHT, &mut d);
        let top = (d.lines.len() as u16).min(inner.height.saturating_sub(3));
        d.draw(frame, Rect { height: top, ..inner }, 0);
        let mut d = Doc::new(inner.width.saturating_sub(1));
        d.tight = inner.height < TIGHT;
        if let Some((i, e, _)) = w.event() {
            evidence::show(w, i, e, &mut d);
        }
        d.draw(frame, Rect { y: inner.y + top, height: inner.height - top, ..inner }, w.now_scroll);
        return;
    }
    if w.chapter == 0 {
        opening(state, w, &mut d);
    } else if w.at_end() {
        end(state, w, &mut d);
    } else {
        begin(state, w, &mut d);
    }
    d.draw(frame, inner, w.now_scroll);
}

fn key(state: &State, a: Action) -> String {
    key_of(Context::Walk, a, state.look.unicode)
}

fn opening(state: &State, w: &WalkState, d: &mut Doc) {
    let s = &w.walk.scenario;
    d.para(if s.title.is_empty() { &s.name } else { &s.title }, HEAD);
    for p in s.about.split("\n\n") {
        d.para(p, Style::new());
    }
    d.gap();
    if !w.walk.setup.is_empty() {
        d.para("Before the walk these lines were run:", FAINT);
        for r in &w.walk.setup {
            command(r, d);
        }
        d.gap();
    }
    let text =
        format!("{} goes on, one decision at a time; ? shows all keys, g explains words.", key(state, Action::Forward));
    d.para(&text, KEY);
}

fn command(r: &StepResult, d: &mut Doc) {
    let sign = if r.probe { '>' } else { '$' };
    let mut lines = r.command.lines();
    let first = lines.next().unwrap_or_default();
    if r.place.is_empty() {
        d.hang("", first, "  ", PLACE);
    } else {
        d.hang(&format!("{}{sign} ", r.place), first, "    ", PLACE);
    }
    for l in lines {
        d.hang("    ", l, "    ", PLACE);
    }
}

fn begin(state: &State, w: &WalkState, d: &mut Doc) {
    let Some(p) = w.walk.planned(w.chapter) else { return };
    if let Some(say) = &p.step.say {
        for t in say.split("\n\n") {
            d.para(t, Style::new());
        }
        d.gap();
    }
    let line = line_of(&p.step.action.what);
    if !line.is_empty() {
        d.hang("", &line, "    ", PLACE);
    }
    if let Some(rows) = p.step.expect.as_ref().map(|e| &e.reaches).filter(|r| !r.is_empty()) {
        matrix(rows, d);
    }
    let n = w.listing.shown.len();
    let packets = w.stories();
    d.gap();
    if n > 0 {
        let s = if packets == 1 { "" } else { "s" };
        d.para(&format!("{packets} packet{s}, {n} decisions to look at."), FAINT);
    } else if !w.filter.words.is_empty() {
        let all = key(state, Action::Close);
        d.para(&format!("No decision here has \"{}\" in it; {all} takes the filter away.", w.filter.words), FAINT);
    } else if w.index().is_some_and(|i| !i.items.is_empty()) {
        let all = key(state, Action::Details);
        d.para(&format!("No decision to look at here; {all} shows small ones too."), FAINT);
    }
    if let Some(a) = &p.step.ask {
        d.gap();
        d.hang("? ", &a.question, "  ", HEAD);
        let text = match p.answer {
            None => format!("{} asks you before the packet leaves.", key(state, Action::Forward)),
            Some(Answer::Passed) => "You passed it over. The end of this step tells.".into(),
            Some(Answer::Chosen(n)) => {
                format!("You say: {}. The end of this step tells.", a.choices.get(n).map_or("", String::as_str))
            }
        };
        d.para(&text, FAINT);
    }
}

/// Who is to reach whom: a promise of the scenario, which `packetwalk test` tries on copies of the world.
fn matrix(rows: &[Row], d: &mut Doc) {
    d.para("Who is to reach whom (packetwalk test tries it; : tries one here):", FAINT);
    for r in rows {
        let of = |want: bool| {
            let all: Vec<String> = r.targets.iter().filter(|t| t.want == want).map(Target::text).collect();
            all.join(", ")
        };
        let text = match (of(true), of(false)) {
            (yes, no) if no.is_empty() => format!("reaches {yes}"),
            (yes, no) if yes.is_empty() => format!("does not reach {no}"),
            (yes, no) => format!("reaches {yes}; does not reach {no}"),
        };
        d.hang(&format!("{} ", r.from), &text, "    ", Style::new());
    }
}

fn end(state: &State, w: &WalkState, d: &mut Doc) {
    let (Some(p), Some(done)) = (w.walk.planned(w.chapter), w.walk.chapter(w.chapter)) else { return };
    let r = &done.result;
    command(r, d);
    if let Some(rows) =
        p.step.expect.as_ref().map(|e| &e.reaches).filter(|r| !r.is_empty() && line_of(&p.step.action.what).is_empty())
    {
        matrix(rows, d);
    }
    for l in r.stdout.lines().chain(r.stderr.lines()).take(2000) {
        d.output(l);
    }
    if let Some((refusal, _)) = &r.refusal {
        d.para(&refusal.to_string(), BAD);
    }
    if r.storm {
        d.para("Frames go round for ever here: bridges are connected twice. They were stopped.", BAD);
    }
    if let Some(o) = r.outcome() {
        let good = o == Outcome::Reply;
        d.gap();
        d.para(&format!("{}: {}", o.as_str(), outcome(o)), if good { GOOD } else { BAD });
        let rep = r.report.as_ref();
        if let Some(seen) = rep.and_then(|x| x.seen.as_ref()) {
            d.para(&format!("The server saw the source address {seen}."), Style::new());
        }
        if let Some(by) = rep.and_then(|x| x.by.as_ref()) {
            d.para(&format!("The answer came from {by}."), Style::new());
        }
        if !good {
            let (why, drop) = (key(state, Action::Why), key(state, Action::NextDrop));
            d.para(
                &format!("{why} explains why. {drop} from the beginning of the step shows where it was dropped."),
                KEY,
            );
        }
    } else if let Some(n) = r.exit.filter(|n| *n != 0) {
        d.para(&format!("The command failed: exit status {n}."), BAD);
    }
    if let Some(a) = &p.step.ask {
        d.gap();
        d.hang("? ", &a.question, "  ", HEAD);
        match p.answer {
            Some(Answer::Chosen(n)) if p.right() => {
                let said = a.choices.get(n).map_or("", String::as_str);
                d.para(&format!("✓ {said}: you were right."), GOOD);
            }
            Some(Answer::Chosen(n)) => {
                let said = a.choices.get(n).map_or("", String::as_str);
                d.para(&format!("✗ You said {said}. The answer: {}", a.answer), BAD);
                d.para("Walk back through the step to see why.", FAINT);
            }
            _ => d.para(&format!("The answer: {}", a.answer), Style::new()),
        }
    }
    if w.chapter + 1 == w.walk.chapters() {
        d.gap();
        let (run, leave) = (key(state, Action::Run), key(state, Action::Leave));
        d.para(&format!("This is the end of the scenario. {run} tries something of your own, {leave} leaves."), KEY);
    }
}

fn outcome(o: Outcome) -> &'static str {
    match o {
        Outcome::Reply => "an answer came back",
        Outcome::Timeout => "nothing came back in time",
        Outcome::Refused => "the other side said no: nothing listens on that port",
        Outcome::Reset => "the connection was cut off after it was made",
        Outcome::Closed => "the other side closed without a word",
        Outcome::Stall => "the connection was made, and then nothing more came",
        Outcome::UnreachableNet => "a router said that there is no way to that network",
        Outcome::UnreachableHost => "nobody answers at that address",
        Outcome::UnreachablePort => "the other side said: nothing listens on that port",
        Outcome::UnreachableProto => "the other side does not speak that protocol",
        Outcome::UnreachableAdmin => "a firewall said: forbidden",
        Outcome::UnreachableSrcroute => "the way that the packet asked for does not work",
        Outcome::FragNeeded => "the packet is too long for the way, and may not be cut",
        Outcome::TtlExceeded => "it passed through too many routers",
        Outcome::NoRoute => "the sender itself knows no way there",
        Outcome::NotPermitted => "the sender's own system forbids it",
        Outcome::Invalid => "such a packet cannot be sent",
        Outcome::NoAddress => "the sender has no such address",
        Outcome::NoDevice => "the sender has no such device",
        Outcome::ResolveFailed => "the name has no address",
        Outcome::Unmodelled => "packetwalk does not model what this needs, so nobody can tell",
        Outcome::UnknownState => "too little is known of this host to tell",
    }
}

/// A time in a unit that fits.
fn span(ns: u64) -> String {
    match ns {
        0..10_000_000 => format!("{} us", ns / 1000),
        10_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{}.{:02} s", ns / 1_000_000_000, ns / 10_000_000 % 100),
    }
}

fn event(state: &State, w: &WalkState, tight: bool, d: &mut Doc) {
    let Some((i, e, item)) = w.event() else { return };
    let s = w.world();
    let place = names(s, e.ns, e.dev).swap_remove(0);
    let again = matches!(s.kernel.rec.birth(e.packet), Some((_, Birth::Retransmit)));
    let packet = s.kernel.rec.packet_at(e).map(words::packet);
    let packet = packet.map(|p| if again { format!("{p} (again)") } else { p });
    let title = w.index().and_then(|x| x.stories.get(item.story as usize)).map(|s| s.title.clone());
    // What is too long for one line goes on in the next: often it is its end that matters.
    let what = packet.or(title).unwrap_or_default();
    for (i, l) in wrap(&format!("{place}  "), &what, "  ", d.width).into_iter().enumerate() {
        let rest = l.strip_prefix(&place).filter(|_| i == 0).map(str::to_owned);
        let head = if rest.is_some() { place.clone() } else { String::new() };
        d.spans(vec![(head, PLACE), (rest.unwrap_or(l), Style::new())]);
    }
    let bad = matches!(e.kind, EventKind::Drop { .. } | EventKind::Bound { .. });
    let text = match evidence::culprit(w, i, e) {
        Some((_, x)) if matches!(x.kind, EventKind::XtMatched { verdict: RuleVerdict::Nat, .. }) => {
            "The packet has another destination now, and from its source no way leads there: it is dropped.".into()
        }
        Some((_, x)) if matches!(x.kind, EventKind::Ct { .. }) => {
            format!("Connection tracking drops the packet. {}", tell(s, x))
        }
        Some((_, x)) => format!("The firewall drops the packet. {}", tell(s, x)),
        None => tell(s, e),
    };
    d.para(&text, if bad { BAD } else { HEAD });
    if !tight {
        d.hang("Linux: ", &clause(s, &e.kind).1, "       ", FAINT);
    }
    if bad && !tight {
        d.para(&format!("{} explains why the whole attempt failed.", key(state, Action::Why)), KEY);
    }
    if !tight {
        d.gap();
    }
}

//! Key scripts through every scenario of the library: opened, walked to the end, every panel opened on the way.

mod common;

use common::{FULL, Screen, library};
use packetwalk_tui::{Effect, Input, Key};

/// Decisions after which the panels are opened once more.
const EVERY: usize = 97;
/// Steps of the script; far beyond the longest scenario.
const MAX: usize = 200_000;

/// A step with more decisions than this is one of frames that go round: there, not each of them is drawn.
const STORM: usize = 5_000;
/// Decisions of such a step for each one that is drawn.
const SELDOM: usize = 31;

fn end_of(s: &Screen) -> bool {
    s.state.position().is_some_and(|(chapter, chapters, pos, last)| chapter + 1 == chapters && pos + 1 == last)
}

/// One decision on; a question is answered with its first choice.
fn on(s: &mut Screen) {
    let before = s.state.position();
    s.press(&[Key::Right]);
    if s.state.position() == before {
        s.press(&[Key::Enter]);
    }
}

/// Opens each panel and closes it again.
fn panels(s: &mut Screen) {
    for open in ['t', 'd', 'w', 'g', '?', ':', 'W', '/'] {
        s.press(&[Key::Char(open)]);
        s.shot();
        s.press(&[Key::Down, Key::PageDown, Key::End, Key::Up, Key::Esc]);
    }
    for toggle in ['p', 'c', 'z', 'f', '-', 'v'] {
        s.press(&[Key::Char(toggle)]);
        s.shot();
        s.press(&[Key::Char(toggle)]);
    }
}

#[test]
fn every_scenario_to_its_end() {
    for e in library() {
        let name = e.scenario.name.clone();
        let mut s = Screen::of(e.scenario, e.text, (80, 24), FULL);
        let mut n = 0;
        while !end_of(&s) {
            on(&mut s);
            let storm = s.state.position().is_some_and(|(.., last)| last > STORM);
            if !storm || n % SELDOM == 0 {
                s.shot();
            }
            if n % EVERY == 0 && (!storm || n % (SELDOM * EVERY) == 0) {
                panels(&mut s);
            }
            n += 1;
            assert!(n < MAX, "{name}: the end is not reached: {:?}", s.state.position());
        }
        panels(&mut s);
        let kept = s.effects.iter().rev().find_map(|e| match e {
            Effect::Keep(text) => Some(text.clone()),
            _ => None,
        });
        assert!(kept.is_some_and(|t| t.starts_with(&format!("{name}\twalked\t"))), "{name}: its end is not noted");
    }
}

/// By whole steps, as whoever knows it already; and back to the begin.
#[test]
fn every_scenario_by_steps_and_back() {
    for e in library() {
        let name = e.scenario.name.clone();
        let mut s = Screen::of(e.scenario, e.text, (120, 40), FULL);
        for _ in 0..2000 {
            let before = s.state.position();
            s.press(&[Key::Char('s')]);
            if s.state.position() == before {
                // A question, or the last step.
                s.press(&[Key::Esc]);
            }
            if s.state.position() == before {
                break;
            }
        }
        s.press(&[Key::End, Key::Esc, Key::End]);
        assert!(end_of(&s), "{name}: {:?}", s.state.position());
        for _ in 0..100_000 {
            s.press(&[Key::Char('N')]);
            if s.state.position().is_some_and(|p| (p.0, p.2) == (0, 0)) {
                break;
            }
        }
        assert_eq!(s.state.position().map(|p| (p.0, p.2)), Some((0, 0)), "{name}");
    }
}

#[test]
fn doing_undoing_and_writing() {
    let mut s = Screen::open("bridge-publish", (80, 24), FULL);
    s.typed("ss").press(&[Key::Esc]);
    s.typed("s");
    let before = s.state.position();
    s.typed(":").press(&[Key::Ctrl('u')]).typed("node1$ iptables -P FORWARD DROP\n");
    assert!(s.shot().contains("(yours)"), "{}", s.shot());
    s.typed(":").press(&[Key::Ctrl('u')]).typed("web> ping 192.168.91.2\n").press(&[Key::End]);
    assert!(s.shot().contains("reply"), "{}", s.shot());
    s.typed("W\n");
    let written = s.effects.iter().find_map(|e| match e {
        Effect::Write { name, text } => Some((name.clone(), text.clone())),
        _ => None,
    });
    let (name, text) = written.expect("a file was to be written");
    assert_eq!(name, "bridge-publish-mine.yaml");
    let again = packetwalk_sim::scenario::parse(&text).expect("what was written can be read");
    let walked = packetwalk_sim::scenario::run::walk(&again).expect("and walked");
    let last = walked.steps.last().expect("a step");
    assert_eq!((last.place.as_str(), last.command.as_str()), ("web", "ping 192.168.91.2"));
    s.typed("uu");
    let after = s.state.position();
    assert_eq!(before.map(|p| (p.0, p.1)), after.map(|p| (p.0, p.1)), "both lines are taken back");
    s.typed("u");
    assert!(s.shot().contains("nothing of yours"));
}

#[test]
fn a_line_without_a_place_changes_nothing() {
    let mut s = Screen::open("bridge-publish", (80, 24), FULL);
    let before = s.state.position();
    s.typed(":").press(&[Key::Ctrl('u')]).typed("nowhere$ ls\n");
    assert!(s.shot().contains("no host, namespace or running container"), "{}", s.shot());
    s.press(&[Key::Esc]);
    assert_eq!(s.state.position(), before);
}

#[test]
fn the_browser_opens_filters_and_leaves() {
    let mut s = Screen::new((80, 24), FULL);
    // Who thinks better of it has the list as it was.
    s.typed("/no such words");
    assert!(s.shot().contains("0 of"), "{}", s.shot());
    s.press(&[Key::Esc]);
    assert!(!s.shot().contains("such"), "{}", s.shot());
    s.typed("/wrong-number\n\n");
    assert!(s.state.position().is_some(), "{}", s.shot());
    s.typed("q");
    assert!(s.state.position().is_none());
    s.typed("q");
    assert!(s.state.is_done());
}

#[test]
fn playing_goes_on_by_itself() {
    let mut s = Screen::open("veth", (80, 24), FULL);
    s.typed("P");
    assert!(s.state.is_playing());
    let before = s.state.position();
    s.state.update(Input::Tick);
    assert_ne!(s.state.position(), before);
    s.press(&[Key::Left]);
    assert!(!s.state.is_playing());
}

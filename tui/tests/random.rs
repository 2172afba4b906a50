//! Random keys and sizes never panic.

mod common;

use common::{FULL, Screen};
use packetwalk_tui::{Key, Look};
use proptest::prelude::*;

const SCENARIOS: [&str; 5] = ["bridge-publish", "vxlan-by-hand", "three-refusals", "routing-loop", "path-mtu"];

fn key() -> impl Strategy<Value = Key> {
    let special = prop::sample::select(vec![
        Key::Left,
        Key::Up,
        Key::Down,
        Key::Home,
        Key::End,
        Key::PageUp,
        Key::PageDown,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Enter,
        Key::Esc,
        Key::Ctrl('u'),
    ]);
    let letter = prop::sample::select("nNrxsStovVfF-cpdwgzuW?/:<>[]jkhl 123$".chars().collect::<Vec<_>>());
    prop_oneof![3 => Just(Key::Right), 4 => special, 8 => letter.prop_map(Key::Char), 1 => any::<char>().prop_map(Key::Char)]
}

/// Keys, and now and then another size.
fn inputs() -> impl Strategy<Value = Vec<(Key, Option<(u16, u16)>)>> {
    let size = prop::option::weighted(0.05, (1u16..220, 1u16..70));
    prop::collection::vec((key(), size), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn never_panics(name in prop::sample::select(&SCENARIOS[..]), color: bool, unicode: bool, inputs in inputs()) {
        let mut s = Screen::open(name, (80, 24), Look { color, unicode });
        for (key, size) in inputs {
            s.press(&[key]);
            if let Some((w, h)) = size {
                s.resize(w, h);
            }
            s.shot();
        }
    }

    #[test]
    fn the_browser_never_panics(inputs in inputs()) {
        let mut s = Screen::new((80, 24), FULL);
        for (key, size) in inputs {
            s.press(&[key]);
            if let Some((w, h)) = size {
                s.resize(w, h);
            }
            s.shot();
        }
    }
}

//! A screen without a terminal, and the library.
#![allow(dead_code, reason = "each test uses some of it")]

#[path = "../../../tests/common/mod.rs"]
mod shared;

use std::path::Path;

use packetwalk_sim::explain;
use packetwalk_sim::scenario::{self, Scenario};
use packetwalk_tui::{Effect, Entry, Input, Key, Look, Progress, State, render};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// Everything.
pub const FULL: Look = Look { color: true, unicode: true };

/// The library, as the binary carries it.
pub fn library() -> Vec<Entry> {
    let mut all = Vec::new();
    shared::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios"), &mut all);
    all.into_iter()
        .map(|p| {
            let text = std::fs::read_to_string(&p).expect("a scenario");
            let topic =
                p.parent().and_then(Path::file_name).map_or(String::new(), |n| n.to_string_lossy().into_owned());
            Entry { topic, scenario: scenario::parse(&text).expect("a scenario"), text }
        })
        .collect()
}

/// A scenario of the library.
pub fn scenario_of(name: &str) -> (Scenario, String) {
    let e = library().into_iter().find(|e| e.scenario.name == name).expect("a name of the library");
    (e.scenario, e.text)
}

/// A screen with the terminal it is drawn on.
pub struct Screen {
    pub state: State,
    terminal: Terminal<TestBackend>,
    /// What was asked of the outside.
    pub effects: Vec<Effect>,
}

impl Screen {
    /// The list of scenarios.
    pub fn new(size: (u16, u16), look: Look) -> Screen {
        let state = State::new(library(), Progress::default(), look, size);
        let terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("no error is possible");
        Screen { state, terminal, effects: Vec::new() }
    }

    /// A scenario of the library.
    pub fn open(name: &str, size: (u16, u16), look: Look) -> Screen {
        let (scenario, text) = scenario_of(name);
        Screen::of(scenario, text, size, look)
    }

    /// A scenario.
    pub fn of(scenario: Scenario, text: String, size: (u16, u16), look: Look) -> Screen {
        let mut state = State::new(Vec::new(), Progress::default(), look, size);
        state.open(scenario, text).expect("its world can be built");
        let terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("no error is possible");
        Screen { state, terminal, effects: Vec::new() }
    }

    /// Presses keys; `why` is answered as the program does.
    pub fn press(&mut self, keys: &[Key]) -> &mut Screen {
        for k in keys {
            let new = self.state.update(Input::Key(*k));
            for e in &new {
                if let Effect::Why { scenario, step } = e {
                    self.state.explained(explain::why(scenario, Some(*step)).map_err(|e| e.to_string()));
                }
            }
            self.effects.extend(new);
        }
        self
    }

    /// Types characters.
    pub fn typed(&mut self, text: &str) -> &mut Screen {
        for c in text.chars() {
            let key = match c {
                '\n' => Key::Enter,
                '\x15' => Key::Ctrl('u'),
                c => Key::Char(c),
            };
            self.press(&[key]);
        }
        self
    }

    /// The frame as text.
    pub fn shot(&mut self) -> String {
        self.terminal.draw(|f| render(&self.state, f)).expect("no error is possible");
        let b = self.terminal.backend().buffer();
        let mut out = String::new();
        for y in 0..b.area.height {
            let line: String = (0..b.area.width).map(|x| b[(x, y)].symbol()).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// Every cell with its colours.
    pub fn buffer(&mut self) -> ratatui::buffer::Buffer {
        self.shot();
        self.terminal.backend().buffer().clone()
    }

    /// Another size.
    pub fn resize(&mut self, w: u16, h: u16) {
        self.state.update(Input::Resize(w, h));
        self.terminal = Terminal::new(TestBackend::new(w, h)).expect("no error is possible");
    }
}

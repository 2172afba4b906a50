//! What the screen shows, and how keys change it. It knows no terminal: what must be done outside is asked for as an
//! [`Effect`].

pub(crate) mod browser;
pub(crate) mod device;
pub(crate) mod panel;
mod picture;
pub(crate) mod prompt;
mod steps;
pub(crate) mod walk;

use packetwalk_sim::explain::Why;
use packetwalk_sim::scenario::Scenario;

use crate::keys::{Action, Context, Key, lookup};
use crate::progress::Progress;
use browser::Browser;
use panel::Panel;
use prompt::Purpose;
use walk::{Moved, WalkState};

/// A scenario of the library.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Folder it is in.
    pub topic: String,
    /// The scenario.
    pub scenario: Scenario,
    /// Text of its file.
    pub text: String,
}

/// What comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// The terminal has another size now: columns, rows.
    Resize(u16, u16),
    /// Nothing happened for a while.
    Tick,
}

/// What must be done outside.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Keep what the reader has done so far.
    Keep(String),
    /// Write a scenario file.
    Write {
        /// Its name.
        name: String,
        /// Its text.
        text: String,
    },
    /// Explain why a step failed; the answer goes to [`State::explained`].
    Why {
        /// The scenario, with what was typed.
        scenario: Box<Scenario>,
        /// Step, from 1.
        step: usize,
    },
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub color: bool,
    /// More than ASCII.
    pub unicode: bool,
}

/// A word to the reader in the bottom line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub text: String,
    pub error: bool,
}

/// Everything that the screen shows.
pub struct State {
    pub(crate) size: (u16, u16),
    pub(crate) look: Look,
    pub(crate) browser: Browser,
    pub(crate) walk: Option<WalkState>,
    pub(crate) panel: Option<Panel>,
    pub(crate) note: Option<Note>,
    pub(crate) progress: Progress,
    pub(crate) quit: bool,
    effects: Vec<Effect>,
    /// Lines that were run, for the arrow keys in the prompt.
    history: Vec<String>,
}

impl State {
    /// The list of scenarios.
    pub fn new(library: Vec<Entry>, progress: Progress, look: Look, size: (u16, u16)) -> State {
        State {
            size,
            look,
            browser: Browser::new(library),
            walk: None,
            panel: None,
            note: None,
            progress,
            quit: false,
            effects: Vec::new(),
            history: Vec::new(),
        }
    }

    /// Opens a scenario.
    ///
    /// # Errors
    /// Where its world cannot be built: place in the file, what happened, and a remedy.
    pub fn open(&mut self, scenario: Scenario, text: String) -> Result<(), String> {
        match crate::walk::Walk::open(scenario, text) {
            Ok(w) => {
                self.walk = Some(WalkState::new(w, self.size));
                Ok(())
            }
            Err(e) => Err(format!("{}:{}: {}\n{}", e.at.line, e.at.column, e.what, e.help)),
        }
    }

    /// The program is to end.
    pub fn is_done(&self) -> bool {
        self.quit
    }

    /// Something happens by itself, so that [`Input::Tick`] is wanted.
    pub fn is_playing(&self) -> bool {
        self.walk.as_ref().is_some_and(|w| w.playing) && self.panel.is_none()
    }

    /// The step that is shown and how many there are, and the position in it and how many it has.
    pub fn position(&self) -> Option<(usize, usize, usize, usize)> {
        self.walk.as_ref().map(|w| (w.chapter, w.walk.chapters(), w.pos, w.listing.positions()))
    }

    /// Tells the reader something in the bottom line.
    pub fn tell(&mut self, text: impl Into<String>, error: bool) {
        self.note = Some(Note { text: text.into(), error });
    }

    /// The answer to [`Effect::Why`].
    pub fn explained(&mut self, answer: Result<Why, String>) {
        match answer {
            Ok(w) => self.panel = Some(Panel::Why { why: Box::new(w), scroll: 0 }),
            Err(e) => self.tell(format!("No explanation: {e}"), true),
        }
    }

    /// Takes what comes in; tells what must be done outside.
    pub fn update(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Key(Key::Ctrl('c')) => self.quit = true,
            Input::Key(k) => self.key(k),
            Input::Resize(w, h) => {
                self.size = (w, h);
                if let Some(walk) = &mut self.walk {
                    walk.resize(self.size);
                }
            }
            Input::Tick => {
                if self.is_playing() {
                    self.step(Action::Forward);
                }
            }
        }
        std::mem::take(&mut self.effects)
    }

    fn key(&mut self, key: Key) {
        self.note = None;
        if let Some(Panel::Prompt(p)) = &mut self.panel {
            let typed = p.key(key, &self.history);
            self.typed(typed);
            return;
        }
        let context = match (&self.panel, &self.walk) {
            (Some(_), _) => Context::Panel,
            (None, Some(_)) => Context::Walk,
            (None, None) => Context::Browser,
        };
        match (lookup(context, key), &mut self.panel) {
            (Some(Action::Number), _) => self.number(key),
            (Some(a), _) => self.act(context, a),
            (None, Some(Panel::Glossary { chosen })) => {
                if let Key::Char(c) = key {
                    panel::jump(chosen, c);
                }
            }
            _ => {}
        }
    }

    fn act(&mut self, context: Context, a: Action) {
        match (context, a) {
            (_, Action::Quit) => self.quit = true,
            (Context::Panel, a) => self.in_panel(a),
            (_, Action::Help) => self.panel = Some(Panel::Help { scroll: 0 }),
            (_, Action::Glossary) => self.panel = Some(Panel::Glossary { chosen: 0 }),
            (_, Action::Filter) => {
                let old = self.walk.as_ref().map_or(&self.browser.filter, |w| &w.filter.words);
                self.panel = Some(Panel::prompt(Purpose::Filter, old.clone()));
            }
            (Context::Browser, Action::Open) => self.open_chosen(),
            (Context::Browser, a) => self.browser.act(a, self.size.1.saturating_sub(8).into()),
            (_, a) => self.step(a),
        }
    }

    fn open_chosen(&mut self) {
        let Some(e) = self.browser.chosen() else { return };
        let (scenario, text) = (e.scenario.clone(), e.text.clone());
        if let Err(e) = self.open(scenario, text) {
            self.tell(e, true);
        }
    }

    /// A key in an open scenario.
    fn step(&mut self, a: Action) {
        let Some(w) = &mut self.walk else { return };
        if a != Action::Forward && a != Action::Play {
            w.playing = false;
        }
        let moved = match a {
            Action::Leave => {
                self.keep();
                self.walk = None;
                return;
            }
            Action::Run => {
                self.panel = Some(Panel::prompt(Purpose::Run, w.place_here()));
                return;
            }
            Action::Write => {
                let name = format!("{}-mine.yaml", w.walk.scenario.name);
                self.panel = Some(Panel::prompt(Purpose::Write, name));
                return;
            }
            Action::Packets => {
                let chosen = w.story().unwrap_or(0) as usize;
                self.panel = Some(Panel::Packets { chosen });
                return;
            }
            Action::Device => {
                self.panel = Some(device::panel(w));
                return;
            }
            Action::Why => {
                match w.why() {
                    Ok((scenario, step)) => self.effects.push(Effect::Why { scenario: Box::new(scenario), step }),
                    Err(e) => self.tell(e, false),
                }
                return;
            }
            a => w.act(a),
        };
        self.after(moved);
    }

    fn after(&mut self, moved: Moved) {
        match moved {
            Moved::Yes => self.keep(),
            Moved::No(text) => {
                if text.is_empty() {
                    return;
                }
                if let Some(w) = &mut self.walk {
                    w.playing = false;
                }
                self.tell(text, false);
            }
            Moved::Failed(text) => {
                if let Some(w) = &mut self.walk {
                    w.playing = false;
                }
                self.tell(text, true);
            }
            Moved::Ask => {
                let Some(w) = &mut self.walk else { return };
                w.playing = false;
                let choices = w.question().map_or(0, |a| a.choices.len());
                self.panel = Some(Panel::Question { chosen: 0, choices });
            }
        }
    }

    /// Notes how far the reader came, where that is news.
    fn keep(&mut self) {
        let Some(w) = &self.walk else { return };
        let (walked, right, asked) = w.score();
        if self.progress.note(&w.walk.scenario.name, walked, right, asked) {
            self.effects.push(Effect::Keep(self.progress.text()));
        }
    }
}

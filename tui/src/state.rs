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
use prompt::{Purpose, Typed};
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

    /// Types the lines of a fix after the step that is shown, and runs its probe again.
    fn mend(&mut self, n: usize) {
        let Some(Panel::Why { why, .. }) = &self.panel else { return };
        let Some(fix) = why.fixes.get(n) else { return };
        let sign = if why.probe { '>' } else { '$' };
        let mut lines: Vec<String> = fix.lines.iter().map(ToString::to_string).collect();
        lines.push(format!("{}{sign} {}", why.place, why.command));
        let count = lines.len();
        self.panel = None;
        let Some(w) = &mut self.walk else { return };
        let done = lines.iter().try_for_each(|l| w.run(l));
        match done {
            Ok(()) => {
                self.tell(format!("Typed, and tried again. u takes it back, a line each time: {count} in all."), false)
            }
            Err(e) => self.tell(e, true),
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

    /// A digit in a panel: a fix to try, an answer to choose.
    fn number(&mut self, key: Key) {
        let Key::Char(c) = key else { return };
        let Some(n) = c.to_digit(10).and_then(|n| (n as usize).checked_sub(1)) else { return };
        match &mut self.panel {
            Some(Panel::Why { .. }) => self.mend(n),
            Some(Panel::Question { chosen, choices }) if n < *choices => *chosen = n,
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

    fn in_panel(&mut self, a: Action) {
        let page = usize::from(self.size.1.saturating_sub(8)).max(1);
        let Some(p) = &mut self.panel else { return };
        match (a, p) {
            (Action::Close, Panel::Question { .. }) => self.answer(None),
            (Action::Help, Panel::Help { .. }) | (Action::Close, _) => self.panel = None,
            (Action::Help, _) => self.panel = Some(Panel::Help { scroll: 0 }),
            (Action::Open, Panel::Question { chosen, .. }) => {
                let n = *chosen;
                self.answer(Some(n));
            }
            (Action::Open, Panel::Packets { chosen }) => {
                let n = *chosen;
                self.panel = None;
                if let Some(w) = &mut self.walk {
                    let moved = w.go_to_story(n);
                    self.after(moved);
                }
            }
            (Action::Open, _) => self.panel = None,
            (a, p) => p.scroll(a, page, self.walk.as_ref().map_or(0, |w| w.stories())),
        }
    }

    fn answer(&mut self, choice: Option<usize>) {
        self.panel = None;
        if let Some(w) = &mut self.walk {
            w.answer(choice);
            let moved = w.act(Action::Forward);
            self.after(moved);
        }
    }

    /// What the reader typed into the prompt.
    fn typed(&mut self, t: Typed) {
        match t {
            Typed::More => {
                // The list of scenarios follows while one types.
                if let (Some(Panel::Prompt(p)), None) = (&self.panel, &self.walk) {
                    self.browser.set_filter(&p.text());
                }
            }
            Typed::Cancel => self.panel = None,
            Typed::Done(Purpose::Filter, text) => {
                self.panel = None;
                match &mut self.walk {
                    Some(w) => w.set_words(text),
                    None => self.browser.set_filter(&text),
                }
            }
            Typed::Done(Purpose::Run, text) => {
                self.history.push(text.clone());
                let Some(w) = &mut self.walk else { return };
                match w.run(&text) {
                    Ok(()) => {
                        self.panel = None;
                        let refused = w.refused();
                        match refused {
                            Some(why) => self.tell(format!("It did not run ({why}). u takes it back."), true),
                            None => self.tell("Done. u takes it back; what came later will be walked anew.", false),
                        }
                    }
                    Err(e) => {
                        if let Some(Panel::Prompt(p)) = &mut self.panel {
                            p.refused(text, e);
                        }
                    }
                }
            }
            Typed::Done(Purpose::Write, name) => {
                self.panel = None;
                let Some(w) = &self.walk else { return };
                let stem = name.rsplit('/').next().unwrap_or(&name).trim_end_matches(".yaml").to_owned();
                match crate::walk::line::as_file(&w.walk, &stem, w.chapter) {
                    Ok(text) => self.effects.push(Effect::Write { name, text }),
                    Err(e) => self.tell(e, true),
                }
            }
        }
    }
}

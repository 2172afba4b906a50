//! Panels that lie over the screen: what they show, and what keys do in them.

use packetwalk_sim::explain::Why;

use super::device::TextLine;
use super::prompt::{Prompt, Purpose, Typed};
use super::{Effect, State};
use crate::glossary::WORDS;
use crate::keys::{Action, Key};

/// A panel.
pub(crate) enum Panel {
    /// Every key.
    Help { scroll: usize },
    /// Words and what they mean.
    Glossary { chosen: usize },
    /// What a place looks like.
    Device { title: String, lines: Vec<TextLine>, scroll: usize },
    /// Why a step failed; a digit tries a fix.
    Why { why: Box<Why>, scroll: usize },
    /// The packets of this step.
    Packets { chosen: usize },
    /// A question before the packet leaves.
    Question { chosen: usize, choices: usize },
    /// A line to type.
    Prompt(Prompt),
}

impl Panel {
    /// A line to type.
    pub fn prompt(purpose: Purpose, text: String) -> Panel {
        Panel::Prompt(Prompt::new(purpose, &text))
    }

    /// Moves in it.
    pub fn scroll(&mut self, a: Action, page: usize, packets: usize) {
        let (at, last) = match self {
            Panel::Help { scroll } => (scroll, crate::keys::TABLE.len() + 12),
            Panel::Device { scroll, lines, .. } => (scroll, lines.len().saturating_sub(1)),
            Panel::Why { scroll, why } => (scroll, 20 + 8 * why.blockers.len() + 6 * why.fixes.len()),
            Panel::Glossary { chosen } => (chosen, WORDS.len() - 1),
            Panel::Packets { chosen } => (chosen, packets.saturating_sub(1)),
            Panel::Question { chosen, choices } => (chosen, choices.saturating_sub(1)),
            Panel::Prompt(_) => return,
        };
        *at = match a {
            Action::Up => at.saturating_sub(1),
            Action::Down => *at + 1,
            Action::PageUp => at.saturating_sub(page),
            Action::PageDown => *at + page,
            Action::First => 0,
            Action::Last => last,
            _ => *at,
        }
        .min(last);
    }
}

/// To the first word that begins with a letter.
pub(crate) fn jump(chosen: &mut usize, c: char) {
    let c = c.to_ascii_lowercase();
    if let Some(i) = WORDS.iter().position(|(w, _)| w.to_ascii_lowercase().starts_with(c)) {
        *chosen = i;
    }
}

impl State {
    /// A digit in a panel: a fix to try, an answer to choose.
    pub(super) fn number(&mut self, key: Key) {
        let Key::Char(c) = key else { return };
        let Some(n) = c.to_digit(10).and_then(|n| (n as usize).checked_sub(1)) else { return };
        match &mut self.panel {
            Some(Panel::Why { .. }) => self.mend(n),
            Some(Panel::Question { chosen, choices }) if n < *choices => *chosen = n,
            _ => {}
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

    /// What a key does in an open panel.
    pub(super) fn in_panel(&mut self, a: Action) {
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
    pub(super) fn typed(&mut self, t: Typed) {
        match t {
            Typed::More => {
                // The list of scenarios follows while one types.
                if let (Some(Panel::Prompt(p)), None) = (&self.panel, &self.walk) {
                    self.browser.set_filter(&p.text());
                }
            }
            Typed::Cancel => {
                // The list that followed is again what it was.
                if let (Some(Panel::Prompt(p)), None) = (&self.panel, &self.walk) {
                    self.browser.set_filter(&p.was);
                }
                self.panel = None;
            }
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

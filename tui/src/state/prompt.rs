//! A line that is typed.

use crate::keys::Key;

/// What it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Filter,
    Run,
    Write,
}

/// The line, with the cursor in it.
pub(crate) struct Prompt {
    pub purpose: Purpose,
    pub chars: Vec<char>,
    pub at: usize,
    /// What stood there at first.
    pub was: String,
    /// Why the line was refused.
    pub error: Option<String>,
    /// How far back in what was typed before.
    back: usize,
}

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    More,
    Cancel,
    Done(Purpose, String),
}

/// Characters of a line.
const MAX: usize = 4096;

impl Prompt {
    /// A line to begin with, the cursor at its end.
    pub fn new(purpose: Purpose, text: &str) -> Prompt {
        let chars: Vec<char> = text.chars().collect();
        Prompt { purpose, at: chars.len(), chars, was: text.to_owned(), error: None, back: 0 }
    }

    /// What stands there.
    pub fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// The line was refused; it stays, to be corrected.
    pub fn refused(&mut self, text: String, error: String) {
        *self = Prompt { error: Some(error), ..Prompt::new(self.purpose, &text) };
    }

    /// A key.
    pub fn key(&mut self, key: Key, history: &[String]) -> Typed {
        match key {
            Key::Esc => return Typed::Cancel,
            Key::Enter => {
                let text = self.text();
                let empty = text.trim().is_empty() && self.purpose != Purpose::Filter;
                return if empty { Typed::Cancel } else { Typed::Done(self.purpose, text) };
            }
            // What stood there was a command's place; a probe is wanted.
            Key::Char('>') if self.purpose == Purpose::Run && self.is_place() => {
                self.chars.truncate(self.chars.len() - 2);
                self.chars.extend(['>', ' ']);
                self.at = self.chars.len();
            }
            Key::Char(c) if self.chars.len() < MAX => {
                self.chars.insert(self.at, c);
                self.at += 1;
            }
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                self.chars.remove(self.at);
            }
            Key::Ctrl('u') => {
                self.chars.drain(..self.at);
                self.at = 0;
            }
            Key::Left => self.at = self.at.saturating_sub(1),
            Key::Right => self.at = (self.at + 1).min(self.chars.len()),
            Key::Home => self.at = 0,
            Key::End => self.at = self.chars.len(),
            Key::Up if self.purpose == Purpose::Run => self.recall(history, (self.back + 1).min(history.len())),
            Key::Down if self.purpose == Purpose::Run => self.recall(history, self.back.saturating_sub(1)),
            _ => {}
        }
        Typed::More
    }

    /// Nothing but `PLACE$ ` stands there, and the cursor behind it.
    fn is_place(&self) -> bool {
        self.at == self.chars.len() && self.chars.ends_with(&['$', ' ']) && !self.chars[..self.at - 2].contains(&' ')
    }

    fn recall(&mut self, history: &[String], back: usize) {
        let text = history.len().checked_sub(back).and_then(|i| history.get(i)).cloned();
        if back == self.back || (back > 0 && text.is_none()) {
            return;
        }
        self.chars = text.unwrap_or_default().chars().collect();
        self.at = self.chars.len();
        self.back = back;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing() {
        let mut p = Prompt::new(Purpose::Run, "web$ ");
        for c in "ls".chars() {
            p.key(Key::Char(c), &[]);
        }
        p.key(Key::Left, &[]);
        p.key(Key::Backspace, &[]);
        assert_eq!(p.text(), "web$ s");
        assert_eq!(p.key(Key::Enter, &[]), Typed::Done(Purpose::Run, "web$ s".into()));
        let mut probe = Prompt::new(Purpose::Run, "web$ ");
        probe.key(Key::Char('>'), &[]);
        assert_eq!(probe.text(), "web> ");
        p.key(Key::Ctrl('u'), &[]);
        p.key(Key::Up, &["a$ b".into(), "c$ d".into()]);
        assert_eq!(p.text(), "c$ d");
        p.key(Key::Up, &["a$ b".into(), "c$ d".into()]);
        p.key(Key::Up, &["a$ b".into(), "c$ d".into()]);
        assert_eq!(p.text(), "a$ b");
    }
}

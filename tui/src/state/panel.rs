//! Panels that lie over the screen.

use packetwalk_sim::explain::Why;

use super::prompt::{Prompt, Purpose};
use crate::glossary::WORDS;
use crate::keys::Action;

/// How a line of a text stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ink {
    #[default]
    Plain,
    Head,
    /// It was not there before.
    New,
    /// It is gone.
    Gone,
}

/// A line of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextLine {
    pub text: String,
    pub ink: Ink,
}

impl From<&str> for TextLine {
    fn from(text: &str) -> Self {
        TextLine { text: text.to_owned(), ink: Ink::Plain }
    }
}

/// A panel.
pub(crate) enum Panel {
    /// Every key.
    Help { scroll: usize },
    /// Words and what they mean.
    Glossary { chosen: usize },
    /// Something to read.
    Text { title: String, lines: Vec<TextLine>, scroll: usize },
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
    /// Something to read.
    pub fn text(title: &str, lines: Vec<TextLine>) -> Panel {
        Panel::Text { title: title.to_owned(), lines, scroll: 0 }
    }

    /// A line to type.
    pub fn prompt(purpose: Purpose, text: String) -> Panel {
        Panel::Prompt(Prompt::new(purpose, &text))
    }

    /// Moves in it.
    pub fn scroll(&mut self, a: Action, page: usize, packets: usize) {
        let (at, last) = match self {
            Panel::Help { scroll } => (scroll, crate::keys::TABLE.len() + 12),
            Panel::Text { scroll, lines, .. } => (scroll, lines.len().saturating_sub(1)),
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

//! Panels that lie over the screen.

use packetwalk_sim::explain::Why;

use super::device::TextLine;
use super::prompt::{Prompt, Purpose};
use crate::glossary::WORDS;
use crate::keys::Action;

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

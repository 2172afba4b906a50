//! What a place looks like, and what the step changed of it.

use ratatui::Frame;
use ratatui::style::Style;

use super::doc::Doc;
use super::look::{BAD, GOOD, HEAD};
use super::panel::window;
use crate::state::device::{Ink, TextLine};

/// Draws it.
pub(super) fn render(title: &str, lines: &[TextLine], scroll: usize, frame: &mut Frame<'_>) {
    let inner = window(frame, title, 96, lines.len() + 2);
    let mut d = Doc::new(inner.width.saturating_sub(1));
    for l in lines {
        let (lead, style) = match l.ink {
            Ink::Plain => ("  ", Style::new()),
            Ink::Head => ("", HEAD),
            Ink::New => ("+ ", GOOD),
            Ink::Gone => ("- ", BAD),
        };
        d.hang(lead, &l.text, "      ", style);
    }
    d.draw(frame, inner, scroll);
}

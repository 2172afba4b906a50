//! Colours and signs, and what becomes of them on a terminal that has less.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::state::Look;

/// Headings.
pub(super) const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);
/// What matters less.
pub(super) const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
/// Where one is.
pub(super) const HERE: Style = Style::new().add_modifier(Modifier::REVERSED);
/// A place's name.
pub(super) const PLACE: Style = Style::new().fg(Color::Cyan);
/// A key.
pub(super) const KEY: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
/// A drop, an error.
pub(super) const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// Something that succeeded or fits.
pub(super) const GOOD: Style = Style::new().fg(Color::Green).add_modifier(Modifier::BOLD);
/// Something that changed.
pub(super) const NEW: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED));
/// The way that the packet came.
pub(super) const WAY: Style = Style::new().fg(Color::Green);
/// A border in focus.
pub(super) const FOCUS: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);

/// Takes away from a finished frame what the terminal cannot show. What colour says is said by signs too.
pub(super) fn fit(buffer: &mut Buffer, look: Look) {
    if look.color && look.unicode {
        return;
    }
    for cell in &mut buffer.content {
        if !look.color {
            cell.fg = Color::Reset;
            cell.bg = Color::Reset;
        }
        if !look.unicode && !cell.symbol().is_ascii() {
            let plain = cell.symbol().chars().next().map_or(' ', ascii);
            cell.set_char(plain);
        }
    }
}

/// The nearest sign of ASCII.
fn ascii(c: char) -> char {
    match c {
        '─' | '━' | '┄' => '-',
        '═' => '=',
        '│' | '┃' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╤' | '╪' | '┏' | '┓' | '┗' | '┛' | '╭' | '╮' | '╰'
        | '╯' => '+',
        '●' => '@',
        '✗' => 'X',
        '✓' => '*',
        '▶' | '→' | '▸' | '›' => '>',
        '▼' | '↓' | '▾' => 'v',
        '←' => '<',
        '↑' | '▲' => '^',
        '↔' => '~',
        '…' => '~',
        '·' => '.',
        '█' => '#',
        '░' => '.',
        '×' => 'x',
        '–' | '—' => '-',
        '’' | '‘' => '\'',
        '“' | '”' => '"',
        c if c.is_ascii() => c,
        _ => '?',
    }
}

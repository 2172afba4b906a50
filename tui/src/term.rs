//! The real terminal: taken over, and given back as it was however the program ends.

use std::io::{Write, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::cursor::Show;
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::drive::{Outside, Source, drive};
use crate::keys::Key;
use crate::state::{Input, State};

/// Shows a state on the terminal of standard output until it is done. A signal that asks to end ends the program, as a
/// shell says it: 128 and the signal's number.
///
/// # Errors
/// Where the terminal cannot be used.
pub fn run(mut state: State, outside: &mut dyn Outside) -> std::io::Result<()> {
    let _guard = Guard::take()?;
    watch_signals()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let size = terminal.size()?;
    state.update(Input::Resize(size.width, size.height));
    drive(&mut terminal, &mut Keys, &mut state, outside)
}

/// Ends the program by a signal, whatever it is busy with: where the terminal is gone, waiting for a key never ends.
fn watch_signals() -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT])?;
    std::thread::spawn(move || {
        if let Some(n) = signals.forever().next() {
            // Nobody draws any more while this is held.
            let mut out = stdout().lock();
            give_back(&mut out);
            std::process::exit(128 + n);
        }
    });
    Ok(())
}

/// While it lives, the terminal is ours.
struct Guard;

impl Guard {
    fn take() -> std::io::Result<Guard> {
        // A panic's message must come after the terminal is given back, or nobody sees it.
        let before = Arc::new(std::panic::take_hook());
        let told = AtomicBool::new(false);
        std::panic::set_hook(Box::new(move |info| {
            if !told.swap(true, Ordering::SeqCst) {
                give_back(&mut stdout());
            }
            before(info);
        }));
        enable_raw_mode()?;
        let guard = Guard;
        execute!(stdout(), EnterAlternateScreen)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back(&mut stdout());
    }
}

fn give_back(out: &mut impl Write) {
    // Where the terminal is gone there is nothing to be given back.
    let _ = execute!(out, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// Keys of the terminal.
struct Keys;

/// As good as for ever.
const LONG: Duration = Duration::from_secs(3600);

impl Source for Keys {
    fn next(&mut self, wait: Option<Duration>) -> std::io::Result<Input> {
        while poll(wait.unwrap_or(LONG))? {
            if let Some(i) = input(&read()?) {
                return Ok(i);
            }
        }
        Ok(Input::Tick)
    }
}

/// What of a terminal's events means something here.
fn input(e: &Event) -> Option<Input> {
    match e {
        Event::Resize(w, h) => Some(Input::Resize(*w, *h)),
        Event::Key(k) if k.kind != KeyEventKind::Release => {
            let key = match k.code {
                KeyCode::Char(c) if k.modifiers.contains(KeyModifiers::CONTROL) => Key::Ctrl(c),
                KeyCode::Char(_) if k.modifiers.contains(KeyModifiers::ALT) => return None,
                KeyCode::Char(c) => Key::Char(c),
                KeyCode::Enter => Key::Enter,
                KeyCode::Esc => Key::Esc,
                KeyCode::Left => Key::Left,
                KeyCode::Right => Key::Right,
                KeyCode::Up => Key::Up,
                KeyCode::Down => Key::Down,
                KeyCode::Home => Key::Home,
                KeyCode::End => Key::End,
                KeyCode::PageUp => Key::PageUp,
                KeyCode::PageDown => Key::PageDown,
                KeyCode::Tab => Key::Tab,
                KeyCode::BackTab => Key::BackTab,
                KeyCode::Backspace => Key::Backspace,
                _ => return None,
            };
            Some(Input::Key(key))
        }
        _ => None,
    }
}

//! The real terminal: taken over, and given back as it was however the program ends.

use std::io::{Stdout, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crossterm::cursor::Show;
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::drive::{Outside, Source, drive};
use crate::keys::Key;
use crate::state::{Input, State};

/// How the screen ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The reader left.
    Left,
    /// By a signal.
    Signal(i32),
}

/// Shows a state on the terminal of standard output until it is done.
///
/// # Errors
/// Where the terminal cannot be used.
pub fn run(mut state: State, outside: &mut dyn Outside) -> std::io::Result<Ended> {
    let mut keys = Keys::new()?;
    let _guard = Guard::take()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let size = terminal.size()?;
    state.update(Input::Resize(size.width, size.height));
    drive(&mut terminal, &mut keys, &mut state, outside)?;
    Ok(match keys.signal() {
        0 => Ended::Left,
        n => Ended::Signal(n),
    })
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

fn give_back(out: &mut Stdout) {
    // Where the terminal is gone there is nothing to be given back.
    let _ = execute!(out, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// Keys of the terminal, and signals.
struct Keys {
    signal: Arc<AtomicUsize>,
}

/// How often signals are looked for.
const LOOK: Duration = Duration::from_millis(100);

impl Keys {
    fn new() -> std::io::Result<Keys> {
        let signal = Arc::new(AtomicUsize::new(0));
        for n in [SIGTERM, SIGHUP, SIGINT] {
            signal_hook::flag::register_usize(n, Arc::clone(&signal), n as usize)?;
        }
        Ok(Keys { signal })
    }

    fn signal(&self) -> i32 {
        self.signal.load(Ordering::SeqCst) as i32
    }
}

impl Source for Keys {
    fn next(&mut self, wait: Option<Duration>) -> std::io::Result<Input> {
        let mut left = wait;
        loop {
            if self.signal() != 0 {
                return Ok(Input::Terminate);
            }
            let now = left.map_or(LOOK, |l| l.min(LOOK));
            if poll(now)? {
                if let Some(i) = input(&read()?) {
                    return Ok(i);
                }
                continue;
            }
            if let Some(l) = &mut left {
                *l = l.saturating_sub(now);
                if l.is_zero() {
                    return Ok(Input::Tick);
                }
            }
        }
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

//! The loop: draw, wait, change. Generic over the terminal and over where keys come from, so that tests drive it.

use std::time::Duration;

use packetwalk_sim::explain::Why;
use packetwalk_sim::scenario::Scenario;
use ratatui::Terminal;
use ratatui::backend::Backend;

use crate::state::{Effect, Input, State};
use crate::view;

/// How long a decision stays on the screen while playing.
const PLAY: Duration = Duration::from_millis(600);

/// Where keys come from.
pub trait Source {
    /// The next input; [`Input::Tick`] where none came in time. Without a time it waits for ever.
    ///
    /// # Errors
    /// Where no more will come: the terminal is gone.
    fn next(&mut self, wait: Option<Duration>) -> std::io::Result<Input>;
}

/// What the screen needs from outside.
pub trait Outside {
    /// Keeps what the reader has done so far.
    ///
    /// # Errors
    /// The sentence to show.
    fn keep(&mut self, progress: &str) -> Result<(), String>;
    /// Writes a scenario file that does not exist yet.
    ///
    /// # Errors
    /// The sentence to show.
    fn write(&mut self, name: &str, text: &str) -> Result<(), String>;
    /// Explains why a step failed.
    ///
    /// # Errors
    /// The sentence to show.
    fn why(&mut self, scenario: &Scenario, step: usize) -> Result<Why, String>;
}

/// Shows a state until it is done.
///
/// # Errors
/// Where the terminal cannot be written to. A source that ends is no error: nobody is there any more.
pub fn drive<B: Backend>(
    terminal: &mut Terminal<B>,
    source: &mut dyn Source,
    state: &mut State,
    outside: &mut dyn Outside,
) -> Result<(), B::Error> {
    while !state.is_done() {
        terminal.draw(|f| view::render(state, f))?;
        let Ok(input) = source.next(state.is_playing().then_some(PLAY)) else { return Ok(()) };
        for e in state.update(input) {
            carry_out(state, outside, e);
        }
    }
    Ok(())
}

fn carry_out(state: &mut State, outside: &mut dyn Outside, e: Effect) {
    match e {
        Effect::Keep(text) => {
            if let Err(e) = outside.keep(&text) {
                state.tell(format!("Your progress is not kept: {e}"), true);
            }
        }
        Effect::Write { name, text } => match outside.write(&name, &text) {
            Ok(()) => state.tell(format!("Written: {name}. packetwalk tui {name} opens it."), false),
            Err(e) => state.tell(e, true),
        },
        Effect::Why { scenario, step } => {
            let answer = outside.why(&scenario, step);
            state.explained(answer);
        }
    }
}

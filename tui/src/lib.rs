//! The walk on the screen: a scenario of `packetwalk` stepped through in a terminal.
//!
//! In reading order:
//!
//! - `keys`: the one table of keys; the help overlay is printed from it;
//! - `walk`: a scenario run step by step with the world before each step, `index` and `listing` of its events;
//! - `picture`: the world as a drawing in characters, laid out once per step;
//! - `tell`, `glossary`: decisions and words in plain sentences;
//! - [`State`] (`state/`): what is shown, and how keys change it; it asks for [`Effect`]s and does nothing itself;
//! - [`render`] (`view/`, the names mirror `state/`): a state becomes a frame, and nothing else happens;
//! - `drive`: the loop, generic over the terminal and over where keys come from;
//! - `term`: the real terminal, left as it was found however the program ends.
//!
//! The crate does no IO but on the terminal: files are the binary's ([`Outside`]).

mod decode;
mod drive;
mod glossary;
mod keys;
mod panes;
mod picture;
mod progress;
mod state;
mod tell;
mod term;
mod view;
mod walk;

pub use drive::{Outside, Source, drive};
pub use keys::Key;
pub use progress::{Mark, Progress};
pub use state::{Effect, Entry, Input, Look, State};
pub use term::run;
pub use view::render;

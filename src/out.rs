//! Standard output: a reader that went away is no error; colour only where it is wanted.

use std::io::{IsTerminal, Write};

/// Prints; ends the program quietly where nobody reads any more.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Whether standard output takes colour: a terminal, and `NO_COLOR` not set.
pub fn color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

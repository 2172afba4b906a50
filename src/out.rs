//! Standard output: a reader that went away is no error; colour only where it is wanted.

use std::io::{IsTerminal, Write};
use std::path::Path;

/// Prints; ends the program quietly where nobody reads any more.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes to a file, or to standard output where none is named.
///
/// # Errors
/// The sentence to show: the file cannot be written.
pub fn bytes(data: &[u8], file: Option<&Path>) -> Result<(), String> {
    if let Some(f) = file {
        return std::fs::write(f, data).map_err(|e| format!("{}: {e}", f.display()));
    }
    let mut out = std::io::stdout().lock();
    if out.write_all(data).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
    Ok(())
}

/// Whether standard output takes colour: a terminal, and `NO_COLOR` not set.
pub fn color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

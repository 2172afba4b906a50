//! Standard output: a reader that went away is no error, a disk that is full is one; colour only where it is wanted.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

/// Prints; ends the program quietly where nobody reads any more.
pub fn print(text: &str) {
    if let Err(e) = write(text.as_bytes()) {
        crate::problem::error(&e, "");
        std::process::exit(2);
    }
}

fn write(data: &[u8]) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(data).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        done => done.map_err(|e| format!("standard output: {e}")),
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
    write(data)
}

/// Whether standard output takes colour: a terminal, and `NO_COLOR` not set.
pub fn color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

//! What `-h` prints.

use super::fail::Who;

/// The summary of commands and options.
pub fn text(who: &Who) -> String {
    format!("{} {}\n\n{}", who.name, who.version(), include_str!("usage.txt"))
}

//! `packetwalk schema`.

use crate::{End, out};

/// Runs it.
pub fn run() -> End {
    out::print(&format!("{:#}\n", packetwalk_sim::scenario::schema()));
    End::Good
}

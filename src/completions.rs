//! `packetwalk completions`.

use clap_complete::Shell;

use crate::{End, out};

/// Arguments of `completions`.
#[derive(clap::Args)]
pub struct Args {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs it.
pub fn run(a: &Args, command: &mut clap::Command) -> End {
    let mut text = Vec::new();
    clap_complete::generate(a.shell, command, "packetwalk", &mut text);
    out::print(&String::from_utf8_lossy(&text));
    End::Good
}

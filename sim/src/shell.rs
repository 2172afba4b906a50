//! A command line is a line of shell: this reads it, checks it and runs it.
//!
//! - [`parse`]: the only file that knows the grammar crate;
//! - [`ast`]: our own tree, which is all that the rest sees;
//! - `check`: what can be said about a line before it runs: syntax, unknown tools;
//! - `interp`: walks the tree: lists, pipes, loops, redirections;
//! - `expand`: words: variables, substitutions, splitting, patterns;
//! - `builtin`: what a shell does itself: `cd`, `export`, `wait`, `read` …;
//! - [`vfs`]: the files of a host, `/proc/sys` and `/sys/class/net` read live.
//!
//! What the shell of Linux has and this one has not is refused by name, with its column.

pub mod ast;
mod builtin;
pub(crate) mod check;
mod expand;
mod interp;
mod io;
pub mod parse;
pub mod pattern;
mod redirect;
pub mod vfs;

use crate::app::probe::ProbeReport;
use crate::command::Refusal;
use crate::kernel::types::{HostId, Nanos, NetnsId};
use crate::session::Session;

pub use check::check_line;
pub(crate) use interp::run_script_in;

/// Something wrong with a command line, found without running it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// Column it is about, in characters from 0.
    pub col: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// What a line did.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Exit status.
    pub exit: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// What the last probing tool saw.
    pub report: Option<ProbeReport>,
    /// Something the model does not have, and its column: the line ended there.
    pub refusal: Option<(Refusal, usize)>,
}

/// Virtual time that starting a program takes.
pub(crate) const EXEC_NS: Nanos = 100_000;

/// Bounds of one line: it ends with a refusal where it passes one.
pub mod bound {
    /// Commands run, turns of loops included.
    pub const STEPS: usize = 200_000;
    /// Bytes of output.
    pub const OUTPUT: usize = 4 << 20;
    /// Functions, substitutions and shells inside each other.
    pub const DEPTH: usize = 40;
    /// Words that one command may have.
    pub const WORDS: usize = 65_536;
}

/// Runs a line on a host, in a namespace.
pub fn run_line(sess: &mut Session, host: HostId, ns: NetnsId, line: &str) -> Ran {
    let unknown = sess.kernel.unmodelled;
    match parse::parse(line) {
        Ok(script) => {
            let mut ran = interp::run_top(sess, host, ns, &script);
            if sess.kernel.unmodelled != unknown
                && let Some(report) = &mut ran.report
            {
                // A packet met something that the model does not have: what the tool saw proves nothing.
                report.outcome = Some(crate::trace::Outcome::Unmodelled);
            }
            ran
        }
        Err(problems) => {
            let first = problems.into_iter().next();
            let (what, col) = first.map_or_else(|| ("syntax error".to_owned(), 0), |p| (p.what, p.col));
            let what = what.strip_prefix("not modelled: ").unwrap_or(&what).to_owned();
            Ran { exit: 2, refusal: Some((Refusal::new(what, 0), col)), ..Ran::default() }
        }
    }
}

#[cfg(test)]
mod tests;

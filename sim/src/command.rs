//! One file per tool: its parser, and the printer of its output.
//!
//! A tool is a function `run(&mut Proc, argv) -> Result<i32, Refusal>`: it reads `stdin`, writes
//! `out` and `err`, and returns the exit status. [`run`] finds it by name.

use crate::kernel::types::{HostId, NetnsId, Pid};
use crate::session::Session;

/// A process as a tool sees it.
pub struct Proc<'s> {
    /// The world.
    pub sess: &'s mut Session,
    /// Host it runs on.
    pub host: HostId,
    /// Namespace it runs in.
    pub ns: NetnsId,
    /// Process number.
    pub pid: Pid,
    /// What it reads.
    pub stdin: String,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
    /// Started with `&`: the tool starts its application and returns at once.
    pub background: bool,
    /// What a probing tool (`ping`, `curl`, `nc` …) saw, for `expect`.
    pub report: Option<crate::app::probe::ProbeReport>,
}

/// Something a tool of Linux would do and the model does not: refused by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not modelled: {what}")]
pub struct Refusal {
    /// The option, tool or kind, as typed, with its tool: `ping -f`.
    pub what: String,
    /// Which argument it is about, 0 for the tool itself.
    pub arg: usize,
}

impl Refusal {
    /// A refusal about an argument.
    pub fn new(what: impl Into<String>, arg: usize) -> Self {
        Refusal { what: what.into(), arg }
    }
}

/// What every tool returns: its exit status, or a refusal.
pub type Exit = Result<i32, Refusal>;

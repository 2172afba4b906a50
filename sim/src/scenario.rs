//! The scenario file: hosts, commands, steps and what is expected of them.
//!
//! - [`mod@format`]: the keys of the file as types, for the JSON Schema;
//! - [`node`]: YAML as a tree in which every value knows its line and column;
//! - [`read`]: the tree becomes a [`Scenario`], or every problem of it at once;
//! - `hosts`, `docker`: what it says of hosts and of their daemons;
//! - `asserts`, `matrix`: what it expects of a step, and who must reach whom;
//! - [`run`]: walks a scenario: a world, and what each step did;
//! - [`expect`]: holds a walk against its expectations;
//! - [`mod@diff`]: two walks side by side;
//! - [`suggest`]: did you mean.

mod asserts;
pub mod diff;
mod docker;
pub mod expect;
pub mod format;
mod hints;
mod hosts;
pub mod matrix;
pub mod node;
pub mod read;
pub mod run;
pub mod suggest;

use std::fmt;

use crate::app::probe::Probe;
use crate::docker::images::Image;
use crate::kernel::types::Nanos;
use crate::session::topology::HostSpec;
use crate::trace::Outcome;

/// Largest scenario file in bytes.
pub const MAX_BYTES: usize = 2 << 20;

/// A problem in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct Issue {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// Every problem of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Issues(pub Vec<Issue>);

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, x) in self.0.iter().enumerate() {
            let sep = if i == 0 { "" } else { "\n" };
            write!(f, "{sep}{x}\n  help: {}", x.help)?;
        }
        Ok(())
    }
}

/// A place in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

/// A scenario, checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name, unique in the library.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it teaches.
    pub about: String,
    /// Topics.
    pub topics: Vec<String>,
    /// Docker version profile.
    pub engine: String,
    /// Where Linux picks at random, this decides.
    pub seed: u64,
    /// Hosts.
    pub hosts: Vec<HostSpec>,
    /// Images of its own, by name.
    pub images: Vec<Image>,
    /// Run before the walk; must succeed.
    pub setup: Vec<Action>,
    /// Steps.
    pub steps: Vec<Step>,
}

/// Something to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Where in the file its text begins.
    pub at: At,
    /// What.
    pub what: What,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `PLACE$ command`.
    Command {
        /// Place.
        place: String,
        /// Line of shell.
        line: String,
    },
    /// `PLACE> probe`.
    Probe {
        /// Place.
        place: String,
        /// Probe.
        probe: Probe,
    },
    /// `sleep: SECONDS`.
    Sleep(Nanos),
    /// Only words.
    Nothing,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Teaching text.
    pub say: Option<String>,
    /// What it runs.
    pub action: Action,
    /// A question to the learner.
    pub ask: Option<Ask>,
    /// What must be so.
    pub expect: Option<Expect>,
}

/// A question to the learner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Question.
    pub question: String,
    /// Choices.
    pub choices: Vec<String>,
    /// The right one.
    pub answer: String,
}

/// What must be so after a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// Where in the file it stands.
    pub at: At,
    /// Where what is said under each of its keys stands.
    pub keys: Vec<(String, At)>,
    /// Outcome of the probe, or of the probing tool in the command.
    pub outcome: Option<Outcome>,
    /// Source address that the server saw.
    pub seen_source: Option<String>,
    /// Devices that the packets visited, in order; others may lie between.
    pub path: Vec<String>,
    /// Rules and policies that packets met: `PLACE TABLE CHAIN words of the rule`.
    pub hits: Vec<String>,
    /// A packet that was dropped.
    pub drop: Option<ExpectDrop>,
    /// Standard output: exact, or with `…` for any text.
    pub stdout: Option<String>,
    /// Standard error, likewise.
    pub stderr: Option<String>,
    /// Exit status.
    pub exit: Option<i32>,
    /// Who answered, or who sent the ICMP error.
    pub by: Option<String>,
    /// TTL of the reply as it arrived.
    pub reply_ttl: Option<u8>,
    /// Who must reach whom, and who must not.
    pub reaches: Vec<matrix::Row>,
    /// What commands must print.
    pub state: Vec<StateQuery>,
    /// The outcome came no later than this after the step began.
    pub within: Option<Nanos>,
    /// Codes of everything that is in the way.
    pub cause: Vec<String>,
}

impl Expect {
    /// Where in the file stands what is said under a key.
    pub fn place_of(&self, key: &str) -> At {
        self.keys.iter().find(|k| k.0 == key).map_or(self.at, |k| k.1)
    }
}

/// A command that is run on a copy of the world, and what it must print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateQuery {
    /// Where in the file.
    pub at: At,
    /// The command.
    pub action: Action,
    /// Texts that its output must fit, each with `…` for any text.
    pub want: Vec<String>,
}

/// A drop that must have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectDrop {
    /// Place: a host or namespace, or one of its devices.
    pub at: String,
    /// The kernel's reason.
    pub reason: String,
    /// The rule that dropped it: chain and words of the rule, or chain and `policy DROP`.
    pub rule: Option<String>,
}

/// Reads a scenario file.
///
/// # Errors
/// Every problem of the file.
pub fn parse(text: &str) -> Result<Scenario, Issues> {
    read::read(text)
}

/// The JSON Schema of the file.
pub fn schema() -> serde_json::Value {
    let s = schemars::schema_for!(format::ScenarioFile);
    serde_json::to_value(s).unwrap_or_default()
}

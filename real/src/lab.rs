//! The lab: hosts, LANs and namespaces of a scenario as real ones, and its lines run in them.
//!
//! The model goes along as the plan: what it did to its own kernels when it built the hosts, and what its engines do
//! when a line calls `docker`, is done to the live ones ([`packetwalk_sim::journal`]); what a person typed is run by the
//! real tools.
//!
//! - [`netns`], [`host`]: what a host is made of;
//! - `world`: the journal carried out, by `apply` and `rules`;
//! - `run`: the steps; [`engine`]: where a line calls `docker`; `means`: the tools that lines call; `process`: processes
//!   with a number we choose;
//! - this file: requests and answers between the processes ([`crate::stage`]).

pub mod apply;
pub mod engine;
pub mod host;
pub mod links;
mod means;
pub mod netns;
mod process;
mod rules;
mod run;
pub mod state;
mod switches;
mod versions;
mod watched;
mod world;

use std::io::{BufRead, Write};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::switches::Switches;
use self::watched::Watched;
use crate::stage::Missing;

/// What is asked of a lab.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// Text of a scenario file.
    pub scenario: String,
    /// The lab panics after so many lines: for the test of what stays then.
    #[serde(default)]
    pub panic_after: Option<usize>,
    /// Processors may go idle of which perf then tells nothing.
    #[serde(default)]
    pub may_idle: bool,
}

/// What a lab answers, one JSON object a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// So many lines of so many are done.
    Progress(usize, usize),
    /// The live run, to its end.
    Recording(Box<Value>),
    /// This machine cannot do it: what, why, and the remedy.
    Missing {
        /// What is missing, by name.
        what: String,
        /// What the kernel said.
        why: String,
        /// The remedy.
        help: String,
    },
    /// This scenario cannot be run: why.
    Problem(String),
}

/// Why a scenario was not run.
#[derive(Debug)]
pub(crate) enum NoRun {
    /// This machine cannot do it.
    Missing(Missing),
    /// It cannot be read or built: the sentence to show.
    Problem(String),
}

impl From<String> for NoRun {
    fn from(what: String) -> Self {
        NoRun::Problem(what)
    }
}

/// Tells the other side.
fn answer(a: &Answer) {
    let mut line = serde_json::to_string(a).unwrap_or_else(|e| format!("{{\"problem\":\"{e}\"}}"));
    line.push('\n');
    let mut out = std::io::stdout().lock();
    // Where nobody listens any more, the end of our input ends us.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// Tells that this machine cannot do it.
pub fn answer_missing(m: &Missing) {
    answer(&Answer::Missing { what: m.what.to_owned(), why: m.why.clone(), help: m.help.to_owned() });
}

/// Tells that a bug of ours ends the lab.
pub fn answer_bug(what: &str) {
    answer(&Answer::Problem(format!("packetwalk has a bug, please report it: {what}")));
}

/// What a scenario is told of that never comes to rest.
pub const STORM: &str = "a storm of frames";

/// Ends this lab, and with it everything in its namespaces.
pub(crate) fn end_in_a_storm(frames: usize) -> ! {
    answer(&Answer::Problem(format!(
        "{STORM}: {frames} in one step, with no end in sight; look for a loop of bridges, which real ones break by STP"
    )));
    std::process::exit(1)
}

/// Answers requests until there are no more.
pub fn serve() -> ExitCode {
    // Once for all scenarios: to close them takes the kernel long.
    let mut watch = Watched::begin();
    let mut switches = Switches::default();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let done = match serde_json::from_str::<Request>(&line) {
            Ok(r) => run::run(&r, &mut watch, &mut switches, &mut |a| answer(&a)),
            Err(e) => Err(NoRun::Problem(format!("a request that cannot be read: {e}"))),
        };
        match done {
            Ok(()) => {}
            Err(NoRun::Problem(what)) => answer(&Answer::Problem(what)),
            Err(NoRun::Missing(m)) => answer_missing(&m),
        }
    }
    ExitCode::SUCCESS
}

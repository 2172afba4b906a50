//! Why a probe failed: what happened and what the state is become a cause, its evidence, and a fix that was tried.
//!
//! In reading order:
//!
//! - [`cause`]: the causes, a closed set with stable codes;
//! - `scene`: one step between the world before and the world after it;
//! - `world`: questions about the world: who has an address, what is wired to what, who is the way to whom;
//! - `find`: what went wrong in a scene, with the changes that might mend it;
//! - `prove`: tries changes on copies of the world, until the probe works;
//! - `opens`: what else such a change lets through;
//! - [`text`], [`json`]: the two forms of an answer.
//!
//! A cause is what came to pass: the event that ended a packet, and the state that decided it. What is offered as a fix
//! was applied to a copy of the world in which the probe then worked.

pub mod cause;
mod find;
pub mod json;
mod opens;
mod prove;
mod scene;
pub mod text;
mod world;

pub use cause::Cause;

use crate::scenario::run::{WalkError, set_up, step};
use crate::scenario::{At, Scenario, What};
use crate::session::Session;
use crate::trace::Outcome;

/// A line that a person types: `PLACE$ command`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Where.
    pub place: String,
    /// What.
    pub command: String,
}

impl Line {
    /// It starts `serve`.
    fn stands_in(&self) -> bool {
        self.command.split_whitespace().any(|w| w == "serve")
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}$ {}", self.place, self.command)
    }
}

/// Something that shows a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What was seen.
    pub what: String,
    /// The command that shows it on a real host.
    pub show: Option<Line>,
}

/// One thing that keeps the probe from working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Cause.
    pub cause: Cause,
    /// Place, as `host/netns`, with the device where there is one.
    pub at: String,
    /// One sentence: what decided, and why.
    pub says: String,
    /// What shows it.
    pub evidence: Vec<Evidence>,
}

/// A change that makes the probe work: it was tried on a copy of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What to type, in order.
    pub lines: Vec<Line>,
    /// Connections that did not work before and do with it, beside the probe's own.
    pub opens: Vec<String>,
    /// Connections that worked before and do not with it.
    pub closes: Vec<String>,
    /// How many other connections were tried.
    pub tried: usize,
}

impl Fix {
    /// A line starts `serve`, which is the model's own and stands for the program that should run there.
    pub fn has_stand_in(&self) -> bool {
        self.lines.iter().any(Line::stands_in)
    }
}

/// The answer to "why?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// Number of the step, from 1; 0 for a line that is in no scenario.
    pub step: usize,
    /// Where it ran.
    pub place: String,
    /// Command or probe.
    pub command: String,
    /// It is one of our own probes.
    pub probe: bool,
    /// What the application saw.
    pub outcome: Option<Outcome>,
    /// What keeps it from working, the first first; empty where it works.
    pub blockers: Vec<Blocker>,
    /// Changes that make it work, the smallest first.
    pub fixes: Vec<Fix>,
    /// How many changes were tried.
    pub tried: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyError {
    /// The scenario could not be walked up to the step.
    #[error("{0}")]
    Walk(#[from] WalkError),
    /// There is no such step.
    #[error("there is no step {0}: the scenario has {1}")]
    NoStep(usize, usize),
    /// The step probes nothing.
    #[error("step {0} probes nothing: it has no outcome to explain")]
    NoProbe(usize),
    /// Every probe of the scenario works.
    #[error("every probe of the scenario gets a reply: there is nothing to explain")]
    AllWell,
}

/// Explains a step of a scenario; the first that failed where none is named.
///
/// # Errors
/// The scenario cannot be walked that far, or there is nothing to explain.
pub fn why(scenario: &Scenario, number: Option<usize>) -> Result<Why, WhyError> {
    at_step(scenario, number, true)
}

/// What keeps the probe of a step from working, and nothing of what a fix would open, which takes most of the time.
///
/// # Errors
/// As [`why`].
pub fn blockers(scenario: &Scenario, number: usize) -> Result<Vec<Blocker>, WhyError> {
    at_step(scenario, Some(number), false).map(|w| w.blockers)
}

fn at_step(scenario: &Scenario, number: Option<usize>, fixes: bool) -> Result<Why, WhyError> {
    if let Some(n) = number.filter(|n| *n == 0 || *n > scenario.steps.len()) {
        return Err(WhyError::NoStep(n, scenario.steps.len()));
    }
    let (mut session, _) = set_up(scenario, &mut |_| {})?;
    for (i, s) in scenario.steps.iter().enumerate() {
        let n = i + 1;
        let (what, at) = (&s.action.what, s.action.at);
        if number.is_some_and(|x| x != n) {
            step(&mut session, n, what, at)?;
            continue;
        }
        let before = copy(&session);
        let r = step(&mut session, n, what, at)?;
        match (r.outcome(), number) {
            (None, Some(n)) => return Err(WhyError::NoProbe(n)),
            (None | Some(Outcome::Reply), None) => continue,
            _ => return Ok(prove::search(&before, what, at, n, fixes)?),
        }
    }
    Err(WhyError::AllWell)
}

/// Explains a line in the world that it finds.
///
/// # Errors
/// It has no place to run.
pub fn explain(before: &Session, what: &What, at: At, number: usize) -> Result<Why, WalkError> {
    prove::search(before, what, at, number, true)
}

/// A copy of a world without its past.
fn copy(s: &Session) -> Session {
    let mut s = s.clone();
    s.kernel.rec = crate::trace::Trace::default();
    s.marks = crate::session::Marks::default();
    s
}

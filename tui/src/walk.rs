//! A scenario as it is walked on the screen: its steps run one by one, and the world before each of them is kept.
//!
//! A world is a value, so going back, undoing and trying something else are copies. [`index`] is built once when a step
//! has run; nothing looks through the whole trace after that.

pub(crate) mod index;
pub(crate) mod line;
pub(crate) mod listing;

use index::Index;
use packetwalk_sim::scenario::run::{self, StepResult, WalkError};
use packetwalk_sim::scenario::{Action, At, Scenario, Step, What};
use packetwalk_sim::session::Session;
use packetwalk_sim::trace::Event;

/// A step that is to be walked.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub step: Step,
    /// Typed by the reader.
    pub own: bool,
    /// What the reader said to its question.
    pub answer: Option<Answer>,
    /// The reader has been at its end.
    pub seen: bool,
}

/// What the reader said to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Chosen(usize),
    Passed,
}

impl Planned {
    fn new(step: Step, own: bool) -> Planned {
        Planned { step, own, answer: None, seen: false }
    }

    /// The question was answered rightly.
    pub fn right(&self) -> bool {
        match (&self.step.ask, self.answer) {
            (Some(a), Some(Answer::Chosen(n))) => a.choices.get(n) == Some(&a.answer),
            _ => false,
        }
    }
}

/// A step that was walked.
pub(crate) struct Done {
    pub result: StepResult,
    pub index: Index,
}

/// A scenario with its worlds.
pub(crate) struct Walk {
    pub scenario: Scenario,
    /// Text of its file.
    pub source: String,
    /// What the lines of its setup did.
    pub setup: Vec<StepResult>,
    pub plan: Vec<Planned>,
    /// What was walked: a prefix of the plan.
    pub done: Vec<Done>,
    /// World before the first step, and after each step that was walked.
    worlds: Vec<Session>,
    /// Places in the plan of the lines that the reader typed, in the order typed.
    typed: Vec<usize>,
}

impl Walk {
    /// Builds the world of a scenario and runs its setup.
    pub fn open(scenario: Scenario, source: String) -> Result<Walk, WalkError> {
        let (session, setup) = run::set_up(&scenario, &mut |_| {})?;
        let plan = scenario.steps.iter().map(|s| Planned::new(s.clone(), false)).collect();
        Ok(Walk { scenario, source, setup, plan, done: Vec::new(), worlds: vec![session], typed: Vec::new() })
    }

    /// Number of chapters: the opening page, and every step.
    pub fn chapters(&self) -> usize {
        self.plan.len() + 1
    }

    /// Runs steps until a chapter has been walked; chapter 0 is the opening page.
    pub fn run_to(&mut self, chapter: usize) -> Result<(), WalkError> {
        while self.done.len() < chapter.min(self.plan.len()) {
            let i = self.done.len();
            let (Some(planned), Some(before)) = (self.plan.get(i), self.worlds.last()) else { break };
            let mut world = before.clone();
            let action = &planned.step.action;
            let result = run::step(&mut world, i + 1, &action.what, action.at)?;
            let index = Index::build(&world, &result);
            self.done.push(Done { result, index });
            self.worlds.push(world);
        }
        Ok(())
    }

    /// The world before a chapter.
    pub fn before(&self, chapter: usize) -> &Session {
        let last = self.worlds.len() - 1;
        &self.worlds[chapter.saturating_sub(1).min(last)]
    }

    /// The world after a chapter.
    pub fn after(&self, chapter: usize) -> &Session {
        let last = self.worlds.len() - 1;
        &self.worlds[chapter.min(last)]
    }

    /// What a chapter did; the opening page did nothing.
    pub fn chapter(&self, chapter: usize) -> Option<&Done> {
        chapter.checked_sub(1).and_then(|i| self.done.get(i))
    }

    /// The step of a chapter.
    pub fn planned(&self, chapter: usize) -> Option<&Planned> {
        chapter.checked_sub(1).and_then(|i| self.plan.get(i))
    }

    /// The events of a chapter.
    pub fn events(&self, chapter: usize) -> &[Event] {
        let Some(d) = self.chapter(chapter) else { return &[] };
        self.after(chapter).kernel.rec.events.get(d.result.first_event..d.result.end_event).unwrap_or_default()
    }

    /// Puts a line of the reader's after a chapter and runs it; what came later will be walked anew, in the changed world.
    pub fn run_line(&mut self, after: usize, what: What) -> Result<usize, WalkError> {
        self.run_to(after)?;
        let step = Step { say: None, action: Action { at: At::default(), what }, ask: None, expect: None };
        // A line without a place to run must leave nothing behind.
        let mut trial = self.after(after).clone();
        run::step(&mut trial, after + 1, &step.action.what, step.action.at)?;
        self.forget_after(after);
        self.plan.insert(after, Planned::new(step, true));
        for t in self.typed.iter_mut().filter(|t| **t >= after) {
            *t += 1;
        }
        self.typed.push(after);
        self.run_to(after + 1)?;
        Ok(after + 1)
    }

    /// Takes the line back that was typed last; tells the chapter before it.
    pub fn undo(&mut self) -> Option<usize> {
        let at = self.typed.pop()?;
        self.plan.remove(at);
        for t in self.typed.iter_mut().filter(|t| **t > at) {
            *t -= 1;
        }
        self.forget_after(at);
        Some(at)
    }

    fn forget_after(&mut self, chapter: usize) {
        self.done.truncate(chapter);
        self.worlds.truncate(chapter + 1);
    }
}

/// A line as it is typed: `PLACE$ command`.
pub(crate) fn line_of(what: &What) -> String {
    match what {
        What::Command { place, line } => format!("{place}$ {line}"),
        What::Probe { place, probe } => format!("{place}> {}", probe.text),
        What::Sleep(ns) => format!("sleep {}", *ns as f64 / 1e9),
        What::Nothing => String::new(),
    }
}

//! Walks a scenario: builds its world, runs its lines one by one, and keeps what each of them did.

use super::expect::aside::{self, Aside};
use super::{At, Scenario, What};
use crate::app::probe::ProbeReport;
use crate::command::Refusal;
use crate::docker::{Config, Profile};
use crate::kernel::expiry::in_time;
use crate::kernel::types::{MSEC, Nanos};
use crate::session::Session;
use crate::shell::run_line;
use crate::trace::Outcome;

/// Time that passes between two steps: what is under way arrives.
pub const BETWEEN_STEPS_NS: Nanos = 10 * MSEC;

/// What a line did.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// Number, from 1.
    pub index: usize,
    /// Place, empty for a pause.
    pub place: String,
    /// Command or probe as written.
    pub command: String,
    /// It is a probe.
    pub probe: bool,
    /// Exit status of a command.
    pub exit: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// What the probe, or the probing tool of the command, saw.
    pub report: Option<ProbeReport>,
    /// Something that is not modelled, and its column.
    pub refusal: Option<(Refusal, usize)>,
    /// Virtual time at its beginning.
    pub started_ns: Nanos,
    /// Virtual time at its end.
    pub finished_ns: Nanos,
    /// Index of its first event in the trace.
    pub first_event: usize,
    /// Index after its last event.
    pub end_event: usize,
    /// Frames went round for ever, and were cut (`PACKETWALK_BOUND`).
    pub storm: bool,
    /// What was tried on copies of the world as the step left it (`reaches`, `state`).
    pub aside: Aside,
}

impl StepResult {
    /// The outcome that `expect` is held against.
    pub fn outcome(&self) -> Option<Outcome> {
        if self.refusal.is_some() {
            return Some(Outcome::Unmodelled);
        }
        self.report.as_ref().and_then(|r| r.outcome)
    }
}

/// A scenario that was walked.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The scenario.
    pub scenario: Scenario,
    /// What the lines of its setup did.
    pub setup: Vec<StepResult>,
    /// What its steps did.
    pub steps: Vec<StepResult>,
    /// The world at the end, with the trace.
    pub session: Session,
}

/// Why a scenario could not be walked to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct WalkError {
    /// Where in the file.
    pub at: At,
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// Walks a scenario.
///
/// # Errors
/// Where the world cannot be built, its setup fails, or a line has no place to run.
pub fn walk(scenario: &Scenario) -> Result<Walk, WalkError> {
    walk_with(scenario, &mut |_, _| {})
}

/// Builds the hosts of a scenario and starts the daemons that run from the beginning.
///
/// # Errors
/// Where the world cannot be built.
pub fn begin(session: &mut Session, scenario: &Scenario) -> Result<(), WalkError> {
    let top = At { line: 1, column: 1 };
    for h in &scenario.hosts {
        session.add_host(h).map_err(|what| WalkError {
            at: top,
            what: format!("host {}: {what}", h.name),
            help: "correct it under `hosts`".into(),
        })?;
    }
    start_daemons(session, scenario)
}

fn start_daemons(session: &mut Session, scenario: &Scenario) -> Result<(), WalkError> {
    let profile = Profile::parse(&scenario.engine).unwrap_or_default();
    session.profile = profile;
    session.images = scenario.images.iter().map(|i| (i.name.to_string(), i.clone())).collect();
    for h in &scenario.hosts {
        let Some(Some(flags)) = &h.docker else { continue };
        let started = session.place(&h.name).and_then(|(host, _)| {
            let config = Config::from_flags(flags, profile)?;
            session.start_docker(host, profile, config)
        });
        started.map_err(|what| WalkError {
            at: At { line: 1, column: 1 },
            what: format!("dockerd of {}: {what}", h.name),
            help: "correct it under `dockerd`".into(),
        })?;
    }
    Ok(())
}

/// Walks a scenario and tells after each line how many of all are done.
///
/// # Errors
/// As [`walk`].
pub fn walk_with(scenario: &Scenario, progress: &mut dyn FnMut(usize, usize)) -> Result<Walk, WalkError> {
    let all = scenario.setup.len() + scenario.steps.len();
    let (mut session, setup) = set_up(scenario, &mut |done| progress(done, all))?;
    let mut steps = Vec::new();
    for (i, s) in scenario.steps.iter().enumerate() {
        let mut r = step(&mut session, i + 1, &s.action.what, s.action.at)?;
        if let Some(e) = &s.expect {
            r.aside = aside::look(&session, e)?;
        }
        steps.push(r);
        progress(setup.len() + i + 1, all);
    }
    Ok(Walk { scenario: scenario.clone(), setup, steps, session })
}

/// Builds the world of a scenario and runs its setup: the world as the first step finds it. A world is a value: who
/// wants to go back to a step keeps a copy of the one before.
///
/// # Errors
/// As [`walk`].
pub fn set_up(scenario: &Scenario, progress: &mut dyn FnMut(usize)) -> Result<(Session, Vec<StepResult>), WalkError> {
    let mut session = Session::new(scenario.seed);
    begin(&mut session, scenario)?;
    let mut setup = Vec::new();
    for (i, a) in scenario.setup.iter().enumerate() {
        let r = step(&mut session, i + 1, &a.what, a.at)?;
        let failed = match (&r.refusal, r.exit, r.outcome()) {
            (Some((refusal, col)), ..) => Some(format!("{refusal} (column {} of the command)", col + 1)),
            (_, Some(code), _) if code != 0 => Some(format!("exit status {code}\n{}", r.stderr.trim_end())),
            (_, None, Some(o)) if o != Outcome::Reply => Some(format!("outcome {}", o.as_str())),
            _ => None,
        };
        if let Some(why) = failed {
            let image = r.refusal.as_ref().and_then(|x| x.0.what.strip_prefix("the image "));
            return Err(WalkError {
                at: a.at,
                what: format!("setup failed: {}$ {}: {}", r.place, r.command, why.trim_end()),
                help: match image {
                    Some(i) => format!("say what its program listens on: `images: {{\"{i}\": {{listen: [80]}}}}`"),
                    None => "every line of `setup` must succeed; a line that is meant to fail belongs in a step".into(),
                },
            });
        }
        setup.push(r);
        progress(i + 1);
    }
    Ok((session, setup))
}

/// Runs one line in a world, and lets what is under way arrive. `at` is its place in the file, for the error.
///
/// # Errors
/// Where it has no place to run.
pub fn step(session: &mut Session, index: usize, what: &What, at: At) -> Result<StepResult, WalkError> {
    session.marks.previous = session.marks.present;
    session.marks.present = session.kernel.rec.events.len();
    let mut r = StepResult {
        index,
        place: String::new(),
        command: String::new(),
        probe: false,
        exit: None,
        stdout: String::new(),
        stderr: String::new(),
        report: None,
        refusal: None,
        started_ns: session.kernel.now(),
        finished_ns: 0,
        first_event: session.marks.present,
        end_event: 0,
        storm: false,
        aside: Aside::default(),
    };
    let find = |s: &Session, place: &str| {
        s.place(place).map_err(|what| {
            let help = match what.ends_with("does not run") {
                true => "`docker ps -a` says how it ended; a shell stays with `docker run -itd`",
                false => "a namespace must be made by an earlier line",
            };
            WalkError { at, what, help: help.into() }
        })
    };
    match what {
        What::Nothing => {}
        What::Sleep(ns) => {
            r.command = format!("sleep {}", *ns as f64 / 1e9);
            session.advance(*ns);
        }
        What::Command { place, line } => {
            let (host, ns) = find(session, place)?;
            let ran = run_line(session, host, ns, line);
            r.place.clone_from(place);
            r.command.clone_from(line);
            r.exit = Some(ran.exit);
            (r.stdout, r.stderr, r.report, r.refusal) = (ran.stdout, ran.stderr, ran.report, ran.refusal);
        }
        What::Probe { place, probe } => {
            let (host, ns) = find(session, place)?;
            r.place.clone_from(place);
            r.command.clone_from(&probe.text);
            r.probe = true;
            r.report = Some(session.probe(host, ns, probe));
        }
    }
    r.finished_ns = session.kernel.now();
    if !matches!(what, What::Nothing | What::Sleep(_)) {
        session.advance(BETWEEN_STEPS_NS);
    }
    session.kernel.tell_expired();
    in_time(&mut session.kernel.rec.events, r.first_event);
    r.end_event = session.kernel.rec.events.len();
    r.storm = session.storm();
    Ok(r)
}

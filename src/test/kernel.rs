//! Expectations on the live kernel, and the model held against it.

mod aside;
mod drops;

use packetwalk_real::limits;
use packetwalk_real::recording::{Recording, list, text};
use packetwalk_real::stage::{Lab, NoRecording};
use packetwalk_sim::scenario::expect::{self, Failure, fits};
use packetwalk_sim::scenario::run::{StepResult, Walk, walk};
use packetwalk_sim::scenario::{At, Expect};
use serde_json::Value;

use super::Backend;
use super::suite::{Case, OnKernel};
use crate::compare::{record, report};
use crate::load::{self, Loaded};
use crate::problem;

/// This machine has no lab.
pub struct NoLab;

/// Runs scenarios on the live kernel, one after the other for their times' sake, and hands each on.
///
/// # Errors
/// Where this machine cannot build a lab, which has been told.
pub fn run(names: &[String], backend: Backend, done: &mut dyn FnMut(Case)) -> Result<(), NoLab> {
    let mut lab = None;
    for name in names {
        let mut missing = None;
        let (found, said, problems) = problem::keep(|| {
            let l = load::load(name)?;
            let w = walk(&l.scenario).map_err(|e| problem::at(&l.file, &l.text, e.at, &e.what, &e.help)).ok();
            let tried = w.and_then(|w| one(&mut lab, &l, &w, backend, &mut missing));
            Some((l, tried))
        });
        if let Some(NoRecording::Missing { what, why, help }) = missing {
            problem::error(&format!("{what}: {why}"), &help);
            return Err(NoLab);
        }
        let (file, title, tried) = match found {
            Some((l, tried)) => (l.file, l.scenario.name, tried),
            None => (name.clone(), name.clone(), None),
        };
        let (failures, kernel) = tried.unzip();
        done(Case { name: title, file, failures, said, problems, kernel });
    }
    Ok(())
}

/// One scenario: what does not hold, and what was checked at all.
fn one(
    lab: &mut Option<Lab>,
    l: &Loaded,
    w: &Walk,
    backend: Backend,
    missing: &mut Option<NoRecording>,
) -> Option<(Vec<Failure>, OnKernel)> {
    let limits = limits::of(&l.scenario);
    if !limits.is_empty() {
        let not = limits.iter().map(|l| format!("{}: {}", l.what, l.why)).collect();
        return Some((Vec::new(), OnKernel { checked: 0, not }));
    }
    let mut live = |text: String| {
        let l = Loaded { file: l.file.clone(), text, scenario: l.scenario.clone() };
        record(lab, &l).map_err(|e| match e {
            e @ NoRecording::Missing { .. } => *missing = Some(e),
            e => problem::error(&format!("{}: {e}", l.file), ""),
        })
    };
    if backend == Backend::Both {
        return both(w, live(l.text.clone()).ok()?);
    }
    // Its commands run after their step; where one of them cannot run in a lab, none does.
    let asked = aside::with_queries(&l.text, &l.scenario);
    let text = asked.clone().unwrap_or_else(|_| l.text.clone());
    let mut c = check(w, &Recording { json: live(text).ok()? }, asked.err().as_deref());
    for i in 0..w.steps.len() {
        if let Some(text) = aside::with_cells(&l.text, w, i, &mut c) {
            aside::cells(w, i, &live(text).ok()?, &mut c);
        }
    }
    Some((c.failures, c.kernel))
}

/// The expectations on the model, and every difference between the two.
fn both(w: &Walk, json: Value) -> Option<(Vec<Failure>, OnKernel)> {
    let mut failures = expect::check(w);
    let report = report(json).map_err(|e| problem::error(&e, "")).ok()?;
    let differs = |part: &str, what: &String| Failure {
        step: 0,
        at: At { line: 1, column: 1 },
        key: "compare",
        expected: format!("{part} as on the live kernel"),
        got: what.clone(),
        parted: None,
        why: None,
    };
    failures.extend(report.parts.iter().flat_map(|p| p.divergent.iter().map(|d| differs(p.name, d))));
    let checked = report.compared();
    Some((failures, OnKernel { checked, not: report.not_compared }))
}

/// Holds what the live kernel did against the expectations; what it cannot tell is named. `unasked` is why the commands
/// of `state` were not run.
fn check(w: &Walk, r: &Recording, unasked: Option<&str>) -> Checks {
    let mut c = Checks { failures: Vec::new(), kernel: OnKernel { checked: 0, not: Vec::new() } };
    let mut recorded = list(&r.json["steps"]).iter().skip(w.scenario.setup.len());
    for (step, result) in w.scenario.steps.iter().zip(&w.steps) {
        let Some(did) = recorded.next() else { break };
        let Some(e) = &step.expect else { continue };
        c.step(w, e, result, r, did);
        match unasked {
            Some(why) if !e.state.is_empty() => c.cannot(result.index, "state", why),
            Some(_) => {}
            None => aside::state(&mut c, result.index, e, &mut recorded),
        }
    }
    c
}

struct Checks {
    failures: Vec<Failure>,
    kernel: OnKernel,
}

impl Checks {
    fn hold(&mut self, at: (usize, At), key: &'static str, expected: String, got: String, holds: bool) {
        self.kernel.checked += 1;
        if !holds {
            let (step, at) = at;
            self.failures.push(Failure { step, at, key, expected, got, parted: None, why: None });
        }
    }

    fn cannot(&mut self, step: usize, key: &str, why: &str) {
        self.kernel.not.push(format!("step {step}, {key}: {why}"));
    }

    fn step(&mut self, w: &Walk, e: &Expect, result: &StepResult, r: &Recording, did: &Value) {
        let n = result.index;
        let at = |key: &str| (n, e.place_of(key));
        let said = |key: &str| match &did[key] {
            Value::Null => None,
            Value::String(t) => Some(t.clone()),
            other => Some(other.to_string()),
        };
        let outcome = e.outcome.map(|o| o.as_str().to_owned());
        let ttl = e.reply_ttl.map(|t| t.to_string());
        let exit = e.exit.map(|x| x.to_string());
        let plain = [
            ("outcome", outcome, "outcome"),
            ("by", e.by.clone(), "by"),
            ("reply-ttl", ttl, "ttl"),
            ("exit", exit, "rc"),
        ];
        for (key, want, field) in plain {
            match (want, said(field)) {
                (None, _) => {}
                // What a typed tool saw is in its output.
                (Some(_), None) if !result.probe && field != "rc" => {
                    self.cannot(n, key, "a tool's own words tell it, which `stdout` checks");
                }
                (Some(want), got) => {
                    let got = got.unwrap_or_else(|| "nothing".into());
                    self.hold(at(key), key, want.clone(), got.clone(), want == got);
                }
            }
        }
        if let Some(want) = &e.seen_source {
            let seen = said("seen").unwrap_or_else(|| "nothing".into());
            let bare = seen.split(':').next() == Some(want);
            self.hold(at("seen-source"), "seen-source", want.clone(), seen.clone(), bare || seen == *want);
        }
        for (key, want, field) in [("stdout", &e.stdout, "out"), ("stderr", &e.stderr, "err")] {
            if let Some(want) = want {
                let got = said(field).unwrap_or_default();
                self.hold(at(key), key, want.clone(), got.clone(), fits(want, &got));
            }
        }
        if !e.path.is_empty() {
            self.path(at("path"), e, r, did);
        }
        for want in &e.hits {
            self.rule(w, at("hits"), "hits", result, want, did);
        }
        if let Some(want) = &e.drop {
            drops::check(self, w, at("drop"), result, want, did);
        }
        let unseen = [
            (e.within.is_some(), "within", "it is virtual time: what a step takes here is this machine's load"),
            (!e.cause.is_empty(), "cause", "it is what the model says of a probe; a kernel explains nothing"),
        ];
        for (_, key, why) in unseen.iter().filter(|u| u.0) {
            self.cannot(n, key, why);
        }
    }

    fn path(&mut self, at: (usize, At), e: &Expect, r: &Recording, did: &Value) {
        let rows = list(&did["cap"]);
        let ip = |row: &Value| {
            let frame = text(&r.json["frames"][row[3].as_u64().unwrap_or(0) as usize]);
            frame.get(24..28) == Some("0800")
        };
        let arp = text(&did["what"]).starts_with("arping");
        let devs: Vec<&str> = rows
            .iter()
            .filter(|row| arp || ip(row))
            .map(|row| text(&r.json["devs"][row[1].as_u64().unwrap_or(0) as usize]))
            .collect();
        let mut want = e.path.iter().peekable();
        for d in &devs {
            want.next_if(|w| names(d).contains(w));
        }
        let mut got: Vec<String> = devs.iter().filter_map(|d| names(d).into_iter().next()).collect();
        got.dedup();
        let missing = want.next().map(|m| format!(" ({m} was not reached in this order)"));
        let expected = format!("{}{}", e.path.join(", "), missing.clone().unwrap_or_default());
        self.hold(at, "path", expected, got.join(", "), missing.is_none());
    }

    /// The kernel tells a rule by its number; which one has these words, the model's own walk tells.
    fn rule(&mut self, w: &Walk, at: (usize, At), key: &'static str, result: &StepResult, want: &str, did: &Value) {
        let (label, table, rule) = match expect::numbered(w, result, want) {
            Ok(found) => found,
            Err(why) => return self.cannot(at.0, key, &format!("{want}: {why}")),
        };
        if list(&did["rules_untold"]).iter().any(|l| text(l) == label) {
            return self.cannot(at.0, key, &format!("events of {label} were lost"));
        }
        let lines = list(&did["rules"][&label]);
        let of_table = |l: &&Value| text(l).starts_with(&format!("{table} "));
        let has = |l: &Value| format!("{} ", text(l)).contains(&format!(" {rule} "));
        let holds = lines.iter().filter(of_table).any(has);
        let got: Vec<&str> = lines.iter().map(text).collect();
        self.hold(at, key, want.to_owned(), got.join("; "), holds);
    }
}

/// All names of a device as `path` takes them; in a recording it is `h1/ns:red:eth0`.
fn names(dev: &str) -> Vec<String> {
    let Some((label, dev)) = dev.rsplit_once(':') else { return Vec::new() };
    let mut places = vec![label.to_owned()];
    if let Some((host, rest)) = label.split_once('/') {
        let bare = rest.strip_prefix("ns:").unwrap_or(rest);
        places.extend([format!("{host}/{bare}"), bare.to_owned()]);
    }
    places.iter().map(|p| format!("{p}/{dev}")).collect()
}

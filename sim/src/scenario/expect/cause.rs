//! What the explanation of a failed probe says of it: `cause:`, and the words below a failure.

use super::Failures;
use crate::explain::{blockers, text, why};
use crate::scenario::Expect;
use crate::scenario::run::{StepResult, Walk};

/// Codes of everything that is in the way of a step's probe; none where the step has no probe to explain.
pub fn explain_cause(walk: &Walk, step: usize) -> Option<Vec<&'static str>> {
    let all = blockers(&walk.scenario, step).ok()?;
    Some(all.iter().map(|b| b.cause.code()).collect())
}

/// Cause, evidence and fix of a step's failed probe in words; none where it works or there is no probe.
pub fn explain_why(walk: &Walk, step: usize) -> Option<String> {
    let w = why(&walk.scenario, Some(step)).ok()?;
    (!w.blockers.is_empty()).then(|| text::text(&w))
}

/// `cause:`: exactly these codes, in any order.
pub(super) fn check(walk: &Walk, e: &Expect, r: &StepResult, f: &mut Failures<'_>) {
    if e.cause.is_empty() {
        return;
    }
    let want = e.cause.join(", ");
    let Some(mut got) = explain_cause(walk, r.index) else {
        return f.add("cause", want, "the step has no probe whose outcome could be explained", None);
    };
    let mut sorted: Vec<&str> = e.cause.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    got.sort_unstable();
    if sorted != got {
        let got = if got.is_empty() { "no cause was found".to_owned() } else { got.join(", ") };
        f.add("cause", want, got, None);
    }
}

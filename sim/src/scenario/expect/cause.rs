//! What the explanation of a failed probe says of it: `cause:`, and the words below a failure.

use super::Failures;
use crate::scenario::Expect;
use crate::scenario::run::{StepResult, Walk};

/// Codes of everything that is in the way of a step's probe; none where nothing explains it yet.
pub fn explain_cause(_walk: &Walk, _step: usize) -> Option<Vec<&'static str>> {
    None
}

/// Cause, evidence and fix of a step's failed probe in words; none where nothing explains it yet.
pub fn explain_why(_walk: &Walk, _step: usize) -> Option<String> {
    None
}

/// `cause:`: exactly these codes, in any order.
pub(super) fn check(walk: &Walk, e: &Expect, r: &StepResult, f: &mut Failures<'_>) {
    if e.cause.is_empty() {
        return;
    }
    let want = e.cause.join(", ");
    let Some(mut got) = explain_cause(walk, r.index) else {
        return f.add("cause", want, "it cannot be checked yet: nothing explains this step", None);
    };
    let mut sorted: Vec<&str> = e.cause.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    got.sort_unstable();
    if sorted != got {
        let got = if got.is_empty() { "no cause was found".to_owned() } else { got.join(", ") };
        f.add("cause", want, got, None);
    }
}

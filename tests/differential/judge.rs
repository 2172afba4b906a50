//! Both sides of a scenario.

use std::panic::{AssertUnwindSafe, catch_unwind};

use packetwalk_real::compare::{VERDICTS, compare, drops, rules};
use packetwalk_real::lab::STORM;
use packetwalk_real::recording::Recording;
use packetwalk_real::replay;
use packetwalk_real::stage::{Lab, NoRecording};

/// What came of a case.
pub enum Verdict {
    /// Both sides did the same.
    Equal,
    /// They did not: differences.
    Differs(Vec<String>),
    /// They did not, and need not: the kernel rolled dice that the model cannot know. Which.
    Chance(&'static str),
    /// It could not be run on the live kernel.
    Impossible(String),
}

/// Runs a scenario on both sides.
pub fn judge(lab: &mut Lab, text: &str) -> Verdict {
    let json = match lab.record(text, &mut |_, _| {}) {
        Ok(j) => j,
        Err(NoRecording::Problem(p)) if p.starts_with(STORM) => return Verdict::Chance(STORM),
        Err(NoRecording::Problem(p)) => return Verdict::Differs(vec![format!("problem: {p}")]),
        Err(e) => return Verdict::Impossible(e.to_string()),
    };
    let mut found: Vec<String> = Vec::new();
    for (what, key) in [("refused op", "refusals"), ("unread", "unread")] {
        found.extend(json[key].as_array().into_iter().flatten().map(|e| format!("{what}: {e}")));
    }
    let r = Recording { json };
    let played = catch_unwind(AssertUnwindSafe(|| {
        replay::world(&r).map(|s| {
            let p = replay::play(&r, s);
            (compare(&r, &p), rules::compare(&r, &p).0, drops::compare(&r, &p).0, p.nat_rolls)
        })
    }));
    match played {
        Ok(Ok((v, rules, drops, rolls))) => {
            if rolls > 0 && (v.0.iter().any(|d| !d.is_empty()) || !rules.is_empty() || !drops.is_empty()) {
                return Verdict::Chance("a port that NAT chose");
            }
            for (name, all) in VERDICTS.iter().zip(&v.0) {
                found.extend(all.iter().map(|d| format!("{name}: {d}")));
            }
            found.extend(rules.iter().map(|d| format!("rules: {d}")));
            found.extend(drops.iter().map(|d| format!("drops: {d}")));
        }
        Ok(Err(e)) => found.push(format!("problem: {e}")),
        Err(p) => {
            let said =
                p.downcast_ref::<String>().cloned().or_else(|| p.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            found.push(format!("panic: {}", said.unwrap_or_default()));
        }
    }
    if found.is_empty() { Verdict::Equal } else { Verdict::Differs(found) }
}

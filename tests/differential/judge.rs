//! Both sides of a scenario.

use std::panic::{AssertUnwindSafe, catch_unwind};

use packetwalk_real::compare::{VERDICTS, compare, drops, lookups, neighbours, rules};
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

/// What differs, and with it what only the model tells of while this machine does not hear all of its processors.
fn told((found, _, unheard): (Vec<String>, usize, Vec<String>)) -> Vec<String> {
    found.into_iter().chain(unheard).collect()
}

/// Is this about nothing but what an idle processor may have done unheard? Such a thing is chance more often.
pub fn unheard(found: &[String]) -> bool {
    found.iter().all(|f| f.contains("tells nothing of the idle task"))
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
            let watched = [
                ("rules", rules::compare(&r, &p).0),
                ("drops", told(drops::compare(&r, &p))),
                ("lookups", told(lookups::compare(&r, &p))),
                ("neigh", told(neighbours::compare(&r, &p))),
            ];
            (compare(&r, &p), watched, p.nat_rolls)
        })
    }));
    match played {
        Ok(Ok((v, watched, rolls))) => {
            if rolls > 0 && v.0.iter().chain(watched.iter().map(|w| &w.1)).any(|d| !d.is_empty()) {
                return Verdict::Chance("a port that NAT chose");
            }
            for (name, all) in VERDICTS.iter().zip(&v.0) {
                found.extend(all.iter().map(|d| format!("{name}: {d}")));
            }
            for (name, all) in &watched {
                found.extend(all.iter().map(|d| format!("{name}: {d}")));
            }
        }
        Ok(Err(e)) => found.push(format!("problem: {e}")),
        Err(p) => {
            let said =
                p.downcast_ref::<String>().cloned().or_else(|| p.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            found.push(format!("panic: {}", said.unwrap_or_default()));
        }
    }
    match found {
        none if none.is_empty() => Verdict::Equal,
        some if redirects_of_a_loop(&r.json, &some) => Verdict::Chance("redirects that a packet of a loop brings"),
        some if who_closes_first(&some) => Verdict::Chance("which end of a connection closes first"),
        some => Verdict::Differs(some),
    }
}

/// A packet went round until its TTL was used up, and routers told its sender of shorter ways: of the first, and 40 ms
/// later again (`ip_rt_redirect_load`). How long a round takes is the machine's speed.
fn redirects_of_a_loop(live: &serde_json::Value, found: &[String]) -> bool {
    let expired = |s: &serde_json::Value| {
        let all = s["drops"].as_array();
        all.is_some_and(|l| l.iter().any(|d| d.as_str().is_some_and(|d| d.starts_with("IP_TTL_EXPIRED"))))
    };
    let looped = live["steps"].as_array().is_some_and(|l| l.iter().any(expired));
    let of_redirects = |l: &str| l.contains("edirect") || l.trim_start().starts_with("notes ");
    let differs = |l: &&str| ["expected ", "missing ", "extra ", "refused"].iter().any(|w| l.contains(w));
    looped && found.iter().all(|d| d.lines().filter(differs).all(of_redirects))
}

/// Nothing differs but counters, by bare acknowledgments: both ends of a connection closed at once there, and one after
/// the other here. The frames' comparison knows of it, and found no other difference.
fn who_closes_first(found: &[String]) -> bool {
    const BARE_ACK: i64 = 52;
    const MOST: i64 = 2;
    let pair = |text: &str| -> Option<(i64, i64)> {
        let (packets, bytes) = text.split_once('[')?.1.split_once(']')?.0.split_once(':')?;
        Some((packets.parse().ok()?, bytes.parse().ok()?))
    };
    let counted = |line: &str| -> Option<bool> {
        let (expected, got) = line.split_once("expected ")?.1.split_once(" got ")?;
        if line.contains("IpForwDatagrams") {
            let diff = expected.trim().parse::<i64>().ok()? - got.trim().parse::<i64>().ok()?;
            return Some(diff.abs() <= MOST);
        }
        let (a, b) = (pair(expected)?, pair(got)?);
        let diff = a.0 - b.0;
        Some(diff != 0 && diff.abs() <= MOST && a.1 - b.1 == diff * BARE_ACK)
    };
    let state = |d: &String| d.starts_with("state: ") && d.lines().skip(1).all(|l| counted(l) == Some(true));
    found.iter().all(state)
}

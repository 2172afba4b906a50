//! Cases side by side: each worker has a lab of its own and takes seeds one after the other.

#![expect(clippy::disallowed_types, reason = "a rate is told by the wall clock")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use packetwalk_real::lab::STORM;
use packetwalk_real::stage::Lab;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::case::{self, Case};
use crate::judge::{Verdict, judge, unheard};
use crate::render::render;

/// Most runs that a divergence is shrunk with; `PACKETWALK_FUZZ_SHRINKS` is another number.
const SHRINKS: u32 = 150;

/// What a hunt is asked for.
pub struct Wanted {
    /// First seed.
    pub seed: u64,
    /// How many cases.
    pub cases: u64,
    /// Say how it goes.
    pub progress: bool,
    /// Where smallest scenarios are written.
    pub into: PathBuf,
    /// Where cases go that diverged and did so no more: they prove nothing, and are no regressions.
    pub chances: PathBuf,
}

/// What it found.
#[derive(Default)]
pub struct Found {
    /// Cases with this mechanism, and how many of them diverged.
    pub words: BTreeMap<String, (u64, u64)>,
    /// Divergences: seed, file, first difference.
    pub divergent: Vec<(u64, PathBuf, String)>,
    /// Diverged once and not again: chance on the live side.
    pub once: Vec<(u64, String)>,
    /// Cases in which the kernel rolled dice: which, how many. Not compared.
    pub chance: BTreeMap<&'static str, u64>,
    /// Cases that could not be run: why.
    pub impossible: Vec<String>,
    /// Cases that were run.
    pub cases: u64,
    /// How long it all took.
    pub took: Duration,
    /// Namespaces and bridges of all cases.
    pub size: [usize; 2],
    /// Cases by the time that they took, first tries only.
    pub slow: Vec<(Duration, u64)>,
}

/// Hunts.
pub fn hunt(w: &Wanted) -> Found {
    let next = AtomicU64::new(0);
    let found = Mutex::new(Found::default());
    let began = Instant::now();
    // A case waits more than it computes; a few of them are done as soon with fewer.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = std::env::var("PACKETWALK_FUZZ_WORKERS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(cores * if w.progress { 8 } else { 2 });
    std::thread::scope(|s| {
        for _ in 0..workers {
            s.spawn(|| work(w, &next, &found, began));
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.took = began.elapsed();
    found
}

/// A lab of this program.
pub fn lab() -> Result<Lab, String> {
    let exe = std::env::current_exe().map_err(|e| e.to_string())?;
    Lab::start(&exe).map_err(|e| e.to_string())
}

fn work(w: &Wanted, next: &AtomicU64, found: &Mutex<Found>, began: Instant) {
    let mut lab = lab();
    loop {
        let i = next.fetch_add(1, Ordering::Relaxed);
        if i >= w.cases {
            return;
        }
        let seed = w.seed + i;
        let l = match &mut lab {
            Ok(l) => l,
            Err(e) => {
                lock(found).impossible.push(e.clone());
                return;
            }
        };
        let ended = one(w, l, seed, found);
        if ended {
            lab = self::lab();
        }
        let f = lock(found);
        if w.progress && f.cases.is_multiple_of(25) {
            let rate = f.cases as f64 / began.elapsed().as_secs_f64();
            let mut err = std::io::stderr().lock();
            // Nobody reads: no reason to stop.
            let _ = writeln!(err, "{} of {}, {rate:.1}/s, {} divergent", f.cases, w.cases, f.divergent.len());
        }
    }
}

fn lock(found: &Mutex<Found>) -> std::sync::MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A case of a seed; says whether its lab ended.
fn one(w: &Wanted, lab: &mut Lab, seed: u64, found: &Mutex<Found>) -> bool {
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let Ok(mut tree) = case::strategy().new_tree(&mut runner) else { return false };
    let name = format!("seed-{seed}");
    let first = render(&tree.current(), &name);
    let began = Instant::now();
    // Most cases are equal all the same, and more of them are run so.
    lab.may_idle(true);
    let verdict = judge(lab, &first.text);
    lab.may_idle(false);
    let took = began.elapsed();
    let mut words = first.words.clone();
    words.sort();
    words.dedup();
    {
        let mut f = lock(found);
        f.cases += 1;
        f.size = [f.size[0] + first.size[0], f.size[1] + first.size[1]];
        f.slow.push((took, seed));
        let bad = u64::from(matches!(verdict, Verdict::Differs(_)));
        for word in words {
            let n = f.words.entry(word).or_default();
            (n.0, n.1) = (n.0 + 1, n.1 + bad);
        }
    }
    match verdict {
        Verdict::Equal => false,
        Verdict::Chance(what) => {
            *lock(found).chance.entry(what).or_default() += 1;
            what == STORM
        }
        Verdict::Impossible(why) => {
            lock(found).impossible.push(format!("{name}: {why}"));
            true
        }
        Verdict::Differs(how) => {
            // What differs three times on end is no chance; what an idle processor may have done unheard, six times.
            let more = if unheard(&how) { 5 } else { 2 };
            let mut again = Verdict::Differs(how.clone());
            for _ in 0..more {
                if matches!(again, Verdict::Differs(_)) {
                    again = judge(lab, &first.text);
                }
            }
            let Verdict::Differs(again) = again else {
                let _ = std::fs::write(w.chances.join(format!("{name}-once.yaml")), commented(&first.text, &how));
                lock(found).once.push((seed, how[0].clone()));
                return false;
            };
            let (text, how) = shrunk(&mut tree, lab, &name, (first.text, again));
            let file = w.into.join(format!("{name}.yaml"));
            // Where it cannot be written it is told all the same.
            let _ = std::fs::write(&file, commented(&text, &how));
            lock(found).divergent.push((seed, file, how[0].clone()));
            false
        }
    }
}

/// The smallest case that still diverges, with its differences.
fn shrunk(
    tree: &mut impl ValueTree<Value = Case>,
    lab: &mut Lab,
    name: &str,
    first: (String, Vec<String>),
) -> (String, Vec<String>) {
    let mut best = first;
    let mut runs = 0;
    if !tree.simplify() {
        return best;
    }
    let most = std::env::var("PACKETWALK_FUZZ_SHRINKS").ok().and_then(|n| n.parse().ok()).unwrap_or(SHRINKS);
    while runs < most {
        let text = render(&tree.current(), name).text;
        // A number that chooses the same thing is the same case.
        let bad = if text == best.0 {
            true
        } else {
            runs += 1;
            match judge(lab, &text) {
                Verdict::Differs(how) => {
                    best = (text, how);
                    true
                }
                _ => false,
            }
        };
        let more = if bad { tree.simplify() } else { tree.complicate() };
        if !more {
            break;
        }
    }
    best
}

/// A scenario with what diverged above it.
fn commented(text: &str, how: &[String]) -> String {
    let mut out = String::new();
    for line in how.iter().flat_map(|h| h.lines()).take(60) {
        out.push_str(format!("# {line}").trim_end());
        out.push('\n');
    }
    out + text
}

/// Scenario files of a folder, by name.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut all: Vec<PathBuf> = all.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    all.sort();
    all
}

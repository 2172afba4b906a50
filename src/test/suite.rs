//! Many scenarios at once, told in their own order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use indicatif::{ProgressBar, ProgressStyle};
use packetwalk_sim::scenario::expect::{Failure, check};
use packetwalk_sim::scenario::run::walk;

use crate::load;
use crate::problem::{self, Kept};

/// A scenario that was walked, or could not be.
pub struct Case {
    /// Its name, or what was asked for where it has none.
    pub name: String,
    /// Its file, as messages name it.
    pub file: String,
    /// Expectations that do not hold; none where it could not be walked.
    pub failures: Option<Vec<Failure>>,
    /// What is wrong with it, as printed.
    pub said: String,
    /// The same, each by itself.
    pub problems: Vec<Kept>,
    /// What the live kernel was asked, where it was.
    pub kernel: Option<OnKernel>,
}

/// What was checked on the live kernel.
pub struct OnKernel {
    /// How many things were.
    pub checked: usize,
    /// What was not, and why.
    pub not: Vec<String>,
}

impl Case {
    /// How it ended, as reports name it.
    pub fn result(&self) -> &'static str {
        match (&self.failures, &self.kernel) {
            (None, _) => "bad-input",
            (Some(f), _) if !f.is_empty() => "fail",
            (_, Some(k)) if k.checked == 0 => "not-checked",
            _ => "pass",
        }
    }
}

/// Walks scenarios, `jobs` at once, and hands each on in the order of the names.
pub fn run(names: &[String], jobs: usize, done: &mut dyn FnMut(Case)) {
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel::<(usize, Case)>();
    let bar = bar(names.len());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(names.len()) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                while let Some((i, name)) = take(next, names) {
                    // The other end is there until every case has come.
                    let _ = send.send((i, case(name)));
                }
            });
        }
        drop(send);
        let mut early: Vec<Option<Case>> = names.iter().map(|_| None).collect();
        let mut told = 0;
        for (i, c) in receive {
            bar.inc(1);
            early[i] = Some(c);
            while let Some(c) = early.get_mut(told).and_then(Option::take) {
                bar.suspend(|| done(c));
                told += 1;
            }
        }
    });
    bar.finish_and_clear();
}

fn take<'n>(next: &AtomicUsize, names: &'n [String]) -> Option<(usize, &'n String)> {
    let i = next.fetch_add(1, Ordering::Relaxed);
    names.get(i).map(|n| (i, n))
}

/// A bar on standard error, where that is a terminal.
fn bar(len: usize) -> ProgressBar {
    let bar = ProgressBar::new(len as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

/// One scenario. A bug of ours in one of them does not keep the others from being walked.
fn case(name: &str) -> Case {
    let ((scenario, failures), said, problems) =
        problem::keep(|| catch_unwind(AssertUnwindSafe(|| walked(name))).unwrap_or((None, None)));
    let (file, title) = scenario.unwrap_or_else(|| (name.to_owned(), name.to_owned()));
    Case { name: title, file, failures, said, problems, kernel: None }
}

/// File and name of a scenario, and which expectations do not hold.
fn walked(name: &str) -> (Option<(String, String)>, Option<Vec<Failure>>) {
    let Some(l) = load::load(name) else { return (None, None) };
    let who = Some((l.file.clone(), l.scenario.name.clone()));
    match walk(&l.scenario) {
        Ok(w) => (who, Some(check(&w))),
        Err(e) => {
            problem::at(&l.file, &l.text, e.at, &e.what, &e.help);
            (who, None)
        }
    }
}

//! `packetwalk run`.

use std::io::IsTerminal;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use packetwalk_sim::scenario::expect;
use packetwalk_sim::scenario::run::{Walk, walk_with};
use packetwalk_sim::trace::{json, text, topology};

use crate::load::{Loaded, load};
use crate::{End, out, problem};

/// Forms of a walk.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people: hop by hop
    Text,
    /// For programs
    Json,
    /// The devices at the end, for Graphviz
    Dot,
    /// The devices at the end, for Mermaid
    Mermaid,
}

/// Arguments of `run`.
#[derive(clap::Args)]
pub struct Args {
    /// A file, or the name of a library scenario
    scenario: String,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Show what was tried and missed too
    #[arg(long, short)]
    verbose: bool,
    /// Decide otherwise where Linux picks at random
    #[arg(long)]
    seed: Option<u64>,
}

/// Walks a loaded scenario, with a bar on a terminal once a second has passed; tells what stopped it.
#[expect(clippy::disallowed_types, reason = "the bar is for people, and they have a wall clock")]
pub fn walk(l: &Loaded) -> Option<Walk> {
    let begun = std::time::Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let terminal = std::io::stderr().is_terminal();
    let walked = walk_with(&l.scenario, &mut |done, all| {
        if bar.is_none() && terminal && begun.elapsed().as_secs() >= 1 {
            let b = ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
                b.set_style(style);
            }
            b.set_message(l.scenario.name.clone());
            bar = Some(b);
        }
        if let Some(b) = &bar {
            b.set_position(done as u64);
        }
    });
    if let Some(b) = bar {
        b.finish_and_clear();
    }
    match walked {
        Ok(w) => Some(w),
        Err(e) => {
            problem::at(&l.file, &l.text, e.at, &e.what, &e.help);
            None
        }
    }
}

/// Runs it.
pub fn run(a: &Args) -> End {
    let Some(mut l) = load(&a.scenario) else { return End::Bad };
    if let Some(seed) = a.seed {
        l.scenario.seed = seed;
    }
    let Some(w) = walk(&l) else { return End::Bad };
    let o = text::Options { verbose: a.verbose, color: out::color(), width: 80 };
    out::print(&match a.format {
        Form::Text => text::print(&w, &o),
        Form::Json => format!("{:#}\n", json::walk(&w)),
        Form::Dot => topology::dot(&w.session),
        Form::Mermaid => topology::mermaid(&w.session),
    });
    // An expectation that fails does not spoil the walk, but it should not go unseen.
    let failures = expect::check(&w);
    for f in &failures {
        problem::at(
            &l.file,
            &l.text,
            f.at,
            &format!("step {}: {}: expected {}, got {}", f.step, f.key, f.expected, f.got),
            "",
        );
    }
    if failures.is_empty() { End::Good } else { End::Failed }
}

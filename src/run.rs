//! `packetwalk run`.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use packetwalk_sim::scenario::expect;
use packetwalk_sim::scenario::run::{Walk, walk_with};
use packetwalk_sim::trace::{json, pcapng, svg, text, topology, way};

use crate::load::{Loaded, load};
use crate::{End, out, problem};

/// Forms of a walk.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people: hop by hop
    Text,
    /// For programs
    Json,
    /// The devices, with the way of a step's packet, for Graphviz
    Dot,
    /// The same for Mermaid
    Mermaid,
    /// The same as a picture, for light and dark backgrounds
    Svg,
    /// The frames at every device with the decisions as comments, for Wireshark
    Pcapng,
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
    /// One step: as text it alone; the packet that a picture shows, the last one that probes where left out; the frames
    /// of a capture
    #[arg(long, value_name = "N", value_parser = step_number)]
    step: Option<usize>,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A step's number, as it is typed.
pub(crate) fn step_number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a step is named by its number, from 1".to_owned())
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
    if let Some(end) = refused(a, l.scenario.steps.len()) {
        return end;
    }
    if let Some(n) = a.step.filter(|_| a.format != Form::Pcapng) {
        // The world as the step leaves it.
        l.scenario.steps.truncate(n);
    }
    let Some(w) = walk(&l) else { return End::Bad };
    let bytes = match a.format {
        Form::Text => {
            let color = a.output.is_none() && out::color();
            let o = text::Options { verbose: a.verbose, color, width: 80 };
            a.step.map_or_else(|| text::print(&w, &o), |n| text::one(&w, n, &o)).into_bytes()
        }
        Form::Json => format!("{:#}\n", json::walk(&w)).into_bytes(),
        Form::Dot | Form::Mermaid | Form::Svg => picture(a, &w).into_bytes(),
        Form::Pcapng => match pcapng::file(&w, a.step) {
            Ok(b) => b,
            Err(e) => {
                problem::error(&format!("the capture could not be written: {e}"), "");
                return End::Bad;
            }
        },
    };
    if let Err(e) = out::bytes(&bytes, a.output.as_deref()) {
        problem::error(&e, "name a file that can be written");
        return End::Bad;
    }
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

/// What makes no sense is refused before the walk.
fn refused(a: &Args, steps: usize) -> Option<End> {
    let (what, help) = match a.step {
        Some(_) if a.format == Form::Json => ("--step is not for json".to_owned(), "every step is in it: jq .steps[1]"),
        Some(n) if n == 0 || n > steps => (
            format!("there is no step {n}: the scenario has {steps}"),
            "steps are numbered from 1, those of `setup` not counted",
        ),
        _ if a.format == Form::Pcapng && a.output.is_none() && std::io::stdout().is_terminal() => {
            ("a capture is no text for a terminal".to_owned(), "-o FILE, or | tshark -r -")
        }
        _ => return None,
    };
    problem::error(&what, help);
    Some(End::Bad)
}

/// The devices with the way of a step's packet.
fn picture(a: &Args, w: &Walk) -> String {
    let s = &w.session;
    let step = match a.step {
        Some(n) => w.steps.get(n - 1),
        None => w.steps.iter().rfind(|r| r.outcome().is_some()),
    };
    let events = step.and_then(|r| s.kernel.rec.events.get(r.first_event..r.end_event));
    let way = way::way(s, events.unwrap_or_default());
    match a.format {
        Form::Dot => topology::dot(s, &way),
        Form::Mermaid => topology::mermaid(s, &way),
        _ => {
            let c = &w.scenario;
            let title = if c.title.is_empty() { &c.name } else { &c.title };
            let line = step.map_or(String::new(), |r| {
                let outcome = r.outcome().map_or(String::new(), |o| format!(": {}", o.as_str()));
                format!("step {}: {}{} {}{outcome}", r.index, r.place, if r.probe { '>' } else { '$' }, r.command)
            });
            svg::svg(s, &way, title, &line)
        }
    }
}

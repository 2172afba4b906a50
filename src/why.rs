//! `packetwalk why`.

use packetwalk_sim::explain::{WhyError, json, text, why};

use crate::load::load;
use crate::{End, Format, out, problem};

/// Arguments of `why`.
#[derive(clap::Args)]
pub struct Args {
    /// A file, or the name of a library scenario
    scenario: String,
    /// Number of the step, from 1; the first that failed where left out
    #[arg(value_parser = crate::run::step_number)]
    step: Option<usize>,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs it: good where the probe works, failed where there is something to explain.
pub fn run(a: &Args) -> End {
    let Some(l) = load(&a.scenario) else { return End::Bad };
    let w = match why(&l.scenario, a.step) {
        Ok(w) => w,
        Err(WhyError::AllWell) => {
            out::print("every probe of the scenario gets a reply: there is nothing to explain\n");
            return End::Good;
        }
        Err(WhyError::Walk(e)) => {
            problem::at(&l.file, &l.text, e.at, &e.what, &e.help);
            return End::Bad;
        }
        Err(e @ WhyError::NoStep(..)) => {
            problem::error(&e.to_string(), "steps are numbered from 1, those of `setup` not counted");
            return End::Bad;
        }
        Err(e @ WhyError::NoProbe(_)) => {
            problem::error(&e.to_string(), "name a step with a probe, or a command that probes, such as ping or curl");
            return End::Bad;
        }
    };
    match a.format {
        Format::Text => out::print(&text::text(&w)),
        Format::Json => out::print(&format!("{:#}\n", json::json(&w))),
    }
    if w.blockers.is_empty() { End::Good } else { End::Failed }
}

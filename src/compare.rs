//! `packetwalk compare`: a scenario on the live kernel and in the model, side by side.

use std::process::ExitCode;

use packetwalk_real::compare::{VERDICTS, compare};
use packetwalk_real::recording::Recording;
use packetwalk_real::replay;
use packetwalk_real::stage::{self, Lab, NoRecording};
use serde_json::Value;

use crate::load::{self, Loaded};
use crate::{End, out, problem};

/// Arguments of `compare`.
#[derive(clap::Args)]
pub struct Args {
    /// Files or library names
    #[arg(required = true)]
    scenarios: Vec<String>,
    /// Keep the live run in this file
    #[arg(long, value_name = "FILE")]
    keep: Option<std::path::PathBuf>,
}

/// Where this process is one of a lab's, it does its part and says how it ended.
pub fn stage() -> Option<ExitCode> {
    if let Some(code) = packetwalk_real::shim::run() {
        return Some(code);
    }
    let mut args = std::env::args().skip(1);
    match args.next()?.as_str() {
        stage::OUTER => Some(stage::outer(&args.next().unwrap_or_default())),
        stage::INNER => Some(stage::inner(&args.next().unwrap_or_default())),
        _ => None,
    }
}

/// Runs it.
pub fn run(a: &Args) -> End {
    let mut end = End::Good;
    for name in &a.scenarios {
        let Some(l) = load::load(name) else {
            end = End::Bad;
            continue;
        };
        match record(&l) {
            Ok(json) => {
                if let Some(file) = &a.keep
                    && let Err(e) = std::fs::write(file, json.to_string())
                {
                    problem::error(&format!("{}: {e}", file.display()), "name a file that can be written");
                    return End::Bad;
                }
                if !tell(&l, json) {
                    end = End::Failed;
                }
            }
            Err(NoRecording::Missing { what, why, help }) => {
                problem::error(&format!("{what}: {why}"), &help);
                return End::Missing;
            }
            Err(e) => {
                problem::error(&format!("{}: {e}", l.file), "");
                end = End::Bad;
            }
        }
    }
    end
}

fn record(l: &Loaded) -> Result<Value, NoRecording> {
    let exe = std::env::current_exe().map_err(|e| NoRecording::Ended(e.to_string()))?;
    let mut lab = Lab::start(&exe).map_err(|e| NoRecording::Ended(e.to_string()))?;
    lab.record(&l.text, &mut |_, _| {})
}

/// Prints where the two differ; says whether nowhere.
fn tell(l: &Loaded, json: Value) -> bool {
    let r = Recording { json };
    let played = match replay::world(&r) {
        Ok(s) => replay::play(&r, s),
        Err(e) => {
            problem::error(&format!("{}: {e}", l.file), "");
            return false;
        }
    };
    let v = compare(&r, &played);
    let mut text = format!("{}\n", l.scenario.name);
    for (name, found) in VERDICTS.iter().zip(&v.0) {
        let word = if found.is_empty() { "equal" } else { "differs" };
        text.push_str(&format!("  {name:<9} {word}\n"));
        for d in found {
            text.push_str(&format!("    {}\n", d.replace('\n', "\n    ")));
        }
    }
    for e in r.json["refusals"].as_array().into_iter().flatten() {
        text.push_str(&format!("  op: {}\n", e.as_str().unwrap_or("")));
    }
    out::print(&text);
    v.0.iter().all(Vec::is_empty)
}

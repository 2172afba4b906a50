//! `packetwalk compare`: a scenario on the live kernel and in the model, side by side.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use packetwalk_real::compare::report::{Report, totals};
use packetwalk_real::limits;
use packetwalk_real::recording::Recording;
use packetwalk_real::replay;
use packetwalk_real::stage::{Lab, NoRecording};
use serde_json::{Value, json};

use crate::load::{self, Loaded};
use crate::{End, Format, out, problem};

/// Arguments of `compare`.
#[derive(clap::Args)]
pub struct Args {
    /// Files or library names; with `--against` only to check that the recording is theirs
    #[arg(required_unless_present = "against")]
    scenarios: Vec<String>,
    /// Compare with this recording instead of the live kernel: takes no privilege
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Show every difference
    #[arg(long)]
    all: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Arguments of `record`.
#[derive(clap::Args)]
pub struct RecordArgs {
    /// File or library name
    scenario: String,
    /// Where the recording goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs `compare`.
pub fn run(a: &Args) -> End {
    let mut reports = Vec::new();
    let mut end = End::Good;
    let mut one = |r: Result<Report, String>| match r {
        Ok(r) => {
            if a.format == Format::Text {
                out::print(&r.text(a.all));
            }
            if r.divergent() > 0 && matches!(end, End::Good) {
                end = End::Failed;
            }
            reports.push(r);
        }
        Err(e) => {
            problem::error(&e, "");
            end = End::Bad;
        }
    };
    if let Some(file) = &a.against {
        match recording(file, &a.scenarios) {
            Ok(json) => one(report(json)),
            Err((what, help)) => {
                problem::error(&what, &help);
                return End::Bad;
            }
        }
    } else {
        let mut bad = false;
        let mut lab = None;
        for name in &a.scenarios {
            let Some(l) = load::load(name) else {
                bad = true;
                continue;
            };
            let limits = limits::of(&l.scenario);
            if !limits.is_empty() {
                // What comes after such a step walks in another world on either side.
                one(Ok(Report::not_here(&l.scenario.name, &limits)));
                continue;
            }
            match record(&mut lab, &l) {
                Ok(json) => one(report(json)),
                Err(e) => match told(&l, &e) {
                    End::Missing => return End::Missing,
                    _ => bad = true,
                },
            }
        }
        if bad {
            end = End::Bad;
        }
    }
    finish(&reports, a.format);
    end
}

/// Prints the sum, where there is one.
fn finish(reports: &[Report], format: Format) {
    let sum = |f: fn(&Report) -> usize| reports.iter().map(f).sum::<usize>();
    let (n, d, not) = (sum(Report::compared), sum(Report::divergent), sum(|r| r.not_compared.len()));
    match format {
        Format::Json => {
            let all: Vec<Value> = reports.iter().map(Report::json).collect();
            let sum = json!({"compared": n, "equal": n - d, "divergent": d, "not_compared": not});
            out::print(&format!("{:#}\n", json!({"schema_version": 1, "scenarios": all, "total": sum})));
        }
        Format::Text if reports.len() > 1 => {
            out::print(&format!("\n{} scenarios: {}\n", reports.len(), totals(n, d, not)));
        }
        Format::Text => {}
    }
}

/// Runs `record`.
pub fn run_record(a: &RecordArgs) -> End {
    let Some(l) = load::load(&a.scenario) else { return End::Bad };
    if let Some(limit) = limits::of(&l.scenario).first() {
        problem::error(&format!("{}: step {}: {}: {}", l.file, limit.step, limit.what, limit.why), "");
        return End::Missing;
    }
    // Before the long work: a file that cannot be written is told at once, and one that is there is not lost.
    let folder = a.output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        problem::error(&format!("there is no folder {}", folder.display()), "make it, or name another file");
        return End::Bad;
    }
    match record(&mut None, &l) {
        Ok(json) => {
            let new = a.output.with_extension("json.new");
            let written = std::fs::write(&new, json.to_string() + "\n").and_then(|()| std::fs::rename(&new, &a.output));
            if let Err(e) = written {
                problem::error(&format!("{}: {e}", a.output.display()), "name a file that can be written");
                return End::Bad;
            }
            End::Good
        }
        Err(e) => told(&l, &e),
    }
}

/// Tells why there is no recording.
fn told(l: &Loaded, e: &NoRecording) -> End {
    match e {
        NoRecording::Missing { what, why, help } => {
            problem::error(&format!("{what}: {why}"), help);
            End::Missing
        }
        e => {
            problem::error(&format!("{}: {e}", l.file), "");
            End::Bad
        }
    }
}

/// Runs a scenario on the live kernel, in a lab that goes on from one to the next; progress shows on a terminal.
pub(crate) fn record(lab: &mut Option<Lab>, l: &Loaded) -> Result<Value, NoRecording> {
    let ended = |e: std::io::Error| NoRecording::Ended(e.to_string());
    let lab = match lab {
        Some(lab) => lab,
        None => lab.insert(Lab::start(Path::new("/proc/self/exe")).map_err(ended)?),
    };
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(l.scenario.name.clone());
    let done = lab.record(&l.text, &mut |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    done
}

/// Reads a recording of ours; where scenarios are named, it must be of one of them.
fn recording(file: &Path, scenarios: &[String]) -> Result<Value, (String, String)> {
    let at = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| (format!("{at}: {e}"), "`packetwalk record SCENARIO -o FILE` makes a recording".to_owned()))?;
    let json: Value = serde_json::from_str(&text).map_err(|e| {
        (format!("{at}:{}:{}: {e}", e.line(), e.column()), "a recording is what `packetwalk record` wrote".to_owned())
    })?;
    let r = Recording { json };
    if !r.is_ours() {
        let help = "`packetwalk record SCENARIO -o FILE` makes one".to_owned();
        return Err((format!("{at}: no recording of a scenario"), help));
    }
    for name in scenarios {
        let Some(l) = load::load(name) else { return Err((format!("there is no scenario {name}"), String::new())) };
        if r.json["scenario"] != l.text.as_str() {
            let help = "record it anew: `packetwalk record SCENARIO -o FILE`".to_owned();
            return Err((format!("{at}: recorded from another text than {}", l.file), help));
        }
    }
    Ok(r.json)
}

/// Plays a recording in the model and compares.
pub(crate) fn report(json: Value) -> Result<Report, String> {
    let r = Recording { json };
    let world = replay::world(&r)?;
    Ok(Report::of(&r, &replay::play(&r, world)))
}

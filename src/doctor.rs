//! `packetwalk doctor`.

use std::path::Path;
use std::process::ExitCode;

use packetwalk_real::doctor::{self, examine, text};

use crate::{End, Format, out, problem};

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Where this process is the doctor's own, it does its part and says how it ended.
pub fn stage() -> Option<ExitCode> {
    doctor::stage()
}

/// Runs it.
pub fn run(a: &Args) -> End {
    let report = match examine(Path::new("/proc/self/exe")) {
        Ok(r) => r,
        Err(e) => {
            problem::error(&format!("this machine cannot be examined: {e}"), "it takes Linux with /proc mounted");
            return End::Missing;
        }
    };
    match a.format {
        Format::Text => out::print(&text(&report)),
        Format::Json => out::print(&format!("{:#}\n", serde_json::json!(report))),
    }
    if report.complete() { End::Good } else { End::Missing }
}

//! Every scenario of the library: its expectations hold, and its trace is the one in `tests/snapshots`.

mod common;

use std::path::Path;
use std::process::ExitCode;

use common::files;
use libtest_mimic::{Arguments, Failed, Trial};
use packetwalk_sim::scenario::{self, expect, run};
use packetwalk_sim::trace::text;

fn one(path: &Path) -> Result<(), Failed> {
    let source = std::fs::read_to_string(path)?;
    let s = scenario::parse(&source).map_err(|e| e.to_string())?;
    let stem = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if s.name != stem {
        return Err(format!("the file {stem}.yaml holds the scenario {}", s.name).into());
    }
    if s.title.is_empty() || s.about.is_empty() || s.topics.is_empty() {
        return Err("title, about and topics must be there".into());
    }
    let w = run::walk(&s).map_err(|e| e.to_string())?;
    let failures: Vec<String> = expect::check(&w)
        .iter()
        .map(|f| format!("step {} (line {}): {}: expected {}, got {}", f.step, f.at.line, f.key, f.expected, f.got))
        .collect();
    if !failures.is_empty() {
        return Err(failures.join("\n").into());
    }
    let shown = text::print(&w, &text::Options::default());
    let again = text::print(&run::walk(&s).map_err(|e| e.to_string())?, &text::Options::default());
    if shown != again {
        return Err("two walks of it differ".into());
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // A difference panics, which the runner reports as a failure of this scenario.
    settings.bind(|| insta::assert_snapshot!(stem.as_str(), shown));
    Ok(())
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut all = Vec::new();
    files(&root, &mut all);
    let trials = all
        .into_iter()
        .map(|p| {
            let name = p.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            Trial::test(name, move || one(&p))
        })
        .collect();
    libtest_mimic::run(&args, trials).exit_code()
}

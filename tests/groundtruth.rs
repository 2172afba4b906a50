//! Recordings of real kernels, played in the model: four verdicts each.
//!
//! `PACKETWALK_GROUNDTRUTH` names the folder of recordings; otherwise those of `tests/recordings` are played, and those
//! of `../shared/groundtruth` where somebody has them. `PACKETWALK_GROUNDTRUTH_VERBOSE=1`, or a filter, shows more than
//! the first difference of each verdict.

#[path = "groundtruth/recording.rs"]
mod recording;
#[path = "groundtruth/report.rs"]
mod report;
#[path = "groundtruth/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use packetwalk_real::compare::{Verdicts, compare, normalise};
use packetwalk_real::replay::{self, play};
use report::{Known, Table};

/// Differences shown of each verdict: ordinarily, and when one asks for more.
const SHOWN: (usize, usize) = (1, 12);

/// Where recordings are: the folder that was named, or the workspace's own and the one beside it. The second says
/// whether all that `differences.txt` speaks of must be there.
fn folders() -> (Vec<PathBuf>, bool) {
    if let Some(named) = std::env::var_os("PACKETWALK_GROUNDTRUTH") {
        return (vec![PathBuf::from(named)], false);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (own, beside) = (root.join("tests/recordings"), root.join("../shared/groundtruth"));
    let whole = beside.is_dir();
    (vec![own, beside], whole)
}

/// The four verdicts; a world that cannot be built or a panic fails them all.
fn verdicts(r: &recording::Recording) -> Verdicts {
    let all = |why: String| Verdicts(std::array::from_fn(|_| vec![why.clone()]), [1; 4]);
    let played = catch_unwind(AssertUnwindSafe(|| {
        if r.is_ours() { replay::world(r) } else { world::build(&r.json) }.map(|s| compare(r, &play(r, s)))
    }));
    match played {
        Ok(Ok(v)) => v,
        Ok(Err(e)) => all(format!("the hosts cannot be built: {e}")),
        Err(p) => {
            let said = p.downcast_ref::<String>().cloned();
            let said = said.or_else(|| p.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            all(format!("panic: {}", said.unwrap_or_default()))
        }
    }
}

fn trials(known: &Arc<Known>, table: &Arc<Table>, shown: usize) -> Vec<Trial> {
    let mut out = Vec::new();
    let (roots, whole) = folders();
    let found: Vec<_> = roots.iter().flat_map(|r| recording::find(r)).collect();
    let names: Vec<String> = found.iter().map(|(n, _)| n.clone()).collect();
    let k = Arc::clone(known);
    if whole {
        out.push(Trial::test("differences.txt", move || match k.names().find(|n| !names.iter().any(|x| x == n)) {
            Some(n) => Err(format!("there is no recording {n}").into()),
            None => Ok(()),
        }));
    }
    if !found.is_empty() {
        out.push(Trial::test("rules", || {
            match normalise::RULES.iter().find(|(part, what, why)| part.is_empty() || what.is_empty() || why.is_empty())
            {
                Some((_, what, _)) => Err(format!("a rule without a reason: {what}").into()),
                None => Ok(()),
            }
        }));
    }
    for (name, file) in found {
        let (known, table) = (Arc::clone(known), Arc::clone(table));
        out.push(Trial::test(name.clone(), move || {
            let v = verdicts(&recording::read(&name, &file)?);
            table.add(&name, std::array::from_fn(|i| v.0[i].is_empty()));
            known.judge(&name, &v, shown).map_err(Failed::from)
        }));
    }
    out
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let verbose = std::env::var_os("PACKETWALK_GROUNDTRUTH_VERBOSE").is_some_and(|v| v != "0") || args.filter.is_some();
    let shown = if verbose { SHOWN.1 } else { SHOWN.0 };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/groundtruth/differences.txt");
    let table = Arc::new(Table::default());
    let mut all = match Known::read(&file) {
        Ok(known) => trials(&Arc::new(known), &table, shown),
        Err(e) => vec![Trial::test("differences.txt", move || Err(e.into()))],
    };
    let none = all.is_empty();
    if none {
        let why = "there are no recordings: set PACKETWALK_GROUNDTRUTH to their folder";
        all.push(Trial::test("recordings", move || Err(why.into())).with_kind("none found").with_ignored_flag(true));
    }
    let list = args.list;
    let conclusion = libtest_mimic::run(&args, all);
    if !list && !none {
        // A closed pipe is no reason to fail.
        let _ = table.print(&mut std::io::stdout().lock());
    }
    conclusion.exit_code()
}

//! `packetwalk test`.

mod kernel;
mod report;
mod suite;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::load;
use crate::{End, problem};

/// Forms of the report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// For programs
    Json,
    /// JUnit's XML, for CI servers
    Junit,
    /// Annotations of GitHub Actions
    Github,
}

/// Where expectations are held against.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// The model
    Model,
    /// The live kernel; what it cannot tell is named. Exit 3 where this machine has no lab
    Kernel,
    /// The model, which in turn is compared with the live kernel
    Both,
}

/// Arguments of `test`.
#[derive(clap::Args)]
pub struct Args {
    /// Files, directories or library names; the whole library where left out
    paths: Vec<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Only every n-th scenario from the k-th on, so that n machines share the work: 1/3, 2/3, 3/3
    #[arg(long, value_name = "K/N", value_parser = partition)]
    partition: Option<(usize, usize)>,
    /// Scenarios walked at once; as many as the machine has processors where left out
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
    /// What runs the scenarios
    #[arg(long, value_enum, default_value = "model")]
    backend: Backend,
}

/// Reads `k/n`.
fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "write a number, at least 1".to_owned())
}

fn partition(text: &str) -> Result<(usize, usize), String> {
    let form = "write K/N, such as 1/3: K from 1 to N";
    let (k, n) = text.split_once('/').ok_or(form)?;
    match (k.parse::<usize>(), n.parse::<usize>()) {
        (Ok(k), Ok(n)) if k >= 1 && k <= n => Ok((k, n)),
        (Ok(k), Ok(n)) => Err(format!("there is no part {k} of {n}; {form}")),
        _ => Err(format!("`{text}` is no part; {form}")),
    }
}

/// Runs it.
pub fn run(a: &Args) -> End {
    let mut bad = 0;
    let mut names = names(&a.paths, &mut bad);
    if let Some((k, n)) = a.partition {
        names = names.into_iter().skip(k - 1).step_by(n).collect();
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut report = report::Report::new(a.format, bad);
    let mut add = |case| report.add(case);
    match a.backend {
        Backend::Model => suite::run(&names, a.jobs.map_or(cores, NonZeroUsize::get), &mut add),
        backend => {
            if kernel::run(&names, backend, &mut add).is_err() {
                return End::Missing;
            }
        }
    }
    report.finish()
}

/// The scenarios that paths stand for, in order; counts and tells paths that hold none.
fn names(paths: &[String], bad: &mut usize) -> Vec<String> {
    if paths.is_empty() {
        return load::library().into_iter().map(|x| x.1).collect();
    }
    let mut names = Vec::new();
    for p in paths {
        let path = Path::new(p);
        if !path.exists() {
            names.push(p.clone());
            continue;
        }
        let mut files: Vec<PathBuf> = Vec::new();
        if let Err(e) = load::files_under(path, &mut files) {
            problem::error(&format!("{p}: {e}"), "");
            *bad += 1;
        }
        if files.is_empty() {
            problem::error(&format!("there are no scenarios (*.yaml) under {p}"), "name another folder, or a file");
            *bad += 1;
        }
        names.extend(files.into_iter().map(|f| f.display().to_string()));
    }
    names
}

//! What this machine can and cannot do, and which comparisons that costs.
//!
//! Everything is tried, not guessed: a process of our own leaves the machine's namespaces as a lab does and makes one of
//! each there. What it makes goes with it.

mod devices;
mod netfilter;
mod stage;
mod text;
mod tools;
mod watching;

use std::fmt::Display;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use stage::stage;
pub use text::text;

/// Which part of a comparison something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Being apart from the machine.
    Namespaces,
    /// Kinds of devices.
    Devices,
    /// Filtering, translation, tracking.
    Netfilter,
    /// Tools that a scenario's lines call.
    Tools,
    /// Looking at what happens.
    Watching,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which part it belongs to.
    pub group: Group,
    /// Its name.
    pub what: String,
    /// Whether it is there.
    pub ok: bool,
    /// A version, or what was said instead.
    pub detail: String,
    /// What cannot be compared without it.
    pub costs: String,
    /// What to do about it; empty where nothing is missing.
    pub remedy: String,
}

/// How something is called, what is lost without it, and what to do about that.
#[derive(Clone, Copy, Debug)]
struct About {
    group: Group,
    what: &'static str,
    costs: &'static str,
    remedy: &'static str,
}

impl About {
    /// What came of trying it.
    fn tried<E: Display>(self, result: Result<String, E>) -> Check {
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(e) => (false, e.to_string()),
        };
        let remedy = if ok { String::new() } else { self.remedy.to_owned() };
        Check { group: self.group, what: self.what.to_owned(), ok, detail, costs: self.costs.to_owned(), remedy }
    }
}

/// The machine and what it can do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// `Linux 6.18.44`.
    pub kernel: String,
    /// Whether this is root of the machine.
    pub root: bool,
    /// What was tried.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether everything can be compared.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.checks.iter().all(|c| c.ok)
    }
}

/// Tries everything; `exe` is this program, which starts itself again to leave the machine's namespaces.
///
/// # Errors
/// Where it cannot be started.
pub fn examine(exe: &Path) -> io::Result<Report> {
    let (release, root) = (nix::sys::utsname::uname()?, nix::unistd::geteuid().is_root());
    let version = release.release().to_string_lossy();
    let kernel = format!("Linux {}", version.split('-').next().unwrap_or_default());
    let mut checks = stage::start(exe)?;
    checks.extend(watching::tracepoints());
    checks.push(watching::symbols());
    checks.sort_by_key(|c| c.group as u8);
    Ok(Report { kernel, root, checks })
}

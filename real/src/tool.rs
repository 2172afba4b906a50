//! Where the tools of the machine are.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where administrators' tools are, which the path of an ordinary user may not name.
const EXTRA: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// The path of a lab's commands, behind our own tools.
pub const LAB_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Looks for a tool in the path, then where administrators' tools are.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    among(std::env::split_paths(&path).chain(EXTRA.iter().map(PathBuf::from)), name)
}

/// Looks for a tool where a lab's shell would.
#[must_use]
pub fn find_in_lab(name: &str) -> Option<PathBuf> {
    among(std::env::split_paths(LAB_PATH), name)
}

fn among(dirs: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    dirs.map(|d| d.join(name)).find(|p| is_program(p))
}

fn is_program(p: &Path) -> bool {
    std::fs::metadata(p).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

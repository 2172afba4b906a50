//! Where the tools of the machine are.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Where administrators' tools are, which the path of an ordinary user may not name.
const EXTRA: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// Looks for a tool in the path, then where administrators' tools are.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(EXTRA.iter().map(PathBuf::from));
    dirs.map(|d| d.join(name)).find(|p| {
        let meta = std::fs::metadata(p);
        meta.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    })
}

//! What several tests share.

use std::path::{Path, PathBuf};

/// The scenario files under a directory, in order.
pub fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    for p in all {
        if p.is_dir() {
            files(&p, out);
        } else if p.extension().is_some_and(|e| e == "yaml") {
            out.push(p);
        }
    }
}

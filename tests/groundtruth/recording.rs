//! A recording as it lies on disk.

use std::path::{Path, PathBuf};

pub use packetwalk_real::recording::{Recording, list, text};

/// Every recording below a folder: its name and its file, in order.
pub fn find(root: &Path) -> Vec<(String, PathBuf)> {
    let mut out = Vec::new();
    let entries = |p: &Path| {
        let mut v: Vec<PathBuf> = std::fs::read_dir(p).into_iter().flatten().flatten().map(|e| e.path()).collect();
        v.sort();
        v
    };
    let stem = |p: &Path| p.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    for dir in entries(root).into_iter().filter(|p| p.is_dir()) {
        let folder = dir.file_name().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        // The library's own, which `tests/recorded.rs` plays.
        if folder == "library" {
            continue;
        }
        for file in entries(&dir) {
            if file.extension().is_some_and(|e| e == "json") {
                out.push((format!("{folder}/{}", stem(&file)), file));
            }
        }
    }
    out
}

/// Reads one.
///
/// # Errors
/// Where the file cannot be read or is no JSON.
pub fn read(name: &str, file: &Path) -> Result<Recording, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
    let json = serde_json::from_str(&text).map_err(|e| format!("{name}: {e}"))?;
    Ok(Recording { json })
}

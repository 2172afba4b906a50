//! A recording as it lies on disk, and what of the model it needs.

use std::path::{Path, PathBuf};

pub use packetwalk_real::recording::{Recording, list, text};
use serde_json::Value;

/// Tools and devices that later parts of the model bring, as words of a command line. The first word
/// names the feature.
const LATER: &[(&str, &[&str])] = &[("IPv6 in listings", &["nft"])];

/// What of Docker is still to come: a word of a command line, and the feature's name.
const DOCKER_LATER: &[(&str, &str)] = &[("compose", "compose")];

/// The feature that a recording waits for, if it does.
pub fn later(name: &str, json: &Value) -> Option<&'static str> {
    let kernel = name.starts_with("kernel/") || name.starts_with("random/");
    let mut words = Vec::new();
    for s in list(&json["steps"]) {
        let cmd = s["cmd"].as_str().unwrap_or("");
        words.extend(cmd.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '/')));
    }
    let used = |tools: &[&str]| words.iter().any(|w| tools.contains(&w.rsplit('/').next().unwrap_or(w)));
    if !kernel && let Some((_, name)) = DOCKER_LATER.iter().find(|(w, _)| used(&[w])) {
        return Some(name);
    }
    LATER.iter().find(|(_, tools)| used(tools)).map(|(name, _)| *name)
}

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

//! Finds scenarios: files, and the library that the program carries.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use packetwalk_sim::scenario::{self, MAX_BYTES, Scenario, suggest};

use crate::problem;

static LIBRARY: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// A scenario with its source.
pub struct Loaded {
    /// File name for messages.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The scenario.
    pub scenario: Scenario,
}

/// The files of the library: topic folder, name, text.
pub fn library() -> Vec<(String, String, &'static str)> {
    fn walk(dir: &'static Dir<'static>, out: &mut Vec<(String, String, &'static str)>) {
        for f in dir.files().filter(|f| f.path().extension().is_some_and(|e| e == "yaml")) {
            let topic = f.path().parent().map_or(String::new(), |p| p.display().to_string());
            let name = f.path().file_stem().map_or(String::new(), |n| n.to_string_lossy().into_owned());
            out.push((topic, name, f.contents_utf8().unwrap_or_default()));
        }
        for d in dir.dirs() {
            walk(d, out);
        }
    }
    let mut out = Vec::new();
    walk(&LIBRARY, &mut out);
    out.sort();
    out
}

/// Loads a scenario by file or library name; tells what is wrong where it cannot.
pub fn load(what: &str) -> Option<Loaded> {
    let path = Path::new(what);
    if path.is_file() {
        return read(path);
    }
    let all = library();
    if let Some((topic, name, text)) = all.iter().find(|(_, n, _)| n == what) {
        return parse(format!("scenarios/{topic}/{name}.yaml"), (*text).to_owned());
    }
    let looks_like_a_file = what.contains('/') || what.ends_with(".yaml") || what.ends_with(".yml");
    let names: Vec<&str> = all.iter().map(|x| x.1.as_str()).collect();
    let help = match suggest::closest(what, &names) {
        Some(near) => format!("did you mean `{near}`? `packetwalk list` shows the library"),
        None => "`packetwalk list` shows the library".to_owned(),
    };
    if path.is_dir() {
        problem::error(&format!("{what} is a directory, not a scenario"), "`packetwalk test` takes directories");
    } else if path.exists() {
        problem::error(&format!("{what} is no regular file"), "save the scenario as a file");
    } else if looks_like_a_file {
        problem::error(&format!("there is no file {what}"), &help);
    } else {
        problem::error(&format!("there is no scenario or file named {what}"), &help);
    }
    None
}

/// Loads a file.
pub fn read(path: &Path) -> Option<Loaded> {
    let file = path.display().to_string();
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    if size > MAX_BYTES as u64 {
        problem::error(
            &format!("{file}:1:1: the file has {size} bytes; a scenario may have {MAX_BYTES}"),
            "split it into several scenarios",
        );
        return None;
    }
    let bytes = match std::fs::read(path) {
        Ok(b) => b,
        Err(e) => {
            problem::error(&format!("{file}: {e}"), "");
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => parse(file, text),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            problem::error(&format!("{file}: no UTF-8 text from byte {at} on"), "save it as UTF-8");
            None
        }
    }
}

fn parse(file: String, text: String) -> Option<Loaded> {
    match scenario::parse(&text) {
        Ok(scenario) => Some(Loaded { file, text, scenario }),
        Err(issues) => {
            problem::issues(&file, &text, &issues.0);
            None
        }
    }
}

/// The scenario files under a path, sorted.
pub fn files_under(path: &Path, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        out.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for e in entries {
        let yaml = e.extension().is_some_and(|x| x == "yaml" || x == "yml");
        if e.is_dir() && !e.is_symlink() || yaml {
            files_under(&e, out)?;
        }
    }
    Ok(())
}

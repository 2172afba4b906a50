//! A recording: what a real kernel or engine did, as JSON.

pub mod writer;

use serde_json::Value;

/// One recording of a real kernel or engine.
pub struct Recording {
    /// The file's content.
    pub json: Value,
}

impl Recording {
    /// Made by `packetwalk record`: its steps are a scenario's.
    pub fn is_ours(&self) -> bool {
        self.json["by"] == "packetwalk"
    }
}

/// The elements of an array; none of anything else.
pub fn list(v: &Value) -> &[Value] {
    v.as_array().map_or(&[], Vec::as_slice)
}

/// The text of a string; empty for anything else.
pub fn text(v: &Value) -> &str {
    v.as_str().unwrap_or("")
}

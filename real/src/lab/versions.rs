//! What a recording was made with.

use std::process::Command;

use serde_json::{Map, Value};

/// Kernel, tools and user.
pub fn versions() -> Map<String, Value> {
    let mut out = Map::new();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    out.insert("Linux".into(), kernel.trim().into());
    for (tool, arg) in [("ip", "-V"), ("iptables", "-V")] {
        // A tool that is not there has no version.
        let Ok(said) = Command::new(tool).arg(arg).output() else { continue };
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let words = |w: &&str| w.starts_with(|c: char| c.is_ascii_digit()) || w.starts_with('v');
        if let Some(v) = text.split([' ', ',', '-']).find(words) {
            out.insert(tool.into(), v.trim().trim_start_matches('v').into());
        }
    }
    // In a user namespace of our own the map names the user outside.
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let outside = map.split_whitespace().nth(1).unwrap_or("0").to_owned();
    out.insert("uid".into(), outside.into());
    out
}

//! The table of the run, and the file of known differences.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use packetwalk_real::compare::{VERDICTS, Verdicts};

/// Whether each verdict holds, by name of the recording.
#[derive(Default)]
pub struct Table(Mutex<BTreeMap<String, [bool; 4]>>);

impl Table {
    /// Adds a line.
    pub fn add(&self, name: &str, row: [bool; 4]) {
        if let Ok(mut t) = self.0.lock() {
            t.insert(name.to_owned(), row);
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// Where nobody reads.
    pub fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Ok(t) = self.0.lock() else { return Ok(()) };
        let wide = t.keys().map(String::len).max().unwrap_or(0);
        writeln!(out, "{:wide$}  {}", "recording", VERDICTS.join("  "))?;
        let mut held = [0; 4];
        for (name, row) in t.iter() {
            write!(out, "{name:wide$}")?;
            for (i, ok) in row.iter().enumerate() {
                held[i] += usize::from(*ok);
                write!(out, "  {:w$}", if *ok { "ok" } else { "DIFFERS" }, w = VERDICTS[i].len().max(6))?;
            }
            writeln!(out)?;
        }
        let all = t.len();
        write!(out, "recordings {all}")?;
        for (name, n) in VERDICTS.iter().zip(held) {
            write!(out, " · {name} {n}/{all}")?;
        }
        writeln!(out)
    }
}

/// The differences with a reason: `recording verdict: reason`, one on a line.
#[derive(Default)]
pub struct Known(BTreeMap<(String, String), String>);

impl Known {
    /// Reads the file beside the test.
    ///
    /// # Errors
    /// Where a line is not of that form.
    pub fn read(file: &Path) -> Result<Known, String> {
        let text = std::fs::read_to_string(file).map_err(|e| format!("differences.txt: {e}"))?;
        let mut known = BTreeMap::new();
        for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
            let (what, why) = line.split_once(": ").ok_or_else(|| format!("differences.txt: no reason: {line}"))?;
            let (name, verdict) = what.split_once(' ').ok_or_else(|| format!("differences.txt: no verdict: {line}"))?;
            if !VERDICTS.contains(&verdict) || why.trim().is_empty() {
                return Err(format!("differences.txt: {line}"));
            }
            known.insert((name.to_owned(), verdict.to_owned()), why.to_owned());
        }
        Ok(Known(known))
    }

    /// The recordings it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|(n, _)| n.as_str())
    }

    /// What is wrong with a recording's verdicts: a difference without a reason, or a reason without a
    /// difference.
    pub fn judge(&self, name: &str, v: &Verdicts, shown: usize) -> Result<(), String> {
        let mut wrong = Vec::new();
        for (verdict, found) in VERDICTS.iter().zip(&v.0) {
            let reason = self.0.get(&(name.to_owned(), (*verdict).to_owned()));
            match (reason, found.is_empty()) {
                (None, true) | (Some(_), false) => {}
                (Some(r), true) => wrong
                    .push(format!("{verdict}: nothing differs any more; take the line out of differences.txt: {r}")),
                (None, false) => {
                    let first: Vec<&str> = found.iter().take(shown).map(String::as_str).collect();
                    let more = found.len().saturating_sub(shown);
                    let more = if more > 0 { format!("\n  … and {more} more") } else { String::new() };
                    wrong.push(format!("{verdict}:\n  {}{more}", first.join("\n  ")));
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

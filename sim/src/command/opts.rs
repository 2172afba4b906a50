//! Short options as `getopt(3)` reads them, for the tools that use it.

use super::Refusal;

/// One option, or a word that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opt {
    /// `-x`, with its value where it takes one.
    Flag(char, Option<String>),
    /// Anything else.
    Word(String),
}

/// Why a command line is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadOpt {
    /// The tool itself refuses it: `invalid option -- 'x'`.
    Invalid(char),
    /// `option requires an argument -- 'x'`.
    NoValue(char),
    /// The tool has it, the model has not.
    Refused(Refusal),
}

/// Reads a command line. `known` are options without, `valued` options with a value; `real` are those that the
/// tool has and the model has not. Each option comes with the number of its argument.
///
/// # Errors
/// The first word that is not understood.
pub fn getopt(argv: &[String], known: &str, valued: &str, real: &str) -> Result<Vec<(usize, Opt)>, BadOpt> {
    let mut out = Vec::new();
    let mut i = 1;
    while i < argv.len() {
        let w = &argv[i];
        if w == "--" {
            out.extend(argv.iter().enumerate().skip(i + 1).map(|(n, w)| (n, Opt::Word(w.clone()))));
            break;
        }
        if !w.starts_with('-') || w.len() < 2 {
            out.push((i, Opt::Word(w.clone())));
            i += 1;
            continue;
        }
        if w.starts_with("--") {
            return Err(BadOpt::Refused(Refusal::new(format!("{} {w}", argv[0]), i)));
        }
        let at = i;
        let chars = w.char_indices().skip(1);
        for (pos, c) in chars {
            if valued.contains(c) {
                let rest = &w[pos + c.len_utf8()..];
                let v = if rest.is_empty() {
                    i += 1;
                    argv.get(i).cloned().ok_or(BadOpt::NoValue(c))?
                } else {
                    rest.to_owned()
                };
                out.push((at, Opt::Flag(c, Some(v))));
                break;
            }
            if known.contains(c) {
                out.push((at, Opt::Flag(c, None)));
            } else if real.contains(c) {
                return Err(BadOpt::Refused(Refusal::new(format!("{} -{c}", argv[0]), at)));
            } else {
                return Err(BadOpt::Invalid(c));
            }
        }
        i += 1;
    }
    Ok(out)
}

/// A number of seconds with a fraction, as nanoseconds.
pub fn seconds(v: &str) -> Option<u64> {
    let s: f64 = v.parse().ok()?;
    (s.is_finite() && (0.0..=2_000_000.0).contains(&s)).then_some((s * 1e9).round() as u64)
}

/// Nanoseconds as milliseconds with three digits after the point.
pub fn ms3(ns: u64) -> String {
    let us = (ns + 500) / 1000;
    format!("{}.{:03}", us / 1000, us % 1000)
}

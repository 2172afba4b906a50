//! `ip -batch FILE`: a command a line (`do_batch`, `getcmdline`, `makeargs` of lib/utils.c).

use super::args::{Args, Bad};
use super::{Globals, carry_out};
use crate::command::Proc;

/// Carries out the lines of a file, or of the standard input. The first that fails ends it, unless it is `-force`.
///
/// # Errors
/// Where a line makes the tool exit on the spot, and what the model lacks.
pub fn run(p: &mut Proc<'_>, g: &Globals, file: &str) -> Result<i32, Bad> {
    let text = match file {
        "-" => std::mem::take(&mut p.stdin),
        f => p.read(f).map_err(|e| Bad::Say(format!("Cannot open file \"{f}\" for reading: {}\n", e.strerror()), 1))?,
    };
    let mut code = 0;
    for (number, line) in lines(&text) {
        let mut argv = vec!["ip".to_owned()];
        argv.extend(words(&line));
        if argv.len() == 1 {
            continue;
        }
        let failed = match carry_out(p, g, &mut Args::new(&argv)) {
            Ok(code) => code != 0,
            Err(bad) if bad.exits() => return Err(bad),
            Err(bad) => bad.tell(p).map_err(Bad::Refused)? != 0,
        };
        if failed {
            p.err.push_str(&format!("Command failed {file}:{number}\n"));
            code = 1;
            if !g.force {
                break;
            }
        }
    }
    Ok(code)
}

/// Lines without their comments, those that a backslash continues in one, each with the number of its last.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let mut begun = String::new();
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        begun.push_str(line.trim_end_matches('\n'));
        if line.ends_with("\\\n") {
            begun.pop();
            continue;
        }
        all.push((i + 1, std::mem::take(&mut begun)));
    }
    if !begun.is_empty() {
        all.push((text.lines().count(), begun));
    }
    all
}

/// Words of a line: quotes of either kind hold a word together.
fn words(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            q @ ('"' | '\'') => rest[1..].split_once(q).unwrap_or((&rest[1..], "")),
            _ => rest.split_at(rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len())),
        };
        all.push(word.to_owned());
        rest = after.trim_start();
    }
    all
}

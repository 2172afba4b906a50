//! What `SYSTEM:` and `EXEC:` run: lines of tools that take no time, read nothing of what comes, and change nothing.

use super::super::{Refusal, reads_stdin};
use crate::app::socat::Address;
use crate::shell::ast::{Command, CommandKind, Piece, Script, Word};
use crate::shell::{check, parse};

/// Tools that only say something.
const SAY: &[&str] =
    &["echo", "printf", "hostname", "date", "true", "false", ":", "id", "whoami", "uname", "seq", "env", "basename"];

/// Reads a line; `exec` where no shell sees it, only words.
pub(super) fn read(text: &str, exec: bool, arg: usize) -> Result<Address, Refusal> {
    if text.split_whitespace().eq(["cat"]) {
        // What comes goes back as it comes.
        return Ok(Address::Pipe);
    }
    let line = match exec {
        true => {
            text.split_whitespace().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ")
        }
        false => text.to_owned(),
    };
    let refused = |what: String| Refusal::new(format!("socat with a command: {what}"), arg);
    let problem = check::check_line(&line).into_iter().next();
    if let Some(p) = problem {
        return Err(refused(p.what.strip_prefix("not modelled: ").unwrap_or(&p.what).to_owned()));
    }
    let script = parse::parse(&line).map_err(|_| refused("syntax error".to_owned()))?;
    quiet(&script).map_err(refused)?;
    Ok(Address::Run(line))
}

/// Nothing in it waits, reads what comes, or has an effect.
fn quiet(s: &Script) -> Result<(), String> {
    for a in &s.0 {
        if a.background {
            return Err("&".to_owned());
        }
        for p in std::iter::once(&a.first).chain(a.rest.iter().map(|r| &r.1)) {
            for (i, c) in p.commands.iter().enumerate() {
                command(c, i > 0)?;
            }
        }
    }
    Ok(())
}

fn command(c: &Command, fed: bool) -> Result<(), String> {
    match &c.kind {
        CommandKind::Group(s) | CommandKind::Subshell(s) => quiet(s),
        CommandKind::Simple { assigns, words } => {
            for w in assigns.iter().map(|a| &a.1).chain(words) {
                pieces(&w.pieces)?;
            }
            let Some(name) = words.first() else { return Ok(()) };
            let tool = name.literal().ok_or("a tool that is not written out")?;
            let base = check::tool_name(&tool).to_owned();
            let text_tool = reads_stdin(std::slice::from_ref(&base))
                && !matches!(base.as_str(), "sh" | "bash" | "nc" | "xargs" | "tee" | "socat")
                && !base.contains("iptables");
            let has_input = fed || (base == "cat" && words.len() > 1 && words[1..].iter().all(file));
            match SAY.contains(&base.as_str()) || (text_tool && has_input) {
                true => Ok(()),
                false => Err(tool),
            }
        }
        _ => Err("more than tools and pipes".to_owned()),
    }
}

/// The name of a file, and not standard input.
fn file(w: &Word) -> bool {
    w.literal().is_some_and(|t| !t.starts_with('-'))
}

fn pieces(all: &[Piece]) -> Result<(), String> {
    all.iter().try_for_each(|p| match p {
        Piece::Double(ps) => pieces(ps),
        Piece::Subst(s) => quiet(s),
        _ => Ok(()),
    })
}

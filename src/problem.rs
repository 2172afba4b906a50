//! Problems as people see them: file, line, column, the line itself, and a remedy.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceSpan};
use packetwalk_sim::scenario::{At, Issue};
use std::cell::RefCell;
use std::io::{IsTerminal, Write};

/// A problem at a place of a file.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Problem {
    what: String,
    help: String,
    source_code: NamedSource<String>,
    span: SourceSpan,
}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(&self.help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source_code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some("here".into()), self.span))))
    }
}

/// Keeps a panic short: it is our own bug, and says so.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        error(&format!("packetwalk has a bug, please report it: {info}"), "");
    }));
}

fn handler() -> GraphicalReportHandler {
    let term = std::io::stderr().is_terminal();
    let plain = !term || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let theme = if plain { GraphicalTheme::unicode_nocolor() } else { GraphicalTheme::unicode() };
    GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100)
}

/// A problem that was kept instead of printed.
#[derive(Clone, Debug)]
pub struct Kept {
    /// File and place, where it is at one.
    pub at: Option<(String, At)>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

thread_local! {
    /// Problems of this thread are kept here while somebody wants them: what is printed, and each by itself.
    static KEPT: RefCell<Option<(String, Vec<Kept>)>> = const { RefCell::new(None) };
}

/// Does something, and keeps what it would have printed: the text, and each problem by itself.
pub fn keep<T>(f: impl FnOnce() -> T) -> (T, String, Vec<Kept>) {
    KEPT.set(Some(Default::default()));
    let done = f();
    let (text, list) = KEPT.take().unwrap_or_default();
    (done, text, list)
}

fn note(at: Option<(&str, At)>, what: &str, help: &str) {
    KEPT.with_borrow_mut(|k| {
        if let Some((_, list)) = k {
            let at = at.map(|(f, a)| (f.to_owned(), a));
            list.push(Kept { at, what: what.to_owned(), help: help.to_owned() });
        }
    });
}

fn write(text: &str) {
    let kept = KEPT.with_borrow_mut(|k| k.as_mut().map(|(t, _)| t.push_str(text)).is_some());
    if kept {
        return;
    }
    // Where standard error is gone there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints an error that is at no place of a file.
pub fn error(what: &str, help: &str) {
    note(None, what, help);
    let help = if help.is_empty() { String::new() } else { format!("  help: {help}\n") };
    write(&format!("error: {what}\n{help}"));
}

/// Prints a problem of a file, first in one line that editors and CI can read, then with the line itself.
pub fn at(file: &str, text: &str, at: At, what: &str, help: &str) {
    note(Some((file, at)), what, help);
    write(&format!("{file}:{}:{}: {what}\n", at.line, at.column));
    let line = text.split_inclusive('\n').nth(at.line.saturating_sub(1)).unwrap_or("").trim_end();
    if line.len() > 400 || line.is_empty() {
        if !help.is_empty() {
            write(&format!("  help: {help}\n"));
        }
        return;
    }
    let start: usize = text.split_inclusive('\n').take(at.line.saturating_sub(1)).map(str::len).sum();
    let col: usize = line.chars().take(at.column.saturating_sub(1)).map(char::len_utf8).sum();
    let rest = &line[col.min(line.len())..];
    let len = rest.find(char::is_whitespace).unwrap_or(rest.len()).max(1).min(text.len().saturating_sub(start + col));
    let problem = Problem {
        what: what.to_owned(),
        help: help.to_owned(),
        source_code: NamedSource::new(file, text.to_owned()),
        span: (start + col.min(line.len()), len).into(),
    };
    let mut shown = String::new();
    if handler().render_report(&mut shown, &problem).is_ok() {
        write(&shown);
    }
}

/// Prints what was kept.
pub fn print(text: &str) {
    write(text);
}

/// Prints every problem of a scenario file.
pub fn issues(file: &str, text: &str, issues: &[Issue]) {
    for i in issues {
        at(file, text, At { line: i.line, column: i.column }, &i.what, &i.help);
    }
    let s = if issues.len() == 1 { "" } else { "s" };
    write(&format!("{file}: {} problem{s}\n", issues.len()));
}

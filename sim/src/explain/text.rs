//! An answer for people, at 80 columns.

use std::fmt::Write;

use super::{Cause, Fix, Why};

/// Where the second column begins.
const COLUMN: usize = 11;
/// Width in columns on a terminal and in a pipe.
pub const WIDTH: usize = 80;
/// How many connections are named.
const NAMED: usize = 4;

/// The answer as text.
pub fn text(w: &Why) -> String {
    wide(w, WIDTH)
}

/// The answer as text of another width.
pub fn wide(w: &Why, width: usize) -> String {
    let mut out = Page { text: String::new(), width };
    let sign = if w.probe { ">" } else { "$" };
    let head = if w.step == 0 { "probe".to_owned() } else { format!("step {}", w.step) };
    out.row(&head, &format!("{}{sign} {}", w.place, w.command));
    let outcome = w.outcome.map_or("nothing", |o| o.as_str());
    out.row("outcome", outcome);
    if w.blockers.is_empty() {
        out.gap();
        out.row("", "It works: there is nothing to explain.");
        return out.text;
    }
    for (i, b) in w.blockers.iter().enumerate() {
        out.gap();
        let head = if i == 0 { "cause" } else { "behind it" };
        out.row(head, &format!("{} at {}", b.cause.code(), b.at));
        out.row("", &sentence(&b.says, &b.at));
        for (j, e) in b.evidence.iter().enumerate() {
            out.row(if j == 0 { "evidence" } else { "" }, &e.what);
            if let Some(l) = &e.show {
                // A command is never wrapped: it is to be copied.
                out.line("", &format!("  {l}"));
            }
        }
    }
    out.gap();
    fixes(&mut out, w);
    out.text
}

fn fixes(out: &mut Page, w: &Why) {
    if w.fixes.is_empty() {
        let all = |c: Cause| w.blockers.iter().all(|b| b.cause == c);
        let text = match w.tried {
            _ if all(Cause::Unmodelled) => "none: the model cannot tell what the kernel would do".to_owned(),
            _ if all(Cause::ProgramSilent) => "none: no change of the network makes a program answer".to_owned(),
            0 => "none is known for this cause in this world".to_owned(),
            1 => "none: one change was tried, and with it the probe does not work".to_owned(),
            n => format!("none: {n} changes were tried, and with none of them the probe works"),
        };
        out.row("fix", &text);
        return;
    }
    for (i, f) in w.fixes.iter().enumerate() {
        let head = if i == 0 { "fix" } else { "or" };
        for (j, l) in f.lines.iter().enumerate() {
            out.line(if j == 0 { head } else { "" }, &l.to_string());
        }
        for remark in remarks(f) {
            out.row("", &remark);
        }
        out.row("", &proof(f));
    }
}

/// What is to be known of a line that is not typed as it stands.
fn remarks(f: &Fix) -> Vec<String> {
    let mut all = Vec::new();
    if f.has_stand_in() {
        all.push("(serve is packetwalk's own: it stands for the program that should listen there)".to_owned());
    }
    if let Some(s) = f.lines.iter().find_map(|l| l.command.strip_prefix("sleep ")) {
        all.push(format!("(it takes up to {s} seconds until the nodes have heard of each other again)"));
    }
    all
}

fn proof(f: &Fix) -> String {
    let list = |all: &[String]| {
        let more = all.len().saturating_sub(NAMED);
        let tail = if more > 0 { format!(", and {more} more") } else { String::new() };
        format!("{}{tail}", all.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; "))
    };
    let opens = match f.opens.as_slice() {
        [] => format!("of {} other connections it opens none", f.tried),
        all => format!("it also opens, of {} others tried: {}", f.tried, list(all)),
    };
    let closes = if f.closes.is_empty() { String::new() } else { format!("; it closes: {}", list(&f.closes)) };
    format!("(tried: with it the probe gets a reply; {opens}{closes})")
}

/// A sentence begins with a great letter, but for the name of a place or a device.
fn sentence(text: &str, at: &str) -> String {
    let first = text.split([' ', ':']).next().unwrap_or_default();
    let name = first.contains('/') || first.contains(|c: char| c.is_ascii_digit()) || at.split('/').any(|n| n == first);
    let mut c = text.chars();
    let head = c.next().map(|x| if name { x.to_string() } else { x.to_uppercase().to_string() });
    format!("{}{}.", head.unwrap_or_default(), c.as_str())
}

/// Two columns: heads, and what is said of them.
struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn gap(&mut self) {
        self.text.push('\n');
    }

    /// As it is, however long.
    fn line(&mut self, head: &str, text: &str) {
        let _ = writeln!(self.text, "{head:COLUMN$}{text}");
    }

    fn row(&mut self, head: &str, text: &str) {
        let initial = format!("{head:COLUMN$}");
        let next = " ".repeat(COLUMN);
        let o = textwrap::Options::new(self.width).initial_indent(&initial).subsequent_indent(&next).break_words(false);
        let _ = writeln!(self.text, "{}", textwrap::fill(text, o).trim_end());
    }
}

//! An answer for people, at 80 columns.

use std::fmt::Write;

use super::{Cause, Fix, Why};

/// Where the second column begins.
const COLUMN: usize = 11;
/// Width in columns.
const WIDTH: usize = 80;
/// How many connections are named.
const NAMED: usize = 4;

/// The answer as text.
pub fn text(w: &Why) -> String {
    let mut out = String::new();
    let sign = if w.probe { ">" } else { "$" };
    let head = if w.step == 0 { String::new() } else { format!("step {}", w.step) };
    row(&mut out, &head, &format!("{}{sign} {}", w.place, w.command));
    let outcome = w.outcome.map_or("nothing", |o| o.as_str());
    row(&mut out, "outcome", outcome);
    if w.blockers.is_empty() {
        out.push('\n');
        row(&mut out, "", "It works: there is nothing to explain.");
        return out;
    }
    for (i, b) in w.blockers.iter().enumerate() {
        out.push('\n');
        let head = if i == 0 { "cause" } else { "behind it" };
        row(&mut out, head, &format!("{} at {}", b.cause.code(), b.at));
        row(&mut out, "", &sentence(&b.says, &b.at));
        for (j, e) in b.evidence.iter().enumerate() {
            row(&mut out, if j == 0 { "evidence" } else { "" }, &e.what);
            if let Some(l) = &e.show {
                // A command is never wrapped: it is to be copied.
                let _ = writeln!(out, "{:COLUMN$}  {l}", "");
            }
        }
    }
    out.push('\n');
    fixes(&mut out, w);
    out
}

fn fixes(out: &mut String, w: &Why) {
    if w.fixes.is_empty() {
        let told = w.blockers.iter().all(|b| b.cause == Cause::Unmodelled);
        let text = match w.tried {
            _ if told => "none: the model cannot tell what the kernel would do".to_owned(),
            0 => "none is known for this cause in this world".to_owned(),
            n => format!("none: {n} changes were tried, and with none of them the probe works"),
        };
        row(out, "fix", &text);
        return;
    }
    for (i, f) in w.fixes.iter().enumerate() {
        let head = if i == 0 { "fix" } else { "or" };
        for (j, l) in f.lines.iter().enumerate() {
            let _ = writeln!(out, "{:COLUMN$}{l}", if j == 0 { head } else { "" });
        }
        row(out, "", &proof(f));
    }
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

fn row(out: &mut String, head: &str, text: &str) {
    let initial = format!("{head:COLUMN$}");
    let next = " ".repeat(COLUMN);
    let o = textwrap::Options::new(WIDTH).initial_indent(&initial).subsequent_indent(&next).break_words(false);
    let _ = writeln!(out, "{}", textwrap::fill(text, o).trim_end());
}

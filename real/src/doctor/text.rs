//! The report for people, at 80 columns.

use std::fmt::Write;

use super::{Check, Group, Report};

const WIDTH: usize = 80;
/// Where the second column begins.
const COLUMN: usize = 36;

/// The report as text.
#[must_use]
pub fn text(r: &Report) -> String {
    let mut out = format!("{}, {}\n", r.kernel, if r.root { "root" } else { "not root" });
    let mut last: Option<Group> = None;
    for c in &r.checks {
        if last != Some(c.group) {
            let _ = write!(out, "\n{}\n", title(c.group));
            last = Some(c.group);
        }
        check(&mut out, c);
    }
    let missing = r.checks.iter().filter(|c| !c.ok).count();
    let total = r.checks.len();
    let _ = match missing {
        0 => write!(out, "\n{total} of {total} are there: everything can be compared.\n"),
        n => write!(out, "\n{n} of {total} are missing: what they cost is not compared.\n"),
    };
    out
}

fn title(g: Group) -> &'static str {
    match g {
        Group::Namespaces => "Namespaces",
        Group::Devices => "Devices",
        Group::Netfilter => "Netfilter",
        Group::Tools => "Tools",
        Group::Watching => "Watching",
    }
}

fn check(out: &mut String, c: &Check) {
    let mark = if c.ok { "ok " } else { "-- " };
    if c.detail.is_empty() {
        let _ = writeln!(out, "  {mark} {}", c.what);
    } else {
        let room = COLUMN - 6;
        wrap(out, &format!("  {mark} {:<room$}", c.what), &c.detail);
    }
    if !c.ok {
        wrap(out, "        costs   ", &c.costs);
        wrap(out, "        remedy  ", &c.remedy);
    }
}

/// Words behind a head, further lines below the first word.
fn wrap(out: &mut String, head: &str, words: &str) {
    let indent = " ".repeat(head.chars().count());
    let options = textwrap::Options::new(WIDTH).initial_indent(head).subsequent_indent(&indent).break_words(false);
    let _ = writeln!(out, "{}", textwrap::fill(words, options));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighty_columns() {
        let check = |ok, what: &str, detail: &str| Check {
            group: Group::Devices,
            what: what.into(),
            ok,
            detail: detail.into(),
            costs: "scenarios with overlay networks or tunnels, and a few more words to fill the line up".into(),
            remedy: if ok { String::new() } else { "modprobe vxlan".into() },
        };
        let checks = vec![check(true, "veth", ""), check(false, "vxlan", "Operation not supported (EOPNOTSUPP)")];
        let text = text(&Report { kernel: "Linux 6.18.44".into(), root: true, checks });
        assert_eq!(
            text,
            "Linux 6.18.44, root\n\nDevices\n  ok  veth\n  \
             --  vxlan                         Operation not supported (EOPNOTSUPP)\n        \
             costs   scenarios with overlay networks or tunnels, and a few more words\n                \
             to fill the line up\n        remedy  modprobe vxlan\n\n\
             1 of 2 are missing: what they cost is not compared.\n"
        );
        assert!(text.lines().all(|l| l.chars().count() <= WIDTH));
    }
}

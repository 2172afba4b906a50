//! Changes of tables as `iptables-restore` takes them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use packetwalk_sim::command::iptables::rule_spec;
use packetwalk_sim::kernel::xtables::{Policy, TableKind, Variant, XtChange};

use super::apply::Failed;

/// The lines of a batch, tables in the order they come.
pub fn lines(batch: &[XtChange]) -> String {
    let mut out = String::new();
    let mut table: Option<TableKind> = None;
    for c in batch {
        if table != Some(c.table()) {
            if table.is_some() {
                out.push_str("COMMIT\n");
            }
            table = Some(c.table());
            let _ = writeln!(out, "*{}", c.table().name());
        }
        line(c, &mut out);
    }
    if table.is_some() {
        out.push_str("COMMIT\n");
    }
    out
}

fn line(c: &XtChange, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match c {
        XtChange::Use { .. } | XtChange::Reset { .. } => Ok(()),
        XtChange::NewChain { chain, .. } => writeln!(out, "-N {chain}"),
        XtChange::DelChain { chain, .. } => writeln!(out, "-X {chain}"),
        XtChange::RenameChain { from, to, .. } => writeln!(out, "-E {from} {to}"),
        XtChange::FlushChain { chain, .. } => writeln!(out, "-F {chain}"),
        XtChange::Policy { chain, policy, .. } => writeln!(out, "-P {chain} {}", word(*policy)),
        XtChange::Append { chain, rule, .. } => writeln!(out, "-A {chain}{}", spec(rule)),
        XtChange::Insert { chain, at, rule, .. } => writeln!(out, "-I {chain} {}{}", at + 1, spec(rule)),
        XtChange::Replace { chain, at, rule, .. } => writeln!(out, "-R {chain} {}{}", at + 1, spec(rule)),
        XtChange::Delete { chain, at, .. } => writeln!(out, "-D {chain} {}", at + 1),
        XtChange::Zero { chain, rule: None, .. } => writeln!(out, "-Z {chain}"),
        XtChange::Zero { chain, rule: Some(n), .. } => writeln!(out, "-Z {chain} {}", n + 1),
    };
}

fn word(p: Policy) -> &'static str {
    match p {
        Policy::Accept => "ACCEPT",
        Policy::Drop => "DROP",
    }
}

fn spec(rule: &packetwalk_sim::kernel::xtables::Rule) -> String {
    let text = rule_spec(rule);
    if text.is_empty() || text.starts_with(' ') { text } else { format!(" {text}") }
}

/// Gives a batch to the real tool, in this thread's namespace.
///
/// # Errors
/// What the tool says.
pub fn restore(variant: Variant, batch: &[XtChange]) -> Result<(), Failed> {
    let tool = match variant {
        Variant::Nft => "iptables-nft-restore",
        Variant::Legacy => "iptables-legacy-restore",
    };
    give(tool, &lines(batch))
}

/// Has the real tool make tables of IPv6, in this thread's namespace.
///
/// # Errors
/// What the tool says.
pub fn restore_v6(tables: &[TableKind]) -> Result<(), Failed> {
    // A table without a line is not made.
    let chain = |t: &TableKind| t.hooks().first().map_or("", |h| h.name());
    let text: String = tables.iter().map(|t| format!("*{}\n-P {} ACCEPT\nCOMMIT\n", t.name(), chain(t))).collect();
    give("ip6tables-nft-restore", &text)
}

fn give(tool: &str, text: &str) -> Result<(), Failed> {
    let mut child = Command::new(tool)
        .arg("-n")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Failed::Other(format!("{tool}: {e}; install the Debian package iptables")))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let done = child.wait_with_output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(Failed::Other(format!("{tool}: {}\n{text}", String::from_utf8_lossy(&done.stderr).trim())))
}

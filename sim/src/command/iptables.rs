//! `iptables` 1.8.9, as Debian 12 has it: `iptables` and `iptables-nft` write to nf_tables, `iptables-legacy` to
//! ip_tables; each with `-save` and `-restore`.
//!
//! In reading order: [`getopt`] (words), [`parse`] (a command and a rule), [`ext`] (matches and targets),
//! [`native`] (what nf_tables makes of a rule), [`mod@run`] (commands become changes), [`mod@print`] and [`list`] (what is
//! printed), [`restore`] and [`mod@save`] (dumps).

pub mod addr;
pub mod ext;
pub mod fail;
pub mod getopt;
pub mod iface;
pub mod list;
pub mod names;
pub mod native;
pub mod number;
pub mod parse;
pub mod print;
pub mod restore;
pub mod run;
pub mod save;
pub mod usage;

use fail::{Fail, Who};
use run::{Run, Stop, nft};

use super::{Exit, Proc, Refusal};
use crate::kernel::types::Errno;
use crate::kernel::xtables::{Draft, Rule, TableKind, Tables, Variant, XtChange};

/// Names of the tools.
pub const TOOLS: [&str; 9] = [
    "iptables",
    "iptables-legacy",
    "iptables-legacy-restore",
    "iptables-legacy-save",
    "iptables-nft",
    "iptables-nft-restore",
    "iptables-nft-save",
    "iptables-restore",
    "iptables-save",
];

/// Runs one of the tools.
///
/// # Errors
/// What the model has not.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    let name = argv[0].rsplit('/').next().unwrap_or("iptables");
    let variant = if name.contains("-legacy") { Variant::Legacy } else { Variant::Nft };
    if name.starts_with("ip6tables") {
        return Err(Refusal::new(name, 0));
    }
    if name.ends_with("-save") {
        save::run(p, argv, variant)
    } else if name.ends_with("-restore") {
        restore::run(p, argv, variant)
    } else {
        command(p, argv, variant)
    }
}

/// Everything of a rule after `-A CHAIN`, as `iptables-save` prints it.
pub fn rule_spec(rule: &Rule) -> String {
    print::spec(rule, None).trim_start().to_owned()
}

/// A dump as `iptables-save` prints it, without the comments around each table; of one table, or of all that exist.
pub fn save(tables: &Tables, variant: Variant, counters: bool, only: Option<TableKind>) -> String {
    let kinds = only.map_or_else(|| list::order(tables, variant), |k| vec![k]);
    kinds.into_iter().map(|k| list::save_table(tables.get(k), k, counters)).collect()
}

/// Reads a rule as it stands after `-A CHAIN`; several where `-s` or `-d` give several addresses. Whether the chain
/// that it jumps to exists is not asked.
///
/// # Errors
/// What the tool says of the first word that is wrong.
pub fn parse_rule(variant: Variant, words: &[String]) -> Result<Vec<Rule>, Fail> {
    let mut argv: Vec<String> = ["iptables", "-A", "X"].map(str::to_owned).to_vec();
    argv.extend_from_slice(words);
    let who = Who { name: "iptables".to_owned(), variant, release: RELEASE };
    let cmd = parse::parse(&who, &argv, false).map_err(|(f, _)| f)?;
    match variant {
        Variant::Nft => nft::rules(&cmd),
        Variant::Legacy => Ok(cmd.rules()),
    }
}

/// The release that hosts have unless told otherwise.
pub const RELEASE: &str = "1.8.9";

/// What `iptables` says where it refuses a command that changes rules, and its status; none where it does not.
pub fn refused(tables: &Tables, argv: &[String]) -> Option<(String, i32)> {
    let who = Who { name: "iptables".to_owned(), variant: Variant::Nft, release: RELEASE };
    let tried = || -> Result<(), Stop> {
        let cmd = parse::parse(&who, argv, false).map_err(|(f, _)| f)?;
        let (kind, rules) = (nft::table(&cmd)?, nft::rules(&cmd)?);
        let (mut draft, mut out) = (Draft::new(tables, Variant::Nft), String::new());
        Run { draft: &mut draft, cmd: &cmd, kind, out: &mut out }.nft(&rules)
    };
    match tried() {
        Ok(()) => None,
        Err(Stop::Fail(f)) => Some(f.show(&who, None)),
        Err(Stop::Said(text, _)) => Some((format!("iptables: {text}.\n"), 1)),
    }
}

/// Writes down how a command failed, and gives its status.
fn fail(p: &mut Proc<'_>, who: &Who, f: &Fail) -> Exit {
    if let Fail::Refused(r) = f {
        return Err(r.clone());
    }
    let (text, status) = f.show(who, None);
    p.err.push_str(&text);
    Ok(status)
}

/// `iptables: TEXT.`
fn said(p: &mut Proc<'_>, text: &str, e: Errno) -> Exit {
    let more = if e == Errno::EINVAL { " Run `dmesg' for more information." } else { "" };
    p.err.push_str(&format!("iptables: {text}.{more}\n"));
    Ok(1)
}

/// The tables of ip_tables come to be when somebody asks for them.
fn touch(p: &mut Proc<'_>, variant: Variant, kind: TableKind) {
    if variant == Variant::Legacy && p.sess.kernel.ns(p.ns).nf.xt.of(variant).get(kind).is_none() {
        // Making a table cannot fail.
        let _ = p.sess.kernel.xt_commit(p.ns, variant, &[XtChange::Use { table: kind }]);
    }
}

/// iptables-nft tells of tables that it does not show.
fn warn_of_legacy(p: &mut Proc<'_>, tool: &str) {
    let there = !p.sess.kernel.ns(p.ns).nf.xt.of(Variant::Legacy).order.is_empty();
    if there {
        let text = format!("# Warning: iptables-legacy tables present, use iptables-legacy{tool} to see them\n");
        p.err.push_str(&text);
    }
}

/// `iptables` itself: one command.
fn command(p: &mut Proc<'_>, argv: &[String], variant: Variant) -> Exit {
    let who = Who { name: "iptables".to_owned(), variant, release: p.sess.iptables };
    let cmd = match parse::parse(&who, argv, false) {
        Ok(c) => c,
        Err((f, before)) => {
            p.err.push_str(&before);
            return fail(p, &who, &f);
        }
    };
    p.err.push_str(&cmd.said);
    if let Some(text) = &cmd.done {
        p.out.push_str(text);
        return Ok(0);
    }
    let found = if variant == Variant::Nft { nft::table(&cmd) } else { run::legacy::table(&cmd) };
    let kind = match found {
        Ok(k) => k,
        Err(f) => return fail(p, &who, &f),
    };
    touch(p, variant, kind);
    let mut draft = Draft::new(p.sess.kernel.ns(p.ns).nf.xt.of(variant), variant);
    let mut out = String::new();
    let mut at_work = Run { draft: &mut draft, cmd: &cmd, kind, out: &mut out };
    let done = match variant {
        Variant::Nft => nft::rules(&cmd).map_err(Stop::Fail).and_then(|rules| at_work.nft(&rules)),
        Variant::Legacy => at_work.legacy(),
    };
    p.out.push_str(&out);
    let listed = cmd.command & (parse::cmd::LIST | parse::cmd::LIST_RULES) != 0;
    if variant == Variant::Nft && listed {
        warn_of_legacy(p, "");
    }
    match done {
        Ok(()) => commit(p, &who, &draft.changes),
        Err(Stop::Fail(f)) => fail(p, &who, &f),
        Err(Stop::Said(text, e)) => said(p, &text, e),
    }
}

fn commit(p: &mut Proc<'_>, who: &Who, changes: &[XtChange]) -> Exit {
    if changes.is_empty() {
        return Ok(0);
    }
    let Err(e) = p.sess.kernel.xt_commit(p.ns, who.variant, changes) else { return Ok(0) };
    match who.variant {
        Variant::Nft => {
            let text = changes.get(e.at).map_or_else(String::new, |c| nft::refused(c, e.errno));
            fail(p, who, &Fail::Error { status: 4, text: format!(" {text}") })
        }
        Variant::Legacy => match run::plain(e.errno) {
            Stop::Said(text, e) => said(p, &text, e),
            Stop::Fail(f) => fail(p, who, &f),
        },
    }
}

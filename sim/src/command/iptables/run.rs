//! Carries a command out: on a draft of the tables, which becomes a batch for the kernel.

pub mod legacy;
pub mod nft;

use std::sync::Arc;

use super::fail::Fail;
use super::parse::{Cmd, opt};
use super::print::Format;
use super::{list, print};
use crate::kernel::types::Errno;
use crate::kernel::xtables::{Chain, Counters, Draft, Rule, TableKind, XtChange};

/// Why a command ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The tool is not content.
    Fail(Fail),
    /// A sentence after the tool's name, status 1; the errno behind it.
    Said(String, Errno),
}

impl From<Fail> for Stop {
    fn from(f: Fail) -> Self {
        Stop::Fail(f)
    }
}

/// `iptables: …` for an errno that has no better words.
pub fn plain(e: Errno) -> Stop {
    let text = match e {
        Errno::ENOENT => "No chain/target/match by that name",
        other => other.strerror(),
    };
    Stop::Said(text.to_owned(), e)
}

/// A sentence of the tool for an errno.
pub fn said(text: &str, e: Errno) -> Stop {
    Stop::Said(text.to_owned(), e)
}

/// A command at work.
pub struct Run<'r> {
    /// The tables, as they will be.
    pub draft: &'r mut Draft,
    /// The command.
    pub cmd: &'r Cmd,
    /// Its table.
    pub kind: TableKind,
    /// Standard output.
    pub out: &'r mut String,
}

impl Run<'_> {
    /// The chain that the command names, as a name to be shared.
    fn name(&self) -> Arc<str> {
        Arc::from(self.cmd.chain.as_deref().unwrap_or(""))
    }

    /// A chain that exists.
    fn find(&self, name: &str) -> Option<&Chain> {
        let t = self.draft.tables().get(self.kind)?;
        t.chains[t.find(name)?].as_deref()
    }

    /// The name is one of the table's base chains, whether it exists or not.
    fn is_base(&self, name: &str) -> bool {
        self.kind.hooks().iter().any(|h| h.name() == name)
    }

    /// Chains of the table that exist, base chains first.
    fn names(&self, sorted: bool) -> Vec<(Arc<str>, bool)> {
        let Some(t) = self.draft.tables().get(self.kind) else { return Vec::new() };
        let base = self.kind.hooks().iter().filter_map(|h| t.chains[t.base[*h as usize]? as usize].as_deref());
        let mut out: Vec<_> = base.map(|c| (c.name.clone(), true)).collect();
        let mut user: Vec<_> = t.chains().filter(|c| c.hook.is_none()).map(|c| (c.name.clone(), false)).collect();
        if sorted {
            user.sort();
        }
        out.extend(user);
        out
    }

    fn verbose(&self) -> bool {
        self.cmd.has(opt::VERBOSE)
    }

    /// Tells of a rule that is changed (`-v`).
    fn tell(&mut self, rule: &Rule) {
        if self.verbose() {
            let f = Format { counts: true, numeric: true, single: true, ..Format::default() };
            self.out.push_str(&print::row(rule, 0, Counters::default(), f));
        }
    }

    fn push(&mut self, change: XtChange) -> Result<(), Stop> {
        self.draft.push(change).map_err(plain)
    }

    fn list(&mut self) {
        let c = self.cmd;
        let f = Format {
            counts: c.has(opt::VERBOSE),
            numeric: c.has(opt::NUMERIC),
            exact: c.has(opt::EXPANDED),
            line_numbers: c.has(opt::LINE_NUMBERS),
            protocols: self.draft.tables().counting,
            single: false,
        };
        let table = self.draft.tables().get(self.kind);
        self.out.push_str(&list::list(table, self.kind, c.chain.as_deref(), c.rulenum, f));
    }

    fn list_rules(&mut self) {
        let (table, c) = (self.draft.tables().get(self.kind), self.cmd);
        let text = list::rules(table, self.kind, c.chain.as_deref(), c.rulenum, c.has(opt::VERBOSE));
        self.out.push_str(&text);
    }
}

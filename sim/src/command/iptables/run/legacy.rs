//! Commands of iptables-legacy (`do_command4` of iptables.c and libiptc).

use std::sync::Arc;

use super::super::fail::Fail;
use super::super::parse::{Cmd, cmd, opt};
use super::{Run, Stop, plain, said};
use crate::command::Refusal;
use crate::kernel::types::Errno;
use crate::kernel::xtables::{Policy, Rule, TableKind, XtChange};

const NO_RULE: &str = "Bad rule (does a matching rule exist in that chain?)";

/// The table of a command.
///
/// # Errors
/// There is none of that name.
pub fn table(c: &Cmd) -> Result<TableKind, Fail> {
    TableKind::by_name(&c.table).ok_or_else(|| {
        let why = "Table does not exist (do you need to insmod?)";
        let text = format!("can't initialize iptables table `{}': {why}", c.table);
        Fail::Error { status: 3, text }
    })
}

impl Run<'_> {
    /// Carries out a command of iptables-legacy.
    ///
    /// # Errors
    /// As the tool ends.
    pub fn legacy(&mut self) -> Result<(), Stop> {
        let (c, table) = (self.cmd, self.kind);
        let chain = self.name();
        if c.verbose > 1 {
            // It prints the table as the kernel holds it, byte by byte.
            return Err(Fail::Refused(Refusal::new("iptables-legacy -vv", 0)).into());
        }
        if c.command & cmd::WITH_RULE != 0 {
            self.legacy_target()?;
        }
        match c.command {
            cmd::APPEND => c.rules().iter().try_for_each(|r| {
                self.tell(r);
                self.push(XtChange::Append { table, chain: chain.clone(), rule: r.clone(), counters: c.counters })
            }),
            cmd::INSERT => c.rules().iter().try_for_each(|r| self.legacy_insert(r)),
            cmd::REPLACE => c.rules().iter().take(1).try_for_each(|r| self.legacy_replace(r)),
            cmd::DELETE | cmd::CHECK => c.rules().iter().try_for_each(|r| self.legacy_delete(r)),
            cmd::DELETE_NUM => {
                let n = self.find(&chain).ok_or_else(|| plain(Errno::ENOENT))?.rules.len();
                if c.rulenum > n {
                    return Err(said("Index of deletion too big", Errno::E2BIG));
                }
                self.push(XtChange::Delete { table, chain, at: c.rulenum - 1 })
            }
            cmd::FLUSH => self.each("Flushing", |chain| XtChange::FlushChain { table, chain }),
            cmd::ZERO => self.each("Zeroing", |chain| XtChange::Zero { table, chain, rule: None }),
            cmd::ZERO_NUM => self.legacy_zero_rule(),
            cmd::NEW_CHAIN => {
                if self.find(&chain).is_some() {
                    return Err(said("Chain already exists", Errno::EEXIST));
                }
                self.push(XtChange::NewChain { table, chain })
            }
            cmd::DELETE_CHAIN => self.legacy_delete_chain(),
            cmd::POLICY => self.legacy_policy(),
            cmd::RENAME => self.legacy_rename(),
            list => self.legacy_list(list),
        }
    }

    /// What `-j` names is an extension, or a chain.
    fn legacy_target(&self) -> Result<(), Stop> {
        let to = &self.cmd.jumpto;
        if self.cmd.extension || to.is_empty() || self.find(to).is_some() {
            return Ok(());
        }
        let text = match self.cmd.goto {
            true => format!("goto '{to}' is not a chain"),
            false => format!("Couldn't load target `{to}':No such file or directory\n"),
        };
        Err(Fail::param(text).into())
    }

    fn legacy_insert(&mut self, rule: &Rule) -> Result<(), Stop> {
        self.tell(rule);
        let (chain, counters, at) = (self.name(), self.cmd.counters, self.cmd.rulenum.saturating_sub(1));
        let n = self.find(&chain).ok_or_else(|| plain(Errno::ENOENT))?.rules.len();
        if at > n {
            return Err(said("Index of insertion too big", Errno::E2BIG));
        }
        self.push(XtChange::Insert { table: self.kind, chain, at, rule: rule.clone(), counters })
    }

    fn legacy_replace(&mut self, rule: &Rule) -> Result<(), Stop> {
        self.tell(rule);
        let (chain, counters, at) = (self.name(), self.cmd.counters, self.cmd.rulenum.saturating_sub(1));
        let n = self.find(&chain).ok_or_else(|| plain(Errno::ENOENT))?.rules.len();
        if at >= n {
            return Err(said("Index of replacement too big", Errno::E2BIG));
        }
        self.push(XtChange::Replace { table: self.kind, chain, at, rule: rule.clone(), counters })
    }

    fn legacy_delete(&mut self, rule: &Rule) -> Result<(), Stop> {
        self.tell(rule);
        let chain = self.name();
        let found = self.find(&chain).and_then(|c| c.rules.iter().position(|r| *r.rule == *rule));
        let at = found.ok_or_else(|| said(NO_RULE, Errno::ENOENT))?;
        if self.cmd.command == cmd::CHECK {
            return Ok(());
        }
        self.push(XtChange::Delete { table: self.kind, chain, at })
    }

    /// Does something to the chain named, or to each.
    fn each(&mut self, word: &str, change: impl Fn(Arc<str>) -> XtChange) -> Result<(), Stop> {
        let all = match &self.cmd.chain {
            Some(_) => vec![(self.name(), false)],
            None => self.names(true),
        };
        for (chain, _) in all {
            if self.verbose() {
                self.out.push_str(&format!("{word} chain `{chain}'\n"));
            }
            self.find(&chain).ok_or_else(|| plain(Errno::ENOENT))?;
            self.push(change(chain))?;
        }
        Ok(())
    }

    fn legacy_zero_rule(&mut self) -> Result<(), Stop> {
        let chain = self.name();
        let n = self.find(&chain).ok_or_else(|| plain(Errno::ENOENT))?.rules.len();
        if self.cmd.rulenum > n {
            return Err(said("Index of counter too big", Errno::E2BIG));
        }
        self.push(XtChange::Zero { table: self.kind, chain, rule: Some(self.cmd.rulenum - 1) })
    }

    fn legacy_delete_chain(&mut self) -> Result<(), Stop> {
        let all = match &self.cmd.chain {
            Some(_) => vec![(self.name(), false)],
            None => self.names(true).into_iter().filter(|(_, base)| !base).collect(),
        };
        let mut last = Ok(());
        for (chain, _) in all {
            if self.verbose() {
                self.out.push_str(&format!("Deleting chain `{chain}'\n"));
            }
            // One that cannot go does not keep the others from being tried.
            if let Err(stop) = self.push(XtChange::DelChain { table: self.kind, chain }) {
                last = Err(stop);
            }
        }
        last
    }

    fn legacy_policy(&mut self) -> Result<(), Stop> {
        let chain = self.name();
        if !self.is_base(&chain) {
            return Err(said("Bad built-in chain name", Errno::ENOENT));
        }
        let policy = match self.cmd.policy.as_str() {
            "ACCEPT" => Policy::Accept,
            "DROP" => Policy::Drop,
            _ => return Err(said("Bad policy name", Errno::EINVAL)),
        };
        let counters = self.cmd.has(opt::COUNTERS).then_some(self.cmd.counters);
        self.push(XtChange::Policy { table: self.kind, chain, policy, counters })
    }

    fn legacy_rename(&mut self) -> Result<(), Stop> {
        let (from, to): (_, Arc<str>) = (self.name(), Arc::from(self.cmd.newname.as_str()));
        let taken = matches!(&*to, "ACCEPT" | "DROP" | "QUEUE" | "RETURN");
        if taken || self.find(&to).is_some() {
            return Err(said("File exists", Errno::EEXIST));
        }
        if self.find(&from).is_none_or(|c| c.hook.is_some()) {
            return Err(plain(Errno::ENOENT));
        }
        self.push(XtChange::RenameChain { table: self.kind, from, to })
    }

    fn legacy_list(&mut self, command: u32) -> Result<(), Stop> {
        let table = self.kind;
        if let Some(c) = &self.cmd.chain
            && self.find(c).is_none()
        {
            return Err(plain(Errno::ENOENT));
        }
        match command & !(cmd::ZERO | cmd::ZERO_NUM) {
            cmd::LIST_RULES => self.list_rules(),
            cmd::LIST => self.list(),
            _ => {}
        }
        if command & cmd::ZERO != 0 {
            self.each("Zeroing", |chain| XtChange::Zero { table, chain, rule: None })?;
        }
        if command & cmd::ZERO_NUM != 0 {
            self.legacy_zero_rule()?;
        }
        Ok(())
    }
}

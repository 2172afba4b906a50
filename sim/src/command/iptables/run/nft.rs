//! Commands of iptables-nft (`nft_prepare` of nft.c), and what it says of the kernel's refusals.

use std::sync::Arc;

use super::super::fail::Fail;
use super::super::native;
use super::super::parse::{Cmd, cmd};
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
        let text = format!("table '{}' does not exist", c.table);
        Fail::Error { status: 3, text }
    })
}

/// Rules as nf_tables will hold them: made as soon as the words were read.
///
/// # Errors
/// What has no form there.
pub fn rules(c: &Cmd) -> Result<Vec<Rule>, Fail> {
    c.rules().iter().map(native::canonical).collect()
}

impl Run<'_> {
    /// Carries out a command of iptables-nft.
    ///
    /// # Errors
    /// As the tool ends.
    pub fn nft(&mut self, rules: &[Rule]) -> Result<(), Stop> {
        let c = self.cmd;
        let chain = self.name();
        match c.command {
            cmd::APPEND => rules.iter().try_for_each(|r| self.nft_append(r)),
            cmd::INSERT => rules.iter().try_for_each(|r| self.nft_insert(r)),
            cmd::REPLACE => rules.iter().take(1).try_for_each(|r| self.nft_replace(r)),
            cmd::DELETE | cmd::CHECK => rules.iter().try_for_each(|r| self.nft_delete(r)),
            cmd::DELETE_NUM => {
                let n = self.find(&chain).ok_or_else(|| plain(Errno::ENOENT))?.rules.len();
                if c.rulenum > n {
                    return Err(said("Index of deletion too big", Errno::E2BIG));
                }
                self.push(XtChange::Delete { table: self.kind, chain, at: c.rulenum - 1 })
            }
            cmd::FLUSH => self.nft_flush(),
            cmd::NEW_CHAIN => {
                if self.is_base(&chain) || self.find(&chain).is_some() {
                    return Err(said("Chain already exists", Errno::EEXIST));
                }
                self.push(XtChange::NewChain { table: self.kind, chain })
            }
            cmd::DELETE_CHAIN => self.nft_delete_chain(),
            cmd::POLICY => self.nft_policy(),
            cmd::RENAME => self.nft_rename(),
            cmd::ZERO => self.nft_zero(),
            cmd::ZERO_NUM => self.nft_zero_rule(),
            list => self.nft_list(list),
        }
    }

    /// The chain that a rule jumps to must exist.
    fn nft_target(&self, _: &Rule) -> Result<(), Stop> {
        let to = &self.cmd.jumpto;
        if self.cmd.extension || to.is_empty() || self.is_base(to) || self.find(to).is_some() {
            return Ok(());
        }
        Err(Fail::param(format!("Chain '{to}' does not exist")).into())
    }

    fn nft_append(&mut self, rule: &Rule) -> Result<(), Stop> {
        self.nft_target(rule)?;
        self.tell(rule);
        let (chain, counters) = (self.name(), self.cmd.counters);
        self.push(XtChange::Append { table: self.kind, chain, rule: rule.clone(), counters })
    }

    fn nft_insert(&mut self, rule: &Rule) -> Result<(), Stop> {
        self.nft_target(rule)?;
        let (chain, counters, at) = (self.name(), self.cmd.counters, self.cmd.rulenum.saturating_sub(1));
        let there = self.find(&chain).map(|c| c.rules.len());
        let n = there.or(self.is_base(&chain).then_some(0)).ok_or_else(|| plain(Errno::ENOENT))?;
        if at > n || (at == n && n == 0 && at > 0) {
            return Err(said("Index of insertion too big", Errno::E2BIG));
        }
        self.tell(rule);
        let (table, rule) = (self.kind, rule.clone());
        if at == n && at > 0 {
            return self.push(XtChange::Append { table, chain, rule, counters });
        }
        self.push(XtChange::Insert { table, chain, at, rule, counters })
    }

    fn nft_replace(&mut self, rule: &Rule) -> Result<(), Stop> {
        self.nft_target(rule)?;
        let (chain, counters, at) = (self.name(), self.cmd.counters, self.cmd.rulenum.saturating_sub(1));
        let n = self.find(&chain).ok_or_else(|| plain(Errno::ENOENT))?.rules.len();
        if at >= n {
            return Err(said("Index of replacement too big", Errno::E2BIG));
        }
        self.tell(rule);
        self.push(XtChange::Replace { table: self.kind, chain, at, rule: rule.clone(), counters })
    }

    /// `-D` and `-C` with a rule.
    fn nft_delete(&mut self, rule: &Rule) -> Result<(), Stop> {
        self.nft_target(rule)?;
        let chain = self.name();
        let found = self.find(&chain).and_then(|c| c.rules.iter().position(|r| *r.rule == *rule));
        let at = found.ok_or_else(|| said(NO_RULE, Errno::ENOENT))?;
        self.tell(rule);
        if self.cmd.command == cmd::CHECK {
            return Ok(());
        }
        self.push(XtChange::Delete { table: self.kind, chain, at })
    }

    fn nft_flush(&mut self) -> Result<(), Stop> {
        let table = self.kind;
        if self.cmd.chain.is_some() {
            let chain = self.name();
            if self.find(&chain).is_none() && !self.is_base(&chain) {
                return Err(plain(Errno::ENOENT));
            }
            if self.verbose() {
                self.out.push_str(&format!("Flushing chain `{chain}'\n"));
            }
            return self.push(XtChange::FlushChain { table, chain });
        }
        if self.verbose() {
            // To tell of them all, the tool makes all base chains.
            for h in table.hooks() {
                self.push(XtChange::FlushChain { table, chain: Arc::from(h.name()) })?;
            }
        }
        for (chain, _) in self.names(true) {
            if self.verbose() {
                self.out.push_str(&format!("Flushing chain `{chain}'\n"));
            }
            self.push(XtChange::FlushChain { table, chain })?;
        }
        Ok(())
    }

    /// Base chains go too, where nothing is in them; the kernel is asked about all others.
    fn nft_delete_chain(&mut self) -> Result<(), Stop> {
        let only = self.cmd.chain.as_ref().map(|_| self.name());
        let all = match &only {
            Some(c) => {
                let there = self.find(c).ok_or_else(|| plain(Errno::ENOENT))?;
                vec![(c.clone(), there.hook.is_some())]
            }
            None => self.names(self.verbose()),
        };
        for (chain, base) in all {
            if self.verbose() && !base {
                self.out.push_str(&format!("Deleting chain `{chain}'\n"));
            }
            let (drops, empty) =
                self.find(&chain).map_or((false, true), |c| (c.policy == Policy::Drop, c.rules.is_empty()));
            if base && only.is_some() && drops {
                return Err(said("Directory not empty", Errno::EBUSY));
            }
            // For a chain that was named the tool does not look at its rules; the kernel does.
            if base && only.is_none() && (drops || !empty) {
                continue;
            }
            self.delete_in_draft(chain);
        }
        Ok(())
    }

    /// The kernel says what it thinks of it when the batch comes; until then the chain is only gone from sight.
    fn delete_in_draft(&mut self, chain: Arc<str>) {
        let change = XtChange::DelChain { table: self.kind, chain };
        if self.draft.push(change.clone()).is_err() {
            self.draft.changes.push(change);
        }
    }

    fn nft_policy(&mut self) -> Result<(), Stop> {
        let chain = self.name();
        let policy = match self.cmd.policy.as_str() {
            "ACCEPT" | "-" => Policy::Accept,
            "DROP" => Policy::Drop,
            _ => return Err(said("Bad policy name", Errno::EINVAL)),
        };
        if !self.is_base(&chain) {
            return Err(said("Bad built-in chain name", Errno::ENOENT));
        }
        self.push(XtChange::Policy { table: self.kind, chain, policy, counters: Some(Default::default()) })
    }

    fn nft_rename(&mut self) -> Result<(), Stop> {
        let (from, to): (_, Arc<str>) = (self.name(), Arc::from(self.cmd.newname.as_str()));
        if self.is_base(&to) || self.find(&to).is_some() {
            return Err(said("File exists", Errno::EEXIST));
        }
        let there = self.find(&from).ok_or_else(|| plain(Errno::ENOENT))?;
        if there.hook.is_some() {
            // The kernel lets it happen, and iptables does not know the table any more.
            return Err(Fail::Refused(Refusal::new("iptables -E of a base chain", 0)).into());
        }
        self.push(XtChange::RenameChain { table: self.kind, from, to })
    }

    fn nft_zero(&mut self) -> Result<(), Stop> {
        let all = match &self.cmd.chain {
            Some(_) => {
                let c = self.name();
                self.find(&c).ok_or_else(|| plain(Errno::ENOENT))?;
                vec![(c, false)]
            }
            None => self.names(self.verbose()),
        };
        for (chain, _) in all {
            if self.verbose() {
                self.out.push_str(&format!("Zeroing chain `{chain}'\n"));
            }
            self.push(XtChange::Zero { table: self.kind, chain, rule: None })?;
        }
        Ok(())
    }

    fn nft_zero_rule(&mut self) -> Result<(), Stop> {
        let chain = self.name();
        let n = self.find(&chain).ok_or_else(|| said(NO_RULE, Errno::ENOENT))?.rules.len();
        if self.cmd.rulenum > n {
            return Ok(());
        }
        self.push(XtChange::Zero { table: self.kind, chain, rule: Some(self.cmd.rulenum - 1) })
    }

    fn nft_list(&mut self, command: u32) -> Result<(), Stop> {
        if let Some(c) = &self.cmd.chain
            && !self.is_base(c)
            && self.find(c).is_none()
        {
            let text = format!("chain `{c}' in table `{}' is incompatible, use 'nft' tool.", self.kind.name());
            return Err(Fail::other(text).into());
        }
        match command & !(cmd::ZERO | cmd::ZERO_NUM) {
            cmd::LIST_RULES => self.list_rules(),
            cmd::LIST => self.list(),
            _ => {}
        }
        // Only what exists can be zeroed.
        if command & cmd::ZERO_NUM != 0 {
            return self.nft_zero_rule();
        }
        if command & cmd::ZERO != 0 {
            return self.nft_zero();
        }
        Ok(())
    }
}

/// What the tool says of a change that the kernel refused.
pub fn refused(change: &XtChange, e: Errno) -> String {
    let (what, about) = match change {
        XtChange::Append { chain, .. } => ("RULE_APPEND", format!("rule in chain {chain}")),
        XtChange::Insert { chain, .. } => ("RULE_INSERT", format!("rule in chain {chain}")),
        XtChange::Replace { chain, .. } => ("RULE_REPLACE", format!("rule in chain {chain}")),
        XtChange::Delete { chain, .. } => ("RULE_DELETE", format!("rule in chain {chain}")),
        XtChange::FlushChain { chain, .. } => ("RULE_FLUSH", format!("rule in chain {chain}")),
        XtChange::Zero { chain, .. } => ("CHAIN_ZERO", format!("chain {chain}")),
        XtChange::NewChain { chain, .. } => ("CHAIN_ADD", format!("chain {chain}")),
        XtChange::DelChain { chain, .. } => ("CHAIN_DEL", format!("chain {chain}")),
        XtChange::RenameChain { to, .. } => ("CHAIN_RENAME", format!("chain {to}")),
        XtChange::Policy { chain, .. } => ("CHAIN_UPDATE", format!("chain {chain}")),
        XtChange::Use { table } => ("TABLE_ADD", format!("table {}", table.name())),
        XtChange::Reset { table } => ("TABLE_FLUSH", format!("table {}", table.name())),
    };
    format!("{what} failed ({e}): {about}")
}

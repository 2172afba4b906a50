//! What holds of a command line as a whole, once all words are read.

use std::sync::Arc;

use super::build::{NAME_MAX, Parser, too_long};
use super::cmd;
use super::options::{check_devices, check_together};
use crate::command::iptables::addr;
use crate::command::iptables::ext::Ctx;
use crate::command::iptables::ext::opt as extopt;
use crate::command::iptables::fail::Fail;
use crate::kernel::xtables::targets::Target;

impl Parser<'_> {
    pub(super) fn finish(&mut self, invert: bool) -> Result<(), Fail> {
        if self.c.table == "nat" && (self.c.policy == "DROP" || self.c.jumpto == "DROP") {
            let text = "\nThe \"nat\" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n";
            return Err(Fail::param(text));
        }
        if !self.wait && self.wait_interval {
            return Err(Fail::param("--wait-interval only makes sense with --wait\n"));
        }
        self.build()?;
        if self.get.optind < self.get.argv.len() {
            return Err(Fail::param("unknown arguments found on commandline"));
        }
        if self.c.command == 0 {
            return Err(Fail::param("no command specified"));
        }
        if invert {
            return Err(Fail::param("nothing appropriate following !"));
        }
        self.addresses()?;
        check_together(self.c.command, self.c.options)?;
        let Some(chain) = self.c.chain.clone() else { return Ok(()) };
        if chain.len() >= NAME_MAX {
            return Err(too_long(&chain));
        }
        check_devices(self.c.command, self.c.options, &chain)
    }

    /// Matches and target from their options.
    fn build(&mut self) -> Result<(), Fail> {
        let ip = self.c.rule.ip;
        let ctx = Ctx { ip: &ip, variant: self.who.variant };
        for m in &self.matches {
            let built = (m.ext.build)(&m.given, &ctx);
            // Both look at the options; the extension's own sentence comes first where it has one.
            let whole = extopt::finish(m.ext.name, m.ext.opts, &m.given);
            self.c.rule.matches.push(match (built, whole) {
                (Ok(m), Ok(())) => m,
                (Err(f), Ok(())) | (Ok(_), Err(f)) | (Err(f), Err(_)) => return Err(f),
            });
        }
        self.c.goto = self.goto;
        self.c.rule.target = match (&self.target, self.c.jumpto.as_str()) {
            (Some((e, _, given)), _) => {
                let built = (e.build)(given, &ctx)?;
                extopt::finish(e.name, e.opts, given)?;
                built
            }
            (None, "") => Target::None,
            (None, name) if self.goto => Target::Goto(Arc::from(name)),
            (None, "ACCEPT") => Target::Accept,
            (None, "DROP") => Target::Drop,
            (None, "RETURN") => Target::Return,
            (None, name) => Target::Jump(Arc::from(name)),
        };
        Ok(())
    }

    fn addresses(&mut self) -> Result<(), Fail> {
        let c = &mut self.c;
        let whole = (c.command & cmd::WITH_RULE != 0).then_some("0.0.0.0/0");
        let list = |word: &Option<String>| word.as_deref().or(whole).map_or(Ok(Vec::new()), addr::list);
        c.sources = list(&self.source)?;
        c.destinations = list(&self.destination)?;
        let many = c.sources.len() > 1 || c.destinations.len() > 1;
        if many && (c.rule.ip.inv_src || c.rule.ip.inv_dst) {
            return Err(Fail::param("! not allowed with multiple source or destination IP addresses"));
        }
        if c.command == cmd::REPLACE && many {
            return Err(Fail::param("Replacement rule does not specify a unique address"));
        }
        Ok(())
    }
}

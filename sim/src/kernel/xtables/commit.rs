//! Changes of tables: a batch is carried out whole or not at all (`nf_tables_commit`, `do_replace`).

use std::sync::Arc;

use super::types::{Counters, Policy, Rule, TableKind, Variant};
use crate::kernel::Kernel;
use crate::kernel::types::{Errno, NetnsId};
use crate::trace::Recorder;

/// One change of a table.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum XtChange {
    /// Makes the table with its base chains, if it does not exist yet.
    Use {
        table: TableKind,
    },
    /// Empties the table: all rules and user chains go (`iptables-restore` without `-n`).
    Reset {
        table: TableKind,
    },
    NewChain {
        table: TableKind,
        chain: Arc<str>,
    },
    DelChain {
        table: TableKind,
        chain: Arc<str>,
    },
    RenameChain {
        table: TableKind,
        from: Arc<str>,
        to: Arc<str>,
    },
    FlushChain {
        table: TableKind,
        chain: Arc<str>,
    },
    /// `-P`; with counters where a dump gives them.
    Policy {
        table: TableKind,
        chain: Arc<str>,
        policy: Policy,
        counters: Option<Counters>,
    },
    Append {
        table: TableKind,
        chain: Arc<str>,
        rule: Rule,
        counters: Counters,
    },
    /// Before the rule with this number, from 0.
    Insert {
        table: TableKind,
        chain: Arc<str>,
        at: usize,
        rule: Rule,
        counters: Counters,
    },
    Replace {
        table: TableKind,
        chain: Arc<str>,
        at: usize,
        rule: Rule,
        counters: Counters,
    },
    Delete {
        table: TableKind,
        chain: Arc<str>,
        at: usize,
    },
    /// Counters to zero: of one rule, or of a whole chain with its policy.
    Zero {
        table: TableKind,
        chain: Arc<str>,
        rule: Option<usize>,
    },
}

/// A refusal: which change, and the errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XtError {
    /// Index of the change in its batch.
    pub at: usize,
    /// The errno.
    pub errno: Errno,
}

impl<R: Recorder> Kernel<R> {
    /// Carries out a batch of changes: all of them, or none.
    ///
    /// # Errors
    /// The first change that is refused; the tables are as before.
    pub fn xt_commit(&mut self, ns: NetnsId, variant: Variant, batch: &[XtChange]) -> Result<(), XtError> {
        let _ = (ns, variant, batch);
        Err(XtError { at: 0, errno: Errno::EOPNOTSUPP })
    }
}

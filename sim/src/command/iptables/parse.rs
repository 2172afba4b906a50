//! The command line of iptables (`do_parse` of xshared.c): words become a command and a rule.

mod build;
mod finish;
mod options;

pub use build::{parse, valid_chain_name};

use super::getopt::Getopt;
use crate::kernel::xtables::{Counters, Rule};

/// Commands, by bit, with their letters (`cmdflags`).
pub mod cmd {
    #![allow(missing_docs)]
    pub const INSERT: u32 = 1 << 0;
    pub const DELETE: u32 = 1 << 1;
    pub const DELETE_NUM: u32 = 1 << 2;
    pub const REPLACE: u32 = 1 << 3;
    pub const APPEND: u32 = 1 << 4;
    pub const LIST: u32 = 1 << 5;
    pub const FLUSH: u32 = 1 << 6;
    pub const ZERO: u32 = 1 << 7;
    pub const NEW_CHAIN: u32 = 1 << 8;
    pub const DELETE_CHAIN: u32 = 1 << 9;
    pub const POLICY: u32 = 1 << 10;
    pub const RENAME: u32 = 1 << 11;
    pub const LIST_RULES: u32 = 1 << 12;
    pub const ZERO_NUM: u32 = 1 << 13;
    pub const CHECK: u32 = 1 << 14;

    /// Those that have a rule.
    pub const WITH_RULE: u32 = INSERT | DELETE | REPLACE | APPEND | CHECK;
}

/// Options, by bit, with their letters (`optflags`).
pub mod opt {
    #![allow(missing_docs)]
    pub const NUMERIC: u32 = 1 << 0;
    pub const SOURCE: u32 = 1 << 1;
    pub const DESTINATION: u32 = 1 << 2;
    pub const PROTOCOL: u32 = 1 << 3;
    pub const JUMP: u32 = 1 << 4;
    pub const VERBOSE: u32 = 1 << 5;
    pub const EXPANDED: u32 = 1 << 6;
    pub const VIA_IN: u32 = 1 << 7;
    pub const VIA_OUT: u32 = 1 << 8;
    pub const LINE_NUMBERS: u32 = 1 << 9;
    pub const COUNTERS: u32 = 1 << 10;
    pub const FRAGMENT: u32 = 1 << 11;
}

/// What a command line says.
#[derive(Clone, Debug, Default)]
pub struct Cmd {
    /// Bits of [`cmd`].
    pub command: u32,
    /// Bits of [`opt`].
    pub options: u32,
    /// `-t`.
    pub table: String,
    /// The chain, where one is named.
    pub chain: Option<String>,
    /// Number of a rule, from 1; 0 for none.
    pub rulenum: usize,
    /// The policy of `-P`.
    pub policy: String,
    /// The new name of `-E`.
    pub newname: String,
    /// The rule but for its addresses.
    pub rule: Rule,
    /// What `-j` or `-g` named.
    pub jumpto: String,
    /// `-j` named an extension or a standard target, no chain.
    pub extension: bool,
    /// `-g`.
    pub goto: bool,
    /// Addresses of `-s` with their masks.
    pub sources: Vec<(u32, u32)>,
    /// Addresses of `-d` with their masks.
    pub destinations: Vec<(u32, u32)>,
    /// `-c`.
    pub counters: Counters,
    /// What the tool says on the way to standard error.
    pub said: String,
    /// Ends at once, with this on standard output (`-h`, `-V`).
    pub done: Option<String>,
    /// How often `-v` was given.
    pub verbose: usize,
}

impl Cmd {
    /// One option was given.
    pub fn has(&self, option: u32) -> bool {
        self.options & option != 0
    }

    /// The rules that it stands for: one of each pair of addresses.
    pub fn rules(&self) -> Vec<Rule> {
        let one = |s: &(u32, u32), d: &(u32, u32)| {
            let mut r = self.rule.clone();
            (r.ip.src, r.ip.src_mask) = *s;
            (r.ip.dst, r.ip.dst_mask) = *d;
            r
        };
        self.sources.iter().flat_map(|s| self.destinations.iter().map(move |d| one(s, d))).collect()
    }
}

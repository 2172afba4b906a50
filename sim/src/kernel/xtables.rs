//! xtables: tables, chains, rules, and how a packet walks them (net/ipv4/netfilter/ip_tables.c,
//! net/netfilter/nf_tables_core.c, net/netfilter/xt_*.c).
//!
//! In reading order: [`types`] (tables, chains, rules), [`mod@matches`] and [`targets`] (one file each),
//! [`mod@commit`] (changes, all or nothing), [`check`] (where a match or target may stand, loops of jumps), `sum` (what
//! the rules of a chain come to).

pub mod check;
pub mod commit;
pub mod matches;
pub mod shared;
mod sum;
pub mod targets;
pub mod types;
pub mod view;
pub(crate) mod walk;

pub use commit::{Draft, XtChange, XtError};
pub use types::{
    Chain, Counters, IfMatch, IpMatch, Policy, Rule, RuleSlot, Table, TableKind, Tables, Variant, Xtables,
};

//! The forwarding information base (net/ipv4/fib_frontend.c, fib_trie.c, fib_semantics.c, fib_rules.c):
//! tables, rules, longest prefix match, and the changes that `ip route` and `ip rule` ask for.

mod insert;
mod lookup;
mod rules;
mod types;

pub use lookup::{Flow, Lookup};
pub use types::*;

pub use crate::trace::event::FibResult;

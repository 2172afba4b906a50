//! A client, a router with a firewall, a server; rule sets at random; a second reading of them.

pub mod naive;
pub mod net;
pub mod recorded;
pub mod rules;
pub mod sums;
pub mod undo;

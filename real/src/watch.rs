//! Looking at the live kernel, from inside its namespaces.

pub mod dump;
pub mod nftrace;
pub mod tracepoints;

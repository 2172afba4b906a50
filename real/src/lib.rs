//! The live kernel: replays a scenario on real network namespaces and compares.

pub mod netlink;
pub mod tool;
pub mod watch;

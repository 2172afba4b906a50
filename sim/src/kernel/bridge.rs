//! Bridges (net/bridge): input, forwarding, the FDB and ports.

mod fdb;
mod forward;
mod input;
mod port;
mod types;

pub use types::*;

//! What the kernel does meanwhile.

pub mod awake;
pub mod capture;
pub mod clock;
pub mod dump;
pub mod nftrace;
pub mod tracepoints;

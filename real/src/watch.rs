//! What the kernel does meanwhile.

pub mod capture;
pub mod dump;

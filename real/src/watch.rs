//! What the kernel does meanwhile.

pub mod capture;

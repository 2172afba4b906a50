//! A command line is a line of shell (being written).
pub mod vfs;

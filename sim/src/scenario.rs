//! The scenario file (being written).
pub mod suggest;

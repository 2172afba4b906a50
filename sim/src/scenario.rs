//! The scenario file (being written).

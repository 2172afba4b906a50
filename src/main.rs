//! packetwalk (being written).
fn main() {}

//! (being written)
/// Queues of fragments.
#[derive(Clone, Debug, Default)]
pub struct Frags {}

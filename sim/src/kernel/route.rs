//! (being written)
/// Learnt path MTUs and redirects.
#[derive(Clone, Debug, Default)]
pub struct Exceptions {}

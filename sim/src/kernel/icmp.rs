//! (being written)
/// Rate limits.
#[derive(Clone, Debug, Default)]
pub struct IcmpLimits {}

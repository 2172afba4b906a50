//! Files of a host (being written).

/// Files of a host.
#[derive(Clone, Debug, Default)]
pub struct Vfs {}

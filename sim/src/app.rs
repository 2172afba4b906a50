//! Applications: the programs that own sockets (being written).

/// The running applications.
#[derive(Clone, Debug, Default)]
pub struct Apps {}

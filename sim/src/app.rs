//! Applications: the programs that own sockets (being written).

pub mod probe;

/// The running applications.
#[derive(Clone, Debug, Default)]
pub struct Apps {}

//! Connection tracking (net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_*.c).

pub mod types;

pub use types::{Conn, Conntrack, CtDir, CtInfo, CtRef, L4Id, ProtoState, Status, TcpCt, TcpCtDir, Tuple, Zone};

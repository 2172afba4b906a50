//! Connection tracking (net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_*.c).
//!
//! In reading order: [`types`], `tuple` (what a packet belongs to), `table` (slots and hash), `core` (the hooks),
//! `icmp`, `udp`, `tcp` (what a packet does to its connection), `view` (evidence for the trace).

mod core;
mod icmp;
mod table;
mod tcp;
mod tuple;
pub mod types;
mod udp;
mod view;

pub use tcp::state_name;
pub(crate) use tcp::states as tcp_states;
pub use tuple::{inner_tuple, nf_ct_invert, tuple_of};
pub use types::{
    Conn, Conntrack, CtDir, CtEvent, CtEventKind, CtInfo, CtRef, CtStats, L4Id, ProtoState, Status, TcpCt, TcpCtDir,
    Tuple, Zone,
};

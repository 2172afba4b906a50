//! UDP (net/netfilter/nf_conntrack_proto_udp.c).

use super::types::{Conn, ProtoState, Status};
use crate::kernel::sysctl::NetSysctl;
use crate::kernel::types::{Nanos, SEC};

/// How long answers must have been coming before a flow counts as a stream.
const STREAM_AFTER: Nanos = 2 * SEC;

/// `nf_conntrack_udp_packet`.
pub(super) fn packet(c: &mut Conn, now: Nanos, s: &NetSysctl) {
    if !c.status.contains(Status::CONFIRMED) {
        c.proto = ProtoState::Udp { stream_ts: now + STREAM_AFTER };
    }
    let short = super::core::secs(s.nf_conntrack_udp_timeout);
    if !c.status.contains(Status::SEEN_REPLY) {
        return c.refresh(now, short);
    }
    let stream = matches!(c.proto, ProtoState::Udp { stream_ts } if now > stream_ts);
    let extra = if stream { super::core::secs(s.nf_conntrack_udp_timeout_stream) } else { short };
    c.refresh(now, extra);
    if stream && !c.status.contains(Status::NAT_CLASH) {
        c.status |= Status::ASSURED;
    }
}

//! The kernel's names for why a packet ended (`enum skb_drop_reason`, include/net/dropreason-core.h).

/// Why a packet was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, non_camel_case_types, clippy::upper_case_acronyms)]
pub enum DropReason {
    /// The kernel gives no reason at this place.
    NOT_SPECIFIED,
    NO_SOCKET,
    PKT_TOO_SMALL,
    OTHERHOST,
    UNICAST_IN_L2_MULTICAST,
    IP_CSUM,
    IP_INHDR,
    IP_RPFILTER,
    IP_LOCALNET,
    IP_LOCAL_SOURCE,
    IP_INVALID_SOURCE,
    IP_INVALID_DEST,
    IP_INADDRERRORS,
    IP_INNOROUTES,
    IP_OUTNOROUTES,
    IP_NOPROTO,
    INVALID_PROTO,
    PKT_TOO_BIG,
    ICMP_CSUM,
    SOCKET_RCVBUFF,
    SOCKET_FILTER,
    NEIGH_CREATEFAIL,
    NEIGH_FAILED,
    NEIGH_QUEUEFULL,
    NEIGH_DEAD,
    FRAG_REASM_TIMEOUT,
    FRAG_TOO_FAR,
    DUP_FRAG,
    TCP_INVALID_SEQUENCE,
    TCP_INVALID_ACK_SEQUENCE,
    TCP_OLD_DATA,
    TCP_RESET,
    TCP_CLOSE,
    TCP_FLAGS,
    TCP_OFOMERGE,
    TCP_OVERWINDOW,
    TCP_LISTEN_OVERFLOW,
    DEV_READY,
    QDISC_DROP,
    UNHANDLED_PROTO,
    MAC_INVALID_SOURCE,
    IP_OUTDISCARDS,
    FULL_RING,
    NOMEM,
    HDR_TRUNC,
    TAP_TXFILTER,
    NO_TX_TARGET,
    BRIDGE_INGRESS_STP_STATE,
    BRIDGE_NON_FORWARDING_PORT,
    NETFILTER_DROP,
    ARP_PVLAN_DISABLE,
    IP_TTL_EXPIRED,
    /// Not a reason of Linux: the world's own bound on hops or queue length was reached.
    PACKETWALK_BOUND,
}

impl DropReason {
    /// The name as the kernel prints it, without `SKB_DROP_REASON_`.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

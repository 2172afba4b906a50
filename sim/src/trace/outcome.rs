//! What the application saw of a probe, in the words of the recordings.

use serde::{Deserialize, Serialize};

/// Outcome of a probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// An answer came.
    Reply,
    /// Nothing came in time.
    Timeout,
    /// TCP: a RST answered the SYN (ECONNREFUSED).
    Refused,
    /// TCP: a RST after the handshake (ECONNRESET).
    Reset,
    /// TCP: the peer closed without a word.
    Closed,
    /// TCP: connected, and then silence.
    Stall,
    /// ICMP 3/0 or 3/6.
    UnreachableNet,
    /// ICMP 3/1 or 3/7, or EHOSTUNREACH from one's own kernel.
    UnreachableHost,
    /// ICMP 3/3.
    UnreachablePort,
    /// ICMP 3/2.
    UnreachableProto,
    /// ICMP 3/9, 3/10 or 3/13.
    UnreachableAdmin,
    /// ICMP 3/5.
    UnreachableSrcroute,
    /// ICMP 3/4, or EMSGSIZE from one's own kernel.
    FragNeeded,
    /// ICMP 11.
    TtlExceeded,
    /// ENETUNREACH at once.
    NoRoute,
    /// EPERM or EACCES.
    NotPermitted,
    /// EINVAL.
    Invalid,
    /// EADDRNOTAVAIL.
    NoAddress,
    /// ENODEV.
    NoDevice,
    /// The name has no address.
    ResolveFailed,
    /// The packet met something the model does not have: never a success.
    Unmodelled,
    /// An imported host did not tell enough: never a success.
    UnknownState,
}

impl Outcome {
    /// The word in scenarios and recordings.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Reply => "reply",
            Outcome::Timeout => "timeout",
            Outcome::Refused => "refused",
            Outcome::Reset => "reset",
            Outcome::Closed => "closed",
            Outcome::Stall => "stall",
            Outcome::UnreachableNet => "unreachable-net",
            Outcome::UnreachableHost => "unreachable-host",
            Outcome::UnreachablePort => "unreachable-port",
            Outcome::UnreachableProto => "unreachable-proto",
            Outcome::UnreachableAdmin => "unreachable-admin",
            Outcome::UnreachableSrcroute => "unreachable-srcroute",
            Outcome::FragNeeded => "frag-needed",
            Outcome::TtlExceeded => "ttl-exceeded",
            Outcome::NoRoute => "no-route",
            Outcome::NotPermitted => "not-permitted",
            Outcome::Invalid => "invalid",
            Outcome::NoAddress => "no-address",
            Outcome::NoDevice => "no-device",
            Outcome::ResolveFailed => "resolve-failed",
            Outcome::Unmodelled => "unmodelled",
            Outcome::UnknownState => "unknown-state",
        }
    }
}

//! ICMP (net/ipv4/icmp.c): answers to echo requests, errors sent and errors taken.

mod limit;
mod receive;
mod send;

pub use limit::IcmpLimits;
pub(crate) use receive::IcmpErr;

use super::types::Errno;

/// errno and severity of an unreachable code (`icmp_err_convert`).
pub(crate) fn err_convert(code: u8) -> (Errno, bool) {
    use Errno::*;
    match code {
        0 => (ENETUNREACH, false),
        1 => (EHOSTUNREACH, false),
        2 => (ENOPROTOOPT, true),
        3 => (ECONNREFUSED, true),
        4 => (EMSGSIZE, false),
        5 => (EOPNOTSUPP, false),
        6 | 9 => (ENETUNREACH, true),
        7 => (EHOSTDOWN, true),
        11 => (ENETUNREACH, false),
        12 => (EHOSTUNREACH, false),
        _ => (EHOSTUNREACH, true),
    }
}

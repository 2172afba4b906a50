//! Token buckets that keep ICMP errors rare (`inet_peer_xrlim_allow`, `icmp_global_allow`, `ip_error`,
//! `ip_rt_send_redirect`). All buckets of one destination are one (`struct inet_peer`).

use std::net::Ipv4Addr;

use indexmap::IndexMap;

use crate::FxBuild;
use crate::kernel::types::{MSEC, Nanos, SEC};

/// `struct inet_peer`: tokens are nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Peer {
    tokens: Nanos,
    last: Nanos,
    /// The bucket starts as if it had rested for a minute.
    fresh: bool,
    redirects: u32,
}

/// Rate limits of a namespace.
#[derive(Clone, Debug, Default)]
pub struct IcmpLimits {
    peers: IndexMap<Ipv4Addr, Peer, FxBuild>,
    global_credit: u64,
    global_stamp: Nanos,
    global_used: bool,
}

/// Rest of a new bucket.
const REST: Nanos = 60 * SEC;
/// `ip_rt_redirect_load`.
const REDIRECT_LOAD: Nanos = 20 * MSEC;
/// `ip_rt_redirect_number`.
const REDIRECT_NUMBER: u32 = 9;

impl IcmpLimits {
    fn peer(&mut self, a: Ipv4Addr) -> &mut Peer {
        self.peers.entry(a).or_insert(Peer { tokens: 0, last: 0, fresh: true, redirects: 0 })
    }

    fn refill(p: &mut Peer, now: Nanos, most: Nanos) {
        let rested = if p.fresh { REST } else { now - p.last };
        p.fresh = false;
        p.last = now;
        p.tokens = (p.tokens + rested).min(most);
    }

    /// `ip_error`: a second's worth each, five in store.
    pub(crate) fn ip_error_allow(&mut self, a: Ipv4Addr, now: Nanos) -> bool {
        let p = self.peer(a);
        Self::refill(p, now, 5 * SEC);
        let ok = p.tokens >= SEC;
        if ok {
            p.tokens -= SEC;
        }
        ok
    }

    /// `inet_peer_xrlim_allow`: `icmp_ratelimit` each, six in store.
    pub(crate) fn peer_allow(&mut self, a: Ipv4Addr, now: Nanos, cost: Nanos) -> bool {
        let p = self.peer(a);
        // Looked at twice within a jiffy, the bucket is neither filled nor cut.
        if p.fresh || now / MSEC != p.last / MSEC {
            Self::refill(p, now, 6 * cost);
        }
        let ok = p.tokens >= cost;
        if ok {
            p.tokens -= cost;
        }
        ok
    }

    /// `icmp_global_allow`: messages a second, and how many at once.
    pub(crate) fn global_allow(&mut self, now: Nanos, per_sec: u64, burst: u64) -> bool {
        if !self.global_used {
            self.global_used = true;
            self.global_credit = burst;
        } else {
            let gained = u128::from(now - self.global_stamp) * u128::from(per_sec) / u128::from(SEC);
            if gained == 0 && self.global_credit == 0 {
                return false;
            }
            if gained > 0 {
                self.global_credit = (self.global_credit + gained as u64).min(burst);
            }
        }
        self.global_stamp = now;
        if self.global_credit == 0 {
            return false;
        }
        self.global_credit -= 1;
        true
    }

    /// `ip_rt_send_redirect`: nine, at intervals that double.
    pub(crate) fn redirect_allow(&mut self, a: Ipv4Addr, now: Nanos) -> bool {
        let p = self.peer(a);
        if p.fresh || now > p.last + (REDIRECT_LOAD << (REDIRECT_NUMBER + 1)) {
            p.tokens = 0;
            p.redirects = 0;
        }
        let fresh = std::mem::replace(&mut p.fresh, false);
        if p.redirects >= REDIRECT_NUMBER {
            p.last = now;
            return false;
        }
        if fresh || p.redirects == 0 || now > p.last + (REDIRECT_LOAD << p.redirects) {
            p.last = now;
            p.redirects += 1;
            return true;
        }
        false
    }
}

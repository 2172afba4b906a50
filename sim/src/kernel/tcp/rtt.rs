//! The round trip as a connection measures it, and the timeout that follows (`tcp_rtt_estimator`, `tcp_ack_update_rtt` of
//! net/ipv4/tcp_input.c). What an earlier connection to the same place left behind (tcp_metrics.c) is not modelled.

use super::Tcb;
use super::rtx::Delivered;
use super::state::before;
use crate::kernel::Kernel;
use crate::kernel::types::{MSEC, Nanos, SEC, SockId};
use crate::trace::Recorder;

/// The unit of round trips.
const USEC: Nanos = 1000;
/// `TCP_RTO_MIN`.
pub(super) const RTO_MIN: Nanos = 200 * MSEC;
const RTO_MIN_US: i64 = (RTO_MIN / USEC) as i64;
/// `TCP_TIMEOUT_FALLBACK`: the timeout where the handshake told nothing (RFC 6298, 5.7).
const FALLBACK: Nanos = 3 * SEC;

/// What is known of the round trip, in microseconds as the kernel scales them.
#[derive(Clone, Debug, Default)]
pub struct Rtt {
    /// Eight times the smoothed round trip (`srtt_us`), zero before the first.
    srtt: i64,
    /// Four times the mean deviation (`mdev_us`), and the greatest of this round (`mdev_max_us`).
    mdev: i64,
    mdev_max: i64,
    /// What a timeout waits beyond the round trip (`rttvar_us`).
    rttvar: i64,
    /// Where the round ends that the deviation is taken over (`rtt_seq`).
    round: u32,
    /// Shortest round trip (`rtt_min`).
    min: Option<Nanos>,
}

impl Rtt {
    /// The smoothed round trip, if there is one.
    pub fn smoothed(&self) -> Option<Nanos> {
        (self.srtt > 0).then(|| (self.srtt >> 3) as u64 * USEC)
    }

    /// The shortest one, zero before the first.
    pub fn min(&self) -> Nanos {
        self.min.unwrap_or(0)
    }

    /// `__tcp_set_rto`, before it is rounded to jiffies.
    fn timeout(&self) -> Nanos {
        ((self.srtt >> 3) + self.rttvar) as u64 * USEC
    }

    /// `tcp_rtt_estimator`.
    fn sample(&mut self, rtt: Nanos, una: u32, nxt: u32) {
        let m = (rtt / USEC) as i64;
        if self.srtt == 0 {
            (self.srtt, self.mdev, self.round) = (m << 3, m << 1, nxt);
            self.rttvar = self.mdev.max(RTO_MIN_US);
            self.mdev_max = self.rttvar;
        } else {
            let error = m - (self.srtt >> 3);
            self.srtt += error;
            let more = error.abs() - (self.mdev >> 2);
            // A round trip that got shorter raises the deviation slowly.
            self.mdev += if error < 0 && more > 0 { more >> 3 } else { more };
            if self.mdev > self.mdev_max {
                self.mdev_max = self.mdev;
                self.rttvar = self.rttvar.max(self.mdev);
            }
            if before(self.round, una) {
                self.rttvar -= (self.rttvar - self.mdev_max).max(0) >> 2;
                (self.round, self.mdev_max) = (nxt, RTO_MIN_US);
            }
        }
        self.srtt = self.srtt.max(1);
    }
}

impl<R: Recorder> Kernel<R> {
    /// `tcp_ack_update_rtt` of data: the first of what arrived and was never sent again tells; else, with timestamps, what
    /// the peer echoes.
    pub(super) fn tcp_ack_update_rtt(&mut self, id: SockId, arrived: &Delivered, sacked: &Delivered) {
        let now = self.queue.now;
        let whole = arrived.rtt_from.filter(|_| !arrived.again).or(sacked.rtt_from).map(|from| now - from);
        let by_ts = || arrived.latest.filter(|_| self.sock(id).tcb().ts).map(|(at, ..)| echoed(now - at));
        if let Some(rtt) = whole.or_else(by_ts) {
            self.tcp_learn_rtt(id, rtt);
        }
    }

    /// The round trip of the handshake (`tcp_synack_rtt_meas`; `tcp_ack` of the answer to a SYN).
    pub(super) fn tcp_handshake_rtt(&mut self, id: SockId) {
        let t = self.sock(id).tcb();
        let since = self.queue.now - t.syn_at;
        match t.syns {
            1 => self.tcp_learn_rtt(id, since),
            _ if t.ts => self.tcp_learn_rtt(id, echoed(since)),
            _ => self.sock_mut(id).tcb_mut().rto = FALLBACK,
        }
    }

    fn tcp_learn_rtt(&mut self, id: SockId, rtt: Nanos) {
        let t = self.sock_mut(id).tcb_mut();
        let Tcb { rtt: r, snd_una, snd_nxt, .. } = t;
        r.min = Some(r.min.map_or(rtt, |m| m.min(rtt)));
        r.sample(rtt, *snd_una, *snd_nxt);
        let timeout = r.timeout();
        let rto = self.queue.whole_jiffies(timeout).min(super::state::RTO_MAX);
        self.sock_mut(id).tcb_mut().rto = rto;
    }
}

/// `tcp_rtt_tsopt_us`: timestamps count milliseconds, and none is none.
fn echoed(rtt: Nanos) -> Nanos {
    (rtt / MSEC).max(1) * MSEC
}

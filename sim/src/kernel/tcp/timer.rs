//! Retransmission and its give-up (net/ipv4/tcp_timer.c).

use super::TcpState;
use super::rtt::RTO_MIN;
use super::state::{RTO_MAX, Tcb};
use crate::engine::{Base, TcpTimer, Timer};
use crate::kernel::Kernel;
use crate::kernel::mib::MibItem as M;
use crate::kernel::types::{Errno, MSEC, Nanos, SEC, SockId};
use crate::trace::Recorder;

/// `TCP_DELACK_MIN`.
const DELACK: Nanos = 40 * MSEC;
/// When a packet leaves whose time it was not yet: later than what moves without a timer.
const PACE: Nanos = MSEC;
/// Segments of a connection that leave without pacing.
const UNPACED: u32 = 10;
/// `TCP_TIMEWAIT_LEN`.
const TIMEWAIT: Nanos = 60 * SEC;

/// What the connection's one timer is for (`icsk_pending`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Pending {
    /// Nothing.
    #[default]
    None,
    /// Retransmission, also of a SYN, and whatever else ends a wait (`ICSK_TIME_RETRANS`).
    Rto,
    /// A tail loss probe (`ICSK_TIME_LOSS_PROBE`).
    LossProbe,
    /// What may only have been overtaken is lost then (`ICSK_TIME_REO_TIMEOUT`).
    Reorder,
    /// What could not be sent is tried again (`ICSK_TIME_PROBE0`).
    Probe0,
}

impl<R: Recorder> Kernel<R> {
    /// Sets the connection's one timer, for retransmission; an older one no longer counts.
    pub(crate) fn tcp_arm(&mut self, id: SockId, after: Nanos) {
        self.tcp_arm_as(id, after, Pending::Rto);
    }

    /// Sets the connection's one timer.
    pub(crate) fn tcp_arm_as(&mut self, id: SockId, after: Nanos, pending: Pending) {
        let t = self.sock_mut(id).tcb_mut();
        t.timer_gen += 1;
        t.armed = true;
        t.pending = pending;
        let generation = t.timer_gen;
        // Those of `reqsk_queue_hash_req` and `inet_twsk_alloc` are pinned.
        let pinned = matches!(t.state, TcpState::SynRecv | TcpState::TimeWait);
        let base = if pinned { Base::Local } else { Base::Global };
        self.queue.mod_timer_of(base, after, Timer::Tcp { sock: id, kind: TcpTimer::Write, generation });
    }

    pub(crate) fn tcp_disarm(&mut self, id: SockId) {
        let t = self.sock_mut(id).tcb_mut();
        t.timer_gen += 1;
        t.armed = false;
        t.pending = Pending::None;
    }

    /// Waits for late segments, then the connection is forgotten (`tcp_time_wait`).
    pub(crate) fn tcp_time_wait(&mut self, id: SockId) {
        let ns = self.sock(id).ns;
        self.tcp_set_state(id, TcpState::TimeWait);
        self.tcp_arm(id, TIMEWAIT);
        self.ns_mut(ns).mib.inc(M::TcpExtTW);
        self.wake(id);
    }

    /// A FIN was read: its acknowledgment waits for the application to close as well (`tcp_send_delayed_ack`).
    pub(crate) fn tcp_delay_ack(&mut self, id: SockId) {
        self.sock_mut(id).tcb_mut().ack_pending = true;
        self.queue.mod_timer(DELACK, Timer::Tcp { sock: id, kind: TcpTimer::DelAck, generation: 0 });
    }

    /// `tcp_delack_timer`.
    pub(crate) fn tcp_delack_timer(&mut self, id: SockId) {
        if let crate::kernel::socket::SockKind::Tcp(t) = &self.sock(id).kind
            && t.ack_pending
            && t.state != TcpState::Closed
        {
            self.tcp_send_ack(id);
        }
    }

    /// A packet with data left. BBR sends the next one some microseconds later (`tcp_update_skb_after_send`), by which
    /// time everything that this one sets off is through.
    pub(crate) fn tcp_pace(&mut self, id: SockId, segments: u32) {
        let t = self.sock_mut(id).tcb_mut();
        t.data_segs += segments;
        t.paced = t.data_segs >= UNPACED;
    }

    /// `tcp_pacing_check`: says whether to wait, and sets the timer for it.
    pub(crate) fn tcp_pacing_check(&mut self, id: SockId) -> bool {
        let paced = self.sock(id).tcb().paced;
        if paced {
            self.queue.timer(self.queue.now + PACE, Timer::Tcp { sock: id, kind: TcpTimer::Pacing, generation: 0 });
        }
        paced
    }

    /// `tcp_pace_kick`, `tcp_tsq_write`.
    pub(crate) fn tcp_pace_kick(&mut self, id: SockId) {
        let crate::kernel::socket::SockKind::Tcp(t) = &mut self.sock_mut(id).kind else { return };
        if t.state == TcpState::Closed || !std::mem::take(&mut t.paced) {
            return;
        }
        self.tcp_xmit_retransmit_queue(id);
        self.tcp_push(id);
    }

    /// `tcp_retransmit_timer`, `tcp_write_timeout`.
    pub(crate) fn tcp_timer(&mut self, id: SockId, generation: u32) {
        let ns = self.sock(id).ns;
        let crate::kernel::socket::SockKind::Tcp(t) = &self.sock(id).kind else { return };
        if t.timer_gen != generation {
            return;
        }
        let (state, retransmits) = (t.state, t.retransmits);
        self.sock_mut(id).tcb_mut().paced = false;
        let t = self.sock(id).tcb();
        match state {
            TcpState::Closed => return,
            TcpState::TimeWait | TcpState::FinWait2 => return self.tcp_done(id),
            _ => {}
        }
        match t.pending {
            Pending::LossProbe => return self.tcp_send_loss_probe(id),
            Pending::Reorder => return self.tcp_rack_reo_timeout(id),
            Pending::Probe0 => return self.tcp_probe_timer(id),
            Pending::None | Pending::Rto => {}
        }
        if t.snd_una == t.snd_nxt {
            return self.tcp_disarm(id);
        }
        let s = &self.ns(ns).sysctl;
        let linear = s.tcp_syn_linear_timeouts.max(0) as u32;
        let most = match state {
            TcpState::SynSent => s.tcp_syn_retries as u32 + linear,
            TcpState::SynRecv => s.tcp_synack_retries as u32,
            _ => s.tcp_retries2 as u32,
        };
        if retransmits >= most {
            self.ns_mut(ns).mib.inc(M::TcpExtTCPAbortOnTimeout);
            if state == TcpState::SynSent {
                self.ns_mut(ns).mib.inc(M::TcpAttemptFails);
            }
            let e = self.sock(id).tcb().soft.unwrap_or(Errno::ETIMEDOUT);
            return self.tcp_fail(id, e);
        }
        self.ns_mut(ns).mib.inc(M::TcpExtTCPTimeouts);
        if !matches!(state, TcpState::SynSent | TcpState::SynRecv) {
            self.tcp_enter_loss(id);
        }
        let t = self.sock_mut(id).tcb_mut();
        t.retransmits += 1;
        t.total_rto += 1;
        t.rehash = t.rehash.wrapping_add(1);
        // The first repetitions of a SYN come at a steady pace.
        if state != TcpState::SynSent || t.total_rto > linear {
            t.rto = (t.rto * 2).min(RTO_MAX);
        }
        let rto = t.rto;
        self.tcp_retransmit(id);
        let gone =
            !matches!(&self.sock(id).kind, crate::kernel::socket::SockKind::Tcp(t) if t.state != TcpState::Closed);
        if !gone {
            self.tcp_arm(id, rto);
        }
    }
    /// `tcp_check_probe_timer`: where something waits and nothing is under way that would tell when to go on.
    pub(crate) fn tcp_check_probe_timer(&mut self, id: SockId) {
        let t = self.sock(id).tcb();
        if t.waits_to_send() && !t.armed {
            let after = t.probe0_when();
            self.tcp_arm_as(id, after, Pending::Probe0);
        }
    }

    /// `tcp_probe_timer`.
    fn tcp_probe_timer(&mut self, id: SockId) {
        let ns = self.sock(id).ns;
        self.tcp_disarm(id);
        let t = self.sock_mut(id).tcb_mut();
        if !t.waits_to_send() {
            t.probes = 0;
        } else if t.probes >= self.ns(ns).sysctl.tcp_retries2 as u32 {
            let e = self.sock(id).tcb().soft.unwrap_or(Errno::ETIMEDOUT);
            self.tcp_fail(id, e);
        } else {
            self.tcp_send_probe0(id);
        }
    }

    /// `tcp_send_probe0`.
    fn tcp_send_probe0(&mut self, id: SockId) {
        self.tcp_write_wakeup(id);
        let t = self.sock_mut(id).tcb_mut();
        if !t.waits_to_send() {
            t.probes = 0;
            return;
        }
        t.probes += 1;
        let after = t.probe0_when();
        self.tcp_arm_as(id, after, Pending::Probe0);
    }

    /// `tcp_ack_probe`: an acknowledgment of nothing new, while something waits that may have room now.
    pub(crate) fn tcp_ack_probe(&mut self, id: SockId) {
        let t = self.sock_mut(id).tcb_mut();
        if t.pending == Pending::Probe0 {
            t.probes = 0;
            let after = t.probe0_when();
            if t.snd_wnd > 0 {
                self.tcp_disarm(id);
            } else {
                self.tcp_arm_as(id, after, Pending::Probe0);
            }
        }
    }
}

impl Tcb {
    /// `tcp_probe0_when`: how long until the next try, ever longer.
    fn probe0_when(&self) -> Nanos {
        let doubled = 1u64.checked_shl(self.probes).unwrap_or(u64::MAX);
        self.rto.max(RTO_MIN).saturating_mul(doubled).min(RTO_MAX)
    }
}

//! Retransmission and its give-up (net/ipv4/tcp_timer.c).

use super::TcpState;
use super::state::RTO_MAX;
use crate::engine::{HOP_NS, Timer};
use crate::kernel::Kernel;
use crate::kernel::mib::MibItem as M;
use crate::kernel::types::{Errno, MSEC, Nanos, SEC, SockId};
use crate::trace::Recorder;

/// `TCP_DELACK_MIN`.
const DELACK: Nanos = 40 * MSEC;
/// `TCP_TIMEWAIT_LEN`.
const TIMEWAIT: Nanos = 60 * SEC;

impl<R: Recorder> Kernel<R> {
    /// Sets the connection's one timer; an older one no longer counts.
    pub(crate) fn tcp_arm(&mut self, id: SockId, after: Nanos) {
        let t = self.sock_mut(id).tcb_mut();
        t.timer_gen += 1;
        t.armed = true;
        let generation = t.timer_gen;
        // Of the timers of one tick the neighbours' run first, and what they report is read at once.
        let at = self.queue.fires(after) + HOP_NS / 2;
        self.queue.timer(at, Timer::Tcp { sock: id, kind: 0, generation });
    }

    pub(crate) fn tcp_disarm(&mut self, id: SockId) {
        let t = self.sock_mut(id).tcb_mut();
        t.timer_gen += 1;
        t.armed = false;
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
        let at = self.queue.fires(DELACK);
        self.queue.timer(at, Timer::Tcp { sock: id, kind: 1, generation: 0 });
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

    /// `tcp_retransmit_timer`, `tcp_write_timeout`.
    pub(crate) fn tcp_timer(&mut self, id: SockId, generation: u32) {
        let ns = self.sock(id).ns;
        let crate::kernel::socket::SockKind::Tcp(t) = &self.sock(id).kind else { return };
        if t.timer_gen != generation {
            return;
        }
        let (state, retransmits) = (t.state, t.retransmits);
        match state {
            TcpState::Closed => return,
            TcpState::TimeWait | TcpState::FinWait2 => return self.tcp_done(id),
            _ => {}
        }
        if t.snd_una == t.snd_nxt {
            let again = t.waits_to_send() && retransmits < self.ns(ns).sysctl.tcp_retries2 as u32;
            self.tcp_disarm(id);
            if again {
                // `tcp_probe_timer`: what could not be sent is tried again, at ever longer intervals.
                let t = self.sock_mut(id).tcb_mut();
                t.retransmits += 1;
                t.rto = (t.rto * 2).min(RTO_MAX);
                self.tcp_push(id);
            }
            return;
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
        // With more than one segment under way what comes back decides sooner than this timer.
        let one = t.snd_nxt.wrapping_sub(t.snd_una) <= u32::from(t.eff_mss()) + 1;
        if retransmits == 0 && one && !t.probed && t.sack && !matches!(state, TcpState::SynSent | TcpState::SynRecv) {
            // `tcp_send_loss_probe`: the first silence is answered with what was sent last; a timeout comes after it.
            let rto = t.rto;
            self.sock_mut(id).tcb_mut().probed = true;
            self.ns_mut(ns).mib.inc(M::TcpExtTCPLossProbes);
            self.tcp_probe_tail(id);
            return self.tcp_arm(id, rto);
        }
        self.ns_mut(ns).mib.inc(M::TcpExtTCPTimeouts);
        let t = self.sock_mut(id).tcb_mut();
        t.retransmits += 1;
        t.total_rto += 1;
        t.rehash = t.rehash.wrapping_add(1);
        t.cwnd = 1;
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
}

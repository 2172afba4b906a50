//! What to do about loss: RACK, the tail loss probe, fast recovery and the timeout's (net/ipv4/tcp_input.c,
//! tcp_recovery.c, tcp_output.c), with the windows that BBR gives while it lasts (net/ipv4/tcp_bbr.c). Undoing a
//! reduction that was not needed, and the growth of windows beyond slow start, are not modelled.

use super::Tcb;
use super::rtt::RTO_MIN;
use super::rtx::{Delivered, sent_after};
use super::state::before;
use super::timer::Pending;
use crate::kernel::Kernel;
use crate::kernel::mib::MibItem as M;
use crate::kernel::types::{MSEC, Nanos, SockId};
use crate::trace::Recorder;

/// `TCP_TIMEOUT_MIN_US`.
const TIMEOUT_MIN: Nanos = 2 * MSEC;
/// `bbr_cwnd_min_target`.
const CWND_MIN: u32 = 4;

/// `enum tcp_ca_state`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[allow(missing_docs)]
pub enum CaState {
    #[default]
    Open,
    Disorder,
    Recovery,
    Loss,
}

/// What a connection remembers of loss.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// State.
    pub state: CaState,
    /// What was sent when it began (`high_seq`).
    pub high_seq: u32,
    /// The tail loss probe that is out: `snd_nxt` then, and whether it repeated something (`tlp_high_seq`).
    pub probe: Option<(u32, bool)>,
    /// Segments that arrived (`delivered`).
    pub delivered: u32,
    /// Segments that counted as lost (`lost`).
    losses: u32,
    /// The packet sent last of those that arrived, and its round trip (`tp->rack`).
    rack: Option<(Nanos, u32)>,
    rack_rtt: Nanos,
    advanced: bool,
    /// `reord_seen`.
    reordered: bool,
    /// The window before it began, which comes back after it (`bbr->prior_cwnd`).
    prior_cwnd: u32,
    /// One segment out for one in, until this many have arrived (`packet_conservation`, `next_rtt_delivered`).
    conserve: Option<u32>,
    /// The state at the last acknowledgment (`bbr->prev_ca_state`).
    previous: CaState,
    /// A timeout that may turn out to be none: new data is tried first (`frto`).
    frto: bool,
}

/// What an acknowledgment did (`FLAG_…` of tcp_input.c).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AckFlags {
    /// `snd_una` moved (`FLAG_SND_UNA_ADVANCED`).
    pub advanced: bool,
    /// SACK blocks told something new (`FLAG_DATA_SACKED`).
    pub sacked: bool,
    /// Data came with it, or the window changed: no duplicate (`FLAG_DATA | FLAG_WIN_UPDATE`).
    pub news: bool,
    /// The timer begins anew (`FLAG_SET_XMIT_TIMER`).
    pub rearm: bool,
    /// Segments that arrived.
    pub arrived: u32,
    /// `delivered` when the latest of them was sent.
    pub prior: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rexmit {
    None,
    Lost,
    New,
}

impl Tcb {
    /// `tcp_mark_skb_lost`. Says whether that is news.
    fn lose(&mut self, i: usize) -> bool {
        let news = self.rtx.mark_lost(i);
        if news {
            self.recovery.losses += self.rtx.0[i].pcount();
        }
        news
    }
}

impl Recovery {
    /// Is the window that of a repair?
    pub(super) fn repairs(&self) -> bool {
        self.state >= CaState::Recovery || self.previous >= CaState::Recovery
    }
}

impl<R: Recorder> Kernel<R> {
    /// Notes what arrived (`tcp_rack_advance`).
    pub(crate) fn tcp_arrived(&mut self, id: SockId, d: Delivered) {
        let now = self.queue.now;
        let t = self.sock_mut(id).tcb_mut();
        let (r, shortest) = (&mut t.recovery, t.rtt.min());
        r.delivered += d.segments;
        r.reordered |= d.reordered;
        let Some((at, end, ever)) = d.latest else { return };
        let rtt = now - at;
        if r.rack.is_some_and(|k| !sent_after((at, end), k)) || (ever && rtt < shortest) {
            return;
        }
        (r.rack, r.rack_rtt, r.advanced) = (Some((at, end)), rtt, true);
    }

    /// The rest of `tcp_ack`, when the queue is cleaned: probes, loss, the window, what goes out again.
    pub(crate) fn tcp_after_ack(&mut self, id: SockId, ack: u32, mut f: AckFlags) {
        self.tcp_process_tlp_ack(id, ack, f);
        let before_lost = self.sock(id).tcb().recovery.losses;
        let state = self.sock(id).tcb().recovery.state;
        let dubious = !(f.news || f.advanced) || f.sacked || state != CaState::Open;
        let what = if dubious { self.tcp_fastretrans_alert(id, &mut f) } else { Rexmit::None };
        if f.rearm && !self.tcp_schedule_loss_probe(id, true) {
            self.tcp_rearm_rto(id);
        }
        let losses = self.sock(id).tcb().recovery.losses.wrapping_sub(before_lost);
        self.bbr_set_cwnd(id, f, losses);
        if what == Rexmit::New {
            self.tcp_push(id);
            let t = self.sock_mut(id).tcb_mut();
            if before(t.recovery.high_seq, t.snd_nxt) {
                return;
            }
            t.recovery.frto = false;
        }
        if what != Rexmit::None {
            self.tcp_xmit_retransmit_queue(id);
        }
    }

    /// `tcp_process_tlp_ack`.
    fn tcp_process_tlp_ack(&mut self, id: SockId, ack: u32, f: AckFlags) {
        let r = &mut self.sock_mut(id).tcb_mut().recovery;
        let Some((high, repeated)) = r.probe else { return };
        if before(ack, high) {
            return;
        }
        let duplicate = !(f.advanced || f.news || f.sacked);
        if !repeated || before(high, ack) || duplicate {
            r.probe = None;
        }
    }

    /// `tcp_fastretrans_alert`.
    fn tcp_fastretrans_alert(&mut self, id: SockId, f: &mut AckFlags) -> Rexmit {
        let t = self.sock_mut(id).tcb_mut();
        let done = !before(t.snd_una, t.recovery.high_seq);
        if t.recovery.state == CaState::Recovery && done {
            t.recovery.state = CaState::Open;
        }
        match t.recovery.state {
            CaState::Recovery => {
                self.tcp_identify_packet_loss(id, f);
                Rexmit::Lost
            }
            CaState::Loss => {
                let what = self.tcp_process_loss(id, *f, done);
                let again = self.tcp_identify_packet_loss(id, f);
                if self.sock(id).tcb().recovery.state != CaState::Open && !again {
                    return what;
                }
                self.tcp_try_recover(id).unwrap_or(what)
            }
            _ => {
                self.tcp_identify_packet_loss(id, f);
                self.tcp_try_recover(id).unwrap_or(Rexmit::None)
            }
        }
    }

    /// `tcp_time_to_recover`, `tcp_try_to_open`.
    fn tcp_try_recover(&mut self, id: SockId) -> Option<Rexmit> {
        let t = self.sock_mut(id).tcb_mut();
        if t.rtx.lost_out() > 0 {
            self.tcp_enter_recovery(id);
            return Some(Rexmit::Lost);
        }
        let left = t.rtx.sacked_out() + t.rtx.retrans_out() > 0;
        let state = if left { CaState::Disorder } else { CaState::Open };
        if t.recovery.state != state {
            t.recovery.state = state;
            t.recovery.high_seq = t.snd_nxt;
        }
        None
    }

    /// `tcp_enter_recovery`.
    fn tcp_enter_recovery(&mut self, id: SockId) {
        self.bbr_save_cwnd(id);
        let t = self.sock_mut(id).tcb_mut();
        t.recovery.high_seq = t.snd_nxt;
        t.recovery.probe = None;
        t.recovery.state = CaState::Recovery;
    }

    /// `tcp_process_loss`: after a timeout (RFC 5682, RFC 6582).
    fn tcp_process_loss(&mut self, id: SockId, f: AckFlags, done: bool) -> Rexmit {
        let t = self.sock_mut(id).tcb_mut();
        if t.recovery.frto {
            if before(t.recovery.high_seq, t.snd_nxt) {
                if f.sacked || !(f.advanced || f.news) {
                    t.recovery.frto = false;
                }
            } else if f.advanced && !done {
                t.recovery.high_seq = t.snd_nxt;
                let more = t.unsent() > 0 || (t.fin_queued && !t.fin_sent);
                if more && t.snd_nxt.wrapping_sub(t.snd_una) < t.snd_wnd {
                    return Rexmit::New;
                }
                t.recovery.frto = false;
            }
        }
        if done {
            t.recovery.state = CaState::Open;
            return Rexmit::None;
        }
        Rexmit::Lost
    }

    /// `tcp_identify_packet_loss`: says whether something that had been repeated is lost again.
    fn tcp_identify_packet_loss(&mut self, id: SockId, f: &mut AckFlags) -> bool {
        let t = self.sock_mut(id).tcb_mut();
        if !t.sack || !std::mem::take(&mut t.recovery.advanced) {
            return false;
        }
        let before_it = t.rtx.retrans_out();
        let wait = self.tcp_rack_detect_loss(id);
        let t = self.sock(id).tcb();
        let (again, rto) = (before_it > t.rtx.retrans_out(), t.rto);
        if let Some(wait) = wait {
            f.rearm = false;
            self.tcp_arm_as(id, (wait + TIMEOUT_MIN).min(rto), Pending::Reorder);
        }
        again
    }

    /// `tcp_rack_reo_wnd`.
    fn tcp_rack_reo_wnd(&self, id: SockId) -> Nanos {
        let t = self.sock(id).tcb();
        let r = &t.recovery;
        if !r.reordered && (r.state >= CaState::Recovery || t.rtx.sacked_out() >= 3) {
            return 0;
        }
        (t.rtt.min() / 4).min(t.rtt.smoothed().unwrap_or(0))
    }

    /// `tcp_rack_detect_loss`: what was sent before something that arrived, and a round trip ago, is lost. Gives the
    /// time after which more will be.
    fn tcp_rack_detect_loss(&mut self, id: SockId) -> Option<Nanos> {
        let (window, now) = (self.tcp_rack_reo_wnd(id), self.queue.now);
        let t = self.sock_mut(id).tcb_mut();
        let latest = t.recovery.rack?;
        let limit = t.recovery.rack_rtt + window;
        let mut wait = None;
        for i in 0..t.rtx.0.len() {
            let s = &t.rtx.0[i];
            if s.sacked || (s.lost && !s.retrans) || !sent_after(latest, (s.at, s.end)) {
                continue;
            }
            let age = now - s.at;
            if age >= limit {
                t.lose(i);
            } else {
                wait = wait.max(Some(limit - age));
            }
        }
        wait
    }

    /// `tcp_rack_reo_timeout`.
    pub(crate) fn tcp_rack_reo_timeout(&mut self, id: SockId) {
        let prior = self.sock(id).tcb().rtx.in_flight();
        self.tcp_rack_detect_loss(id);
        if prior != self.sock(id).tcb().rtx.in_flight() {
            if self.sock(id).tcb().recovery.state != CaState::Recovery {
                self.tcp_enter_recovery(id);
            }
            self.tcp_xmit_retransmit_queue(id);
        }
        if self.sock(id).tcb().pending != Pending::Rto {
            self.tcp_rearm_rto(id);
        }
    }

    /// `tcp_schedule_loss_probe`: says whether the timer is the probe's now.
    pub(crate) fn tcp_schedule_loss_probe(&mut self, id: SockId, from_now: bool) -> bool {
        let t = self.sock(id).tcb();
        let out = t.rtx.packets_out();
        if out == 0 || !t.sack || t.recovery.state != CaState::Open {
            return false;
        }
        let left = self.tcp_rto_left(id, from_now);
        let wait = match (t.rtt.smoothed(), out) {
            (None, _) => crate::kernel::types::SEC,
            (Some(rtt), 1) => 2 * rtt + RTO_MIN,
            (Some(rtt), _) => 2 * rtt + TIMEOUT_MIN,
        };
        self.tcp_arm_as(id, wait.min(left), Pending::LossProbe);
        true
    }

    /// `tcp_rto_delta_us`: until the oldest has waited for a whole timeout.
    fn tcp_rto_left(&self, id: SockId, from_now: bool) -> Nanos {
        let t = self.sock(id).tcb();
        match t.rtx.0.front() {
            Some(s) if !from_now => (s.at + t.rto).saturating_sub(self.queue.now).max(1),
            _ => t.rto,
        }
    }

    /// `tcp_rearm_rto`.
    pub(crate) fn tcp_rearm_rto(&mut self, id: SockId) {
        let t = self.sock(id).tcb();
        if t.rtx.0.is_empty() {
            return self.tcp_disarm(id);
        }
        let offset = matches!(t.pending, Pending::LossProbe | Pending::Reorder);
        let after = self.tcp_rto_left(id, !offset);
        self.tcp_arm(id, after);
    }

    /// `tcp_send_loss_probe`: new data where there is some, else the end of what is under way again.
    pub(crate) fn tcp_send_loss_probe(&mut self, id: SockId) {
        let ns = self.sock(id).ns;
        let repeated = self.sock(id).tcb().recovery.probe.is_none().then(|| self.tcp_probe(id)).flatten();
        if let Some(repeated) = repeated {
            self.ns_mut(ns).mib.inc(M::TcpExtTCPLossProbes);
            let t = self.sock_mut(id).tcb_mut();
            t.recovery.probe = Some((t.snd_nxt, repeated));
            t.pending = Pending::None;
        }
        self.tcp_rearm_rto(id);
    }

    /// Sends the probe; says whether it repeats something, nothing where it could not be sent.
    fn tcp_probe(&mut self, id: SockId) -> Option<bool> {
        let t = self.sock(id).tcb();
        let data = t.unsent() > 0;
        if (data && t.snd_nxt.wrapping_sub(t.snd_una) < t.snd_wnd) || (!data && t.fin_queued && !t.fin_sent) {
            return self.tcp_write_xmit(id, true).then_some(false);
        }
        let last = t.rtx.0.len().checked_sub(1)?;
        let s = &t.rtx.0[last];
        let keep = (s.pcount() as usize - 1) * usize::from(t.eff_mss());
        let cut = keep > 0 && s.len() > keep;
        if self.tcp_still_queued(id) {
            return None;
        }
        let i = last + usize::from(cut);
        if cut {
            self.sock_mut(id).tcb_mut().rtx.split(last, keep);
        }
        self.tcp_resend(id, i, 1).then_some(true)
    }

    /// `tcp_enter_loss`: a timeout.
    pub(crate) fn tcp_enter_loss(&mut self, id: SockId) {
        let now = self.queue.now;
        self.bbr_save_cwnd(id);
        let t = self.sock_mut(id).tcb_mut();
        let fresh = t.recovery.state < CaState::Recovery;
        let limit = t.recovery.rack_rtt;
        let rack = t.sack && t.recovery.rack.is_some();
        for i in 0..t.rtx.0.len() {
            // What was sent just now may still arrive (`tcp_timeout_mark_lost`).
            let s = &t.rtx.0[i];
            if i > 0 && rack && now - s.at < limit {
                continue;
            }
            t.lose(i);
        }
        t.cwnd = t.rtx.in_flight() + 1;
        let r = &mut t.recovery;
        (r.state, r.high_seq, r.probe) = (CaState::Loss, t.snd_nxt, None);
        r.previous = CaState::Loss;
        r.frto = fresh || t.retransmits > 0;
    }

    /// `tcp_simple_retransmit`: what is too big for the path now is lost.
    pub(crate) fn tcp_simple_retransmit(&mut self, id: SockId) {
        let t = self.sock_mut(id).tcb_mut();
        let mss = usize::from(t.eff_mss());
        let mut any = false;
        for i in 0..t.rtx.0.len() {
            let s = &t.rtx.0[i];
            any |= s.len().min(usize::from(s.mss)) > mss && t.lose(i);
        }
        if !any {
            return;
        }
        if t.recovery.state != CaState::Loss {
            t.recovery.high_seq = t.snd_nxt;
            t.recovery.state = CaState::Loss;
        }
        self.tcp_xmit_retransmit_queue(id);
    }

    /// `tcp_xmit_retransmit_queue`.
    pub(crate) fn tcp_xmit_retransmit_queue(&mut self, id: SockId) {
        let mut rearm = false;
        let mut i = 0;
        loop {
            let t = self.sock(id).tcb();
            let room = t.cwnd.saturating_sub(t.rtx.in_flight());
            if i >= t.rtx.0.len() || room == 0 || t.rtx.retrans_out() >= t.rtx.lost_out() {
                break;
            }
            let s = &t.rtx.0[i];
            if s.lost && !s.sacked && !s.retrans {
                if self.tcp_pacing_check(id) || self.tcp_still_queued(id) || !self.tcp_retransmit_skb(id, i, room) {
                    break;
                }
                rearm |= i == 0 && self.sock(id).tcb().pending != Pending::Reorder;
            }
            i += 1;
        }
        if rearm {
            let rto = self.sock(id).tcb().rto;
            self.tcp_arm(id, rto);
        }
    }

    /// `bbr_save_cwnd`.
    fn bbr_save_cwnd(&mut self, id: SockId) {
        let t = self.sock_mut(id).tcb_mut();
        let saved = if t.recovery.previous < CaState::Recovery { 0 } else { t.recovery.prior_cwnd };
        t.recovery.prior_cwnd = saved.max(t.cwnd);
    }

    /// `bbr_set_cwnd`, `bbr_set_cwnd_to_recover_or_restore`.
    fn bbr_set_cwnd(&mut self, id: SockId, f: AckFlags, losses: u32) {
        let t = self.sock_mut(id).tcb_mut();
        let r = &mut t.recovery;
        let lossy = losses > 0 || r.state >= CaState::Recovery || r.previous >= CaState::Recovery;
        if !lossy || f.arrived == 0 {
            return;
        }
        // `bbr_update_bw`: a round trip is over.
        if r.conserve.is_some_and(|until| f.prior >= until) {
            r.conserve = None;
        }
        let mut cwnd = t.cwnd.saturating_sub(losses).max(1);
        let flying = t.rtx.in_flight();
        if r.state == CaState::Recovery && r.previous != CaState::Recovery {
            r.conserve = Some(r.delivered);
            cwnd = flying + f.arrived;
        } else if r.previous >= CaState::Recovery && r.state < CaState::Recovery {
            cwnd = cwnd.max(r.prior_cwnd);
            r.conserve = None;
        }
        r.previous = r.state;
        t.cwnd = match r.conserve {
            Some(_) => cwnd.max(flying + f.arrived),
            None => (cwnd + f.arrived).max(CWND_MIN),
        };
    }
}

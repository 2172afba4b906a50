//! Sending segments (net/ipv4/tcp_output.c).

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::rtx::Segment;
use super::state::{WSCALE, before};
use super::timer::Pending;
use super::{Tcb, TcpState};
use crate::kernel::Kernel;
use crate::kernel::ip::IpMeta;
use crate::kernel::mib::MibItem as M;
use crate::kernel::route::{Dst, OutputKey};
use crate::kernel::types::{Errno, MSEC, Nanos, NetnsId, SockId};
use crate::trace::Recorder;
use crate::trace::event::Birth;
use crate::wire::{L4, PacketId, Tcp, TcpFlags, TcpOpts};

/// Largest super-packet that is handed down in one piece (`sk_gso_max_size`).
const GSO_MAX: usize = 65_000;

impl<R: Recorder> Kernel<R> {
    /// Largest segment for a route: `advmss`, or what fits the path (`tcp_mtu_to_mss`).
    pub(crate) fn tcp_mss(&self, rt: &Dst) -> u16 {
        let mtu = self.dst_mtu(rt).saturating_sub(40).min(65_495) as u16;
        rt.advmss.map_or(mtu, |a| mtu.min(a as u16)).max(48)
    }

    /// Clock of the timestamps, in milliseconds, at an offset of the connection's own.
    fn tcp_ts(&self, t: &Tcb) -> u32 {
        (self.queue.now / MSEC) as u32 ^ t.iss.rotate_left(7)
    }

    pub(crate) fn tcp_route(&mut self, id: SockId) -> Result<Dst, Errno> {
        let s = self.sock(id);
        let key = OutputKey {
            src: s.local,
            oif: s.dev,
            mark: s.opts.mark,
            tos: s.opts.tos & 0x1e,
            ports: (s.lport, s.rport),
            ..OutputKey::to(s.remote, 6)
        };
        let ns = s.ns;
        self.ip_route_output(ns, key, None)
    }

    /// Sends one segment of a connection (`__tcp_transmit_skb`).
    fn tcp_transmit(&mut self, id: SockId, seq: u32, flags: TcpFlags, payload: Bytes, why: Birth) -> Result<(), Errno> {
        let rt = self.tcp_route(id).inspect_err(|_| {
            // `__ip_queue_xmit`, and of a half-open connection `inet_csk_route_req`.
            let ns = self.sock(id).ns;
            self.ns_mut(ns).mib.inc(M::IpOutNoRoutes);
        })?;
        let s = self.sock(id);
        let (ns, opts, dst, sport, dport) = (s.ns, s.opts, s.remote, s.lport, s.rport);
        let t = s.tcb();
        let syn = flags.contains(TcpFlags::SYN);
        let sys = &self.ns(ns).sysctl;
        let echo = if flags.contains(TcpFlags::ACK) { t.ts_recent } else { 0 };
        let mut o = TcpOpts { ts: t.ts.then(|| (self.tcp_ts(t), echo)), ..Default::default() };
        if syn {
            o.mss = Some(t.advmss);
            o.sack_perm = t.sack && sys.tcp_sack != 0;
            let answering = flags.contains(TcpFlags::ACK);
            let scale = if answering { t.peer_wscale.is_some() } else { sys.tcp_window_scaling != 0 };
            o.wscale = scale.then_some(WSCALE);
        }
        let window = match (syn, flags.contains(TcpFlags::RST)) {
            (_, true) => 0,
            (true, _) => first_window(t, flags.contains(TcpFlags::ACK)),
            _ => t.window(),
        };
        if t.sack && !syn && !flags.contains(TcpFlags::RST) {
            let room = if t.ts { 3 } else { 4 };
            o.sack = self.sock_mut(id).tcb_mut().ofo.blocks(room);
        }
        let t = self.sock(id).tcb();
        let mss = t.eff_mss();
        let gso = if payload.len() > usize::from(mss) { mss } else { 0 };
        let ack = if flags.contains(TcpFlags::ACK) { t.rcv_nxt } else { 0 };
        let tcp = Tcp { sport, dport, seq, ack, flags, window, opts: o, payload };
        let m = {
            let t = self.sock_mut(id).tcb_mut();
            t.ack_pending = false;
            t.ip_id = t.ip_id.wrapping_add(1);
            let ip_id = t.ip_id;
            IpMeta {
                tos: opts.tos,
                ttl: opts.ttl,
                df: true,
                id: ip_id,
                mark: opts.mark,
                sock: id.0 + 1,
                ct: None,
                parent: None,
                why,
            }
        };
        let mib = &mut self.ns_mut(ns).mib;
        mib.inc(M::TcpOutSegs);
        if std::mem::take(&mut self.sock_mut(id).tcb_mut().confirms) {
            self.neigh_confirm(rt.dev, rt.gateway.unwrap_or(dst));
        }
        self.ip_local_out(ns, &rt, dst, L4::Tcp(tcp), gso, m)
    }

    pub(crate) fn tcp_send_syn(&mut self, id: SockId) -> bool {
        let t = self.sock(id).tcb();
        let (iss, first) = (t.iss, t.retransmits == 0);
        let flags = if t.state == TcpState::SynRecv { TcpFlags::SYN | TcpFlags::ACK } else { TcpFlags::SYN };
        let why = if first { Birth::Sent } else { Birth::Retransmit };
        let at = self.queue.now;
        let t = self.sock_mut(id).tcb_mut();
        (t.syns, t.syn_at) = (t.syns + 1, at);
        self.tcp_send_or_note(id, iss, flags, Bytes::new(), why)
    }

    /// A segment that cannot be sent at all counts as lost. Says whether it was sent.
    pub(crate) fn tcp_send_or_note(
        &mut self,
        id: SockId,
        seq: u32,
        flags: TcpFlags,
        payload: Bytes,
        why: Birth,
    ) -> bool {
        if let Err(e) = self.tcp_transmit(id, seq, flags, payload, why) {
            let ns = self.sock(id).ns;
            if e != Errno::EPERM {
                // A hook's refusal is like a loss; no way is remembered until the connection gives up.
                self.sock_mut(id).tcb_mut().soft = Some(e);
            }
            // `tcp_rtx_synack` does not count what fails.
            if why == Birth::Retransmit && self.sock(id).tcb().state != TcpState::SynRecv {
                self.ns_mut(ns).mib.inc(M::TcpExtTCPRetransFail);
            }
            return false;
        }
        true
    }

    /// A bare acknowledgment.
    pub(crate) fn tcp_send_ack(&mut self, id: SockId) {
        let seq = self.sock(id).tcb().snd_nxt;
        self.tcp_send_or_note(id, seq, TcpFlags::ACK, Bytes::new(), Birth::Answer);
    }

    /// `tcp_send_active_reset`.
    pub(crate) fn tcp_send_active_reset(&mut self, id: SockId) {
        let ns = self.sock(id).ns;
        let seq = self.sock(id).tcb().snd_nxt;
        self.ns_mut(ns).mib.inc(M::TcpOutRsts);
        self.tcp_send_or_note(id, seq, TcpFlags::RST | TcpFlags::ACK, Bytes::new(), Birth::Sent);
    }

    /// `tcp_push_pending_frames`: sends what windows allow, then the FIN, and sets the timer for it.
    pub(crate) fn tcp_push(&mut self, id: SockId) {
        if self.tcp_write_xmit(id, false) {
            self.tcp_schedule_loss_probe(id, false);
        }
        if can_send(self.sock(id).tcb().state) {
            self.tcp_check_probe_timer(id);
        }
    }

    /// `tcp_write_wakeup`: tries the head of the queue again, with PSH from now on, or where the window is closed asks
    /// for it.
    pub(crate) fn tcp_write_wakeup(&mut self, id: SockId) {
        let ns = self.sock(id).ns;
        let t = self.sock_mut(id).tcb_mut();
        if t.snd_wnd > 0 {
            t.pushed = Some(t.snd_nxt);
            self.tcp_write_xmit(id, true);
        } else {
            // `tcp_xmit_probe_skb`: a sequence number that was acknowledged, for an answer.
            let seq = t.snd_una.wrapping_sub(1);
            self.ns_mut(ns).mib.inc(M::TcpExtTCPWinProbe);
            self.tcp_send_or_note(id, seq, TcpFlags::ACK, Bytes::new(), Birth::Sent);
        }
    }

    /// `tcp_write_xmit`; for a loss probe one segment, whatever the congestion window. Says whether something left.
    pub(crate) fn tcp_write_xmit(&mut self, id: SockId, probe: bool) -> bool {
        let mut any = false;
        while let Some((seq, data, flags)) = self.sock(id).tcb().next_to_send(probe, self.queue.now) {
            if self.tcp_pacing_check(id) {
                break;
            }
            let fin = flags.contains(TcpFlags::FIN);
            let n = data.len();
            let t = self.sock_mut(id).tcb_mut();
            let end = seq.wrapping_add(n as u32);
            if !n.is_multiple_of(usize::from(t.eff_mss())) {
                t.snd_sml = end;
            }
            let (mss, delivered) = (t.eff_mss(), t.recovery.delivered);
            t.fin_sent |= fin;
            t.snd_nxt = end.wrapping_add(u32::from(fin));
            let end = t.snd_nxt;
            let ns = self.sock(id).ns;
            if n > 0 {
                self.ns_mut(ns).mib.inc(M::TcpExtTCPOrigDataSent);
            }
            if !self.tcp_send_or_note(id, seq, flags, data, Birth::Sent) {
                // It stays in the queue, unsent; the probe timer tries again.
                let t = self.sock_mut(id).tcb_mut();
                t.snd_nxt = seq;
                t.fin_sent &= !fin;
                break;
            }
            let at = self.queue.now;
            let t = self.sock_mut(id).tcb_mut();
            let first = t.rtx.0.is_empty();
            let s = Segment {
                seq,
                end,
                flags,
                mss,
                at,
                delivered,
                sacked: false,
                lost: false,
                retrans: false,
                ever: false,
            };
            let segments = if n > 0 { s.pcount() } else { 0 };
            t.rtx.0.push_back(s);
            self.tcp_pace(id, segments);
            let t = self.sock(id).tcb();
            // `tcp_event_new_data_sent`.
            if first || t.pending == Pending::LossProbe {
                self.tcp_rearm_rto(id);
            }
            any = true;
            if probe {
                break;
            }
            if self.sock(id).tcb().backlog.is_some() {
                self.do_softirq();
            }
        }
        any
    }

    /// Repeats what is oldest (`tcp_retransmit_skb`).
    pub(crate) fn tcp_retransmit(&mut self, id: SockId) {
        let ns = self.sock(id).ns;
        let t_state = self.sock(id).tcb().state;
        // What was sent before still waits for the neighbour (`skb_still_in_host_queue`). A half-open connection keeps
        // no packet: each answer is made anew (`tcp_rtx_synack`).
        if t_state != TcpState::SynRecv && self.tcp_still_queued(id) {
            return;
        }
        match t_state {
            TcpState::SynSent | TcpState::SynRecv => {
                let half = t_state == TcpState::SynRecv;
                let sent = self.tcp_send_syn(id);
                // `tcp_rtx_synack` counts what it sent, `__tcp_retransmit_skb` what it means to send.
                if sent || !half {
                    self.ns_mut(ns).mib.inc(M::TcpRetransSegs);
                    self.ns_mut(ns).mib.inc(M::TcpExtTCPSynRetrans);
                } else {
                    // `reqsk_timer_handler`: a half-open connection whose answer cannot be sent is given up.
                    self.tcp_done(id);
                }
                return;
            }
            _ => {}
        }
        if !self.sock(id).tcb().rtx.0.is_empty() {
            self.tcp_retransmit_skb(id, 0, 1);
        }
    }

    /// `tcp_retransmit_skb`: so many segments of a packet again. Says whether they left.
    pub(crate) fn tcp_retransmit_skb(&mut self, id: SockId, i: usize, segs: u32) -> bool {
        let left = self.tcp_resend(id, i, segs);
        if left && let Some(s) = self.sock_mut(id).tcb_mut().rtx.0.get_mut(i) {
            s.retrans = true;
        }
        left
    }

    /// `__tcp_retransmit_skb`.
    pub(crate) fn tcp_resend(&mut self, id: SockId, i: usize, segs: u32) -> bool {
        let t = self.sock_mut(id).tcb_mut();
        let mss = t.eff_mss();
        if i >= t.rtx.0.len() {
            return false;
        }
        let most = usize::from(mss) * segs as usize;
        if t.rtx.0[i].len() > most {
            t.rtx.split(i, most);
        } else {
            t.rtx.collapse(i, usize::from(mss));
        }
        let delivered = t.recovery.delivered;
        let s = &mut t.rtx.0[i];
        s.mss = mss;
        let (seq, flags, n, count) = (s.seq, s.flags, s.len(), s.pcount());
        let data = t.slice(seq.wrapping_sub(t.snd_una) as usize, n);
        let ns = self.sock(id).ns;
        self.ns_mut(ns).mib.add(M::TcpRetransSegs, u64::from(count));
        if !self.tcp_send_or_note(id, seq, flags, data, Birth::Retransmit) {
            return false;
        }
        let now = self.queue.now;
        if let Some(s) = self.sock_mut(id).tcb_mut().rtx.0.get_mut(i) {
            (s.at, s.delivered, s.ever) = (now, delivered, true);
        }
        self.tcp_pace(id, if n > 0 { count } else { 0 });
        true
    }

    pub(crate) fn tcp_still_queued(&mut self, id: SockId) -> bool {
        let Ok(rt) = self.tcp_route(id) else { return false };
        let s = self.sock(id);
        let (sport, dport, dst) = (s.lport, s.rport, s.remote);
        let mine = |p: &crate::wire::Packet| {
            p.ipv4()
                .is_some_and(|ip| ip.dst == dst && matches!(&ip.l4, L4::Tcp(t) if t.sport == sport && t.dport == dport))
        };
        self.neigh_holds(rt.dev, rt.gateway.unwrap_or(dst), mine)
    }

    /// `tcp_v4_send_reset`: nobody wants this segment.
    pub(crate) fn tcp_send_reset(&mut self, ns: NetnsId, to: (Ipv4Addr, Ipv4Addr), t: &Tcp, parent: PacketId) {
        if t.flags.contains(TcpFlags::RST) {
            return;
        }
        let (src, dst) = to;
        let key = OutputKey { src: dst, ports: (t.dport, t.sport), ..OutputKey::to(src, 6) };
        // Counted whether there is a way back or not: `ip_send_unicast_reply` tells nobody.
        let mib = &mut self.ns_mut(ns).mib;
        mib.inc(M::TcpOutSegs);
        mib.inc(M::TcpOutRsts);
        let Ok(rt) = self.ip_route_output(ns, key, None) else { return };
        let (seq, ack, flags) = if t.flags.contains(TcpFlags::ACK) {
            (t.ack, 0, TcpFlags::RST)
        } else {
            (0, t.seq.wrapping_add(t.seq_len()), TcpFlags::RST | TcpFlags::ACK)
        };
        let rst = Tcp {
            sport: t.dport,
            dport: t.sport,
            seq,
            ack,
            flags,
            window: 0,
            opts: TcpOpts::default(),
            payload: Bytes::new(),
        };
        let _ = self.ip_local_out(ns, &rt, src, L4::Tcp(rst), 0, IpMeta { df: true, ..IpMeta::answer(parent) });
    }
}

/// Window of a SYN (`tcp_select_initial_window`): half of `tcp_rmem`, a whole number of segments.
fn first_window(t: &Tcb, answering: bool) -> u16 {
    const SPACE: u32 = 65_536;
    // Only who answers knows whether there will be time stamps.
    let options = if answering && t.ts { 12 } else { 0 };
    let mss = u32::from(t.advmss).saturating_sub(options).max(1);
    (SPACE / mss * mss).min(65_535) as u16
}

impl Tcb {
    /// What leaves next: where it begins, data, flags.
    fn next_to_send(&self, probe: bool, now: Nanos) -> Option<(u32, Bytes, TcpFlags)> {
        if !can_send(self.state) || self.fin_sent {
            return None;
        }
        let seq = self.snd_nxt;
        let flying = seq.wrapping_sub(self.snd_una) as usize;
        let left = self.unsent();
        // `tcp_cwnd_test`: at most half the window at once.
        let free = self.cwnd.saturating_sub(self.rtx.in_flight());
        let quota = if probe { 1 } else { free.min((self.cwnd / 2).max(1)) } as usize;
        if quota == 0 {
            return None;
        }
        let mut flags = TcpFlags::ACK;
        let pushed = self.pushed == Some(seq);
        if left == 0 {
            flags.set(TcpFlags::PSH, pushed);
            flags.set(TcpFlags::FIN, true);
            return self.fin_queued.then(|| (seq, Bytes::new(), flags));
        }
        let room = (self.snd_wnd as usize).saturating_sub(flying).min(quota * usize::from(self.eff_mss()));
        if room == 0 {
            return None;
        }
        if !probe && self.tso_should_defer(free, left, flying, now) {
            return None;
        }
        let n = split_point(self, left, room, flying, probe)?;
        // A super-packet always has PSH, so that the receiver's GRO lets go of it.
        flags.set(TcpFlags::PSH, pushed || n == left || n > usize::from(self.eff_mss()));
        // A FIN goes with the data that still waits (`tcp_send_fin`).
        flags.set(TcpFlags::FIN, n == left && self.fin_queued);
        Some((seq, self.slice(flying, n), flags))
    }
}

impl Tcb {
    /// `tcp_tso_should_defer`: what is less than a third of the window waits, while something is under way that was sent
    /// just now, for an acknowledgment to make it more.
    fn tso_should_defer(&self, free: u32, left: usize, flying: usize, now: Nanos) -> bool {
        let mss = usize::from(self.eff_mss());
        let recent = self.rtx.0.back().is_some_and(|s| now <= s.at + MSEC);
        if left <= mss || !recent || self.recovery.repairs() {
            return false;
        }
        let window = self.snd_wnd as usize;
        let limit = window.saturating_sub(flying).min(free as usize * mss);
        let third = window.min(self.cwnd as usize * mss) / 3;
        limit < third && (limit <= left || !self.fin_queued)
    }
}

/// `tcp_mss_split_point`, `tcp_nagle_test`: how much of what is left may leave now. Full segments always; a short
/// last one unless another short one is still under way, and with its FIN in any case.
fn split_point(t: &Tcb, left: usize, room: usize, flying: usize, probe: bool) -> Option<usize> {
    let mss = usize::from(t.eff_mss());
    let most = left.min(room).min(GSO_MAX);
    if most < left {
        let full = most - most % mss;
        return if full > 0 { Some(full) } else { (flying == 0).then_some(most) };
    }
    let short_under_way = flying > 0 && before(t.snd_una, t.snd_sml) && !before(t.snd_nxt, t.snd_sml);
    let partial = left % mss;
    if partial == 0 || !short_under_way || probe || (t.fin_queued && left < mss) {
        return Some(left);
    }
    (left > partial).then_some(left - partial)
}

fn can_send(s: TcpState) -> bool {
    matches!(
        s,
        TcpState::Established | TcpState::CloseWait | TcpState::FinWait1 | TcpState::LastAck | TcpState::Closing
    )
}

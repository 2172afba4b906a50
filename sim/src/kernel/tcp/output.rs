//! Sending segments (net/ipv4/tcp_output.c).

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::state::{WSCALE, before};
use super::{Tcb, TcpState};
use crate::kernel::Kernel;
use crate::kernel::ip::IpMeta;
use crate::kernel::mib::MibItem as M;
use crate::kernel::route::{Dst, OutputKey};
use crate::kernel::types::{Errno, MSEC, NetnsId, SockId};
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
        let rt = self.tcp_route(id)?;
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
        } else if t.sack && !flags.contains(TcpFlags::RST) {
            // What came out of order: data, or a FIN behind a gap.
            let data = t.ooo.iter().next().map(|(seq, b)| (*seq, seq.wrapping_add(b.len() as u32)));
            let fin = t.fin_at.filter(|f| before(t.rcv_nxt, *f)).map(|f| (f, f.wrapping_add(1)));
            o.sack = data.or(fin);
        }
        let window = match (syn, flags.contains(TcpFlags::RST)) {
            (_, true) => 0,
            (true, _) if flags.contains(TcpFlags::ACK) => 65_160,
            (true, _) => 64_240,
            _ => t.window(),
        };
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
        self.ip_local_out(ns, &rt, dst, L4::Tcp(tcp), gso, m)
    }

    pub(crate) fn tcp_send_syn(&mut self, id: SockId) -> bool {
        let t = self.sock(id).tcb();
        let (iss, first) = (t.iss, t.retransmits == 0);
        let flags = if t.state == TcpState::SynRecv { TcpFlags::SYN | TcpFlags::ACK } else { TcpFlags::SYN };
        let why = if first { Birth::Sent } else { Birth::Retransmit };
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
            if why == Birth::Retransmit {
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

    /// `tcp_write_xmit`: sends what windows allow, then the FIN.
    pub(crate) fn tcp_push(&mut self, id: SockId) {
        loop {
            let t = self.sock(id).tcb();
            if !can_send(t.state) {
                return;
            }
            let flying = t.snd_nxt.wrapping_sub(t.snd_una);
            let flying = if t.fin_sent { flying - 1 } else { flying } as usize;
            let left = t.send_len - flying.min(t.send_len);
            let cwnd = t.cwnd as usize * usize::from(t.eff_mss());
            let room = cwnd.min(t.snd_wnd as usize).saturating_sub(flying);
            if left == 0 || room == 0 {
                break;
            }
            let Some(n) = split_point(t, left, room, flying) else { break };
            let seq = t.snd_nxt;
            let data = t.slice(flying, n);
            let mut flags = TcpFlags::ACK;
            // A super-packet always has PSH, so that the receiver's GRO lets go of it.
            flags.set(TcpFlags::PSH, n == left || n > usize::from(t.eff_mss()));
            // A FIN goes with the data that still waits (`tcp_send_fin`).
            let fin = n == left && t.fin_queued && !t.fin_sent;
            flags.set(TcpFlags::FIN, fin);
            let end = seq.wrapping_add(n as u32);
            let t = self.sock_mut(id).tcb_mut();
            if !n.is_multiple_of(usize::from(t.eff_mss())) {
                t.snd_sml = end;
            }
            t.fin_sent |= fin;
            t.snd_nxt = end.wrapping_add(u32::from(fin));
            let ns = self.sock(id).ns;
            self.ns_mut(ns).mib.inc(M::TcpExtTCPOrigDataSent);
            let t = self.sock_mut(id).tcb_mut();
            t.sent.push_back((seq, n as u32, flags));
            if !self.tcp_send_or_note(id, seq, flags, data, Birth::Sent) {
                // It stays in the queue, unsent (`tcp_write_xmit`); the probe timer tries again.
                let t = self.sock_mut(id).tcb_mut();
                t.snd_nxt = seq;
                t.sent.pop_back();
                t.fin_sent &= !fin;
                break;
            }
            if n < left && self.sock(id).tcb().backlog.is_some() {
                self.do_softirq();
            }
        }
        let t = self.sock(id).tcb();
        let flying = t.snd_nxt.wrapping_sub(t.snd_una) as usize;
        // While a loss is being repaired one segment may be under way: the FIN waits for its acknowledgment.
        let repairing = t.retransmits > 0 && flying > 0;
        if t.fin_queued && !t.fin_sent && flying >= t.send_len && !repairing {
            let seq = t.snd_nxt;
            let t = self.sock_mut(id).tcb_mut();
            t.fin_sent = true;
            t.snd_nxt = seq.wrapping_add(1);
            if !self.tcp_send_or_note(id, seq, TcpFlags::FIN | TcpFlags::ACK, Bytes::new(), Birth::Sent) {
                let t = self.sock_mut(id).tcb_mut();
                t.snd_nxt = seq;
                t.fin_sent = false;
            }
        }
        let t = self.sock(id).tcb();
        if (t.snd_una != t.snd_nxt || t.waits_to_send()) && !t.armed {
            let rto = t.rto;
            self.tcp_arm(id, rto);
        }
    }

    /// Repeats what is oldest (`tcp_retransmit_skb`).
    pub(crate) fn tcp_retransmit(&mut self, id: SockId) {
        let ns = self.sock(id).ns;
        if self.tcp_still_queued(id) {
            // What was sent before still waits for the neighbour (`skb_still_in_host_queue`).
            return;
        }
        self.ns_mut(ns).mib.inc(M::TcpRetransSegs);
        let t = self.sock(id).tcb();
        let t_state = t.state;
        match t_state {
            TcpState::SynSent | TcpState::SynRecv => {
                self.ns_mut(ns).mib.inc(M::TcpExtTCPSynRetrans);
                let half = t_state == TcpState::SynRecv;
                if !self.tcp_send_syn(id) && half {
                    // `reqsk_timer_handler`: a half-open connection whose answer cannot be sent is given up.
                    self.tcp_done(id);
                }
                return;
            }
            _ => {}
        }
        let sent = t.snd_nxt.wrapping_sub(t.snd_una) as usize;
        let n = t.send_len.min(sent).min(usize::from(t.eff_mss()));
        let (seq, whole) = (t.snd_una, n == t.send_len);
        if n > 0 {
            let data = t.slice(0, n);
            let flags = if whole { TcpFlags::ACK | TcpFlags::PSH } else { TcpFlags::ACK };
            self.tcp_send_or_note(id, seq, flags, data, Birth::Retransmit);
        } else if t.fin_sent {
            self.tcp_send_or_note(id, seq, TcpFlags::FIN | TcpFlags::ACK, Bytes::new(), Birth::Retransmit);
        }
    }

    /// Repeats the last segment.
    pub(crate) fn tcp_probe_tail(&mut self, id: SockId) {
        if self.tcp_still_queued(id) {
            return;
        }
        let ns = self.sock(id).ns;
        self.ns_mut(ns).mib.inc(M::TcpRetransSegs);
        let t = self.sock(id).tcb();
        let sent = t.snd_nxt.wrapping_sub(t.snd_una) as usize - usize::from(t.fin_sent);
        let n = sent.min(usize::from(t.eff_mss()));
        if t.fin_sent && n == 0 {
            let seq = t.snd_una;
            self.tcp_send_or_note(id, seq, TcpFlags::FIN | TcpFlags::ACK, Bytes::new(), Birth::Retransmit);
            return;
        }
        let (seq, data) = (t.snd_una.wrapping_add((sent - n) as u32), t.slice(sent - n, n));
        self.tcp_send_or_note(id, seq, TcpFlags::ACK | TcpFlags::PSH, data, Birth::Retransmit);
    }

    fn tcp_still_queued(&mut self, id: SockId) -> bool {
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

/// `tcp_mss_split_point`, `tcp_nagle_test`: how much of what is left may leave now. Full segments always; a short
/// last one unless another short one is still under way, and with its FIN in any case.
fn split_point(t: &Tcb, left: usize, room: usize, flying: usize) -> Option<usize> {
    let mss = usize::from(t.eff_mss());
    // `tcp_cwnd_test`: at most half the window at once.
    let half = usize::try_from(t.cwnd / 2).unwrap_or(usize::MAX).max(1) * mss;
    let most = left.min(room).min(GSO_MAX).min(half);
    if most < left {
        let full = most - most % mss;
        return if full > 0 { Some(full) } else { (flying == 0).then_some(most) };
    }
    let short_under_way = flying > 0 && before(t.snd_una, t.snd_sml) && !before(t.snd_nxt, t.snd_sml);
    let partial = left % mss;
    if partial == 0 || !short_under_way || (t.fin_queued && left < mss) {
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

//! What an acknowledgment says, and the data that comes with it (`tcp_ack`, `tcp_data_queue` of net/ipv4/tcp_input.c).

use super::TcpState;
use super::recovery::AckFlags;
use super::state::{TCP_INIT_CWND, Tcb, before};
use crate::kernel::Kernel;
use crate::kernel::mib::MibItem as M;
use crate::kernel::types::{DevId, NetnsId, SEC, SockId};
use crate::trace::{DropReason, Recorder};
use crate::wire::{Packet, Tcp, TcpFlags};

impl<R: Recorder> Kernel<R> {
    /// `tcp_ack`. Says whether the segment may be read on.
    pub(super) fn tcp_ack(&mut self, ns: NetnsId, id: SockId, t: &Tcp) -> bool {
        let b = self.sock_mut(id).tcb_mut();
        if before(b.snd_nxt, t.ack) {
            if b.state == TcpState::SynRecv {
                return false;
            }
            self.tcp_send_ack(id);
            return false;
        }
        b.paced = false;
        let mut f = AckFlags { news: !t.payload.is_empty(), ..Default::default() };
        let scale = b.peer_wscale.unwrap_or(0);
        if !before(t.ack, b.snd_una) {
            let window = u32::from(t.window) << scale;
            f.news |= window != b.snd_wnd;
            b.snd_wnd = window;
        }
        let under_way = !b.rtx.0.is_empty();
        let mut sacked = Default::default();
        if b.sack && !t.opts.sack.is_empty() && under_way {
            b.dsack_of_probe(t);
            sacked = b.rtx.sack(t.opts.sack.as_slice());
        }
        let arrived = if before(b.snd_una, t.ack) {
            f.advanced = true;
            b.snd_una_moves(t.ack)
        } else {
            Default::default()
        };
        f.sacked = sacked.segments > 0;
        f.arrived = sacked.segments + arrived.segments;
        f.prior = sacked.prior.max(arrived.prior);
        f.rearm = f.advanced || b.rtx.0.front().is_some_and(|head| sacked.rtt_from.is_some_and(|at| at < head.at));
        self.tcp_arrived(id, sacked);
        self.tcp_arrived(id, arrived);
        self.tcp_ack_update_rtt(id, &arrived, &sacked);
        if under_way {
            // `sk_dst_confirm`: it goes forward, or is no duplicate.
            self.sock_mut(id).tcb_mut().confirms |= f.advanced || f.sacked || f.news;
            self.tcp_after_ack(id, t.ack, f);
        } else if f.advanced {
            self.tcp_disarm(id);
        } else {
            self.tcp_ack_probe(id);
        }
        self.tcp_ack_state(ns, id)
    }

    /// What an acknowledged SYN or FIN does (`tcp_rcv_state_process`).
    fn tcp_ack_state(&mut self, ns: NetnsId, id: SockId) -> bool {
        let b = self.sock_mut(id).tcb_mut();
        let fin_acked = b.fin_sent && b.snd_una == b.snd_nxt;
        match b.state {
            TcpState::SynRecv => {
                let parent = b.parent.take();
                self.ns_mut(ns).mib.inc(M::TcpPassiveOpens);
                self.tcp_set_state(id, TcpState::Established);
                self.tcp_handshake_rtt(id);
                self.tcp_child_ready(id, parent);
            }
            TcpState::FinWait1 if fin_acked => {
                self.tcp_set_state(id, TcpState::FinWait2);
                if !self.sock(id).open {
                    // `tcp_time_wait`: a minisock takes over, and what came out of order is of no use.
                    self.tcp_purge(id);
                    let wait = self.ns(ns).sysctl.tcp_fin_timeout_s as u64 * SEC;
                    self.tcp_arm(id, wait);
                }
            }
            TcpState::Closing if fin_acked => self.tcp_time_wait(id),
            TcpState::LastAck if fin_acked => {
                self.tcp_done(id);
                return false;
            }
            _ => {}
        }
        self.tcp_push(id);
        true
    }

    /// `tcp_data_queue`: data in order goes to the application, other data waits. `at` is the device it came by, and the
    /// function that asked.
    pub(super) fn tcp_data(&mut self, id: SockId, t: Tcp, at: (DevId, &'static str), mut p: Packet) {
        let (dev, by) = at;
        let fin = t.flags.contains(TcpFlags::FIN);
        if t.payload.is_empty() && !fin {
            return;
        }
        let open = self.sock(id).open;
        let fin_only = t.payload.is_empty();
        let b = self.sock_mut(id).tcb_mut();
        let closing = matches!(b.state, TcpState::CloseWait | TcpState::Closing | TcpState::LastAck);
        if closing && !before(t.seq, b.rcv_nxt) {
            // Nothing follows a FIN.
            return self.drop_at(dev, &mut p, DropReason::NOT_SPECIFIED, by);
        }
        let end = t.seq.wrapping_add(t.seq_len());
        let more = before(b.rcv_nxt, end.wrapping_sub(u32::from(fin)));
        if !open && more && b.parent.is_none() && b.state != TcpState::Established {
            // More data for a socket that nobody holds any more: reset.
            let ns = self.sock(id).ns;
            self.ns_mut(ns).mib.inc(M::TcpExtTCPAbortOnData);
            let ends = (self.sock(id).remote, self.sock(id).local);
            self.tcp_send_reset(ns, ends, &t, p.id);
            self.tcp_done(id);
            return self.drop_at(dev, &mut p, DropReason::TCP_ABORT_ON_DATA, "tcp_v4_do_rcv");
        }
        if !before(b.rcv_nxt, end) {
            b.ofo.duplicate(t.seq, end);
            self.tcp_send_ack(id);
            return self.drop_at(dev, &mut p, DropReason::TCP_OLD_DATA, by);
        }
        if fin {
            b.fin_at = Some(end.wrapping_sub(1));
        }
        if before(b.rcv_nxt, t.seq) {
            let back = b.ofo.insert(t.seq, end, &t.payload, dev, p);
            self.tcp_send_ack(id);
            if let Some(mut p) = back {
                self.drop_at(dev, &mut p, DropReason::TCP_OFOMERGE, "tcp_data_queue_ofo");
            }
            return;
        }
        b.take_in_order(&t);
        let closed = b.fin_at.is_some_and(|f| !before(b.rcv_nxt, f)) && !b.peer_closed;
        if closed {
            b.rcv_nxt = b.fin_at.map_or(b.rcv_nxt, |f| f.wrapping_add(1));
            b.ofo.forget_until(b.rcv_nxt);
            b.peer_closed = true;
        }
        let state = b.state;
        if closed && fin_only && matches!(state, TcpState::Established | TcpState::SynRecv) {
            self.tcp_delay_ack(id);
        } else {
            self.tcp_send_ack(id);
        }
        if closed {
            match state {
                TcpState::Established | TcpState::SynRecv => self.tcp_set_state(id, TcpState::CloseWait),
                TcpState::FinWait1 => self.tcp_set_state(id, TcpState::Closing),
                TcpState::FinWait2 => self.tcp_time_wait(id),
                _ => {}
            }
        }
        self.wake(id);
    }

    /// `tcp_v4_destroy_sock`: what came out of order goes with the connection.
    pub(super) fn tcp_purge(&mut self, id: SockId) {
        for mut run in self.sock_mut(id).tcb_mut().ofo.purge() {
            self.drop_at(run.dev, &mut run.packet, DropReason::NOT_SPECIFIED, "skb_rbtree_purge");
        }
    }
}

impl Tcb {
    /// Everything up to here arrived in order.
    fn snd_una_moves(&mut self, ack: u32) -> super::rtx::Delivered {
        let news = ack.wrapping_sub(self.snd_una) - u32::from(self.state == TcpState::SynRecv);
        let flying = self.snd_nxt.wrapping_sub(self.snd_una);
        self.snd_una = ack;
        self.retransmits = 0;
        self.total_rto = 0;
        let fin_acked = self.fin_sent && ack == self.snd_nxt;
        let bytes = (news as usize).saturating_sub(usize::from(fin_acked));
        self.acked(bytes);
        // `bbr_set_cwnd`: the first segments let the window grow in any case; later one that was not half used does not
        // (there it is what BBR takes for the path's capacity). While loss is repaired BBR sets it otherwise.
        let segments = |bytes: u32| bytes.div_ceil(u32::from(self.eff_mss()).max(1));
        let acked = segments(bytes as u32);
        let (limited, repairs) = (self.cwnd < 2 * segments(flying), self.recovery.repairs());
        // The SYN counts as well (`tp->delivered`).
        let delivered = 1 + self.recovery.delivered + acked;
        if (limited || delivered < TCP_INIT_CWND) && !repairs {
            self.cwnd = (self.cwnd + acked).min(65_535);
        }
        self.rtx.acknowledge(ack)
    }

    /// `tcp_check_dsack`: the peer got the probe as well as what it repeated, so nothing was lost.
    fn dsack_of_probe(&mut self, t: &Tcp) {
        let twice = t.opts.sack.as_slice().first().filter(|(from, _)| before(*from, t.ack));
        if let (Some((_, to)), Some((high, true))) = (twice, self.recovery.probe)
            && *to == high
        {
            self.recovery.probe = None;
        }
    }

    /// Takes data in order, and what it was that more waited for.
    fn take_in_order(&mut self, t: &Tcp) {
        let old = self.rcv_nxt.wrapping_sub(t.seq);
        if old > 0 {
            self.ofo.duplicate(t.seq, self.rcv_nxt);
        }
        self.take(t.payload.get(old as usize..).unwrap_or(&[]));
        while let Some(run) = self.ofo.in_order(self.rcv_nxt) {
            let old = self.rcv_nxt.wrapping_sub(run.seq) as usize;
            self.take(run.data.get(old..).unwrap_or(&[]));
        }
        self.ofo.forget_until(self.rcv_nxt);
    }

    fn take(&mut self, data: &[u8]) {
        self.recv.extend_from_slice(data);
        self.rcv_nxt = self.rcv_nxt.wrapping_add(data.len() as u32);
    }
}

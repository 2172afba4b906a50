//! State of a connection (`struct tcp_sock`).

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::ofo::Ofo;
use super::recovery::Recovery;
use super::rtt::Rtt;
use super::rtx::RtxQueue;
use super::timer::Pending;
use crate::kernel::ip::Rx;
use crate::kernel::types::{Nanos, SEC, SockId};
use crate::wire::Packet;

/// States (RFC 9293, section 3.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum TcpState {
    Closed,
    SynSent,
    SynRecv,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl TcpState {
    /// Linux's name (`tcp_state_name`).
    pub fn name(self) -> &'static str {
        match self {
            TcpState::Closed => "CLOSE",
            TcpState::SynSent => "SYN_SENT",
            TcpState::SynRecv => "SYN_RECV",
            TcpState::Established => "ESTABLISHED",
            TcpState::FinWait1 => "FIN_WAIT1",
            TcpState::FinWait2 => "FIN_WAIT2",
            TcpState::CloseWait => "CLOSE_WAIT",
            TcpState::Closing => "CLOSING",
            TcpState::LastAck => "LAST_ACK",
            TcpState::TimeWait => "TIME_WAIT",
        }
    }

    /// The name that `ss` prints.
    pub fn ss_name(self) -> &'static str {
        match self {
            TcpState::Closed => "UNCONN",
            TcpState::SynSent => "SYN-SENT",
            TcpState::SynRecv => "SYN-RECV",
            TcpState::Established => "ESTAB",
            TcpState::FinWait1 => "FIN-WAIT-1",
            TcpState::FinWait2 => "FIN-WAIT-2",
            TcpState::CloseWait => "CLOSE-WAIT",
            TcpState::Closing => "CLOSING",
            TcpState::LastAck => "LAST-ACK",
            TcpState::TimeWait => "TIME-WAIT",
        }
    }
}

/// A listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Most connections that may wait.
    pub backlog: u32,
    /// Connections that are ready.
    pub queue: VecDeque<SockId>,
}

/// Initial congestion window in segments (`TCP_INIT_CWND`).
pub(crate) const TCP_INIT_CWND: u32 = 10;
/// `TCP_RTO_MAX`.
pub(crate) const RTO_MAX: Nanos = 120 * SEC;
/// Scale of windows that this host offers: 2^10, as with the default `tcp_rmem`.
pub(crate) const WSCALE: u8 = 10;

/// A connection.
#[derive(Clone, Debug)]
pub struct Tcb {
    /// State.
    pub state: TcpState,
    /// Listener that it came from.
    pub parent: Option<SockId>,
    /// First sequence number sent.
    pub iss: u32,
    /// Oldest not acknowledged.
    pub snd_una: u32,
    /// Next to send.
    pub snd_nxt: u32,
    /// What came while a process had the socket (`sk_backlog`), and `None` while none has (`sock_owned_by_user`).
    pub backlog: Option<Vec<(Rx, Packet)>>,
    /// The path's MTU fell to this while a process had the socket (`TCP_MTU_REDUCED_DEFERRED`, `mtu_info`).
    pub mtu_reduced: Option<u32>,
    /// What is under way (`tcp_rtx_queue`).
    pub rtx: RtxQueue,
    /// Segments with data that were sent, repetitions too (`data_segs_out`).
    pub data_segs: u32,
    /// The next packet waits for its time (`tcp_pacing_check`).
    pub paced: bool,
    /// What is known of loss.
    pub recovery: Recovery,
    /// End of the last segment that was not full (`snd_sml`, Minshall's variant of Nagle's rule).
    pub snd_sml: u32,
    /// Window that the peer offers, in bytes.
    pub snd_wnd: u32,
    /// Next expected.
    pub rcv_nxt: u32,
    /// Data from `snd_una` on: sent and not acknowledged, then not sent.
    pub send: VecDeque<Bytes>,
    /// Bytes in `send`.
    pub send_len: usize,
    /// A FIN follows the data.
    pub fin_queued: bool,
    /// The FIN is out.
    pub fin_sent: bool,
    /// Data for the application.
    pub recv: BytesMut,
    /// What came out of order.
    pub ofo: Ofo,
    /// Sequence number of the peer's FIN, once seen.
    pub fin_at: Option<u32>,
    /// The peer's FIN is in order.
    pub peer_closed: bool,
    /// Largest segment we advertise, from the device's MTU.
    pub advmss: u16,
    /// Largest payload we send.
    pub mss: u16,
    /// The peer's limit.
    pub peer_mss: u16,
    /// Timestamps are used.
    pub ts: bool,
    /// SACK is used.
    pub sack: bool,
    /// Scale of the peer's windows.
    pub peer_wscale: Option<u8>,
    /// Latest timestamp of the peer.
    pub ts_recent: u32,
    /// Congestion window in segments.
    pub cwnd: u32,
    /// Retransmission timeout, in whole jiffies (`icsk_rto`).
    pub rto: Nanos,
    /// The round trip.
    pub rtt: Rtt,
    /// How often the SYN or its answer was sent.
    pub syns: u32,
    /// When it was sent last.
    pub syn_at: Nanos,
    /// Retransmissions of what is oldest.
    pub retransmits: u32,
    /// How often what waits was tried again while nothing was under way (`icsk_probes_out`).
    pub probes: u32,
    /// Where a packet begins that was tried again: it has PSH.
    pub pushed: Option<u32>,
    /// Timeouts so far (`total_rto`).
    pub total_rto: u32,
    /// How often it has chosen a new hash (`timeout_rehash`).
    pub rehash: u8,
    /// Which timer counts.
    pub timer_gen: u32,
    /// The timer runs.
    pub armed: bool,
    /// What for.
    pub pending: Pending,
    /// Error that does not end the connection (`sk_err_soft`).
    pub soft: Option<crate::kernel::types::Errno>,
    /// IP id of the next segment.
    pub ip_id: u16,
    /// What is sent next confirms the neighbour (`sk_dst_pending_confirm`).
    pub confirms: bool,
    /// An acknowledgment is owed, and waits for something to ride on.
    pub ack_pending: bool,
}

impl Default for Tcb {
    fn default() -> Self {
        Tcb {
            state: TcpState::Closed,
            parent: None,
            iss: 0,
            snd_una: 0,
            snd_nxt: 0,
            snd_sml: 0,
            snd_wnd: 0,
            rcv_nxt: 0,
            send: VecDeque::new(),
            send_len: 0,
            fin_queued: false,
            fin_sent: false,
            recv: BytesMut::new(),
            ofo: Ofo::default(),
            fin_at: None,
            peer_closed: false,
            advmss: 1460,
            mss: 1448,
            peer_mss: 536,
            ts: true,
            sack: true,
            peer_wscale: None,
            ts_recent: 0,
            cwnd: TCP_INIT_CWND,
            backlog: None,
            mtu_reduced: None,
            rtx: RtxQueue::default(),
            data_segs: 0,
            paced: false,
            recovery: Recovery::default(),
            rto: SEC,
            rtt: Rtt::default(),
            syns: 0,
            syn_at: 0,
            retransmits: 0,
            probes: 0,
            pushed: None,
            total_rto: 0,
            rehash: 0,
            timer_gen: 0,
            armed: false,
            pending: Pending::None,
            soft: None,
            ip_id: 0,
            confirms: false,
            ack_pending: false,
        }
    }
}

/// `before`: sequence numbers wrap.
#[inline]
pub(crate) fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl Tcb {
    /// Begins with a first sequence number.
    pub(crate) fn open(&mut self, iss: u32, advmss: u16) {
        self.iss = iss;
        self.snd_una = iss;
        self.snd_sml = iss;
        self.snd_nxt = iss.wrapping_add(1);
        self.advmss = advmss;
        self.ip_id = iss as u16;
    }

    /// Appends data to be sent.
    pub(crate) fn push(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.send_len += data.len();
            self.send.push_back(data);
        }
    }

    /// `n` bytes of the send queue from an offset on.
    pub(crate) fn slice(&self, mut off: usize, n: usize) -> Bytes {
        let mut out = BytesMut::new();
        for b in &self.send {
            if off >= b.len() {
                off -= b.len();
                continue;
            }
            let want = n - out.len();
            let part = b.slice(off..(off + want).min(b.len()));
            if out.is_empty() && part.len() == n {
                return part;
            }
            out.extend_from_slice(&part);
            off = 0;
            if out.len() == n {
                break;
            }
        }
        out.freeze()
    }

    /// The peer has `n` bytes more.
    pub(crate) fn acked(&mut self, mut n: usize) {
        self.send_len -= n.min(self.send_len);
        while n > 0 {
            let Some(b) = self.send.front_mut() else { return };
            if b.len() <= n {
                n -= b.len();
                self.send.pop_front();
            } else {
                let _ = b.split_to(n);
                return;
            }
        }
    }

    /// Something is queued and nothing of it is under way.
    pub(crate) fn waits_to_send(&self) -> bool {
        self.snd_una == self.snd_nxt && (self.send_len > 0 || (self.fin_queued && !self.fin_sent))
    }

    /// Data waits that was never sent, or is lost.
    pub(crate) fn has_more(&self) -> bool {
        self.rtx.lost_out() > 0 || self.unsent() > 0
    }

    /// Bytes that were never sent.
    pub(crate) fn unsent(&self) -> usize {
        self.send_len.saturating_sub(self.snd_nxt.wrapping_sub(self.snd_una) as usize)
    }

    /// Payload of a full segment: the MSS less the options.
    pub(crate) fn eff_mss(&self) -> u16 {
        self.mss.min(self.peer_mss).saturating_sub(if self.ts { 12 } else { 0 }).max(1)
    }

    /// Window as written into the header.
    pub(crate) fn window(&self) -> u16 {
        // 64 KiB less what waits to be read, scaled.
        let free = 65_535usize.saturating_sub(self.recv.len());
        if self.peer_wscale.is_some() { (free >> WSCALE).max(1) as u16 } else { free as u16 }
    }
}

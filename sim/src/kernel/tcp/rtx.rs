//! What is under way (`tcp_rtx_queue`): each packet as it was cut, and what is known of its fate.

use std::collections::VecDeque;

use super::state::before;
use crate::kernel::types::Nanos;
use crate::wire::TcpFlags;

/// A packet of the retransmission queue (`struct tcp_skb_cb`).
#[derive(Clone, Debug)]
pub struct Segment {
    /// First sequence number.
    pub seq: u32,
    /// Behind the last, a FIN included.
    pub end: u32,
    /// As it was sent.
    pub flags: TcpFlags,
    /// Payload of the segments that a device cuts it into.
    pub mss: u16,
    /// When it was sent last (`skb_mstamp_ns`).
    pub at: Nanos,
    /// What had arrived by then, in segments (`tx.delivered`).
    pub delivered: u32,
    /// The peer has it, out of order (`TCPCB_SACKED_ACKED`).
    pub sacked: bool,
    /// It counts as lost (`TCPCB_LOST`).
    pub lost: bool,
    /// It was sent again, and that may still arrive (`TCPCB_SACKED_RETRANS`).
    pub retrans: bool,
    /// It was sent again at some time (`TCPCB_EVER_RETRANS`).
    pub ever: bool,
}

impl Segment {
    /// Bytes of data.
    pub fn len(&self) -> usize {
        self.end.wrapping_sub(self.seq) as usize - usize::from(self.flags.contains(TcpFlags::FIN))
    }

    /// No data: a FIN alone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Segments on the wire (`tcp_skb_pcount`).
    pub fn pcount(&self) -> u32 {
        (self.len().div_ceil(usize::from(self.mss.max(1))) as u32).max(1)
    }
}

/// What an acknowledgment or its SACK blocks say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered {
    /// Segments that are known to have arrived now (`acked_sacked`).
    pub segments: u32,
    /// The one of them that was sent last: when, its end, whether it was ever sent again (`tcp_rack_advance`).
    pub latest: Option<(Nanos, u32, bool)>,
    /// `tx.delivered` of the latest (`rs->prior_delivered`).
    pub prior: u32,
    /// When the first of those that were acknowledged for the first time, and never sent again, was sent.
    pub rtt_from: Option<Nanos>,
    /// Some had been sent again (`FLAG_RETRANS_DATA_ACKED`).
    pub again: bool,
    /// One arrived before others that were sent earlier (`tcp_check_sack_reordering`).
    pub reordered: bool,
}

impl Delivered {
    fn add(&mut self, s: &Segment) {
        self.segments += s.pcount();
        let newer = self.latest.is_none_or(|(at, end, _)| sent_after((s.at, s.end), (at, end)));
        if newer {
            self.latest = Some((s.at, s.end, s.ever));
            self.prior = s.delivered;
        }
    }
}

/// `tcp_skb_sent_after`.
pub(crate) fn sent_after(a: (Nanos, u32), b: (Nanos, u32)) -> bool {
    a.0 > b.0 || (a.0 == b.0 && before(b.1, a.1))
}

/// The queue, in the order of sequence numbers.
#[derive(Clone, Debug, Default)]
pub struct RtxQueue(pub VecDeque<Segment>);

impl RtxQueue {
    fn count(&self, which: impl Fn(&Segment) -> bool) -> u32 {
        self.0.iter().filter(|s| which(s)).map(Segment::pcount).sum()
    }

    /// `packets_out`.
    pub fn packets_out(&self) -> u32 {
        self.count(|_| true)
    }

    /// `lost_out`.
    pub fn lost_out(&self) -> u32 {
        self.count(|s| s.lost)
    }

    /// `retrans_out`.
    pub fn retrans_out(&self) -> u32 {
        self.count(|s| s.retrans)
    }

    /// `sacked_out`.
    pub fn sacked_out(&self) -> u32 {
        self.count(|s| s.sacked)
    }

    /// `tcp_packets_in_flight`.
    pub fn in_flight(&self) -> u32 {
        self.0.iter().map(|s| s.pcount() * (u32::from(!s.sacked && !s.lost) + u32::from(s.retrans))).sum()
    }

    /// `tcp_fragment`: cuts a packet in two; the flags that end something stay with the second.
    pub fn split(&mut self, i: usize, at: usize) {
        let Some(s) = self.0.get_mut(i) else { return };
        let mut rest = s.clone();
        rest.seq = s.seq.wrapping_add(at as u32);
        s.end = rest.seq;
        s.flags.remove(TcpFlags::FIN | TcpFlags::PSH);
        self.0.insert(i + 1, rest);
    }

    /// `tcp_retrans_try_collapse`: short packets that follow are sent again with this one.
    pub fn collapse(&mut self, i: usize, most: usize) {
        if self.0[i].pcount() > 1 {
            return;
        }
        while let Some(next) = self.0.get(i + 1) {
            if next.sacked || next.pcount() > 1 || self.0[i].len() + next.len() > most {
                return;
            }
            let Some(next) = self.0.remove(i + 1) else { return };
            let s = &mut self.0[i];
            s.end = next.end;
            s.flags |= next.flags;
            s.lost |= next.lost;
            s.ever |= next.ever;
        }
    }

    /// `tcp_clean_rtx_queue`: everything up to here arrived in order.
    pub fn acknowledge(&mut self, ack: u32) -> Delivered {
        let mut d = Delivered::default();
        let highest = self.0.iter().rev().find(|s| s.sacked).map(|s| s.seq);
        while let Some(s) = self.0.front() {
            if before(ack, s.end) {
                break;
            }
            if !s.sacked {
                d.add(s);
                d.reordered |= !s.ever && highest.is_some_and(|h| before(s.seq, h));
            }
            d.again |= s.ever;
            if !s.ever && !s.sacked && d.rtt_from.is_none() {
                d.rtt_from = Some(s.at);
            }
            self.0.pop_front();
        }
        // `tcp_tso_acked`: the front of a packet that was cut on its way.
        if let Some(s) = self.0.front_mut().filter(|s| before(s.seq, ack)) {
            let before_it = s.pcount();
            s.seq = ack;
            d.segments += before_it - s.pcount().min(before_it);
        }
        d
    }

    /// `tcp_sacktag_write_queue`: what the blocks cover arrived, out of order. A packet that is covered in part is cut
    /// at its segments' bounds.
    pub fn sack(&mut self, blocks: &[(u32, u32)]) -> Delivered {
        let mut d = Delivered::default();
        for (from, to) in blocks {
            let highest = self.0.iter().rev().find(|s| s.sacked).map(|s| s.seq);
            let mut i = 0;
            while i < self.0.len() {
                self.cut_for(i, *from, *to);
                let s = &mut self.0[i];
                if !s.sacked && !before(s.seq, *from) && !before(*to, s.end) {
                    d.add(s);
                    d.reordered |= !s.ever && !s.lost && highest.is_some_and(|h| before(s.seq, h));
                    if !s.ever && d.rtt_from.is_none() {
                        d.rtt_from = Some(s.at);
                    }
                    (s.sacked, s.lost, s.retrans) = (true, false, false);
                }
                i += 1;
            }
        }
        d
    }

    /// `tcp_match_skb_to_sack`.
    fn cut_for(&mut self, i: usize, from: u32, to: u32) {
        let s = &self.0[i];
        let inside = !before(s.seq, from) && !before(to, s.end);
        let apart = !before(from, s.end) || !before(s.seq, to);
        let mss = usize::from(s.mss.max(1));
        if s.sacked || inside || apart || s.len() <= mss {
            return;
        }
        let begins = !before(s.seq, from);
        let whole = if begins {
            let n = to.wrapping_sub(s.seq) as usize;
            if n < mss { 0 } else { n / mss * mss }
        } else {
            (from.wrapping_sub(s.seq) as usize).div_ceil(mss) * mss
        };
        if whole > 0 && whole < s.len() {
            self.split(i, whole);
        }
    }

    /// Counts a packet as lost. Says whether that is news.
    pub fn mark_lost(&mut self, i: usize) -> bool {
        let s = &mut self.0[i];
        if s.sacked || (s.lost && !s.retrans) {
            return false;
        }
        (s.lost, s.retrans) = (true, false);
        true
    }
}

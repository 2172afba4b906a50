//! What came out of order, and what is told of it (`out_of_order_queue`, `selective_acks` of net/ipv4/tcp_input.c).

use bytes::{Bytes, BytesMut};

use super::state::before;
use crate::kernel::types::DevId;
use crate::wire::{Packet, SackBlocks};

/// SACK blocks that are remembered (`TCP_NUM_SACKS`).
const NUM_SACKS: usize = 4;

/// Data behind a gap.
#[derive(Clone, Debug, Default)]
pub struct Ofo {
    /// In the order of their sequence numbers.
    runs: Vec<Run>,
    /// `selective_acks`: the one that changed last comes first.
    sacks: Vec<(u32, u32)>,
    /// `duplicate_sack`: told of once.
    dsack: Option<(u32, u32)>,
}

/// Data without a gap that came after one: the first packet of it, which later ones were joined to.
#[derive(Clone, Debug)]
pub struct Run {
    /// First byte.
    pub seq: u32,
    /// Behind the last byte, or the FIN.
    pub end: u32,
    /// The data.
    pub data: BytesMut,
    /// Where the packet came in.
    pub dev: DevId,
    /// The packet.
    pub packet: Packet,
}

impl Ofo {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Notes that this came twice (`tcp_dsack_set`, `tcp_dsack_extend`).
    pub(crate) fn duplicate(&mut self, seq: u32, end: u32) {
        let d = self.dsack.get_or_insert((seq, end));
        extend(d, seq, end);
    }

    /// What an acknowledgment tells (`tcp_established_options`): a duplicate first, once.
    pub(crate) fn blocks(&mut self, room: usize) -> SackBlocks {
        self.dsack.take().into_iter().chain(self.sacks.iter().copied()).take(room).collect()
    }

    /// `tcp_data_queue_ofo`. The packet comes back where all of it was there already (`TCPOFOMerge`).
    pub(crate) fn insert(&mut self, seq: u32, end: u32, data: &Bytes, dev: DevId, packet: Packet) -> Option<Packet> {
        let mut back = None;
        let at = self.runs.iter().rposition(|r| !before(seq, r.seq));
        match at {
            Some(i) if !before(self.runs[i].end, end) => {
                self.duplicate(seq, end);
                back = Some(packet);
            }
            // `tcp_ooo_try_coalesce`: it goes on where a run ends.
            Some(i) if !before(self.runs[i].end, seq) => {
                let r = &mut self.runs[i];
                if before(seq, r.end) {
                    let (from, to) = (seq, r.end);
                    self.dsack.get_or_insert((from, to));
                }
                let old = r.end.wrapping_sub(seq) as usize;
                r.data.extend_from_slice(data.get(old..).unwrap_or(&[]));
                r.end = end;
                self.swallow(i);
            }
            _ => {
                let i = at.map_or(0, |i| i + 1);
                self.runs.insert(i, Run { seq, end, data: BytesMut::from(&data[..]), dev, packet });
                self.swallow(i);
            }
        }
        self.tell(seq, end);
        back
    }

    /// What a run covers wholly goes (`merge_right`).
    fn swallow(&mut self, i: usize) {
        let end = self.runs[i].end;
        while let Some(next) = self.runs.get(i + 1).filter(|n| !before(end, n.end)) {
            let twice = (next.seq, next.end);
            self.duplicate(twice.0, twice.1);
            self.runs.remove(i + 1);
        }
    }

    /// `tcp_sack_new_ofo_skb`.
    fn tell(&mut self, seq: u32, end: u32) {
        match self.sacks.iter_mut().position(|b| extend(b, seq, end)) {
            Some(i) => self.sacks[..=i].rotate_right(1),
            None => {
                self.sacks.truncate(NUM_SACKS - 1);
                self.sacks.insert(0, (seq, end));
            }
        }
        // `tcp_sack_maybe_coalesce`.
        let mut first = self.sacks[0];
        let mut i = 1;
        while i < self.sacks.len() {
            let (from, to) = self.sacks[i];
            if extend(&mut first, from, to) {
                self.sacks.remove(i);
            } else {
                i += 1;
            }
        }
        self.sacks[0] = first;
    }

    /// `tcp_ofo_queue`: the next run that is in order now.
    pub(crate) fn in_order(&mut self, rcv_nxt: u32) -> Option<Run> {
        let ready = self.runs.first().is_some_and(|r| !before(rcv_nxt, r.seq));
        let run = ready.then(|| self.runs.remove(0))?;
        if before(run.seq, rcv_nxt) {
            let to = if before(rcv_nxt, run.end) { rcv_nxt } else { run.end };
            self.duplicate(run.seq, to);
        }
        Some(run)
    }

    /// `tcp_sack_remove`: what is in order now is not told of any more.
    pub(crate) fn forget_until(&mut self, rcv_nxt: u32) {
        if self.runs.is_empty() {
            self.sacks.clear();
        } else {
            self.sacks.retain(|(from, _)| before(rcv_nxt, *from));
        }
    }

    /// `skb_rbtree_purge`: the connection is gone, and what waited with it.
    pub(crate) fn purge(&mut self) -> Vec<Run> {
        self.sacks.clear();
        std::mem::take(&mut self.runs)
    }
}

/// `tcp_sack_extend`: joins a block to another that it touches.
fn extend(b: &mut (u32, u32), seq: u32, end: u32) -> bool {
    let touches = !before(b.1, seq) && !before(end, b.0);
    if touches {
        if before(seq, b.0) {
            b.0 = seq;
        }
        if before(b.1, end) {
            b.1 = end;
        }
    }
    touches
}

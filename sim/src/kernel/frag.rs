//! Putting fragments together (net/ipv4/ip_fragment.c).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bytes::{Bytes, BytesMut};

use super::Kernel;
use super::ip::Rx;
use super::mib::MibItem as M;
use super::types::{NetnsId, SEC};
use crate::engine::Timer;
use crate::trace::event::Birth;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Body, Ipv4, Packet, parse};

/// What makes fragments belong together.
type Key = (Ipv4Addr, Ipv4Addr, u16, u8);

/// Fragments of one datagram.
#[derive(Clone, Debug)]
struct FragQueue {
    key: Key,
    rx: Rx,
    /// By offset in bytes.
    parts: BTreeMap<usize, Bytes>,
    /// Length of the whole, once the last one came.
    total: Option<usize>,
    header: Ipv4,
    /// The fragments that wait, in the order they came: each ends when the queue does.
    held: Vec<Packet>,
}

/// Queues of fragments.
#[derive(Clone, Debug, Default)]
pub struct Frags {
    queues: BTreeMap<u32, FragQueue>,
    next: u32,
}

/// Most datagrams that may wait at once in a namespace.
const MAX_QUEUES: usize = 4096;

impl<R: Recorder> Kernel<R> {
    /// `ip_defrag`: takes a fragment, gives the whole when it was the last one missing.
    pub(crate) fn ip_defrag(&mut self, rx: Rx, mut p: Packet) -> Option<Packet> {
        let ns = self.devs[rx.dev.ix()].netns;
        self.netns[ns.ix()].mib.inc(M::IpReasmReqds);
        let ip = p.ipv4()?.clone();
        let data = crate::wire::encode::l4_bytes(&ip);
        let key = (ip.src, ip.dst, ip.id, ip.proto());
        let at = usize::from(ip.frag_off) * 8;
        let f = &mut self.netns[ns.ix()].frags;
        let found = f.queues.iter().find(|(_, q)| q.key == key).map(|(n, _)| *n);
        let no = match found {
            Some(n) => n,
            None if f.queues.len() >= MAX_QUEUES => {
                self.netns[ns.ix()].mib.inc(M::IpReasmFails);
                self.drop_at(rx.dev, &mut p, DropReason::PACKETWALK_BOUND, "ip_defrag");
                return None;
            }
            None => {
                f.next += 1;
                let n = f.next;
                let q =
                    FragQueue { key, rx, parts: BTreeMap::new(), total: None, header: ip.clone(), held: Vec::new() };
                f.queues.insert(n, q);
                let wait = self.netns[ns.ix()].sysctl.ipfrag_time_s as u64 * SEC;
                self.queue.mod_timer(wait, Timer::Frag { ns, key: n });
                n
            }
        };
        let q = self.netns[ns.ix()].frags.queues.get_mut(&no)?;
        let overlap = q.parts.iter().any(|(o, b)| *o < at + data.len() && at < *o + b.len());
        if overlap {
            let same = q.parts.get(&at).is_some_and(|b| *b == data);
            if !same {
                // An overlap discards the whole datagram (RFC 5722, as Linux applies it to IPv4).
                let gone = self.netns[ns.ix()].frags.queues.remove(&no);
                for mut f in gone.map(|q| q.held).unwrap_or_default() {
                    self.drop_at(rx.dev, &mut f, DropReason::DUP_FRAG, "ip_frag_queue");
                }
                let mib = &mut self.netns[ns.ix()].mib;
                mib.inc(M::IpExtReasmOverlaps);
                mib.inc(M::IpReasmFails);
            }
            self.drop_at(rx.dev, &mut p, DropReason::DUP_FRAG, "ip_frag_queue");
            return None;
        }
        if !ip.mf {
            q.total = Some(at + data.len());
        }
        if at == 0 {
            q.header = ip;
        }
        q.parts.insert(at, data);
        let have: usize = q.parts.values().map(Bytes::len).sum();
        let whole = q.total == Some(have);
        self.ev(rx.dev, &mut p, EventKind::FragWait);
        let q = self.netns[ns.ix()].frags.queues.get_mut(&no)?;
        q.held.push(p.clone());
        if !whole {
            return None;
        }
        let q = self.netns[ns.ix()].frags.queues.remove(&no)?;
        self.frag_finish(ns, rx, q, &p)
    }

    fn frag_finish(&mut self, ns: NetnsId, rx: Rx, q: FragQueue, p: &Packet) -> Option<Packet> {
        let mut whole = BytesMut::with_capacity(q.total.unwrap_or(0));
        for b in q.parts.values() {
            whole.extend_from_slice(b);
        }
        let pieces = q.held.len() as u16;
        let longest = q.held.iter().filter_map(Packet::ipv4).map(Ipv4::total_len).max().unwrap_or(0);
        for mut f in q.held {
            self.consume(rx.dev, &mut f, "put together with the others");
        }
        let proto = q.key.3;
        let mut ip = Ipv4 { mf: false, frag_off: 0, ..q.header };
        ip.l4 = parse::l4(proto, whole.freeze());
        let id = self.packet_id();
        if R::ON {
            self.rec.born(id, Some(p.id), Birth::Reassembled);
        }
        let mut out = Packet { id, body: Body::Ipv4(ip.into()), ..p.clone() };
        out.touch();
        out.nf.frag_max = longest as u16;
        self.netns[ns.ix()].mib.inc(M::IpReasmOKs);
        self.ev(rx.dev, &mut out, EventKind::Reassembled { pieces });
        Some(out)
    }

    /// `ip_expire`: the rest did not come. With the first fragment at hand its sender is told.
    pub(crate) fn ip_expire(&mut self, ns: NetnsId, no: u32) {
        let Some(q) = self.netns[ns.ix()].frags.queues.remove(&no) else { return };
        let mib = &mut self.netns[ns.ix()].mib;
        mib.inc(M::IpReasmFails);
        mib.inc(M::IpReasmTimeout);
        let mut held = q.held;
        if let Some(first) = held.iter_mut().find(|p| p.ipv4().is_some_and(|ip| ip.frag_off == 0)) {
            self.icmp_send(ns, Some(q.rx), first, 11, 1, 0);
        }
        for mut p in held {
            self.drop_at(q.rx.dev, &mut p, DropReason::FRAG_REASM_TIMEOUT, "ip_expire");
        }
    }
}

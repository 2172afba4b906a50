//! Sending frames out of ports (net/bridge/br_forward.c, br_device.c).

use super::{FdbKind, PortState};
use crate::kernel::Kernel;
use crate::kernel::ebtables::EbHook;
use crate::kernel::types::DevId;
use crate::trace::event::{BrSkip, BrVerdict};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::Packet;

impl<R: Recorder> Kernel<R> {
    /// The host sends through the bridge (`br_dev_xmit`).
    pub(crate) fn br_dev_xmit(&mut self, br: DevId, mut p: Packet) {
        if let Some(port) = self.br_nf_resume(&mut p) {
            let state = self.brport(port).state;
            return self.br_handle_frame_finish(port, state, p);
        }
        let s = &mut self.devs[br.ix()].stats;
        s.tx_packets += 1;
        s.tx_bytes += p.frame_len() as u64;
        if p.dst.is_multicast() {
            self.ev(br, &mut p, EventKind::BrLookup { bridge: br, verdict: BrVerdict::Group });
            self.br_flood(br, None, p);
            return;
        }
        match self.br_fdb_lookup(br, p.dst) {
            // Its own address: there is no port to send it to.
            Some(e) if e.kind == FdbKind::Local && e.dev == br => {
                self.ev(br, &mut p, EventKind::BrLookup { bridge: br, verdict: BrVerdict::Local });
                self.drop_at(br, &mut p, DropReason::NOT_SPECIFIED, "br_forward");
            }
            Some(e) => {
                self.ev(br, &mut p, EventKind::BrLookup { bridge: br, verdict: BrVerdict::Port(e.dev) });
                self.br_forward(None, e.dev, p, "br_dev_xmit");
            }
            None => {
                self.ev(br, &mut p, EventKind::BrLookup { bridge: br, verdict: BrVerdict::Unknown });
                self.br_flood(br, None, p);
            }
        }
    }

    /// `should_deliver`: may a frame that came by `from` leave by `to`?
    #[inline]
    fn br_skip(&self, from: Option<DevId>, to: DevId) -> Option<BrSkip> {
        let out = self.brport(to);
        if from == Some(to) && !out.hairpin {
            return Some(BrSkip::SamePort);
        }
        if out.state != PortState::Forwarding {
            return Some(BrSkip::NotForwarding);
        }
        if out.isolated && from.is_some_and(|f| self.brport(f).isolated) {
            return Some(BrSkip::Isolated);
        }
        None
    }

    /// To one port (`br_forward`).
    pub(crate) fn br_forward(&mut self, from: Option<DevId>, to: DevId, mut p: Packet, func: &'static str) {
        if let Some(why) = self.br_skip(from, to) {
            let at = from.unwrap_or(to);
            self.ev(at, &mut p, EventKind::BrSkip { port: to, why });
            return self.drop_at(at, &mut p, DropReason::NOT_SPECIFIED, func);
        }
        self.br_xmit(from, to, p);
    }

    /// To every port that may have it, newest first (`br_flood`). The last one gets the frame itself,
    /// the others copies. Says whether anybody got it.
    pub(crate) fn br_flood(&mut self, br: DevId, from: Option<DevId>, mut p: Packet) -> bool {
        let (group, broadcast) = (p.dst.is_multicast(), p.dst.is_broadcast());
        let mut prev: Option<DevId> = None;
        let n = self.devs[br.ix()].bridge().map_or(0, |b| b.ports.len());
        for i in 0..n {
            let Some(port) = self.devs[br.ix()].bridge().and_then(|b| b.ports.get(i).copied()) else { break };
            let bp = self.brport(port);
            // What the host itself sends to a group is not held back by a port's flags.
            let wanted = match (group, broadcast) {
                (false, _) => bp.flood,
                (true, true) => bp.bcast_flood || from.is_none(),
                (true, false) => bp.mcast_flood || from.is_none(),
            };
            let skip = if wanted { self.br_skip(from, port) } else { Some(BrSkip::FloodOff) };
            if let Some(why) = skip {
                if R::ON {
                    self.ev(from.unwrap_or(br), &mut p, EventKind::BrSkip { port, why });
                }
                continue;
            }
            if let Some(prev) = prev {
                let c = self.clone_packet(&p);
                self.br_xmit(from, prev, c);
            }
            prev = Some(port);
        }
        match prev {
            Some(last) => {
                self.br_xmit(from, last, p);
                true
            }
            None if group && from.is_some() => {
                // The host gets the frame: the copy for the ports was never made.
                self.consume(from.unwrap_or(br), &mut p, "no port to flood to");
                false
            }
            None => {
                // The last call of `br_flood`, so that its caller stands for it.
                let func = if from.is_some() { "br_handle_frame_finish" } else { "br_dev_xmit" };
                self.drop_at(from.unwrap_or(br), &mut p, DropReason::NO_TX_TARGET, func);
                false
            }
        }
    }

    /// `__br_forward`: frames from a port pass the hooks of br_netfilter first.
    fn br_xmit(&mut self, from: Option<DevId>, port: DevId, mut p: Packet) {
        let br = self.devs[port.ix()].master.expect("a port has a master");
        let hook = if from.is_some() { EbHook::Forward } else { EbHook::Output };
        if !self.ebt_hook(hook, br, from, Some(port), &mut p) {
            return;
        }
        if from.is_some() && p.nf.bridged {
            if !self.br_nf_forward(br, port, &mut p) || !self.br_nf_post_routing(br, &mut p) {
                return;
            }
            match self.br_nf_refragment(br, port, p) {
                Some(whole) => p = whole,
                None => return,
            }
        }
        self.br_push(port, p);
    }

    /// `br_dev_queue_push_xmit`.
    pub(crate) fn br_push(&mut self, port: DevId, mut p: Packet) {
        if !self.is_skb_forwardable(port, &p) {
            self.ev(port, &mut p, EventKind::BrSkip { port, why: BrSkip::TooBig });
            return self.drop_at(port, &mut p, DropReason::NOT_SPECIFIED, "br_dev_queue_push_xmit");
        }
        self.ev(port, &mut p, EventKind::BrForward { port });
        self.dev_queue_xmit(port, p);
    }
}

//! Handing frames to devices and taking them from devices (net/core/dev.c, drivers/net/veth.c,
//! drivers/net/loopback.c).

use super::Kernel;
use super::link::DevKind;
use super::netfilter::SkbNf;
use super::types::DevId;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Body, MacAddr, Packet};

/// How many devices may lie on one another on the way out.
const XMIT_RECURSION_LIMIT: u8 = 8;

/// To whom a received frame is addressed (`skb->pkt_type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum PktType {
    Host,
    Broadcast,
    Multicast,
    OtherHost,
    /// A copy of what the host itself sent to a group.
    Loopback,
}

impl PktType {
    /// `eth_type_trans`.
    #[inline]
    pub fn of(dst: MacAddr, own: MacAddr) -> PktType {
        if dst == own {
            PktType::Host
        } else if !dst.is_multicast() {
            PktType::OtherHost
        } else if dst.is_broadcast() {
            PktType::Broadcast
        } else {
            PktType::Multicast
        }
    }
}

/// Ports of bridges that a frame passes at most before it is taken to go round for ever.
const BRIDGED: u16 = 100;

impl<R: Recorder> Kernel<R> {
    /// Does `upper` stand on `dev`, over however many devices, or is it the same (`__netdev_has_upper_dev`)?
    /// What is made on a device, or takes it as a port, stands on it.
    pub(crate) fn has_upper(&self, dev: DevId, upper: DevId) -> bool {
        if dev == upper {
            return true;
        }
        match &self.dev(upper).kind {
            DevKind::Bridge(b) => b.ports.iter().any(|p| self.has_upper(dev, *p)),
            DevKind::Vxlan(v) => v.cfg.lower.is_some_and(|l| self.has_upper(dev, l)),
            DevKind::Macvlan { lower, .. } => self.has_upper(dev, *lower),
            DevKind::Veth { .. } | DevKind::Loopback => false,
        }
    }

    /// Records an event about a packet at a device.
    #[inline]
    pub(crate) fn ev(&mut self, dev: DevId, p: &mut Packet, kind: EventKind) {
        if R::ON {
            let ns = self.devs[dev.ix()].netns;
            self.rec.event(self.queue.now, ns, Some(dev), Some(p), kind);
        }
    }

    /// Ends a packet, unwanted (`kfree_skb_reason`).
    #[inline]
    pub(crate) fn drop_at(&mut self, dev: DevId, p: &mut Packet, reason: DropReason, func: &'static str) {
        self.ev(dev, p, EventKind::Drop { reason, func });
    }

    /// Ends a packet that served its purpose (`consume_skb`).
    #[inline]
    pub(crate) fn consume(&mut self, dev: DevId, p: &mut Packet, what: &'static str) {
        self.ev(dev, p, EventKind::Consumed { what });
    }

    /// Hands a frame to a device (`dev_queue_xmit`): virtual devices have no queue, so it leaves at once. Says
    /// whether the sender may believe so: only the far end of a cable that refuses a frame tells.
    pub fn dev_queue_xmit(&mut self, dev: DevId, mut p: Packet) -> bool {
        let d = &self.devs[dev.ix()];
        if !d.is_running() {
            // A device without carrier has the noop queueing discipline: nobody hears of the frame.
            self.devs[dev.ix()].stats.tx_dropped += 1;
            self.drop_at(dev, &mut p, DropReason::QDISC_DROP, "__dev_queue_xmit");
            return true;
        }
        if let Some((_, src)) = p.nf.bridged_dnat {
            // What was translated on the bridge keeps its sender (`br_nf_pre_routing_finish_bridge_slow`).
            p.src = src;
            p.touch();
        }
        self.ev(dev, &mut p, EventKind::Tx);
        match self.devs[dev.ix()].kind {
            DevKind::Veth { peer } => return self.veth_xmit(dev, peer, p),
            DevKind::Loopback => {
                let len = p.frame_len() as u64;
                let s = &mut self.devs[dev.ix()].stats;
                s.tx_packets += 1;
                s.tx_bytes += len;
                s.rx_packets += 1;
                s.rx_bytes += len;
                p.nf.sock = 0;
                self.queue.send(dev, p);
            }
            _ => return self.stacked_xmit(dev, p),
        }
        true
    }

    /// Devices that hand what they send to other devices: one inside the other, at most so deep
    /// (`XMIT_RECURSION_LIMIT`).
    fn stacked_xmit(&mut self, dev: DevId, mut p: Packet) -> bool {
        if self.xmit_depth > XMIT_RECURSION_LIMIT {
            self.devs[dev.ix()].stats.tx_dropped += 1;
            self.drop_at(dev, &mut p, DropReason::NOT_SPECIFIED, "__dev_queue_xmit");
            return false;
        }
        self.xmit_depth += 1;
        let mut ok = true;
        match self.devs[dev.ix()].kind {
            DevKind::Vxlan(_) => self.vxlan_xmit(dev, p),
            DevKind::Macvlan { lower, mode } => ok = self.macvlan_xmit(dev, lower, mode, p),
            _ => self.br_dev_xmit(dev, p),
        }
        self.xmit_depth -= 1;
        ok
    }

    /// `is_skb_forwardable`: a frame may be 4 bytes longer than the MTU, room for a VLAN tag.
    #[inline]
    pub(crate) fn is_skb_forwardable(&self, dev: DevId, p: &Packet) -> bool {
        let d = &self.devs[dev.ix()];
        d.is_up() && (p.frame_len() <= d.mtu as usize + 14 + 4 || is_gso(p))
    }

    fn veth_xmit(&mut self, dev: DevId, peer: Option<DevId>, mut p: Packet) -> bool {
        let Some(peer) = peer else {
            self.devs[dev.ix()].stats.tx_dropped += 1;
            self.drop_at(dev, &mut p, DropReason::NOT_SPECIFIED, "veth_xmit");
            return false;
        };
        if !self.is_skb_forwardable(peer, &p) {
            self.devs[peer.ix()].stats.rx_dropped += 1;
            self.devs[dev.ix()].stats.tx_dropped += 1;
            self.drop_at(peer, &mut p, DropReason::NOT_SPECIFIED, "__dev_forward_skb2");
            return false;
        }
        let len = p.frame_len() as u64;
        let tx = &mut self.devs[dev.ix()].stats;
        tx.tx_packets += 1;
        tx.tx_bytes += len;
        let rx = &mut self.devs[peer.ix()].stats;
        rx.rx_packets += 1;
        rx.rx_bytes += len;
        // `skb_scrub_packet`: connection and bridge port stay behind, the mark too where a namespace ends.
        p.nf = SkbNf::default();
        if self.devs[dev.ix()].netns != self.devs[peer.ix()].netns {
            p.mark = 0;
        }
        self.queue.send(peer, p);
        true
    }

    /// A frame arrives at a device (`__netif_receive_skb_core`).
    pub fn netif_receive(&mut self, dev: DevId, mut p: Packet) {
        self.receptions += 1;
        let d = &self.devs[dev.ix()];
        if !d.alive || !d.is_up() {
            return self.drop_at(dev, &mut p, DropReason::DEV_READY, "enqueue_to_backlog");
        }
        let (port, own, lo, shared) = (d.port.is_some(), d.mac, d.is_loopback(), !d.macvlans.is_empty());
        p.bridged += u16::from(port);
        self.circles |= p.bridged > BRIDGED;
        self.ev(dev, &mut p, EventKind::Rx);
        if shared {
            match self.macvlan_handle_frame(dev, p) {
                Some(rest) => p = rest,
                None => return,
            }
        }
        if port {
            p.nf.to_host = false;
            return self.br_handle_frame(dev, p);
        }
        let ty = if p.nf.to_host { PktType::Host } else { PktType::of(p.dst, own) };
        p.nf.to_host = false;
        if lo {
            return self.loopback_receive(dev, p);
        }
        self.deliver(dev, ty, p);
    }

    /// Hands a frame to the protocol it carries (`deliver_skb`); `dev` is where it counts as received.
    pub(crate) fn deliver(&mut self, dev: DevId, ty: PktType, mut p: Packet) {
        self.packet_sockets(dev, ty, &p);
        match p.body {
            Body::Ipv4(_) => self.ip_rcv(dev, ty, p),
            Body::Arp(_) => self.arp_rcv(dev, ty, p),
            Body::Other(..) => self.drop_at(dev, &mut p, DropReason::UNHANDLED_PROTO, "__netif_receive_skb_core"),
        }
    }
}

/// `skb_is_gso`.
#[inline]
pub(crate) fn is_gso(p: &Packet) -> bool {
    matches!(&p.body, Body::Ipv4(ip) if ip.gso_size != 0)
}

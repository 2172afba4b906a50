//! VXLAN datagrams as they arrive (`vxlan_rcv`).

use crate::kernel::Kernel;
use crate::kernel::ip::Rx;
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::event::Birth;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Body, L4, Packet, parse};

/// Length of the VXLAN header.
pub(super) const VXLAN_HLEN: usize = 8;
/// The flag that says there is an identifier (`VXLAN_HF_VNI`).
pub(super) const VNI_VALID: u8 = 0x08;

impl<R: Recorder> Kernel<R> {
    /// `vxlan_rcv`: a datagram for the socket of the namespace's VXLAN devices of a port.
    pub(crate) fn vxlan_rcv(&mut self, ns: NetnsId, rx: Rx, port: u16, p: &mut Packet) {
        const F: &str = "vxlan_rcv";
        let Some(ip) = p.ipv4() else { return };
        let L4::Udp(u) = &ip.l4 else { return };
        let (from, gso, data) = (ip.src, ip.gso_size, u.payload.clone());
        let (Some(head), true) = (data.get(..VXLAN_HLEN), data.len() >= VXLAN_HLEN + 14) else {
            return self.drop_at(rx.dev, p, DropReason::PKT_TOO_SMALL, F);
        };
        if head[0] & VNI_VALID == 0 {
            return self.drop_at(rx.dev, p, DropReason::VXLAN_INVALID_HDR, F);
        }
        let vni = u32::from_be_bytes([0, head[4], head[5], head[6]]);
        let Some(vx) = self.vxlan_by_vni(ns, port, vni) else {
            return self.drop_at(rx.dev, p, DropReason::VXLAN_VNI_NOT_FOUND, F);
        };
        // What no option of the device explains makes the header a bad one.
        if head[0] != VNI_VALID || head[1..4] != [0; 3] || head[7] != 0 {
            self.devs[vx.ix()].stats.rx_errors += 1;
            return self.drop_at(rx.dev, p, DropReason::VXLAN_INVALID_HDR, F);
        }
        let Some(mut inner) = parse::frame(&data.slice(VXLAN_HLEN..)) else {
            return self.drop_at(rx.dev, p, DropReason::PKT_TOO_SMALL, F);
        };
        if let (Body::Ipv4(_), true) = (&inner.body, gso != 0)
            && let Some(ip) = inner.ipv4_mut()
        {
            ip.gso_size = gso;
        }
        if inner.src == self.devs[vx.ix()].mac {
            return self.drop_at(rx.dev, p, DropReason::LOCAL_MAC, F);
        }
        let mut learnt = None;
        if self.devs[vx.ix()].vxlan().is_some_and(|v| v.cfg.learning) {
            match self.vxlan_snoop(vx, from, inner.src) {
                Ok(l) => learnt = l,
                Err(reason) => return self.drop_at(rx.dev, p, reason, F),
            }
        }
        inner.id = self.packet_id_from(p.id);
        if R::ON {
            self.rec.born(inner.id, Some(p.id), Birth::Decapsulated);
        }
        if self.devs[vx.ix()].netns == ns {
            inner.mark = p.mark;
        }
        self.ev(rx.dev, p, EventKind::Decap { vni, dev: vx, inner: inner.id });
        if let Some(moved_from) = learnt {
            self.ev(vx, &mut inner, EventKind::VxlanLearn { remote: from, moved_from });
        }
        self.vxlan_deliver(vx, inner);
    }

    /// Hands a frame to the device as received.
    fn vxlan_deliver(&mut self, vx: DevId, p: Packet) {
        let s = &mut self.devs[vx.ix()].stats;
        s.rx_packets += 1;
        // The Ethernet header was read already.
        s.rx_bytes += p.frame_len() as u64 - 14;
        self.netif_receive(vx, p);
    }

    /// The neighbour's entry is an address on this side of the tunnel.
    pub(super) fn vxlan_is_local(&mut self, vx: DevId, mac: crate::wire::MacAddr) -> bool {
        let now = self.queue.now;
        let Some(v) = self.devs[vx.ix()].vxlan_mut() else { return false };
        let Some(e) = v.find(mac, now) else { return false };
        e.used = now;
        e.remotes.first().is_some_and(|r| r.ip.is_unspecified())
    }
}

//! What a bridge does with a frame that a port received (net/bridge/br_input.c).

use super::{BrPort, FdbKind, PortState};
use crate::kernel::Kernel;
use crate::kernel::br_netfilter::Bridged;
use crate::kernel::dev::PktType;
use crate::kernel::ebtables::EbHook;
use crate::kernel::types::DevId;
use crate::trace::event::{Birth, BrVerdict};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Body, Packet};

impl<R: Recorder> Kernel<R> {
    /// The port's settings; the device must be a port.
    #[inline]
    pub(crate) fn brport(&self, port: DevId) -> &BrPort {
        self.devs[port.ix()].port.as_deref().expect("a device with a master is a port")
    }

    /// `br_handle_frame`.
    pub(crate) fn br_handle_frame(&mut self, port: DevId, mut p: Packet) {
        if !p.src.is_valid_unicast() {
            return self.drop_at(port, &mut p, DropReason::MAC_INVALID_SOURCE, "br_handle_frame");
        }
        let state = self.brport(port).state;
        if !matches!(state, PortState::Forwarding | PortState::Learning) {
            return self.drop_at(port, &mut p, DropReason::BRIDGE_INGRESS_STP_STATE, "br_handle_frame");
        }
        let br = self.devs[port.ix()].master.expect("a port has a master");
        if matches!(p.body, Body::Ipv4(_)) && self.br_nf_called(br) {
            match self.br_nf_pre_routing(br, port, p) {
                Bridged::On(shown) => p = shown,
                Bridged::Gone => return,
            }
        }
        self.br_handle_frame_finish(port, state, p);
    }

    pub(crate) fn br_handle_frame_finish(&mut self, port: DevId, state: PortState, mut p: Packet) {
        let d = &self.devs[port.ix()];
        let br = d.master.expect("a port has a master");
        let bp = self.brport(port);
        let (learning, locked) = (bp.learning, bp.locked);
        if locked && !self.br_fdb_knows(br, p.src, port) {
            return self.drop_at(port, &mut p, DropReason::NOT_SPECIFIED, "br_handle_frame_finish");
        }
        if learning {
            self.br_fdb_update(br, port, &mut p);
        }
        if state == PortState::Learning {
            return self.drop_at(port, &mut p, DropReason::BRIDGE_INGRESS_STP_STATE, "br_handle_frame_finish");
        }
        let to_host = std::mem::take(&mut p.nf.to_host);
        if p.dst.is_multicast() {
            self.ev(port, &mut p, EventKind::BrLookup { bridge: br, verdict: BrVerdict::Group });
            let copy = self.clone_packet(&p);
            self.br_flood(br, Some(port), copy);
            if self.devs[br.ix()].is_promisc() {
                // As below: what a bridge that takes every frame takes has no connection.
                p.nf.ct = None;
            }
            return self.br_pass_frame_up(br, port, p);
        }
        match self.br_fdb_lookup(br, p.dst) {
            Some(e) if e.kind == FdbKind::Local => {
                self.ev(port, &mut p, EventKind::BrLookup { bridge: br, verdict: BrVerdict::Local });
                self.br_pass_frame_up(br, port, p);
            }
            Some(e) => {
                self.ev(port, &mut p, EventKind::BrLookup { bridge: br, verdict: BrVerdict::Port(e.dev) });
                let up = self.br_copy_up(br, to_host, &p);
                self.br_forward(Some(port), e.dev, p, "br_handle_frame_finish");
                self.br_pass_copy(br, port, up);
            }
            None => {
                self.ev(port, &mut p, EventKind::BrLookup { bridge: br, verdict: BrVerdict::Unknown });
                let up = self.br_copy_up(br, to_host, &p);
                self.br_flood(br, Some(port), p);
                self.br_pass_copy(br, port, up);
            }
        }
    }

    /// A bridge that takes every frame gets a copy of what is for others.
    #[inline]
    fn br_copy_up(&mut self, br: DevId, to_host: bool, p: &Packet) -> Option<Packet> {
        let mut copy = self.devs[br.ix()].is_promisc().then(|| self.clone_packet(p))?;
        // `br_nf_local_in`: its connection is the other copy's.
        copy.nf.ct = None;
        // The translated frame was routed to learn where it goes.
        (copy.nf.to_host, copy.nf.routed) = (to_host, to_host);
        Some(copy)
    }

    #[inline]
    fn br_pass_copy(&mut self, br: DevId, port: DevId, up: Option<Packet>) {
        if let Some(p) = up {
            self.br_pass_frame_up(br, port, p);
        }
    }

    /// `br_pass_frame_up`: from here on the bridge is the receiving device.
    fn br_pass_frame_up(&mut self, br: DevId, port: DevId, mut p: Packet) {
        let port_mac = self.devs[port.ix()].mac;
        let d = &mut self.devs[br.ix()];
        if !d.is_up() {
            return self.drop_at(br, &mut p, DropReason::DEV_READY, "br_pass_frame_up");
        }
        d.stats.rx_packets += 1;
        d.stats.rx_bytes += p.frame_len() as u64 - 14;
        if !self.ebt_hook(EbHook::Input, br, Some(port), None, &mut p) {
            return;
        }
        let d = &self.devs[br.ix()];
        // A frame for the address of the port it came by is for the host as well.
        let to_host = std::mem::take(&mut p.nf.to_host);
        let ty = if to_host || p.dst == port_mac { PktType::Host } else { PktType::of(p.dst, d.mac) };
        if !self.br_nf_local_in(br, ty, &mut p) {
            return;
        }
        self.receptions += 1;
        self.ev(br, &mut p, EventKind::BrUp { bridge: br });
        self.ev(br, &mut p, EventKind::Rx);
        if !self.devs[br.ix()].macvlans.is_empty() {
            match self.macvlan_handle_frame(br, p) {
                Some(rest) => p = rest,
                None => return,
            }
        }
        self.deliver(br, ty, p);
    }

    /// A copy under a number of its own (`skb_clone`).
    #[inline]
    pub(crate) fn clone_packet(&mut self, p: &Packet) -> Packet {
        let mut c = p.clone();
        c.id = self.packet_id_from(p.id);
        if R::ON {
            self.rec.born(c.id, Some(p.id), Birth::Copy);
        }
        c
    }
}

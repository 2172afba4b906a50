//! IP tables for bridged frames (net/bridge/br_netfilter_hooks.c).
//!
//! With `bridge-nf-call-iptables` a bridge shows IPv4 frames to the IP hooks as if the bridge itself had received
//! and sent them: PREROUTING at the port they come in by, FORWARD and POSTROUTING at each port they leave by.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::Kernel;
use super::dev::{PktType, is_gso};
use super::fib::RouteType;
use super::mib::MibItem as M;
use super::netfilter::{Hook, Verdict};
use super::types::DevId;
use super::xtables::view::HookAt;
use crate::trace::event::Birth;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Body, Ipv4, L4, Packet, encode};

/// What PREROUTING made of a bridged frame.
pub(crate) enum Bridged {
    /// It goes on through the bridge.
    On(Packet),
    /// It was dropped, or waits.
    Gone,
}

impl<R: Recorder> Kernel<R> {
    /// Frames of this bridge are shown to iptables: the namespace says so, or the bridge.
    #[inline]
    pub(crate) fn br_nf_called(&self, br: DevId) -> bool {
        let d = &self.devs[br.ix()];
        self.netns[d.netns.ix()].sysctl.bridge_nf_call_iptables != 0 || d.bridge().is_some_and(|b| b.nf_call_iptables)
    }

    /// `br_nf_pre_routing`.
    pub(crate) fn br_nf_pre_routing(&mut self, br: DevId, port: DevId, mut p: Packet) -> Bridged {
        let Some(asked) = p.ipv4().map(|ip| ip.dst) else { return Bridged::On(p) };
        p.nf.bridged = true;
        p.nf.physin = port.0 + 1;
        let ns = self.devs[br.ix()].netns;
        if !self.netns[ns.ix()].nf.active {
            return Bridged::On(p);
        }
        // To the tables a frame for somebody else is like one for this host.
        let ty = match PktType::of(p.dst, self.devs[br.ix()].mac) {
            PktType::OtherHost => PktType::Host,
            ty => ty,
        };
        if self.nf_hook(&HookAt::received(ns, Hook::Prerouting, br, ty), &mut p) != Verdict::Accept {
            return Bridged::Gone;
        }
        match p.ipv4().map(|ip| ip.dst) {
            Some(now) if now != asked => self.br_nf_translated(br, port, p),
            _ => Bridged::On(p),
        }
    }

    /// `br_nf_pre_routing_finish` of a frame whose destination was translated: routing says whether it stays on
    /// the bridge.
    fn br_nf_translated(&mut self, br: DevId, port: DevId, mut p: Packet) -> Bridged {
        let Some(dst) = p.ipv4().map(|ip| ip.dst) else { return Bridged::On(p) };
        let nexthop = match self.ip_route_input(br, &mut p) {
            Ok(rt) if rt.error.is_none() => (rt.dev == br && !rt.local).then(|| rt.gateway.unwrap_or(dst)),
            // Routed to an error, which the bridge itself will tell of (`ip_error`). That `br_nf_pre_routing_finish`
            // would ask for an output route where forwarding is off never happens: such a route is no failure.
            Ok(_) => None,
            Err(reason) => return self.br_nf_lost(br, reason, p),
        };
        match nexthop {
            Some(hop) => self.br_nf_bridged_dnat(br, port, hop, p),
            None => {
                // For this host, to be delivered or routed.
                p.dst = self.devs[br.ix()].mac;
                p.touch();
                Bridged::On(p)
            }
        }
    }

    fn br_nf_lost(&mut self, br: DevId, reason: DropReason, mut p: Packet) -> Bridged {
        self.drop_at(br, &mut p, reason, "br_nf_pre_routing_finish");
        Bridged::Gone
    }

    /// `br_nf_pre_routing_finish_bridge`: only the destination's address is new; the sender's stays.
    fn br_nf_bridged_dnat(&mut self, br: DevId, port: DevId, hop: Ipv4Addr, mut p: Packet) -> Bridged {
        // It came for the bridge, and a copy that the bridge takes for itself still does (`pkt_type`).
        p.nf.to_host = p.dst == self.devs[br.ix()].mac;
        if let Some(mac) = self.neigh_connected(br, hop) {
            p.dst = mac;
            p.touch();
            return Bridged::On(p);
        }
        // ARP first; when it is answered, the frame comes back through br_dev_xmit.
        p.nf.bridged_dnat = Some((port, p.src));
        // Where there is no room for the neighbour, the frame is gone as well.
        let _ = self.neigh_output(br, hop, p);
        Bridged::Gone
    }

    /// `br_nf_dev_xmit`: a translated frame that waited for its destination's address goes on as if its port had
    /// just received it.
    pub(crate) fn br_nf_resume(&mut self, p: &mut Packet) -> Option<DevId> {
        let (port, src) = p.nf.bridged_dnat.take()?;
        p.src = src;
        p.nf.physout = 0;
        p.touch();
        Some(port)
    }

    /// `br_nf_local_in`: what goes up without being for this host by its address (a broadcast, or a frame for a
    /// permanent entry of the table) is confirmed here, as it may never come to a hook that does. Says whether it goes
    /// on.
    #[inline]
    pub(crate) fn br_nf_local_in(&mut self, br: DevId, ty: PktType, p: &mut Packet) -> bool {
        if p.nf.ct.is_none() || ty == PktType::Host {
            return true;
        }
        let ns = self.devs[br.ix()].netns;
        self.nf_conntrack_confirm(ns, Hook::Input, br, p) == Verdict::Accept
    }

    /// `br_nf_forward_ip`: says whether the frame may leave by the port.
    pub(crate) fn br_nf_forward(&mut self, br: DevId, port: DevId, p: &mut Packet) -> bool {
        p.nf.physout = port.0 + 1;
        let ns = self.devs[br.ix()].netns;
        let at = HookAt {
            ns,
            hook: Hook::Forward,
            iif: Some(br),
            oif: Some(br),
            ty: self.br_nf_type(br, p),
            nexthop: p.ipv4().map_or(Ipv4Addr::UNSPECIFIED, |ip| ip.dst),
            mtu: self.devs[br.ix()].mtu,
            kind: RouteType::Unicast,
        };
        self.nf_hook(&at, p) == Verdict::Accept
    }

    /// `br_nf_post_routing`.
    pub(crate) fn br_nf_post_routing(&mut self, br: DevId, p: &mut Packet) -> bool {
        let ns = self.devs[br.ix()].netns;
        let at = HookAt {
            ns,
            hook: Hook::Postrouting,
            iif: None,
            oif: Some(br),
            ty: self.br_nf_type(br, p),
            nexthop: p.ipv4().map_or(Ipv4Addr::UNSPECIFIED, |ip| ip.dst),
            mtu: self.devs[br.ix()].mtu,
            kind: RouteType::Unicast,
        };
        self.nf_hook(&at, p) == Verdict::Accept
    }

    fn br_nf_type(&self, br: DevId, p: &Packet) -> PktType {
        match PktType::of(p.dst, self.devs[br.ix()].mac) {
            PktType::OtherHost => PktType::Host,
            ty => ty,
        }
    }

    /// `br_nf_dev_queue_xmit`: a packet that is longer than its port's MTU, or came in pieces, leaves in pieces.
    /// Gives what is to be sent as it is.
    pub(crate) fn br_nf_refragment(&mut self, br: DevId, port: DevId, mut p: Packet) -> Option<Packet> {
        let ip = p.ipv4()?;
        let mtu = match p.nf.frag_max {
            0 => self.devs[port.ix()].mtu,
            max => self.devs[port.ix()].mtu.min(max.into()),
        };
        if is_gso(&p) || ip.total_len() <= mtu as usize {
            return Some(p);
        }
        let (ns, own) = (self.devs[br.ix()].netns, self.devs[br.ix()].mtu);
        if (ip.df && p.nf.frag_max == 0) || u32::from(p.nf.frag_max) > own {
            self.netns[ns.ix()].mib.inc(M::IpFragFails);
            self.drop_at(port, &mut p, DropReason::NOT_SPECIFIED, "br_nf_dev_queue_xmit");
            return None;
        }
        let mtu = match p.nf.frag_max {
            0 => own,
            max => own.min(max.into()),
        };
        self.br_nf_fragment(port, p, mtu);
        None
    }

    fn br_nf_fragment(&mut self, port: DevId, mut p: Packet, mtu: u32) {
        let Some(ip) = p.ipv4().cloned() else { return };
        let ns = self.devs[port.ix()].netns;
        let step = (mtu as usize).saturating_sub(ip.header_len()) & !7;
        if step == 0 {
            return self.drop_at(port, &mut p, DropReason::PKT_TOO_BIG, "ip_do_fragment");
        }
        if ip.total_len() <= mtu as usize {
            // It fits the bridge, though not the port: one piece, which the port then refuses.
            return self.br_push(port, p);
        }
        let data = encode::l4_bytes(&ip);
        let pieces = data.len().div_ceil(step);
        self.ev(port, &mut p, EventKind::Fragmented { pieces: pieces as u16, mtu });
        for i in 0..pieces {
            let (from, to) = (i * step, ((i + 1) * step).min(data.len()));
            let mut f = p.clone();
            f.id = self.packet_id();
            f.touch();
            if R::ON {
                self.rec.born(f.id, Some(p.id), Birth::Fragment);
            }
            f.body = Body::Ipv4(Arc::new(Ipv4 {
                mf: ip.mf || i + 1 < pieces,
                frag_off: ip.frag_off + (from / 8) as u16,
                l4: L4::Raw(ip.proto(), data.slice(from..to)),
                ..ip.clone()
            }));
            self.netns[ns.ix()].mib.inc(M::IpFragCreates);
            self.br_push(port, f);
        }
        self.netns[ns.ix()].mib.inc(M::IpFragOKs);
    }
}

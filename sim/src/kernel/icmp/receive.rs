//! `icmp_rcv`: what arrives.

use std::net::Ipv4Addr;

use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::fib::RouteType;
use crate::kernel::ip::Rx;
use crate::kernel::mib::MibItem as M;
use crate::kernel::route::OutputKey;
use crate::kernel::socket::SockErr;
use crate::kernel::types::{Errno, NetnsId, SockId};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Icmp, Ipv4, L4, Packet, parse};

/// An ICMP error, and the packet that it quotes.
pub(crate) struct IcmpErr {
    /// The packet.
    pub quoted: Ipv4,
    /// Who sent the error.
    pub from: Ipv4Addr,
    /// Type.
    pub ty: u8,
    /// Code.
    pub code: u8,
    /// The rest of its header: an MTU, a gateway.
    pub info: u32,
}

impl IcmpErr {
    /// Ports of the quoted packet, of which eight bytes are enough.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match &self.quoted.l4 {
            L4::Raw(_, b) => parse::ports(b),
            l4 => l4.ports(),
        }
    }

    /// As a socket's error queue keeps it (`ip_icmp_error`).
    pub fn queued(&self, errno: Errno) -> SockErr {
        SockErr { errno, icmp: Some((self.ty, self.code)), from: self.from, mtu: self.info & 0xffff }
    }
}

impl<R: Recorder> Kernel<R> {
    pub(crate) fn icmp_rcv(&mut self, rx: Rx, mut p: Packet) {
        let ns = self.devs[rx.dev.ix()].netns;
        let Some((ty, code, rest)) = p.ipv4().and_then(|ip| match &ip.l4 {
            L4::Icmp(i) => Some((i.ty, i.code, i.rest)),
            _ => None,
        }) else {
            return;
        };
        self.icmp_in(ns, ty);
        let group = matches!(rx.kind, RouteType::Broadcast | RouteType::Multicast);
        if group && !(ty == 8 || ty == 13) {
            self.netns[ns.ix()].mib.inc(M::IcmpInErrors);
            return self.drop_at(rx.dev, &mut p, DropReason::INVALID_PROTO, "icmp_rcv");
        }
        if group && self.netns[ns.ix()].sysctl.icmp_echo_ignore_broadcasts != 0 {
            self.netns[ns.ix()].mib.inc(M::IcmpInErrors);
            return self.drop_at(rx.dev, &mut p, DropReason::INVALID_PROTO, "icmp_rcv");
        }
        match ty {
            8 => {
                if self.netns[ns.ix()].sysctl.icmp_echo_ignore_all != 0 {
                    return self.drop_at(rx.dev, &mut p, DropReason::NOT_SPECIFIED, "icmp_echo");
                }
                self.ev(rx.dev, &mut p, EventKind::EchoReply);
                let payload = match p.ipv4().map(|ip| &ip.l4) {
                    Some(L4::Icmp(i)) => i.payload.clone(),
                    _ => return,
                };
                self.icmp_reply(ns, rx, &p, 0, rest, payload);
            }
            // A raw socket had its copy before; `ping_rcv` finds no datagram socket.
            0 => self.consume(rx.dev, &mut p, "echo reply"),
            3 | 11 | 12 | 5 | 4 => self.icmp_error_in(ns, rx, ty, code, rest, p),
            _ => self.drop_at(rx.dev, &mut p, DropReason::NOT_SPECIFIED, "icmp_rcv"),
        }
    }

    fn icmp_in(&mut self, ns: NetnsId, ty: u8) {
        let mib = &mut self.netns[ns.ix()].mib;
        mib.inc(M::IcmpInMsgs);
        let by_type = match ty {
            0 => Some((M::IcmpInEchoReps, M::IcmpMsgInType0)),
            3 => Some((M::IcmpInDestUnreachs, M::IcmpMsgInType3)),
            5 => Some((M::IcmpInRedirects, M::IcmpMsgInType5)),
            8 => Some((M::IcmpInEchos, M::IcmpMsgInType8)),
            11 => Some((M::IcmpInTimeExcds, M::IcmpMsgInType11)),
            _ => None,
        };
        if let Some((a, b)) = by_type {
            mib.inc(a);
            mib.inc(b);
        }
    }

    /// `icmp_unreach`, `icmp_redirect`, `icmp_socket_deliver`: whom does the quoted packet belong to?
    fn icmp_error_in(&mut self, ns: NetnsId, rx: Rx, ty: u8, code: u8, rest: u32, mut p: Packet) {
        let from = p.ipv4().map_or(Ipv4Addr::UNSPECIFIED, |ip| ip.src);
        let quoted = p.ipv4().and_then(|ip| match &ip.l4 {
            L4::Icmp(Icmp { payload, .. }) => parse::ipv4(payload),
            _ => None,
        });
        let Some(inner) = quoted else {
            self.netns[ns.ix()].mib.inc(M::IcmpInErrors);
            return self.drop_at(rx.dev, &mut p, DropReason::PKT_TOO_SMALL, "icmp_unreach");
        };
        // Nobody may answer a broadcast with an error; ordinarily it is taken all the same.
        if self.netns[ns.ix()].sysctl.icmp_ignore_bogus_error_responses == 0
            && self.inet_addr_type(ns, inner.dst) == RouteType::Broadcast
        {
            return self.drop_at(rx.dev, &mut p, DropReason::NOT_SPECIFIED, "icmp_unreach");
        }
        // What it says of the route counts only where the packet's own protocol knows it: it may be made up.
        let e = IcmpErr { quoted: inner, from, ty, code, info: rest };
        self.raw_err(ns, rx, &e, &mut p);
        match e.quoted.proto() {
            17 => self.udp_err(ns, rx, &e, &mut p),
            6 => self.tcp_v4_err(ns, rx, &e, &mut p),
            // `icmp_err`: an answer has no socket, and a request has that of `ping`.
            1 if matches!(&e.quoted.l4, L4::Icmp(Icmp { ty: 0, .. })) => self.icmp_err_route(ns, rx, &e, None, &mut p),
            _ => {}
        }
        self.consume(rx.dev, &mut p, "ICMP error read");
    }

    /// What an error says of the way, for the route that the quoted packet took: that of its socket, or one that the
    /// kernel itself would take (`ipv4_sk_update_pmtu`, `ipv4_sk_redirect`, `ipv4_update_pmtu`, `ipv4_redirect`).
    pub(crate) fn icmp_err_route(&mut self, ns: NetnsId, rx: Rx, e: &IcmpErr, sk: Option<SockId>, p: &mut Packet) {
        let key = self.build_flow_key(&e.quoted, sk);
        match (e.ty, e.code) {
            (3, 4) => self.ipv4_update_pmtu(ns, key, e.info & 0xffff, p),
            (5, _) if rx.ty == PktType::Host => {
                self.ip_do_redirect(ns, rx, key, (e.from, Ipv4Addr::from(e.info)), p);
            }
            _ => {}
        }
    }

    /// `__build_flow_key`.
    fn build_flow_key(&self, inner: &Ipv4, sk: Option<SockId>) -> OutputKey {
        let key = OutputKey { src: inner.src, ..OutputKey::to(inner.dst, inner.proto()) };
        match sk.map(|id| self.sock(id)) {
            Some(s) => OutputKey { oif: s.dev, mark: s.opts.mark, tos: s.opts.tos & 0x1e, ..key },
            None => OutputKey { tos: inner.tos & 0x1e, ..key },
        }
    }

    /// `__ip_rt_update_pmtu`: the path MTU is noted for the route.
    fn ipv4_update_pmtu(&mut self, ns: NetnsId, key: OutputKey, mtu: u32, p: &mut Packet) {
        if self.netns[ns.ix()].sysctl.ip_no_pmtu_disc != 0 || mtu == 0 {
            return;
        }
        let dst = key.dst;
        if let Ok(rt) = self.ip_route_output(ns, key, None) {
            self.update_pmtu(ns, &rt, dst, mtu, Some(p));
        }
    }

    /// `__ip_do_redirect`: from one gateway to another.
    fn ip_do_redirect(
        &mut self,
        ns: NetnsId,
        rx: Rx,
        key: OutputKey,
        (old, new): (Ipv4Addr, Ipv4Addr),
        p: &mut Packet,
    ) {
        let dst = key.dst;
        let Ok(rt) = self.ip_route_output(ns, key, None) else { return };
        if rt.gateway != Some(old) {
            return;
        }
        let d = self.dev(rx.dev);
        let all = &self.ns(ns).sysctl.all;
        let either = |a: i32, b: i32| a != 0 || b != 0;
        let accepts = if d.conf.forwarding != 0 {
            d.conf.accept_redirects != 0 && all.accept_redirects != 0
        } else {
            either(d.conf.accept_redirects, all.accept_redirects)
        };
        if new == old || !accepts || new.is_multicast() || new.is_broadcast() || new.is_unspecified() {
            return;
        }
        if either(d.conf.shared_media, all.shared_media) {
            if self.inet_addr_type(ns, new) != RouteType::Unicast {
                return;
            }
        } else if !self.inet_addr_onlink(rx.dev, new, old) {
            return;
        }
        // Only a gateway that is known to be there is taken; else it is asked for first.
        if self.neigh_is_valid(rt.dev, new) {
            self.take_redirect(ns, &rt, dst, new, p);
        } else {
            self.neigh_event_send(rt.dev, new);
        }
    }
}

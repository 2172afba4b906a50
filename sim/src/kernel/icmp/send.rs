//! `icmp_send`: errors about packets; `icmp_reply`: answers to questions.

use std::net::Ipv4Addr;

use bytes::Bytes;

use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::fib::{Flow, Lookup, RouteType, scope};
use crate::kernel::ip::{IpMeta, Rx};
use crate::kernel::mib::MibItem as M;
use crate::kernel::route::{Dst, OutputKey};
use crate::kernel::types::{DevId, MSEC, NetnsId};
use crate::trace::{EventKind, Recorder};
use crate::wire::{Icmp, Ipv4, L4, Packet, encode};

/// Most bytes of an ICMP error, IP header included (RFC 1812, section 4.3.2.3).
const ERROR_MAX: u32 = 576;

/// Types that are themselves errors (`icmp_pointers[].error`).
fn is_error_type(ty: u8) -> bool {
    matches!(ty, 3 | 4 | 5 | 11 | 12)
}

impl<R: Recorder> Kernel<R> {
    /// `__icmp_send`. `rx` tells how the packet came here; none for what the host itself sent.
    pub(crate) fn icmp_send(&mut self, ns: NetnsId, rx: Option<Rx>, p: &mut Packet, ty: u8, code: u8, info: u32) {
        if self.icmp_busy {
            return;
        }
        let Some(ip) = p.ipv4() else { return };
        if let Some(rx) = rx
            && (!matches!(rx.ty, PktType::Host) || matches!(rx.kind, RouteType::Broadcast | RouteType::Multicast))
        {
            return;
        }
        if ip.frag_off != 0 || quotes_an_error(ip) {
            return;
        }
        let (src, dst, tos) = (ip.src, ip.dst, (ip.tos & 0x1e) | 0xc0);
        let local = rx.is_some_and(|r| r.local);
        let own = if local {
            dst
        } else {
            let inbound = self.netns[ns.ix()].sysctl.icmp_errors_use_inbound_ifaddr != 0;
            let iif = (inbound && p.iif != 0).then(|| DevId(p.iif - 1));
            iif.and_then(|d| self.inet_select_addr(d, Some(src), scope::LINK)).unwrap_or(Ipv4Addr::UNSPECIFIED)
        };
        let key = OutputKey { src: own, tos: tos & 0x1e, ..OutputKey::to(src, 1) };
        let Ok(rt) = self.ip_route_output(ns, key, None) else { return };
        if !self.icmp_allowed(ns, ty, code, src, self.dev(rt.dev).is_loopback()) {
            if R::ON {
                self.rec.event(self.queue.now, ns, None, Some(p), EventKind::IcmpLimited { ty, code });
            }
            return;
        }
        if R::ON {
            self.rec.event(self.queue.now, ns, None, Some(p), EventKind::IcmpError { ty, code });
        }
        let Some(ip) = p.ipv4() else { return };
        let room = self.dst_mtu(&rt).min(ERROR_MAX) as usize - 28;
        let mut quoted = encode::ipv4(ip);
        quoted.truncate(room);
        self.icmp_out(ns, ty);
        let id = self.next_ip_id(ns);
        let msg = L4::Icmp(Icmp { ty, code, rest: info, payload: quoted.into() });
        let m = IpMeta { tos, id, ..IpMeta::error(p) };
        // To nobody is to oneself (`ip_route_output_key_hash_rcu`).
        let to = if src.is_unspecified() { rt.src } else { src };
        self.icmp_push(ns, &rt, to, msg, m);
    }

    /// `icmp_push_reply`, under the lock that a second message of this processor would not get (`icmp_xmit_lock`): no
    /// error is ever told about what ICMP itself sends.
    fn icmp_push(&mut self, ns: NetnsId, rt: &Dst, to: Ipv4Addr, msg: L4, m: IpMeta) {
        self.icmp_busy = true;
        let _ = self.ip_local_out(ns, rt, to, msg, 0, m);
        self.icmp_busy = false;
    }

    /// Counts an ICMP message that leaves (`icmp_out_count`).
    pub(crate) fn icmp_out(&mut self, ns: NetnsId, ty: u8) {
        let mib = &mut self.netns[ns.ix()].mib;
        mib.inc(M::IcmpOutMsgs);
        let by_type = match ty {
            0 => Some((M::IcmpOutEchoReps, M::IcmpMsgOutType0)),
            3 => Some((M::IcmpOutDestUnreachs, M::IcmpMsgOutType3)),
            5 => Some((M::IcmpOutRedirects, M::IcmpMsgOutType5)),
            8 => Some((M::IcmpOutEchos, M::IcmpMsgOutType8)),
            11 => Some((M::IcmpOutTimeExcds, M::IcmpMsgOutType11)),
            _ => None,
        };
        if let Some((a, b)) = by_type {
            mib.inc(a);
            mib.inc(b);
        }
    }

    /// `icmpv4_global_allow`, `icmpv4_xrlim_allow`.
    fn icmp_allowed(&mut self, ns: NetnsId, ty: u8, code: u8, to: Ipv4Addr, loopback: bool) -> bool {
        let now = self.queue.now;
        let n = &mut self.netns[ns.ix()];
        let s = &n.sysctl;
        if ty > 18 || (ty == 3 && code == 4) || s.icmp_ratemask & (1 << ty) == 0 || loopback {
            return true;
        }
        let (per_sec, burst) = (s.icmp_msgs_per_sec.max(0) as u64, s.icmp_msgs_burst.max(0) as u64);
        let cost = s.icmp_ratelimit_ms.max(0) as u64 * MSEC;
        if !n.icmp_limits.global_allow(now, per_sec, burst) {
            n.mib.inc(M::IcmpOutRateLimitGlobal);
            return false;
        }
        // A limit of 0 lets everything pass, and still empties the peer's bucket, which `ip_error` draws from too.
        if n.icmp_limits.peer_allow(to, now, cost) {
            return true;
        }
        n.mib.inc(M::IcmpOutRateLimitHost);
        false
    }

    /// `icmp_reply`: back to the sender, from the address that was asked.
    pub(crate) fn icmp_reply(&mut self, ns: NetnsId, rx: Rx, p: &Packet, ty: u8, rest: u32, payload: Bytes) {
        let Some(ip) = p.ipv4() else { return };
        let (to, asked, tos) = (ip.src, ip.dst, ip.tos);
        let own = if rx.kind == RouteType::Local { asked } else { self.spec_dst(ns, rx.dev, to) };
        let key = OutputKey { src: own, tos: tos & 0x1e, ..OutputKey::to(to, 1) };
        let Ok(rt) = self.ip_route_output(ns, key, None) else { return };
        self.icmp_out(ns, ty);
        let id = self.next_ip_id(ns);
        let msg = L4::Icmp(Icmp { ty, code: 0, rest, payload });
        self.icmp_push(ns, &rt, to, msg, IpMeta { tos, id, ..IpMeta::answer(p.id) });
    }

    /// `fib_compute_spec_dst`: the address to answer a broadcast from.
    fn spec_dst(&self, ns: NetnsId, dev: DevId, peer: Ipv4Addr) -> Ipv4Addr {
        let found = match self.lookup_rules_quietly(ns, &Flow::to(peer)) {
            Lookup::Route(_, r) => match (r.prefsrc, r.dev) {
                (Some(s), _) => Some(s),
                (None, Some(d)) => self.inet_select_addr(d, r.via, r.scope),
                _ => None,
            },
            _ => self.inet_select_addr(dev, Some(peer), scope::LINK),
        };
        found.unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// A packet that waited for a neighbour in vain (`ipv4_link_failure`).
    pub(crate) fn link_failure(&mut self, dev: DevId, p: &mut Packet) {
        let ns = self.devs[dev.ix()].netns;
        let rx = Rx { dev, sock_dev: dev, ty: PktType::Host, kind: RouteType::Unicast, local: false };
        self.icmp_send(ns, Some(rx), p, 3, 1, 0);
    }
}

/// No error about an error.
fn quotes_an_error(ip: &Ipv4) -> bool {
    match &ip.l4 {
        L4::Icmp(i) => is_error_type(i.ty) || i.ty > 18,
        // The first piece of a fragmented message.
        L4::Raw(1, b) => b.first().is_some_and(|t| is_error_type(*t)),
        _ => false,
    }
}

//! `ip_rcv`, `ip_local_deliver`.

use super::Rx;
use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::fib::RouteType;
use crate::kernel::mib::MibItem as M;
use crate::kernel::netfilter::{Hook, Verdict};
use crate::kernel::route::Dst;
use crate::kernel::types::{DevId, Errno};
use crate::kernel::xtables::view::HookAt;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{L4, Packet};

impl<R: Recorder> Kernel<R> {
    /// `ip_rcv`.
    pub(crate) fn ip_rcv(&mut self, dev: DevId, ty: PktType, mut p: Packet) {
        if ty == PktType::OtherHost {
            return self.drop_at(dev, &mut p, DropReason::OTHERHOST, "ip_rcv_core");
        }
        let ns = self.devs[dev.ix()].netns;
        p.iif = dev.0 + 1;
        // `ip_rcv_core` begins with a fresh control block: what a bridge put together stays whole.
        p.nf.frag_max = 0;
        let len = p.frame_len() as u64 - 14;
        let mib = &mut self.netns[ns.ix()].mib;
        mib.inc(M::IpInReceives);
        mib.add(M::IpExtInOctets, len);
        mib.inc(M::IpExtInNoECTPkts);
        // A bridged frame passed PREROUTING at its port (`ip_sabotage_in`).
        if !p.nf.bridged {
            let at = HookAt::received(ns, Hook::Prerouting, dev, ty);
            if self.nf_hook(&at, &mut p) != Verdict::Accept {
                return;
            }
        }
        self.ip_rcv_finish(dev, ty, p);
    }

    /// `ip_rcv_finish`.
    fn ip_rcv_finish(&mut self, dev: DevId, ty: PktType, mut p: Packet) {
        let ns = self.devs[dev.ix()].netns;
        let len = p.frame_len() as u64 - 14;
        let rt = match self.ip_route_input(dev, &mut p) {
            Ok(rt) => rt,
            Err(r) => {
                if r == DropReason::IP_RPFILTER {
                    self.netns[ns.ix()].mib.inc(M::TcpExtIPReversePathFilter);
                }
                return self.drop_at(dev, &mut p, r, "ip_rcv_finish_core");
            }
        };
        let mib = &mut self.netns[ns.ix()].mib;
        match rt.kind {
            RouteType::Multicast => {
                mib.inc(M::IpExtInMcastPkts);
                mib.add(M::IpExtInMcastOctets, len);
            }
            RouteType::Broadcast => {
                mib.inc(M::IpExtInBcastPkts);
                mib.add(M::IpExtInBcastOctets, len);
            }
            _ if matches!(ty, PktType::Broadcast | PktType::Multicast) => {
                let all = self.netns[ns.ix()].sysctl.all.drop_unicast_in_l2_multicast;
                if all != 0 || self.devs[dev.ix()].conf.drop_unicast_in_l2_multicast != 0 {
                    return self.drop_at(dev, &mut p, DropReason::UNICAST_IN_L2_MULTICAST, "ip_rcv_finish_core");
                }
            }
            _ => {}
        }
        let rx = Rx { dev, sock_dev: dev, ty, kind: rt.kind, local: rt.local };
        if rt.error.is_some() {
            return self.ip_error(rx, &rt, p);
        }
        if rt.local {
            self.ip_local_deliver(rx, p);
        } else {
            self.ip_forward(rx, rt, p);
        }
    }

    /// A packet came round by `lo`: it was routed when it was sent.
    pub(crate) fn loopback_receive(&mut self, dev: DevId, mut p: Packet) {
        let ns = self.devs[dev.ix()].netns;
        if p.ipv4().is_none() {
            return self.drop_at(dev, &mut p, DropReason::UNHANDLED_PROTO, "__netif_receive_skb_core");
        }
        self.packet_sockets(dev, PktType::Host, &p);
        let sock_dev = p.iif.checked_sub(1).map_or(dev, DevId);
        p.iif = dev.0 + 1;
        let len = p.frame_len() as u64 - 14;
        let mib = &mut self.netns[ns.ix()].mib;
        mib.inc(M::IpInReceives);
        mib.add(M::IpExtInOctets, len);
        mib.inc(M::IpExtInNoECTPkts);
        let dst = p.ipv4().map(|ip| ip.dst);
        let at = HookAt::received(ns, Hook::Prerouting, dev, PktType::Host);
        if self.nf_hook(&at, &mut p) != Verdict::Accept {
            return;
        }
        if p.ipv4().map(|ip| ip.dst) != dst {
            // Translated: the route that was chosen when it was sent counts no more (`nf_nat_ipv4_pre_routing`).
            return self.ip_rcv_finish(dev, PktType::Host, p);
        }
        self.ip_local_deliver(Rx { dev, sock_dev, ty: PktType::Host, kind: RouteType::Local, local: true }, p);
    }

    /// What a host sends to a group comes back to itself (`ip_mc_output`, `dev_loopback_xmit`).
    pub(crate) fn loop_back_copy(&mut self, dev: DevId, kind: RouteType, mut p: Packet) {
        let ns = self.devs[dev.ix()].netns;
        p.iif = dev.0 + 1;
        let mib = &mut self.netns[ns.ix()].mib;
        mib.inc(M::IpInReceives);
        mib.inc(if kind == RouteType::Broadcast { M::IpExtInBcastPkts } else { M::IpExtInMcastPkts });
        let at = HookAt::received(ns, Hook::Prerouting, dev, PktType::Loopback);
        if self.nf_hook(&at, &mut p) != Verdict::Accept {
            return;
        }
        self.ip_local_deliver(Rx { dev, sock_dev: dev, ty: PktType::Loopback, kind, local: true }, p);
    }

    /// `ip_error`: there is no way.
    fn ip_error(&mut self, rx: Rx, rt: &Dst, mut p: Packet) {
        let ns = self.devs[rx.dev.ix()].netns;
        let e = rt.error.unwrap_or(Errno::EINVAL);
        let forwards = self.devs[rx.dev.ix()].conf.forwarding != 0;
        let mib = &mut self.netns[ns.ix()].mib;
        let mut reason = DropReason::NOT_SPECIFIED;
        if !forwards {
            match e {
                Errno::EHOSTUNREACH => {
                    mib.inc(M::IpInAddrErrors);
                    reason = DropReason::IP_INADDRERRORS;
                }
                Errno::ENETUNREACH => {
                    mib.inc(M::IpExtInNoRoutes);
                    reason = DropReason::IP_INNOROUTES;
                }
                _ => {}
            }
            return self.drop_at(rx.dev, &mut p, reason, "ip_error");
        }
        let code = match e {
            Errno::EHOSTUNREACH => 1,
            Errno::ENETUNREACH => {
                mib.inc(M::IpExtInNoRoutes);
                reason = DropReason::IP_INNOROUTES;
                0
            }
            Errno::EACCES => 13,
            _ => return self.drop_at(rx.dev, &mut p, reason, "ip_error"),
        };
        let now = self.queue.now;
        if let Some(src) = p.ipv4().map(|ip| ip.src)
            && self.netns[ns.ix()].icmp_limits.ip_error_allow(src, now)
        {
            // Routes that refuse are "local" to the kernel: the error comes from the address asked for... unless
            // it is not one of ours, which it never is here.
            let rx = Rx { local: false, ..rx };
            self.icmp_send(ns, Some(rx), &mut p, 3, code, 0);
        }
        self.drop_at(rx.dev, &mut p, reason, "ip_error");
    }

    /// `ip_local_deliver`, `ip_local_deliver_finish`, `ip_protocol_deliver_rcu`.
    pub(crate) fn ip_local_deliver(&mut self, rx: Rx, mut p: Packet) {
        let ns = self.devs[rx.dev.ix()].netns;
        if p.ipv4().is_some_and(crate::wire::Ipv4::is_fragment) {
            match self.ip_defrag(rx, p) {
                Some(whole) => p = whole,
                None => return,
            }
        }
        self.ev(rx.dev, &mut p, EventKind::LocalIn);
        let at = HookAt::received(ns, Hook::Input, rx.dev, rx.ty);
        if self.nf_hook(&at, &mut p) != Verdict::Accept {
            return;
        }
        let raw = self.raw_local_deliver(rx, &mut p);
        let proto = match p.ipv4() {
            Some(ip) => match &ip.l4 {
                L4::Icmp(_) => 1,
                L4::Udp(_) => 17,
                L4::Tcp(_) => 6,
                L4::Raw(..) => 0,
            },
            None => return,
        };
        if proto != 0 {
            self.netns[ns.ix()].mib.inc(M::IpInDelivers);
        }
        match proto {
            1 => self.icmp_rcv(rx, p),
            17 => self.udp_rcv(rx, p),
            6 => self.tcp_v4_rcv(rx, p),
            _ if raw => {
                self.netns[ns.ix()].mib.inc(M::IpInDelivers);
                self.consume(rx.dev, &mut p, "raw socket took a copy");
            }
            _ => {
                self.netns[ns.ix()].mib.inc(M::IpInUnknownProtos);
                self.icmp_send(ns, Some(rx), &mut p, 3, 2, 0);
                self.drop_at(rx.dev, &mut p, DropReason::IP_NOPROTO, "ip_protocol_deliver_rcu");
            }
        }
    }
}

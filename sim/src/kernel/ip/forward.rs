//! `ip_forward`: a packet passes through.

use std::net::Ipv4Addr;

use super::Rx;
use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::mib::MibItem as M;
use crate::kernel::netfilter::{Hook, Verdict};
use crate::kernel::route::Dst;
use crate::kernel::types::NetnsId;
use crate::kernel::vxlan::tunnel_mtu_len;
use crate::kernel::xtables::view::HookAt;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Ipv4, L4, Packet};

/// Length that counts against an MTU: a super-packet counts as its segments.
pub(crate) fn mtu_len(ip: &Ipv4) -> usize {
    match (&ip.l4, ip.gso_size) {
        (L4::Udp(u), g) if g != 0 => tunnel_mtu_len(ip, u),
        (L4::Tcp(t), g) if g != 0 => ip.header_len() + t.header_len() + usize::from(g).min(t.payload.len()),
        _ => ip.total_len(),
    }
}

impl<R: Recorder> Kernel<R> {
    pub(crate) fn ip_forward(&mut self, rx: Rx, rt: Dst, mut p: Packet) {
        let ns = self.devs[rx.dev.ix()].netns;
        let Some(ip) = p.ipv4() else { return };
        if rx.ty != PktType::Host {
            return self.drop_at(rx.dev, &mut p, DropReason::NOT_SPECIFIED, "ip_forward");
        }
        let (ttl, src, dst, len, df) = (ip.ttl, ip.src, ip.dst, mtu_len(ip), ip.df);
        if ttl <= 1 {
            self.netns[ns.ix()].mib.inc(M::IpInHdrErrors);
            self.icmp_send(ns, Some(rx), &mut p, 11, 0, 0);
            return self.drop_at(rx.dev, &mut p, DropReason::IP_INHDR, "ip_forward");
        }
        // Before the length is looked at, since Linux 6.7.
        self.netns[ns.ix()].mib.inc(M::IpForwDatagrams);
        let mtu = self.forward_mtu(ns, &rt);
        if df && len > mtu as usize {
            self.netns[ns.ix()].mib.inc(M::IpFragFails);
            self.icmp_send(ns, Some(rx), &mut p, 3, 4, mtu);
            return self.drop_at(rx.dev, &mut p, DropReason::PKT_TOO_BIG, "ip_forward");
        }
        self.ev(rx.dev, &mut p, EventKind::Forward { ttl });
        p.bridged = 0;
        if let Some(ip) = p.ipv4_mut() {
            ip.ttl -= 1;
        }
        // A fresh control block has no IPSKB_DOREDIRECT.
        if rt.redirect && !p.nf.routed {
            self.ip_rt_send_redirect(ns, rx, &rt, src, dst, &mut p);
        }
        let at = HookAt {
            ns,
            hook: Hook::Forward,
            iif: Some(rx.dev),
            oif: Some(rt.dev),
            ty: rx.ty,
            nexthop: rt.gateway.unwrap_or(dst),
            mtu: self.forward_mtu(ns, &rt),
            kind: rt.kind,
        };
        if self.nf_hook(&at, &mut p) != Verdict::Accept {
            return;
        }
        let _ = self.ip_output(ns, &rt, dst, p);
    }

    /// `ip_dst_mtu_maybe_forward`: a learnt path MTU does not count for others' packets.
    fn forward_mtu(&self, ns: NetnsId, rt: &Dst) -> u32 {
        if self.netns[ns.ix()].sysctl.ip_forward_use_pmtu != 0 || rt.mtu_locked {
            return self.dst_mtu(rt);
        }
        rt.route.and_then(|r| r.mtu).unwrap_or(self.devs[rt.dev.ix()].mtu.min(65535))
    }

    /// `ip_rt_send_redirect`: at most nine, at ever longer intervals.
    fn ip_rt_send_redirect(&mut self, ns: NetnsId, rx: Rx, rt: &Dst, src: Ipv4Addr, dst: Ipv4Addr, p: &mut Packet) {
        let now = self.queue.now;
        if !self.netns[ns.ix()].icmp_limits.redirect_allow(src, now) {
            return;
        }
        let gw = rt.gateway.unwrap_or(dst);
        self.icmp_send(ns, Some(rx), p, 5, 1, u32::from(gw));
    }
}

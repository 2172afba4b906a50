//! `REJECT`: the answer (net/ipv4/netfilter/nf_reject_ipv4.c).

use super::RejectWith;
use crate::kernel::Kernel;
use crate::kernel::fib::RouteType;
use crate::kernel::ip::{IpMeta, Rx};
use crate::kernel::netfilter::Hook;
use crate::kernel::types::DevId;
use crate::kernel::xtables::view::HookAt;
use crate::trace::{DropReason, Recorder};
use crate::wire::packet::{Tcp, TcpFlags, TcpOpts};
use crate::wire::{L4, Packet};

impl RejectWith {
    /// Code of the ICMP destination unreachable; none for a reset.
    pub fn icmp_code(self) -> Option<u8> {
        match self {
            RejectWith::NetUnreachable => Some(0),
            RejectWith::HostUnreachable => Some(1),
            RejectWith::ProtoUnreachable => Some(2),
            RejectWith::PortUnreachable => Some(3),
            RejectWith::NetProhibited => Some(9),
            RejectWith::HostProhibited => Some(10),
            RejectWith::AdminProhibited => Some(13),
            RejectWith::TcpReset => None,
        }
    }
}

impl<R: Recorder> Kernel<R> {
    /// `reject_tg`: answers, and leaves the packet to be dropped.
    pub(crate) fn xt_reject(&mut self, at: &HookAt, with: RejectWith, p: &mut Packet) {
        let Some(ip) = p.ipv4() else { return };
        // Pieces after the first are dropped without a word.
        if ip.frag_off != 0 {
            return;
        }
        match with.icmp_code() {
            Some(code) => {
                // The route says whose address the error comes from: that of a packet for us is ours. In OUTPUT it is
                // the one that a translation there may have found.
                let kind = match &self.rerouted {
                    Some(Ok(rt)) => rt.kind,
                    _ if at.hook == Hook::Output => at.kind,
                    _ => self.inet_addr_type(at.ns, ip.dst),
                };
                let local = match at.hook {
                    Hook::Input => true,
                    Hook::Output => kind != RouteType::Unicast,
                    _ => false,
                };
                let dev = if at.hook == Hook::Output { at.oif } else { at.iif };
                let kind = if local { kind } else { RouteType::Unicast };
                let rx = dev.map(|dev| Rx { dev, sock_dev: dev, ty: at.ty, kind, local });
                self.icmp_send(at.ns, rx, p, 3, code, 0);
            }
            None => self.xt_send_reset(at, p),
        }
    }

    /// `nf_send_reset`: as if the destination had said it.
    fn xt_send_reset(&mut self, at: &HookAt, p: &mut Packet) {
        let Some(ip) = p.ipv4() else { return };
        let L4::Tcp(t) = &ip.l4 else { return };
        if t.flags.contains(TcpFlags::RST) {
            return;
        }
        // A packet for a group has nobody who could reset it. Of a bridged one nobody knows (`bridge_parent_rtable`).
        if matches!(self.inet_addr_type(at.ns, ip.dst), RouteType::Broadcast | RouteType::Multicast)
            && at.hook != Hook::Output
            && !(p.nf.bridged && at.hook == Hook::Forward)
        {
            return;
        }
        let (seq, ack, flags) = if t.flags.contains(TcpFlags::ACK) {
            (t.ack, 0, TcpFlags::RST)
        } else {
            (0, t.seq.wrapping_add(t.seq_len()), TcpFlags::RST | TcpFlags::ACK)
        };
        let rst = Tcp {
            sport: t.dport,
            dport: t.sport,
            seq,
            ack,
            flags,
            window: 0,
            opts: TcpOpts::default(),
            payload: bytes::Bytes::new(),
        };
        // In the name of the address that was asked.
        let (src, dst) = (ip.dst, ip.src);
        let ttl = Some(self.netns[at.ns.ix()].sysctl.ip_default_ttl as u8);
        let m = IpMeta { df: true, ttl, sock: 0, ..IpMeta::error(p) };
        let mut rst = self.ip_packet(src, dst, L4::Tcp(rst), m);
        // A bridged packet's answer goes out without the route, and not at all where there is none.
        let rt = match self.ip_route_me_harder(at.ns, &mut rst) {
            Ok(rt) => rt,
            Err(_) => return self.nf_drop(at, &mut rst, DropReason::NOT_SPECIFIED, "nf_send_reset"),
        };
        self.nf_ct_set_closing(at.ns, p);
        if p.nf.bridged && p.nf.physin != 0 {
            // Out of the port it came in by, in the name of whom it was for; no hook sees it.
            rst.touch();
            (rst.src, rst.dst) = (p.dst, p.src);
            self.dev_queue_xmit(DevId(p.nf.physin - 1), rst);
            return;
        }
        let _ = self.local_out(at.ns, &rt, dst, rst);
    }
}

//! `ip_local_out`, `ip_output`, `ip_fragment`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;

use super::Rx;
use super::forward::mtu_len;
use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::fib::RouteType;
use crate::kernel::mib::MibItem as M;
use crate::kernel::route::Dst;
use crate::kernel::types::NetnsId;
use crate::trace::event::Birth;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Body, Ipv4, L4, MacAddr, Packet, PacketId, encode};

/// What a socket thinks of path MTU discovery (`IP_MTU_DISCOVER`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PmtuDisc {
    /// `IP_PMTUDISC_DONT`: never the DF bit.
    Dont,
    /// `IP_PMTUDISC_WANT`, the default: DF on what fits, larger packets are cut here.
    #[default]
    Want,
    /// `IP_PMTUDISC_DO`: always DF, larger packets are refused.
    Do,
}

/// What the sender sets in the IP header.
#[derive(Clone, Copy, Debug)]
pub struct IpMeta {
    /// Type of service.
    pub tos: u8,
    /// Time to live; the namespace's default where none is set.
    pub ttl: Option<u8>,
    /// The DF bit.
    pub df: bool,
    /// Identification.
    pub id: u16,
    /// Mark of the socket.
    pub mark: u32,
    /// Packet that this one answers or repeats.
    pub parent: Option<PacketId>,
    /// Why it comes into being.
    pub why: Birth,
}

impl IpMeta {
    /// A packet of a socket, without DF.
    pub fn sent() -> IpMeta {
        IpMeta { tos: 0, ttl: None, df: false, id: 0, mark: 0, parent: None, why: Birth::Sent }
    }

    /// An answer of the kernel to another packet.
    pub fn answer(parent: PacketId) -> IpMeta {
        IpMeta { parent: Some(parent), why: Birth::Answer, ..IpMeta::sent() }
    }
}

impl<R: Recorder> Kernel<R> {
    /// Builds an IP packet and sends it by a route that was looked up (`__ip_local_out`, `ip_output`).
    pub(crate) fn ip_local_out(
        &mut self,
        ns: NetnsId,
        rt: &Dst,
        dst: Ipv4Addr,
        l4: L4,
        gso_size: u16,
        m: IpMeta,
    ) -> PacketId {
        let ttl = match (m.ttl, rt.kind) {
            (Some(t), _) => t,
            // ip_mc_ttl of the kernel's own sockets and of those that set none.
            (None, RouteType::Multicast) => 1,
            (None, _) => self.netns[ns.ix()].sysctl.ip_default_ttl as u8,
        };
        let id = self.packet_id();
        let tcp = matches!(l4, L4::Tcp(_));
        let ip = Ipv4 {
            tos: m.tos,
            id: m.id,
            df: m.df,
            mf: false,
            frag_off: 0,
            ttl,
            src: rt.src,
            dst,
            gso_size,
            options: Bytes::new(),
            l4,
        };
        if R::ON {
            self.rec.born(id, m.parent, m.why);
        }
        let p = Packet {
            id,
            snap: 0,
            dst: MacAddr::ZERO,
            src: MacAddr::ZERO,
            mark: m.mark,
            iif: 0,
            nf: Default::default(),
            body: Body::Ipv4(ip.into()),
        };
        self.netns[ns.ix()].mib.inc(M::IpOutRequests);
        if !self.ip_output(ns, rt, dst, p) && !tcp {
            // `ip_send_skb`: a datagram that the link refused.
            self.netns[ns.ix()].mib.inc(M::IpOutDiscards);
        }
        id
    }

    /// A new IP id for packets without a connection.
    pub(crate) fn next_ip_id(&mut self, ns: NetnsId) -> u16 {
        let n = &mut self.netns[ns.ix()];
        n.ip_id = n.ip_id.wrapping_add(1);
        n.ip_id
    }

    /// `ip_output`, `ip_mc_output`, `ip_finish_output`.
    pub(crate) fn ip_output(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, mut p: Packet) -> bool {
        if rt.local && matches!(rt.kind, RouteType::Broadcast | RouteType::Multicast) && !rt.input {
            let copy = self.clone_packet(&p);
            self.loop_back_copy(rt.dev, rt.kind, copy);
        }
        let mtu = if rt.input { self.devs[rt.dev.ix()].mtu } else { self.dst_mtu(rt) };
        let mtu = if rt.input { rt.route.and_then(|r| r.mtu).unwrap_or(mtu) } else { mtu };
        let Some(ip) = p.ipv4() else { return true };
        if mtu_len(ip) <= mtu as usize {
            return self.ip_finish_output2(ns, rt, dst, p);
        }
        // Only what comes from others, or from a socket that insists, still has DF set here.
        if ip.df {
            self.netns[ns.ix()].mib.inc(M::IpFragFails);
            let rx = Rx { dev: rt.dev, sock_dev: rt.dev, ty: PktType::Host, kind: rt.kind, local: false };
            self.icmp_send(ns, Some(rx), &mut p, 3, 4, mtu);
            self.drop_at(rt.dev, &mut p, DropReason::PKT_TOO_BIG, "ip_fragment");
            return true;
        }
        self.ip_do_fragment(ns, rt, dst, p, mtu)
    }

    /// `ip_finish_output2`.
    fn ip_finish_output2(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, p: Packet) -> bool {
        let len = p.frame_len() as u64 - 14;
        let mib = &mut self.netns[ns.ix()].mib;
        match rt.kind {
            RouteType::Multicast => {
                mib.inc(M::IpExtOutMcastPkts);
                mib.add(M::IpExtOutMcastOctets, len);
            }
            RouteType::Broadcast => {
                mib.inc(M::IpExtOutBcastPkts);
                mib.add(M::IpExtOutBcastOctets, len);
            }
            _ => {}
        }
        mib.inc(M::IpOutTransmits);
        mib.add(M::IpExtOutOctets, len);
        self.neigh_output(rt.dev, rt.kind, rt.gateway.unwrap_or(dst), p)
    }

    /// `ip_do_fragment`: pieces of a multiple of 8 bytes.
    fn ip_do_fragment(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, mut p: Packet, mtu: u32) -> bool {
        let Some(ip) = p.ipv4().cloned() else { return true };
        let step = (mtu as usize).saturating_sub(ip.header_len()) & !7;
        let data = encode::l4_bytes(&ip);
        if step == 0 {
            self.netns[ns.ix()].mib.inc(M::IpFragFails);
            self.drop_at(rt.dev, &mut p, DropReason::PKT_TOO_BIG, "ip_do_fragment");
            return false;
        }
        let pieces = data.len().div_ceil(step);
        self.ev(rt.dev, &mut p, EventKind::Fragmented { pieces: pieces as u16, mtu });
        let proto = ip.proto();
        for i in 0..pieces {
            let (from, to) = (i * step, ((i + 1) * step).min(data.len()));
            let mut f = p.clone();
            f.id = self.packet_id();
            f.touch();
            if R::ON {
                self.rec.born(f.id, Some(p.id), Birth::Fragment);
            }
            f.body = Body::Ipv4(Arc::new(Ipv4 {
                // A piece of a piece stays within the whole.
                mf: ip.mf || i + 1 < pieces,
                frag_off: ip.frag_off + (from / 8) as u16,
                l4: L4::Raw(proto, data.slice(from..to)),
                ..ip.clone()
            }));
            if !self.ip_finish_output2(ns, rt, dst, f) {
                // The rest of the train goes with the piece that was refused.
                self.netns[ns.ix()].mib.inc(M::IpFragFails);
                return false;
            }
            self.netns[ns.ix()].mib.inc(M::IpFragCreates);
        }
        self.netns[ns.ix()].mib.inc(M::IpFragOKs);
        true
    }
}

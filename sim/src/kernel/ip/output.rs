//! `ip_local_out`, `ip_output`, `ip_fragment`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;

use super::Rx;
use super::forward::mtu_len;
use crate::kernel::Kernel;
use crate::kernel::conntrack::{CtDir, CtInfo, CtRef};
use crate::kernel::dev::PktType;
use crate::kernel::fib::RouteType;
use crate::kernel::mib::MibItem as M;
use crate::kernel::netfilter::{Hook, SkbNf, Verdict};
use crate::kernel::route::{Dst, OutputKey};
use crate::kernel::socket::SockKind;
use crate::kernel::types::{DevId, Errno, NetnsId, SockId};
use crate::kernel::vxlan::split_super_packet;
use crate::kernel::xtables::view::HookAt;
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
    /// Socket that sends it, number plus one; [`KERNEL_SOCKET`] for the kernel's own.
    pub sock: u32,
    /// Connection that it belongs to from the start, and how.
    pub ct: Option<(CtRef, CtInfo)>,
    /// Packet that this one answers or repeats.
    pub parent: Option<PacketId>,
    /// Why it comes into being.
    pub why: Birth,
}

/// The control socket that the kernel's own answers leave by (`net.ipv4.icmp_sk`): nobody owns it.
pub const KERNEL_SOCKET: u32 = u32::MAX;

/// Why a packet did not leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unsent {
    /// The far end of a cable refused it.
    Link,
    /// A hook dropped it, or there is no room for its neighbour: what the system call returns.
    Hook(Errno),
}

impl IpMeta {
    /// A packet without a socket and without DF.
    pub fn sent() -> IpMeta {
        IpMeta { tos: 0, ttl: None, df: false, id: 0, mark: 0, sock: 0, ct: None, parent: None, why: Birth::Sent }
    }

    /// An error about a packet, on the connection of that packet (`nf_ct_attach`).
    pub fn error(about: &Packet) -> IpMeta {
        let info = match about.nf.ctinfo.dir() {
            CtDir::Original => CtInfo::RelatedReply,
            CtDir::Reply => CtInfo::Related,
        };
        IpMeta { ct: about.nf.ct.map(|ct| (ct, info)), ..IpMeta::answer(about.id) }
    }

    /// An answer of the kernel to another packet.
    pub fn answer(parent: PacketId) -> IpMeta {
        IpMeta { parent: Some(parent), why: Birth::Answer, sock: KERNEL_SOCKET, ..IpMeta::sent() }
    }
}

impl<R: Recorder> Kernel<R> {
    /// Builds an IP packet and sends it by a route that was looked up (`__ip_local_out`, `ip_output`).
    ///
    /// # Errors
    /// What a hook that drops it makes of the system call: EPERM, or no route after a translation; ENOBUFS where the
    /// neighbour table is full.
    pub(crate) fn ip_local_out(
        &mut self,
        ns: NetnsId,
        rt: &Dst,
        dst: Ipv4Addr,
        l4: L4,
        gso_size: u16,
        m: IpMeta,
    ) -> Result<(), Errno> {
        let ttl = match (m.ttl, rt.kind) {
            (Some(t), _) => t,
            // ip_mc_ttl of the kernel's own sockets and of those that set none.
            (None, RouteType::Multicast) => 1,
            (None, _) => self.netns[ns.ix()].sysctl.ip_default_ttl as u8,
        };
        // A TCP socket repeats what did not leave (`__ip_queue_xmit`); the kernel's own resets are datagrams here.
        let queued = matches!(l4, L4::Tcp(_)) && m.sock != KERNEL_SOCKET;
        let mut p = self.ip_packet(rt.src, dst, l4, IpMeta { ttl: Some(ttl), ..m });
        if gso_size != 0
            && let Some(ip) = p.ipv4_mut()
        {
            ip.gso_size = gso_size;
        }
        let r = self.local_out(ns, rt, dst, p);
        if r.is_err() && !queued {
            // `ip_send_skb`: a datagram that the link or a hook refused.
            self.netns[ns.ix()].mib.inc(M::IpOutDiscards);
        }
        match r {
            Err(Unsent::Hook(e)) => Err(e),
            _ => Ok(()),
        }
    }

    /// Builds an IP packet under a number of its own; its TTL is 64 where `m` says none.
    pub(crate) fn ip_packet(&mut self, src: Ipv4Addr, dst: Ipv4Addr, l4: L4, m: IpMeta) -> Packet {
        let id = self.packet_id_from(m.parent.unwrap_or_default());
        if R::ON {
            self.rec.born(id, m.parent, m.why);
        }
        let ip = Ipv4 {
            tos: m.tos,
            id: m.id,
            df: m.df,
            mf: false,
            frag_off: 0,
            ttl: m.ttl.unwrap_or(64),
            src,
            dst,
            gso_size: 0,
            options: Bytes::new(),
            l4,
        };
        let (ct, ctinfo) = m.ct.map_or((None, CtInfo::None), |(ct, info)| (Some(ct), info));
        Packet {
            mark: m.mark,
            rehash: self.tx_rehash(m.sock),
            nf: SkbNf { sock: m.sock, ct, ctinfo, ..SkbNf::default() },
            ..Packet::new(id, MacAddr::ZERO, MacAddr::ZERO, Body::Ipv4(ip.into()))
        }
    }

    /// How often a sender has chosen a new hash: TCP does with each timeout (`sk_rethink_txhash`), a datagram socket
    /// when it is connected (`__ip4_datagram_connect`).
    fn tx_rehash(&self, sock: u32) -> u8 {
        match self.socks.get((sock as usize).wrapping_sub(1)).map(|s| &s.kind) {
            Some(SockKind::Tcp(t)) => t.rehash,
            Some(SockKind::Udp) => u8::from(self.socks[sock as usize - 1].rport != 0),
            _ => 0,
        }
    }

    /// `__ip_local_out`: the OUTPUT hook, and the new way where it changed what routing asks about.
    pub(crate) fn local_out(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, mut p: Packet) -> Result<(), Unsent> {
        self.netns[ns.ix()].mib.inc(M::IpOutRequests);
        if !self.netns[ns.ix()].nf.active {
            return self.ip_output(ns, rt, dst, p);
        }
        let at = HookAt {
            ns,
            hook: Hook::Output,
            iif: None,
            oif: Some(rt.dev),
            ty: PktType::Host,
            nexthop: rt.gateway.unwrap_or(dst),
            mtu: self.dst_mtu(rt),
            kind: rt.kind,
        };
        // A rule may answer the packet with one of its own (REJECT), which has its own way.
        let outer = self.rerouted.take();
        let passed = self.nf_hook(&at, &mut p) == Verdict::Accept;
        match std::mem::replace(&mut self.rerouted, outer) {
            Some(Err(e)) => Err(Unsent::Hook(e)),
            _ if !passed => Err(Unsent::Hook(Errno::EPERM)),
            Some(Ok(rt)) => {
                let dst = p.ipv4().map_or(dst, |ip| ip.dst);
                self.ip_output(ns, &rt, dst, p)
            }
            None => self.ip_output(ns, rt, dst, p),
        }
    }

    /// `ip_route_me_harder`: a hook changed the destination or the mark; the source stays as it was chosen. It need not
    /// be ours: `nf_send_reset` speaks in another's name.
    pub(crate) fn ip_route_me_harder(&mut self, ns: NetnsId, p: &mut Packet) -> Result<Dst, Errno> {
        let Some(ip) = p.ipv4() else { return Err(Errno::EINVAL) };
        let anysrc = matches!(self.inet_addr_type(ns, ip.src), RouteType::Local | RouteType::Unicast);
        let src = if anysrc { ip.src } else { Ipv4Addr::UNSPECIFIED };
        let oif = match p.nf.sock {
            0 | KERNEL_SOCKET => None,
            n => self.sock(SockId(n - 1)).dev,
        };
        // Rules that ask for ports read them from the packet (`fib4_rules_early_flow_dissect`).
        let ports = ip.l4.ports().unwrap_or_default();
        let key = OutputKey { ports, mark: p.mark, tos: ip.tos & 0x1e, anysrc, ..OutputKey::to(ip.dst, ip.proto()) };
        self.ip_route_output(ns, OutputKey { src, oif, ..key }, Some(p))
    }

    /// A new IP id for packets without a connection.
    pub(crate) fn next_ip_id(&mut self, ns: NetnsId) -> u16 {
        let n = &mut self.netns[ns.ix()];
        n.ip_id = n.ip_id.wrapping_add(1);
        n.ip_id
    }

    /// `ip_output`, `ip_mc_output`, `ip_finish_output`.
    pub(crate) fn ip_output(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, mut p: Packet) -> Result<(), Unsent> {
        if rt.local && matches!(rt.kind, RouteType::Broadcast | RouteType::Multicast) && !rt.input {
            let mut copy = self.clone_packet(&p);
            if self.postrouting(ns, rt, dst, &mut copy).is_ok() {
                self.loop_back_copy(rt.dev, rt.kind, copy);
            }
        }
        self.postrouting(ns, rt, dst, &mut p)?;
        self.ip_finish_output(ns, rt, dst, p)
    }

    fn postrouting(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, p: &mut Packet) -> Result<(), Unsent> {
        if !self.netns[ns.ix()].nf.active {
            return Ok(());
        }
        let at = HookAt {
            ns,
            hook: Hook::Postrouting,
            iif: p.iif.checked_sub(1).map(DevId).filter(|_| rt.input),
            oif: Some(rt.dev),
            ty: PktType::Host,
            nexthop: rt.gateway.unwrap_or(dst),
            mtu: self.dst_mtu(rt),
            kind: rt.kind,
        };
        match self.nf_hook(&at, p) {
            Verdict::Accept => Ok(()),
            _ => Err(Unsent::Hook(Errno::EPERM)),
        }
    }

    /// `ip_finish_output`: as it is, or in pieces.
    fn ip_finish_output(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, mut p: Packet) -> Result<(), Unsent> {
        let mtu = if rt.input { self.devs[rt.dev.ix()].mtu } else { self.dst_mtu(rt) };
        let mtu = if rt.input { rt.route.and_then(|r| r.mtu).unwrap_or(mtu) } else { mtu };
        let Some(ip) = p.ipv4() else { return Ok(()) };
        // What came in pieces leaves in pieces no bigger than those (`frag_max_size`).
        let max = match p.nf.frag_max {
            0 => mtu,
            max => mtu.min(max.into()),
        };
        if mtu_len(ip) <= max as usize {
            return self.ip_finish_output2(ns, rt, dst, p);
        }
        let mtu = max;
        // Only what comes from others, or from a socket that insists, still has DF set here.
        if ip.df && p.nf.frag_max == 0 {
            self.netns[ns.ix()].mib.inc(M::IpFragFails);
            let rx = Rx { dev: rt.dev, sock_dev: rt.dev, ty: PktType::Host, kind: rt.kind, local: false };
            self.icmp_send(ns, Some(rx), &mut p, 3, 4, mtu);
            self.drop_at(rt.dev, &mut p, DropReason::PKT_TOO_BIG, "ip_fragment");
            return Ok(());
        }
        if ip.gso_size != 0
            && let Some(parts) = split_super_packet(ip)
        {
            return self.ip_finish_output_gso(ns, rt, dst, p, parts, mtu);
        }
        self.ip_do_fragment(ns, rt, dst, p, mtu)
    }

    /// `ip_finish_output_gso`: the segments of a super-packet leave one by one, each of them cut.
    fn ip_finish_output_gso(
        &mut self,
        ns: NetnsId,
        rt: &Dst,
        dst: Ipv4Addr,
        mut p: Packet,
        parts: Vec<Ipv4>,
        mtu: u32,
    ) -> Result<(), Unsent> {
        self.ev(rt.dev, &mut p, EventKind::Segmented { pieces: parts.len() as u16 });
        for ip in parts {
            let mut s = p.clone();
            s.id = self.packet_id();
            s.touch();
            if R::ON {
                self.rec.born(s.id, Some(p.id), Birth::Fragment);
            }
            let fits = ip.total_len() <= mtu as usize;
            s.body = Body::Ipv4(Arc::new(ip));
            if fits {
                self.ip_finish_output2(ns, rt, dst, s)?;
            } else {
                self.ip_do_fragment(ns, rt, dst, s, mtu)?;
            }
        }
        Ok(())
    }

    /// `ip_finish_output2`.
    fn ip_finish_output2(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, mut p: Packet) -> Result<(), Unsent> {
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
        if rt.kind == RouteType::Local {
            // The route goes round `lo` with the packet (`rt_iif`).
            p.iif = rt.route.and_then(|r| r.dev).map_or(0, |d| d.0 + 1);
        }
        match self.neigh_output(rt.dev, rt.gateway.unwrap_or(dst), p) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Unsent::Link),
            Err(e) => Err(Unsent::Hook(e)),
        }
    }

    /// A piece was refused: what was made in pieces, here (`ip_append_data`) or by reassembly, loses those behind it;
    /// of anything else the whole ends.
    fn drop_rest(&mut self, dev: DevId, p: &mut Packet, left: usize) {
        let (reason, func) = (DropReason::NOT_SPECIFIED, "ip_do_fragment");
        let own = p.iif == 0 && p.ipv4().is_some_and(|ip| !matches!(ip.l4, L4::Tcp(..)));
        if !own && p.nf.frag_max == 0 {
            return self.drop_at(dev, p, reason, func);
        }
        for _ in 0..left {
            let mut piece = p.clone();
            piece.id = self.packet_id();
            piece.touch();
            if R::ON {
                self.rec.born(piece.id, Some(p.id), Birth::Fragment);
            }
            self.drop_at(dev, &mut piece, reason, func);
        }
    }

    /// `ip_do_fragment`: pieces of a multiple of 8 bytes.
    fn ip_do_fragment(&mut self, ns: NetnsId, rt: &Dst, dst: Ipv4Addr, mut p: Packet, mtu: u32) -> Result<(), Unsent> {
        let Some(ip) = p.ipv4().cloned() else { return Ok(()) };
        let step = (mtu as usize).saturating_sub(ip.header_len()) & !7;
        let data = encode::l4_bytes(&ip);
        if step == 0 {
            self.netns[ns.ix()].mib.inc(M::IpFragFails);
            self.drop_at(rt.dev, &mut p, DropReason::PKT_TOO_BIG, "ip_do_fragment");
            return Err(Unsent::Link);
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
            if let Err(e) = self.ip_finish_output2(ns, rt, dst, f) {
                self.netns[ns.ix()].mib.inc(M::IpFragFails);
                self.drop_rest(rt.dev, &mut p, pieces - i - 1);
                return Err(e);
            }
            self.netns[ns.ix()].mib.inc(M::IpFragCreates);
            if i + 1 < pieces {
                self.do_softirq();
            }
        }
        self.netns[ns.ix()].mib.inc(M::IpFragOKs);
        Ok(())
    }
}

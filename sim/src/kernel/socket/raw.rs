//! Raw and packet sockets (net/ipv4/raw.c, net/packet/af_packet.c).

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::{Rcv, SockKind};
use crate::kernel::Kernel;
use crate::kernel::dev::PktType;
use crate::kernel::icmp::{IcmpErr, err_convert};
use crate::kernel::ip::{IpMeta, PmtuDisc, Rx};
use crate::kernel::route::{Dst, OutputKey};
use crate::kernel::types::{DevId, Errno, NetnsId, SockId};
use crate::trace::{EventKind, Recorder};
use crate::wire::{Icmp, Ipv4, L4, Packet, parse};

/// Most packets that wait in a socket.
const RCVBUF: usize = 1024;

impl<R: Recorder> Kernel<R> {
    /// Frames for packet sockets: ARP only is ever asked for.
    #[inline]
    pub(crate) fn packet_sockets(&mut self, dev: DevId, ty: PktType, p: &Packet) {
        let ns = self.devs[dev.ix()].netns;
        if self.netns[ns.ix()].socks.packet.is_empty() {
            return;
        }
        for id in self.netns[ns.ix()].socks.packet.clone() {
            let s = &mut self.socks[id.ix()];
            let wants = matches!(s.kind, SockKind::Packet { ethertype } if ethertype == p.ethertype());
            if wants && s.dev.is_none_or(|d| d == dev) && s.rx.len() < RCVBUF {
                s.rx.push_back(Rcv::Packet(p.clone(), ty));
                self.wake(id);
            }
        }
    }

    /// Sends a frame as it is (`packet_sendmsg`).
    ///
    /// # Errors
    /// ENETDOWN where the device is down, EINVAL where the socket has none.
    pub fn packet_send(&mut self, id: SockId, mut p: Packet) -> Result<(), Errno> {
        let dev = self.sock(id).dev.ok_or(Errno::EINVAL)?;
        if !self.dev(dev).is_up() {
            return Err(Errno::ENETDOWN);
        }
        p.id = self.packet_id();
        if R::ON {
            self.rec.born(p.id, None, crate::trace::event::Birth::Sent);
        }
        self.dev_queue_xmit(dev, p);
        Ok(())
    }

    /// `raw_local_deliver`: every raw socket of the protocol gets a copy. Says whether one did.
    pub(crate) fn raw_local_deliver(&mut self, rx: Rx, p: &mut Packet) -> bool {
        let ns = self.devs[rx.dev.ix()].netns;
        if self.netns[ns.ix()].socks.raw.is_empty() {
            return false;
        }
        let Some(ip) = p.ipv4() else { return false };
        let (proto, src, dst) = (ip.proto(), ip.src, ip.dst);
        let mut any = false;
        for id in self.netns[ns.ix()].socks.raw.clone() {
            let s = &self.socks[id.ix()];
            let fits = matches!(s.kind, SockKind::Raw { proto: x } if x == proto)
                && (s.local.is_unspecified() || s.local == dst)
                && (s.remote.is_unspecified() || s.remote == src)
                && s.dev.is_none_or(|d| d == rx.sock_dev);
            // The kernel answers echo requests itself and shows them to nobody.
            let hidden = matches!(p.ipv4().map(|ip| &ip.l4), Some(L4::Icmp(i)) if i.ty == 8);
            if !fits || hidden || s.rx.len() >= RCVBUF {
                continue;
            }
            any = true;
            let Some(ip) = p.ipv4().cloned() else { continue };
            let process = s.process.as_ref().map(|p| p.0.0);
            self.socks[id.ix()].rx.push_back(Rcv::Raw(ip));
            self.ev(rx.dev, p, EventKind::SocketCopy { sock: id, process });
            self.wake(id);
        }
        any
    }

    /// `raw_sendmsg`: an ICMP message, or any protocol's bytes.
    ///
    /// # Errors
    /// What `sendto(2)` returns: no route, EMSGSIZE, EACCES for a broadcast without leave.
    pub fn raw_sendto(&mut self, id: SockId, dst: Ipv4Addr, l4: L4) -> Result<(), Errno> {
        let s = self.sock(id);
        let (ns, opts, proto) = (s.ns, s.opts, l4_proto(&l4));
        if !self.dev_still_there(s.dev) {
            return Err(Errno::ENODEV);
        }
        let key = OutputKey {
            src: s.saddr(),
            oif: s.dev,
            mark: opts.mark,
            tos: opts.tos & 0x1e,
            ..OutputKey::to(dst, proto)
        };
        let rt = self.ip_route_output(ns, key, None)?;
        if rt.kind == crate::kernel::fib::RouteType::Broadcast && !opts.broadcast {
            return Err(Errno::EACCES);
        }
        let df = self.datagram_df(&rt, opts.pmtudisc, 20 + l4.len())?;
        if let L4::Icmp(i) = &l4 {
            let ty = i.ty;
            self.icmp_out(ns, ty);
        }
        let ip_id = self.sock_ip_id(id);
        let m =
            IpMeta { tos: opts.tos, ttl: opts.ttl, df, id: ip_id, mark: opts.mark, sock: id.0 + 1, ..IpMeta::sent() };
        let dst = if dst.is_unspecified() { rt.src } else { dst };
        self.ip_local_out(ns, &rt, dst, l4, 0, m)
    }

    /// Does the datagram carry DF, and may it be sent at all (`ip_append_data`)?
    pub(crate) fn datagram_df(&self, rt: &Dst, d: PmtuDisc, len: usize) -> Result<bool, Errno> {
        let mtu = self.dst_mtu(rt) as usize;
        match d {
            PmtuDisc::Do if len > mtu => Err(Errno::EMSGSIZE),
            _ if len > 65535 => Err(Errno::EMSGSIZE),
            PmtuDisc::Do => Ok(true),
            PmtuDisc::Want => Ok(len <= mtu && !rt.mtu_locked),
            PmtuDisc::Dont => Ok(false),
        }
    }

    /// The MTU of a socket's path to a destination (`IP_MTU`), 0 where there is no way.
    pub fn path_mtu(&mut self, id: SockId, dst: Ipv4Addr) -> u32 {
        let s = self.sock(id);
        let (ns, key) = (s.ns, OutputKey { src: s.saddr(), oif: s.dev, ..OutputKey::to(dst, 1) });
        self.ip_route_output(ns, key, None).map_or(0, |rt| self.dst_mtu(&rt))
    }

    /// Next IP id of a socket.
    pub(crate) fn sock_ip_id(&mut self, id: SockId) -> u16 {
        let s = self.sock_mut(id);
        s.ip_id = s.ip_id.wrapping_add(1);
        s.ip_id
    }

    /// `raw_icmp_error`, `raw_err`. A socket of one device hears only what came in there, not what came round by `lo`.
    pub(crate) fn raw_err(&mut self, ns: NetnsId, rx: Rx, e: &IcmpErr, p: &mut Packet) {
        for id in self.netns[ns.ix()].socks.raw.clone() {
            let s = &mut self.socks[id.ix()];
            let fits = matches!(s.kind, SockKind::Raw { proto } if proto == e.quoted.proto())
                && (s.local.is_unspecified() || s.local == e.quoted.src)
                && (s.remote.is_unspecified() || s.remote == e.quoted.dst)
                && s.dev.is_none_or(|d| d == rx.dev);
            if !fits {
                continue;
            }
            let recverr = s.opts.recverr;
            self.icmp_err_route(ns, rx, e, Some(id), p);
            if !recverr || e.ty == 5 {
                continue;
            }
            let errno = if e.ty == 3 { err_convert(e.code).0 } else { Errno::EHOSTUNREACH };
            self.sock_mut(id).errq.push_back(e.queued(errno));
            self.wake(id);
        }
    }
}

fn l4_proto(l4: &L4) -> u8 {
    match l4 {
        L4::Icmp(_) => 1,
        L4::Tcp(_) => 6,
        L4::Udp(_) => 17,
        L4::Raw(p, _) => *p,
    }
}

/// An echo request as `ping` sends it.
pub fn echo_request(id: u16, seq: u16, payload: Bytes) -> L4 {
    L4::Icmp(Icmp { ty: 8, code: 0, rest: u32::from(id) << 16 | u32::from(seq), payload })
}

/// The packet that an ICMP error quotes.
pub fn quoted(i: &Icmp) -> Option<Ipv4> {
    parse::ipv4(&i.payload)
}

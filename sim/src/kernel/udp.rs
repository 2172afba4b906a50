//! UDP (net/ipv4/udp.c).

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::Kernel;
use super::fib::RouteType;
use super::icmp::{IcmpErr, err_convert};
use super::ip::{IpMeta, PmtuDisc, Rx};
use super::mib::MibItem as M;
use super::route::OutputKey;
use super::socket::{Rcv, SockErr};
use super::types::{DevId, Errno, NetnsId, SockId};
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{L4, Packet, Udp};

/// Most datagrams that wait in a socket (`SO_RCVBUF` in datagrams of ordinary size).
const RCVBUF: usize = 256;

impl<R: Recorder> Kernel<R> {
    /// `__udp4_lib_lookup`: the socket with the most in common.
    fn udp_lookup(&self, ns: NetnsId, local: (Ipv4Addr, u16), remote: (Ipv4Addr, u16), dev: DevId) -> Option<SockId> {
        let list = self.netns[ns.ix()].socks.udp.get(&local.1)?;
        let mut best: Option<(u32, SockId)> = None;
        for id in list.iter().rev() {
            let s = self.sock(*id);
            let mut score = 1;
            if !s.local.is_unspecified() {
                if s.local != local.0 {
                    continue;
                }
                score += 4;
            }
            if s.rport != 0 {
                if (s.remote, s.rport) != remote {
                    continue;
                }
                score += 8;
            }
            if let Some(d) = s.dev {
                if d != dev {
                    continue;
                }
                score += 4;
            }
            if best.is_none_or(|(b, _)| score > b) {
                best = Some((score, *id));
            }
        }
        best.map(|b| b.1)
    }

    /// `__udp4_lib_rcv`.
    pub(crate) fn udp_rcv(&mut self, rx: Rx, mut p: Packet) {
        let ns = self.devs[rx.dev.ix()].netns;
        let Some(ip) = p.ipv4() else { return };
        let L4::Udp(u) = &ip.l4 else { return };
        let (local, remote, ttl) = ((ip.dst, u.dport), (ip.src, u.sport), ip.ttl);
        let payload = u.payload.clone();
        let rcv = Rcv::Udp { from: remote, to: local.0, ttl, payload };
        if matches!(rx.kind, RouteType::Broadcast | RouteType::Multicast) {
            return self.udp_group_deliver(ns, rx, local, remote, rcv, p);
        }
        match self.udp_lookup(ns, local, remote, rx.sock_dev) {
            Some(id) => self.udp_queue(ns, rx, id, rcv, &mut p),
            None => {
                self.netns[ns.ix()].mib.inc(M::UdpNoPorts);
                // nf_reset_ct: the error about it begins without a connection, which `raw` can see.
                p.nf.ct = None;
                self.icmp_send(ns, Some(rx), &mut p, 3, 3, 0);
                self.drop_at(rx.dev, &mut p, DropReason::NO_SOCKET, "__udp4_lib_rcv");
            }
        }
    }

    /// Every socket of the port that fits gets a copy (`__udp4_lib_mcast_deliver`).
    fn udp_group_deliver(
        &mut self,
        ns: NetnsId,
        rx: Rx,
        local: (Ipv4Addr, u16),
        remote: (Ipv4Addr, u16),
        rcv: Rcv,
        mut p: Packet,
    ) {
        let list = self.netns[ns.ix()].socks.udp.get(&local.1).cloned().unwrap_or_default();
        let fits: Vec<SockId> = list
            .into_iter()
            .filter(|id| {
                let s = self.sock(*id);
                (s.local.is_unspecified() || s.local == local.0)
                    && (s.rport == 0 || (s.remote, s.rport) == remote)
                    && s.dev.is_none_or(|d| d == rx.sock_dev)
            })
            .collect();
        let Some((last, rest)) = fits.split_last() else {
            self.netns[ns.ix()].mib.inc(M::UdpIgnoredMulti);
            return self.drop_at(rx.dev, &mut p, DropReason::NOT_SPECIFIED, "__udp4_lib_rcv");
        };
        for id in rest {
            let mut c = self.clone_packet(&p);
            self.udp_queue(ns, rx, *id, rcv.clone(), &mut c);
        }
        self.udp_queue(ns, rx, *last, rcv, &mut p);
    }

    fn udp_queue(&mut self, ns: NetnsId, rx: Rx, id: SockId, rcv: Rcv, p: &mut Packet) {
        if self.sock(id).rx.len() >= RCVBUF {
            let mib = &mut self.netns[ns.ix()].mib;
            mib.inc(M::UdpInErrors);
            mib.inc(M::UdpRcvbufErrors);
            return self.drop_at(rx.dev, p, DropReason::SOCKET_RCVBUFF, "__udp_enqueue_schedule_skb");
        }
        self.netns[ns.ix()].mib.inc(M::UdpInDatagrams);
        let s = self.sock(id);
        if s.encap {
            let port = s.lport;
            return self.vxlan_rcv(ns, rx, port, p);
        }
        let (port, process) = (s.lport, s.process.as_ref().map(|p| p.0.0));
        self.ev(rx.dev, p, EventKind::SocketDeliver { sock: id, port, process });
        self.sock_mut(id).rx.push_back(rcv);
        self.wake(id);
    }

    /// `connect(2)` on a datagram socket: fixes the peer and the source address.
    ///
    /// # Errors
    /// No route, EACCES for a broadcast without leave, EADDRINUSE.
    pub fn udp_connect(&mut self, id: SockId, dst: Ipv4Addr, port: u16) -> Result<(), Errno> {
        let s = self.sock(id);
        let (ns, opts) = (s.ns, s.opts);
        let key = OutputKey {
            src: s.saddr(),
            oif: s.dev,
            mark: opts.mark,
            tos: opts.tos & 0x1e,
            ports: (s.lport, port),
            ..OutputKey::to(dst, 17)
        };
        let rt = match self.ip_route_connect(ns, key) {
            Ok(rt) => rt,
            Err(e) => {
                if e == Errno::ENETUNREACH {
                    self.netns[ns.ix()].mib.inc(M::IpOutNoRoutes);
                }
                return Err(e);
            }
        };
        if rt.kind == RouteType::Broadcast && !opts.broadcast {
            return Err(Errno::EACCES);
        }
        if self.sock(id).lport == 0 {
            let p = self.pick_port(id, rt.src)?;
            self.take_port(id, rt.src, p);
        }
        let s = self.sock_mut(id);
        if s.local.is_unspecified() {
            s.local = rt.src;
        }
        s.remote = if dst.is_unspecified() { rt.src } else { dst };
        s.rport = port;
        Ok(())
    }

    /// `sendto(2)`; without a destination the connected one is meant.
    ///
    /// # Errors
    /// A pending error first; else no route, EMSGSIZE, EACCES, ENOTCONN.
    pub fn udp_sendto(&mut self, id: SockId, to: Option<(Ipv4Addr, u16)>, payload: Bytes) -> Result<(), Errno> {
        if let Some(e) = self.sock_take_err(id) {
            return Err(e);
        }
        if self.sock(id).lport == 0 {
            let p = self.pick_port(id, Ipv4Addr::UNSPECIFIED)?;
            self.take_port(id, Ipv4Addr::UNSPECIFIED, p);
        }
        let s = self.sock(id);
        let (ns, opts, lport) = (s.ns, s.opts, s.lport);
        let (dst, port) = match to {
            Some(t) => t,
            None if s.rport != 0 => (s.remote, s.rport),
            None => return Err(Errno::ENOTCONN),
        };
        let key = OutputKey {
            src: s.saddr(),
            oif: s.dev,
            mark: opts.mark,
            tos: opts.tos & 0x1e,
            ports: (lport, port),
            ..OutputKey::to(dst, 17)
        };
        let rt = match self.ip_route_output(ns, key, None) {
            Ok(rt) => rt,
            Err(e) => {
                if e == Errno::ENETUNREACH {
                    self.netns[ns.ix()].mib.inc(M::IpOutNoRoutes);
                }
                return Err(e);
            }
        };
        if rt.kind == RouteType::Broadcast && !opts.broadcast {
            return Err(Errno::EACCES);
        }
        let df = match self.datagram_df(&rt, opts.pmtudisc, 28 + payload.len()) {
            Ok(df) => df,
            Err(e) => {
                if opts.recverr {
                    let mtu = self.dst_mtu(&rt);
                    let err = SockErr { errno: e, icmp: None, from: Ipv4Addr::UNSPECIFIED, mtu };
                    self.sock_mut(id).errq.push_back(err);
                }
                return Err(e);
            }
        };
        let ip_id = self.sock_ip_id(id);
        let m =
            IpMeta { tos: opts.tos, ttl: opts.ttl, df, id: ip_id, mark: opts.mark, sock: id.0 + 1, ..IpMeta::sent() };
        let dst = if dst.is_unspecified() { rt.src } else { dst };
        let l4 = L4::Udp(Udp { sport: lport, dport: port, payload });
        match self.ip_local_out(ns, &rt, dst, l4, 0, m) {
            // `udp_send_skb`: only who asked for errors hears of a full queue or table.
            Err(Errno::ENOBUFS) if !opts.recverr => self.netns[ns.ix()].mib.inc(M::UdpSndbufErrors),
            r => r?,
        }
        self.netns[ns.ix()].mib.inc(M::UdpOutDatagrams);
        Ok(())
    }

    /// `__udp4_lib_err`: an ICMP error about one of our datagrams.
    pub(crate) fn udp_err(&mut self, ns: NetnsId, rx: Rx, e: &IcmpErr, p: &mut Packet) {
        let Some(ports) = e.ports() else { return };
        // Unlike a datagram, an error that came round by `lo` is `lo`'s (`skb->dev`), whosever the address is.
        let Some(id) = self.udp_lookup(ns, (e.quoted.src, ports.0), (e.quoted.dst, ports.1), rx.dev) else {
            // A tunnel sends from other ports than it listens on (`__udp4_lib_err_encap`).
            let listeners = self.netns[ns.ix()].socks.udp.get(&ports.1);
            return match listeners.and_then(|l| l.iter().copied().find(|s| self.sock(*s).encap)) {
                Some(tunnel) => self.icmp_err_route(ns, rx, e, Some(tunnel), p),
                None => self.netns[ns.ix()].mib.inc(M::IcmpInErrors),
            };
        };
        self.icmp_err_route(ns, rx, e, Some(id), p);
        let (errno, hard) = match (e.ty, e.code) {
            (11, _) => (Errno::EHOSTUNREACH, false),
            (3, 4) if self.sock(id).opts.pmtudisc == PmtuDisc::Dont => return,
            (3, 4) => (Errno::EMSGSIZE, true),
            (3, c) => err_convert(c),
            (12, _) => (Errno::EPROTO, true),
            _ => return,
        };
        let s = self.sock_mut(id);
        if s.opts.recverr {
            s.errq.push_back(e.queued(errno));
        } else if !hard || s.rport == 0 {
            return;
        }
        s.err = Some(errno);
        self.wake(id);
    }
}

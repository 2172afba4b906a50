//! Sending through a VXLAN device (`vxlan_xmit`, `vxlan_xmit_one`, `arp_reduce`).

use std::net::Ipv4Addr;

use bytes::{BufMut, Bytes, BytesMut};

use super::receive::{VNI_VALID, VXLAN_HLEN};
use super::{VXLAN_HEADROOM, VxlanCfg, VxlanDf, VxlanRemote};
use crate::kernel::Kernel;
use crate::kernel::fib::{Flow, Lookup};
use crate::kernel::ip::{IpMeta, KERNEL_SOCKET, mtu_len};
use crate::kernel::netfilter::SkbNf;
use crate::kernel::route::{Dst, OutputKey};
use crate::kernel::types::{DevId, NetnsId};
use crate::trace::event::Birth;
use crate::trace::{DropReason, EventKind, Recorder};
use crate::wire::{Arp, Body, Icmp, Ipv4, L4, MacAddr, Packet, Udp, encode, parse};

/// Bytes of an answer that quotes the packet it is about, headers included (`iptunnel_pmtud_build_icmp`).
const ERROR_MAX: usize = 576;

impl<R: Recorder> Kernel<R> {
    /// `vxlan_xmit`: the frame leaves by the device.
    pub(crate) fn vxlan_xmit(&mut self, dev: DevId, mut p: Packet) {
        let now = self.queue.now;
        let Some(v) = self.devs[dev.ix()].vxlan_mut() else { return };
        if v.cfg.proxy && matches!(p.body, Body::Arp(_)) {
            return self.vxlan_arp_reduce(dev, p);
        }
        let key = if v.find(p.dst, now).is_some() { p.dst } else { MacAddr::ZERO };
        let Some(e) = v.find(key, now) else {
            self.devs[dev.ix()].stats.tx_dropped += 1;
            return self.drop_at(dev, &mut p, DropReason::NO_TX_TARGET, "vxlan_xmit");
        };
        e.used = now;
        let remotes = e.remotes.clone();
        self.ev(dev, &mut p, EventKind::VxlanLookup { mac: key, remotes: remotes.len() as u16 });
        // The first destination gets the frame itself, after the others got their copies.
        for r in remotes.iter().skip(1) {
            let c = self.clone_packet(&p);
            self.vxlan_xmit_one(dev, *r, c);
        }
        match remotes.first() {
            Some(r) => self.vxlan_xmit_one(dev, *r, p),
            None => self.drop_at(dev, &mut p, DropReason::NO_TX_TARGET, "vxlan_xmit"),
        }
    }

    /// `arp_reduce`: questions end here, answered from the neighbour table or not at all.
    fn vxlan_arp_reduce(&mut self, dev: DevId, mut p: Packet) {
        let Body::Arp(a) = p.body else { return };
        let asks = a.op == Arp::REQUEST && !a.tpa.is_loopback() && !a.tpa.is_multicast();
        let known = if asks { self.neigh_connected(dev, a.tpa) } else { None };
        let answer = known.filter(|mac| !self.vxlan_is_local(dev, *mac));
        if R::ON {
            self.ev(dev, &mut p, EventKind::VxlanProxy { ip: a.tpa, lladdr: answer });
        }
        if let Some(mac) = answer {
            let mut r = Packet {
                nf: SkbNf { to_host: true, ..SkbNf::default() },
                ..Packet::new(
                    self.packet_id(),
                    mac,
                    a.sha,
                    Body::Arp(Arp { op: Arp::REPLY, sha: mac, spa: a.tpa, tha: a.sha, tpa: a.spa }),
                )
            };
            r.touch();
            if R::ON {
                self.rec.born(r.id, Some(p.id), Birth::Answer);
            }
            self.queue.send(dev, r);
        }
        self.consume(dev, &mut p, "ARP ends at a vxlan device with proxy");
    }

    /// `vxlan_xmit_one`: to one destination.
    fn vxlan_xmit_one(&mut self, dev: DevId, to: VxlanRemote, mut p: Packet) {
        const F: &str = "vxlan_xmit_one";
        if to.ip.is_unspecified() {
            self.devs[dev.ix()].stats.tx_dropped += 1;
            return self.drop_at(dev, &mut p, DropReason::NOT_SPECIFIED, F);
        }
        let Some(v) = self.devs[dev.ix()].vxlan() else { return };
        let (home, cfg) = (v.home, v.cfg.clone());
        let inner = Inner::of(&p);
        let tos = if cfg.tos == 1 { inner.tos } else { cfg.tos };
        let sport = self.flow_port(home, &cfg, &p);
        let key = OutputKey {
            src: cfg.local.unwrap_or(Ipv4Addr::UNSPECIFIED),
            oif: to.dev,
            mark: p.mark,
            tos: tos & 0x1e,
            ports: (sport, to.port),
            ..OutputKey::to(to.ip, 17)
        };
        let rt = match self.ip_route_output(home, key, Some(&mut p)) {
            Ok(rt) if rt.dev != dev => rt,
            _ => {
                self.devs[dev.ix()].stats.tx_errors += 1;
                return self.drop_at(dev, &mut p, DropReason::IP_OUTNOROUTES, F);
            }
        };
        if rt.kind == crate::kernel::fib::RouteType::Local {
            return self.vxlan_to_self(dev, home, to, p);
        }
        let room = self.dst_mtu(&rt).saturating_sub(VXLAN_HEADROOM);
        if inner.len > room as usize {
            self.vxlan_too_big(dev, &p, room);
            if self.devs[dev.ix()].master.is_some()
                && let Some(answer) = frag_needed(&p, room)
            {
                p.body = answer.body;
                (p.src, p.dst) = (p.dst, p.src);
                p.touch();
                self.ev(dev, &mut p, EventKind::VxlanTooBig { mtu: room });
                return self.vxlan_bypass(dev, dev, p, false);
            }
        }
        self.vxlan_send(dev, home, &cfg, to, &rt, sport, tos, &inner, p);
    }

    /// `vxlan_build_skb`, `udp_tunnel_xmit_skb`, `iptunnel_xmit`: the frame becomes the data of a datagram.
    #[expect(clippy::too_many_arguments, reason = "what vxlan_xmit_one decided, in one place")]
    fn vxlan_send(
        &mut self,
        dev: DevId,
        home: NetnsId,
        cfg: &VxlanCfg,
        to: VxlanRemote,
        rt: &Dst,
        sport: u16,
        tos: u8,
        inner: &Inner,
        mut p: Packet,
    ) {
        let df = match cfg.df {
            VxlanDf::Unset => false,
            VxlanDf::Set => true,
            VxlanDf::Inherit => inner.df,
        };
        let ttl = match if cfg.ttl_inherit { inner.ttl } else { cfg.ttl } {
            0 if to.ip.is_multicast() => 1,
            0 => self.netns[home.ix()].sysctl.ip_default_ttl as u8,
            n => n,
        };
        let l4 = L4::Udp(Udp { sport, dport: to.port, payload: datagram(to.vni, &p) });
        let m = IpMeta {
            tos: ecn_encapsulate(tos, inner.tos),
            ttl: Some(ttl),
            df,
            id: self.next_ip_id(home),
            // The mark stays with what does not leave its namespace (`skb_scrub_packet`).
            mark: if self.devs[dev.ix()].netns == home { p.mark } else { 0 },
            sock: KERNEL_SOCKET,
            ct: None,
            parent: Some(p.id),
            why: Birth::Encapsulated,
        };
        let mut outer = self.ip_packet(rt.src, to.ip, l4, m);
        if inner.gso != 0
            && let Some(ip) = outer.ipv4_mut()
        {
            ip.gso_size = inner.gso;
        }
        let len = p.frame_len() as u64 - 14;
        self.ev(dev, &mut p, EventKind::Encap { vni: to.vni, remote: to.ip, outer: outer.id });
        let sent = self.local_out(home, rt, to.ip, outer).is_ok();
        let s = &mut self.devs[dev.ix()].stats;
        if sent {
            s.tx_packets += 1;
            s.tx_bytes += len;
        } else {
            s.tx_errors += 1;
        }
    }

    /// `udp_flow_src_port`: a port that is the same for all packets of a flow.
    fn flow_port(&self, home: NetnsId, cfg: &VxlanCfg, p: &Packet) -> u16 {
        let (low, high) = match cfg.srcport {
            (0, 0) | (_, 0) => {
                let (l, h) = self.netns[home.ix()].sysctl.ip_local_port_range;
                (l as u64, h as u64)
            }
            (l, h) => (u64::from(l), u64::from(h)),
        };
        let n = high.saturating_sub(low).max(1);
        (low + (((flow_hash(p) >> 32) * n) >> 32)) as u16
    }

    /// `encap_bypass_if_local`: the destination is this host.
    fn vxlan_to_self(&mut self, dev: DevId, home: NetnsId, to: VxlanRemote, mut p: Packet) {
        match self.vxlan_by_vni(home, to.port, to.vni) {
            Some(other) => self.vxlan_bypass(dev, other, p, true),
            None => {
                self.devs[dev.ix()].stats.tx_errors += 1;
                self.drop_at(dev, &mut p, DropReason::VXLAN_VNI_NOT_FOUND, "encap_bypass_if_local");
            }
        }
    }

    /// `vxlan_encap_bypass`: from one device to another of this host without a datagram.
    fn vxlan_bypass(&mut self, from: DevId, to: DevId, mut p: Packet, snoop: bool) {
        if !self.devs[to.ix()].is_up() {
            self.devs[to.ix()].stats.rx_dropped += 1;
            return self.drop_at(to, &mut p, DropReason::DEV_READY, "vxlan_encap_bypass");
        }
        if snoop && self.devs[to.ix()].vxlan().is_some_and(|v| v.cfg.learning) {
            // What it says about the packet is not heeded here.
            let _ = self.vxlan_snoop(to, Ipv4Addr::LOCALHOST, p.src);
        }
        let len = p.frame_len() as u64 - 14;
        let s = &mut self.devs[from.ix()].stats;
        s.tx_packets += 1;
        s.tx_bytes += len;
        let s = &mut self.devs[to.ix()].stats;
        s.rx_packets += 1;
        s.rx_bytes += len;
        p.nf = SkbNf { ct: p.nf.ct, ctinfo: p.nf.ctinfo, zone: p.nf.zone, to_host: true, ..SkbNf::default() };
        self.queue.send(to, p);
    }

    /// `skb_dst_update_pmtu_no_confirm`: what this host routed to the device learns the room that is left.
    fn vxlan_too_big(&mut self, dev: DevId, p: &Packet, room: u32) {
        let ns = self.devs[dev.ix()].netns;
        let forwarded = p.iif.checked_sub(1).is_some_and(|d| self.devs[d as usize].netns == ns);
        let Some(ip) = p.ipv4() else { return };
        if p.nf.sock == 0 && !forwarded {
            return;
        }
        let (src, dst) = (ip.src, ip.dst);
        let flow = Flow { src, tos: ip.tos & 0x1e, mark: p.mark, proto: ip.proto(), ..Flow::to(dst) };
        let Lookup::Route(_, route) = self.lookup_rules_quietly(ns, &flow) else { return };
        let Some(out) = route.dev else { return };
        let key = OutputKey { src, ..OutputKey::to(dst, ip.proto()) };
        if let Ok(rt) = self.mkroute_output(ns, &key, Some(route), out) {
            self.update_pmtu(ns, &rt, dst, room, None);
        }
    }
}

/// What the outer header takes from the inner packet.
struct Inner {
    tos: u8,
    ttl: u8,
    df: bool,
    /// Length that counts against an MTU, in bytes.
    len: usize,
    gso: u16,
}

impl Inner {
    fn of(p: &Packet) -> Inner {
        match p.ipv4() {
            Some(ip) => Inner { tos: ip.tos, ttl: ip.ttl, df: ip.df, len: mtu_len(ip), gso: ip.gso_size },
            None => Inner { tos: 0, ttl: 0, df: false, len: p.frame_len() - 14, gso: 0 },
        }
    }
}

/// VXLAN header and frame.
fn datagram(vni: u32, p: &Packet) -> Bytes {
    let frame = encode::frame(p);
    let mut b = BytesMut::with_capacity(VXLAN_HLEN + frame.len());
    b.put_u8(VNI_VALID);
    b.put_bytes(0, 3);
    b.put_u32(vni << 8);
    b.put_slice(&frame);
    b.freeze()
}

/// `INET_ECN_encapsulate`: congestion that the inner packet met is not told of again.
fn ecn_encapsulate(outer: u8, inner: u8) -> u8 {
    let ecn = if inner & 3 == 3 { 2 } else { inner & 3 };
    (outer & !3) | ecn
}

/// `skb_get_hash`: the flow by protocol, addresses and ports, the same in both directions. Only TCP's two ends
/// each choose a hash of their own (`sk_txhash`), anew with each timeout, and so does a connected datagram socket,
/// wherever its datagrams go. All ARP is one flow.
fn flow_hash(p: &Packet) -> u64 {
    let sorted = |a: u32, b: u32| (a.min(b), a.max(b));
    let (ends, ports, proto) = match p.ipv4() {
        Some(ip) => {
            let ends = (u32::from(ip.src), u32::from(ip.dst));
            match &ip.l4 {
                L4::Tcp(t) => (ends, (t.sport.into(), t.dport.into()), 6),
                L4::Udp(u) if p.rehash != 0 => (ends, (u.sport.into(), 0), 17),
                L4::Udp(u) => (sorted(ends.0, ends.1), sorted(u.sport.into(), u.dport.into()), 17),
                _ => (sorted(ends.0, ends.1), (0, 0), ip.proto()),
            }
        }
        None => ((0, 0), (0, 0), 0),
    };
    let a = (u64::from(ends.0) << 32) | u64::from(ends.1);
    let l4 = (u64::from(ports.0) << 32) | (u64::from(ports.1) << 16) | u64::from(proto);
    let b = (u64::from(p.ethertype()) << 48) ^ (u64::from(p.rehash) << 8) ^ l4;
    let mix = |x: u64| (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mix(mix(a ^ 0x9e37_79b9_7f4a_7c15).rotate_left(23) ^ mix(b)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// `iptunnel_pmtud_check_icmp`, `iptunnel_pmtud_build_icmp`: the frag-needed in the name of the destination; none
/// for what may be cut, and for what no error is sent about.
fn frag_needed(p: &Packet, mtu: u32) -> Option<Packet> {
    let ip = p.ipv4()?;
    let zeronet = |a: Ipv4Addr| a.octets()[0] == 0;
    let no_error = ip.dst.is_broadcast() || ip.dst.is_multicast() || zeronet(ip.src) || ip.src.is_loopback();
    let is_error = matches!(&ip.l4, L4::Icmp(i) if matches!(i.ty, 3 | 4 | 5 | 11 | 12));
    if mtu < ERROR_MAX as u32 || !ip.df || ip.is_fragment() || no_error || is_error || ip.src.is_multicast() {
        return None;
    }
    let mut quoted = encode::ipv4(ip);
    quoted.truncate(ERROR_MAX - 28);
    let answer = Ipv4 {
        tos: 0,
        id: 0,
        df: true,
        mf: false,
        frag_off: 0,
        ttl: ip.ttl,
        src: ip.dst,
        dst: ip.src,
        gso_size: 0,
        options: Bytes::new(),
        l4: L4::Icmp(Icmp { ty: 3, code: 4, rest: mtu, payload: quoted.into() }),
    };
    Some(Packet { body: Body::Ipv4(answer.into()), ..p.clone() })
}

/// Where the TCP data of an encapsulated super-packet begins within the datagram.
fn inner_data(payload: &[u8]) -> Option<usize> {
    let ip = VXLAN_HLEN + 14;
    let tcp = ip + usize::from(payload.get(ip)? & 0x0f) * 4;
    Some(tcp + usize::from(payload.get(tcp + 12)? >> 4) * 4)
}

/// Length against an MTU of a datagram that carries a super-packet: that of one of its segments.
pub(crate) fn tunnel_mtu_len(ip: &Ipv4, u: &Udp) -> usize {
    let data = inner_data(&u.payload).unwrap_or(u.payload.len()).min(u.payload.len());
    let rest = u.payload.len() - data;
    ip.header_len() + 8 + data + rest.min(usize::from(ip.gso_size))
}

/// `skb_gso_segment` for a datagram that carries a super-packet: one datagram for each segment.
pub(crate) fn split_super_packet(ip: &Ipv4) -> Option<Vec<Ipv4>> {
    let L4::Udp(u) = &ip.l4 else { return None };
    let frame = parse::frame(&u.payload.slice(VXLAN_HLEN.min(u.payload.len())..))?;
    let inner = frame.ipv4()?;
    let L4::Tcp(t) = &inner.l4 else { return None };
    let step = usize::from(ip.gso_size).max(1);
    let n = t.payload.len().div_ceil(step).max(1);
    let segment = |i: usize| {
        let (from, to) = (i * step, ((i + 1) * step).min(t.payload.len()));
        let mut t =
            crate::wire::Tcp { payload: t.payload.slice(from..to), seq: t.seq.wrapping_add(from as u32), ..t.clone() };
        if i + 1 < n {
            t.flags.remove(crate::wire::packet::TcpFlags::FIN | crate::wire::packet::TcpFlags::PSH);
        }
        let l4 = L4::Tcp(t);
        let inner = Ipv4 { id: inner.id.wrapping_add(i as u16), gso_size: 0, l4, ..inner.clone() };
        let mut data = BytesMut::from(&u.payload[..VXLAN_HLEN]);
        data.put_slice(&encode::frame(&Packet { body: Body::Ipv4(inner.into()), ..frame.clone() }));
        let l4 = L4::Udp(Udp { payload: data.freeze(), ..u.clone() });
        Ipv4 { id: ip.id.wrapping_add(i as u16), gso_size: 0, l4, ..ip.clone() }
    };
    Some((0..n).map(segment).collect())
}

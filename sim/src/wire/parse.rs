//! Bytes as packets: checked once, at the door.

use std::net::Ipv4Addr;

use bytes::Bytes;
use etherparse::{Icmpv4Slice, Ipv4HeaderSlice, TcpOptionElement, TcpSlice, UdpHeaderSlice};

use super::{Arp, Body, Icmp, Ipv4, L4, MacAddr, Packet, PacketId, Tcp, TcpFlags, TcpOpts, Udp};

/// Reads an Ethernet frame; what cannot be read as ARP or IPv4 stays bytes.
pub fn frame(b: &Bytes) -> Option<Packet> {
    let mac = |at: usize| b.get(at..at + 6).and_then(|s| s.try_into().ok()).map(MacAddr);
    let (dst, src) = (mac(0)?, mac(6)?);
    let ty = u16::from_be_bytes(b.get(12..14)?.try_into().ok()?);
    let rest = b.slice(14..);
    let body = match ty {
        0x0806 => arp(&rest).map(Body::Arp),
        0x0800 => ipv4(&rest).map(|ip| Body::Ipv4(ip.into())),
        _ => None,
    };
    let body = body.unwrap_or(Body::Other(ty, rest));
    Some(Packet::new(PacketId(0), src, dst, body))
}

fn arp(b: &[u8]) -> Option<Arp> {
    if b.len() < 28 || b[..6] != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let mac = |at: usize| b[at..at + 6].try_into().ok().map(MacAddr);
    let ip = |at: usize| Ipv4Addr::new(b[at], b[at + 1], b[at + 2], b[at + 3]);
    Some(Arp { op: u16::from_be_bytes([b[6], b[7]]), sha: mac(8)?, spa: ip(14), tha: mac(18)?, tpa: ip(24) })
}

/// Reads an IPv4 packet. One that was quoted in an ICMP error may be cut short: what is there is taken.
pub fn ipv4(b: &Bytes) -> Option<Ipv4> {
    let h = Ipv4HeaderSlice::from_slice(b).ok()?;
    let hl = h.slice().len();
    let end = usize::from(h.total_len()).clamp(hl, b.len().max(hl)).min(b.len());
    let data = b.slice(hl..end);
    let proto = h.protocol().0;
    let frag = h.more_fragments() || h.fragments_offset().value() != 0;
    Some(Ipv4 {
        tos: (h.dcp().value() << 2) | h.ecn().value(),
        id: h.identification(),
        df: h.dont_fragment(),
        mf: h.more_fragments(),
        frag_off: h.fragments_offset().value(),
        ttl: h.ttl(),
        src: h.source_addr(),
        dst: h.destination_addr(),
        gso_size: 0,
        options: Bytes::copy_from_slice(h.options()),
        l4: if frag { L4::Raw(proto, data) } else { l4(proto, data) },
    })
}

/// Reads a transport header; what is too short or of another protocol stays bytes.
pub fn l4(proto: u8, b: Bytes) -> L4 {
    match proto {
        1 => Icmpv4Slice::from_slice(&b).ok().map(|i| {
            L4::Icmp(Icmp {
                ty: i.type_u8(),
                code: i.code_u8(),
                rest: u32::from_be_bytes(i.bytes5to8()),
                payload: b.slice(8..),
            })
        }),
        17 => UdpHeaderSlice::from_slice(&b)
            .ok()
            .map(|u| L4::Udp(Udp { sport: u.source_port(), dport: u.destination_port(), payload: b.slice(8..) })),
        6 => tcp(&b).map(L4::Tcp),
        _ => None,
    }
    .unwrap_or(L4::Raw(proto, b))
}

fn tcp(b: &Bytes) -> Option<Tcp> {
    let t = TcpSlice::from_slice(b).ok()?;
    let mut opts = TcpOpts::default();
    for o in t.options_iterator() {
        match o {
            Ok(TcpOptionElement::MaximumSegmentSize(m)) => opts.mss = Some(m),
            Ok(TcpOptionElement::WindowScale(w)) => opts.wscale = Some(w),
            Ok(TcpOptionElement::SelectiveAcknowledgementPermitted) => opts.sack_perm = true,
            Ok(TcpOptionElement::SelectiveAcknowledgement(first, more)) => {
                opts.sack = std::iter::once(first).chain(more.into_iter().flatten()).collect();
            }
            Ok(TcpOptionElement::Timestamp(v, e)) => opts.ts = Some((v, e)),
            Ok(TcpOptionElement::Noop) => {}
            Err(_) => break,
        }
    }
    let hl = usize::from(t.data_offset()) * 4;
    Some(Tcp {
        sport: t.source_port(),
        dport: t.destination_port(),
        seq: t.sequence_number(),
        ack: t.acknowledgment_number(),
        // The byte of flags: URG ACK PSH RST SYN FIN in its lower six bits.
        flags: TcpFlags::from_bits_truncate(b[13]),
        window: t.window_size(),
        opts,
        payload: b.slice(hl..),
    })
}

/// The ports at the beginning of a transport header, also of one that was cut short.
pub fn ports(b: &[u8]) -> Option<(u16, u16)> {
    let s = b.get(0..2)?;
    let d = b.get(2..4)?;
    Some((u16::from_be_bytes([s[0], s[1]]), u16::from_be_bytes([d[0], d[1]])))
}

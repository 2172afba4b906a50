//! Packets as bytes: what a capture shows.

use bytes::Bytes;
use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type, IpDscp, IpEcn, IpFragOffset, IpNumber, Ipv4Header};
use etherparse::{TcpHeader, TcpOptionElement, UdpHeader};

use super::{Body, Ipv4, L4, Packet, Tcp, TcpFlags};

/// The Ethernet frame (without padding and checksum), as `AF_PACKET` gives it.
pub fn frame(p: &Packet) -> Vec<u8> {
    let mut out = Vec::with_capacity(p.frame_len());
    out.extend_from_slice(&p.dst.0);
    out.extend_from_slice(&p.src.0);
    out.extend_from_slice(&p.ethertype().to_be_bytes());
    match &p.body {
        Body::Arp(a) => {
            out.extend_from_slice(&[0, 1, 8, 0, 6, 4]);
            out.extend_from_slice(&a.op.to_be_bytes());
            out.extend_from_slice(&a.sha.0);
            out.extend_from_slice(&a.spa.octets());
            out.extend_from_slice(&a.tha.0);
            out.extend_from_slice(&a.tpa.octets());
        }
        Body::Ipv4(ip) => out.extend_from_slice(&ipv4(ip)),
        Body::Other(_, b) => out.extend_from_slice(b),
    }
    out
}

/// An IPv4 packet with its header checksum.
pub fn ipv4(ip: &Ipv4) -> Vec<u8> {
    let l4 = l4_bytes(ip);
    let mut h = Ipv4Header {
        dscp: IpDscp::try_new(ip.tos >> 2).unwrap_or_default(),
        ecn: IpEcn::try_new(ip.tos & 3).unwrap_or_default(),
        total_len: (ip.header_len() + l4.len()).min(0xffff) as u16,
        identification: ip.id,
        dont_fragment: ip.df,
        more_fragments: ip.mf,
        fragment_offset: IpFragOffset::try_new(ip.frag_off & 0x1fff).unwrap_or_default(),
        time_to_live: ip.ttl,
        protocol: IpNumber(ip.proto()),
        source: ip.src.octets(),
        destination: ip.dst.octets(),
        ..Default::default()
    };
    if let Ok(o) = ip.options.as_ref().try_into() {
        h.options = o;
    }
    h.header_checksum = h.calc_header_checksum();
    let mut out = Vec::with_capacity(h.header_len() + l4.len());
    // Writing into a Vec cannot fail.
    let _ = h.write(&mut out);
    out.extend_from_slice(&l4);
    out
}

/// What follows the IP header, with its checksum.
pub fn l4_bytes(ip: &Ipv4) -> Bytes {
    let (src, dst) = (ip.src.octets(), ip.dst.octets());
    let mut out = Vec::with_capacity(ip.l4.len());
    match &ip.l4 {
        L4::Raw(_, b) => return b.clone(),
        L4::Icmp(i) => {
            let ty = match (i.ty, i.code) {
                (8, 0) => Icmpv4Type::EchoRequest(echo(i.rest)),
                (0, 0) => Icmpv4Type::EchoReply(echo(i.rest)),
                _ => Icmpv4Type::Unknown { type_u8: i.ty, code_u8: i.code, bytes5to8: i.rest.to_be_bytes() },
            };
            let h = Icmpv4Header::with_checksum(ty, &i.payload);
            let _ = h.write(&mut out);
            out.extend_from_slice(&i.payload);
        }
        L4::Udp(u) => {
            let len = (8 + u.payload.len()).min(0xffff) as u16;
            let mut h = UdpHeader { source_port: u.sport, destination_port: u.dport, length: len, checksum: 0 };
            h.checksum = h.calc_checksum_ipv4_raw(src, dst, &u.payload).unwrap_or(0);
            let _ = h.write(&mut out);
            out.extend_from_slice(&u.payload);
        }
        L4::Tcp(t) => {
            let h = tcp_header(t, src, dst);
            let _ = h.write(&mut out);
            out.extend_from_slice(&t.payload);
        }
    }
    out.into()
}

fn echo(rest: u32) -> IcmpEchoHeader {
    IcmpEchoHeader { id: (rest >> 16) as u16, seq: rest as u16 }
}

fn tcp_header(t: &Tcp, src: [u8; 4], dst: [u8; 4]) -> TcpHeader {
    use TcpOptionElement::{MaximumSegmentSize, Noop, SelectiveAcknowledgement, Timestamp, WindowScale};
    let mut h = TcpHeader::new(t.sport, t.dport, t.seq, t.window);
    h.acknowledgment_number = t.ack;
    h.fin = t.flags.contains(TcpFlags::FIN);
    h.syn = t.flags.contains(TcpFlags::SYN);
    h.rst = t.flags.contains(TcpFlags::RST);
    h.psh = t.flags.contains(TcpFlags::PSH);
    h.ack = t.flags.contains(TcpFlags::ACK);
    h.urg = t.flags.contains(TcpFlags::URG);
    // The order of tcp_options_write.
    let mut o = Vec::new();
    if let Some(m) = t.opts.mss {
        o.push(MaximumSegmentSize(m));
    }
    match (t.opts.ts, t.opts.sack_perm) {
        (Some((v, e)), true) => o.extend([TcpOptionElement::SelectiveAcknowledgementPermitted, Timestamp(v, e)]),
        (Some((v, e)), false) => o.extend([Noop, Noop, Timestamp(v, e)]),
        (None, true) => o.extend([Noop, Noop, TcpOptionElement::SelectiveAcknowledgementPermitted]),
        (None, false) => {}
    }
    if let Some(w) = t.opts.wscale {
        o.extend([Noop, WindowScale(w)]);
    }
    if let Some((first, more)) = t.opts.sack.as_slice().split_first() {
        o.extend([Noop, Noop, SelectiveAcknowledgement(*first, std::array::from_fn(|i| more.get(i).copied()))]);
    }
    // At most 40 bytes: MSS, SACK-permitted or three blocks, timestamps and scale always fit.
    let _ = h.set_options(&o);
    h.checksum = h.calc_checksum_ipv4_raw(src, dst, &t.payload).unwrap_or(0);
    h
}

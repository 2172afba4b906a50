//! Packets as bytes and back, with `pnet_packet` as a second reader that shares no code with the first.

use std::net::Ipv4Addr;

use bytes::Bytes;
use packetwalk_sim::wire::{
    Arp, Body, Icmp, Ipv4, L4, MacAddr, Packet, PacketId, Tcp, TcpFlags, TcpOpts, Udp, encode, parse,
};
use pnet_packet::Packet as _;
use pnet_packet::arp::ArpPacket;
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::icmp::IcmpPacket;
use pnet_packet::ipv4::{Ipv4Flags, Ipv4Packet};
use pnet_packet::tcp::{TcpOptionNumbers, TcpPacket};
use pnet_packet::udp::UdpPacket;
use pnet_packet::{icmp, ipv4, tcp, udp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

fn addr() -> impl Strategy<Value = Ipv4Addr> {
    any::<[u8; 4]>().prop_map(Ipv4Addr::from)
}

fn payload() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..64), vec(any::<u8>(), 1400..1600)].prop_map(Bytes::from)
}

fn opts() -> impl Strategy<Value = TcpOpts> {
    // A SYN's options, or those of any other segment: never both kinds of SACK.
    let ts = || option::of(any::<(u32, u32)>());
    let syn = (option::of(any::<u16>()), any::<bool>(), option::of(0u8..15), ts())
        .prop_map(|(mss, sack_perm, wscale, ts)| TcpOpts { mss, sack_perm, wscale, ts, ..Default::default() });
    let rest = (ts(), vec(any::<(u32, u32)>(), 0..4)).prop_map(|(ts, blocks)| TcpOpts {
        ts,
        sack: blocks.into_iter().collect(),
        ..Default::default()
    });
    prop_oneof![syn, rest]
}

fn l4() -> impl Strategy<Value = L4> {
    let icmp = (any::<u8>(), any::<u8>(), any::<u32>(), payload())
        // A message of these two types has a length of its own, which the reader checks.
        .prop_filter("timestamps", |(ty, ..)| !matches!(ty, 13 | 14))
        .prop_map(|(ty, code, rest, payload)| L4::Icmp(Icmp { ty, code, rest, payload }));
    let udp = (any::<u16>(), any::<u16>(), payload())
        .prop_map(|(sport, dport, payload)| L4::Udp(Udp { sport, dport, payload }));
    let tcp = (any::<(u16, u16)>(), any::<(u32, u32)>(), any::<u8>(), any::<u16>(), opts(), payload()).prop_map(
        |((sport, dport), (seq, ack), flags, window, opts, payload)| {
            let flags = TcpFlags::from_bits_truncate(flags);
            L4::Tcp(Tcp { sport, dport, seq, ack, flags, window, opts, payload })
        },
    );
    let raw = (any::<u8>(), payload())
        .prop_filter("a protocol that is read", |(p, _)| !matches!(p, 1 | 6 | 17))
        .prop_map(|(p, b)| L4::Raw(p, b));
    prop_oneof![icmp, udp, tcp, raw]
}

fn ip() -> impl Strategy<Value = Ipv4> {
    let head = (any::<u8>(), any::<u16>(), any::<bool>(), any::<u8>(), addr(), addr());
    let options = (0usize..=10).prop_flat_map(|words| vec(any::<u8>(), words * 4)).prop_map(Bytes::from);
    let whole = (head, options, l4()).prop_map(|((tos, id, df, ttl, src, dst), options, l4)| Ipv4 {
        tos,
        id,
        df,
        mf: false,
        frag_off: 0,
        ttl,
        src,
        dst,
        gso_size: 0,
        options,
        l4,
    });
    let cut = (any::<bool>(), 0u16..0x2000, any::<u8>(), payload());
    (whole, option::weighted(0.2, cut)).prop_map(|(ip, cut)| match cut {
        Some((mf, frag_off, proto, b)) if mf || frag_off != 0 => Ipv4 { mf, frag_off, l4: L4::Raw(proto, b), ..ip },
        _ => ip,
    })
}

fn packet() -> impl Strategy<Value = Packet> {
    let arp = (any::<u16>(), mac(), addr(), mac(), addr())
        .prop_map(|(op, sha, spa, tha, tpa)| Body::Arp(Arp { op, sha, spa, tha, tpa }));
    let other = (0x0900u16.., payload()).prop_map(|(t, b)| Body::Other(t, b));
    let body = prop_oneof![1 => arp, 1 => other, 6 => ip().prop_map(|ip| Body::Ipv4(ip.into()))];
    (mac(), mac(), body).prop_map(|(dst, src, body)| Packet::new(PacketId(0), src, dst, body))
}

fn second_reader_agrees_on_ip(want: &Ipv4, bytes: &[u8]) -> Result<(), TestCaseError> {
    let got = Ipv4Packet::new(bytes).expect("an IPv4 header");
    prop_assert_eq!(got.get_version(), 4);
    prop_assert_eq!(usize::from(got.get_header_length()) * 4, want.header_len());
    prop_assert_eq!(usize::from(got.get_total_length()), bytes.len());
    prop_assert_eq!(got.get_checksum(), ipv4::checksum(&got));
    prop_assert_eq!((got.get_source(), got.get_destination()), (want.src, want.dst));
    prop_assert_eq!((got.get_dscp() << 2) | got.get_ecn(), want.tos);
    prop_assert_eq!((got.get_ttl(), got.get_identification()), (want.ttl, want.id));
    prop_assert_eq!(got.get_flags() & Ipv4Flags::DontFragment != 0, want.df);
    prop_assert_eq!(got.get_flags() & Ipv4Flags::MoreFragments != 0, want.mf);
    prop_assert_eq!(got.get_fragment_offset(), want.frag_off);
    prop_assert_eq!(got.get_next_level_protocol().0, want.proto());
    let inner = &bytes[want.header_len()..];
    match &want.l4 {
        L4::Raw(_, b) => prop_assert_eq!(inner, &b[..]),
        L4::Icmp(i) => {
            let m = IcmpPacket::new(inner).expect("an ICMP header");
            prop_assert_eq!((m.get_icmp_type().0, m.get_icmp_code().0), (i.ty, i.code));
            prop_assert_eq!(m.get_checksum(), icmp::checksum(&m));
            prop_assert_eq!(&m.payload()[..4], &i.rest.to_be_bytes()[..]);
            prop_assert_eq!(&m.payload()[4..], &i.payload[..]);
        }
        L4::Udp(u) => {
            let d = UdpPacket::new(inner).expect("a UDP header");
            prop_assert_eq!((d.get_source(), d.get_destination()), (u.sport, u.dport));
            prop_assert_eq!(usize::from(d.get_length()), inner.len());
            // A sum of zero is sent as all ones: zero says that there is none (RFC 768).
            let sum = match udp::ipv4_checksum(&d, &want.src, &want.dst) {
                0 => 0xffff,
                sum => sum,
            };
            prop_assert_eq!(d.get_checksum(), sum);
            prop_assert_eq!(d.payload(), &u.payload[..]);
        }
        L4::Tcp(t) => {
            let s = TcpPacket::new(inner).expect("a TCP header");
            prop_assert_eq!((s.get_source(), s.get_destination()), (t.sport, t.dport));
            prop_assert_eq!((s.get_sequence(), s.get_acknowledgement()), (t.seq, t.ack));
            prop_assert_eq!((s.get_flags(), s.get_window()), (t.flags.bits(), t.window));
            prop_assert_eq!(usize::from(s.get_data_offset()) * 4, t.header_len());
            prop_assert_eq!(s.get_checksum(), tcp::ipv4_checksum(&s, &want.src, &want.dst));
            prop_assert_eq!(s.payload(), &t.payload[..]);
            let has = |n| s.get_options_iter().any(|o| o.get_number() == n);
            prop_assert_eq!(has(TcpOptionNumbers::MSS), t.opts.mss.is_some());
            prop_assert_eq!(has(TcpOptionNumbers::WSCALE), t.opts.wscale.is_some());
            prop_assert_eq!(has(TcpOptionNumbers::SACK_PERMITTED), t.opts.sack_perm);
            prop_assert_eq!(has(TcpOptionNumbers::SACK), !t.opts.sack.is_empty());
            prop_assert_eq!(has(TcpOptionNumbers::TIMESTAMPS), t.opts.ts.is_some());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read_again(p in packet()) {
        let bytes = Bytes::from(encode::frame(&p));
        prop_assert_eq!(bytes.len(), p.frame_len());
        let back = parse::frame(&bytes).expect("a frame");
        prop_assert_eq!((back.dst, back.src), (p.dst, p.src));
        prop_assert_eq!(&back.body, &p.body);
    }

    #[test]
    fn another_reader_reads_the_same(p in packet()) {
        let bytes = encode::frame(&p);
        let eth = EthernetPacket::new(&bytes).expect("an Ethernet header");
        prop_assert_eq!(eth.get_destination().octets(), p.dst.0);
        prop_assert_eq!(eth.get_source().octets(), p.src.0);
        prop_assert_eq!(eth.get_ethertype().0, p.ethertype());
        match &p.body {
            Body::Arp(a) => {
                let got = ArpPacket::new(eth.payload()).expect("an ARP packet");
                prop_assert_eq!(got.get_protocol_type(), EtherTypes::Ipv4);
                prop_assert_eq!((got.get_hw_addr_len(), got.get_proto_addr_len()), (6, 4));
                prop_assert_eq!(got.get_operation().0, a.op);
                prop_assert_eq!((got.get_sender_hw_addr().octets(), got.get_sender_proto_addr()), (a.sha.0, a.spa));
                prop_assert_eq!((got.get_target_hw_addr().octets(), got.get_target_proto_addr()), (a.tha.0, a.tpa));
            }
            Body::Ipv4(ip) => second_reader_agrees_on_ip(ip, eth.payload())?,
            Body::Other(_, b) => prop_assert_eq!(eth.payload(), &b[..]),
        }
    }

    #[test]
    fn no_bytes_panic(b in vec(any::<u8>(), 0..200), ip in any::<bool>()) {
        let mut b = b;
        if ip && b.len() > 14 {
            b[12..14].copy_from_slice(&[8, 0]);
            b[14] = 0x45;
        }
        let _ = parse::frame(&b.into());
    }
}

//! Tuples: reading them from packets, and turning them round.

use super::types::{L4Id, Tuple};
use crate::wire::{Ipv4, L4, parse};

/// Protocols whose header begins with two ports: TCP, UDP, SCTP, UDP-Lite.
fn has_ports(proto: u8) -> bool {
    matches!(proto, 6 | 17 | 132 | 136)
}

/// `nf_ct_get_tuple`: what a packet belongs to. None for a later fragment, and where the header is too short.
pub fn tuple_of(ip: &Ipv4) -> Option<Tuple> {
    if ip.frag_off != 0 {
        return None;
    }
    let l4 = match &ip.l4 {
        L4::Tcp(t) => L4Id::Ports { src: t.sport, dst: t.dport },
        L4::Udp(u) => L4Id::Ports { src: u.sport, dst: u.dport },
        L4::Icmp(i) => L4Id::Icmp { id: (i.rest >> 16) as u16, ty: i.ty, code: i.code },
        L4::Raw(proto, b) if has_ports(*proto) => {
            let (src, dst) = parse::ports(b)?;
            L4Id::Ports { src, dst }
        }
        L4::Raw(1, b) if b.len() >= 8 => L4Id::Icmp { id: u16::from_be_bytes([b[4], b[5]]), ty: b[0], code: b[1] },
        L4::Raw(1, _) => return None,
        L4::Raw(..) => L4Id::None,
    };
    Some(Tuple { src: ip.src, dst: ip.dst, proto: ip.proto(), l4 })
}

/// The type that answers a type of ICMP (`invmap`).
fn icmp_answer(ty: u8) -> Option<u8> {
    Some(match ty {
        8 => 0,
        0 => 8,
        13 => 14,
        14 => 13,
        15 => 16,
        16 => 15,
        17 => 18,
        18 => 17,
        _ => return None,
    })
}

/// `nf_ct_invert_tuple`: the other direction. None for ICMP messages that have no answer.
pub fn nf_ct_invert(t: &Tuple) -> Option<Tuple> {
    let l4 = match t.l4 {
        L4Id::Ports { src, dst } => L4Id::Ports { src: dst, dst: src },
        L4Id::Icmp { id, ty, code } => L4Id::Icmp { id, ty: icmp_answer(ty)?, code },
        L4Id::None => L4Id::None,
    };
    Some(Tuple { src: t.dst, dst: t.src, proto: t.proto, l4 })
}

/// `nf_ct_get_tuplepr`: the tuple of the packet that an ICMP error speaks of, as it is quoted.
pub fn inner_tuple(ip: &Ipv4) -> Option<Tuple> {
    let L4::Icmp(i) = &ip.l4 else { return None };
    tuple_of(&parse::ipv4(&i.payload)?)
}

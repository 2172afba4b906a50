//! Rewriting addresses and ports (`nf_nat_ipv4_manip_pkt`, `l4proto_manip_pkt`).

use super::Manip;
use crate::kernel::conntrack::{L4Id, Tuple};
use crate::wire::{L4, Packet};

/// ICMP messages with an id: questions and their answers.
fn has_id(ty: u8) -> bool {
    matches!(ty, 0 | 8 | 13..=18)
}

/// Gives the packet the target's source or destination.
pub(crate) fn packet(p: &mut Packet, target: &Tuple, manip: Manip) {
    let Some(ip) = p.ipv4_mut() else { return };
    match manip {
        Manip::Src => ip.src = target.src,
        Manip::Dst => ip.dst = target.dst,
    }
    match (&mut ip.l4, target.l4, manip) {
        (L4::Tcp(t), L4Id::Ports { src, .. }, Manip::Src) => t.sport = src,
        (L4::Tcp(t), L4Id::Ports { dst, .. }, Manip::Dst) => t.dport = dst,
        (L4::Udp(u), L4Id::Ports { src, .. }, Manip::Src) => u.sport = src,
        (L4::Udp(u), L4Id::Ports { dst, .. }, Manip::Dst) => u.dport = dst,
        (L4::Icmp(i), L4Id::Icmp { id, .. }, _) if has_id(i.ty) => {
            i.rest = u32::from(id) << 16 | (i.rest & 0xffff);
        }
        _ => {}
    }
}

/// The same for a packet that an ICMP error quotes, as far as it quotes it.
pub(crate) fn quoted(bytes: &mut [u8], target: &Tuple, manip: Manip) {
    if bytes.len() < 20 {
        return;
    }
    let header = usize::from(bytes[0] & 0xf) * 4;
    let (at, addr) = match manip {
        Manip::Src => (12, target.src),
        Manip::Dst => (16, target.dst),
    };
    let proto = bytes[9];
    let first = u16::from_be_bytes([bytes[6], bytes[7]]) & 0x1fff == 0;
    let mut delta = Delta::default();
    delta.put(bytes, at, &addr.octets());
    delta.mend(bytes, 10);
    if !first || bytes.len() < header + 8 {
        return;
    }
    let mut l4 = delta;
    match (proto, target.l4, manip) {
        (6 | 17, L4Id::Ports { src, .. }, Manip::Src) => l4.put(bytes, header, &src.to_be_bytes()),
        (6 | 17, L4Id::Ports { dst, .. }, Manip::Dst) => l4.put(bytes, header + 2, &dst.to_be_bytes()),
        (1, L4Id::Icmp { id, .. }, _) if has_id(bytes[header]) => {
            // ICMP has no pseudo header: only the id counts.
            l4 = Delta::default();
            l4.put(bytes, header + 4, &id.to_be_bytes());
        }
        _ => return,
    }
    let check = header
        + if proto == 6 {
            16
        } else if proto == 17 {
            6
        } else {
            2
        };
    let none = proto == 17 && bytes[check..].iter().take(2).all(|b| *b == 0);
    if !none && bytes.len() >= check + 2 {
        l4.mend(bytes, check);
    }
}

/// What a checksum must be changed by (RFC 1624).
#[derive(Clone, Copy, Default)]
struct Delta(u32);

impl Delta {
    fn put(&mut self, bytes: &mut [u8], at: usize, new: &[u8]) {
        for (i, pair) in new.chunks_exact(2).enumerate() {
            let at = at + 2 * i;
            let old = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
            self.0 += u32::from(!old) + u32::from(u16::from_be_bytes([pair[0], pair[1]]));
            bytes[at..at + 2].copy_from_slice(pair);
        }
    }

    fn mend(self, bytes: &mut [u8], at: usize) {
        let mut sum = u32::from(!u16::from_be_bytes([bytes[at], bytes[at + 1]])) + self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        bytes[at..at + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
}

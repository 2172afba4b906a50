//! Which connections a line is about.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::opts::number;
use crate::kernel::conntrack::{Conn, CtDir, L4Id, ProtoState, Status, Tuple, state_name};

/// `-m value/mask`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub value: u32,
    pub mask: u32,
}

impl Mark {
    pub fn read(v: &str) -> Mark {
        match v.split_once('/') {
            Some((v, m)) => Mark { value: number(v), mask: number(m) },
            None => Mark { value: number(v), mask: u32::MAX },
        }
    }
}

/// An address and a port that NAT chose; any where none is given.
type Nat = (Option<Ipv4Addr>, Option<u16>);

/// Everything must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub proto: Option<u8>,
    /// Original source and destination, reply source and destination.
    pub addr: [Option<Ipv4Net>; 4],
    /// Ports, in the same order.
    pub port: [Option<u16>; 4],
    pub icmp_type: Option<u8>,
    pub icmp_code: Option<u8>,
    pub icmp_id: Option<u16>,
    pub state: Option<&'static str>,
    pub status: Status,
    pub unreplied: bool,
    pub mark: Option<Mark>,
    pub zone: Option<u16>,
    pub orig_zone: Option<u16>,
    pub reply_zone: Option<u16>,
    pub src_nat: Option<Nat>,
    pub dst_nat: Option<Nat>,
    pub any_nat: Option<Nat>,
}

fn ports(t: &Tuple) -> (Option<u16>, Option<u16>) {
    match t.l4 {
        L4Id::Ports { src, dst } => (Some(src), Some(dst)),
        _ => (None, None),
    }
}

fn is_nat((addr, port): Nat, now: Ipv4Addr, now_port: Option<u16>) -> bool {
    addr.is_none_or(|a| a == now) && port.is_none_or(|p| now_port == Some(p))
}

impl Filter {
    pub fn passes(&self, c: &Conn) -> bool {
        self.passes_tuple(c)
            && self.state.is_none_or(|s| matches!(&c.proto, ProtoState::Tcp(t) if state_name(t.state) == s))
            && c.status.contains(self.status)
            && !(self.unreplied && c.status.contains(Status::SEEN_REPLY))
            && self.mark.is_none_or(|m| c.mark & m.mask == m.value)
    }

    /// As [`Filter::passes`], whatever state, status and mark.
    pub fn passes_tuple(&self, c: &Conn) -> bool {
        let [o, r] = &c.tuples;
        let addrs = [o.src, o.dst, r.src, r.dst];
        let ((os, od), (rs, rd)) = (ports(o), ports(r));
        self.proto.is_none_or(|p| p == o.proto)
            && self.addr.iter().zip(addrs).all(|(n, a)| n.is_none_or(|n| n.contains(&a)))
            && self.port.iter().zip([os, od, rs, rd]).all(|(want, p)| want.is_none() || *want == p)
            && self.icmp(o)
            && self.zones(c)
            && self.nat(c)
    }

    fn icmp(&self, o: &Tuple) -> bool {
        if self.icmp_type.is_none() && self.icmp_code.is_none() && self.icmp_id.is_none() {
            return true;
        }
        let L4Id::Icmp { id, ty, code } = o.l4 else { return false };
        self.icmp_type.is_none_or(|t| t == ty)
            && self.icmp_code.is_none_or(|x| x == code)
            && self.icmp_id.is_none_or(|x| x == id)
    }

    fn zones(&self, c: &Conn) -> bool {
        let both = if c.zone.dir.is_none() { c.zone.id } else { 0 };
        let one = |dir| if c.zone.dir == Some(dir) { c.zone.id } else { 0 };
        self.zone.is_none_or(|z| z == both)
            && self.orig_zone.is_none_or(|z| z == one(CtDir::Original))
            && self.reply_zone.is_none_or(|z| z == one(CtDir::Reply))
    }

    /// The source is translated where answers go elsewhere, the destination where they come from elsewhere.
    fn nat(&self, c: &Conn) -> bool {
        let [o, r] = &c.tuples;
        let ((os, od), (rs, rd)) = (ports(o), ports(r));
        // Where TCP has its ports the library finds an echo's id, and its type and code (`NFCT_GOPT_IS_SPAT`).
        let echo = |t: &Tuple| match t.l4 {
            L4Id::Icmp { id, ty, code } => Some((id.to_be_bytes(), [ty, code])),
            _ => None,
        };
        let (spat, dpat) = match (echo(o), echo(r)) {
            (Some((oid, okind)), Some((rid, rkind))) => (
                c.status.contains(Status::SRC_NAT_DONE) && rkind != oid,
                c.status.contains(Status::DST_NAT_DONE) && rid != okind,
            ),
            _ => (rd != os, rs != od),
        };
        let src = r.dst != o.src || spat;
        let dst = r.src != o.dst || dpat;
        let is_src = |n: Nat| src && is_nat(n, r.dst, rd);
        let is_dst = |n: Nat| dst && is_nat(n, r.src, rs);
        self.src_nat.is_none_or(is_src)
            && self.dst_nat.is_none_or(is_dst)
            && self.any_nat.is_none_or(|n| is_src(n) || is_dst(n))
    }
}

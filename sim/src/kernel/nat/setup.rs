//! Choosing the translation of a connection (`nf_nat_setup_info`, `get_unique_tuple`).

use std::net::Ipv4Addr;

use super::Manip;
use crate::kernel::Kernel;
use crate::kernel::conntrack::{CtDir, CtRef, L4Id, Status, Tuple, Zone, nf_ct_invert};
use crate::kernel::types::NetnsId;
use crate::trace::Recorder;

/// Most ports tried at random in one round (`NF_NAT_MAX_ATTEMPTS`).
const MAX_ATTEMPTS: u32 = 128;

/// What a rule allows (`struct nf_nat_range2`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub addrs: Option<(Ipv4Addr, Ipv4Addr)>,
    pub ports: Option<(u16, u16)>,
    pub base: Option<u16>,
    pub random: bool,
    pub persistent: bool,
}

/// The port or id that a manipulation would change.
fn key(t: &Tuple, manip: Manip) -> Option<u16> {
    match (t.l4, manip) {
        (L4Id::Ports { src, .. }, Manip::Src) => Some(src),
        (L4Id::Ports { dst, .. }, Manip::Dst) => Some(dst),
        (L4Id::Icmp { id, .. }, _) => Some(id),
        (L4Id::None, _) => None,
    }
}

fn set_key(t: &mut Tuple, manip: Manip, to: u16) {
    match (&mut t.l4, manip) {
        (L4Id::Ports { src, .. }, Manip::Src) => *src = to,
        (L4Id::Ports { dst, .. }, Manip::Dst) => *dst = to,
        (L4Id::Icmp { id, .. }, _) => *id = to,
        (L4Id::None, _) => {}
    }
}

/// `l4proto_in_range`.
fn port_fits(t: &Tuple, manip: Manip, r: &Range) -> bool {
    match (key(t, manip), r.ports) {
        (Some(k), Some((a, b))) => (a..=b).contains(&k),
        _ => true,
    }
}

/// `nf_in_range`: the source already is what the rule allows.
fn source_fits(t: &Tuple, r: &Range) -> bool {
    r.addrs.is_none_or(|(a, b)| (a..=b).contains(&t.src)) && port_fits(t, Manip::Src, r)
}

/// Key of a source in the table of sources.
fn source_key(t: &Tuple, zone: Zone) -> super::SourceKey {
    (t.src, key(t, Manip::Src).unwrap_or(0), t.proto, zone.in_dir(CtDir::Original))
}

impl<R: Recorder> Kernel<R> {
    /// `nf_nat_alloc_null_binding`: keeps the address; the port changes only where another has the tuple.
    pub(super) fn nat_null_binding(&mut self, ns: NetnsId, ct: CtRef, manip: Manip) {
        let Some(c) = self.netns[ns.ix()].nf.ct.get(ct) else { return };
        let reply = &c.tuples[1];
        let own = if manip == Manip::Src { reply.dst } else { reply.src };
        self.nat_setup(ns, ct, &Range { addrs: Some((own, own)), ..Range::default() }, manip);
    }

    /// `nf_nat_setup_info`.
    pub(super) fn nat_setup(&mut self, ns: NetnsId, ct: CtRef, range: &Range, manip: Manip) {
        let Some(c) = self.netns[ns.ix()].nf.ct.get(ct) else { return };
        if c.status.intersects(Status::CONFIRMED) || c.status.contains(manip.done()) {
            return;
        }
        let (zone, orig) = (c.zone, c.tuples[0]);
        let Some(now) = nf_ct_invert(&c.tuples[1]) else { return };
        let new = self.unique_tuple(ns, ct, &now, range, manip, zone);
        if new != now {
            let Some(reply) = nf_ct_invert(&new) else { return };
            self.ct_alter_reply(ns, ct, reply);
        }
        let nf = &mut self.netns[ns.ix()].nf;
        let Some(c) = nf.ct.get_mut(ct) else { return };
        if new != now {
            c.status |= manip.bit();
        }
        c.status |= manip.done();
        if manip == Manip::Src {
            nf.nat.by_source.entry(source_key(&orig, zone)).or_default().push(ct);
        }
    }

    /// `get_unique_tuple`.
    fn unique_tuple(&mut self, ns: NetnsId, ct: CtRef, now: &Tuple, r: &Range, manip: Manip, zone: Zone) -> Tuple {
        if manip == Manip::Src && !r.random {
            if source_fits(now, r) {
                if !self.nat_used(ns, ct, now, zone) {
                    return *now;
                }
            } else if let Some(t) = self.known_source(ns, now, r, zone)
                && !self.nat_used(ns, ct, &t, zone)
            {
                return t;
            }
        }
        let mut t = *now;
        pick_address(&mut t, r, manip, zone);
        if !r.random {
            match r.ports {
                Some((a, b))
                    if r.base.is_none() && port_fits(&t, manip, r) && (a == b || !self.nat_used(ns, ct, &t, zone)) =>
                {
                    return t;
                }
                None if !self.nat_used(ns, ct, &t, zone) => return t,
                _ => {}
            }
        }
        self.pick_port_for(ns, ct, t, r, manip, zone)
    }

    /// `nf_nat_used_tuple`: somebody's answers already come to it.
    fn nat_used(&mut self, ns: NetnsId, ct: CtRef, t: &Tuple, zone: Zone) -> bool {
        let used = nf_ct_invert(t).is_some_and(|reply| self.nf_conntrack_tuple_taken(ns, &reply, zone, ct));
        self.netns[ns.ix()].nf.ct.stats.found += u32::from(used);
        used
    }

    /// `find_appropriate_src`: the translation that this source has already.
    fn known_source(&mut self, ns: NetnsId, t: &Tuple, r: &Range, zone: Zone) -> Option<Tuple> {
        let nf = &mut self.netns[ns.ix()].nf;
        let list = nf.nat.by_source.get_mut(&source_key(t, zone))?;
        list.retain(|c| nf.ct.get(*c).is_some());
        list.iter().rev().find_map(|c| {
            let reply = nf_ct_invert(&nf.ct.get(*c)?.tuples[1])?;
            let mut found = *t;
            found.src = reply.src;
            if let Some(k) = key(&reply, Manip::Src) {
                set_key(&mut found, Manip::Src, k);
            }
            source_fits(&found, r).then_some(found)
        })
    }

    /// `nf_nat_l4proto_unique_tuple`: a free port of the range.
    fn pick_port_for(&mut self, ns: NetnsId, ct: CtRef, mut t: Tuple, r: &Range, manip: Manip, zone: Zone) -> Tuple {
        let Some(own) = key(&t, manip) else { return t };
        let icmp = matches!(t.l4, L4Id::Icmp { .. });
        let (min, size) = match r.ports {
            Some((a, b)) => (u32::from(a), u32::from(b).saturating_sub(u32::from(a)) + 1),
            None if icmp => (0, 65536),
            // Without ports in the rule a destination keeps its own.
            None if manip == Manip::Dst => return t,
            None if own < 512 => (1, 511),
            None if own < 1024 => (600, 1023 - 600 + 1),
            None => (1024, 65535 - 1024 + 1),
        };
        let mut off = match r.base {
            Some(base) => u32::from(own.wrapping_sub(base)),
            None if r.random || manip == Manip::Src || icmp => self.roll_port(),
            None => 0,
        };
        let mut attempts = size.min(MAX_ATTEMPTS);
        loop {
            for _ in 0..attempts {
                set_key(&mut t, manip, (min + off % size) as u16);
                if !self.nat_used(ns, ct, &t, zone) {
                    return t;
                }
                off = off.wrapping_add(1);
            }
            if attempts >= size || attempts < 16 {
                return t;
            }
            attempts /= 2;
            off = self.roll_port();
        }
    }

    fn roll_port(&mut self) -> u32 {
        self.nat_rolls += 1;
        self.rng.below(65536) as u32
    }
}

/// `find_best_ips_proto`: one address of a range, always the same for the same pair.
fn pick_address(t: &mut Tuple, r: &Range, manip: Manip, zone: Zone) {
    let Some((min, max)) = r.addrs else { return };
    let chosen = if min == max {
        min
    } else {
        let dst = u32::from(t.dst).swap_bytes();
        let salt = if r.persistent { 0 } else { dst ^ u32::from(zone.id) };
        let j = jhash2(&[u32::from(t.src).swap_bytes(), 0, 0, 0], salt);
        let span = u64::from(u32::from(max)) - u64::from(u32::from(min)) + 1;
        let at = (u64::from(j) * span) >> 32;
        Ipv4Addr::from((u64::from(u32::from(min)) + at) as u32)
    };
    match manip {
        Manip::Src => t.src = chosen,
        Manip::Dst => t.dst = chosen,
    }
}

/// Bob Jenkins' hash over 32-bit words (include/linux/jhash.h), as a little-endian kernel computes it.
fn jhash2(words: &[u32], initval: u32) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add((words.len() as u32) << 2).wrapping_add(initval);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut k = words;
    while k.len() > 3 {
        a = a.wrapping_add(k[0]);
        b = b.wrapping_add(k[1]);
        c = c.wrapping_add(k[2]);
        a = a.wrapping_sub(c) ^ c.rotate_left(4);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(6);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(8);
        b = b.wrapping_add(a);
        a = a.wrapping_sub(c) ^ c.rotate_left(16);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(19);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(4);
        b = b.wrapping_add(a);
        k = &k[3..];
    }
    if k.is_empty() {
        return c;
    }
    if k.len() == 3 {
        c = c.wrapping_add(k[2]);
    }
    if k.len() >= 2 {
        b = b.wrapping_add(k[1]);
    }
    a = a.wrapping_add(k[0]);
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

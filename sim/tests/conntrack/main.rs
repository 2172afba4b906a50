//! Connection tracking as Linux 6.18 does it: packets are handed to the hooks one by one.

mod datagrams;
mod lab;
mod table;
mod tcp;

use crate::lab::{A, B, Lab, icmp, quote, udp};
use bytes::Bytes;
use packetwalk_sim::kernel::conntrack::{L4Id, Zone, nf_ct_invert, tuple_of};
use packetwalk_sim::kernel::netfilter::{Hook, Verdict};
use packetwalk_sim::kernel::types::MSEC;
use packetwalk_sim::wire::packet::{TcpFlags, TcpOpts};
use packetwalk_sim::wire::{L4, Tcp};
use proptest::prelude::*;
use std::net::Ipv4Addr;

#[test]
fn tuples_turn_round() {
    let mut l = Lab::new();
    let (p, _) = l.enter(icmp(8, 0, 7 << 16, Bytes::new()), A, B, Zone::default());
    let t = tuple_of(p.ipv4().expect("IPv4")).expect("a tuple");
    assert_eq!(nf_ct_invert(&t).and_then(|t| nf_ct_invert(&t)), Some(t));
    assert_eq!(nf_ct_invert(&t).map(|t| t.l4), Some(L4Id::Icmp { id: 7, ty: 0, code: 0 }));
}

proptest! {
    /// Whatever comes: no panic, and the hash and the slots agree.
    #[test]
    fn any_sequence_of_packets(
        steps in proptest::collection::vec(
            (0u8..6, 0u8..4, 0u8..4, 0u16..4, any::<u8>(), any::<u32>(), any::<u32>(), 0u64..40_000, any::<bool>()),
            1..60,
        ),
        max in 0i32..6,
    ) {
        let mut l = Lab::new();
        l.set("max", &max.to_string());
        l.set("buckets", "64");
        l.set("acct", "1");
        for (kind, from, to, port, flags, seq, ack, wait, confirm) in steps {
            let (from, to) = (Ipv4Addr::new(10, 0, 0, from), Ipv4Addr::new(10, 0, 0, to));
            let l4 = match kind {
                0 | 1 => L4::Tcp(Tcp {
                    sport: port,
                    dport: 3 - port,
                    seq,
                    ack,
                    flags: TcpFlags::from_bits_truncate(flags),
                    window: seq as u16,
                    opts: TcpOpts { wscale: Some(flags), sack: [(seq, ack)].into_iter().collect(), ..TcpOpts::default() },
                    payload: Bytes::new(),
                }),
                2 => udp(port, 3 - port),
                3 => icmp(flags % 20, 0, u32::from(port) << 16, Bytes::new()),
                4 => icmp(3, 3, 0, quote(udp(port, 3 - port), to, from)),
                _ => L4::Raw(flags, Bytes::from(vec![flags; usize::from(port) * 3])),
            };
            let zone = Zone { id: (seq % 3) as u16, dir: None };
            let (mut p, v) = l.enter(l4, from, to, zone);
            if v == Verdict::Accept && confirm {
                l.k.nf_conntrack_confirm(l.ns, Hook::Postrouting, l.dev, &mut p);
            }
            if !confirm
                && ack % 4 == 0
                && let Some(ct) = p.nf.ct
            {
                    l.k.ct_kill(l.ns, ct);
            }
            l.check();
            l.wait(wait * MSEC);
        }
    }
}

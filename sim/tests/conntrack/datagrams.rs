//! UDP, ICMP, and errors about others.

use crate::lab::{A, B, Lab, ROUTER, icmp, quote, udp};
use bytes::Bytes;
use packetwalk_sim::kernel::conntrack::{CtInfo, Status};
use packetwalk_sim::kernel::types::{MSEC, SEC};
use packetwalk_sim::trace::event::CtVerdict;
use packetwalk_sim::wire::L4;

#[test]
fn udp_becomes_a_stream() {
    let mut l = Lab::new();
    let left = |l: &Lab| (l.only().left(l.k.now()) / SEC, l.only().status.contains(Status::ASSURED));
    assert_eq!(l.pass(udp(4000, 53), A, B), CtInfo::New);
    l.wait(SEC);
    assert_eq!(l.pass(udp(4000, 53), A, B), CtInfo::New);
    assert_eq!(l.pass(udp(53, 4000), B, A), CtInfo::EstablishedReply);
    assert_eq!(left(&l), (30, false));
    assert_eq!(l.pass(udp(4000, 53), A, B), CtInfo::Established);
    assert_eq!(left(&l), (30, false));
    l.wait(1500 * MSEC);
    l.pass(udp(53, 4000), B, A);
    assert_eq!(left(&l), (120, true));
    // One port to itself: the reply is found.
    let mut l = Lab::new();
    l.pass(udp(5000, 5000), A, A);
    assert_eq!(l.pass(udp(5000, 5000), A, A), CtInfo::EstablishedReply);
}

#[test]
fn icmp_queries_and_what_is_none() {
    for (ty, tracked) in [(8, true), (13, true), (15, true), (17, true), (0, false), (14, false), (9, false)] {
        let mut l = Lab::new();
        let want = if tracked { CtInfo::New } else { CtInfo::None };
        assert_eq!(l.pass(icmp(ty, 0, 7 << 16, Bytes::new()), A, B), want, "{ty}");
        assert_eq!(l.conns().len(), usize::from(tracked));
        assert_eq!(l.k.ns(l.ns).nf.ct.stats.invalid, u32::from(!tracked));
    }
    let mut l = Lab::new();
    l.pass(icmp(8, 0, 7 << 16 | 1, Bytes::new()), A, B);
    assert_eq!(l.pass(icmp(0, 0, 7 << 16 | 1, Bytes::new()), B, A), CtInfo::EstablishedReply);
    assert_eq!(l.pass(icmp(0, 0, 8 << 16 | 1, Bytes::new()), B, A), CtInfo::None, "another id");
    assert_eq!(l.pass(icmp(42, 0, 0, Bytes::new()), A, B), CtInfo::None);
    assert_eq!(l.k.ns(l.ns).nf.ct.stats.error, 1);
    // Any other protocol, ten minutes.
    let mut l = Lab::new();
    assert_eq!(l.pass(L4::Raw(50, Bytes::from_static(b"12345678")), A, B), CtInfo::New);
    assert_eq!(l.only().left(l.k.now()), 600 * SEC);
}

#[test]
fn errors_are_related() {
    let mut l = Lab::new();
    l.pass(udp(4000, 53), A, B);
    let q = quote(udp(4000, 53), A, B);
    assert_eq!(l.pass(icmp(3, 3, 0, q.clone()), B, A), CtInfo::RelatedReply);
    assert_eq!(l.pass(icmp(11, 0, 0, q.clone()), ROUTER, A), CtInfo::RelatedReply, "whoever sends it");
    assert_eq!(l.only().status, Status::CONFIRMED, "no answer");
    // To somebody else than the sender it speaks of.
    assert_eq!(l.pass(icmp(3, 3, 0, q), B, ROUTER), CtInfo::None);
    assert_eq!(l.last_verdict(), CtVerdict::Invalid("outer daddr is not the inner one's"));
    assert_eq!(l.pass(icmp(3, 3, 0, quote(udp(4001, 53), A, B)), B, A), CtInfo::None);
    assert_eq!(l.pass(icmp(3, 3, 0, Bytes::from_static(b"no packet")), B, A), CtInfo::None);
    assert_eq!(l.k.ns(l.ns).nf.ct.stats.error, 3);
    // About an answer.
    l.pass(udp(53, 4000), B, A);
    assert_eq!(l.pass(icmp(3, 3, 0, quote(udp(53, 4000), B, A)), A, B), CtInfo::Related);
}

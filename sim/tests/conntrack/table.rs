//! The table: how long entries live, how many there may be, and when two are one.

use crate::lab::{A, B, Lab, ROUTER, tcp, udp};
use packetwalk_sim::kernel::conntrack::{CtDir, CtInfo, L4Id, Status, Tuple, Zone};
use packetwalk_sim::kernel::netfilter::{Hook, Verdict};
use packetwalk_sim::kernel::types::{MSEC, SEC};
use packetwalk_sim::trace::EventKind;
use packetwalk_sim::trace::event::CtVerdict;
use packetwalk_sim::wire::Packet;
use std::net::Ipv4Addr;

#[test]
fn entries_expire_by_virtual_time() {
    let mut l = Lab::new();
    l.pass(udp(4000, 53), A, B);
    l.seg(true, "S", 1000, 0, 0);
    l.wait(30 * SEC - 1);
    assert_eq!(l.conns().len(), 2);
    l.wait(1);
    assert_eq!(l.conns().len(), 1);
    let count = |l: &Lab| l.k.sysctl_get(l.ns, "net.netfilter.nf_conntrack_count").expect("a number");
    assert_eq!(count(&l), "1");
    assert_eq!(l.pass(udp(53, 4000), B, A), CtInfo::New, "the other way round now");
    l.check();
    l.k.ct_expire(l.ns);
    l.check();
    assert_eq!(count(&l), "2");
}

#[test]
fn what_was_never_confirmed_does_not_pile_up() {
    let mut l = Lab::new();
    for i in 0..5000u32 {
        l.enter(udp(i as u16, 53), A, B, Zone::default());
        l.wait(MSEC);
    }
    let t = &l.k.ns(l.ns).nf.ct;
    assert!(t.slots.len() <= 1100, "{}", t.slots.len());
    assert_eq!(t.count, 0);
    l.check();
}

#[test]
fn what_expired_does_not_pile_up() {
    let mut l = Lab::new();
    for i in 0..20_000u32 {
        l.pass(udp(i as u16, 53), A, Ipv4Addr::from(0x0a00_0100 + (i >> 8)));
        l.wait(SEC);
    }
    let t = &l.k.ns(l.ns).nf.ct;
    assert!(t.count < 1100 && t.slots.len() < 3000, "{} of {}", t.count, t.slots.len());
    assert_eq!(t.live(l.k.now()), 29);
    l.check();
}

#[test]
fn the_limit_belongs_to_the_host() {
    let mut l = Lab::new();
    l.set("max", "77");
    let host = l.k.ns(l.ns).host;
    let ns = l.k.new_netns(host, "h/ns:x".to_owned());
    let name = "net.netfilter.nf_conntrack_max";
    assert_eq!(l.k.sysctl_get(ns, name).as_deref(), Ok("77"));
    assert!(l.k.sysctl_set(ns, name, "5").is_err());
    assert!(l.k.sysctl_set(l.ns, "net.netfilter.nf_conntrack_count", "5").is_err());
}

#[test]
fn a_reference_to_what_is_gone_finds_nothing() {
    let mut l = Lab::new();
    let (mut p, _) = l.enter(udp(1, 53), A, B, Zone::default());
    l.wait(10 * SEC);
    l.pass(udp(2, 53), A, B);
    assert!(l.k.ns(l.ns).nf.ct.get(p.nf.ct.expect("one")).is_none());
    assert_eq!(l.k.nf_conntrack_confirm(l.ns, Hook::Postrouting, l.dev, &mut p), Verdict::Accept);
    assert_eq!(l.conns().len(), 1);
    l.check();
}

#[test]
fn a_full_table() {
    let mut l = Lab::new();
    l.set("max", "3");
    for port in 1..=3 {
        l.pass(udp(port, 53), A, B);
    }
    // A few entries among 262144 buckets: none is in the eight that Linux looks at.
    let (p, v) = l.enter(udp(4, 53), A, B, Zone::default());
    assert_eq!((v, p.nf.ct), (Verdict::Drop, None));
    assert_eq!(l.last_verdict(), CtVerdict::Full);
    assert_eq!(l.pass(udp(1, 53), A, B), CtInfo::New, "known ones pass");
    // In a small table they are.
    l.set("buckets", "16");
    assert_eq!(l.pass(udp(4, 53), A, B), CtInfo::New);
    let stats = l.k.ns(l.ns).nf.ct.stats;
    assert_eq!((stats.drop, stats.early_drop), (1, 1));
    assert_eq!(l.conns()[0].tuples[0].l4, L4Id::Ports { src: 2, dst: 53 }, "the oldest went");
    l.check();
    // What expired makes room first.
    l.set("buckets", "262144");
    l.wait(31 * SEC);
    assert_eq!(l.pass(udp(9, 53), A, B), CtInfo::New);
    l.set("max", "0");
    for port in 20..40 {
        l.pass(udp(port, 53), A, B);
    }
    l.check();
}

#[test]
fn zones_are_worlds_of_their_own() {
    let mut l = Lab::new();
    let zone = |id, dir| Zone { id, dir };
    for z in [zone(0, None), zone(1, None), zone(2, None)] {
        assert_eq!(l.pass_in(udp(1, 53), A, B, z), CtInfo::New);
    }
    assert_eq!(l.pass_in(udp(53, 1), B, A, zone(2, None)), CtInfo::EstablishedReply);
    assert_eq!(l.pass_in(udp(53, 1), B, A, zone(3, None)), CtInfo::New);
    l.check();
    // In the original direction only: answers without a zone find it.
    let mut l = Lab::new();
    assert_eq!(l.pass_in(udp(1, 53), A, B, zone(7, Some(CtDir::Original))), CtInfo::New);
    assert_eq!(l.pass(udp(53, 1), B, A), CtInfo::EstablishedReply);
    l.check();
}

/// Gives an unconfirmed connection another reply, as NAT does.
fn translate(l: &mut Lab, p: &Packet, reply: Tuple) {
    let ct = p.nf.ct.expect("a connection");
    l.k.ct_alter_reply(l.ns, ct, reply);
    let c = l.k.ns_mut(l.ns).nf.ct.get_mut(ct).expect("it");
    c.status |= Status::SRC_NAT | Status::SRC_NAT_DONE;
}

#[test]
fn two_flows_with_one_reply_clash() {
    for (proto, l4) in [(17, udp(1, 53)), (6, tcp(true, "S", 1, 0, 0, 1000))] {
        let mut l = Lab::new();
        let ports = L4Id::Ports { src: 53, dst: 1000 };
        let reply = Tuple { src: B, dst: ROUTER, proto, l4: ports };
        let (mut p, _) = l.enter(l4.clone(), A, B, Zone::default());
        translate(&mut l, &p, reply);
        assert_eq!(l.k.nf_conntrack_confirm(l.ns, Hook::Postrouting, l.dev, &mut p), Verdict::Accept);
        let other = Ipv4Addr::new(10, 0, 0, 77);
        let (mut q, _) = l.enter(l4, other, B, Zone::default());
        let taken = l.k.nf_conntrack_tuple_taken(l.ns, &reply, Zone::default(), q.nf.ct.expect("one"));
        assert!(taken);
        translate(&mut l, &q, reply);
        assert_eq!(l.k.nf_conntrack_confirm(l.ns, Hook::Postrouting, l.dev, &mut q), Verdict::Drop);
        let s = l.k.ns(l.ns).nf.ct.stats;
        assert_eq!((s.insert_failed, s.drop, s.clash_resolve), (1, 1, 0));
        l.check();
    }
}

#[test]
fn two_packets_of_one_flow_that_both_began_it() {
    let mut l = Lab::new();
    let (mut p, _) = l.enter(udp(1, 53), A, B, Zone::default());
    let (mut q, _) = l.enter(udp(1, 53), A, B, Zone::default());
    assert_eq!(l.k.nf_conntrack_confirm(l.ns, Hook::Postrouting, l.dev, &mut p), Verdict::Accept);
    assert_eq!(l.k.nf_conntrack_confirm(l.ns, Hook::Postrouting, l.dev, &mut q), Verdict::Accept);
    assert_eq!((q.nf.ct, q.nf.ctinfo), (p.nf.ct, CtInfo::New));
    assert_eq!(l.k.ns(l.ns).nf.ct.stats.clash_resolve, 1);
    l.check();
    // TCP does not allow it.
    let mut l = Lab::new();
    let syn = || tcp(true, "S", 1, 0, 0, 1000);
    let (mut p, _) = l.enter(syn(), A, B, Zone::default());
    let (mut q, _) = l.enter(syn(), A, B, Zone::default());
    assert_eq!(l.k.nf_conntrack_confirm(l.ns, Hook::Postrouting, l.dev, &mut p), Verdict::Accept);
    assert_eq!(l.k.nf_conntrack_confirm(l.ns, Hook::Postrouting, l.dev, &mut q), Verdict::Drop);
    l.check();
}

#[test]
fn only_changes_are_told_as_before_and_after() {
    let mut l = Lab::new();
    l.open();
    l.wait(SEC);
    l.seg(true, "A", 1001, 5001, 0);
    let told: Vec<(CtVerdict, bool)> =
        l.k.rec
            .events
            .iter()
            .filter_map(|e| match &e.kind {
                EventKind::Ct { verdict, before, .. } => Some((*verdict, before.is_some())),
                _ => None,
            })
            .collect();
    let found = |info, changed| (CtVerdict::Found(info), changed);
    assert_eq!(
        told,
        [
            (CtVerdict::Made, false),
            (CtVerdict::Confirmed, false),
            found(CtInfo::EstablishedReply, true),
            found(CtInfo::Established, true),
            found(CtInfo::Established, false),
        ]
    );
}

#[test]
fn a_listener_hears_of_it() {
    let mut l = Lab::new();
    // Of one from before nobody is told: it was made without the extension (`nf_conntrack_events` 2).
    l.pass(udp(9, 9), A, B);
    assert_eq!(l.k.ns_mut(l.ns).nf.ct.listen(), 0);
    l.pass(udp(1, 53), A, B);
    l.pass(udp(53, 1), B, A);
    l.pass(udp(1, 53), A, B);
    l.wait(31 * SEC);
    l.k.ct_expire(l.ns);
    let kinds: Vec<String> = l.k.ns(l.ns).nf.ct.events.iter().map(|e| format!("{:?}", e.kind)).collect();
    assert_eq!(kinds, ["New", "Update", "Destroy"]);
}

//! What holds of every walk, whatever the world: small random worlds, mistakes included, and probes in them.

mod world;

use std::collections::BTreeMap;

use packetwalk_sim::session::Session;
use packetwalk_sim::trace::event::Birth;
use packetwalk_sim::trace::{DropReason, Event, EventKind, Trace};
use packetwalk_sim::wire::{Packet, PacketId, encode};
use proptest::prelude::*;
use world::{World, pair, world};

/// The first place where two traces differ, as text; whole traces of a storm would fill the memory.
fn first_difference(a: &Session, b: &Session) -> Option<String> {
    let (a, b) = (&a.kernel.rec, &b.kernel.rec);
    for (x, y) in a.events.iter().zip(&b.events) {
        let (x, y) = (format!("{x:?}"), format!("{y:?}"));
        if x != y {
            return Some(format!("{x}\n{y}"));
        }
    }
    for (i, (x, y)) in a.snaps.iter().zip(&b.snaps).enumerate() {
        if encode::frame(x) != encode::frame(y) {
            return Some(format!("snapshot {i}: {x:?}\n{y:?}"));
        }
    }
    let rest = |t: &Trace| (t.events.len(), t.snaps.len(), t.births.clone());
    (rest(a) != rest(b)).then(|| "one trace goes on where the other ends".to_owned())
}

/// Everything that counts or remembers in a world; of its trace, how long it is.
fn state(s: &Session) -> String {
    let k = &s.kernel;
    let trace = (k.rec.events.len(), k.rec.snaps.len(), k.rec.births.len());
    format!("{trace:?} {:?} {:?} {:?} {:?} {:?} {:?}", k.queue, k.next_packet, k.receptions, k.netns, k.devs, k.socks)
}

/// Packets that wait for a neighbour: they have not ended yet. (A request that a proxy holds back has, when it was
/// read.)
fn waiting(s: &Session) -> Vec<PacketId> {
    let entries = s.kernel.netns.iter().flat_map(|n| n.neigh.entries.values());
    entries.flat_map(|n| &n.queue).map(|p| p.id).collect()
}

/// The events of one packet, to be read by a person.
fn story(s: &Session, id: PacketId) -> String {
    let t = &s.kernel.rec;
    let mut out = format!("{id:?} {:?}\n", t.birth(id));
    for e in t.events.iter().filter(|e| e.packet == id) {
        let dev = e.dev.map_or("-", |d| s.kernel.dev(d).name.as_str());
        out += &format!("  {} {} {dev} {:?}\n", e.at, s.kernel.ns(e.ns).label, e.kind);
        if e.kind.is_end() {
            out += &format!("    {:?}\n", t.packet_at(e));
        }
    }
    out
}

/// Every packet ends once, or waits.
fn ends_once(s: &Session) -> Result<(), String> {
    let mut ends = vec![0u32; s.kernel.next_packet as usize];
    for e in &s.kernel.rec.events {
        ends[e.packet.0 as usize] += u32::from(e.kind.is_end());
    }
    for id in waiting(s) {
        ends[id.0 as usize] += 1;
    }
    if ends[0] != 0 {
        return Err("an end without a packet".into());
    }
    match ends.iter().skip(1).position(|n| *n != 1) {
        Some(i) => Err(format!("{} ends: {}", ends[i + 1], story(s, PacketId(i as u32 + 1)))),
        None => Ok(()),
    }
}

/// No packet, with what it was copied or cut from, is forwarded more often than its first TTL allows.
fn ttl_bounds(s: &Session) -> Result<(), String> {
    let t = &s.kernel.rec;
    let mut first: BTreeMap<PacketId, u8> = BTreeMap::new();
    let mut hops: BTreeMap<PacketId, u32> = BTreeMap::new();
    for e in &t.events {
        if let Some(ip) = t.packet_at(e).and_then(Packet::ipv4) {
            first.entry(e.packet).or_insert(ip.ttl);
        }
        if matches!(e.kind, EventKind::Forward { .. }) {
            *hops.entry(e.packet).or_default() += 1;
        }
    }
    for id in hops.keys() {
        let (mut at, mut sum) = (*id, 0);
        loop {
            sum += hops.get(&at).copied().unwrap_or(0);
            match t.birth(at) {
                Some((Some(parent), Birth::Copy | Birth::Fragment)) => at = *parent,
                _ => break,
            }
        }
        let ttl = u32::from(first.get(&at).copied().unwrap_or(0));
        if sum >= ttl {
            return Err(format!("forwarded {sum} times with a TTL of {ttl}: {}", story(s, *id)));
        }
    }
    Ok(())
}

fn check(w: &World) -> Result<(), TestCaseError> {
    let (one, out_one) = w.play();
    let (two, out_two) = w.play();
    prop_assert_eq!(out_one, out_two);
    if let Some(d) = first_difference(&one, &two) {
        return Err(TestCaseError::fail(d));
    }
    drop(two);
    prop_assert_eq!(one.kernel.queue.frames_in_flight(), 0);
    ends_once(&one).map_err(TestCaseError::fail)?;
    ttl_bounds(&one).map_err(TestCaseError::fail)
}

fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn a_walk_is_the_same_twice_and_every_packet_ends_once(w in world(false)) {
        check(&w)?;
    }

    #[test]
    fn a_forked_world_is_independent(w in world(false)) {
        let mut s = w.build();
        w.set_up(&mut s);
        for i in 0..w.probes.len() {
            let before = state(&s);
            let mut copy = s.clone();
            let there = w.probe(&mut copy, i);
            prop_assert_eq!(&before, &state(&s));
            let here = w.probe(&mut s, i);
            prop_assert_eq!(there, here);
            prop_assert_eq!(first_difference(&s, &copy), None);
        }
    }
}

proptest! {
    // A loop of bridges sends until the bound of the step cuts it, and that is slow: few of them do.
    #![proptest_config(ProptestConfig { max_shrink_iters: 20, ..config(2) })]

    #[test]
    fn a_storm_is_cut_and_every_packet_ends_once(w in world(true)) {
        check(&w)?;
    }
}

#[test]
fn pieces_that_wait_in_vain_end_once() {
    // The first piece is too long for the second host's cable, the last one is not.
    let w = pair(Some(1400), "true", "ping -W 1 -s 1500 -M dont 10.0.0.2");
    let (s, _) = w.play();
    let late =
        |e: &&Event| matches!(e.kind, EventKind::Drop { reason, .. } if reason == DropReason::FRAG_REASM_TIMEOUT);
    assert_eq!(s.kernel.rec.events.iter().filter(late).count(), 1);
    assert_eq!(ends_once(&s), Ok(()));
}

#[test]
fn what_waits_for_a_deleted_neighbour_ends_once() {
    let line = "ping -c 1 -W 1 10.0.0.9 & sleep 0.1; ip neigh change 10.0.0.9 dev eth0 nud none; \
        ip neigh del 10.0.0.9 dev eth0";
    let (s, _) = pair(None, line, "ping -W 1 10.0.0.2").play();
    let purged = |e: &&Event| matches!(e.kind, EventKind::Drop { reason, .. } if reason == DropReason::QUEUE_PURGE);
    assert_eq!(s.kernel.rec.events.iter().filter(purged).count(), 1);
    assert_eq!(ends_once(&s), Ok(()));
}

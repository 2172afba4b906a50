//! Connection tracking as Linux 6.18 does it: packets are handed to the hooks one by one.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use packetwalk_sim::kernel::Kernel;
use packetwalk_sim::kernel::conntrack::{
    Conn, CtDir, CtInfo, CtRef, L4Id, ProtoState, Status, Tuple, Zone, nf_ct_invert, state_name, tuple_of,
};
use packetwalk_sim::kernel::netfilter::{Hook, Verdict};
use packetwalk_sim::kernel::types::{DevId, MSEC, NetnsId, SEC};
use packetwalk_sim::trace::event::CtVerdict;
use packetwalk_sim::trace::{EventKind, Trace};
use packetwalk_sim::wire::packet::{TcpFlags, TcpOpts};
use packetwalk_sim::wire::{Body, Icmp, Ipv4, L4, MacAddr, Packet, PacketId, Tcp, Udp, encode};
use proptest::prelude::*;

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// A namespace whose hooks are called by hand.
struct Lab {
    k: Kernel<Trace>,
    ns: NetnsId,
    dev: DevId,
}

impl Lab {
    fn new() -> Lab {
        let mut k = Kernel::new(1, Trace::default());
        let host = k.add_host("h");
        let ns = k.host(host).root_ns;
        let dev = k.dev_by_name(ns, "lo").expect("lo");
        Lab { k, ns, dev }
    }

    fn set(&mut self, name: &str, value: &str) {
        let r = self.k.sysctl_set(self.ns, &format!("net.netfilter.nf_conntrack_{name}"), value);
        assert_eq!(r, Ok(()), "{name}");
    }

    fn wait(&mut self, t: u64) {
        self.k.queue.now += t;
    }

    /// Through tracking only, as a packet that a rule drops afterwards.
    fn enter(&mut self, l4: L4, from: Ipv4Addr, to: Ipv4Addr, zone: Zone) -> (Packet, Verdict) {
        let ip = Ipv4 {
            tos: 0,
            id: 1,
            df: true,
            mf: false,
            frag_off: 0,
            ttl: 64,
            src: from,
            dst: to,
            gso_size: 0,
            options: Bytes::new(),
            l4,
        };
        let mut p = Packet {
            id: PacketId(1),
            snap: 0,
            dst: MacAddr([0; 6]),
            src: MacAddr([0; 6]),
            mark: 0,
            iif: 0,
            nf: Default::default(),
            body: Body::Ipv4(Arc::new(ip)),
        };
        p.nf.zone = zone;
        let v = self.k.nf_conntrack_in(self.ns, Hook::Prerouting, self.dev, &mut p);
        (p, v)
    }

    /// All the way through; what the packet is to its connection, `None` for INVALID.
    fn pass_in(&mut self, l4: L4, from: Ipv4Addr, to: Ipv4Addr, zone: Zone) -> CtInfo {
        let (mut p, v) = self.enter(l4, from, to, zone);
        assert_eq!(v, Verdict::Accept);
        assert_eq!(self.k.nf_conntrack_confirm(self.ns, Hook::Postrouting, self.dev, &mut p), Verdict::Accept);
        p.nf.ctinfo
    }

    fn pass(&mut self, l4: L4, from: Ipv4Addr, to: Ipv4Addr) -> CtInfo {
        self.pass_in(l4, from, to, Zone::default())
    }

    fn conns(&self) -> Vec<Conn> {
        self.k.ns(self.ns).nf.ct.iter(self.k.now()).map(|(_, c)| c.clone()).collect()
    }

    fn only(&self) -> Conn {
        let mut all = self.conns();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// State and seconds left of the one TCP connection.
    fn tcp(&self) -> (&'static str, u64) {
        let c = self.only();
        let ProtoState::Tcp(t) = c.proto else { panic!("no TCP") };
        (state_name(t.state), c.left(self.k.now()) / SEC)
    }

    fn last_verdict(&self) -> CtVerdict {
        let last = self.k.rec.events.iter().rev().find_map(|e| match &e.kind {
            EventKind::Ct { verdict, .. } => Some(*verdict),
            _ => None,
        });
        last.expect("a verdict")
    }

    /// A segment from the client (`true`) or the server.
    fn seg(&mut self, client: bool, flags: &str, seq: u32, ack: u32, len: usize) -> CtInfo {
        let (from, to) = if client { (A, B) } else { (B, A) };
        self.pass(tcp(client, flags, seq, ack, len, 64_240), from, to)
    }

    /// SYN, SYN-ACK, ACK: the client's data begins at 1001, the server's at 5001.
    fn open(&mut self) {
        self.seg(true, "S", 1000, 0, 0);
        self.seg(false, "SA", 5000, 1001, 0);
        self.seg(true, "A", 1001, 5001, 0);
    }

    fn check(&self) {
        let t = &self.k.ns(self.ns).nf.ct;
        let now = self.k.now();
        let mut in_table = 0;
        for (slot, (generation, c)) in (0u32..).zip(&t.slots) {
            let Some(c) = c else { continue };
            let r = CtRef { slot, generation: *generation };
            if !c.in_table() {
                assert!(t.hash.values().all(|h| h.0 != r), "a connection outside the table is found");
                continue;
            }
            in_table += 1;
            if c.is_expired(now) {
                assert_eq!(t.find(&c.tuples[0], c.zone, now), None);
                continue;
            }
            for dir in [CtDir::Original, CtDir::Reply] {
                if c.tuples[0] != c.tuples[1] {
                    assert_eq!(t.find(&c.tuples[dir as usize], c.zone, now), Some((r, dir)));
                }
            }
        }
        assert_eq!(t.count, in_table);
        assert_eq!(t.live(now) as usize, t.iter(now).count());
        for (ct, _) in t.hash.values() {
            assert!(t.get(*ct).is_some_and(Conn::in_table), "the hash refers to what is gone");
        }
    }
}

fn flags(s: &str) -> TcpFlags {
    s.chars().fold(TcpFlags::empty(), |f, c| {
        f | match c {
            'S' => TcpFlags::SYN,
            'A' => TcpFlags::ACK,
            'F' => TcpFlags::FIN,
            'R' => TcpFlags::RST,
            'P' => TcpFlags::PSH,
            _ => TcpFlags::URG,
        }
    })
}

fn tcp(client: bool, f: &str, seq: u32, ack: u32, len: usize, window: u16) -> L4 {
    let (sport, dport) = if client { (40_000, 80) } else { (80, 40_000) };
    let syn = f.contains('S');
    let opts = TcpOpts { sack_perm: syn, wscale: syn.then_some(7), ..TcpOpts::default() };
    L4::Tcp(Tcp { sport, dport, seq, ack, flags: flags(f), window, opts, payload: Bytes::from(vec![0; len]) })
}

fn udp(sport: u16, dport: u16) -> L4 {
    L4::Udp(Udp { sport, dport, payload: Bytes::from_static(b"x") })
}

fn icmp(ty: u8, code: u8, rest: u32, payload: Bytes) -> L4 {
    L4::Icmp(Icmp { ty, code, rest, payload })
}

#[test]
fn a_handshake_and_a_close() {
    let mut l = Lab::new();
    assert_eq!(l.seg(true, "S", 1000, 0, 0), CtInfo::New);
    assert_eq!(l.tcp(), ("SYN_SENT", 120));
    assert_eq!(l.seg(false, "SA", 5000, 1001, 0), CtInfo::EstablishedReply);
    assert_eq!(l.tcp(), ("SYN_RECV", 60));
    assert_eq!(l.seg(true, "A", 1001, 5001, 0), CtInfo::Established);
    assert_eq!(l.tcp(), ("ESTABLISHED", 432_000));
    assert!(l.only().status.contains(Status::ASSURED | Status::SEEN_REPLY | Status::CONFIRMED));
    // Data that waits for its acknowledgment.
    l.seg(true, "PA", 1001, 5001, 100);
    assert_eq!(l.tcp(), ("ESTABLISHED", 300));
    l.seg(false, "A", 5001, 1101, 0);
    assert_eq!(l.tcp(), ("ESTABLISHED", 432_000));
    l.seg(true, "FA", 1101, 5001, 0);
    assert_eq!(l.tcp(), ("FIN_WAIT", 120));
    l.seg(false, "A", 5001, 1102, 0);
    assert_eq!(l.tcp(), ("CLOSE_WAIT", 60));
    l.seg(false, "FA", 5001, 1102, 0);
    assert_eq!(l.tcp(), ("LAST_ACK", 30));
    l.seg(true, "A", 1102, 5002, 0);
    assert_eq!(l.tcp(), ("TIME_WAIT", 120));
    l.check();
}

//! A namespace whose hooks are called by hand, and packets for it.

use bytes::Bytes;
use packetwalk_sim::kernel::Kernel;
use packetwalk_sim::kernel::conntrack::{Conn, CtDir, CtInfo, CtRef, ProtoState, Zone, state_name};
use packetwalk_sim::kernel::netfilter::{Hook, Verdict};
use packetwalk_sim::kernel::types::{DevId, NetnsId, SEC};
use packetwalk_sim::trace::event::CtVerdict;
use packetwalk_sim::trace::{EventKind, Trace};
use packetwalk_sim::wire::packet::{TcpFlags, TcpOpts};
use packetwalk_sim::wire::{Body, Icmp, Ipv4, L4, MacAddr, Packet, PacketId, Tcp, Udp, encode};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// A namespace whose hooks are called by hand.
pub struct Lab {
    pub k: Kernel<Trace>,
    pub ns: NetnsId,
    pub dev: DevId,
}

impl Lab {
    pub fn new() -> Lab {
        let mut k = Kernel::new(1, Trace::default());
        let host = k.add_host("h");
        let ns = k.host(host).root_ns;
        let dev = k.dev_by_name(ns, "lo").expect("lo");
        Lab { k, ns, dev }
    }

    pub fn set(&mut self, name: &str, value: &str) {
        let r = self.k.sysctl_set(self.ns, &format!("net.netfilter.nf_conntrack_{name}"), value);
        assert_eq!(r, Ok(()), "{name}");
    }

    pub fn wait(&mut self, t: u64) {
        self.k.queue.now += t;
    }

    /// Through tracking only, as a packet that a rule drops afterwards.
    pub fn enter(&mut self, l4: L4, from: Ipv4Addr, to: Ipv4Addr, zone: Zone) -> (Packet, Verdict) {
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
        let mut p = Packet::new(PacketId(1), MacAddr([0; 6]), MacAddr([0; 6]), Body::Ipv4(Arc::new(ip)));
        p.nf.zone = zone;
        let v = self.k.nf_conntrack_in(self.ns, Hook::Prerouting, self.dev, &mut p);
        (p, v)
    }

    /// All the way through; what the packet is to its connection, `None` for INVALID.
    pub fn pass_in(&mut self, l4: L4, from: Ipv4Addr, to: Ipv4Addr, zone: Zone) -> CtInfo {
        let (mut p, v) = self.enter(l4, from, to, zone);
        assert_eq!(v, Verdict::Accept);
        assert_eq!(self.k.nf_conntrack_confirm(self.ns, Hook::Postrouting, self.dev, &mut p), Verdict::Accept);
        p.nf.ctinfo
    }

    pub fn pass(&mut self, l4: L4, from: Ipv4Addr, to: Ipv4Addr) -> CtInfo {
        self.pass_in(l4, from, to, Zone::default())
    }

    pub fn conns(&self) -> Vec<Conn> {
        self.k.ns(self.ns).nf.ct.iter(self.k.now()).map(|(_, c)| c.clone()).collect()
    }

    pub fn only(&self) -> Conn {
        let mut all = self.conns();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// State and seconds left of the one TCP connection.
    pub fn tcp(&self) -> (&'static str, u64) {
        let c = self.only();
        let ProtoState::Tcp(t) = c.proto else { panic!("no TCP") };
        (state_name(t.state), c.left(self.k.now()) / SEC)
    }

    pub fn last_verdict(&self) -> CtVerdict {
        let last = self.k.rec.events.iter().rev().find_map(|e| match &e.kind {
            EventKind::Ct { verdict, .. } => Some(*verdict),
            _ => None,
        });
        last.expect("a verdict")
    }

    /// A segment from the client (`true`) or the server.
    pub fn seg(&mut self, client: bool, flags: &str, seq: u32, ack: u32, len: usize) -> CtInfo {
        let (from, to) = if client { (A, B) } else { (B, A) };
        self.pass(tcp(client, flags, seq, ack, len, 64_240), from, to)
    }

    /// SYN, SYN-ACK, ACK: the client's data begins at 1001, the server's at 5001.
    pub fn open(&mut self) {
        self.seg(true, "S", 1000, 0, 0);
        self.seg(false, "SA", 5000, 1001, 0);
        self.seg(true, "A", 1001, 5001, 0);
    }

    pub fn check(&self) {
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

pub fn flags(s: &str) -> TcpFlags {
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

pub fn tcp(client: bool, f: &str, seq: u32, ack: u32, len: usize, window: u16) -> L4 {
    let (sport, dport) = if client { (40_000, 80) } else { (80, 40_000) };
    let syn = f.contains('S');
    let opts = TcpOpts { sack_perm: syn, wscale: syn.then_some(7), ..TcpOpts::default() };
    L4::Tcp(Tcp { sport, dport, seq, ack, flags: flags(f), window, opts, payload: Bytes::from(vec![0; len]) })
}

pub fn udp(sport: u16, dport: u16) -> L4 {
    L4::Udp(Udp { sport, dport, payload: Bytes::from_static(b"x") })
}

pub fn icmp(ty: u8, code: u8, rest: u32, payload: Bytes) -> L4 {
    L4::Icmp(Icmp { ty, code, rest, payload })
}

/// The packet as an ICMP error quotes it: the header and eight bytes.
pub fn quote(l4: L4, from: Ipv4Addr, to: Ipv4Addr) -> Bytes {
    let mut l = Lab::new();
    let (p, _) = l.enter(l4, from, to, Zone::default());
    Bytes::from(encode::frame(&p)).slice(14..14 + 28)
}

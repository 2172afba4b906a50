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
            rehash: 0,
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

/// What Linux 6.18 made of random segments: one line per sequence, one step per segment: side, flags, seq, ack, length
/// of data, window, scale, SACK permitted; then the state for `-m conntrack` (I, N, E, R) and the entries.
#[test]
fn random_segments_as_measured_on_linux() {
    let text = include_str!("conntrack_tcp.txt");
    let mut setting = "";
    let (mut steps, mut bad) = (0, Vec::new());
    for (number, line) in text.lines().enumerate() {
        if let Some(s) = line.strip_prefix('#') {
            setting = s;
            continue;
        }
        let mut l = Lab::new();
        if let Some((name, value)) = setting.split_once('=') {
            l.set(name, value);
        }
        for (i, step) in line.split("; ").enumerate() {
            steps += 1;
            let got = measured_step(&mut l, step);
            l.check();
            if let Err(e) = got {
                bad.push(format!("line {} step {}: {step}\n    {e}", number + 1, i + 1));
                break;
            }
        }
    }
    assert!(steps > 500);
    assert!(bad.is_empty(), "{} sequences differ\n{}", bad.len(), bad[..bad.len().min(8)].join("\n"));
}

fn measured_step(l: &mut Lab, step: &str) -> Result<(), String> {
    let w: Vec<&str> = step.split(' ').collect();
    let n = |i: usize| w[i].parse::<i64>().expect("a number");
    let client = w[0] == "c";
    let (from, to) = if client { (A, B) } else { (B, A) };
    let mut l4 = tcp(client, w[1], n(2) as u32, n(3) as u32, n(4) as usize, n(5) as u16);
    if let L4::Tcp(t) = &mut l4 {
        t.opts = TcpOpts { sack_perm: n(7) == 1, wscale: u8::try_from(n(6)).ok(), ..TcpOpts::default() };
    }
    let info = match l.pass(l4, from, to) {
        CtInfo::New => "N",
        CtInfo::None => "I",
        CtInfo::Established | CtInfo::EstablishedReply => "E",
        _ => "R",
    };
    if info != w[8] {
        return Err(format!("the packet is {info}, {:?}", l.last_verdict()));
    }
    let now = l.k.now();
    let have = l.conns();
    let want: Vec<&str> = if w[9] == "-" { Vec::new() } else { w[9].split('+').collect() };
    let mut have: Vec<(String, u64, String)> = have
        .iter()
        .map(|c| {
            let ProtoState::Tcp(t) = c.proto else { panic!("no TCP") };
            let mut f = if c.tuples[0].src == A { "c" } else { "s" }.to_owned();
            f += if c.status.contains(Status::SEEN_REPLY) { "" } else { "U" };
            f += if c.status.contains(Status::ASSURED) { "A" } else { "" };
            (state_name(t.state).to_owned(), c.left(now) / SEC, f)
        })
        .collect();
    have.sort();
    // Linux took a moment, and rounds down.
    let same = want.len() == have.len()
        && want.iter().zip(&have).all(|(w, h)| {
            let w: Vec<&str> = w.split(',').collect();
            w[0] == h.0 && w[2] == h.2 && w[1].parse::<u64>().is_ok_and(|s| h.1 == s || h.1 == s + 1)
        });
    if same { Ok(()) } else { Err(format!("the table holds {have:?}")) }
}

#[test]
fn close_orders() {
    // The server first.
    let mut l = Lab::new();
    l.open();
    l.seg(false, "FA", 5001, 1001, 0);
    l.seg(true, "A", 1001, 5002, 0);
    assert_eq!(l.tcp(), ("CLOSE_WAIT", 60));
    l.seg(true, "FA", 1001, 5002, 0);
    assert_eq!(l.tcp(), ("LAST_ACK", 30));
    l.seg(false, "A", 5002, 1002, 0);
    assert_eq!(l.tcp(), ("TIME_WAIT", 120));
    // A new SYN begins another connection in its place.
    assert_eq!(l.seg(true, "S", 90_000, 0, 0), CtInfo::New);
    assert_eq!(l.tcp(), ("SYN_SENT", 120));
    l.check();
    // Both at once.
    let mut l = Lab::new();
    l.open();
    l.seg(true, "FA", 1001, 5001, 0);
    l.seg(false, "FA", 5001, 1001, 0);
    assert_eq!(l.tcp(), ("LAST_ACK", 30));
    l.seg(true, "A", 1002, 5002, 0);
    assert_eq!(l.tcp(), ("TIME_WAIT", 120));
}

#[test]
fn resets() {
    // As the only answer it ends the entry, and belongs to it all the same.
    let mut l = Lab::new();
    l.seg(true, "S", 1000, 0, 0);
    let (p, _) = l.enter(tcp(false, "RA", 0, 1001, 0, 0), B, A, Zone::default());
    assert_eq!(p.nf.ctinfo, CtInfo::EstablishedReply);
    let ct = p.nf.ct.expect("a connection");
    assert!(l.k.ns(l.ns).nf.ct.get(ct).is_some(), "NAT still needs it for this packet");
    assert_eq!(l.conns(), []);
    l.check();
    // In an open connection the number must be the one that is due.
    let mut l = Lab::new();
    l.open();
    assert_eq!(l.seg(false, "R", 4000, 0, 0), CtInfo::None);
    assert_eq!(l.last_verdict(), CtVerdict::Invalid("invalid rst"));
    assert_eq!(l.tcp().0, "ESTABLISHED");
    l.set("tcp_ignore_invalid_rst", "1");
    assert_eq!(l.seg(false, "R", 5101, 0, 0), CtInfo::EstablishedReply);
    assert_eq!(l.tcp(), ("ESTABLISHED", 10), "a challenge ACK may follow");
    l.seg(false, "R", 5001, 0, 0);
    assert_eq!(l.tcp(), ("CLOSE", 10));
}

#[test]
fn simultaneous_open() {
    let mut l = Lab::new();
    l.seg(true, "S", 1000, 0, 0);
    assert_eq!(l.seg(false, "S", 5000, 0, 0), CtInfo::EstablishedReply);
    assert_eq!(l.tcp(), ("SYN_SENT2", 120));
    l.seg(true, "SA", 1000, 5001, 0);
    assert_eq!(l.tcp(), ("SYN_RECV", 60));
}

#[test]
fn a_connection_is_picked_up_in_the_middle_or_not() {
    let mut l = Lab::new();
    assert_eq!(l.seg(true, "PA", 1001, 5001, 10), CtInfo::New);
    assert_eq!(l.tcp(), ("ESTABLISHED", 300));
    assert_eq!(l.seg(false, "A", 5001, 1011, 0), CtInfo::EstablishedReply);
    assert_eq!(l.seg(true, "A", 1011, 5001, 0), CtInfo::Established);
    assert_eq!(l.tcp(), ("ESTABLISHED", 432_000));
    let mut l = Lab::new();
    l.set("tcp_loose", "0");
    assert_eq!(l.seg(true, "PA", 1001, 5001, 10), CtInfo::None);
    assert_eq!(l.conns(), []);
    assert_eq!(l.k.ns(l.ns).nf.ct.stats.invalid, 1);
    // Nothing else begins one.
    for f in ["SA", "R", "RA", "FA", "F", "", "SF"] {
        assert_eq!(Lab::new().seg(true, f, 1, 1, 0), CtInfo::None, "{f}");
    }
}

#[test]
fn out_of_the_window() {
    let mut l = Lab::new();
    l.open();
    let over = CtVerdict::Invalid("SEQ is over upper bound (over the window of the receiver)");
    assert_eq!(l.seg(true, "PA", 30_000_000, 5001, 10), CtInfo::None);
    assert_eq!(l.last_verdict(), over);
    assert_eq!(l.seg(true, "A", 1001, 900_000, 0), CtInfo::None);
    assert_eq!(l.last_verdict(), CtVerdict::Invalid("ACK is over upper bound (ACKed data not seen yet)"));
    l.set("tcp_be_liberal", "1");
    assert_eq!(l.seg(true, "PA", 30_000_000, 5001, 10), CtInfo::Established);
}

#[test]
fn the_same_ack_over_and_over_shortens_the_timeout() {
    let mut l = Lab::new();
    l.open();
    for _ in 0..4 {
        l.seg(false, "A", 5001, 1001, 0);
    }
    assert_eq!(l.tcp(), ("ESTABLISHED", 300));
}

#[test]
fn a_repeated_syn_does_not_live_longer() {
    let mut l = Lab::new();
    l.seg(true, "S", 1000, 0, 0);
    l.wait(50 * SEC);
    l.seg(true, "S", 1000, 0, 0);
    assert_eq!(l.tcp(), ("SYN_SENT", 70));
}

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

/// The packet as an ICMP error quotes it: the header and eight bytes.
fn quote(l4: L4, from: Ipv4Addr, to: Ipv4Addr) -> Bytes {
    let mut l = Lab::new();
    let (p, _) = l.enter(l4, from, to, Zone::default());
    Bytes::from(encode::frame(&p)).slice(14..14 + 28)
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
                    opts: TcpOpts { wscale: Some(flags), sack: Some((seq, ack)), ..TcpOpts::default() },
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

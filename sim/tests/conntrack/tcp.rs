//! TCP: the state machine, and the window as measured on Linux 6.18.

use crate::lab::{A, B, Lab, tcp};
use packetwalk_sim::kernel::conntrack::{CtInfo, ProtoState, Status, Zone, state_name};
use packetwalk_sim::kernel::types::SEC;
use packetwalk_sim::trace::event::CtVerdict;
use packetwalk_sim::wire::L4;
use packetwalk_sim::wire::packet::TcpOpts;

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
    let text = include_str!("tcp.txt");
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

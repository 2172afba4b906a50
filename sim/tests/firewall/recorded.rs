//! A kernel without a session, for any recorder.

use std::sync::Arc;

use packetwalk_sim::command::iptables::{parse_rule, save};
use packetwalk_sim::kernel::Kernel;
use packetwalk_sim::kernel::netfilter::{Hook, Verdict};
use packetwalk_sim::kernel::types::HostId;
use packetwalk_sim::kernel::xtables::{Counters, Policy, TableKind, Variant, XtChange};
use packetwalk_sim::op::{LinkChange, LinkSpec, NewLink, Op};
use packetwalk_sim::trace::Recorder;
use packetwalk_sim::wire::packet::{Body, Icmp, L4, Tcp, TcpFlags, TcpOpts, Udp};
use packetwalk_sim::wire::{Ipv4, MacAddr, Packet, PacketId};

use super::naive::words;

/// A packet by what rules ask of it: last bytes of its addresses, protocol, port, TTL.
pub type Draft = (u8, u8, u8, u16, u8);

fn packet(n: usize, (src, dst, proto, port, ttl): Draft) -> Packet {
    let (sport, payload) = (40_000 + n as u16, bytes());
    let l4 = match proto % 3 {
        0 => L4::Udp(Udp { sport, dport: port, payload }),
        1 => L4::Icmp(Icmp { ty: 8, code: 0, rest: (n as u32) << 16, payload }),
        _ => {
            let (flags, opts) = (TcpFlags::SYN, TcpOpts::default());
            L4::Tcp(Tcp {
                sport,
                dport: port,
                seq: 1,
                ack: 0,
                flags,
                window: 64_240,
                opts,
                payload: Default::default(),
            })
        }
    };
    let ip = Ipv4 {
        tos: 0,
        id: 0,
        df: true,
        mf: false,
        frag_off: 0,
        ttl,
        src: [10, 0, 1, src].into(),
        dst: [10, 0, 2, dst].into(),
        gso_size: 0,
        options: Default::default(),
        l4,
    };
    let body = Body::Ipv4(Arc::new(ip));
    let id = PacketId(n as u32 + 1);
    Packet::new(id, MacAddr::ZERO, MacAddr::ZERO, body)
}

fn bytes() -> bytes::Bytes {
    bytes::Bytes::from_static(b"PROBE\n")
}

/// The changes that a dump asks for.
fn changes(variant: Variant, dump: &str) -> Vec<XtChange> {
    let (mut out, mut rules) = (Vec::new(), Vec::new());
    let mut table = TableKind::Filter;
    for line in dump.lines() {
        let w = words(line.trim_start_matches([':', '*']));
        let name = w.first().map_or("", String::as_str);
        if line.starts_with('*') {
            table = TableKind::by_name(name).expect("a table");
            out.push(XtChange::Use { table });
        } else if line.starts_with(':') {
            let chain = name.into();
            let policy = if w[1] == "DROP" { Policy::Drop } else { Policy::Accept };
            out.push(match w[1].as_str() {
                "-" => XtChange::NewChain { table, chain },
                _ => XtChange::Policy { table, chain, policy, counters: None },
            });
        } else if line.starts_with("-A") {
            for rule in parse_rule(variant, &w[2..]).expect("a rule") {
                rules.push(XtChange::Append {
                    table,
                    chain: w[1].as_str().into(),
                    rule,
                    counters: Counters::default(),
                });
            }
        }
    }
    out.extend(rules);
    out
}

/// Shows packets to FORWARD: who passed, and the counters afterwards.
pub fn run<R: Recorder>(rec: R, variant: Variant, dump: &str, packets: &[Draft]) -> (Vec<bool>, String) {
    let mut k = Kernel::new(1, rec);
    let ns = k.new_netns(HostId(0), "h".into());
    // A peer cannot be up from the start: it would be brought up before it has its own peer.
    let spec = |name: &str, up: bool| LinkSpec { up, ..LinkSpec::named(ns, name) };
    let kind = NewLink::Veth { peer: spec("wan1", false) };
    k.apply(&Op::LinkAdd { spec: spec("eth0", true), kind }).expect("two devices");
    let [iif, oif] = ["eth0", "wan1"].map(|d| k.dev_by_name(ns, d).expect("a device"));
    k.apply(&Op::LinkSet { dev: oif, changes: vec![LinkChange::Up(true)] }).expect("it comes up");
    k.xt_commit(ns, variant, &changes(variant, dump)).expect("the rules are valid");
    let mut passed = Vec::new();
    for (n, draft) in packets.iter().enumerate() {
        let mut p = packet(n, *draft);
        let tracked = k.nf_conntrack_in(ns, Hook::Prerouting, iif, &mut p) == Verdict::Accept;
        let through = tracked && k.forward_hook(iif, oif, &mut p);
        passed.push(through && k.nf_conntrack_confirm(ns, Hook::Postrouting, oif, &mut p) == Verdict::Accept);
    }
    (passed, save(k.ns(ns).nf.xt.of(variant), variant, true, None))
}

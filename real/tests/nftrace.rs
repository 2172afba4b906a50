//! The nftables trace names chain, rule number and verdict for every hook that a packet passes.

mod common;

use std::net::UdpSocket;
use std::time::Duration;

use common::{Place, in_netns, sh};
use packetwalk_real::watch::nftrace::{By, Family, Hook, L4, Passage, Tracer, Verdict};

/// `hook table: chain/number verdict, …`, one line per passage.
fn text(all: &[Passage]) -> Vec<String> {
    let step = |s: &packetwalk_real::watch::nftrace::Step| {
        let by = match s.by {
            By::Rule { number, .. } => number.map_or("?".to_owned(), |n| n.to_string()),
            By::End => "end".to_owned(),
            By::Policy => "policy".to_owned(),
        };
        let verdict = match &s.verdict {
            Verdict::Jump(c) => format!("jump {c}"),
            v => format!("{v:?}").to_lowercase(),
        };
        format!("{}/{by} {verdict}", s.chain)
    };
    let line = |p: &Passage| {
        let steps: Vec<String> = p.steps.iter().map(step).collect();
        format!("{} {}: {}", p.hook.as_str(), p.table, steps.join(", "))
    };
    all.iter().map(line).collect()
}

fn send(to: &str, n: usize) {
    let s = UdpSocket::bind("0.0.0.0:0").unwrap();
    for _ in 0..n {
        let _ = s.send_to(b"hello", to);
    }
}

/// Two namespaces and a wire; this thread has 10.0.0.1, the other 10.0.0.2.
fn pair() -> Place {
    let far = Place::new();
    sh(&format!(
        "ip link set lo up; ip link add v0 type veth peer name eth0 netns {}; ip link set v0 up
         ip addr add 10.0.0.1/24 dev v0",
        far.tid
    ));
    far.sh("ip link set eth0 up; ip addr add 10.0.0.2/24 dev eth0; ip route add default via 10.0.0.1");
    far
}

#[test]
fn chains_rules_and_policies() {
    in_netns(|| {
        let far = pair();
        sh("iptables -N EXTRA; iptables -A INPUT -p tcp -j DROP; iptables -A INPUT -p udp -j EXTRA
            iptables -A EXTRA -p udp --dport 1 -j DROP; iptables -A EXTRA -p udp --dport 9 -j RETURN
            iptables -A EXTRA -p udp --dport 7 -j MARK --set-mark 5; iptables -P INPUT DROP
            iptables -t nat -A PREROUTING -p udp --dport 8 -j DNAT --to 10.0.0.1:7
            iptables -t raw -A PREROUTING -p udp --dport 11 -j DROP");
        let mut t = Tracer::start().unwrap();
        far.run(|| send("10.0.0.1:8", 1));
        let seen = t.drain().unwrap();
        assert_eq!(
            text(&seen),
            [
                "PREROUTING raw: PREROUTING/policy accept",
                "PREROUTING nat: PREROUTING/1 accept",
                "INPUT filter: INPUT/2 jump EXTRA, EXTRA/3 continue, EXTRA/end continue, INPUT/policy drop"
            ]
        );
        let (before, after) = (seen[0].key.clone().unwrap(), seen[2].key.clone().unwrap());
        assert_eq!((before.src.to_string(), before.dst.to_string()), ("10.0.0.2".to_owned(), "10.0.0.1".to_owned()));
        assert!(matches!(before.l4, L4::Ports { dst: 8, .. }) && matches!(after.l4, L4::Ports { dst: 7, .. }));
        assert_eq!(before.ip_id, after.ip_id);
        assert!(seen.iter().all(|p| p.whole && p.family == Family::Ip && p.iif.is_some()));

        far.run(|| send("10.0.0.1:9", 1));
        far.run(|| send("10.0.0.1:11", 1));
        assert_eq!(
            text(&t.drain().unwrap()),
            [
                "PREROUTING raw: PREROUTING/policy accept",
                "PREROUTING nat: PREROUTING/policy accept",
                "INPUT filter: INPUT/2 jump EXTRA, EXTRA/2 return, INPUT/policy drop",
                "PREROUTING raw: PREROUTING/1 drop"
            ]
        );
        // A rule before it: the same rule has another number now.
        sh("iptables -I EXTRA -p icmp -j DROP");
        far.run(|| send("10.0.0.1:9", 1));
        let seen = text(&t.drain().unwrap());
        assert_eq!(seen.last().unwrap(), "INPUT filter: INPUT/2 jump EXTRA, EXTRA/3 return, INPUT/policy drop");
        assert_eq!(t.lost(), 0);
    });
}

#[test]
fn forwarded_and_bridged_packets() {
    in_netns(|| {
        let far = pair();
        let third = Place::new();
        sh(&format!(
            "ip link add br0 type bridge mcast_snooping 0; ip link set br0 up; ip addr flush dev v0
             ip addr add 10.0.0.1/24 dev br0; ip link set v0 master br0
             ip link add v1 type veth peer name eth0 netns {}; ip link set v1 master br0; ip link set v1 up
             echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
             iptables -A FORWARD -m physdev --physdev-in v0 -j ACCEPT; iptables -P FORWARD DROP
             ebtables -A FORWARD -p IPv4 -j CONTINUE; ebtables -A FORWARD -p IPv4 --ip-proto udp -j ACCEPT",
            third.tid
        ));
        third.sh("ip link set eth0 up; ip addr add 10.0.0.3/24 dev eth0");
        let mut t = Tracer::start().unwrap();
        far.run(|| send("10.0.0.3:9", 1));
        let seen = t.drain().unwrap();
        let ip: Vec<Passage> = seen.iter().filter(|p| p.family == Family::Ip).take(1).cloned().collect();
        assert_eq!(text(&ip), ["FORWARD filter: FORWARD/1 accept"]);
        let bridge = seen.iter().filter(|p| p.family == Family::Bridge && p.key.is_some()).take(1).cloned();
        let bridge: Vec<Passage> = bridge.collect();
        assert_eq!(text(&bridge), ["FORWARD filter: FORWARD/1 continue, FORWARD/2 accept"]);
        assert_eq!(bridge[0].hook, Hook::Forward);
    });
}

#[test]
fn it_is_invisible_and_can_be_stopped() {
    in_netns(|| {
        sh("iptables -A INPUT -j ACCEPT; ebtables -A INPUT -j ACCEPT");
        let before = sh("iptables-save -c | grep -v '^#'; ebtables-save | grep -v '^#'; iptables -L; ebtables -L");
        let all = sh("nft list tables");
        let t = Tracer::start().unwrap();
        assert_ne!(sh("nft list tables"), all);
        let after = sh("iptables-save -c | grep -v '^#'; ebtables-save | grep -v '^#'; iptables -L; ebtables -L");
        assert_eq!(before, after);
        sh("iptables -F; ebtables -F; iptables -X");
        t.stop();
        assert_eq!(sh("nft list tables"), all);
    });
}

#[test]
fn a_flushed_ruleset_is_noticed() {
    in_netns(|| {
        let far = pair();
        let mut t = Tracer::start().unwrap();
        sh("nft flush ruleset; iptables -A INPUT -p udp -j ACCEPT");
        assert_eq!((t.drain().unwrap().len(), t.lost()), (0, 1));
        far.run(|| send("10.0.0.1:9", 1));
        assert_eq!(text(&t.drain().unwrap()), ["INPUT filter: INPUT/1 accept"]);
        assert_eq!(t.lost(), 1);
    });
}

/// What a packet costs with and without, and how many the receive buffer holds.
#[test]
fn cost_and_losses() {
    in_netns(|| {
        let far = pair();
        sh("iptables -A INPUT -p udp --dport 9 -j ACCEPT; iptables -t nat -A PREROUTING -p tcp -j ACCEPT");
        let sink = UdpSocket::bind("10.0.0.1:9").unwrap();
        sink.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let timed = |far: &Place, n: usize| {
            let begin = std::time::Instant::now();
            far.run(move || send("10.0.0.1:9", n));
            begin.elapsed().as_nanos() as usize / n
        };
        timed(&far, 100);
        let without = timed(&far, 2000);
        let mut t = Tracer::start().unwrap();
        let with = timed(&far, 2000);
        let got = t.drain().unwrap().len();
        eprintln!("{without} ns per packet without, {with} ns with tracing; {got} passages of 2000 packets");
        assert!(got >= 2000, "{got}");
        assert_eq!(t.lost(), 0);
        timed(&far, 200_000);
        let got = t.drain().unwrap().len();
        eprintln!("200000 packets without reading: {got} passages, lost {}", t.lost());
        assert_eq!(t.lost(), 1, "a loss is noticed");
    });
}

/// A hunt starts and ends a tracer in seven namespaces ten times a second.
#[test]
fn starting_and_ending() {
    in_netns(|| {
        sh("iptables -A INPUT -j ACCEPT");
        let (mut up, mut down) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..20 {
            let begin = std::time::Instant::now();
            let t = Tracer::start().unwrap();
            up += begin.elapsed();
            std::thread::sleep(Duration::from_millis(50));
            let begin = std::time::Instant::now();
            drop(t);
            down += begin.elapsed();
        }
        eprintln!("start {} µs, end {} µs", up.as_micros() / 20, down.as_micros() / 20);
        assert!(down < Duration::from_millis(20 * 20), "{down:?}");
    });
}

//! The signatures of single failures: reason and function of the drop, as measured on Linux 6.18.

mod common;

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

use common::Place;
use packetwalk_real::watch::tracepoints::{Drop, Event, Fib, Symbols, Watch};

/// Client, router, server in a row; device names that no other test and no machine has: a drop does not say its namespace.
struct Lab {
    /// What the names of its devices begin with.
    name: String,
    a: Place,
    r: Place,
    b: Place,
    tids: Vec<u32>,
}

impl Lab {
    fn new() -> Self {
        let (a, r, b) = (Place::new(), Place::new(), Place::new());
        static LABS: AtomicU32 = AtomicU32::new(0);
        // Tests run in processes of their own, side by side.
        let name = format!("p{}x{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let no_ipv6 = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; \
                       echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up";
        [&a, &r, &b].iter().for_each(|p| drop(p.sh(no_ipv6)));
        r.sh(&format!(
            "ip link add {name}ra type veth peer name {name}a netns {}; ip link add {name}rb type veth peer name {name}b netns {}
             ip addr add 10.1.0.1/24 dev {name}ra; ip addr add 10.2.0.1/24 dev {name}rb
             ip link set {name}ra up; ip link set {name}rb up; echo 1 > /proc/sys/net/ipv4/ip_forward
             for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done",
            a.tid, b.tid
        ));
        a.sh(&format!(
            "ip addr add 10.1.0.2/24 dev {name}a; ip link set {name}a up; ip route add default via 10.1.0.1"
        ));
        b.sh(&format!(
            "ip addr add 10.2.0.2/24 dev {name}b; ip link set {name}b up; ip route add default via 10.2.0.1"
        ));
        let tids = [&a, &r, &b].map(|p| p.tid.cast_unsigned()).to_vec();
        let lab = Lab { name, a, r, b, tids };
        // Neighbours are known before anything is watched.
        let _listener = lab.b.run(|| UdpSocket::bind("10.2.0.2:9").unwrap());
        lab.send("10.2.0.2:9", 5, 64);
        lab
    }

    /// A device by the end of its name.
    fn dev(&self, end: &str) -> String {
        format!("{}{end}", self.name)
    }

    fn send(&self, to: &'static str, len: usize, ttl: u32) {
        self.a.run(move || {
            let s = UdpSocket::bind("10.1.0.2:0").unwrap();
            s.set_ttl(ttl).unwrap();
            let _ = s.send_to(&vec![0; len], to);
        });
    }

    /// What was seen of us while a datagram was sent.
    fn watch(&self, to: &'static str, len: usize, ttl: u32) -> Vec<Event> {
        let mut w = Watch::start().unwrap();
        self.send(to, len, ttl);
        let all = w.drain();
        assert_eq!(w.take_lost(), 0);
        let ours = |e: &Event| match e {
            Event::Drop(d) => {
                let seen = d.seen.as_ref().is_some_and(|s| s.dev.starts_with(&self.name));
                d.protocol == 0x800 && (self.tids.contains(&d.at.tid) || seen)
            }
            e => self.tids.contains(&e.at().tid),
        };
        all.into_iter().filter(ours).collect()
    }

    fn drops(&self, to: &'static str, len: usize, ttl: u32) -> Vec<Drop> {
        let of = |e| if let Event::Drop(d) = e { Some(d) } else { None };
        self.watch(to, len, ttl).into_iter().filter_map(of).collect()
    }

    /// There is exactly one drop of this reason, in this function, of a packet last seen on this device.
    fn check(&self, (to, len, ttl): (&'static str, usize, u32), reason: &str, function: &str, dev: &str) {
        let drops = self.drops(to, len, ttl);
        let symbols = Symbols::read();
        let there = |d: &&Drop| d.reason == reason && symbols.function(d.location) == function;
        let found: Vec<&Drop> = drops.iter().filter(there).collect();
        assert_eq!(found.len(), 1, "{reason} in {function}: {drops:#?}");
        let seen = found[0].seen.as_ref().expect("it was on a device");
        assert_eq!(seen.dev, if dev == "lo" { dev.to_owned() } else { self.dev(dev) }, "{drops:#?}");
        assert!(found[0].at.time_ns >= seen.time_ns && found[0].at.time_ns - seen.time_ns < 1_000_000_000);
    }
}

const SERVER: (&str, usize, u32) = ("10.2.0.2:9", 5, 64);

#[test]
fn routing_drops() {
    let lab = Lab::new();
    lab.r.sh("echo 0 > /proc/sys/net/ipv4/ip_forward");
    lab.check(SERVER, "IP_INADDRERRORS", "ip_error", "ra");
    lab.r.sh("echo 1 > /proc/sys/net/ipv4/ip_forward");
    lab.check(("10.9.9.9:9", 5, 64), "IP_INNOROUTES", "ip_error", "ra");
    lab.check(("10.2.0.2:9", 5, 1), "IP_INHDR", "ip_forward", "ra");
    lab.check(("127.0.0.1:9", 5, 64), "NO_SOCKET", "__udp4_lib_rcv", "lo");
    let (ra, rb) = (lab.dev("ra"), lab.dev("rb"));
    lab.r.sh(&format!("echo 1 > /proc/sys/net/ipv4/conf/{ra}/rp_filter; ip route add 10.1.0.2/32 dev {rb}"));
    let drops = lab.drops("10.2.0.2:9", 5, 64);
    assert!(drops.iter().any(|d| d.reason == "IP_RPFILTER"), "{drops:#?}");
}

#[test]
fn firewall_drops_tell_their_variant() {
    let lab = Lab::new();
    lab.r.sh("iptables -P FORWARD DROP");
    lab.check(SERVER, "NETFILTER_DROP", "nft_do_chain", "ra");
    lab.r.sh("iptables -P FORWARD ACCEPT; iptables-legacy -P FORWARD DROP");
    lab.check(SERVER, "NETFILTER_DROP", "nf_hook_slow", "ra");
    lab.r.sh("iptables-legacy -P FORWARD ACCEPT");
    lab.check(SERVER, "NO_SOCKET", "__udp4_lib_rcv", "b");
}

#[test]
fn a_packet_too_big() {
    let lab = Lab::new();
    lab.r.sh(&format!("ip link set {} mtu 1400", lab.dev("rb")));
    let drops = lab.drops("10.2.0.2:9", 1450, 64);
    let symbols = Symbols::read();
    let there = |d: &Drop| d.reason == "PKT_TOO_BIG" && symbols.function(d.location) == "ip_forward";
    assert!(drops.iter().any(there), "{drops:#?}");
}

#[test]
fn look_ups_and_neighbours() {
    let lab = Lab::new();
    lab.r.sh("ip neigh flush all");
    let all = lab.watch("10.2.0.2:9", 5, 64);
    let server = Ipv4Addr::new(10, 2, 0, 2);
    let fibs: Vec<&Fib> = all
        .iter()
        .filter_map(|e| if let Event::Fib(f) = e { Some(f) } else { None })
        .filter(|f| f.dst == server)
        .collect();
    let found =
        fibs.iter().any(|f| f.table == 254 && f.err == 0 && f.dev.as_deref() == Some(&lab.dev("rb")) && f.iif != 0);
    assert!(found, "the router asks main: {fibs:#?}");
    let neigh: Vec<_> = all
        .iter()
        .filter_map(|e| if let Event::Neigh(n) = e { Some(n) } else { None })
        .filter(|n| n.dst == server && n.dev == lab.dev("rb"))
        .map(|n| (n.event, n.new_state))
        .collect();
    assert!(neigh.contains(&("neigh_update", Some(2))), "it becomes REACHABLE: {neigh:?}");
}

#[test]
fn it_leaves_nothing_and_is_quick() {
    let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap();
    let before = mounts();
    let begin = std::time::Instant::now();
    let w = Watch::start().unwrap();
    let up = begin.elapsed();
    drop(w);
    eprintln!("start {} µs, start and end {} µs", up.as_micros(), begin.elapsed().as_micros());
    assert_eq!(before, mounts());
}

/// In a PID namespace of our own only our threads have a number: here everybody has, so what is asked is that every drop
/// of ours does.
#[test]
fn a_drop_knows_its_thread() {
    let lab = Lab::new();
    lab.r.sh("iptables -P FORWARD DROP");
    let drops = lab.drops("10.2.0.2:9", 5, 64);
    assert!(drops.iter().any(|d| d.at.tid == lab.a.tid.cast_unsigned()), "{drops:#?}");
}

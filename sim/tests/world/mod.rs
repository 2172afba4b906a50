//! Small worlds at random: hosts on LANs, containers behind bridges, routes and settings, right and wrong.

use packetwalk_sim::app::probe::Probe;
use packetwalk_sim::kernel::types::SEC;
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec, ServeSpec};
use packetwalk_sim::shell::run_line;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A world, what is done to it, and what is asked in it.
#[derive(Clone, Debug)]
pub struct World {
    /// Seed of its dice.
    pub seed: u64,
    /// Hosts, `h0` and so on.
    pub hosts: Vec<HostSpec>,
    /// Lines of shell, by host; some fail.
    pub lines: Vec<(usize, String)>,
    /// Probes, by host, from the host itself or from one of its namespaces.
    pub probes: Vec<(usize, Option<u8>, String)>,
}

impl World {
    /// The hosts.
    pub fn build(&self) -> Session {
        let mut s = Session::new(self.seed);
        for h in &self.hosts {
            s.add_host(h).expect("a host of the strategy can be added");
        }
        s
    }

    /// Runs the lines and gives what they print.
    pub fn set_up(&self, s: &mut Session) -> Vec<String> {
        let mut out = Vec::new();
        for (host, line) in &self.lines {
            let (h, ns) = s.place(&format!("h{}", host % self.hosts.len())).expect("the host exists");
            out.push(format!("{:?}", run_line(s, h, ns, line)));
        }
        out
    }

    /// Sends one of the probes; a namespace that was never made stands for the host.
    pub fn probe(&self, s: &mut Session, i: usize) -> String {
        let (host, inner, text) = &self.probes[i];
        let name = format!("h{}", host % self.hosts.len());
        let place = inner.and_then(|n| s.place(&format!("{name}/n{n}")).ok());
        let (h, ns) = place.unwrap_or_else(|| s.place(&name).expect("the host exists"));
        let probe = Probe::parse(text).expect("a probe of the strategy can be read");
        format!("{:?}", s.probe(h, ns, &probe))
    }

    /// All of it, then quiet: the deadline of reassembly passes too.
    pub fn play(&self) -> (Session, Vec<String>) {
        let mut s = self.build();
        let mut out = self.set_up(&mut s);
        for i in 0..self.probes.len() {
            out.push(self.probe(&mut s, i));
        }
        s.advance(10 * SEC);
        s.advance(60 * SEC);
        (s, out)
    }
}

fn host(i: usize) -> impl Strategy<Value = HostSpec> {
    let i8 = i as u8 + 1;
    (select(vec![1u8, 3, 3, 3]), option(1u8..4), any::<bool>(), select(vec![None, Some(1400), Some(700)])).prop_map(
        move |(lans, gw, serve, mtu)| {
            let nic = |l: u8| NicSpec {
                name: format!("eth{l}"),
                lan: format!("lan{l}"),
                address: format!("10.0.{l}.{i8}/24").parse().ok(),
                mac: None,
                mtu: if l == 1 { mtu } else { None },
                gateway: None,
            };
            let mut nics: Vec<NicSpec> = (0..2).filter(|l| lans & (1 << l) != 0).map(nic).collect();
            if let (Some(gw), Some(n)) = (gw, nics.first_mut()) {
                let lan = n.lan.trim_start_matches("lan").parse().unwrap_or(0);
                n.gateway = (gw != i8).then(|| [10, 0, lan, gw].into());
            }
            let serve = if serve {
                vec![ServeSpec { udp: false, port: 80 }, ServeSpec { udp: true, port: 53 }]
            } else {
                Vec::new()
            };
            HostSpec { name: format!("h{i}"), nics, serve, ..HostSpec::default() }
        },
    )
}

fn option(s: std::ops::Range<u8>) -> impl Strategy<Value = Option<u8>> {
    prop_oneof![Just(None), s.prop_map(Some)]
}

fn setting() -> impl Strategy<Value = String> {
    let names = vec![
        "net.ipv4.conf.all.rp_filter",
        "net.ipv4.conf.all.proxy_arp",
        "net.ipv4.conf.eth0.proxy_arp",
        "net.ipv4.conf.all.arp_ignore",
        "net.ipv4.conf.all.accept_local",
        "net.ipv4.conf.all.route_localnet",
        "net.ipv4.icmp_echo_ignore_broadcasts",
        "net.ipv4.ip_forward",
    ];
    (select(names), 0u8..3).prop_map(|(n, v)| format!("sysctl -w {n}={v}"))
}

fn prefix() -> impl Strategy<Value = String> {
    let c = (1u8..4).prop_map(|h| format!("172.17.{h}.0/24"));
    prop_oneof![3 => c, 1 => Just("default".to_owned()), 1 => Just("10.9.0.0/16".to_owned()), 1 => Just("10.0.1.0/24".to_owned())]
}

/// One line on the host `h`: mostly sensible by itself, not always after the lines before it.
fn line(h: u8) -> impl Strategy<Value = String> {
    let container = (0u8..3, any::<bool>()).prop_map(move |(k, up)| {
        let up = if up { format!("ip link set v{k} up") } else { "true".to_owned() };
        format!(
            "ip netns add n{k}; ip link add v{k} type veth peer name eth0 netns n{k}; ip link set v{k} master br0; {up}; \
             ip -n n{k} link set lo up; ip -n n{k} link set eth0 up; ip -n n{k} addr add 172.17.{h}.{}/24 dev eth0; \
             ip -n n{k} route add default via 172.17.{h}.1",
            k + 2
        )
    });
    let gw = (0u8..2, 1u8..5).prop_map(|(l, g)| format!("10.0.{l}.{g}"));
    let verbs = vec!["add", "add", "replace", "append", "del"];
    let kinds = vec!["blackhole", "unreachable", "prohibit", "throw"];
    prop_oneof![
        4 => container,
        3 => (select(verbs), prefix(), gw).prop_map(|(v, p, g)| format!("ip route {v} {p} via {g}")),
        1 => (select(kinds), prefix()).prop_map(|(k, p)| format!("ip route add {k} {p}")),
        1 => prefix().prop_map(|p| format!("ip route add {p} dev eth0")),
        3 => setting(),
        1 => (0u8..3).prop_map(|k| format!("ip netns exec n{k} sysctl -w net.ipv4.ip_forward=1")),
        1 => (select(vec!["eth0", "eth1", "br0", "v0", "v1", "lo"]), select(vec!["down", "up", "mtu 576", "mtu 1280",
            "arp off", "nomaster"])).prop_map(|(d, w)| format!("ip link set {d} {w}")),
        1 => (0u8..3).prop_map(|k| format!("ip -n n{k} link set eth0 mtu 600")),
        1 => (0u8..3).prop_map(|k| format!("ip link del v{k}")),
        1 => (0u8..3).prop_map(|k| format!("ip netns del n{k}")),
        1 => (0u8..2, 1u8..5).prop_map(|(l, i)| format!("ip addr add 10.0.{l}.{i}/24 dev eth{l}")),
        1 => Just("ip link set eth0 master br0".to_owned()),
        1 => Just("ip neigh add proxy 10.0.0.77 dev eth0".to_owned()),
        4 => overlay(h),
        1 => Just("ip neigh flush all".to_owned()),
        1 => target().prop_map(|t| format!("ping -c 2 -i 0.2 -W 1 {t}")),
        1 => target().prop_map(|t| format!("traceroute -n -m 4 -w 1 {t} & ip neigh add {t} lladdr 02:00:00:00:00:09 dev eth0")),
        1 => target().prop_map(|t| format!("ping -c 1 -W 1 {t} & sleep 0.1; ip neigh change {t} dev eth0 nud none; ip neigh del {t} dev eth0; ip link set eth0 down; \
            ip link set eth0 up")),
    ]
}

/// Tunnels and macvlans, with and without sense.
fn overlay(h: u8) -> impl Strategy<Value = String> {
    let lower = select(vec!["", "dev eth0", "dev eth1", "dev br0"]);
    let words = select(vec!["", "nolearning", "proxy", "df set", "df inherit", "ttl 1"]);
    let master = select(vec!["", "master br0"]);
    let tunnel = (41u8..43, lower, words, master, 1u8..4).prop_map(move |(id, lower, words, master, to)| {
        format!(
            "ip link add vx0 type vxlan id {id} dstport 4789 remote 10.0.0.{to} {lower} {words}; \
             ip link set vx0 {master} up; ip addr add 172.17.{to}.{}/16 dev vx0",
            h + 40
        )
    });
    let zeros = select(vec!["00:00:00:00:00:00", "02:00:00:00:00:09"]);
    let entry = (zeros, 0u8..2, 1u8..4).prop_map(|(m, l, i)| format!("bridge fdb append {m} dev vx0 dst 10.0.{l}.{i}"));
    let modes = select(vec!["bridge", "private", "vepa"]);
    let macvlan = (0u8..3, select(vec!["eth0", "br0", "vx0"]), modes).prop_map(move |(k, lower, mode)| {
        format!(
            "ip netns add n{k}; ip link add link {lower} name m{k} type macvlan mode {mode}; ip link set m{k} netns n{k}; \
             ip -n n{k} link set m{k} up; ip -n n{k} addr add 172.17.{h}.{}/24 dev m{k}",
            k + 2
        )
    });
    let odd = select(vec![
        "ip link del vx0",
        "ip link set vx0 netns n0; ip -n n0 link set vx0 up",
        "ip link del br0",
        "ip link add mb link br0 type macvlan mode bridge; ip link add br9 type bridge; ip link set br9 up; \
         ip link set mb master br9 up; ip link add mc link br9 type macvlan mode bridge; ip link set mc master br0 up",
    ]);
    prop_oneof![3 => tunnel, 2 => entry, 3 => macvlan, 1 => odd.prop_map(str::to_owned)]
}

fn target() -> impl Strategy<Value = String> {
    let host = (0u8..2, 1u8..5).prop_map(|(l, h)| format!("10.0.{l}.{h}"));
    let inner = (1u8..4, 1u8..6).prop_map(|(h, k)| format!("172.17.{h}.{k}"));
    let odd =
        vec!["10.0.0.255", "255.255.255.255", "224.0.0.1", "127.0.0.1", "10.9.1.1", "10.9.1.1", "10.0.0.77", "0.0.0.0"];
    prop_oneof![4 => host, 4 => inner, 1 => select(odd).prop_map(str::to_owned)]
}

fn probe() -> impl Strategy<Value = String> {
    let size = select(vec![0u16, 56, 1372, 1472, 1473, 3000, 9000]);
    let df = select(vec!["do", "want", "dont"]);
    let ttl = select(vec![1u8, 2, 3, 9, 64, 255]);
    prop_oneof![
        5 => (target(), size, df, ttl).prop_map(|(t, s, m, l)| format!("ping -W 1 -s {s} -M {m} -t {l} {t}")),
        2 => (target(), select(vec![80, 81])).prop_map(|(t, p)| format!("tcp -W 2 {t}:{p}")),
        1 => (target(), 1u32..200_000).prop_map(|(t, n)| format!("bulk -W 3 -n {n} {t}:80")),
        2 => (target(), select(vec![53, 54])).prop_map(|(t, p)| format!("udp -W 1 {t}:{p}")),
        1 => target().prop_map(|t| format!("arping -W 1 {t}")),
    ]
}

/// What every host does first: a bridge for its containers, forwarding.
fn base(h: usize) -> String {
    format!(
        "ip link add br0 type bridge; ip link set br0 up; ip addr add 172.17.{}.1/24 dev br0; sysctl -w net.ipv4.ip_forward=1",
        h + 1
    )
}

/// Two bridges with two cables between them.
const LOOP: &str = "ip link add br1 type bridge; ip link set br1 up; \
    ip link add a0 type veth peer name b0; ip link add a1 type veth peer name b1; \
    for p in a0 a1; do ip link set $p master br0; done; for p in b0 b1; do ip link set $p master br1; done; \
    for p in a0 a1 b0 b1; do ip link set $p up; done";

/// Worlds; with `storm`, the first host has a loop of bridges and something broadcasts in it.
pub fn world(storm: bool) -> impl Strategy<Value = World> {
    let hosts = (1usize..4).prop_flat_map(|n| (0..n).map(host).collect::<Vec<_>>());
    let lines = vec((0usize..3).prop_flat_map(|h| (Just(h), line(h as u8 + 1))), 0..14);
    let probes = vec((0usize..3, option(0..3), probe()), 1..5);
    (any::<u64>(), hosts, lines, probes, option(0..2)).prop_map(move |(seed, hosts, mut lines, mut probes, circle)| {
        let n = hosts.len();
        // A line meant for a host that is not there goes to one that is, and speaks of another's addresses.
        lines.splice(0..0, (0..n).map(|h| (h, base(h))));
        if let Some(lan) = circle {
            // Two routers that point at each other.
            let to = |h: u8| format!("ip route replace 10.9.0.0/16 via 10.0.{lan}.{h}");
            lines.extend([(0, to(2)), (1, to(1))]);
        }
        if storm {
            lines.truncate(n + 4);
            lines.push((0, LOOP.to_owned()));
            probes.truncate(1);
            probes.push((0, None, "arping -I br0 -W 0.5 172.17.1.9".to_owned()));
        }
        World { seed, hosts, lines, probes }
    })
}

/// Two hosts on one LAN, the second with an MTU of its own; the first runs a line and sends a probe.
pub fn pair(mtu: Option<u32>, line: &str, probe: &str) -> World {
    let host = |i: u8, mtu| {
        let address = format!("10.0.0.{}/24", i + 1).parse().ok();
        let nic = NicSpec { name: "eth0".into(), lan: "lan0".into(), address, mac: None, mtu, gateway: None };
        HostSpec { name: format!("h{i}"), nics: vec![nic], ..HostSpec::default() }
    };
    let (lines, probes) = (vec![(0, line.to_owned())], vec![(0, None, probe.to_owned())]);
    World { seed: 1, hosts: vec![host(0, None), host(1, mtu)], lines, probes }
}

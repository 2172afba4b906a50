//! Whatever words a tool is given: no panic, and an end.

use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;
use proptest::prelude::*;
use proptest::sample::select;

/// A word as the shell takes it literally.
fn quote(w: &str) -> String {
    format!("'{}'", w.replace('\'', "'\\''"))
}

/// The tools of networking.
const TOOLS: &[&str] = &[
    "ip",
    "bridge",
    "sysctl",
    "ping",
    "nc",
    "ss",
    "route",
    "ifconfig",
    "arp",
    "brctl",
    "nstat",
    "netstat",
    "curl",
    "traceroute",
    "tcpdump",
    "arping",
    "serve",
    "socat",
];

/// Words that the tools know.
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "link", "addr", "route", "rule", "neigh", "netns", "fdb", "vlan", "mdb", "add", "del", "set", "show", "replace",
    "append", "get", "flush", "exec", "pids", "dev", "type", "veth", "bridge", "bridge_slave", "peer", "name", "up",
    "down", "master", "nomaster", "mtu", "via", "src", "table", "metric", "from", "to", "pref", "fwmark", "lladdr",
    "nud", "proxy", "scope", "label", "default", "all", "self", "dst", "stp_state", "ageing_time", "hairpin", "on",
    "off", "eth0", "va", "vb", "br0", "lo", "red", "h1", "lan", "nosuch", "10.1.0.2", "10.1.0.1/24", "10.1.0.9",
    "10.0.0.0/8", "0.0.0.0", "0/0", "255.255.255.255", "224.0.0.1", "127.0.0.1", "10.1.0.300", "::1", "0", "1", "-1",
    "80", "65535", "65536", "4294967295", "4294967296", "18446744073709551615", "0x10", "1.5", "1e9", "-", "--", "-n",
    "-c", "-c1", "-i", "-I", "-W", "-w", "-w1", "-s", "-t", "-f", "-q", "-a", "-l", "-u", "-z", "-p", "-k", "-v",
    "-tlnp", "-j", "-o", "-br", "-4", "-6", "-d", "-D", "-s", "-m", "--max-time", "net.ipv4.ip_forward",
    "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter", "addbr", "delbr", "addif", "delif", "showmacs", "stp",
    "netmask", "gw", "-net", "-host", "hw", "ether", "broadcast", "promisc", "http://10.1.0.2/", "10.1.0.2:80",
    "02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "icmp", "tcp", "udp", "port", "host", "and", "or", "not", "(", ")", "",
    "TCP-LISTEN:80,fork", "TCP:10.1.0.2:80", "UDP:10.1.0.2:53", "UDP-RECVFROM:53", "SYSTEM:echo hi", "PIPE", "é", "80/udp", "53/udp", "state", "established", "sport", "dport", "=", ":80", "inet", "priority", "cost",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![12 => select(KNOWN).prop_map(str::to_owned), 1 => "[ -~]{0,8}", 1 => r"-[A-Za-z]{1,3}[0-9é]{0,3}"]
}

fn line() -> impl Strategy<Value = String> {
    (select(TOOLS), proptest::collection::vec(word(), 0..8))
        .prop_map(|(tool, words)| words.iter().fold(tool.to_owned(), |line, w| format!("{line} {}", quote(w))))
}

#[expect(clippy::disallowed_types, reason = "the time a line takes is what is tested")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_panic_and_an_end(lines in proptest::collection::vec(line(), 1..6)) {
        let mut s = Session::new(1);
        let nic = NicSpec {
            name: "eth0".into(),
            lan: "lan".into(),
            address: Some("10.1.0.2/24".parse().expect("a prefix")),
            mac: None,
            mtu: None,
            gateway: Some([10, 1, 0, 1].into()),
        };
        let h = s.add_host(&HostSpec { name: "h1".into(), nics: vec![nic], ..HostSpec::default() }).expect("a host");
        let ns = s.kernel.host(h).root_ns;
        run_line(&mut s, h, ns, "ip link add va type veth peer name vb; ip link add br0 type bridge; ip netns add red");
        for line in lines {
            let before = now();
            let ran = run_line(&mut s, h, ns, &line);
            let took = before.elapsed();
            prop_assert!(took.as_secs() < 10, "{} took {:?}", line, took);
            prop_assert!(ran.stdout.len() <= packetwalk_sim::shell::bound::OUTPUT + 4096, "{} prints {}", line, ran.stdout.len());
        }
    }
}

//! `ip` command lines: what they mean, what is said to wrong ones, and that a command written out reads the same.

use packetwalk_sim::command::ip::args::{Args, Bad};
use packetwalk_sim::command::ip::canon::IpLine;
use packetwalk_sim::command::ip::parse;
use proptest::prelude::*;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn read(argv: &[String]) -> Result<IpLine, Bad> {
    parse(&mut Args::new(argv)).map(|(globals, cmd)| IpLine { globals, cmd })
}

#[track_caller]
fn check(line: &str, canonical: &str) {
    let cmd = read(&words(line)).unwrap_or_else(|e| panic!("{line}: {e:?}"));
    assert_eq!(cmd.to_string(), canonical, "{line}");
    assert_eq!(read(&words(canonical)).as_ref(), Ok(&cmd), "{canonical}");
}

#[track_caller]
fn says(line: &str, text: &str, code: i32) {
    match read(&words(line)) {
        Err(Bad::Say(said, status) | Bad::Exit(said, status)) => {
            assert_eq!((said.as_str(), status), (text, code), "{line}");
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn refuses(line: &str, what: &str, arg: usize) {
    match read(&words(line)) {
        Err(Bad::Refused(r)) => assert_eq!((r.what.as_str(), r.arg), (what, arg), "{line}"),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn abbreviations() {
    check("ip a", "ip address show");
    check("ip l", "ip link show");
    check("ip r", "ip route show");
    check("ip ro l", "ip route show");
    check("ip ru", "ip rule show");
    check("ip n", "ip neighbour show");
    check("ip net", "ip netns list");
    check("ip addr sh va", "ip address show dev va");
    check("ip -4 -br a s", "ip -4 -br address show");
    check("ip -j -p -d -s -s l sh dev lo", "ip -d -j -p -s -s link show dev lo");
    check("ip -ss l", "ip -s -s link show");
    check("ip -n red a a 10.0.0.1/24 dev eth0", "ip -n red address add 10.0.0.1/24 dev eth0");
    check("ip -netns red r d default", "ip -n red route delete 0.0.0.0/0");
}

#[test]
fn links() {
    check("ip link add br0 type bridge", "ip link add name br0 type bridge");
    check(
        "ip link add va address 02:00:00:00:00:01 type veth peer name eth0 netns a",
        "ip link add name va address 02:00:00:00:00:01 type veth peer name eth0 netns a",
    );
    check(
        "ip link add name br0 type bridge ageing_time 100 stp_state 0 mcast_snooping 0",
        "ip link add name br0 type bridge ageing_time 100 stp_state 0 mcast_snooping 0",
    );
    check("ip link add type veth", "ip link add type veth");
    check(
        "ip link add vx0 type vxlan vni 42 nolearning dstport 4789 remote 10.0.0.2 dev eth0",
        "ip link add name vx0 type vxlan id 42 remote 10.0.0.2 dev eth0 dstport 4789 nolearning",
    );
    check("ip link set vx0 type vxlan ttl 0x7", "ip link set dev vx0 type vxlan ttl 7");
    check("ip link add mv link eth0 type macvlan", "ip link add link eth0 name mv type macvlan");
    check("ip link add d0 type dummy", "ip link add name d0 type dummy");
    check("ip l set va master br0 up", "ip link set dev va master br0 up");
    check("ip link set va netns a name eth0", "ip link set dev va netns a name eth0");
    check("ip link set dev va group default", "ip link set dev va group 0");
    check(
        "ip link set va type bridge_slave hairpin on cost 5 state 3",
        "ip link set dev va type bridge_slave hairpin on cost 5 state 3",
    );
    check(
        "ip link set br0 type bridge ageing_time 0 fdb_flush",
        "ip link set dev br0 type bridge ageing_time 0 fdb_flush",
    );
    check("ip link del va", "ip link delete dev va");
    check("ip link show master br0 up type veth", "ip link show type veth master br0 up");
}

#[test]
fn addresses() {
    check("ip addr add 10.0.0.1/24 brd + dev va", "ip address add 10.0.0.1/24 broadcast + dev va");
    check("ip addr add 10.0.0.1 peer 10.0.0.2/30 dev va", "ip address add 10.0.0.1 peer 10.0.0.2/30 dev va");
    check("ip addr add 10/8 dev va scope link", "ip address add 10.0.0.0/8 scope 253 dev va");
    check("ip addr change 10.0.0.1/255.255.0.0 dev va", "ip address replace 10.0.0.1/16 dev va");
    check("ip addr flush dev va scope global", "ip address flush dev va scope 0");
    check("ip addr show to 10.1.0.0/16 secondary", "ip address show to 10.1.0.0/16 secondary");
}

#[test]
fn routes() {
    check("ip route add default via 10.0.0.1", "ip route add 0.0.0.0/0 via 10.0.0.1");
    check("ip route add blackhole 10.1/16 metric 5", "ip route add blackhole 10.1.0.0/16 metric 5");
    check(
        "ip r replace 10.1.0.0/16 dev va via 10.0.0.1 src 10.0.0.2 table local proto static onlink mtu lock 1400",
        "ip route replace 10.1.0.0/16 table 255 via 10.0.0.1 dev va src 10.0.0.2 protocol 4 mtu lock 1400 onlink",
    );
    check("ip route add 10.1.0.5/16 dev va", "ip route add 10.1.0.1/16 dev va");
    check("ip route show table all dev va", "ip route show table all dev va");
    check("ip route flush cache", "ip route flush cache");
    check("ip route show match 10.1.2.3", "ip route show match 10.1.2.3/32");
    check("ip route get 10.0.0.1 from 10.0.0.2 iif va mark 3", "ip route get 10.0.0.1 from 10.0.0.2 iif va mark 3");
}

#[test]
fn rules() {
    check("ip rule add from 10.0.0.0/8 lookup 100", "ip rule add from 10.0.0.0/8 lookup 100");
    check("ip rule add from 10.0.0.1/8 table main", "ip rule add from 10.0.0.1/8 lookup 254");
    check(
        "ip rule add not fwmark 5/0xff iif va ipproto tcp dport 80 prohibit pref 9",
        "ip rule add not fwmark 0x5/0xff iif va ipproto 6 dport 80-80 preference 9 prohibit",
    );
    check("ip rule add tos 10 goto 32766", "ip rule add tos 0x10 goto 32766");
    check("ip rule del pref 100", "ip rule delete from all preference 100");
    check("ip rule show from 10.0.0.0/8", "ip rule show from 10.0.0.0/8");
}

#[test]
fn neighbours_and_namespaces() {
    check(
        "ip neigh add 10.0.0.2 lladdr 2:0:0:0:0:1 dev va",
        "ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:01 nud permanent dev va",
    );
    check("ip neigh add proxy 10.0.0.9 dev va", "ip neighbour add proxy 10.0.0.9 nud permanent dev va");
    check("ip neigh flush all", "ip neighbour flush nud all");
    check("ip neigh show nud stale nud reachable dev va", "ip neighbour show dev va nud stale nud reachable");
    check("ip netns exec a ip -br link", "ip netns exec a ip -br link");
    check("ip -all netns exec ip link", "ip -a netns exec ip link");
}

#[test]
fn wrong_words() {
    says("ip frob", "Object \"frob\" is unknown, try \"ip help\".\n", 1);
    says("ip -z link", "Option \"-z\" is unknown, try \"ip -help\".\n", 255);
    says("ip link frob", "Command \"frob\" is unknown, try \"ip link help\".\n", 255);
    says("ip addr frob", "Command \"frob\" is unknown, try \"ip address help\".\n", 255);
    says("ip link set va mtu", "Command line is not complete. Try option \"help\"\n", 255);
    says("ip link set va mtu x", "Error: argument \"x\" is wrong: Invalid \"mtu\" value\n\n", 255);
    says("ip link set va arp x", "Error: argument of \"arp\" must be \"on\" or \"off\", not \"x\"\n", 1);
    says("ip link set va address 02:00", "Invalid address length 2 - must be 6 bytes\n", 1);
    says("ip link set va address zz", "\"zz\" is invalid lladdr.\n", 1);
    says("ip link add a/b type bridge", "Error: argument \"a/b\" is wrong: \"dev\" not a valid ifname\n", 255);
    says("ip link add va", "Not enough information: \"type\" argument is required\n", 1);
    says("ip link set va foo", "Error: either \"dev\" is duplicate, or \"foo\" is a garbage.\n", 255);
    says("ip addr add 10.0.0.300/24 dev va", "Error: any valid prefix is expected rather than \"10.0.0.300/24\".\n", 1);
    says("ip addr add 10.0.0.1/24", "Not enough information: \"dev\" argument is required.\n", 1);
    says("ip route add 10.1.0.0/33 dev va", "Error: any valid prefix is expected rather than \"10.1.0.0/33\".\n", 1);
    says("ip route add 10.1.0.0/16 via x", "Error: inet address is expected rather than \"x\".\n", 1);
    says("ip route add 10.1.0.0/16 table x", "Error: argument \"x\" is wrong: \"table\" value is invalid\n\n", 255);
    says("ip route get", "need at least a destination address\n", 1);
    says("ip rule add from 10.0.0.0/8 table x", "Error: argument \"x\" is wrong: invalid table ID\n\n", 255);
    says("ip rule del", "\"ip rule del\" requires arguments.\n", 1);
    says("ip neigh add 10.0.0.9", "Device and destination are required arguments.\n", 255);
    says("ip netns add", "No netns name specified\n", 1);
    says("ip netns add a/b", "Invalid netns name \"a/b\"\n", 255);
}

#[test]
fn refused_by_name() {
    refuses("ip -6 route", "ip -6: IPv6 is not modelled", 1);
    refuses("ip link add vx0 type vxlan id 42 gbp", "ip link type vxlan gbp", 8);
    refuses("ip link set va vf 0", "ip link set vf", 4);
    refuses("ip route add 10.0.0.0/8 nexthop via 10.1.0.1", "ip route nexthop", 4);
    refuses("ip addr add ::1/128 dev lo", "IPv6 addresses: IPv6 is not modelled", 3);
    refuses("ip tunnel add x", "ip tunnel", 1);
}

/// Beginnings of commands, and pieces that may follow; most ways to put them together are wrong, and those
/// that are right must survive being written out.
const HEADS: &[&str] = &[
    "link add",
    "link set",
    "link set va",
    "link show",
    "link del",
    "addr add",
    "addr del",
    "addr show",
    "addr flush",
    "route add",
    "route replace",
    "route del",
    "route show",
    "route flush",
    "route get",
    "rule add",
    "rule del",
    "rule show",
    "rule flush",
    "neigh add",
    "neigh replace",
    "neigh del",
    "neigh show",
    "neigh flush",
    "neigh get",
    "netns add",
    "netns exec",
    "netns list",
    "netns pids",
];

const PIECES: &[&str] = &[
    "dev va",
    "va",
    "up",
    "down",
    "type veth",
    "type bridge",
    "type bridge_slave",
    "type vxlan",
    "type macvlan",
    "id 42",
    "remote 10.0.0.2",
    "ttl inherit",
    "nolearning",
    "mode bridge",
    "type dummy",
    "peer name vb",
    "netns red",
    "red",
    "master br0",
    "nomaster",
    "mtu 1400",
    "mtu lock 1400",
    "address 02:00:00:00:00:01",
    "lladdr 02:00:00:00:00:01",
    "hairpin on",
    "state 3",
    "cost 7",
    "priority 9",
    "ageing_time 300",
    "fdb_flush",
    "arp off",
    "promisc on",
    "alias x",
    "alias ''",
    "group 4",
    "txqueuelen 5",
    "name vz",
    "10.0.0.1",
    "10.0.0.1/24",
    "10.0.0.0/8",
    "default",
    "any",
    "to 10.1.0.0/16",
    "peer 10.0.0.2",
    "peer 10.0.0.2/30",
    "brd +",
    "brd 10.0.0.255",
    "scope link",
    "scope global",
    "label va:1",
    "noprefixroute",
    "primary",
    "secondary",
    "via 10.0.0.9",
    "src 10.0.0.3",
    "metric 50",
    "proto static",
    "table 100",
    "table all",
    "table main",
    "lookup 7",
    "onlink",
    "advmss 1000",
    "tos 10",
    "blackhole",
    "unreachable",
    "local",
    "throw",
    "prohibit",
    "unicast",
    "from 10.0.0.0/8",
    "from 10.0.0.7/8",
    "from all",
    "fwmark 5",
    "fwmark 0x5/0xff",
    "iif va",
    "oif vb",
    "ipproto tcp",
    "sport 80",
    "dport 1-1024",
    "not",
    "pref 100",
    "suppress_prefixlength 0",
    "uidrange 1-5",
    "goto 32766",
    "nop",
    "protocol static",
    "nud stale",
    "nud all",
    "nud permanent",
    "all",
    "unused",
    "proxy",
    "proxy 10.0.0.8",
    "extern_learn",
    "cache",
    "root 10.0.0.0/8",
    "match 10.0.0.1",
    "exact 10.0.0.0/24",
    "type unreachable",
    "mark 7",
    "ip link",
    "x",
];

const GLOBALS: &[&str] = &["-4", "-j", "-p", "-d", "-s", "-br", "-o", "-n red", "-a"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn written_out_and_read_again(
        globals in prop::collection::vec(prop::sample::select(GLOBALS), 0..3),
        head in prop::sample::select(HEADS),
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..6),
    ) {
        let line = ["ip"].into_iter().chain(globals).chain([head]).chain(pieces).collect::<Vec<_>>().join(" ");
        let argv: Vec<String> = words(&line).into_iter().map(|w| if w == "''" { String::new() } else { w }).collect();
        if let Ok(cmd) = read(&argv) {
            let mut again = vec!["ip".to_owned()];
            again.extend(cmd.words());
            prop_assert_eq!(read(&again), Ok(cmd), "{} became {:?}", line, again);
        }
    }
}

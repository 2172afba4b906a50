//! What wrong `ip` command lines are told: the answers of iproute2 6.1, recorded in a namespace with `va`, `vb` and
//! `br0` as the world here has them; the longer usages are left out.

use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;

/// A line, its exit status and what it writes to standard error.
const ERRORS: &[(&str, i32, &str)] = &[
    ("ip foo", 1, "Object \"foo\" is unknown, try \"ip help\".\n"),
    ("ip -x link", 255, "Option \"-x\" is unknown, try \"ip -help\".\n"),
    ("ip link foo", 255, "Command \"foo\" is unknown, try \"ip link help\".\n"),
    ("ip addr foo", 255, "Command \"foo\" is unknown, try \"ip address help\".\n"),
    ("ip route foo", 255, "Command \"foo\" is unknown, try \"ip route help\".\n"),
    ("ip rule foo", 255, "Command \"foo\" is unknown, try \"ip rule help\".\n"),
    ("ip neigh foo", 255, "Command \"foo\" is unknown, try \"ip neigh help\".\n"),
    ("ip netns foo", 255, "Command \"foo\" is unknown, try \"ip netns help\".\n"),
    ("ip link add va", 1, "Not enough information: \"type\" argument is required\n"),
    ("ip link add", 1, "Not enough information: \"type\" argument is required\n"),
    ("ip link set up", 255, "Not enough information: \"dev\" argument is required.\n"),
    ("ip link set va mtu abc", 255, "Error: argument \"abc\" is wrong: Invalid \"mtu\" value\n\n"),
    ("ip link set va mtu", 255, "Command line is not complete. Try option \"help\"\n"),
    ("ip link set va txqueuelen x", 255, "Error: argument \"x\" is wrong: Invalid \"txqueuelen\" value\n\n"),
    ("ip link set va arp maybe", 1, "Error: argument of \"arp\" must be \"on\" or \"off\", not \"maybe\"\n"),
    ("ip link set va address zz", 1, "\"zz\" is invalid lladdr.\n"),
    ("ip link set va group x", 255, "Error: argument \"x\" is wrong: Invalid \"group\" value\n\n"),
    ("ip link set va name a/b", 255, "Error: argument \"a/b\" is wrong: \"name\" not a valid ifname\n"),
    (
        "ip link set va name this-name-is-too-long",
        255,
        "Error: argument \"this-name-is-too-long\" is wrong: \"name\" not a valid ifname\n",
    ),
    ("ip link set va vb up", 255, "Error: either \"dev\" is duplicate, or \"vb\" is a garbage.\n"),
    ("ip link add x y type veth", 255, "Error: either \"dev\" is duplicate, or \"y\" is a garbage.\n"),
    ("ip link add x mtu q type veth", 255, "Error: argument \"q\" is wrong: Invalid \"mtu\" value\n\n"),
    ("ip link add br9 type bridge stp_state x", 255, "Error: argument \"x\" is wrong: invalid stp_state\n"),
    ("ip link add br9 type bridge ageing_time x", 255, "Error: argument \"x\" is wrong: invalid ageing_time\n"),
    ("ip link del", 255, "Not enough information: \"dev\" argument is required.\n"),
    ("ip link del nosuch", 1, "Cannot find device \"nosuch\"\n"),
    ("ip addr add 10.0.0.1/24", 1, "Not enough information: \"dev\" argument is required.\n"),
    (
        "ip addr add 10.0.0.1/24 10.0.0.2/24 dev va",
        255,
        "Error: either \"local\" is duplicate, or \"10.0.0.2/24\" is a garbage.\n",
    ),
    ("ip addr add 10.0.0.1/40 dev va", 1, "Error: any valid prefix is expected rather than \"10.0.0.1/40\".\n"),
    ("ip addr add x dev va", 1, "Error: any valid prefix is expected rather than \"x\".\n"),
    ("ip addr add 10.0.0.1/24 dev va scope x", 255, "Error: argument \"x\" is wrong: invalid scope value.\n"),
    ("ip addr add 10.0.0.1/24 dev va label vb", 2, "Error: ipv4: Address already assigned.\n"),
    ("ip addr add 10.0.0.1/24 dev va brd x", 1, "Error: inet address is expected rather than \"x\".\n"),
    ("ip addr flush", 1, "Flush requires arguments.\n"),
    ("ip addr show scope x", 255, "Error: argument \"x\" is wrong: invalid \"scope\"\n\n"),
    ("ip route add 10.5.0.0/16 via x", 1, "Error: inet address is expected rather than \"x\".\n"),
    (
        "ip route add 10.5.0.0/16 10.6.0.0/16 dev va",
        255,
        "Error: either \"to\" is duplicate, or \"10.6.0.0/16\" is a garbage.\n",
    ),
    (
        "ip route add 10.5.0.0/16 dev va metric x",
        255,
        "Error: argument \"x\" is wrong: \"metric\" value is invalid\n\n",
    ),
    ("ip route add 10.5.0.0/16 dev va table x", 255, "Error: argument \"x\" is wrong: \"table\" value is invalid\n\n"),
    (
        "ip route add 10.5.0.0/16 dev va proto x",
        255,
        "Error: argument \"x\" is wrong: \"protocol\" value is invalid\n\n",
    ),
    ("ip route add 10.5.0.0/16 dev va scope x", 255, "Error: argument \"x\" is wrong: invalid \"scope\" value\n\n"),
    ("ip route add 10.5.0.0/16 dev va tos x", 255, "Error: argument \"x\" is wrong: \"tos\" value is invalid\n\n"),
    ("ip route add 10.5.0.0/16 dev va mtu x", 255, "Error: argument \"x\" is wrong: \"mtu\" value is invalid\n\n"),
    ("ip route add 10.5.0.0/16 dev va advmss x", 255, "Error: argument \"x\" is wrong: \"mss\" value is invalid\n\n"),
    ("ip route get", 1, "need at least a destination address\n"),
    ("ip route get 10.0.0.5 mark x", 255, "Error: argument \"x\" is wrong: invalid mark value\n"),
    ("ip route get 10.0.0.5 ipproto x", 255, "Error: argument \"x\" is wrong: Invalid \"ipproto\" value\n\n"),
    ("ip route show table x", 255, "Error: argument \"x\" is wrong: table id value is invalid\n\n"),
    ("ip route show proto x", 255, "Error: argument \"x\" is wrong: invalid \"protocol\"\n\n"),
    ("ip route show scope x", 255, "Error: argument \"x\" is wrong: invalid \"scope\"\n\n"),
    ("ip rule add foo", 255, "Error: argument \"foo\" is wrong: Failed to parse rule type\n"),
    ("ip rule add pref x", 255, "Error: argument \"x\" is wrong: preference value is invalid\n\n"),
    ("ip rule add fwmark x", 255, "Error: argument \"x\" is wrong: fwmark value is invalid\n\n"),
    ("ip rule add fwmark 1/x", 255, "Error: argument \"x\" is wrong: fwmask value is invalid\n\n"),
    ("ip rule add tos x", 255, "Error: argument \"x\" is wrong: TOS value is invalid\n\n"),
    ("ip rule add ipproto x", 255, "Error: argument \"x\" is wrong: Invalid \"ipproto\" value\n\n"),
    ("ip rule add sport x", 255, "Error: argument \"x\" is wrong: invalid port range\n\n"),
    ("ip rule add uidrange x", 255, "Error: argument \"x\" is wrong: invalid UID range\n\n"),
    ("ip rule add goto x", 255, "Error: argument \"x\" is wrong: invalid target\n\n"),
    ("ip rule add protocol x", 255, "Error: argument \"x\" is wrong: \"protocol\" value is invalid\n\n"),
    (
        "ip rule add suppress_prefixlength x",
        255,
        "Error: argument \"x\" is wrong: suppress_prefixlength value is invalid\n\n",
    ),
    (
        "ip rule add iif this-name-is-too-long",
        255,
        "Error: argument \"this-name-is-too-long\" is wrong: \"iif\"/\"dev\" not a valid ifname\n",
    ),
    ("ip neigh add", 255, "Device and destination are required arguments.\n"),
    ("ip neigh add 10.0.0.9", 255, "Device and destination are required arguments.\n"),
    ("ip neigh add x dev va", 1, "Error: any valid address is expected rather than \"x\".\n"),
    ("ip neigh add 10.0.0.9 dev va lladdr x", 1, "\"x\" is invalid lladdr.\n"),
    ("ip neigh add 10.0.0.9 dev va nud x", 255, "Error: argument \"x\" is wrong: nud state is bad\n"),
    ("ip neigh flush", 1, "Flush requires arguments.\n"),
    ("ip neigh get 10.0.0.9 dev va", 2, "Error: Neighbour entry not found.\n"),
    ("ip netns add", 1, "No netns name specified\n"),
    ("ip netns add a/b", 255, "Invalid netns name \"a/b\"\n"),
    ("ip netns exec", 1, "No netns name specified\n"),
    ("ip netns exec a", 1, "No command specified\n"),
    ("ip -n", 255, "Cannot open network namespace \"(null)\": No such file or directory\n"),
    ("ip route get 10.0.0.5/24", 0, "Warning: /24 as prefix is invalid, only /32 (or none) is supported.\n"),
    (
        "ip link set va master br0; ip link set va type bridge_slave hairpin x",
        1,
        "Error: argument of \"hairpin\" must be one of \"off\", \"on\", not \"x\"\n",
    ),
    ("ip link set va type bridge_slave state x", 255, "Error: argument \"x\" is wrong: state is invalid\n"),
    ("ip link set va type bridge_slave cost x", 255, "Error: argument \"x\" is wrong: cost is invalid\n"),
    ("ip link set va promisc x", 1, "Error: argument of \"promisc\" must be \"on\" or \"off\", not \"x\"\n"),
    ("ip addr del 10.0.0.9/24", 1, "Not enough information: \"dev\" argument is required.\n"),
    ("ip route add 10.5.0.0/16 dev va src x", 1, "Error: inet address is expected rather than \"x\".\n"),
    ("ip route add 10.5.0.0/16 via inet x", 1, "Error: inet address is expected rather than \"x\".\n"),
    ("ip route show via x", 1, "Error: any valid prefix is expected rather than \"x\".\n"),
    ("ip route show src x", 1, "Error: any valid prefix is expected rather than \"x\".\n"),
    ("ip route show root x", 1, "Error: any valid prefix is expected rather than \"x\".\n"),
    ("ip route show zz", 1, "Error: any valid prefix is expected rather than \"zz\".\n"),
    ("ip route show type zzz", 255, "Error: argument \"zzz\" is wrong: node type value is invalid\n\n"),
    ("ip route get x", 1, "Error: any valid prefix is expected rather than \"x\".\n"),
    ("ip route get 10.0.0.5 sport x", 255, "Error: argument \"x\" is wrong: invalid sport\n\n"),
    ("ip route get 10.0.0.5 from x", 1, "Error: inet prefix is expected rather than \"x\".\n"),
    (
        "ip rule add oif this-name-is-too-long",
        255,
        "Error: argument \"this-name-is-too-long\" is wrong: \"oif\" not a valid ifname\n",
    ),
    ("ip rule add from x", 1, "Error: any valid prefix is expected rather than \"x\".\n"),
    ("ip rule add dport x", 255, "Error: argument \"x\" is wrong: invalid dport range\n\n"),
    ("ip rule show table x", 255, "Error: argument \"x\" is wrong: table id value is invalid\n\n"),
    ("ip neigh add proxy x", 1, "Error: any valid address is expected rather than \"x\".\n"),
    ("ip neigh show nud x", 255, "Error: argument \"x\" is wrong: nud state is bad\n"),
    ("ip netns del", 1, "No netns name specified\n"),
    ("ip netns pids", 1, "No netns name specified\n"),
    ("ip netns del a/b", 255, "Invalid netns name \"a/b\"\n"),
    ("ip link add name", 255, "Command line is not complete. Try option \"help\"\n"),
    ("ip link set va alias", 255, "Command line is not complete. Try option \"help\"\n"),
    ("ip link add br9 type bridge forward_delay x", 255, "Error: argument \"x\" is wrong: invalid forward_delay\n"),
    ("ip link add br9 type bridge priority x", 255, "Error: argument \"x\" is wrong: invalid priority\n"),
    ("ip neigh get 10.0.0.9", 1, "Device and address are required arguments.\n"),
    ("ip addr show to x", 1, "Error: any valid prefix is expected rather than \"x\".\n"),
    ("ip route add default via x", 1, "Error: any valid address is expected rather than \"x\".\n"),
    ("ip route add via x", 1, "Error: any valid address is expected rather than \"x\".\n"),
    ("ip route add via inet x", 1, "Error: inet address is expected rather than \"x\".\n"),
    ("ip route add default src x", 1, "Error: any valid address is expected rather than \"x\".\n"),
    ("ip addr add 10.0.0.1/24 dev va", 2, "Error: ipv4: Address already assigned.\n"),
    ("ip addr add 10.0.0.1/24 dev nosuch", 1, "Cannot find device \"nosuch\"\n"),
    ("ip addr del 10.0.0.9/24 dev va", 2, "Error: ipv4: Address not found.\n"),
    ("ip addr add 10.0.0.300/24 dev va", 1, "Error: any valid prefix is expected rather than \"10.0.0.300/24\".\n"),
    ("ip link set nosuch up", 1, "Cannot find device \"nosuch\"\n"),
    ("ip link add va type veth peer name vc", 2, "RTNETLINK answers: File exists\n"),
    ("ip link add a-name-that-is-too-long type veth", 2, "Error: Attribute failed policy validation.\n"),
    (
        "ip link set va mtu 20; ip link set va mtu 70000",
        2,
        "Error: mtu less than device minimum.\nError: mtu greater than device maximum.\n",
    ),
    ("ip link set va address 01:00:00:00:00:01", 2, "RTNETLINK answers: Cannot assign requested address\n"),
    ("ip link set va master vb", 2, "RTNETLINK answers: Operation not supported\n"),
    (
        "ip link set br0 master br0; ip link set lo master br0",
        2,
        "Error: Can not enslave a bridge to a bridge.\nRTNETLINK answers: Invalid argument\n",
    ),
    ("ip link del lo", 2, "RTNETLINK answers: Operation not supported\n"),
    ("ip link set va netns nosuch", 255, "Error: argument \"nosuch\" is wrong: Invalid \"netns\" value\n\n"),
    ("ip link add d0 type nosuchkind", 2, "Error: Unknown device type.\n"),
    ("ip link add link nosuch name va.5 type vlan id 5", 1, "Cannot find device \"nosuch\"\n"),
    ("ip -n nosuch link", 255, "Cannot open network namespace \"nosuch\": No such file or directory\n"),
    ("ip route add 10.1.0.5/24 via 10.0.0.77", 2, "Error: Invalid prefix for given prefix length.\n"),
    ("ip route add 10.5.0.0/33 via 10.1.0.1", 1, "Error: any valid prefix is expected rather than \"10.5.0.0/33\".\n"),
    ("ip route del 10.123.0.0/16", 2, "RTNETLINK answers: No such process\n"),
    ("ip route change 10.124.0.0/16 via 10.0.0.77", 2, "Error: Nexthop has invalid gateway.\n"),
    ("ip route add 10.5.0.0/16 dev nosuch", 1, "Cannot find device \"nosuch\"\n"),
    ("ip route add 10.5.0.0/16 dev va", 2, "Error: Device for nexthop is not up.\n"),
    ("ip rule add from 10.0.0.0/8 table nosuch", 255, "Error: argument \"nosuch\" is wrong: invalid table ID\n\n"),
    ("ip rule del pref 999", 2, "RTNETLINK answers: No such file or directory\n"),
];

fn world() -> (Session, impl Fn(&mut Session, &str) -> (i32, String)) {
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
    let run = move |s: &mut Session, line: &str| {
        let r = run_line(s, h, ns, line);
        match r.refusal {
            Some((r, _)) => (-1, r.to_string()),
            None => (r.exit, r.stderr),
        }
    };
    let (code, err) = run(
        &mut s,
        "ip link add va type veth peer name vb; ip link add br0 type bridge; ip addr add 10.0.0.1/24 dev va",
    );
    assert_eq!((code, err.as_str()), (0, ""));
    (s, run)
}

#[test]
fn wrong_lines_are_answered_as_ip_does() {
    let mut wrong = String::new();
    for (line, code, text) in ERRORS {
        let (mut s, run) = world();
        let got = run(&mut s, line);
        if got != (*code, (*text).to_owned()) {
            wrong.push_str(&format!("{line}\n   ip: {code} {text:?}\n  got: {} {:?}\n", got.0, got.1));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

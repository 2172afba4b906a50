//! VXLAN and macvlan by their tools: what Linux 6.18 and iproute2 6.1 answered to the same lines.

use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;

fn host() -> Session {
    let mut s = Session::new(1);
    let nic = NicSpec {
        name: "eth0".into(),
        lan: "lan".into(),
        address: "10.9.0.1/24".parse().ok(),
        mac: None,
        mtu: None,
        gateway: None,
    };
    s.add_host(&HostSpec { name: "h1".into(), nics: vec![nic], ..HostSpec::default() }).expect("a host");
    s
}

/// Runs lines: `$ line`, and below each what it prints, with `rc=N` where it fails.
fn check(transcript: &str) {
    let mut s = host();
    let (h, ns) = s.place("h1").expect("the host");
    let mut got = String::new();
    for line in transcript.lines().filter_map(|l| l.strip_prefix("$ ")) {
        let r = run_line(&mut s, h, ns, line);
        got.push_str(&format!("$ {line}\n{}{}", r.stdout, r.stderr));
        if r.exit != 0 {
            got.push_str(&format!("rc={}\n", r.exit));
        }
    }
    assert_eq!(got, transcript);
}

#[test]
fn vxlan_refusals() {
    check(
        "\
$ ip link add vx0 type vxlan
Error: Required attributes not provided to perform the operation.
rc=2
$ ip link add vx0 type vxlan dstport 4789
vxlan: missing virtual network identifier
rc=1
$ ip link add vx0 type vxlan id 16777216
Error: argument \"16777216\" is wrong: invalid id
rc=255
$ ip link add vx0 type vxlan id 5 id 6
Error: either \"id\" is duplicate, or \"6\" is a garbage.
rc=255
$ ip link add vx0 type vxlan id 42 remote 10.9.0.2 dev nope dstport 4789
Cannot find device \"nope\"
rc=255
$ ip link add vx0 mtu 1500 type vxlan id 42 remote 10.9.0.2 dev eth0 dstport 4789
$ cat /sys/class/net/vx0/mtu
1450
$ ip link set vx0 mtu 1451
RTNETLINK answers: Invalid argument
rc=2
$ ip link add vx1 type vxlan id 42 dstport 4789
Error: A VXLAN device with the specified VNI already exists.
rc=2
$ ip link add vx1 type vxlan id 42 dstport 4790
$ ip link set vx0 type vxlan id 5
Error: Cannot change VNI.
rc=2
$ ip link set vx0 type vxlan ttl 7 nolearning ageing 30
$ ip link set vx0 type vxlan proxy
Error: vxlan: cannot change PROXY flag.
rc=2
$ ip link set vx0 type vxlan remote 10.9.0.7
$ bridge fdb show dev vx0
00:00:00:00:00:00 dst 10.9.0.7 via eth0 self permanent
",
    );
}

#[test]
fn vxlan_fdb() {
    check(
        "\
$ ip link add vx0 type vxlan id 42 dev eth0 dstport 4789 maxaddress 6
$ bridge fdb add 02:00:00:00:00:01 dev vx0
RTNETLINK answers: Invalid argument
rc=255
$ bridge fdb add 02:00:00:00:00:01 dev vx0 dst 10.9.0.5
$ bridge fdb add 02:00:00:00:00:01 dev vx0 dst 10.9.0.6
RTNETLINK answers: File exists
rc=255
$ bridge fdb append 02:00:00:00:00:01 dev vx0 dst 10.9.0.6
$ bridge fdb replace 02:00:00:00:00:01 dev vx0 dst 10.9.0.8
$ bridge fdb add 02:00:00:00:00:02 dev vx0 dst 10.9.0.6 static
$ bridge fdb add 02:00:00:00:00:03 dev vx0 dst 10.9.0.6 dynamic
$ bridge fdb add 02:00:00:00:00:04 dev vx0 dst 10.9.0.6 port 55 vni 77 via eth0
$ bridge fdb replace 00:00:00:00:00:00 dev vx0 dst 10.9.0.6
RTNETLINK answers: Operation not supported
rc=255
$ bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.9.0.6
$ bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.9.0.6
$ bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.9.0.7
$ bridge fdb replace 00:00:00:00:00:00 dev vx0 dst 10.9.0.8
Error: Cannot replace non-unicast fdb entries.
rc=255
$ bridge fdb add 01:00:5e:00:00:05 dev vx0 dst 10.9.0.6
$ bridge fdb add 02:00:00:00:00:07 dev vx0 dst 10.9.0.6
RTNETLINK answers: No space left on device
rc=255
$ bridge fdb show dev vx0
01:00:5e:00:00:05 dst 10.9.0.6 self permanent
00:00:00:00:00:00 dst 10.9.0.6 self permanent
00:00:00:00:00:00 dst 10.9.0.7 self permanent
02:00:00:00:00:04 dst 10.9.0.6 port 55 vni 77 via eth0 self permanent
02:00:00:00:00:03 dst 10.9.0.6 self 
02:00:00:00:00:02 dst 10.9.0.6 self static
02:00:00:00:00:01 dst 10.9.0.8 self permanent
$ bridge fdb del 02:00:00:00:00:01 dev vx0 dst 1.2.3.4
$ bridge fdb del 02:00:00:00:00:01 dev vx0
$ bridge fdb del 02:00:00:00:00:01 dev vx0
RTNETLINK answers: No such file or directory
rc=255
$ ip link set vx0 up; ss -Hlnu | awk '{print $4}'
0.0.0.0:4789
$ ip link set vx0 down; ip netns add zz; ip link set vx0 netns zz; bridge -n zz fdb show dev vx0
01:00:5e:00:00:05 dst 10.9.0.6 link-netnsid 0 self permanent
00:00:00:00:00:00 dst 10.9.0.6 link-netnsid 0 self permanent
00:00:00:00:00:00 dst 10.9.0.7 link-netnsid 0 self permanent
02:00:00:00:00:04 dst 10.9.0.6 port 55 vni 77 via ifindex 2 link-netnsid 0 self permanent
02:00:00:00:00:02 dst 10.9.0.6 link-netnsid 0 self static
$ ip -n zz link set vx0 up; ss -Hlnu | awk '{print $4}'; ip netns exec zz ss -Hlnu
0.0.0.0:4789
$ ip link del eth0; ip -n zz -br link show
lo               DOWN           00:00:00:00:00:00 <LOOPBACK> 
",
    );
}

#[test]
fn macvlan() {
    check(
        "\
$ ip link add mv type macvlan
RTNETLINK answers: Invalid argument
rc=2
$ ip link add mv link eth0 address 02:00:00:00:0a:01 type macvlan mode bridge
$ ip link add mv2 link eth0 address 02:00:00:00:0a:01 mtu 1501 type macvlan
RTNETLINK answers: Invalid argument
rc=2
$ ip link add mv2 link eth0 address 02:00:00:00:0a:01 type macvlan
$ ip link set mv up; ip link set mv2 up
RTNETLINK answers: Address already in use
rc=2
$ ip link set mv2 address 02:00:00:00:0a:02; ip link set mv2 up; ip link set mv2 address 02:00:00:00:0a:01
RTNETLINK answers: Address already in use
rc=2
$ ip link add br0 type bridge; ip link set eth0 master br0
RTNETLINK answers: Device or resource busy
rc=2
$ bridge fdb show dev eth0 | head -2
02:00:00:00:0a:01 self permanent
02:00:00:00:0a:02 self permanent
$ ip link set eth0 mtu 1400; cat /sys/class/net/mv/mtu
1400
$ ip link set mv netns lost
Error: argument \"lost\" is wrong: Invalid \"netns\" value

rc=255
$ ip netns add zz; ip link set mv netns zz; ip -n zz link set mv up; ip -n zz -br link show mv
mv@if2           UP             02:00:00:00:0a:01 <BROADCAST,MULTICAST,UP,LOWER_UP> 
$ ip link set eth0 down; ip -n zz -br link show mv; ip -br link show mv2
mv@if2           DOWN           02:00:00:00:0a:01 <NO-CARRIER,BROADCAST,MULTICAST,UP> 
mv2@eth0         LOWERLAYERDOWN 02:00:00:00:0a:02 <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> 
$ ip link del eth0; ip -n zz -br link show; ip -br link show type macvlan
lo               DOWN           00:00:00:00:00:00 <LOOPBACK> 
",
    );
}

#[test]
fn devices_never_stand_on_themselves() {
    check(
        "\
$ ip link add br0 type bridge
$ ip link add vx0 type vxlan id 5 dstport 4789 dev br0
$ ip link set vx0 master br0
RTNETLINK answers: Device or resource busy
rc=2
$ ip link add mv0 link br0 type macvlan
$ ip link set mv0 master br0
RTNETLINK answers: Device or resource busy
rc=2
$ ip link add br1 type bridge
$ ip link set mv0 master br1
$ ip link add vx1 type vxlan id 6 dstport 4789 dev br1
$ ip link set vx1 master br0
RTNETLINK answers: Device or resource busy
rc=2
$ brctl addif br0 vx1
device vx1 is already a member of a bridge; can't add it to bridge br0.
rc=1
$ ip link add vx2 type vxlan id 7 dstport 4789 remote 10.0.0.2
$ ip link set vx2 master br0
$ ip link set vx2 type vxlan id 7 dev br0
RTNETLINK answers: Device or resource busy
rc=2
$ ip link set vx2 type vxlan id 7 dev vx2
RTNETLINK answers: Device or resource busy
rc=2
",
    );
}

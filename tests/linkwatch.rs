//! When a bridge is seen to have lost its carrier: an experiment in namespaces of Linux 6.18, repeated here.

use packetwalk_sim::scenario::parse;
use packetwalk_sim::scenario::run::walk;

const HEAD: &str = "name: t\ntitle: t\nhosts: {a: 10.0.0.1/24}\nsteps:\n";
/// A bridge with one port, up for longer than a second.
const BUILD: &str = "ip link add br0 type bridge; ip link add v0 type veth peer name v1; ip link set v0 master br0; \
                     ip addr add 10.1.0.1/24 dev br0; ip link set br0 up; ip link set v1 up; ip link set v0 up; sleep 2";
/// A list of devices is told as it is; a question about one brings it up to date.
const SHOW: &str = "ip -o link | grep br0: | sed 's/.*<\\(.*\\)>.*state \\([A-Z]*\\).*/\\1 \\2/'";
const UP: &str = "BROADCAST,MULTICAST,UP,LOWER_UP UP\n";
/// The carrier is gone, and nobody has looked yet.
const UNSEEN: &str = "BROADCAST,MULTICAST,UP UP\n";
const DOWN: &str = "NO-CARRIER,BROADCAST,MULTICAST,UP DOWN\n";

/// What each of these lines writes, after the bridge was built.
fn told(lines: &[&str]) -> Vec<String> {
    let steps: String = [BUILD].iter().chain(lines).map(|l| format!("  - run: |-\n      a$ {l}\n")).collect();
    let s = parse(&format!("{HEAD}{steps}")).unwrap_or_else(|e| panic!("{e:?}"));
    let w = walk(&s).unwrap_or_else(|e| panic!("{e:?}"));
    w.steps.into_iter().skip(1).map(|s| s.stdout).collect()
}

/// Nothing happened within the last second: the worker looks at once.
#[test]
fn after_a_quiet_second_at_once() {
    let told = told(&[SHOW, "ip link set v0 nomaster", SHOW, "ip route show dev br0"]);
    assert_eq!(told[..3], [UP, "", DOWN]);
    assert!(told[3].contains("linkdown"), "{}", told[3]);
}

/// A port's own carrier is told at once, and the bridge that loses its carrier by it a second later.
#[test]
fn within_a_second_of_another_later() {
    let told = told(&["ip link set v1 down", SHOW, "ip route show dev br0", "sleep 0.9", SHOW, "sleep 0.2", SHOW]);
    assert_eq!([&told[1], &told[4], &told[6]], [UNSEEN, UNSEEN, DOWN]);
    assert!(!told[2].contains("linkdown"), "{}", told[2]);
}

/// What came back meanwhile was never away: neighbours stay.
#[test]
fn back_before_anybody_looked() {
    let told = told(&[
        "ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev br0 nud reachable; ip link set v1 down; sleep 0.3; \
         ip link set v1 up; sleep 2",
        SHOW,
        "ip neigh show dev br0",
    ]);
    assert_eq!(told[1], UP);
    assert!(told[2].contains("10.1.0.9"), "{}", told[2]);
}

/// Whoever asks about one device does not wait for the worker.
#[test]
fn a_question_brings_it_up_to_date() {
    for ask in ["ip link show dev br0", "ip -4 addr show br0"] {
        let told = told(&[&format!("ip link set v1 down; {SHOW}; {ask} > /dev/null"), SHOW]);
        assert_eq!(told, [UNSEEN, DOWN], "{ask}");
    }
    for ask in ["ip addr", "ip -br link", "bridge link"] {
        let told = told(&[&format!("ip link set v1 down; {ask} > /dev/null"), SHOW]);
        assert_eq!(told[1], UNSEEN, "{ask}");
    }
}

//! What a table forgets is told in the step in which it happens, with the time at which it expired, and once.

use packetwalk_sim::scenario::{parse, run};
use packetwalk_sim::trace::clause::clause;

/// Hosts and steps; then what is forgotten, each with the number of its step and its second since the walk began.
fn check(steps: &str, expected: &[(usize, &str)]) {
    let text = format!(
        "name: x\nhosts:\n  a: {{interfaces: {{eth0: 10.0.0.1/24}}}}\n  b: {{interfaces: {{eth0: 10.0.0.2/24}}, serve: [80]}}\n\
         setup:\n  - b$ iptables -A INPUT -m conntrack --ctstate INVALID -j DROP\nsteps:\n{steps}"
    );
    let w = run::walk(&parse(&text).expect("it is right")).expect("it runs");
    let mut got = Vec::new();
    for r in &w.steps {
        let events = &w.session.kernel.rec.events[r.first_event..r.end_event];
        for (i, e) in events.iter().enumerate() {
            let (name, said, _) = clause(&w.session, &e.kind);
            // The LAN's own switch forgets as well.
            if !name.ends_with("_expired") || w.session.kernel.ns(e.ns).is_switch {
                continue;
            }
            assert!(events[..i].iter().all(|x| x.at <= e.at), "step {}: it stands where its time was", r.index);
            got.push((r.index, format!("{} s: {said}", e.at / 1_000_000_000)));
        }
    }
    let got: Vec<(usize, &str)> = got.iter().map(|(n, t)| (*n, t.as_str())).collect();
    assert_eq!(got, expected);
}

#[test]
fn connections() {
    check(
        "  - a> ping 10.0.0.2\n  - sleep: 29\n  - sleep: 10\n  - sleep: 100\n",
        &[(3, "30 s: conntrack forgets icmp 10.0.0.1 > 10.0.0.2 id 40000: its time is over")],
    );
}

/// It makes way for the same flow, which begins anew, before the step is over.
#[test]
fn a_connection_that_makes_way() {
    check(
        "  - a> ping 10.0.0.2\n  - b$ sysctl -w net.netfilter.nf_conntrack_max=1\n  - a$ sleep 40; ping -c 1 10.0.0.2\n",
        &[(3, "30 s: conntrack forgets icmp 10.0.0.1 > 10.0.0.2 id 40000: its time is over")],
    );
}

#[test]
fn what_a_bridge_learnt() {
    let build = "  - a$ ip netns add n; ip link add br0 type bridge ageing_time 1000; ip link set br0 up; ip addr add 10.7.0.1/24 dev br0; \
                 ip link add v0 type veth peer name eth0 netns n; ip link set v0 master br0 up; \
                 ip -n n link set eth0 address 02:00:00:00:00:07; ip -n n link set eth0 up; ip -n n addr add 10.7.0.2/24 dev eth0\n";
    check(
        &format!("{build}  - a> ping 10.7.0.2\n  - sleep: 60\n"),
        &[(3, "15 s: fdb forgets 02:00:00:00:00:07 at v0: not heard again")],
    );
}

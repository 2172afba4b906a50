//! One overlay network over many hosts: every engine hears of every endpoint, and containers reach each other.

use packetwalk_sim::app::probe::Probe;
use packetwalk_sim::docker::{Config, Profile};
use packetwalk_sim::kernel::types::SEC;
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;
use packetwalk_sim::trace::Outcome;

/// A swarm, a network over it, and what is to be seen once all containers run.
struct Case {
    profile: Profile,
    hosts: u32,
    containers: u32,
    /// Length of the network's subnet.
    prefix: u8,
}

fn lines(s: &mut Session, host: &str, line: &str) -> String {
    let (h, ns) = s.place(host).expect("the host");
    // Each line is a step: the bound on frames counts anew.
    s.marks.present = s.kernel.rec.events.len();
    let r = run_line(s, h, ns, line);
    assert_eq!((r.exit, r.refusal.is_none()), (0, true), "{host}$ {line}\n{}", r.stderr);
    r.stdout
}

fn build(c: &Case) -> Session {
    let mut s = Session::new(1);
    for i in 1..=c.hosts {
        let nic = NicSpec {
            name: "eth0".into(),
            lan: "lan".into(),
            address: format!("192.168.{}.{}/16", i / 200, i % 200 + 1).parse().ok(),
            mac: None,
            mtu: None,
            gateway: None,
        };
        let id =
            s.add_host(&HostSpec { name: format!("h{i}"), nics: vec![nic], ..HostSpec::default() }).expect("a host");
        s.start_docker(id, c.profile, Config::default()).expect("a daemon");
    }
    lines(&mut s, "h1", "docker swarm init");
    let token = lines(&mut s, "h1", "docker swarm join-token -q worker");
    for i in 2..=c.hosts {
        lines(&mut s, &format!("h{i}"), &format!("docker swarm join --token {} 192.168.0.2:2377", token.trim()));
    }
    lines(&mut s, "h1", &format!("docker network create -d overlay --attachable --subnet 10.8.0.0/{} ov", c.prefix));
    for n in 1..=c.containers {
        for i in 1..=c.hosts {
            lines(&mut s, &format!("h{i}"), &format!("docker run -itd --name c{i}-{n} --net ov busybox"));
        }
    }
    s.advance(5 * SEC);
    s
}

/// The network's namespace on each host knows all endpoints elsewhere, and the farthest two containers talk.
fn check(c: &Case) {
    let mut s = build(c);
    // A load balancer is an endpoint of each node.
    let elsewhere = ((c.hosts - 1) * (c.containers + 1)) as usize;
    for i in 1..=c.hosts {
        let (_, ns) = s.place(&format!("h{i}/overlay:ov")).expect("the network's namespace");
        let state = packetwalk_sim::trace::state::netns_state(&s.kernel, ns);
        let list = |k: &str| state[k].as_array().cloned().unwrap_or_default();
        let permanent = list("neigh").iter().filter(|n| n["state"][0] == "PERMANENT").count();
        let tunnels = list("fdb").iter().filter(|f| !f["dst"].is_null()).count();
        assert_eq!((permanent, tunnels), (elsewhere, elsewhere), "h{i}");
    }
    let (h, ns) = s.place("h1/c1-1").expect("the first container");
    let probe = Probe::parse(&format!("ping c{}-{}", c.hosts, c.containers)).expect("a probe");
    let r = s.probe(h, ns, &probe);
    assert_eq!((r.outcome, r.ttl), (Some(Outcome::Reply), Some(64)));
}

#[test]
fn three_hosts_of_each_engine() {
    for profile in [Profile::V20, Profile::V28, Profile::V29] {
        check(&Case { profile, hosts: 3, containers: 2, prefix: 24 });
    }
}

#[test]
fn fifty_hosts_of_forty_containers() {
    check(&Case { profile: Profile::V28, hosts: 50, containers: 40, prefix: 16 });
}

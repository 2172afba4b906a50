//! What holds of every sequence of docker commands, mistakes included: nothing stays behind when all is removed, and
//! the same sequence says and leaves the same.

use packetwalk_sim::docker::{Config, Profile};
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::{HostSpec, NicSpec};
use packetwalk_sim::shell::run_line;
use proptest::prelude::*;

struct World {
    s: Session,
    /// Everything that was printed.
    said: String,
}

impl World {
    fn new(profile: Profile, flags: &[&str]) -> World {
        let mut s = Session::new(7);
        let nic = NicSpec {
            name: "eth0".into(),
            lan: "lan".into(),
            address: "192.168.91.128/24".parse().ok(),
            mac: None,
            mtu: None,
            gateway: None,
        };
        let host = s.add_host(&HostSpec { name: "h".into(), nics: vec![nic], ..HostSpec::default() }).expect("a host");
        let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
        s.start_docker(host, profile, Config::from_flags(&flags, profile).expect("flags")).expect("it starts");
        World { s, said: String::new() }
    }

    fn run(&mut self, line: &str) -> String {
        let (h, ns) = self.s.place("h").expect("the host");
        let r = run_line(&mut self.s, h, ns, line);
        assert!(r.refusal.is_none(), "{line}: {:?}", r.refusal);
        self.said.push_str(&format!("$ {line}\n{}{}{}\n", r.stdout, r.stderr, r.exit));
        r.stdout
    }

    /// What a host keeps of containers and networks: rules, links, addresses, routes, sockets, namespaces.
    fn left(&mut self) -> String {
        let mut all = String::new();
        for line in [
            "iptables-save | grep -v '^[#:]'",
            "iptables-save | grep '^:' | cut -d' ' -f1,2",
            "ip -br link | cut -d' ' -f1",
            "ip -br -4 addr",
            "ip route",
            "ss -ltnu",
            "docker ps -aq",
            "docker network ls --format '{{.Name}} {{.Driver}}'",
        ] {
            all.push_str(&format!("{line}\n{}", self.run(line)));
        }
        let k = &self.s.kernel;
        let live = k.netns.iter().filter(|n| n.devs.values().any(|d| !k.dev(*d).is_loopback())).count();
        all.push_str(&format!("namespaces with links: {live}\n"));
        all
    }

    /// Rules of `--link` without icc outlive a child whose endpoint changed: the engine's own way
    /// (tests/recordings, own-link-leave).
    fn forget_links(&mut self) {
        if !self.said.contains("--link ") {
            return;
        }
        for rule in self.run("iptables -S DOCKER").lines() {
            if rule.contains("-i docker0 -o docker0") && (rule.contains("--dport") || rule.contains("--sport")) {
                self.run(&format!("iptables {}", rule.replacen("-A", "-D", 1)));
            }
        }
    }

    fn remove_all(&mut self) {
        self.run("for c in $(docker ps -aq); do docker rm -f $c; done");
        for n in 0..3 {
            self.run(&format!("docker network rm n{n}"));
        }
        // The namespace of a container that could not start stays until its announcements end.
        self.run("sleep 5");
    }
}

/// One docker command about four containers and three networks.
fn command() -> impl Strategy<Value = String> {
    let c = || (0..4u8).prop_map(|i| format!("c{i}"));
    let n = || (0..3u8).prop_map(|i| format!("n{i}"));
    let net = || prop_oneof![n(), Just("bridge".to_owned()), Just("host".to_owned()), Just("none".to_owned())];
    let port = || {
        prop_oneof![
            Just(String::new()),
            (8080..8083u16).prop_map(|p| format!("-p {p}:80 ")),
            (8080..8083u16).prop_map(|p| format!("-p 127.0.0.1:{p}:80 ")),
            Just("-p 53:53/udp ".to_owned()),
            Just("-p 80 ".to_owned()),
            Just("-P ".to_owned()),
            Just("-p 9000-9001:80-81 ".to_owned()),
        ]
    };
    let more = || {
        prop_oneof![
            4 => Just(String::new()),
            1 => (2..5u8).prop_map(|i| format!("--ip 10.77.0.{i} ")),
            1 => Just("--network-alias www ".to_owned()),
            1 => (0..4u8).prop_map(|i| format!("--link c{i}:other ")),
        ]
    };
    let create = prop_oneof![
        Just(String::new()),
        Just("--subnet 10.77.0.0/24 ".to_owned()),
        Just("--subnet 10.77.0.0/28 --ip-range 10.77.0.8/29 ".to_owned()),
        Just("--internal ".to_owned()),
        Just("-o com.docker.network.bridge.enable_icc=false ".to_owned()),
        Just("-o com.docker.network.bridge.enable_ip_masquerade=false ".to_owned()),
        Just("-o com.docker.network.bridge.name=br7 ".to_owned()),
    ];
    let verb =
        prop_oneof![Just("start"), Just("stop -t 0"), Just("restart -t 0"), Just("kill"), Just("rm"), Just("rm -f")];
    prop_oneof![
        2 => (create, n()).prop_map(|(o, n)| format!("docker network create {o}{n}")),
        1 => n().prop_map(|n| format!("docker network rm {n}")),
        4 => (c(), net(), port(), more(), any::<bool>()).prop_map(|(c, n, p, m, run)| {
            format!("docker {} --name {c} --network {n} {p}{m}nginx", if run { "run -d" } else { "create" })
        }),
        3 => (verb, c()).prop_map(|(v, c)| format!("docker {v} {c}")),
        2 => (n(), c()).prop_map(|(n, c)| format!("docker network connect {n} {c}")),
        2 => (net(), c()).prop_map(|(n, c)| format!("docker network disconnect {n} {c}")),
        1 => Just("docker network prune -f".to_owned()),
        1 => (c(), c()).prop_map(|(a, b)| format!("docker rename {a} {b}")),
    ]
}

fn engine() -> impl Strategy<Value = (Profile, &'static [&'static str])> {
    let flags: [&[&str]; 4] = [&[], &["--icc=false"], &["--userland-proxy=false"], &["--iptables=false"]];
    (prop_oneof![Just(Profile::V20), Just(Profile::V28), Just(Profile::V29)], prop::sample::select(flags.to_vec()))
}

/// So many cases, or what `PROPTEST_CASES` says.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn nothing_stays_behind((profile, flags) in engine(), lines in prop::collection::vec(command(), 1..24)) {
        let mut w = World::new(profile, flags);
        // Tables stay once they were used, and the first network may leave settings.
        w.run("docker network create n0");
        w.run("docker run -d --name c0 -p 8080:80 nginx");
        w.remove_all();
        let before = w.left();
        for l in &lines {
            w.run(l);
        }
        w.remove_all();
        w.forget_links();
        prop_assert_eq!(w.left(), before, "{}", w.said);
        // Addresses start again from the first.
        w.run("docker run -itd --name c0 busybox");
        prop_assert_eq!(w.run("docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' c0"), "172.17.0.2\n", "{}", w.said);
    }

    #[test]
    fn the_same_lines_say_the_same((profile, flags) in engine(), lines in prop::collection::vec(command(), 1..24)) {
        let go = || {
            let mut w = World::new(profile, flags);
            for l in &lines {
                w.run(l);
            }
            let left = w.left();
            (w.said, left, w.s.kernel.queue.now)
        };
        let (a, b) = (go(), go());
        prop_assert_eq!(a, b);
    }
}

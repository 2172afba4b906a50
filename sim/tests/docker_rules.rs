//! The rules of an engine by version, as `iptables -S` would list them: a fresh daemon, and a network `bridge1`
//! 192.0.2.0/24 with a container that publishes 8080.

use indexmap::IndexMap;
use packetwalk_sim::command::iptables;
use packetwalk_sim::docker::network::NetSpec;
use packetwalk_sim::docker::{Config, Container, Docker, Endpoint, Profile, publish};
use packetwalk_sim::kernel::types::HostId;
use packetwalk_sim::kernel::xtables::Variant;
use packetwalk_sim::session::Session;
use packetwalk_sim::session::topology::HostSpec;

fn world(p: Profile, flags: &[&str]) -> (Session, HostId) {
    let mut s = Session::new(1);
    let host = s.add_host(&HostSpec { name: "h".into(), ..HostSpec::default() }).expect("a host");
    let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
    s.start_docker(host, p, Config::from_flags(&flags, p).expect("flags")).expect("it starts");
    (s, host)
}

/// With `bridge1` and its container.
fn published(p: Profile, flags: &[&str], spec: &str) -> (Session, HostId) {
    made(p, flags, &[], spec)
}

fn made(p: Profile, flags: &[&str], extra: &[(&str, &str)], spec: &str) -> (Session, HostId) {
    let (mut s, host) = world(p, flags);
    let mut d = Docker::open(&mut s, host).expect("an engine");
    let mut options = IndexMap::new();
    options.insert("com.docker.network.bridge.name".to_owned(), "bridge1".to_owned());
    let internal = extra.iter().any(|o| o.0 == "internal");
    let more = extra.iter().filter(|o| o.0 != "internal");
    options.extend(more.map(|(k, v)| (format!("com.docker.network.bridge.{k}"), (*v).to_owned())));
    let net =
        NetSpec { name: "n".into(), subnets: vec!["192.0.2.0/24".into()], options, internal, ..NetSpec::default() };
    d.network_create(&net).expect("a network");
    let mut c = Container { name: "c1".into(), image: "nginx".into(), network_mode: "n".into(), ..Default::default() };
    c.endpoints.insert("n".into(), Endpoint::default());
    c.publish = publish::parse(spec).expect("-p");
    let id = d.create(c).expect("a container");
    d.start(&id).expect("it starts");
    (s, host)
}

fn rules(s: &Session, host: HostId) -> Vec<String> {
    let ns = s.kernel.host(host).root_ns;
    let mut table = "";
    let text = iptables::save(s.kernel.ns(ns).nf.xt.of(Variant::Nft), Variant::Nft, false, None);
    let mut out = Vec::new();
    for l in text.lines() {
        if let Some(t) = l.strip_prefix('*') {
            table = t;
        } else if l.starts_with("-A") {
            out.push(format!("{table} {l}"));
        }
    }
    out.sort_by_key(|l| l.split(' ').next().map(str::to_owned));
    out
}

fn check(what: &str, got: &[String], want: &str) {
    let want: Vec<&str> = want.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(got, want, "{what}");
}

#[test]
fn fresh_daemon() {
    let (s, h) = world(Profile::V20, &[]);
    check("20.10", &rules(&s, h), V20_FRESH);
    let (s, h) = world(Profile::V28, &[]);
    check("28.5", &rules(&s, h), V28_FRESH);
    let (s, h) = world(Profile::V29, &[]);
    check("29", &rules(&s, h), V29_FRESH);
}

#[test]
fn a_published_port() {
    let (s, h) = published(Profile::V20, &[], "8080:80");
    check("20.10", &rules(&s, h), V20_PUBLISHED);
    let (s, h) = published(Profile::V28, &[], "8080:80");
    check("28.5", &rules(&s, h), V28_PUBLISHED);
    let (s, h) = published(Profile::V29, &[], "8080:80");
    check("29", &rules(&s, h), V29_PUBLISHED);
}

#[test]
fn on_loopback() {
    let (s, h) = published(Profile::V29, &[], "127.0.0.1:8080:80");
    let all = rules(&s, h);
    let has = |r: &str| assert!(all.iter().any(|x| x == r), "{r} is missing in {all:#?}");
    has("raw -A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8080 -j DROP");
    has("nat -A DOCKER -d 127.0.0.1/32 ! -i bridge1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.0.2.2:80");
}

/// A variant of the published port: its title, the daemon's options, the network's, and what is published.
type Case = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

const VARIANTS: [Case; 13] = [
    ("userland-proxy off", &["--userland-proxy=false"], &[], "8080:80"),
    ("icc off on the network", &[], &[("enable_icc", "false")], "8080:80"),
    ("icc off on docker0", &["--icc=false"], &[], "8080:80"),
    ("masquerade off on the network", &[], &[("enable_ip_masquerade", "false")], "8080:80"),
    ("masquerade off on docker0", &["--ip-masq=false"], &[], "8080:80"),
    ("no iptables", &["--iptables=false"], &[], "8080:80"),
    ("internal", &[], &[("internal", "")], "8080:80"),
    ("internal without icc", &[], &[("internal", ""), ("enable_icc", "false")], "8080:80"),
    ("gateway mode nat-unprotected", &[], &[("gateway_mode_ipv4", "nat-unprotected")], "8080:80"),
    ("gateway mode routed", &[], &[("gateway_mode_ipv4", "routed")], "8080:80"),
    ("a host's address", &[], &[("host_binding_ipv4", "127.0.0.2")], "8080:80"),
    ("loopback without proxy", &["--userland-proxy=false"], &[], "127.0.0.1:8080:80"),
    ("UDP", &[], &[], "53:53/udp"),
];

/// What one listing has and another has not, in order.
fn difference(a: &[String], b: &[String]) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (a.iter().map(String::as_str).collect(), b.iter().map(String::as_str).collect());
    let diff = similar::TextDiff::from_slices(&a, &b);
    let changed = diff.iter_all_changes().filter(|c| c.tag() != similar::ChangeTag::Equal);
    changed.map(|c| format!("{} {}\n", c.tag(), c.value())).collect()
}

/// Every variant, as what it changes of a plain published port. `UPDATE_DOCS=1` writes the file anew, to be read.
#[test]
fn variants() {
    let mut got = String::new();
    for p in [Profile::V20, Profile::V28, Profile::V29] {
        let (s, h) = published(p, &[], "8080:80");
        let plain = rules(&s, h);
        for (title, flags, options, spec) in VARIANTS {
            let modes = options.iter().any(|o| o.0.starts_with("gateway_mode"));
            if p == Profile::V20 && modes {
                continue;
            }
            let (s, h) = made(p, flags, options, spec);
            got.push_str(&format!("== {}: {title}\n{}\n", p.version(), difference(&plain, &rules(&s, h))));
        }
    }
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docker_rules/variants.txt");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(&file, &got).expect("written");
    }
    assert_eq!(got, std::fs::read_to_string(&file).expect("variants.txt"));
}

#[test]
fn everything_goes_again() {
    for p in [Profile::V20, Profile::V28, Profile::V29] {
        let (fresh, h) = world(p, &[]);
        let (mut s, host) = published(p, &[], "8080:80");
        let mut d = Docker::open(&mut s, host).expect("an engine");
        d.remove("c1", true).expect("rm -f");
        d.network_remove("n").expect("network rm");
        assert_eq!(rules(&s, host), rules(&fresh, h), "{p:?}");
    }
}

const V20_FRESH: &str = "
    filter -A FORWARD -j DOCKER-USER
    filter -A FORWARD -j DOCKER-ISOLATION-STAGE-1
    filter -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A FORWARD -o docker0 -j DOCKER
    filter -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
    filter -A FORWARD -i docker0 -o docker0 -j ACCEPT
    filter -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    filter -A DOCKER-ISOLATION-STAGE-1 -j RETURN
    filter -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    filter -A DOCKER-ISOLATION-STAGE-2 -j RETURN
    filter -A DOCKER-USER -j RETURN
    nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
    nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    nat -A DOCKER -i docker0 -j RETURN
";

const V28_FRESH: &str = "
    filter -A FORWARD -j DOCKER-USER
    filter -A FORWARD -j DOCKER-FORWARD
    filter -A DOCKER ! -i docker0 -o docker0 -j DROP
    filter -A DOCKER-BRIDGE -o docker0 -j DOCKER
    filter -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A DOCKER-FORWARD -j DOCKER-CT
    filter -A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
    filter -A DOCKER-FORWARD -j DOCKER-BRIDGE
    filter -A DOCKER-FORWARD -i docker0 -j ACCEPT
    filter -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    filter -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
    nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    nat -A DOCKER -i docker0 -j RETURN
";

const V29_FRESH: &str = "
    filter -A FORWARD -j DOCKER-USER
    filter -A FORWARD -j DOCKER-FORWARD
    filter -A DOCKER ! -i docker0 -o docker0 -j DROP
    filter -A DOCKER-BRIDGE -o docker0 -j DOCKER
    filter -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A DOCKER-FORWARD -j DOCKER-CT
    filter -A DOCKER-FORWARD -j DOCKER-INTERNAL
    filter -A DOCKER-FORWARD -j DOCKER-BRIDGE
    filter -A DOCKER-FORWARD -i docker0 -j ACCEPT
    nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
    nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
";

const V20_PUBLISHED: &str = "
    filter -A FORWARD -j DOCKER-USER
    filter -A FORWARD -j DOCKER-ISOLATION-STAGE-1
    filter -A FORWARD -o bridge1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A FORWARD -o bridge1 -j DOCKER
    filter -A FORWARD -i bridge1 ! -o bridge1 -j ACCEPT
    filter -A FORWARD -i bridge1 -o bridge1 -j ACCEPT
    filter -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A FORWARD -o docker0 -j DOCKER
    filter -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
    filter -A FORWARD -i docker0 -o docker0 -j ACCEPT
    filter -A DOCKER -d 192.0.2.2/32 ! -i bridge1 -o bridge1 -p tcp -m tcp --dport 80 -j ACCEPT
    filter -A DOCKER-ISOLATION-STAGE-1 -i bridge1 ! -o bridge1 -j DOCKER-ISOLATION-STAGE-2
    filter -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    filter -A DOCKER-ISOLATION-STAGE-1 -j RETURN
    filter -A DOCKER-ISOLATION-STAGE-2 -o bridge1 -j DROP
    filter -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    filter -A DOCKER-ISOLATION-STAGE-2 -j RETURN
    filter -A DOCKER-USER -j RETURN
    nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
    nat -A POSTROUTING -s 192.0.2.0/24 ! -o bridge1 -j MASQUERADE
    nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    nat -A POSTROUTING -s 192.0.2.2/32 -d 192.0.2.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
    nat -A DOCKER -i bridge1 -j RETURN
    nat -A DOCKER -i docker0 -j RETURN
    nat -A DOCKER ! -i bridge1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.0.2.2:80
";

const V28_PUBLISHED: &str = "
    filter -A FORWARD -j DOCKER-USER
    filter -A FORWARD -j DOCKER-FORWARD
    filter -A DOCKER -d 192.0.2.2/32 ! -i bridge1 -o bridge1 -p tcp -m tcp --dport 80 -j ACCEPT
    filter -A DOCKER ! -i docker0 -o docker0 -j DROP
    filter -A DOCKER ! -i bridge1 -o bridge1 -j DROP
    filter -A DOCKER-BRIDGE -o docker0 -j DOCKER
    filter -A DOCKER-BRIDGE -o bridge1 -j DOCKER
    filter -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A DOCKER-CT -o bridge1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A DOCKER-FORWARD -j DOCKER-CT
    filter -A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
    filter -A DOCKER-FORWARD -j DOCKER-BRIDGE
    filter -A DOCKER-FORWARD -i docker0 -j ACCEPT
    filter -A DOCKER-FORWARD -i bridge1 -j ACCEPT
    filter -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    filter -A DOCKER-ISOLATION-STAGE-1 -i bridge1 ! -o bridge1 -j DOCKER-ISOLATION-STAGE-2
    filter -A DOCKER-ISOLATION-STAGE-2 -o bridge1 -j DROP
    filter -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
    nat -A POSTROUTING -s 192.0.2.0/24 ! -o bridge1 -j MASQUERADE
    nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    nat -A DOCKER -i bridge1 -j RETURN
    nat -A DOCKER -i docker0 -j RETURN
    nat -A DOCKER ! -i bridge1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.0.2.2:80
    raw -A PREROUTING -d 192.0.2.2/32 ! -i bridge1 -j DROP
";

const V29_PUBLISHED: &str = "
    filter -A FORWARD -j DOCKER-USER
    filter -A FORWARD -j DOCKER-FORWARD
    filter -A DOCKER -d 192.0.2.2/32 ! -i bridge1 -o bridge1 -p tcp -m tcp --dport 80 -j ACCEPT
    filter -A DOCKER ! -i docker0 -o docker0 -j DROP
    filter -A DOCKER ! -i bridge1 -o bridge1 -j DROP
    filter -A DOCKER-BRIDGE -o docker0 -j DOCKER
    filter -A DOCKER-BRIDGE -o bridge1 -j DOCKER
    filter -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A DOCKER-CT -o bridge1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    filter -A DOCKER-FORWARD -j DOCKER-CT
    filter -A DOCKER-FORWARD -j DOCKER-INTERNAL
    filter -A DOCKER-FORWARD -j DOCKER-BRIDGE
    filter -A DOCKER-FORWARD -i docker0 -j ACCEPT
    filter -A DOCKER-FORWARD -i bridge1 -j ACCEPT
    nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
    nat -A POSTROUTING -s 192.0.2.0/24 ! -o bridge1 -j MASQUERADE
    nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    nat -A DOCKER ! -i bridge1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.0.2.2:80
    raw -A PREROUTING -d 192.0.2.2/32 ! -i bridge1 -j DROP
";

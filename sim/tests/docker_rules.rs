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
    s.start_docker(host, p, Config::from_flags(&flags).expect("flags")).expect("it starts");
    (s, host)
}

/// With `bridge1` and its container.
fn published(p: Profile, flags: &[&str], spec: &str) -> (Session, HostId) {
    let (mut s, host) = world(p, flags);
    let mut d = Docker::open(&mut s, host).expect("an engine");
    let mut options = IndexMap::new();
    options.insert("com.docker.network.bridge.name".to_owned(), "bridge1".to_owned());
    let net = NetSpec { name: "n".into(), subnets: vec!["192.0.2.0/24".into()], options, ..NetSpec::default() };
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

//! Rule sets and probes at random, as text.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

/// Names of the user chains of a table; a chain jumps only to later ones.
const USER: [&str; 4] = ["U1", "U2", "U3", "U4"];

fn one(words: &[&str]) -> BoxedStrategy<String> {
    select(words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).boxed()
}

/// `NAME VALUE`, sometimes negated.
fn asked(name: &'static str, value: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (prop::bool::weighted(0.25), value)
        .prop_map(move |(not, v)| {
            // nf_tables cannot ask that an address lies outside of everything.
            let not = not && v != "0.0.0.0/0";
            format!("{}{name} {v}", if not { "! " } else { "" })
        })
        .boxed()
}

/// The option or nothing.
fn maybe(p: f64, s: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop::option::weighted(p, s).prop_map(Option::unwrap_or_default).boxed()
}

fn joined(parts: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    parts.prop_map(|v| v.into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ")).boxed()
}

fn source() -> BoxedStrategy<String> {
    one(&[
        "10.0.1.2",
        "10.0.1.2/31",
        "10.0.1.4/30",
        "10.0.1.0/24",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "10.0.0.3/255.255.0.255",
        "10.0.1.5/32",
        "10.0.2.0/24",
    ])
}

fn destination() -> BoxedStrategy<String> {
    one(&[
        "10.0.2.2",
        "10.0.2.2/31",
        "10.0.2.4/30",
        "10.0.2.0/24",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "10.0.0.3/255.255.0.255",
        "10.0.2.77",
        "10.0.1.0/24",
    ])
}

/// Ports or ranges as `--dport` takes them.
fn ports() -> BoxedStrategy<String> {
    one(&["53", "80", "443", "8080", "0:1023", "53:80", "1024:65535", "40000:40040", "40020", "40000", ":443", "80:"])
}

fn port_list() -> BoxedStrategy<String> {
    vec(one(&["53", "80", "443", "8080", "53:80", "40000:40040", "40020", "1:52"]), 1..5)
        .prop_map(|v| v.join(","))
        .boxed()
}

/// Matches that ask for a protocol.
fn by_protocol() -> BoxedStrategy<String> {
    let ports_of = |proto: &'static str| {
        let either = joined(vec![maybe(0.5, asked("--sport", ports())), maybe(0.8, asked("--dport", ports()))]);
        either
            .prop_map(move |p| if p.is_empty() { format!("-p {proto}") } else { format!("-p {proto} -m {proto} {p}") })
    };
    let multi = |proto: &'static str| {
        let list = Union::new(["--sports", "--dports", "--ports"].map(|o| asked(o, port_list())));
        list.prop_map(move |l| format!("-p {proto} -m multiport {l}"))
    };
    let flags = Union::new(vec![
        asked(
            "--tcp-flags",
            one(&["SYN,ACK SYN", "FIN,SYN,RST,ACK SYN", "ALL SYN", "RST RST", "ALL NONE", "SYN,PSH SYN,PSH"]),
        ),
        one(&["--syn", "! --syn"]),
    ]);
    let types = one(&["echo-request", "8", "0", "8/0", "3", "destination-unreachable", "any"]);
    prop_oneof![
        3 => ports_of("tcp"),
        2 => ports_of("udp"),
        1 => multi("tcp"),
        1 => multi("udp"),
        1 => flags.prop_map(|f| format!("-p tcp -m tcp {f}")),
        2 => asked("--icmp-type", types).prop_map(|t| format!("-p icmp -m icmp {t}")),
        2 => asked("-p", one(&["tcp", "udp", "icmp"])),
    ]
    .boxed()
}

/// Matches for every protocol.
fn general() -> BoxedStrategy<String> {
    let from_to =
        |net: u8| (1u8..9, 0u8..4).prop_map(move |(a, n)| format!("10.0.{net}.{a}-10.0.{net}.{}", a + n)).boxed();
    let range = prop_oneof![
        asked("--src-range", from_to(1)),
        asked("--dst-range", from_to(2)),
        joined(vec![asked("--src-range", from_to(1)), asked("--dst-range", from_to(2))]),
    ];
    let marks = one(&["0x0", "0x1", "0x2", "0x1/0x1", "0x2/0x3", "0x0/0x2", "3"]);
    let lengths = one(&["28", "0:60", "60:84", "61:65535", "34", "128:", ":28"]);
    let ttl = prop_oneof![
        asked("--ttl-eq", one(&["1", "4", "5", "63", "64"])),
        one(&["--ttl-lt 5", "--ttl-lt 64", "--ttl-gt 4", "--ttl-gt 63", "--ttl-gt 64"]),
    ];
    let states =
        one(&["NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "INVALID", "INVALID,NEW", "UNTRACKED", "NEW,UNTRACKED"]);
    prop_oneof![
        1 => range.prop_map(|r| format!("-m iprange {r}")),
        2 => asked("--mark", marks).prop_map(|m| format!("-m mark {m}")),
        1 => asked("--length", lengths).prop_map(|l| format!("-m length {l}")),
        1 => ttl.prop_map(|t| format!("-m ttl {t}")),
        1 => one(&["-m comment --comment \"let it be\"", "-m comment --comment x"]),
        2 => asked("--ctstate", states).prop_map(|s| format!("-m conntrack {s}")),
    ]
    .boxed()
}

/// What a rule asks for; `-o` where it may stand.
fn question(iif: bool, oif: bool) -> BoxedStrategy<String> {
    let none = || Just(String::new()).boxed();
    let devices = || one(&["eth0", "wan1", "eth+", "wan+", "lo", "e+", "wan"]);
    joined(vec![
        maybe(0.25, asked("-s", source())),
        maybe(0.25, asked("-d", destination())),
        if iif { maybe(0.15, asked("-i", devices())) } else { none() },
        if oif { maybe(0.15, asked("-o", devices())) } else { none() },
        maybe(0.45, by_protocol()),
        maybe(0.35, general()),
    ])
}

/// A rule of a chain: a base chain by name, or a user chain by number. `forward` keeps to what FORWARD alone takes.
fn rule(table: &'static str, chain: &'static str, next: usize) -> BoxedStrategy<String> {
    let base = next == 0;
    let iif = !base || !matches!(chain, "OUTPUT" | "POSTROUTING");
    let oif = !base || !matches!(chain, "PREROUTING" | "INPUT");
    let plain = move |t: BoxedStrategy<String>| (question(iif, oif), t).prop_map(|(q, t)| format!("{q} {t}")).boxed();
    let later = || one(&USER[next.min(3)..]);
    let user = next < USER.len();
    let marks = one(&[
        "--set-mark 0x1",
        "--set-mark 0x2/0x2",
        "--set-xmark 0x1/0x1",
        "--set-xmark 0x3/0x0",
        "--and-mark 0x2",
        "--or-mark 0x1",
        "--xor-mark 0x3",
    ]);
    let log = one(&["-j LOG", "-j LOG --log-prefix \"a b \"", "-j LOG --log-level 7"]);
    let target: BoxedStrategy<String> = prop_oneof![
        2 => Just("-j ACCEPT".to_owned()),
        if table == "filter" { 3 } else { 1 } => Just("-j DROP".to_owned()),
        2 => Just("-j RETURN".to_owned()),
        if user { 6 } else { 0 } => later().prop_map(|c| format!("-j {c}")),
        if user { 3 } else { 0 } => later().prop_map(|c| format!("-g {c}")),
        if table == "mangle" { 5 } else { 1 } => marks.prop_map(|m| format!("-j MARK {m}")),
        1 => log,
        1 => Just(String::new()),
    ]
    .boxed();
    let reject = one(&["-j REJECT", "-j REJECT --reject-with icmp-admin-prohibited"]);
    let reset = question(iif, oif)
        .prop_filter("a protocol already", |q| !q.contains("-p "))
        .prop_map(|q| format!("-p tcp {q} -j REJECT --reject-with tcp-reset"));
    let raw = table == "raw";
    prop_oneof![
        12 => plain(target),
        if table == "filter" { 1 } else { 0 } => plain(reject),
        if table == "filter" { 1 } else { 0 } => reset,
        if raw { 1 } else { 0 } => plain(Just("-j CT --notrack".to_owned()).boxed()),
    ]
    .prop_map(move |r| format!("-A {chain} {}\n", r.trim()))
    .boxed()
}

/// A table of a dump with rules in these base chains and in user chains.
pub fn table(name: &'static str, bases: &'static [&'static str], most: usize) -> BoxedStrategy<String> {
    let rules = Union::new_weighted(
        (bases.iter().map(|b| (6, rule(name, b, 0))))
            .chain(USER.iter().enumerate().map(|(i, u)| (3, rule(name, u, i + 1))))
            .collect(),
    );
    let policies = vec(prop_oneof![4 => Just("ACCEPT"), 1 => Just("DROP")], bases.len());
    (policies, vec(rules, 0..most))
        .prop_map(move |(policies, rules)| {
            let base = bases.iter().zip(policies).map(|(b, p)| format!(":{b} {p} [0:0]\n"));
            let user = USER.iter().map(|u| format!(":{u} - [0:0]\n"));
            format!("*{name}\n{}{}COMMIT\n", base.chain(user).collect::<String>(), rules.concat())
        })
        .boxed()
}

/// One question of the client: it sends one packet before half a second has passed.
pub fn probe() -> impl Strategy<Value = String> {
    let source = maybe(0.7, (2u8..6).prop_map(|i| format!("-S 10.0.1.{i}")).boxed());
    let ttl = maybe(0.4, one(&["-t 1", "-t 2", "-t 5", "-t 6", "-t 64"]));
    let kinds = prop_oneof![
        3 => one(&["53", "80", "443", "8080"]).prop_map(|p| ("tcp", String::new(), format!(":{p}"))),
        3 => one(&["53", "80", "443", "8080"]).prop_map(|p| ("udp", String::new(), format!(":{p}"))),
        2 => one(&["0", "32", "56", "100", "1000"]).prop_map(|s| ("ping", format!("-s {s}"), String::new())),
    ];
    (kinds, source, ttl, select(vec![2u8, 2, 3, 4, 5, 77]))
        .prop_map(|((kind, size, port), src, ttl, d)| format!("{kind} -W 0.5 {size} {src} {ttl} 10.0.2.{d}{port}"))
}

/// A dump of the nat table.
pub fn nat() -> BoxedStrategy<String> {
    let asked = || one(&["10.0.2.2", "10.0.2.3", "10.0.1.1", "10.0.2.0/24", "192.0.2.80", "0.0.0.0/0"]);
    let proto = || one(&["tcp", "udp"]);
    let dport = || maybe(0.6, one(&["--dport 80", "--dport 53", "--dport 53:8080", "! --dport 80"]));
    let servers = || one(&["10.0.2.2", "10.0.2.3", "10.0.2.4", "10.0.2.2-10.0.2.4", "10.0.1.1"]);
    let to_ports = || maybe(0.6, one(&[":80", ":53", ":8080", ":5353", ":80-81", ":5350-5353", ":4000-4010"]));
    let own = || one(&["10.0.2.1", "10.0.2.50", "10.0.2.51", "10.0.2.50-10.0.2.53", "10.0.1.1"]);
    let range = || maybe(0.5, one(&["5000", "5000-5001", "5000-5003", "1-60000", "40000-40040"]));
    let how = || maybe(0.2, one(&["--random", "--persistent"]));
    let random = || maybe(0.2, one(&["--random", "--random-fully"]));
    let with = |option: &'static str, sign: &'static str| {
        move |p: String| if p.is_empty() { p } else { format!("{option}{sign}{p}") }
    };
    let rules = prop_oneof![
        4 => (proto(), asked(), dport(), servers(), to_ports(), how()).prop_map(|(p, d, port, to, q, h)| {
            format!("-A PREROUTING -d {d} -p {p} -m {p} {port} -j DNAT --to-destination {to}{q} {h}")
        }),
        2 => (proto(), asked(), dport(), one(&["", "--to-ports 80", "--to-ports 53", "--to-ports 50-60"])).prop_map(|(p, d, port, to)| {
            format!("-A PREROUTING -d {d} -p {p} -m {p} {port} -j REDIRECT {to}")
        }),
        1 => Just("-A PREROUTING -d 10.9.0.0/24 -j NETMAP --to 10.0.2.0/24".to_owned()),
        1 => (asked(), servers()).prop_map(|(d, to)| format!("-A PREROUTING -d {d} -p icmp -j DNAT --to-destination {to}")),
        3 => (proto(), range().prop_map(with("--to-ports", " ")), random()).prop_map(|(p, to, r)| {
            format!("-A POSTROUTING -o wan1 -p {p} -j MASQUERADE {to} {r}")
        }),
        1 => random().prop_map(|r| format!("-A POSTROUTING -o wan1 -j MASQUERADE {r}")),
        3 => (proto(), own(), range().prop_map(with("", ":")), how()).prop_map(|(p, a, q, h)| {
            format!("-A POSTROUTING -o wan1 -p {p} -j SNAT --to-source {a}{q} {h}")
        }),
        1 => own().prop_map(|a| format!("-A POSTROUTING -s 10.0.1.0/24 -j SNAT --to-source {a}")),
        1 => Just("-A POSTROUTING -s 10.0.1.0/24 -o wan1 -j NETMAP --to 10.8.0.0/24".to_owned()),
        1 => (proto(), one(&["10.0.1.77", "10.0.1.78:700-701"])).prop_map(|(p, a)| format!("-A INPUT -p {p} -j SNAT --to-source {a}")),
    ];
    vec(rules, 1..6)
        .prop_map(|r| {
            let lines: String = r.iter().map(|l| format!("{}\n", l.trim())).collect();
            format!("*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n{lines}COMMIT\n")
        })
        .boxed()
}

/// A question that the server, the router or nobody answers.
pub fn dialogue() -> impl Strategy<Value = String> {
    let target = || one(&["10.0.2.2", "10.0.2.3", "10.0.2.4", "10.0.1.1", "10.9.0.2", "192.0.2.80", "10.0.2.66"]);
    let source = || maybe(0.3, (2u8..6).prop_map(|i| format!("-S 10.0.1.{i}")).boxed());
    let ttl = || maybe(0.15, one(&["-t 1", "-t 2", "-t 6"]));
    prop_oneof![
        3 => (source(), ttl(), target(), select(vec![80, 8080, 81])).prop_map(|(s, l, t, p)| format!("tcp -W 0.9 {s} {l} {t}:{p}")),
        1 => (source(), target()).prop_map(|(s, t)| format!("http -W 0.9 {s} {t}:80")),
        1 => (target(), 1u32..20_000).prop_map(|(t, n)| format!("bulk -W 0.9 -n {n} {t}:80")),
        3 => (source(), ttl(), target(), select(vec![53, 5353, 54]), any::<bool>()).prop_map(|(s, l, t, p, u)| {
            format!("udp -W 0.5 {s} {l} {} {t}:{p}", if u { "--unconnected" } else { "" })
        }),
        2 => (source(), ttl(), target()).prop_map(|(s, l, t)| format!("ping -W 0.5 {s} {l} {t}")),
    ]
}

//! Working scenarios broken in one way: `why` must name a change that alone makes the probe work again.
//!
//! Every fault is made from the state of the world: a rule, a route or an entry deleted, a sysctl flipped, an address
//! moved, a port closed, a link set down, a port taken out of its bridge. Those that the probe survives do not count.
//! `PACKETWALK_FAULTS=N` breaks N of them, all where it is 0; an ordinary run takes 200, drawn by proptest.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use packetwalk_sim::explain::{Line, explain};
use packetwalk_sim::scenario::run::{set_up, step};
use packetwalk_sim::scenario::{self, At, What};
use packetwalk_sim::session::Session;
use packetwalk_sim::shell::run_line;
use packetwalk_sim::trace::Outcome;
use proptest::test_runner::{Config as ProptestConfig, TestCaseError, TestRunner};

/// Worlds in which everything works, each with the probe of its only step.
const WORLDS: &[&str] = &[
    include_str!("why_faults/router.yaml"),
    include_str!("why_faults/firewall.yaml"),
    include_str!("why_faults/bridge.yaml"),
    include_str!("why_faults/published.yaml"),
    include_str!("why_faults/outward.yaml"),
    include_str!("why_faults/two-networks.yaml"),
    include_str!("why_faults/vxlan.yaml"),
    include_str!("why_faults/old-engine.yaml"),
    include_str!("why_faults/dnat.yaml"),
    include_str!("why_faults/swarm.yaml"),
    include_str!("why_faults/policy-routing.yaml"),
    include_str!("why_faults/hairpin-proxy.yaml"),
    include_str!("why_faults/snat-chain.yaml"),
    include_str!("why_faults/bridged-firewall.yaml"),
    include_str!("why_faults/by-name.yaml"),
    include_str!("why_faults/macvlan.yaml"),
    include_str!("why_faults/two-providers.yaml"),
    include_str!("why_faults/proxy-arp.yaml"),
];

/// Settings that are turned the other way round.
const FLIPPED: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv4.conf.all.rp_filter", "1"),
    ("net.ipv4.icmp_echo_ignore_all", "1"),
    ("net.ipv4.conf.all.arp_ignore", "8"),
    ("net.netfilter.nf_conntrack_tcp_loose", "0"),
    ("net.bridge.bridge-nf-call-iptables", "0"),
    ("net.ipv4.conf.all.route_localnet", "0"),
    ("net.ipv4.conf.all.arp_filter", "1"),
    ("net.ipv4.conf.all.forwarding", "0"),
    ("net.ipv4.conf.eth0.proxy_arp", "0"),
];

fn run(s: &mut Session, l: &Line) -> Option<()> {
    let (host, ns) = s.place(&l.place).ok()?;
    let ran = run_line(s, host, ns, &l.command);
    (ran.refusal.is_none() && ran.exit == 0).then_some(())
}

fn output(s: &Session, place: &str, command: &str) -> String {
    let mut s = s.clone();
    let Ok((host, ns)) = s.place(place) else { return String::new() };
    run_line(&mut s, host, ns, command).stdout
}

/// Every way to break a world in one place.
fn faults(s: &Session) -> Vec<Line> {
    let mut all = Vec::new();
    let k = &s.kernel;
    for n in k.netns.iter().filter(|n| n.alive && !n.is_switch) {
        let place = &n.label;
        // A container's own tools are few: its namespace is entered from the host.
        let host = place.split('/').next().unwrap_or_default();
        let enter = match place.split_once('/') {
            Some((_, c)) if !c.contains(':') => format!("nsenter -t $(docker inspect -f '{{{{.State.Pid}}}}' {c}) -n "),
            _ => String::new(),
        };
        let at = if enter.is_empty() { place.as_str() } else { host };
        let mut add = |command: String| all.push(Line { place: at.to_owned(), command: format!("{enter}{command}") });
        for t in ["raw", "mangle", "nat", "filter"] {
            for rule in output(s, at, &format!("{enter}iptables -t {t} -S")).lines() {
                if let Some(r) = rule.strip_prefix("-A ") {
                    add(format!("iptables -t {t} -D {r}"));
                }
            }
        }
        for rule in output(s, at, &format!("{enter}ebtables -L")).lines() {
            if rule.starts_with("-p") {
                add(format!("ebtables -D FORWARD {rule}"));
            }
        }
        for rule in output(s, at, &format!("{enter}ip rule show")).lines() {
            if let Some((pref, _)) = rule.split_once(':') {
                add(format!("ip rule del pref {pref}"));
            }
        }
        for route in output(s, at, &format!("{enter}ip route show table all"))
            .lines()
            .filter(|r| !r.starts_with("local") && !r.starts_with("broadcast"))
        {
            let words: Vec<&str> =
                route.split_whitespace().take_while(|w| !matches!(*w, "proto" | "scope" | "src")).collect();
            add(format!("ip route del {}", words.join(" ")));
        }
        for d in n.devs.values().map(|d| k.dev(*d)).filter(|d| d.alive) {
            if !d.is_loopback() {
                add(format!("ip link set {} down", d.name));
                add(format!("sysctl -w net.ipv4.conf.{}.forwarding=0", d.name));
                add(format!("sysctl -w net.ipv4.conf.{}.rp_filter=1", d.name));
                add(format!("ip link set {} arp off", d.name));
            }
            if d.master.is_some() {
                add(format!("ip link set {} nomaster", d.name));
                add(format!("bridge link set dev {} isolated on", d.name));
                add(format!("bridge link set dev {} state 4", d.name));
            }
            for a in d.addrs.iter().filter(|a| !a.local.is_loopback()) {
                let [x, y, z, w] = a.local.octets();
                let (old, p) = (a.local, a.prefix);
                let new = format!("{x}.{y}.{z}.{}", if w > 178 { w - 77 } else { w + 77 });
                add(format!("ip addr del {old}/{p} dev {}", d.name));
                add(format!("ip addr add {new}/{p} dev {0} && {enter}ip addr del {old}/{p} dev {0}", d.name));
            }
            for (mac, e) in d.vxlan().into_iter().flat_map(|v| &v.fdb) {
                for r in &e.remotes {
                    add(format!("bridge fdb del {mac} dev {} dst {}", d.name, r.ip));
                }
            }
        }
        for (ip, dev) in n.neigh.entries.keys().map(|(d, ip)| (ip, k.dev(*d).name)) {
            add(format!("ip neigh del {ip} dev {dev}"));
        }
        for (ip, dev) in n.neigh.entries.keys().map(|(d, ip)| (ip, k.dev(*d).name)) {
            add(format!("ip neigh replace {ip} lladdr 02:00:00:00:00:99 dev {dev} nud permanent"));
        }
        for (key, value) in FLIPPED {
            add(format!("sysctl -w {key}={value}"));
        }
        for x in k.sockets(packetwalk_sim::kernel::types::NetnsId(
            k.netns.iter().position(|o| o.label == *place).unwrap_or(0) as u32,
        )) {
            if let Some((_, pid)) = &x.process
                && x.rport == 0
            {
                all.push(Line { place: host.to_owned(), command: format!("kill {}", pid.0) });
            }
        }
    }
    all
}

/// What a fault did to `why`.
enum Verdict {
    /// The probe still works, or the fault could not be made.
    Survived,
    /// A single change makes it work again; what `why` called the cause.
    Mended(&'static str),
    /// It did not find one.
    Missed(String),
}

fn verdict(world: &Session, what: &What, fault: &Line) -> Verdict {
    let mut s = world.clone();
    if run(&mut s, fault).is_none() {
        return Verdict::Survived;
    }
    // What the kernel knew before is forgotten in the end.
    s.advance(100_000_000);
    let w = explain(&s, what, At::default(), 0).expect("the place is there");
    if w.outcome == Some(Outcome::Reply) {
        return Verdict::Survived;
    }
    match w.fixes.first() {
        Some(f) if w.blockers.len() == 1 || named(fault, &w.blockers, &f.lines) => {
            Verdict::Mended(w.blockers[0].cause.code())
        }
        None if told(fault, &w.blockers) => Verdict::Mended(w.blockers[0].cause.code()),
        _ => Verdict::Missed(
            w.blockers.iter().map(|b| format!("{}: {}", b.cause.code(), b.says)).collect::<Vec<_>>().join("; "),
        ),
    }
}

/// What was broken stands in the answer: the device, address, rule or setting of the fault.
fn named(fault: &Line, blockers: &[packetwalk_sim::explain::Blocker], fix: &[Line]) -> bool {
    let words: Vec<&str> = fault.command.split_whitespace().collect();
    let after = |w: &str| words.iter().rposition(|x| *x == w).and_then(|i| words.get(i + 1)).copied();
    let object = [after("del"), after("set"), after("-w"), after("-D")].into_iter().flatten().next().unwrap_or("?");
    let object = object.split(['/', '=']).next().unwrap_or(object);
    // A device that lost its address or went down loses its routes too: both have to be put right.
    let first = blockers.first().map(|b| format!("{} {}", b.at, b.says)).unwrap_or_default();
    first.contains(object) && fix.iter().any(|l| l.command.contains(object))
}

/// The answer tells of the place that a program was killed at, and that nobody listens there: no command of the model
/// starts a name server anew.
fn told(fault: &Line, blockers: &[packetwalk_sim::explain::Blocker]) -> bool {
    let host = |at: &str| at.split('/').next().unwrap_or_default().to_owned();
    fault.command.starts_with("kill")
        && blockers.first().is_some_and(|b| b.cause.code() == "no-listener" && host(&b.at) == host(&fault.place))
}

/// A world, and a step that works in it.
type World = (String, Session, What);

/// The worlds made for this test.
fn own_worlds() -> Vec<World> {
    let of = |text: &&str| {
        let s = scenario::parse(text).expect("it is right");
        let (mut world, _) = set_up(&s, &mut |_| {}).unwrap_or_else(|e| panic!("{}: {e}", s.name));
        let what = s.steps[0].action.what.clone();
        let r = step(&mut world.clone(), 1, &what, At::default()).expect("it runs");
        assert_eq!(r.outcome(), Some(Outcome::Reply), "{} works", s.name);
        // As it is after a while of work.
        step(&mut world, 1, &what, At::default()).expect("it runs");
        (s.name, world, what)
    };
    WORLDS.iter().map(of).collect()
}

/// The library's worlds, each at the first of its steps that works, and again at the last one.
fn library_worlds() -> Vec<World> {
    let mut files = Vec::new();
    for topic in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios")).expect("it is there").flatten()
    {
        files.extend(std::fs::read_dir(topic.path()).into_iter().flatten().flatten().map(|f| f.path()));
    }
    files.sort();
    let mut all = Vec::new();
    for f in files {
        let s = scenario::parse(&std::fs::read_to_string(f).expect("a text")).expect("it is right");
        let Ok((mut world, _)) = set_up(&s, &mut |_| {}) else { continue };
        let mut of: Vec<World> = Vec::new();
        for (i, x) in s.steps.iter().enumerate() {
            let what = &x.action.what;
            let Ok(r) = step(&mut world, i + 1, what, At::default()) else { break };
            let again = |w: &Session| step(&mut w.clone(), 1, what, At::default()).ok().and_then(|r| r.outcome());
            if r.outcome() == Some(Outcome::Reply) && again(&world) == Some(Outcome::Reply) {
                of.truncate(1);
                of.push((format!("{} {}", s.name, i + 1), world.clone(), what.clone()));
            }
        }
        all.append(&mut of);
    }
    all
}

/// What came of the faults.
#[derive(Default)]
struct Tally {
    mended: BTreeMap<&'static str, usize>,
    missed: BTreeSet<String>,
    tried: usize,
}

impl Tally {
    /// Tries a fault; whether it counted, and was missed.
    fn judge(&mut self, (name, world, what): &World, fault: &Line) -> Option<bool> {
        let missed = match verdict(world, what, fault) {
            Verdict::Survived => return None,
            Verdict::Mended(cause) => {
                *self.mended.entry(cause).or_default() += 1;
                false
            }
            Verdict::Missed(said) => {
                self.missed.insert(format!("{name}: {fault}\n    {said}"));
                true
            }
        };
        self.tried += 1;
        Some(missed)
    }

    /// More than five of a hundred were missed.
    fn too_many(&self) -> bool {
        self.missed.len() * 20 > self.tried
    }

    fn print(&self, possible: usize, worlds: usize) {
        let (tried, missed) = (self.tried, self.missed.len());
        eprintln!("{tried} faults of {possible} possible ones in {worlds} worlds: {missed} missed");
        eprintln!("{:?}", self.mended);
        self.missed.iter().for_each(|m| eprintln!("missed {m}"));
    }
}

/// How many faults are tried before their share of misses is looked at.
const ENOUGH: usize = 60;

/// Breaks worlds as proptest draws them until so many faults counted, or in every way, and tells what came of it. Worlds
/// and faults stand in the order of their size: what is missed too often shrinks to the smallest.
fn judge(mut worlds: Vec<World>, count: usize) {
    worlds.sort_by_key(|(_, w, _)| w.kernel.devs.len());
    let mut all: Vec<(usize, Line)> = Vec::new();
    for (i, (_, world, _)) in worlds.iter().enumerate() {
        let mut of = faults(world);
        of.sort_by_key(|f| f.command.len());
        all.extend(of.into_iter().map(|f| (i, f)));
    }
    let tally = RefCell::new(Tally::default());
    let one = |n: usize| tally.borrow_mut().judge(&worlds[all[n].0], &all[n].1);
    if count == 0 {
        for n in 0..all.len() {
            one(n);
        }
        tally.borrow().print(all.len(), worlds.len());
        assert!(!tally.borrow().too_many());
        return;
    }
    let mut config = ProptestConfig::with_cases(count as u32);
    config.max_global_rejects = 1_000_000;
    config.failure_persistence = None;
    let shrinking = Cell::new(false);
    let drawn = TestRunner::new(config).run(&(0..all.len()), |n| match one(n) {
        None if shrinking.get() => Ok(()),
        None => Err(TestCaseError::reject("the probe survives it")),
        Some(true) if shrinking.get() || tally.borrow().tried >= ENOUGH && tally.borrow().too_many() => {
            shrinking.set(true);
            Err(TestCaseError::fail(format!("missed {}: {}", worlds[all[n].0].0, all[n].1)))
        }
        Some(_) => Ok(()),
    });
    tally.borrow().print(all.len(), worlds.len());
    drawn.unwrap_or_else(|e| panic!("too many were missed; the smallest: {e}"));
}

fn count() -> usize {
    std::env::var("PACKETWALK_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

#[test]
fn one_fault() {
    judge(own_worlds(), count());
}

/// Worlds that were not made for it.
#[test]
fn one_fault_in_the_library() {
    judge(library_worlds(), count());
}

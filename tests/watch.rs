//! Tools that wait for what comes: `conntrack -E` and `tcpdump`, as they were measured on Linux 6.18 (conntrack-tools
//! 1.4.7, tcpdump 4.99.3).

use packetwalk_sim::scenario::parse;
use packetwalk_sim::scenario::run::{Walk, walk as run};

/// Two hosts on a lan; `a` tracks connections, because a rule asks for their state.
const HEAD: &str = "name: t\ntitle: t\nhosts:\n  \
    a: {interfaces: {eth0: {lan: x, address: 10.0.0.1/24}}}\n  \
    b: {interfaces: {eth0: {lan: x, address: 10.0.0.2/24}}}\n\
    setup:\n  - a$ iptables -A INPUT -m conntrack --ctstate NEW -j ACCEPT\nsteps:\n";

fn walk(lines: &[&str]) -> Walk {
    let steps: String = lines.iter().map(|l| format!("  - run: |-\n      a$ {l}\n")).collect();
    let s = parse(&format!("{HEAD}{steps}")).unwrap_or_else(|e| panic!("{e:?}"));
    run(&s).unwrap_or_else(|e| panic!("{e:?}"))
}

/// What the last of these lines writes.
fn last(lines: &[&str]) -> (String, String, Option<i32>) {
    let w = walk(lines);
    let s = w.steps.last().expect("a step");
    assert!(s.refusal.is_none(), "{:?}", s.refusal);
    (s.stdout.clone(), s.stderr.clone(), s.exit)
}

fn refused(line: &str) -> String {
    let w = walk(&[line]);
    w.steps[0].refusal.as_ref().unwrap_or_else(|| panic!("{line} is not refused")).0.what.clone()
}

#[test]
fn conntrack_tells_a_file_what_comes() {
    let (out, ..) = last(&["(timeout 3 conntrack -E > f &); ping -c 1 -e 7 10.0.0.2 > /dev/null; sleep 3; cat f"]);
    let want = "    [NEW] icmp     1 30 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7 [UNREPLIED] src=10.0.0.2 \
                dst=10.0.0.1 type=0 code=0 id=7\n [UPDATE] icmp     1 30 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7 \
                src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=7\n";
    assert_eq!(out, want);
}

#[test]
fn conntrack_in_the_foreground_waits() {
    // The connection of the ping under way is deleted: its next request makes another.
    let (out, err, exit) =
        last(&["ping -i 0.5 10.0.0.2 > /dev/null &", "conntrack -F; timeout 2 conntrack -E -e NEW -p icmp"]);
    assert!(out.starts_with("    [NEW] icmp") && out.lines().count() == 1, "{out}");
    assert!(err.ends_with("conntrack v1.4.7 (conntrack-tools): 1 flow events have been shown.\n"), "{err}");
    assert_eq!(exit, Some(124));
}

/// A second netlink socket deletes, so its number is random; `-F` uses the first, whose number is the process's.
#[test]
fn who_deleted_a_connection() {
    let ping = "conntrack -E -e DESTROY > f & ping -c 1 10.0.0.2 > /dev/null;";
    let (out, ..) = last(&[&format!("{ping} conntrack -D > /dev/null 2>&1; cat f")]);
    let (_, portid) = out.trim_end().split_once(" [USERSPACE] portid=").expect("a port");
    assert!(out.starts_with("[DESTROY] icmp     1 29 src="), "{out}");
    assert!(portid.parse::<u32>().is_ok_and(|n| n >= 0x8000_0000), "{out}");
    let (out, ..) = last(&[&format!("{ping} conntrack -F 2> /dev/null; cat f")]);
    assert!(out.contains(" [USERSPACE] portid=1") && out.ends_with(" progname=conntrack\n"), "{out}");
}

/// `nf_conntrack_events` is 2: only a connection that is made while somebody listens has the extension for events.
#[test]
fn connections_from_before_are_silent() {
    let (out, err, _) =
        last(&["ping -c 1 10.0.0.2 > /dev/null; conntrack -E & conntrack -D > /dev/null 2>&1; kill %1"]);
    assert_eq!(out, "");
    assert!(err.ends_with("0 flow events have been shown.\n"), "{err}");
}

/// What expires is told with no time left.
#[test]
fn an_entry_expires() {
    let (out, ..) = last(&["conntrack -E -e DESTROY > f & ping -c 1 10.0.0.2 > /dev/null; sleep 40; cat f"]);
    assert!(out.starts_with("[DESTROY] icmp     1 src=10.0.0.1"), "{out}");
}

#[test]
fn tcpdump_in_the_background_of_a_step() {
    let line =
        "(timeout 2 tcpdump -ni eth0 icmp 2>/dev/null &) ; sleep 1; ping -c 1 -e 9 10.0.0.2 >/dev/null; sleep 1.5";
    let (out, err, _) = last(&[line]);
    let lines: Vec<&str> = out.lines().map(|l| l.split_once(' ').map_or(l, |x| x.1)).collect();
    let want = [
        "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 9, seq 1, length 64",
        "IP 10.0.0.2 > 10.0.0.1: ICMP echo reply, id 9, seq 1, length 64",
        "",
    ];
    assert_eq!((lines, err.as_str()), (want.to_vec(), ""));
}

#[test]
fn tcpdump_ends_with_its_count() {
    let (out, err, exit) =
        last(&["tcpdump -c 3 -ni eth0 icmp > f 2> g & ping -c 2 10.0.0.2 > /dev/null; wait $!; cat f; cat g >&2"]);
    assert_eq!((out.lines().count(), exit), (3, Some(0)));
    let want = "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n\
                listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n\
                3 packets captured\n4 packets received by filter\n0 packets dropped by kernel\n";
    assert_eq!(err, want);
}

/// The kernel hands its block over once a second: who ends before prints nothing.
#[test]
fn tcpdump_that_ends_too_early() {
    for (kill, said) in [("kill", "\n"), ("kill -9", "")] {
        let (out, err, _) = last(&[&format!(
            "tcpdump -ni eth0 icmp 2> g > f & ping -c 1 10.0.0.2 > /dev/null; {kill} $!; cat f; cat g >&2"
        )]);
        assert_eq!(out, said);
        assert_eq!(err.contains("0 packets captured\n2 packets received by filter"), kill == "kill", "{err}");
    }
}

/// It goes on after its step, and shows in the step in which something comes, as on a terminal.
#[test]
fn from_step_to_step() {
    let w = walk(&["tcpdump -c 2 -ni eth0 icmp &", "ping -c 1 10.0.0.2 > /dev/null", "sleep 2"]);
    let out: Vec<usize> = w.steps.iter().map(|s| s.stdout.lines().count()).collect();
    assert_eq!(out, [0, 0, 2]);
}

#[test]
fn what_never_ends_is_refused() {
    for line in ["tcpdump -ni lo", "conntrack -E", "conntrack -E | grep NEW", "tcpdump -c 2 -ni lo"] {
        assert!(refused(line).contains("in the foreground"), "{line}");
    }
    assert!(refused("(tcpdump -ni lo | grep x > f) &").contains("tcpdump"));
    assert!(refused("x=$(tcpdump -ni lo &)").contains("in a pipe"));
    assert!(refused("conntrack -E & wait").contains("never ends"));
}

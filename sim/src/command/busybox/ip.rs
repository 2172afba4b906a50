//! busybox' `ip`, which prints less than iproute2, and what a container without CAP_NET_ADMIN may not do.

use super::super::{Exit, Proc, ip};
use crate::kernel::types::NetnsId;

/// Runs it.
pub fn run(p: &mut Proc<'_>, argv: &[String]) -> Exit {
    if refuses(argv) {
        p.err.push_str(HELP);
        return Ok(1);
    }
    if changes(argv) && !net_admin(p) {
        p.err.push_str(&format!("ip: {}: Operation not permitted\n", asks_by(argv)));
        return Ok(2);
    }
    let (from, err) = (p.out.len(), p.err.len());
    let done = ip::run(p, &told_more(argv));
    let said: String = p.err.split_off(err).lines().map(|l| error(l) + "\n").collect();
    p.err.push_str(&said);
    let text = p.out.split_off(from);
    let (route, rule) = (about(argv, "route"), about(argv, "rule"));
    let lines: String = text
        .lines()
        .filter(|l| !(route && l.starts_with("    cache ")))
        .map(|l| match (route, rule) {
            (true, _) => self::route(l) + "\n",
            (_, true) => format!("{} \n", l.trim_end()),
            _ => line(p, l).replace("complete after 1 round *", "complete after 1 round(s) *") + "\n",
        })
        .collect();
    p.out.push_str(&lines);
    done
}

/// An option that busybox' `ip` does not know: it prints its help.
fn refuses(argv: &[String]) -> bool {
    let known = ["-f", "-family", "-4", "-6", "-0", "-o", "-oneline"];
    argv.iter().skip(1).take_while(|w| w.starts_with('-')).any(|o| !known.contains(&o.as_str()))
}

const HELP: &str = "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.

Usage: ip [OPTIONS] address|route|link|tunnel|neigh|rule [ARGS]

OPTIONS := -f[amily] inet|inet6|link | -o[neline]

ip addr add|del IFADDR dev IFACE | show|flush [dev IFACE] [to PREFIX]
ip route list|flush|add|del|change|append|replace|test ROUTE
ip link set IFACE [up|down] [arp on|off] [multicast on|off]
\t[promisc on|off] [mtu NUM] [name NAME] [qlen NUM] [address MAC]
\t[master IFACE | nomaster] [netns PID]
ip tunnel add|change|del|show [NAME]
\t[mode ipip|gre|sit] [remote ADDR] [local ADDR] [ttl TTL]
ip neigh show|flush [to PREFIX] [dev DEV] [nud STATE]
ip rule [list] | add|del SELECTOR ACTION
";

/// What iproute2 says of a refusal, as busybox says it: by the error's number, never in the kernel's own words.
fn error(l: &str) -> String {
    if let Some(dev) = l.strip_prefix("Device \"").and_then(|l| l.strip_suffix("\" does not exist.")) {
        return format!("ip: can't find device '{dev}'");
    }
    let by_number = match l.strip_prefix("Error: ") {
        Some("Unknown device type.") => "Operation not supported",
        Some("ipv4: Address already assigned.") => "File exists",
        Some("ipv4: Address not found.") => "Cannot assign requested address",
        Some("Nexthop has invalid gateway.") => "Network is unreachable",
        _ => return if l.starts_with("RTNETLINK answers: ") { format!("ip: {l}") } else { l.to_owned() },
    };
    format!("ip: RTNETLINK answers: {by_number}")
}

/// The object that the words are about, abbreviated as one likes.
fn about(argv: &[String], object: &str) -> bool {
    let word = argv.iter().skip(1).find(|w| !w.starts_with('-'));
    word.is_some_and(|w| !w.is_empty() && object.starts_with(w.as_str()))
}

/// The words that make iproute2 say all that busybox does: of neighbours also their age.
fn told_more(argv: &[String]) -> Vec<String> {
    let mut words = argv.to_vec();
    if about(argv, "neighbour") {
        words.insert(1, "-s".into());
        if argv.iter().any(|w| w == "flush") {
            words.insert(1, "-s".into());
        }
    }
    // It passes over what it does not know of a new link; the kernel names the other end of a pair.
    if about(argv, "link") && changes(argv) {
        let peer = words.iter().position(|w| w == "peer").unwrap_or(words.len());
        words.truncate(peer);
    }
    words
}

/// How it asks the kernel for a change: links by ioctl, in this order, all else by netlink.
fn asks_by(argv: &[String]) -> &'static str {
    let has = |w: &str| argv.iter().any(|a| a == w);
    match () {
        () if !about(argv, "link") || !has("set") => "RTNETLINK answers",
        () if has("address") => "SIOCSIFHWADDR",
        () if has("name") => "SIOCSIFNAME",
        () if has("qlen") => "SIOCSIFTXQLEN",
        () if has("mtu") => "SIOCSIFMTU",
        () if has("master") || has("nomaster") || has("netns") => "RTNETLINK answers",
        () => "SIOCSIFFLAGS",
    }
}

/// `… used 0/0/0probes 4 REACHABLE `.
fn neighbour(l: &str) -> Option<String> {
    let (head, tail) = l.split_once("probes ")?;
    head.contains(" used ").then(|| {
        let words: Vec<&str> = head.split_whitespace().chain(["probes"]).chain(tail.split_whitespace()).collect();
        words.join(" ")
    })
}

/// A change that needs CAP_NET_ADMIN.
fn changes(argv: &[String]) -> bool {
    let verbs = ["add", "del", "delete", "set", "replace", "change", "flush"];
    argv.len() > 2 && verbs.contains(&argv[2].as_str())
}

fn net_admin(p: &Proc<'_>) -> bool {
    capable(p, crate::docker::Container::net_admin)
}

/// Does its container have a capability? Where several share a namespace the first that has it counts.
pub(super) fn capable(p: &Proc<'_>, has: fn(&crate::docker::Container) -> bool) -> bool {
    let Some(e) = p.sess.engines.get(&p.host) else { return true };
    let mut here = e.containers.values().filter(|c| c.netns == Some(p.ns)).peekable();
    here.peek().is_none() || here.any(has)
}

/// A line of iproute2 as busybox prints it.
fn line(p: &Proc<'_>, l: &str) -> String {
    if let Some(n) = neighbour(l) {
        return n;
    }
    if let Some((head, rest)) = l.split_once(" state ") {
        // With `-o` what would be the next line follows.
        let (rest, more) = rest.split_at(rest.find('\\').unwrap_or(rest.len()));
        let more = more.split(" link-netnsid ").next().unwrap_or("");
        let queue = rest.split_once("qlen ").and_then(|(_, n)| n.split(' ').next());
        let tail = queue.map_or(String::new(), |n| format!("qlen {n}"));
        return format!("{} {tail}{more}", linked(p, p.ns, head));
    }
    if let Some((head, _)) = l.split_once(" link-netnsid ") {
        return head.to_owned();
    }
    l.to_owned()
}

/// A line about a route: neither who made it, nor for whom it was looked up.
fn route(l: &str) -> String {
    let mut out = String::new();
    let mut words = l.split(' ');
    while let Some(w) = words.next() {
        match w {
            "proto" | "uid" => drop(words.next()),
            "src" => out.push_str(" src "),
            w => {
                out.push_str(w);
                out.push(' ');
            }
        }
    }
    // iproute2's lines end in a blank, which is a word of no letters here.
    if !l.ends_with(' ') || out.ends_with("  ") {
        out.pop();
    }
    out
}

/// The device at the other end, by its number: busybox looks it up here, wherever it is; one that is not here it
/// takes for down.
fn linked(p: &Proc<'_>, ns: NetnsId, head: &str) -> String {
    let Some((before, after)) = head.split_once('@') else { return head.to_owned() };
    let Some((link, after)) = after.split_once(':') else { return head.to_owned() };
    let number = link.strip_prefix("if").and_then(|n| n.parse::<u32>().ok());
    let k = &p.sess.kernel;
    let other = match number {
        Some(n) => k.devs_of(ns).find(|d| d.ifindex == n),
        None => k.dev_by_name(ns, link).map(|d| k.dev(d)),
    };
    let (name, up) = match other {
        Some(d) => (d.name.to_string(), d.is_up()),
        None => (link.to_owned(), false),
    };
    let after = if up || after.contains("M-DOWN") { after.to_owned() } else { after.replacen('>', ",M-DOWN>", 1) };
    format!("{before}@{name}:{after}")
}

//! The images have busybox' `ip`, which prints less than iproute2.

/// A change that needs CAP_NET_ADMIN.
pub fn changes(command: &[String]) -> bool {
    let verbs = ["add", "del", "delete", "set", "replace", "change", "flush"];
    command[0].ends_with("ip") && command.len() > 2 && verbs.contains(&command[2].as_str())
}

/// Busybox' own help, where a command has an option that its `ip` does not know.
pub fn refuses(command: &[String]) -> Option<&'static str> {
    let known = ["-f", "-family", "-4", "-6", "-0", "-o", "-oneline"];
    let mut options = command.iter().skip(1).take_while(|w| w.starts_with('-'));
    (is_ip(command) && options.any(|o| !known.contains(&o.as_str()))).then_some(IP_HELP)
}

const IP_HELP: &str = "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.

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

fn is_ip(command: &[String]) -> bool {
    command[0].rsplit('/').next() == Some("ip")
}

/// The words that make iproute2 say all that busybox does: of neighbours also their age.
pub fn asks(command: &[String]) -> Vec<String> {
    let neigh = |w: &String| !w.is_empty() && "neighbour".starts_with(w.as_str());
    let mut words = command.to_vec();
    if is_ip(command) && command.iter().skip(1).find(|w| !w.starts_with('-')).is_some_and(neigh) {
        words.insert(1, "-s".into());
    }
    words
}

/// What iproute2 printed, as busybox prints it.
pub fn form(command: &[String], text: &str) -> String {
    if !is_ip(command) {
        return text.to_owned();
    }
    text.lines().map(|l| line(l) + "\n").collect()
}

/// `… used 0/0/0probes 4 REACHABLE `.
fn neighbour(l: &str) -> Option<String> {
    let (head, tail) = l.split_once("probes ")?;
    head.contains(" used ").then(|| {
        let words: Vec<&str> = head.split_whitespace().chain(["probes"]).chain(tail.split_whitespace()).collect();
        words.join(" ")
    })
}

fn line(l: &str) -> String {
    if let Some(n) = neighbour(l) {
        return n;
    }
    if let Some((head, rest)) = l.split_once(" state ") {
        let tail = rest.split_once("qlen ").map_or(String::new(), |(_, n)| format!("qlen {n}"));
        // Busybox does not know the flag of a veth whose other end is elsewhere, and says that it is down.
        let head = if head.contains('@') { head.replacen('>', ",M-DOWN>", 1) } else { head.to_owned() };
        return format!("{head} {tail}");
    }
    if let Some((head, _)) = l.split_once(" link-netnsid ") {
        return head.to_owned();
    }
    l.replace(" proto kernel scope link src ", " scope link  src ")
}

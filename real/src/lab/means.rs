//! The tools that a scenario's lines call: looked for before anything is built, so that what is missing is told by name
//! and not as a difference.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use packetwalk_sim::scenario::{Scenario, What};

use crate::shim::NAMES;
use crate::stage::Missing;
use crate::tool;

/// Name, how Debian installs it. Those that the model knows and that are not part of every system.
const TOOLS: &[(&str, &str)] = &[
    ("ip", "apt install iproute2"),
    ("bridge", "apt install iproute2"),
    ("ss", "apt install iproute2"),
    ("nstat", "apt install iproute2"),
    ("tc", "apt install iproute2"),
    ("iptables", "apt install iptables"),
    ("iptables-save", "apt install iptables"),
    ("iptables-restore", "apt install iptables"),
    ("iptables-nft", "apt install iptables"),
    ("iptables-legacy", "apt install iptables"),
    ("iptables-legacy-save", "apt install iptables"),
    ("iptables-nft-save", "apt install iptables"),
    ("nft", "apt install nftables"),
    ("ebtables", "apt install ebtables"),
    ("ebtables-save", "apt install ebtables"),
    ("conntrack", "apt install conntrack"),
    ("sysctl", "apt install procps"),
    ("brctl", "apt install bridge-utils"),
    ("ifconfig", "apt install net-tools"),
    ("route", "apt install net-tools"),
    ("arp", "apt install net-tools"),
    ("netstat", "apt install net-tools"),
    ("arping", "apt install iputils-arping"),
    ("ping", "apt install iputils-ping"),
    ("tcpdump", "apt install tcpdump"),
    ("nsenter", "apt install util-linux"),
    ("unshare", "apt install util-linux"),
    ("ethtool", "apt install ethtool"),
    ("traceroute", "apt install traceroute"),
];

/// The engines' rules go to the kernel by this one.
const RESTORE: &[&str] = &["iptables-nft-restore"];
/// What calls an engine.
const ENGINE: &[&str] = &["docker", "dockerd"];

/// A line that is one tool with its words, and nothing that a shell would read: the tool itself, which spares a shell. Not
/// one of ours, which stands before the machine's.
pub fn alone(line: &str) -> Option<Command> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_./:,=+@".contains(c);
    let mut words = line.chars().all(plain).then(|| line.split_ascii_whitespace())?;
    let first = words.next().filter(|w| !NAMES.contains(w))?;
    let (name, _) = TOOLS.iter().find(|t| t.0 == first)?;
    let mut cmd = Command::new(tool::find_in_lab(name)?);
    cmd.arg0(name).args(words);
    Some(cmd)
}

/// Whether every tool that a scenario's lines call is there.
///
/// # Errors
/// The first that is not.
pub fn check(scenario: &Scenario) -> Result<(), Missing> {
    match missing(scenario, &|name| tool::find(name).is_some()) {
        None => Ok(()),
        Some((tool, help)) => Err(Missing {
            what: tool,
            why: "a line of this scenario needs it, and it is not installed".to_owned(),
            help,
        }),
    }
}

fn missing(scenario: &Scenario, there: &dyn Fn(&str) -> bool) -> Option<(&'static str, &'static str)> {
    let on_host = |place: &str| scenario.hosts.iter().any(|h| h.name == place);
    let steps = scenario.setup.iter().chain(scenario.steps.iter().map(|s| &s.action));
    let lines = steps.filter_map(|a| match &a.what {
        // A container's tools are busybox', where this machine has it.
        What::Command { place, line } if on_host(place) || !there("busybox") => Some(line.as_str()),
        _ => None,
    });
    for word in lines.flat_map(commands) {
        let word = word.rsplit('/').next().unwrap_or(word);
        if let Some(t) = TOOLS.iter().find(|t| t.0 == word && !there(t.0)) {
            return Some(*t);
        }
        if ENGINE.contains(&word)
            && let Some(t) = RESTORE.iter().find(|t| !there(t))
        {
            return Some((t, "apt install iptables"));
        }
    }
    None
}

/// The words of a line at which a command begins: at its start, and after what ends or nests another. A word that only
/// looks like one (in quotes of an `echo`) costs no more than a tool that is asked for in vain.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    line.split(['\n', ';', '&', '|', '(', '`', '{']).flat_map(|c| {
        let mut words = c.split_whitespace().filter(|w| !w.contains('='));
        let first = words.next();
        // `ip netns exec NAME COMMAND`.
        let inner = c.split_once(" exec ").and_then(|(_, rest)| rest.split_whitespace().nth(1));
        first.into_iter().chain(inner.filter(|_| first == Some("ip")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(gone: &str, line: &str) -> Option<&'static str> {
        let text = format!("name: t\ntitle: t\nhosts:\n  a: 10.0.0.1/24\nsteps:\n  - run: |-\n      a$ {line}\n");
        let s = packetwalk_sim::scenario::parse(&text).unwrap_or_else(|e| panic!("{e}"));
        missing(&s, &|name| name != gone).map(|m| m.0)
    }

    #[test]
    fn what_a_line_calls() {
        assert_eq!(without("ip", "ip link; true"), Some("ip"));
        assert_eq!(without("brctl", "ip link; brctl show"), Some("brctl"));
        assert_eq!(without("iptables", "ip netns add x; ip netns exec x iptables -S"), Some("iptables"));
        assert_eq!(without("bridge", "ip link add br0 type bridge"), None);
        assert_eq!(without("iptables-nft-restore", "docker ps"), Some("iptables-nft-restore"));
    }
}

//! Tools that a scenario's lines call by name. They run in a namespace of our own: iptables makes tables when it lists.

use std::process::{Command, Stdio};

use super::{About, Check, Group};
use crate::tool;

/// Name, how to ask for its version, Debian's package, and what is lost.
const TOOLS: [(&str, &str, &str, &str); 18] = [
    ("ip", "-V", "iproute2", "nearly every scenario"),
    ("bridge", "-V", "iproute2", "scenarios that call bridge"),
    ("ss", "-V", "iproute2", "scenarios that call ss"),
    ("nstat", "-V", "iproute2", "scenarios that call nstat"),
    ("iptables", "-V", "iptables", "scenarios with iptables or Docker"),
    ("iptables-save", "-V", "iptables", "state of rules, rule counters"),
    ("iptables-restore", "-V", "iptables", "scenarios with Docker"),
    ("iptables-legacy", "-V", "iptables", "scenarios that call iptables-legacy"),
    ("iptables-legacy-save", "-V", "iptables", "state of legacy rules"),
    ("ebtables", "-V", "ebtables", "scenarios that call ebtables"),
    ("ebtables-save", "-V", "ebtables", "state of ebtables' rules"),
    ("conntrack", "-V", "conntrack", "scenarios that call conntrack"),
    ("sysctl", "-V", "procps", "scenarios that call sysctl"),
    ("brctl", "--version", "bridge-utils", "scenarios that call brctl"),
    ("ifconfig", "--version", "net-tools", "scenarios that call ifconfig, route, arp or netstat"),
    ("arping", "-V", "iputils-arping", "scenarios that call arping"),
    ("tcpdump", "--version", "tcpdump", "scenarios that call tcpdump"),
    ("nsenter", "-V", "util-linux", "scenarios that call nsenter"),
];

/// Looks for each.
pub fn all() -> Vec<Check> {
    TOOLS.iter().map(|(name, ask, package, costs)| check(name, ask, package, costs)).collect()
}

fn check(name: &'static str, ask: &str, package: &str, costs: &'static str) -> Check {
    let about = About { group: Group::Tools, what: name, costs, remedy: "" };
    let mut check = about.tried(version(name, ask));
    if check.ok && name == "iptables" && !check.detail.contains("nf_tables") {
        check.ok = false;
        check.remedy = "update-alternatives --set iptables /usr/sbin/iptables-nft".into();
        check.costs = "which rule took a packet: the legacy variant cannot be traced".into();
    } else if !check.ok {
        check.remedy = format!("apt install {package}");
    }
    check
}

/// First line of what it says about itself; a tool that says nothing is there all the same.
fn version(name: &str, ask: &str) -> Result<String, String> {
    let path = tool::find(name).ok_or("not installed")?;
    let out = Command::new(path).arg(ask).stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    let said = if out.stdout.is_empty() { out.stderr } else { out.stdout };
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().next().unwrap_or_default();
    Ok(line.split_once(", libbpf").map_or(line, |(short, _)| short).to_owned())
}

//! What of a scenario no lab on this machine can build: machine-wide settings, and kinds of devices that this kernel does
//! not have. It is known before anything is built, by the words of the lines, and told by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use packetwalk_sim::scenario::{Action, Scenario, What};

/// Something that cannot be built, and so is not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Number of the step that asks for it, the lines of `setup` counted first; 0 is the building of the hosts. What
    /// follows it walks in another world than the model's.
    pub step: usize,
    /// What: the setting or the kind of device.
    pub what: String,
    /// Why not here.
    pub why: String,
}

/// Settings that are the machine's, not a network namespace's, under `net`. Measured with `unshare -n` on Linux 6.18: in a
/// namespace of its own the first two and `expect_max` are there with mode 0444, the others are absent.
const MACHINE_WIDE: &[&str] = &[
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_buckets",
    "net.netfilter.nf_conntrack_expect_max",
    "net.nf_conntrack_max",
    "net.ipv4.tcp_mem",
    "net.ipv4.udp_mem",
    "net.ipv4.neigh.default.gc_thresh1",
    "net.ipv4.neigh.default.gc_thresh2",
    "net.ipv4.neigh.default.gc_thresh3",
    "net.ipv4.neigh.default.gc_interval",
];

/// Words after `type` of `ip link add` that name a kind of device.
const KINDS: &[&str] = &[
    "bareudp",
    "bond",
    "bridge",
    "dummy",
    "erspan",
    "geneve",
    "gre",
    "gretap",
    "ifb",
    "ipip",
    "ipvlan",
    "ipvtap",
    "macsec",
    "macvlan",
    "macvtap",
    "netdevsim",
    "nlmon",
    "sit",
    "team",
    "tun",
    "vcan",
    "veth",
    "vlan",
    "vrf",
    "vti",
    "vxcan",
    "vxlan",
    "wireguard",
    "xfrm",
];

/// Kinds that every lab needs: where they are missing nothing is built at all, and that is told elsewhere.
const ALWAYS: &[&str] = &["veth", "bridge"];

/// What of a scenario cannot be built on this machine.
#[must_use]
pub fn of(scenario: &Scenario) -> Vec<Limit> {
    let mut asked = BTreeMap::new();
    of_kernel(scenario, &mut |kind| *asked.entry(kind.to_owned()).or_insert_with(|| has_kind(kind)))
}

/// The same, for a kernel that is asked what kinds of devices it has.
pub fn of_kernel(scenario: &Scenario, has: &mut dyn FnMut(&str) -> bool) -> Vec<Limit> {
    let mut found = Vec::new();
    for h in &scenario.hosts {
        let names = h.sysctls.iter().map(|(name, _)| name.as_str());
        found.extend(names.filter(|n| machine_wide(n)).map(|n| setting(0, n)));
    }
    let steps = scenario.setup.iter().chain(scenario.steps.iter().map(|s| &s.action));
    for (i, Action { what, .. }) in steps.enumerate() {
        if let What::Command { line, .. } = what {
            of_line(i + 1, line, has, &mut found);
        }
    }
    found
}

fn of_line(step: usize, line: &str, has: &mut dyn FnMut(&str) -> bool, found: &mut Vec<Limit>) {
    for command in line.split(['\n', ';', '&', '|']) {
        let words: Vec<&str> = command.split_whitespace().map(|w| w.trim_matches(['"', '\''])).collect();
        if words.contains(&"sysctl") {
            let names = words.iter().filter_map(|w| Some(w.split_once('=')?.0));
            found.extend(names.filter(|n| machine_wide(n)).map(|n| setting(step, &dotted(n))));
        }
        let files = written(&words).filter_map(|f| f.strip_prefix("/proc/sys/"));
        found.extend(files.filter(|f| machine_wide(f)).map(|f| setting(step, &dotted(f))));
        let kinds = kinds(&words);
        let missing = |k: &&str| KINDS.contains(k) && !ALWAYS.contains(k);
        for kind in kinds.into_iter().filter(missing) {
            if !has(kind) {
                found.push(Limit {
                    step,
                    what: format!("devices of type {kind}"),
                    why: format!("this kernel has none; modprobe {kind}, where there is such a module"),
                });
            }
        }
    }
}

/// The kinds of devices that a command needs: those it names, and those that a driver of an engine makes.
fn kinds<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let after = |flags: &'static [&str]| words.windows(2).filter(|w| flags.contains(&w[0])).map(|w| w[1]);
    if words.contains(&"link") {
        return after(&["type"]).collect();
    }
    if !(words.contains(&"docker") && words.contains(&"network")) {
        return Vec::new();
    }
    let joined = words.iter().filter_map(|w| w.strip_prefix("--driver="));
    let drivers = after(&["-d", "--driver"]).chain(joined);
    drivers.map(|d| if d == "overlay" { "vxlan" } else { d }).collect()
}

/// The files that a command writes: after `>`, and the arguments of `tee`.
fn written<'a>(words: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let tee = words.contains(&"tee");
    words.iter().enumerate().filter_map(move |(i, w)| {
        let after = i > 0 && words[i - 1].ends_with('>');
        let name = w.trim_start_matches(['>', '1']);
        (tee || after || w.starts_with('>')).then_some(name)
    })
}

/// `net/ipv4/ip_forward` and `net.ipv4.ip_forward` are the same.
fn dotted(name: &str) -> String {
    name.replace('/', ".")
}

fn machine_wide(name: &str) -> bool {
    let name = dotted(name);
    MACHINE_WIDE.contains(&name.as_str()) || (!name.starts_with("net.") && name.contains('.'))
}

fn setting(step: usize, name: &str) -> Limit {
    Limit {
        step,
        what: name.to_owned(),
        why:
            "the setting is the whole machine's: it can be written in the first network namespace only, and a lab does \
              not touch that"
                .to_owned(),
    }
}

/// Whether this kernel makes devices of a kind. `ip` is asked in a network namespace that goes with it, in a user
/// namespace where we are not root; where even that is impossible nothing can be built, and that is told elsewhere.
fn has_kind(kind: &str) -> bool {
    let Ok(exe) = std::env::current_exe() else { return true };
    ask(&exe, kind).unwrap_or(true)
}

fn ask(exe: &Path, kind: &str) -> Option<bool> {
    let mut cmd = Command::new(exe);
    cmd.args([KIND, kind]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    cmd.status().ok()?.code().map(|c| c != i32::from(NO_SUCH_KIND))
}

/// First argument of the process that tries a kind of device.
pub const KIND: &str = "__kind";
const NO_SUCH_KIND: u8 = 4;

/// The process that tries a kind of device: away from the machine's network, where what it makes goes with it.
#[must_use]
pub fn try_kind(kind: &str) -> u8 {
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};

    if crate::stage::away_with_network().is_err() {
        return 0;
    }
    let mut m = LinkMessage::default();
    let kind = match kind {
        "dummy" => InfoKind::Dummy,
        other => InfoKind::Other(other.to_owned()),
    };
    m.attributes.push(LinkAttribute::IfName("pw-kind".into()));
    m.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
    let Ok(mut nl) = crate::netlink::Netlink::open(crate::netlink::ROUTE) else { return 0 };
    let flags = crate::netlink::CREATE | crate::netlink::EXCL;
    // What lacks parameters is refused otherwise than what is not known (`__rtnl_newlink`: EOPNOTSUPP).
    match nl.change(&RouteNetlinkMessage::NewLink(m), flags) {
        Err(e) if e.errno == nix::Error::EOPNOTSUPP => NO_SUCH_KIND,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(lines: &[&str]) -> Vec<(usize, String)> {
        let steps: String = lines.iter().map(|l| format!("  - run: |-\n      a$ {l}\n")).collect();
        let text = format!("name: t\ntitle: t\nhosts:\n  a: 10.0.0.1/24\nsteps:\n{steps}");
        let s = packetwalk_sim::scenario::parse(&text).unwrap_or_else(|e| panic!("{e}"));
        let mut has = |kind: &str| matches!(kind, "vxlan" | "macvlan");
        of_kernel(&s, &mut has).into_iter().map(|l| (l.step, l.what)).collect()
    }

    #[test]
    fn machine_wide_settings() {
        let max = "net.netfilter.nf_conntrack_max";
        assert_eq!(limits(&["sysctl net.ipv4.ip_forward=1", &format!("sysctl -w {max}=2")]), [(2, max.to_owned())]);
        assert_eq!(limits(&["echo 2 > /proc/sys/net/netfilter/nf_conntrack_max"]), [(1, max.to_owned())]);
        assert_eq!(
            limits(&["sysctl net.netfilter.nf_conntrack_max", "cat /proc/sys/net/netfilter/nf_conntrack_max"]),
            []
        );
    }

    #[test]
    fn kinds_of_devices() {
        let lines =
            ["ip link add d0 type dummy; ip link add b type bridge", "ip link add v type vxlan id 1 dstport 4789"];
        assert_eq!(limits(&lines), [(1, "devices of type dummy".to_owned())]);
    }
}

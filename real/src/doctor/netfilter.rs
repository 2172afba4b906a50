//! Filtering, translation and tracking, in a namespace of our own.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{About, Check, Group};
use crate::netlink::{self, Netlink, Request};
use crate::tool;
use crate::watch::nftrace::Tracer;

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS`.
const CT_STATS: u16 = 0x105;
/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN`.
const GETGEN: u16 = 0xa10;
/// A rule for each match and target that Docker and the library's scenarios use: it is the kernel that may lack one.
const RULES: [(&str, &str); 20] = [
    ("conntrack", "-A INPUT -m conntrack --ctstate ESTABLISHED"),
    ("addrtype", "-A INPUT -m addrtype --dst-type LOCAL"),
    ("physdev", "-A FORWARD -m physdev --physdev-in x"),
    ("mark", "-A INPUT -m mark --mark 1"),
    ("connmark", "-A INPUT -m connmark --mark 1"),
    ("multiport", "-A INPUT -p tcp -m multiport --dports 1,2"),
    ("iprange", "-A INPUT -m iprange --src-range 10.0.0.1-10.0.0.2"),
    ("limit", "-A INPUT -m limit --limit 1/s"),
    ("mac", "-A INPUT -m mac --mac-source 02:00:00:00:00:01"),
    ("owner", "-A OUTPUT -m owner --uid-owner 0"),
    ("comment", "-A INPUT -m comment --comment x"),
    ("LOG", "-A INPUT -j LOG"),
    ("REJECT", "-A INPUT -j REJECT"),
    ("MASQUERADE", "-t nat -A POSTROUTING -j MASQUERADE"),
    ("DNAT", "-t nat -A PREROUTING -p tcp -j DNAT --to 10.0.0.1:80"),
    ("REDIRECT", "-t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 80"),
    ("NETMAP", "-t nat -A PREROUTING -j NETMAP --to 10.0.0.0/24"),
    ("MARK", "-t mangle -A PREROUTING -j MARK --set-mark 1"),
    ("TCPMSS", "-t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"),
    ("CT", "-t raw -A PREROUTING -j CT --notrack"),
];

/// Tries them.
pub fn all() -> Vec<Check> {
    let about = |what, costs, remedy| About { group: Group::Netfilter, what, costs, remedy };
    let mut out = vec![
        about(
            "nf_tables",
            "rules of iptables-nft and ebtables",
            "modprobe nf_tables; CONFIG_NF_TABLES, CONFIG_NFT_COMPAT",
        )
        .tried(asked(GETGEN)),
        about(
            "conntrack over netlink",
            "connections and translations",
            "modprobe nf_conntrack_netlink; CONFIG_NF_CT_NETLINK",
        )
        .tried(asked(CT_STATS)),
        about(
            "br_netfilter",
            "scenarios where bridged frames are filtered",
            "modprobe br_netfilter; CONFIG_BRIDGE_NETFILTER",
        )
        .tried(there("/proc/sys/net/bridge/bridge-nf-call-iptables")),
        about(
            "nftables trace",
            "which rule took a packet; counters are still compared",
            "a kernel with CONFIG_NF_TABLES_INET",
        )
        .tried(Tracer::start().map(|_| String::new())),
    ];
    let legacy = about(
        "legacy tables",
        "scenarios with iptables-legacy",
        "apt install iptables; modprobe iptable_filter iptable_nat; CONFIG_IP_NF_IPTABLES_LEGACY",
    );
    out.push(legacy.tried(accepts("iptables-legacy", "-A INPUT -j ACCEPT").map(|()| String::new())));
    let matches = about(
        "iptables' matches and targets",
        "scenarios whose rules use them",
        "apt install iptables; modprobe xt_NAME for each; kernel options are CONFIG_NETFILTER_XT_*",
    );
    out.push(matches.tried(extensions()));
    out
}

/// Whether somebody answers a request of nfnetlink.
fn asked(kind: u16) -> Result<String, String> {
    let mut nl = Netlink::open(netlink::NETFILTER).map_err(|e| e.to_string())?;
    nl.get(&Request::new(kind, 0, &[0; 4])).map(|_| String::new()).map_err(|e| e.to_string())
}

fn there(path: &str) -> Result<String, String> {
    if Path::new(path).exists() { Ok(String::new()) } else { Err(format!("no {path}")) }
}

/// Whether the tool gives the kernel a rule.
fn accepts(name: &str, rule: &str) -> Result<(), String> {
    let path = tool::find(name).ok_or_else(|| format!("{name} is not installed"))?;
    let out = Command::new(path).args(rule.split(' ')).stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&out.stderr);
    if out.status.success() { Ok(()) } else { Err(said.lines().next().unwrap_or("refused").to_owned()) }
}

fn extensions() -> Result<String, String> {
    accepts("iptables", "-A INPUT -j ACCEPT")?;
    let lack: Vec<&str> =
        RULES.iter().filter(|(_, rule)| accepts("iptables", rule).is_err()).map(|(name, _)| *name).collect();
    if lack.is_empty() { Ok(format!("{} tried", RULES.len())) } else { Err(format!("missing: {}", lack.join(", "))) }
}

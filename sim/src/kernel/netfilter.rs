//! Netfilter: the five hooks of IPv4 and what is registered there, by priority (net/netfilter/core.c,
//! include/uapi/linux/netfilter_ipv4.h).

mod hooks;

use super::conntrack::Conntrack;
use super::nat::Nat;
use super::xtables::Xtables;

/// The five places where packets may be looked at (`enum nf_inet_hooks`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Hook {
    Prerouting = 0,
    Input = 1,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

impl Hook {
    /// All, in the kernel's order.
    pub const ALL: [Hook; 5] = [Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting];

    /// Name of the base chain: `PREROUTING` …
    pub fn name(self) -> &'static str {
        match self {
            Hook::Prerouting => "PREROUTING",
            Hook::Input => "INPUT",
            Hook::Forward => "FORWARD",
            Hook::Output => "OUTPUT",
            Hook::Postrouting => "POSTROUTING",
        }
    }

    /// The hook of a base chain's name.
    pub fn by_name(name: &str) -> Option<Hook> {
        Hook::ALL.into_iter().find(|h| h.name() == name)
    }
}

/// What a hook says (`NF_ACCEPT`, `NF_DROP`, `NF_STOLEN`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The packet goes on.
    Accept,
    /// The packet ends here; whoever said so has recorded why.
    Drop,
    /// Somebody else keeps the packet (a fragment that waits).
    Stolen,
}

/// The firewall of a namespace.
#[derive(Clone, Debug, Default)]
pub struct Netfilter {
    /// Tables of iptables-nft and iptables-legacy.
    pub xt: Xtables,
    /// Connection tracking.
    pub ct: Conntrack,
    /// Address translation.
    pub nat: Nat,
    /// The filter table of bridges.
    pub ebt: super::ebtables::Ebtables,
    /// Anything is registered at any hook: guards the packet path.
    pub active: bool,
}

impl Netfilter {
    /// Nothing is registered; new base chains get counters or not.
    pub fn counting(on: bool) -> Netfilter {
        let mut n = Netfilter::default();
        n.xt.variants[crate::kernel::xtables::Variant::Nft as usize].counting = on;
        n
    }
}

/// What a packet carries for netfilter beside its content (`skb->_nfct`, `nf_bridge_info`, `skb->sk`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SkbNf {
    /// Its connection, if any.
    pub ct: Option<super::conntrack::CtRef>,
    /// Relation to that connection; `UNTRACKED` after NOTRACK.
    pub ctinfo: super::conntrack::CtInfo,
    /// Zone that `CT --zone` chose for it (`struct nf_conn` template).
    pub zone: super::conntrack::Zone,
    /// Port of a bridge that it came in by (`nf_bridge->physindev`), device number plus one.
    pub physin: u32,
    /// Port of a bridge that it leaves by, device number plus one.
    pub physout: u32,
    /// A translated frame that waits for its destination's address: port it came by, and its sender (`bridged_dnat`).
    pub bridged_dnat: Option<(super::types::DevId, crate::wire::MacAddr)>,
    /// It passed PREROUTING as a bridged frame (`nf_bridge_info` present).
    pub bridged: bool,
    /// Largest fragment that it was put together from, 0 where it never was in pieces (`frag_max_size`).
    pub frag_max: u16,
    /// For the device that receives it, whatever its address says (`PACKET_HOST` set by a tunnel).
    pub to_host: bool,
    /// Routing was asked before it came to `ip_rcv` (`skb_valid_dst`).
    pub routed: bool,
    /// Socket that sent it, number plus one; `KERNEL_SOCKET` for the kernel's own answers, 0 for what is received.
    pub sock: u32,
}

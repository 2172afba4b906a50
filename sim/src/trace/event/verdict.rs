//! What is decided, each with its evidence.

use crate::kernel::conntrack::{CtInfo, Status, Tuple};
use crate::kernel::fib::{Route, RuleAction};
use crate::kernel::netfilter::Hook;
use crate::kernel::types::DevId;
use crate::kernel::xtables::{Rule, TableKind, Variant};
use crate::wire::MacAddr;
use crate::wire::packet::TcpFlags;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A lookup key of routing (`struct flowi4`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowKey {
    /// Source, unspecified while a socket has none.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// Incoming device; none for what the host itself sends.
    pub iif: Option<DevId>,
    /// Outgoing device, where a socket is bound to one.
    pub oif: Option<DevId>,
    /// `skb->mark`.
    pub mark: u32,
}

/// What a bridge did with a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrVerdict {
    /// The FDB names a port.
    Port(DevId),
    /// The FDB names the bridge itself or one of its ports' own addresses.
    Local,
    /// Not in the FDB: every port gets a copy.
    Unknown,
    /// A broadcast or multicast frame: every port gets a copy, and so does the host.
    Group,
}

/// Why a bridge passed a port over when it flooded or forwarded (`should_deliver`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrSkip {
    /// The frame came in by it, and hairpin is off.
    SamePort,
    /// Not forwarding.
    NotForwarding,
    /// `flood off`, `mcast_flood off` or `bcast_flood off`.
    FloodOff,
    /// Both ports are isolated.
    Isolated,
    /// `neigh_suppress`.
    NeighSuppress,
    /// The frame is longer than the port's MTU.
    TooBig,
}

/// Why a routing rule was not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleMiss {
    /// `from`.
    Src,
    /// `to`.
    Dst,
    /// `iif`.
    Iif,
    /// `oif`.
    Oif,
    /// `fwmark`.
    Mark,
    /// `tos`.
    Tos,
    /// `ipproto`.
    Proto,
    /// `sport` or `dport`.
    Port,
    /// `uidrange`.
    Uid,
    /// `not`: it matched.
    Inverted,
    /// Its table has no route for the destination.
    NoRoute,
    /// `suppress_prefixlength` or `suppress_ifgroup` threw the route away.
    Suppressed,
    /// The table said `throw`.
    Throw,
}

/// Result of a routing lookup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FibResult {
    /// A route won.
    Route {
        /// Preference of the rule that led to it.
        pref: u32,
        /// The route.
        route: Route,
    },
    /// A rule refused: blackhole, unreachable or prohibit.
    Rule {
        /// Its preference.
        pref: u32,
        /// What it does.
        action: RuleAction,
    },
    /// Nothing matched.
    None,
}

/// Result of the check of a source address (`fib_validate_source`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceCheck {
    /// Fine, and the way back leaves by the same device.
    Ok,
    /// Fine, though the way back leaves by another device.
    OtherDevice,
    /// `rp_filter` refused it: 1 strict, 2 loose.
    RpFilter(u8),
    /// It is one of our own addresses (without `accept_local`), or cannot be a source.
    Martian,
}

/// What an ARP packet did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArpVerdict {
    /// A request for us: answered.
    Answered,
    /// A request for an address of another link that we answer for (`proxy_arp`).
    Proxied,
    /// Not for us.
    NotOurs,
    /// `arp_ignore` forbids the answer.
    Ignored(u8),
    /// `arp_filter`: the way back leaves by another device.
    Filtered,
    /// The neighbour table has no room for the asker: no answer.
    TableFull,
    /// The route to the asker is refused (`rp_filter`, martian source): no answer.
    SourceRefused,
    /// An answer that fills or confirms an entry.
    Learned,
    /// An answer nobody asked for, or too soon after another (`locktime`).
    Unsolicited,
    /// The device does no ARP.
    NoArp,
    /// Malformed, or for an address that ARP never serves.
    Bad,
}

/// What a macvlan made of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MacvlanVerdict {
    /// The lower device received it, and the address is this device's.
    Received,
    /// For another device on the same lower one: straight there.
    Sibling,
    /// Out by the lower device.
    Out,
}

/// A rule at its place, as it stood when the packet came by.
#[derive(Clone, Debug)]
pub struct RuleAt {
    /// Set of tables.
    pub variant: Variant,
    /// Hook.
    pub hook: Hook,
    /// Table.
    pub table: TableKind,
    /// Chain.
    pub chain: Arc<str>,
    /// Number within the chain, from 1, as `--line-numbers` counts.
    pub number: u32,
    /// The rule.
    pub rule: Arc<Rule>,
}

/// What a match looked at when it did not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saw {
    /// Nothing: the packet has no such thing.
    Nothing,
    /// A number: a port, a length, a TTL.
    Num(u64),
    /// A number that is written in hexadecimal: a mark, a TOS.
    Hex(u32),
    /// An address.
    Addr(Ipv4Addr),
    /// A hardware address.
    Mac(MacAddr),
    /// A device, or none.
    Dev(Option<DevId>),
    /// A random number of the scenario's seed.
    Dice,
    /// A word: a protocol, a state, a kind of address.
    Word(&'static str),
    /// What a match found that counts or looks for something itself: `the limit is spent`.
    Found(&'static str),
    /// An address, and how often the list of `-m recent` has it as the rule counts.
    Listed(Ipv4Addr, u32),
    /// ICMP type and code.
    Icmp(u8, u8),
    /// TCP flags.
    Flags(TcpFlags),
}

/// The first thing a rule asked for that the packet did not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Miss {
    /// The option that asks: `-s`, `--dport`, `--ctstate`.
    pub option: &'static str,
    /// What the packet had instead.
    pub saw: Saw,
}

/// What a rule did with a packet that fitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum RuleVerdict {
    Accept,
    Drop,
    /// Back to the calling chain; at the end of a base chain its policy.
    Return,
    /// On to another chain.
    Jump,
    Goto,
    /// It did its work, and the next rule is asked.
    Continue,
    /// Refused with an answer.
    Reject,
    /// An address translation was set up.
    Nat,
    /// The model does not know what Linux would do.
    Unmodelled,
}

/// A connection as evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CtView {
    pub tuples: [Tuple; 2],
    pub status: Status,
    pub zone: u16,
    pub mark: u32,
    /// TCP's state as `conntrack -L` prints it.
    pub tcp: Option<&'static str>,
    /// Seconds until it expires.
    pub expires_s: u64,
}

/// What vanished by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expired {
    /// A connection (`gc_worker`).
    Connection(Box<CtView>),
    /// What a bridge learnt (`br_fdb_cleanup`).
    Bridge {
        /// Address.
        mac: MacAddr,
        /// The port that it was behind.
        port: DevId,
    },
    /// What a tunnel learnt (`vxlan_cleanup`).
    Vxlan {
        /// Address.
        mac: MacAddr,
        /// The host that it was on.
        remote: Ipv4Addr,
    },
}

/// What connection tracking made of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CtVerdict {
    /// It belongs to a connection, in this relation.
    Found(CtInfo),
    /// A connection was made for it.
    Made,
    /// The connection went into the table (`nf_conntrack_confirm`).
    Confirmed,
    /// It belongs to none and can begin none (INVALID), for this reason.
    Invalid(&'static str),
    /// Not to be tracked (NOTRACK).
    Untracked,
    /// Another connection already uses the tuple (`insert_failed`).
    Clash,
    /// The table is full.
    Full,
}

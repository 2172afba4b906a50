//! The targets (`-j`): one file each.

mod log;
pub(crate) mod mangle;
mod reject;

use std::net::Ipv4Addr;
use std::sync::Arc;

/// `REJECT --reject-with`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum RejectWith {
    NetUnreachable,
    HostUnreachable,
    PortUnreachable,
    ProtoUnreachable,
    NetProhibited,
    HostProhibited,
    AdminProhibited,
    TcpReset,
}

/// `LOG`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct LogTarget {
    /// Syslog level, 4 (warning) by default.
    pub level: u8,
    /// `NF_LOG_*`: tcp-sequence 1, tcp-options 2, ip-options 4, uid 8, macdecode 0x20.
    pub flags: u8,
    pub prefix: Arc<str>,
}

/// `MARK`: mark = (mark & !mask) ^ value (`--set-xmark`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct MarkTarget {
    pub value: u32,
    pub mask: u32,
}

/// `CONNMARK`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ConnmarkTarget {
    /// `--set-xmark`.
    Set { value: u32, mask: u32 },
    /// `--save-mark`.
    Save { nfmask: u32, ctmask: u32 },
    /// `--restore-mark`.
    Restore { nfmask: u32, ctmask: u32 },
}

/// Which address translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum NatKind {
    Snat,
    Dnat,
    Masquerade,
    Redirect,
    Netmap,
}

/// `SNAT`, `DNAT`, `MASQUERADE`, `REDIRECT`, `NETMAP` (`struct nf_nat_range2`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct NatTarget {
    pub kind: NatKind,
    /// Addresses from .. to; for NETMAP network and netmask. None where only ports are given.
    pub addrs: Option<(Ipv4Addr, Ipv4Addr)>,
    /// Ports from .. to.
    pub ports: Option<(u16, u16)>,
    /// Base port of a shifted port map (`--to-destination A:X-Y/BASE`).
    pub base: Option<u16>,
    pub random: bool,
    pub random_fully: bool,
    pub persistent: bool,
}

/// `CT`, `NOTRACK`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct CtTarget {
    pub notrack: bool,
    /// Written as `-j NOTRACK`, and saved so.
    pub alias: bool,
    pub zone: u16,
    /// `--zone mark`: the zone is taken from the packet's mark.
    pub zone_mark: bool,
    /// `--zone-orig`, `--zone-reply`: the zone counts in this direction only (true: original).
    pub zone_dir: Option<bool>,
    /// Other options as printed (`--helper`, `--ctevents` …): kept, not modelled.
    pub rest: Option<Arc<str>>,
}

/// `TTL`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum TtlTarget {
    Set(u8),
    Inc(u8),
    Dec(u8),
}

/// A target that is known by name and text only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpaqueTarget {
    /// `-j NAME`.
    pub name: Arc<str>,
    /// Its options as printed.
    pub args: Arc<str>,
    /// It makes the namespace track connections.
    pub conntrack: bool,
}

/// What a rule does with a packet that fits.
#[derive(Clone, PartialEq, Debug, Default)]
#[allow(missing_docs)]
pub enum Target {
    /// No `-j`: counts only.
    #[default]
    None,
    Accept,
    Drop,
    Return,
    /// `-j CHAIN`.
    Jump(Arc<str>),
    /// `-g CHAIN`.
    Goto(Arc<str>),
    Reject(RejectWith),
    Log(LogTarget),
    Mark(MarkTarget),
    Connmark(ConnmarkTarget),
    Nat(NatTarget),
    Ct(CtTarget),
    /// `TCPMSS --set-mss N`; none for `--clamp-mss-to-pmtu`.
    TcpMss(Option<u16>),
    Ttl(TtlTarget),
    /// `TOS --set-tos VALUE/MASK`: tos = (tos & !mask) ^ value.
    Tos {
        value: u8,
        mask: u8,
    },
    /// `DSCP --set-dscp`.
    Dscp(u8),
    /// `CHECKSUM --checksum-fill`.
    Checksum,
    Trace,
    /// It tells somebody outside of the model, or sets what only a queue looks at; the walk goes on: `NFLOG`, `AUDIT`,
    /// `CLASSIFY`.
    Aside(OpaqueTarget),
    Opaque(OpaqueTarget),
}

impl Target {
    /// It makes the namespace track connections.
    pub fn needs_conntrack(&self) -> bool {
        match self {
            Target::Connmark(_) | Target::Nat(_) => true,
            Target::Ct(c) => !c.notrack,
            Target::Opaque(o) | Target::Aside(o) => o.conntrack,
            _ => false,
        }
    }

    /// The chain that it jumps or goes to.
    pub fn chain(&self) -> Option<&Arc<str>> {
        match self {
            Target::Jump(c) | Target::Goto(c) => Some(c),
            _ => None,
        }
    }

    /// The chain that it jumps or goes to has another name now.
    pub fn set_chain(&mut self, name: &Arc<str>) {
        if let Target::Jump(c) | Target::Goto(c) = self {
            *c = name.clone();
        }
    }
}

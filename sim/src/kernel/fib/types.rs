//! Routes, rules and tables as values.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use prefix_trie::PrefixMap;

use crate::kernel::types::{DevId, IfName};

/// Table numbers with names (`/etc/iproute2/rt_tables`).
pub mod table {
    /// `default`.
    pub const DEFAULT: u32 = 253;
    /// `main`.
    pub const MAIN: u32 = 254;
    /// `local`.
    pub const LOCAL: u32 = 255;
}

/// Scopes (`RT_SCOPE_*`): how far away a destination is.
pub mod scope {
    /// Anywhere.
    pub const UNIVERSE: u8 = 0;
    /// Within the site.
    pub const SITE: u8 = 200;
    /// On the attached link.
    pub const LINK: u8 = 253;
    /// This host.
    pub const HOST: u8 = 254;
    /// Does not exist.
    pub const NOWHERE: u8 = 255;
}

/// Who made a route (`RTPROT_*`).
pub mod proto {
    /// Not known.
    pub const UNSPEC: u8 = 0;
    /// An ICMP redirect.
    pub const REDIRECT: u8 = 1;
    /// The kernel, with an address.
    pub const KERNEL: u8 = 2;
    /// `ip route` without `proto`.
    pub const BOOT: u8 = 3;
    /// An administrator.
    pub const STATIC: u8 = 4;
}

/// Kind of a route (`RTN_*`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum RouteType {
    Unicast = 1,
    Local = 2,
    Broadcast = 3,
    Anycast = 4,
    Multicast = 5,
    Blackhole = 6,
    Unreachable = 7,
    Prohibit = 8,
    Throw = 9,
}

impl RouteType {
    /// Its number (linux/rtnetlink.h).
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The word `ip route` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            RouteType::Unicast => "unicast",
            RouteType::Local => "local",
            RouteType::Broadcast => "broadcast",
            RouteType::Multicast => "multicast",
            RouteType::Anycast => "anycast",
            RouteType::Blackhole => "blackhole",
            RouteType::Unreachable => "unreachable",
            RouteType::Prohibit => "prohibit",
            RouteType::Throw => "throw",
        }
    }
}

/// A route (`struct fib_alias` with its `fib_info` and one next hop).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// Destination.
    pub dst: Ipv4Net,
    /// Table it lives in.
    pub table: u32,
    /// Kind.
    pub kind: RouteType,
    /// `proto`.
    pub proto: u8,
    /// `scope`.
    pub scope: u8,
    /// `tos`.
    pub tos: u8,
    /// `metric` (priority): the lower wins.
    pub metric: u32,
    /// `src`: preferred source address.
    pub prefsrc: Option<Ipv4Addr>,
    /// `via`.
    pub via: Option<Ipv4Addr>,
    /// `dev`.
    pub dev: Option<DevId>,
    /// `onlink`.
    pub onlink: bool,
    /// The device lost its carrier (`RTNH_F_LINKDOWN`).
    pub linkdown: bool,
    /// The device is down (`RTNH_F_DEAD`); only in replies of older routes, a dead route is removed.
    pub dead: bool,
    /// `mtu`, and whether it is locked.
    pub mtu: Option<u32>,
    /// `mtu lock`.
    pub mtu_lock: bool,
    /// `advmss`.
    pub advmss: Option<u32>,
    /// How far away the next hop is (`nhc_scope`): on the link for a gateway, this host without one.
    pub nh_scope: u8,
}

impl Route {
    /// The gateway that packets go to: one of our own addresses is none (`rt_set_nexthop`).
    #[inline]
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        self.via.filter(|_| self.nh_scope == scope::LINK)
    }
}

/// A routing table.
#[derive(Clone, Debug, Default)]
pub struct FibTable {
    /// Routes by prefix; those of one prefix in the order of lookup (tos, metric).
    pub routes: PrefixMap<Ipv4Net, Vec<Route>>,
}

/// A filter over the local table: no false "no" (Bloom's, over host routes), and the few wider prefixes.
#[derive(Clone, Debug, Default)]
pub struct LocalHint {
    bloom: u64,
    wide: Vec<Ipv4Net>,
}

impl LocalHint {
    #[inline]
    fn bit(a: Ipv4Addr) -> u64 {
        1 << (u32::from(a).wrapping_mul(0x9e37_79b9) >> 26)
    }

    /// A route of the local table.
    pub(crate) fn note(&mut self, dst: Ipv4Net) {
        if dst.prefix_len() == 32 {
            self.bloom |= Self::bit(dst.addr());
        } else if !self.wide.contains(&dst) {
            self.wide.push(dst);
        }
    }

    /// May the local table have a route for this address?
    #[inline]
    pub fn may_have(&self, a: Ipv4Addr) -> bool {
        self.bloom & Self::bit(a) != 0 || self.wide.iter().any(|n| n.contains(&a))
    }
}

/// What a rule does (`FR_ACT_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum RuleAction {
    /// `lookup TABLE`.
    Table(u32),
    /// `goto PREF`.
    Goto(u32),
    Nop,
    Blackhole,
    Unreachable,
    Prohibit,
}

/// A rule of `ip rule` (`struct fib_rule`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FibRule {
    /// `pref`: lower ones are asked first.
    pub pref: u32,
    /// `not`: the rule applies to what does not match.
    pub invert: bool,
    /// `from`.
    pub src: Option<Ipv4Net>,
    /// `to`.
    pub dst: Option<Ipv4Net>,
    /// `iif`, by name: a rule waits for its device.
    pub iif: Option<IfName>,
    /// `oif`, by name.
    pub oif: Option<IfName>,
    /// `fwmark` value and mask.
    pub fwmark: Option<(u32, u32)>,
    /// `tos`.
    pub tos: u8,
    /// `ipproto`.
    pub ipproto: Option<u8>,
    /// `sport` from and to.
    pub sport: Option<(u16, u16)>,
    /// `dport` from and to.
    pub dport: Option<(u16, u16)>,
    /// `uidrange`.
    pub uidrange: Option<(u32, u32)>,
    /// `suppress_prefixlength`.
    pub suppress_prefixlength: Option<u8>,
    /// `suppress_ifgroup`.
    pub suppress_ifgroup: Option<u32>,
    /// What it does.
    pub action: RuleAction,
    /// `protocol` (RTPROT_*); 2 kernel for the three of the start, 3 boot for `ip rule add`.
    pub proto: u8,
}

/// Routing of one namespace.
#[derive(Clone, Debug)]
pub struct Fib {
    /// Tables by number.
    pub tables: BTreeMap<u32, FibTable>,
    /// Rules, in the order they are asked.
    pub rules: Vec<FibRule>,
    /// What the local table may hold: most questions about an address end here.
    pub hint: LocalHint,
    /// Rules other than the three of the start exist: lookups must ask them.
    pub custom_rules: bool,
}

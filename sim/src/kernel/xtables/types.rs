//! Tables, chains and rules as the kernel keeps them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::matches::Match;
use super::sum::Sum;
use super::targets::Target;
use crate::kernel::netfilter::Hook;

/// Which set of tables: both hang on the same hooks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Variant {
    /// `iptables` of today: rules in nf_tables.
    #[default]
    Nft = 0,
    /// `iptables-legacy`: ip_tables.
    Legacy = 1,
}

/// The tables of iptables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum TableKind {
    Raw = 0,
    Mangle = 1,
    Nat = 2,
    Filter = 3,
    Security = 4,
}

impl TableKind {
    /// All of them.
    pub const ALL: [TableKind; 5] =
        [TableKind::Raw, TableKind::Mangle, TableKind::Nat, TableKind::Filter, TableKind::Security];

    /// `-t` name.
    pub fn name(self) -> &'static str {
        match self {
            TableKind::Raw => "raw",
            TableKind::Mangle => "mangle",
            TableKind::Nat => "nat",
            TableKind::Filter => "filter",
            TableKind::Security => "security",
        }
    }

    /// The table of a name.
    pub fn by_name(name: &str) -> Option<TableKind> {
        TableKind::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Hooks that its base chains sit on.
    pub fn hooks(self) -> &'static [Hook] {
        use Hook::*;
        match self {
            TableKind::Raw => &[Prerouting, Output],
            TableKind::Mangle => &[Prerouting, Input, Forward, Output, Postrouting],
            TableKind::Nat => &[Prerouting, Input, Output, Postrouting],
            TableKind::Filter | TableKind::Security => &[Input, Forward, Output],
        }
    }
}

/// Packets and bytes (IP header included).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct Counters {
    pub packets: u64,
    pub bytes: u64,
}

/// `-i`, `-o`: a name, or the beginning of one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct IfMatch {
    /// The name, as 16 bytes.
    pub name: u128,
    /// Which bytes count: all 16 for a whole name, the prefix for `eth+`, none for any device.
    pub mask: u128,
}

impl IfMatch {
    /// A name as the kernel compares it: 16 bytes, the rest zero.
    pub fn key(name: &str) -> u128 {
        let mut b = [0u8; 16];
        for (to, from) in b.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        u128::from_be_bytes(b)
    }

    /// From what a person writes: `eth0`, or `eth+`.
    pub fn parse(text: &str) -> IfMatch {
        match text.strip_suffix('+') {
            Some("") => IfMatch::default(),
            Some(prefix) => {
                let mask = u128::MAX << (128 - 8 * prefix.len().min(16));
                IfMatch { name: Self::key(prefix), mask }
            }
            None => IfMatch { name: Self::key(text), mask: u128::MAX },
        }
    }

    /// Any device fits.
    pub fn is_any(&self) -> bool {
        self.mask == 0
    }

    /// As a person writes it; `+` where any device fits.
    pub fn text(&self) -> String {
        let bytes = self.name.to_be_bytes();
        if self.mask == 0 {
            return "+".to_owned();
        }
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        let name = String::from_utf8_lossy(&bytes[..end]);
        if self.mask == u128::MAX { name.into_owned() } else { format!("{name}+") }
    }

    /// Fits the name of a device (0: no device).
    #[inline]
    pub fn fits(&self, key: u128) -> bool {
        (self.name ^ key) & self.mask == 0
    }
}

/// What every rule may ask of the IP header and the devices (`struct ipt_ip`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IpMatch {
    /// `-s` address, in host order, masked.
    pub src: u32,
    /// Mask of `-s`; 0 fits all. Need not be contiguous.
    pub src_mask: u32,
    /// `-d` address.
    pub dst: u32,
    /// Mask of `-d`.
    pub dst_mask: u32,
    /// `-i`.
    pub iif: IfMatch,
    /// `-o`.
    pub oif: IfMatch,
    /// `-p`; 0 fits all.
    pub proto: u8,
    /// `-f`: only second and further fragments.
    pub frag: bool,
    /// `! -s`.
    pub inv_src: bool,
    /// `! -d`.
    pub inv_dst: bool,
    /// `! -i`.
    pub inv_iif: bool,
    /// `! -o`.
    pub inv_oif: bool,
    /// `! -p`.
    pub inv_proto: bool,
    /// `! -f`.
    pub inv_frag: bool,
}

impl IpMatch {
    /// `-s` as an address and its mask.
    pub fn source(&self) -> (Ipv4Addr, Ipv4Addr) {
        (self.src.into(), self.src_mask.into())
    }

    /// `-d` as an address and its mask.
    pub fn destination(&self) -> (Ipv4Addr, Ipv4Addr) {
        (self.dst.into(), self.dst_mask.into())
    }
}

/// A rule as it was written.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rule {
    /// The built-in part.
    pub ip: IpMatch,
    /// `-m` matches, in the order in which they are asked and printed.
    pub matches: Vec<Match>,
    /// `-j` or `-g`.
    pub target: Target,
}

impl Rule {
    /// The rule makes the namespace track connections (`nf_ct_netns_get` in a `checkentry`).
    pub fn needs_conntrack(&self) -> bool {
        self.matches.iter().any(Match::needs_conntrack) || self.target.needs_conntrack()
    }
}

/// A rule in its chain.
#[derive(Clone, Debug)]
pub struct RuleSlot {
    /// The built-in part, at hand for the walk.
    pub ip: IpMatch,
    /// The whole rule; shared with the events that tell of it.
    pub rule: Arc<Rule>,
    /// Chain that the target jumps to: index into `Table::chains`.
    pub jump: u32,
    /// What it matched so far.
    pub counters: Counters,
    /// What its matches remember (`limit`, `statistic`), by index of the match; empty where none does.
    pub memory: Vec<[u64; 2]>,
}

/// What happens at the end of a base chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Policy {
    Accept,
    Drop,
}

/// A chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its name.
    pub name: Arc<str>,
    /// Its rules.
    pub rules: Vec<RuleSlot>,
    /// A base chain's hook.
    pub hook: Option<Hook>,
    /// A base chain's policy.
    pub policy: Policy,
    /// What the policy decided; nft counts where the chain has a counter: with older tools only once somebody set the
    /// policy or its counters.
    pub counters: Counters,
    /// The policy counts.
    pub counted: bool,
    /// What its rules come to, kept while they stay as they are.
    pub(super) sum: Sum,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Chains; a slot is free after its chain was deleted.
    pub chains: Vec<Option<Arc<Chain>>>,
    /// Base chain of each hook: index into `chains`.
    pub base: [Option<u32>; 5],
}

impl Table {
    /// A chain by name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.chains.iter().position(|c| c.as_ref().is_some_and(|c| *c.name == *name))
    }

    /// The chains that exist, in the order of their slots.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.chains.iter().flatten().map(|c| &**c)
    }

    /// A chain to be changed; it becomes this table's own where copies of the table share it.
    pub(super) fn chain_mut(&mut self, ix: usize) -> Option<&mut Chain> {
        self.chains.get_mut(ix)?.as_mut().map(Arc::make_mut)
    }
}

/// The tables of one variant, by [`TableKind`]; a table exists once it was used.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// By `TableKind as usize`. Copies share what they have in common: a change of one chain copies that chain.
    pub by_kind: [Option<Arc<Table>>; 5],
    /// iptables-nft gives a new base chain a counter: 1.8.13 does, 1.8.9 does not.
    pub counting: bool,
    /// Those that exist, in the order in which they came to be (`/proc/net/ip_tables_names` backwards).
    pub order: Vec<TableKind>,
}

impl Tables {
    /// A table.
    pub fn get(&self, t: TableKind) -> Option<&Table> {
        self.by_kind[t as usize].as_deref()
    }
}

/// All tables of a namespace.
#[derive(Clone, Debug, Default)]
pub struct Xtables {
    /// By `Variant as usize`.
    pub variants: [Tables; 2],
    /// Rules that need connection tracking: it runs while there is one.
    pub ct_users: u32,
    /// Which variant's base chain is asked first, by `TableKind` and `Hook`: of hooks with the same priority the one that
    /// was registered last (`nf_hook_entries_grow`).
    pub first: [[Variant; 5]; 5],
    /// What rules remember together.
    pub shared: super::shared::Shared,
    /// The tables that `ip6tables` made, each with how many of iptables-nft were there before it. What is in them is not
    /// modelled: there is no IPv6.
    pub v6: Vec<(usize, TableKind)>,
}

impl Xtables {
    /// The variants in the order in which a table's chains are asked at a hook.
    #[inline]
    pub(crate) fn order(&self, t: TableKind, hook: Hook) -> [Variant; 2] {
        match self.first[t as usize][hook as usize] {
            Variant::Nft => [Variant::Nft, Variant::Legacy],
            Variant::Legacy => [Variant::Legacy, Variant::Nft],
        }
    }

    /// `ip6tables` makes those of its tables that are not there yet.
    pub(crate) fn add_v6(&mut self, tables: &[TableKind]) {
        let before = self.of(Variant::Nft).order.len();
        for t in tables {
            if !self.v6.iter().any(|(_, there)| there == t) {
                self.v6.push((before, *t));
            }
        }
    }

    /// The tables in nf_tables by family and name, in the order in which they were made.
    pub fn nft_tables(&self) -> Vec<(&'static str, &'static str)> {
        let mut all: Vec<_> = self.of(Variant::Nft).order.iter().map(|t| ("ip", t.name())).collect();
        for (more, (before, t)) in self.v6.iter().enumerate() {
            all.insert((before + more).min(all.len()), ("ip6", t.name()));
        }
        all
    }

    /// The tables of a variant.
    pub fn of(&self, v: Variant) -> &Tables {
        &self.variants[v as usize]
    }
}

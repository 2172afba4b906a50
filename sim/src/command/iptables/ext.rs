//! Extensions: matches (`-m`) and targets (`-j`), one file each, and the table that ties them together.

mod addrtype;
mod bits;
mod classify;
mod comment;
mod connlimit;
mod connmark;
mod conntrack;
mod ct;
mod hashlimit;
mod icmp;
mod iprange;
mod kept;
mod length;
pub mod limit;
mod log;
mod mac;
mod mark;
mod multiport;
mod nat;
mod nflog;
mod nfqueue;
pub mod opt;
mod owner;
mod physdev;
mod pkttype;
mod quota;
mod recent;
mod reject;
mod rpfilter;
mod state;
mod statistic;
mod string;
mod tcp;
mod tcpmss;
mod tee;
mod time;
mod tos;
mod ttl;
mod u32;
mod udp;

use opt::{Given, Opt};

use super::addr;
use super::fail::Fail;
use crate::kernel::xtables::matches::Match;
use crate::kernel::xtables::targets::Target;
use crate::kernel::xtables::{IpMatch, Variant};

/// What an extension sees of the rule that it is in.
pub struct Ctx<'r> {
    /// The built-in part as far as it was read.
    pub ip: &'r IpMatch,
    /// Which iptables.
    pub variant: Variant,
}

/// An extension.
#[derive(Clone, Copy)]
pub struct Ext<T> {
    /// `-m NAME`, `-j NAME`.
    pub name: &'static str,
    /// Its options.
    pub opts: &'static [Opt],
    /// Looks at an option as soon as it was read.
    pub check: Option<Check>,
    /// From the options that were given.
    pub build: Build<T>,
    /// As `iptables-save` prints it, each option with a space before it.
    pub save: fn(&T) -> String,
    /// As `-L` prints it, with a space before it; the flag is `-n`.
    pub list: fn(&T, &IpMatch, bool) -> String,
}

/// Looks at an option as soon as it was read.
pub type Check = fn(&opt::Item, &Given, &Ctx<'_>) -> Result<(), Fail>;
/// Makes the match or target.
pub type Build<T> = fn(&Given, &Ctx<'_>) -> Result<T, Fail>;

/// A match.
pub type MatchExt = Ext<Match>;
/// A target.
pub type TargetExt = Ext<Target>;

/// All matches.
pub static MATCHES: &[&MatchExt] = &[
    &connlimit::MATCH,
    &hashlimit::MATCH,
    &quota::MATCH,
    &recent::MATCH,
    &string::MATCH,
    &tcpmss::MATCH,
    &time::MATCH,
    &u32::MATCH,
    &addrtype::MATCH,
    &comment::MATCH,
    &connmark::MATCH,
    &conntrack::MATCH,
    &tos::DSCP_MATCH,
    &icmp::MATCH,
    &iprange::MATCH,
    &length::MATCH,
    &limit::MATCH,
    &mac::MATCH,
    &mark::MATCH,
    &multiport::MATCH,
    &owner::MATCH,
    &physdev::MATCH,
    &pkttype::MATCH,
    &rpfilter::MATCH,
    &state::MATCH,
    &statistic::MATCH,
    &tcp::MATCH,
    &tos::MATCH,
    &ttl::MATCH,
    &udp::MATCH,
];

/// All targets that have options or a kernel module.
pub static TARGETS: &[&TargetExt] = &[
    &classify::TARGET,
    &nflog::TARGET,
    &nfqueue::TARGET,
    &tee::TARGET,
    &bits::CHECKSUM,
    &bits::TRACE,
    &connmark::TARGET,
    &ct::TARGET,
    &ct::NOTRACK,
    &nat::DNAT,
    &tos::DSCP_TARGET,
    &log::TARGET,
    &mark::TARGET,
    &nat::MASQUERADE,
    &nat::NETMAP,
    &nat::REDIRECT,
    &reject::TARGET,
    &nat::SNAT,
    &tcpmss::TARGET,
    &tos::TARGET,
    &ttl::TARGET,
];

/// A match by name: those above, and those that are only kept.
pub fn find_match(name: &str) -> Option<&'static MatchExt> {
    MATCHES.iter().find(|m| m.name == name).copied().or_else(|| kept::find_match(name))
}

/// A target by name.
pub fn find_target(name: &str) -> Option<&'static TargetExt> {
    TARGETS.iter().find(|t| t.name == name).copied().or_else(|| kept::find_target(name))
}

/// The name of a target that needs no extension, or has one: no chain may be called so.
pub fn is_target(name: &str) -> bool {
    STANDARD.contains(&name) || find_target(name).is_some()
}

/// Targets of the standard extension.
pub const STANDARD: [&str; 4] = ["ACCEPT", "DROP", "RETURN", "QUEUE"];

/// `-m NAME` and its options.
pub fn save_match(m: &Match) -> String {
    let name = match_name(m);
    find_match(name).map_or_else(String::new, |e| format!(" -m {name}{}", (e.save)(m)))
}

/// A match as `-L` prints it.
pub fn list_match(m: &Match, ip: &IpMatch, numeric: bool) -> String {
    find_match(match_name(m)).map_or_else(String::new, |e| (e.list)(m, ip, numeric))
}

/// ` -j NAME` and its options.
pub fn save_target(t: &Target) -> String {
    match t {
        Target::None => String::new(),
        Target::Goto(c) => format!(" -g {c}"),
        _ => {
            let name = target_name(t);
            format!(" -j {name}{}", find_target(name).map_or_else(String::new, |e| (e.save)(t)))
        }
    }
}

/// A target's options as `-L` prints them.
pub fn list_target(t: &Target, ip: &IpMatch, numeric: bool) -> String {
    match t {
        Target::None | Target::Jump(_) | Target::Goto(_) => String::new(),
        _ => find_target(target_name(t)).map_or_else(String::new, |e| (e.list)(t, ip, numeric)),
    }
}

/// The name under which a match is saved.
pub fn match_name(m: &Match) -> &str {
    match m {
        Match::Tcp(_) => "tcp",
        Match::Udp(_) => "udp",
        Match::Icmp(_) => "icmp",
        Match::Multiport(_) => "multiport",
        Match::Iprange(_) => "iprange",
        Match::Mac(_) => "mac",
        Match::Mark(_) => "mark",
        Match::Connmark(_) => "connmark",
        Match::Conntrack(_) => "conntrack",
        Match::State(_) => "state",
        Match::Addrtype(_) => "addrtype",
        Match::Physdev(_) => "physdev",
        Match::Limit(_) => "limit",
        Match::Statistic(_) => "statistic",
        Match::Comment(_) => "comment",
        Match::Owner(_) => "owner",
        Match::Ttl(_) => "ttl",
        Match::Length(_) => "length",
        Match::Tos(_) => "tos",
        Match::Dscp(_) => "dscp",
        Match::Pkttype(_) => "pkttype",
        Match::Rpfilter(_) => "rpfilter",
        Match::Opaque(o) => &o.name,
        Match::Written(w) => &w.text.name,
    }
}

/// The name of a target, or of the chain that it jumps to.
pub fn target_name(t: &Target) -> &str {
    use crate::kernel::xtables::targets::NatKind;
    match t {
        Target::None => "",
        Target::Accept => "ACCEPT",
        Target::Drop => "DROP",
        Target::Return => "RETURN",
        Target::Jump(c) | Target::Goto(c) => c,
        Target::Reject(_) => "REJECT",
        Target::Log(_) => "LOG",
        Target::Mark(_) => "MARK",
        Target::Connmark(_) => "CONNMARK",
        Target::Nat(n) => match n.kind {
            NatKind::Snat => "SNAT",
            NatKind::Dnat => "DNAT",
            NatKind::Masquerade => "MASQUERADE",
            NatKind::Redirect => "REDIRECT",
            NatKind::Netmap => "NETMAP",
        },
        Target::Ct(c) if c.alias => "NOTRACK",
        Target::Ct(_) => "CT",
        Target::TcpMss(_) => "TCPMSS",
        Target::Ttl(_) => "TTL",
        Target::Tos { .. } => "TOS",
        Target::Dscp(_) => "DSCP",
        Target::Checksum => "CHECKSUM",
        Target::Trace => "TRACE",
        Target::Opaque(o) | Target::Aside(o) => &o.name,
    }
}

/// A text as `iptables-save` prints it: in quotes where it has other than letters, digits, `-` and `_`
/// (`xtables_save_string`).
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().all(plain) {
        return format!(" {text}");
    }
    let mut out = String::from(" \"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// What is said of a range whose end comes before its start.
pub fn iprange_warning(range: &str) -> String {
    let ends = range.split_once('-').map(|(a, b)| (addr::strict(a), addr::strict(b)));
    match ends {
        Some((Some(a), Some(b))) if a > b => format!("xt_iprange: range {a}-{b} is reversed and will never match\n"),
        _ => String::new(),
    }
}

/// A leading ` !`, or nothing.
pub fn bang(inv: bool) -> &'static str {
    if inv { " !" } else { "" }
}

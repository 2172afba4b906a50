//! What the kernel asks of rules: which table and hook a match or target may stand in, which protocol it needs
//! (`checkentry` of net/netfilter/xt_*.c), and that jumps come to an end (`nft_chain_validate`,
//! `mark_source_chains`).

use super::XtChange;
use super::matches::written::{Asks, WrittenMatch};
use super::matches::{Match, TcpMatch, UdpMatch};
use super::targets::{NatKind, RejectWith, Target};
use super::types::{Rule, Table, TableKind, Variant};
use crate::kernel::netfilter::Hook;
use crate::kernel::types::Errno;

/// Chains that may be open at once in nf_tables, the base chain included (`NFT_JUMP_STACK_SIZE`).
const JUMP_STACK: usize = 16;

/// A set of hooks, one bit each.
pub(super) type Hooks = u8;

pub(super) const ANY: Hooks = 0x1f;
const PRE: Hooks = 1 << Hook::Prerouting as u8;
const IN: Hooks = 1 << Hook::Input as u8;
const FWD: Hooks = 1 << Hook::Forward as u8;
const OUT: Hooks = 1 << Hook::Output as u8;
const POST: Hooks = 1 << Hook::Postrouting as u8;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// The change brings a rule in.
pub(super) fn adds(change: &XtChange) -> bool {
    matches!(change, XtChange::Append { .. } | XtChange::Insert { .. } | XtChange::Replace { .. })
}

/// What is asked of a rule whatever chain it is in.
pub(super) fn rule(variant: Variant, table: TableKind, rule: &Rule) -> Result<(), Errno> {
    let only = |p: u8| rule.ip.proto == p && !rule.ip.inv_proto;
    let ip = &rule.ip;
    if variant == Variant::Nft && (ip.inv_src && ip.src_mask == 0 || ip.inv_dst && ip.dst_mask == 0) {
        // nf_tables is asked to compare no bytes at all.
        return Err(Errno::EINVAL);
    }
    for m in &rule.matches {
        let fits = match m {
            // What became ports and flags in nf_tables is not asked for its protocol but by the tool, which does not
            // look whether it is negated.
            Match::Tcp(t) if variant == Variant::Nft && *t != TcpMatch::default() => ip.proto == TCP,
            Match::Udp(u) if variant == Variant::Nft && *u != UdpMatch::default() => ip.proto == UDP,
            Match::Tcp(_) => only(TCP),
            Match::Udp(_) => only(UDP),
            Match::Icmp(_) => only(ICMP),
            // TCP, UDP, DCCP, SCTP, UDP-Lite.
            Match::Multiport(_) => [TCP, UDP, 33, 132, 136].into_iter().any(only),
            Match::Rpfilter(_) => matches!(table, TableKind::Raw | TableKind::Mangle),
            Match::Limit(l) if variant == Variant::Legacy && l.burst == 0 => return Err(Errno::ERANGE),
            Match::Written(w) if matches!(&w.asks, Asks::Recent(r) if !r.is_valid()) => false,
            Match::Opaque(o) | Match::Written(WrittenMatch { text: o, .. }) => match &*o.name {
                "sctp" => only(132),
                "dccp" => only(33),
                "esp" => only(50),
                "ah" => only(51),
                "tcpmss" => only(TCP),
                // `textsearch_prepare` looks for a module of that name.
                "string" if !["bm", "kmp", "fsm"].iter().any(|a| o.args.contains(&format!("--algo {a}"))) => {
                    return Err(Errno::ENOENT);
                }
                _ => true,
            },
            _ => true,
        };
        if !fits {
            return Err(Errno::EINVAL);
        }
    }
    let fits = match &rule.target {
        Target::Nat(_) => table == TableKind::Nat,
        Target::Reject(w) => table == TableKind::Filter && (*w != RejectWith::TcpReset || only(TCP)),
        Target::Ttl(_) | Target::Tos { .. } | Target::Dscp(_) | Target::Checksum => table == TableKind::Mangle,
        Target::Ct(_) => table == TableKind::Raw,
        Target::TcpMss(_) => only(TCP) && (variant == Variant::Nft || asks_for_syn(rule)),
        Target::Trace => table == TableKind::Raw || variant == Variant::Nft,
        // A verdict of ip_tables that nf_tables knows no target for.
        Target::Opaque(o) if &*o.name == "QUEUE" && variant == Variant::Nft => return Err(Errno::ENOENT),
        Target::Opaque(o) => match &*o.name {
            "ECN" => table == TableKind::Mangle && (only(TCP) || !o.args.contains("tcp")),
            "SYNPROXY" => only(TCP),
            "HMARK" | "TPROXY" | "TCPOPTSTRIP" => table == TableKind::Mangle,
            _ => true,
        },
        _ => true,
    };
    if fits { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The rule fits SYN segments only (`find_syn_match` of xt_TCPMSS.c).
fn asks_for_syn(rule: &Rule) -> bool {
    const SYN: u8 = 0x02;
    rule.matches.iter().any(|m| matches!(m, Match::Tcp(t) if t.flags_cmp & SYN != 0 && !t.inv_flags))
}

/// Hooks from which a rule may be reached.
pub(super) fn hooks(rule: &Rule) -> Hooks {
    let of_target = match &rule.target {
        Target::Nat(n) => match n.kind {
            NatKind::Masquerade => POST,
            NatKind::Snat => POST | IN,
            NatKind::Dnat | NatKind::Redirect => PRE | OUT,
            NatKind::Netmap => PRE | IN | OUT | POST,
        },
        Target::Reject(_) => IN | FWD | OUT,
        Target::TcpMss(None) => FWD | OUT | POST,
        Target::Opaque(o) | Target::Aside(o) => match &*o.name {
            "TPROXY" => PRE,
            "CLASSIFY" => OUT | FWD | POST,
            "SYNPROXY" => IN | FWD,
            _ => ANY,
        },
        _ => ANY,
    };
    rule.matches.iter().fold(of_target, |set, m| set & hooks_of_match(m))
}

fn hooks_of_match(m: &Match) -> Hooks {
    match m {
        Match::Owner(_) => OUT | POST,
        Match::Mac(_) => PRE | IN | FWD,
        Match::Rpfilter(_) => PRE,
        Match::Addrtype(a) => {
            let no_in = if a.limit_iface_in { OUT | POST } else { 0 };
            let no_out = if a.limit_iface_out { PRE | IN } else { 0 };
            ANY & !no_in & !no_out
        }
        // What leaves by itself has no port yet when OUTPUT looks.
        Match::Physdev(p) if (p.physout.is_some() || p.is_out.is_some()) && p.is_bridged != Some(true) => ANY & !OUT,
        Match::Opaque(o) if &*o.name == "socket" => PRE | IN,
        _ => ANY,
    }
}

/// Walks every chain from every base chain, each of them summed up.
///
/// # Errors
/// `EINVAL` for a rule that must not be reached from there; nf_tables says `EMLINK` where jumps nest too deep, which
/// a loop does too, ip_tables `ELOOP` for a loop.
pub(super) fn table(variant: Variant, t: &Table) -> Result<(), Errno> {
    for hook in Hook::ALL {
        if let Some(base) = t.base[hook as usize] {
            let mut w = Walk { variant, hook: 1 << hook as u8, table: t, done: vec![None; t.chains.len()] };
            w.chain(base as usize, &mut Vec::new())?;
        }
    }
    Ok(())
}

struct Walk<'t> {
    variant: Variant,
    hook: Hooks,
    table: &'t Table,
    /// How deep the chains below nest, for those already looked at.
    done: Vec<Option<usize>>,
}

impl Walk<'_> {
    /// How many chains are open at most from here on, this one included. The walk keeps its own stack: a chain of
    /// ip_tables may nest as deep as there are chains.
    fn chain(&mut self, start: usize, open: &mut Vec<(usize, usize, usize)>) -> Result<(), Errno> {
        let mut on_path = vec![false; self.table.chains.len()];
        // Chain, next stretch of its rules, deepest below so far.
        open.push((start, 0, 0));
        on_path[start] = true;
        while let Some((ix, at, deepest)) = open.pop() {
            let stretches = self.table.chains[ix].as_ref().map_or(&[][..], |c| &c.sum.stretches);
            let Some(s) = stretches.get(at) else {
                on_path[ix] = false;
                self.done[ix] = Some(deepest + 1);
                self.depth(open.len() + deepest + 1)?;
                if let Some(up) = open.last_mut() {
                    up.2 = up.2.max(deepest + 1);
                }
                continue;
            };
            if s.hooks & self.hook == 0 {
                return Err(Errno::EINVAL);
            }
            let Some(to) = s.jump.map(|j| j as usize) else {
                open.push((ix, at + 1, deepest));
                continue;
            };
            if on_path[to] {
                return Err(if self.variant == Variant::Legacy { Errno::ELOOP } else { Errno::EMLINK });
            } else if let Some(below) = self.done[to] {
                self.depth(open.len() + 1 + below)?;
                open.push((ix, at + 1, deepest.max(below)));
            } else {
                open.push((ix, at + 1, deepest));
                open.push((to, 0, 0));
                on_path[to] = true;
            }
        }
        Ok(())
    }

    fn depth(&self, open: usize) -> Result<(), Errno> {
        if self.variant == Variant::Nft && open > JUMP_STACK { Err(Errno::EMLINK) } else { Ok(()) }
    }
}

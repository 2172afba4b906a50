//! What becomes of a rule when iptables-nft writes it in nf_tables' own expressions and reads it back.
//!
//! Ports, TCP flags, marks, addresses and rates are no longer kept as they were given, but as what they mean: so
//! they come back in a form that may differ.

use super::ext::limit;
use super::fail::Fail;
use crate::kernel::xtables::matches::{Match, Ports, TcpMatch, UdpMatch};
use crate::kernel::xtables::{IfMatch, Rule};

const FULL: Ports = (0, u16::MAX);
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The rule as it will be read back.
///
/// # Errors
/// Ports without their protocol.
pub fn canonical(rule: &Rule) -> Result<Rule, Fail> {
    let mut r = rule.clone();
    devices(&mut r);
    let proto = r.ip.proto;
    let mut out: Vec<Match> = Vec::with_capacity(r.matches.len());
    for m in &r.matches {
        match m {
            Match::Limit(l) if l.avg > 0 => {
                let mut l = *l;
                l.avg = read_back(l.avg);
                if l.burst == 0 {
                    l.burst = limit::BURST;
                }
                out.push(Match::Limit(l));
            }
            Match::Tcp(t) if !(t.inv_option || t.option != 0 || *t == TcpMatch::default()) => {
                if proto != TCP {
                    return Err(Fail::param("TCP match requires '-p tcp'"));
                }
                tcp(*t, &mut out);
            }
            Match::Udp(u) if *u != UdpMatch::default() => {
                if proto != UDP {
                    return Err(Fail::param("UDP match requires '-p udp'"));
                }
                udp(*u, &mut out);
            }
            _ => out.push(m.clone()),
        }
    }
    r.matches = out;
    Ok(r)
}

/// A bare `+` fits everything, and nothing is written for it; not everything is written as a name that cannot be.
fn devices(r: &mut Rule) {
    for (name, inv) in [(&mut r.ip.iif, &mut r.ip.inv_iif), (&mut r.ip.oif, &mut r.ip.inv_oif)] {
        if name.is_any() {
            *name = if *inv { no_device() } else { IfMatch::default() };
            *inv = false;
        }
    }
}

/// What `! -i +` becomes: a name that no device has, by which it is known again.
pub fn no_device() -> IfMatch {
    IfMatch { name: IfMatch::key("INVAL/D"), mask: u128::MAX }
}

/// A rate goes through a whole number of packets in a unit.
fn read_back(avg: u32) -> u32 {
    let (_, mult) = limit::RATES[limit::unit(avg)];
    let rate = (mult / avg).max(1);
    u32::try_from(u64::from(mult) / u64::from(rate)).unwrap_or(u32::MAX)
}

/// The last TCP match of the rule takes what a further one says, for they are read back as one.
fn tcp(t: TcpMatch, out: &mut Vec<Match>) {
    let last = out.iter_mut().rev().find_map(|m| match m {
        Match::Tcp(old) if *old != TcpMatch::default() && old.option == 0 => Some(old),
        _ => None,
    });
    let Some(old) = last else {
        if t.sports != FULL || t.dports != FULL || t.flags_mask != 0 {
            out.push(Match::Tcp(plain(t)));
        }
        return;
    };
    if t.sports != FULL {
        (old.sports, old.inv_sports) = (t.sports, t.inv_sports);
    }
    if t.dports != FULL {
        (old.dports, old.inv_dports) = (t.dports, t.inv_dports);
    }
    if t.flags_mask != 0 {
        (old.flags_mask, old.flags_cmp, old.inv_flags) = (t.flags_mask, t.flags_cmp, t.inv_flags);
    }
}

/// What says nothing leaves no trace: a full range, negated or not, and flags without a mask.
fn plain(mut t: TcpMatch) -> TcpMatch {
    t.inv_sports &= t.sports != FULL;
    t.inv_dports &= t.dports != FULL;
    if t.flags_mask == 0 {
        (t.flags_cmp, t.inv_flags) = (0, false);
    }
    t
}

fn udp(u: UdpMatch, out: &mut Vec<Match>) {
    let last = out.iter_mut().rev().find_map(|m| match m {
        Match::Udp(old) if *old != UdpMatch::default() => Some(old),
        _ => None,
    });
    let mut new = u;
    new.inv_sports &= u.sports != FULL;
    new.inv_dports &= u.dports != FULL;
    match last {
        None if new.sports == FULL && new.dports == FULL => {}
        None => out.push(Match::Udp(new)),
        Some(old) => {
            if u.sports != FULL {
                (old.sports, old.inv_sports) = (u.sports, u.inv_sports);
            }
            if u.dports != FULL {
                (old.dports, old.inv_dports) = (u.dports, u.inv_dports);
            }
        }
    }
}

//! `ip ntable change` (ip/ipntable.c): what the neighbours of a device are asked by.

use super::args::{Args, Bad, invarg, matches, parse_u64};
use super::{apply, dev, nl_error};
use crate::command::Proc;
use crate::kernel::types::Errno;
use crate::op::{NeighParm, Op, OpError};

/// `ip ntable change`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NtableChange {
    /// Name of the table.
    pub name: String,
    /// `dev`.
    pub dev: Option<String>,
    /// Settings of the whole table were named, which only the machine's first namespace has (`neightbl_set`).
    pub whole: bool,
    /// Settings of the device: times in ms.
    pub parms: Vec<(NeighParm, u64)>,
}

/// Words and their settings, as they are written and as messages name them.
pub(super) const PARMS: [(&str, NeighParm); 11] = [
    ("base_reachable", NeighParm::BaseReachableTime),
    ("retrans", NeighParm::RetransTime),
    ("gc_stale", NeighParm::GcStaletime),
    ("delay_probe", NeighParm::DelayProbeTime),
    ("queue", NeighParm::QueueLen),
    ("app_probes", NeighParm::AppProbes),
    ("ucast_probes", NeighParm::UcastProbes),
    ("mcast_probes", NeighParm::McastProbes),
    ("anycast_delay", NeighParm::AnycastDelay),
    ("proxy_delay", NeighParm::ProxyDelay),
    ("locktime", NeighParm::Locktime),
];

pub(super) fn parse(a: &mut Args<'_>) -> Result<NtableChange, Bad> {
    let Some(w) = a.next() else { return Err(a.refuse_last("ip ntable show")) };
    match w {
        _ if matches(w, "change") || matches(w, "chg") => change(a),
        _ if matches(w, "show") || matches(w, "lst") || matches(w, "list") => Err(a.refuse_last("ip ntable show")),
        "help" => Err(super::usage("ip ntable change name NAME [ dev DEV ]")),
        _ => Err(Bad::Say(format!("Command \"{w}\" is unknown, try \"ip ntable help\".\n"), 255)),
    }
}

fn change(a: &mut Args<'_>) -> Result<NtableChange, Bad> {
    let mut c = NtableChange::default();
    let mut name = None;
    while let Some(w) = a.next() {
        match w {
            "name" => name = Some(a.value()?.to_owned()),
            "dev" => c.dev = Some(a.value()?.to_owned()),
            "thresh1" | "thresh2" | "thresh3" | "gc_int" => {
                number(a, w)?;
                c.whole = true;
            }
            "proxy_queue" => return Err(a.refuse_last("ip ntable change proxy_queue")),
            _ => {
                let found = PARMS.iter().find(|p| p.0 == w);
                let (_, parm) = found.ok_or_else(|| invarg("unknown", w))?;
                c.parms.push((*parm, number(a, w)?));
            }
        }
    }
    c.name = name.ok_or_else(|| Bad::Say("Error: argument \"NAME\" is required\n".into(), 255))?;
    if !c.whole && c.parms.is_empty() {
        return Err(Bad::Say("Not enough information: changeable attributes required.\n".into(), 255));
    }
    Ok(c)
}

fn number(a: &mut Args<'_>, w: &str) -> Result<u64, Bad> {
    let v = a.value()?;
    if v.starts_with('-') {
        return Err(a.refuse_last(&format!("ip ntable change {w}: a negative number")));
    }
    parse_u64(v).ok_or_else(|| invarg(&format!("\"{w}\" value is invalid"), v))
}

pub(super) fn exec(p: &mut Proc<'_>, c: &NtableChange) -> Result<i32, Bad> {
    let dev = c.dev.as_deref().map(|d| dev(p, d)).transpose()?;
    let none = || nl_error(&OpError::from(Errno::ENOENT));
    match (dev, c.name.as_str()) {
        (Some(dev), "arp_cache") if !c.whole => {
            apply(p, &Op::NeighTbl { dev, parms: c.parms.clone() })?;
            Ok(0)
        }
        // The IPv6 neighbours' table, which is not modelled; its name is refused where nobody typed a place.
        (Some(_), "ndisc_cache") if !c.whole => Err(Bad::Refused(crate::command::Refusal::new(
            "ip ntable change name ndisc_cache: IPv6 is not modelled",
            0,
        ))),
        _ => Err(none()),
    }
}

//! What went wrong in a scene: every unwanted end, in the order in which it came, as a cause with its evidence and the
//! changes that might mend it.

mod address;
mod back;
mod detour;
mod dnat;
mod firewall;
mod forgotten;
mod hidden;
mod link;
mod lladdr;
mod local;
mod looped;
mod masquerade;
mod mtu;
mod name;
mod neigh;
mod netmask;
mod overlap;
mod proxy;
mod refused;
mod route;
mod shim;
mod silent;
mod skipped;
mod socket;
mod source;
mod swapped;
mod track;
mod twin;
mod unanswered;
mod vxlan;

use super::scene::Scene;
use super::world;
use super::{Blocker, Cause, Evidence, Line};
use crate::kernel::types::NetnsId;
use crate::trace::DropReason as R;
use crate::trace::Outcome;
use crate::trace::event::{ArpVerdict, CtVerdict, EventKind, FibResult};

/// A cause that may be the one, and changes that may mend it.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it says.
    pub blocker: Blocker,
    /// Changes to try, the likeliest first.
    pub fixes: Vec<Vec<Line>>,
}

impl Found {
    /// Without evidence and fixes yet.
    pub fn new(cause: Cause, at: String, says: String) -> Found {
        Found { blocker: Blocker { cause, at, says, evidence: Vec::new() }, fixes: Vec::new() }
    }

    /// With something that shows it.
    pub fn shown(mut self, what: impl Into<String>, show: Option<Line>) -> Found {
        self.blocker.evidence.push(Evidence { what: what.into(), show });
        self
    }

    /// With a change to try.
    pub fn fix(mut self, lines: Vec<Line>) -> Found {
        if !lines.is_empty() && !self.fixes.contains(&lines) {
            self.fixes.push(lines);
        }
        self
    }

    /// The change takes something away that should not be there, or puts back what is known to have been there: where it
    /// works, it is the cause, whatever else would also let the probe through.
    pub fn is_known(&self) -> bool {
        matches!(
            self.blocker.cause,
            Cause::StaleConntrack
                | Cause::StaleNeighbour
                | Cause::DuplicateAddress
                | Cause::DockerRulesMissing
                | Cause::TranslationMissing
                | Cause::SubnetOverlap
                | Cause::ReplyByOtherWay
                | Cause::ReplyFromOtherAddress
        )
    }

    /// What tells it from another: the same thing at the same place.
    pub fn key(&self) -> (Cause, String, String) {
        (self.blocker.cause, self.blocker.at.clone(), self.blocker.says.clone())
    }
}

/// Everything that went wrong, the likeliest cause first.
pub fn find(sc: &Scene<'_>) -> Vec<Found> {
    let mut out: Vec<Found> = Vec::new();
    looped::find(sc, &mut out);
    netmask::broadcast(sc, &mut out);
    local::refused(sc, &mut out);
    mtu::own(sc, &mut out);
    if sc.result.outcome() == Some(Outcome::ResolveFailed) {
        name::unknown(sc, &mut out);
    }
    detour::rules(sc, &mut out);
    overlap::find(sc, &mut out);
    detour::astray(sc, &mut out);
    let mut late = Vec::new();
    for i in 0..sc.events().len() {
        event(sc, i, &mut out, &mut late);
    }
    lladdr::stale(sc, &mut out);
    lladdr::twice(sc, &mut out);
    twin::find(sc, &mut out);
    back::find(sc, &mut out);
    detour::policy(sc, &mut out);
    detour::find(sc, &mut out);
    detour::lesser(sc, &mut out);
    detour::by_gateway(sc, &mut out);
    out.append(&mut late);
    name::server_is_nobody(sc, &mut out);
    name::unheard(sc, &mut out);
    name::asked_nobody(&mut out);
    neigh::waiting(sc, &mut out);
    lladdr::to_nobody(sc, &mut out);
    track::stale(sc, &mut out);
    track::rules_missing(sc, &mut out);
    forgotten::find(sc, &mut out);
    silent::program(sc, &mut out);
    neigh::arping(sc, &mut out);
    let mut seen = Vec::new();
    out.retain(|f| {
        let new = !seen.contains(&f.key());
        seen.push(f.key());
        new
    });
    out
}

/// One event: an unwanted end in `out`, what may only be its company in `late`.
fn event(sc: &Scene<'_>, i: usize, out: &mut Vec<Found>, late: &mut Vec<Found>) {
    let e = &sc.events()[i];
    match &e.kind {
        EventKind::Drop { reason, func } => match *reason {
            R::OTHERHOST => link::astray(sc, i, late),
            R::UNHANDLED_PROTO => {}
            // The packet that was too big comes first, and what was lost with the message behind it.
            R::NETFILTER_DROP if mtu::is_error(sc, i) => firewall::dropped(sc, i, late),
            R::NETFILTER_DROP => firewall::dropped(sc, i, out),
            R::IP_INADDRERRORS => route::not_forwarding(sc, i, out),
            R::IP_INNOROUTES | R::IP_OUTNOROUTES => route::missing(sc, i, out),
            R::IP_RPFILTER => source::rp_filter(sc, i, out),
            R::IP_LOCALNET | R::IP_LOCAL_SOURCE | R::IP_INVALID_SOURCE | R::IP_INVALID_DEST => {
                source::martian(sc, i, *reason, out);
            }
            R::NEIGH_CREATEFAIL => neigh::table_full(sc, i, out),
            R::NEIGH_FAILED | R::NEIGH_DEAD | R::QUEUE_PURGE | R::NEIGH_QUEUEFULL => neigh::failed(sc, i, out),
            R::NO_SOCKET => socket::none(sc, i, out),
            // A bridge whose port is too narrow (`br_nf_ip_fragment`) gives no reason.
            R::NOT_SPECIFIED if *func == "br_nf_dev_queue_xmit" => mtu::too_big(sc, i, out),
            R::PKT_TOO_BIG => mtu::too_big(sc, i, out),
            R::IP_INHDR | R::IP_TTL_EXPIRED => route::used_up(sc, i, out),
            R::VXLAN_VNI_NOT_FOUND => vxlan::vni(sc, i, out),
            R::NO_TX_TARGET if *func == "vxlan_xmit" => vxlan::no_target(sc, i, out),
            // The look-up that refused has told.
            R::NOT_SPECIFIED if *func == "ip_error" => {}
            // It waited for what was lost, and went with its connection.
            R::NOT_SPECIFIED if *func == "skb_rbtree_purge" => {}
            R::PACKETWALK_UNMODELLED => {
                firewall::unmodelled(sc, i, out);
            }
            R::TCP_FLAGS
            | R::TCP_RESET
            | R::TCP_CLOSE
            | R::TCP_OLD_DATA
            | R::TCP_ABORT_ON_DATA
            | R::TCP_OLD_SEQUENCE
            | R::TCP_OFOMERGE
            | R::TCP_INVALID_SEQUENCE => {}
            _ => link::dropped(sc, i, *reason, func, out),
        },
        EventKind::Fib { key, result } => {
            refused::by_route(sc, i, out);
            if key.iif.is_none() && !matches!(result, FibResult::Route { .. }) {
                route::missing(sc, i, out);
            }
        }
        EventKind::Arp { verdict } => match verdict {
            // Another card of the host answered in its stead.
            ArpVerdict::SourceRefused if source::answered(sc, i) => source::silent(sc, i, late),
            ArpVerdict::SourceRefused => source::silent(sc, i, out),
            ArpVerdict::TableFull => neigh::table_full(sc, i, out),
            ArpVerdict::NotOurs => link::astray(sc, i, late),
            ArpVerdict::Ignored(_) | ArpVerdict::Filtered | ArpVerdict::NoArp => link::no_arp(sc, i, *verdict, late),
            _ => {}
        },
        EventKind::Tx => neigh::asks_nobody(sc, i, out),
        EventKind::BrSkip { port, why } => skipped::port(sc, i, *port, *why, late),
        EventKind::Ct { verdict: CtVerdict::Invalid(why), .. } => track::invalid(sc, i, why, late),
        EventKind::VxlanTooBig { .. } => mtu::too_big(sc, i, out),
        EventKind::VxlanProxy { ip, lladdr: None } => vxlan::no_neighbour(sc, i, *ip, out),
        _ => {}
    }
}

/// The place of an event: namespace, and device where there is one.
fn at(sc: &Scene<'_>, i: usize) -> String {
    let e = &sc.events()[i];
    let ns = world::place(sc.after, e.ns);
    match e.dev {
        Some(d) => format!("{ns}/{}", world::name(sc.after, d)),
        None => ns,
    }
}

/// The drop itself as evidence, with the counter or the trace that shows it on a real host.
fn drop_shown(sc: &Scene<'_>, i: usize) -> Option<Evidence> {
    let e = &sc.events()[i];
    let EventKind::Drop { reason, func } = e.kind else { return None };
    let counter = match reason {
        R::IP_INADDRERRORS => Some("IpInAddrErrors"),
        R::IP_INNOROUTES => Some("IpInNoRoutes"),
        R::IP_RPFILTER => Some("TcpExtIPReversePathFilter"),
        R::PKT_TOO_BIG => Some("IpFragFails"),
        R::IP_INHDR => Some("IpInHdrErrors"),
        _ => None,
    };
    let show = match counter {
        // No kernel has these.
        _ if matches!(reason, R::PACKETWALK_UNMODELLED | R::PACKETWALK_BOUND) => return None,
        Some(c) => world::line(sc.after, e.ns, &format!("nstat -az {c}")),
        None => world::line(sc.after, world::root(sc.after, e.ns), "perf trace -e skb:kfree_skb"),
    };
    Some(Evidence { what: format!("drop {} in {func} at {}", reason.name(), at(sc, i)), show: Some(show) })
}

/// Puts the drop in front of other evidence.
fn with_drop(sc: &Scene<'_>, i: usize, mut f: Found) -> Found {
    if let Some(d) = drop_shown(sc, i) {
        f.blocker.evidence.insert(0, d);
    }
    f
}

/// A command line in a namespace.
fn line(sc: &Scene<'_>, ns: NetnsId, command: impl AsRef<str>) -> Line {
    world::line(sc.after, ns, command.as_ref())
}

/// The packet of an event in words.
fn words(sc: &Scene<'_>, i: usize) -> String {
    sc.packet_before(i).map_or_else(|| "a packet".to_owned(), crate::trace::words::packet)
}

//! The neighbour table names the wrong Ethernet address: one that is nobody's any more, or another host's.

use super::{Found, at, line};
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, world};
use crate::kernel::link::Device;
use crate::kernel::neigh::Nud;
use crate::kernel::types::NetnsId;
use crate::trace::DropReason;
use crate::trace::event::EventKind;

/// Frames that went to nobody, though the address in them is somebody's on that wire: whose entry did that?
pub fn to_nobody(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    for (i, e) in sc.events().iter().enumerate() {
        if !matches!(e.kind, EventKind::Drop { reason: DropReason::OTHERHOST, .. }) {
            continue;
        }
        let (Some(p), Some(at)) = (sc.packet_before(i), e.dev) else { continue };
        let Some(ip) = Flow::of(p).map(|f| f.dst) else { continue };
        let known = world::devices(s).any(|d| d.mac == p.dst);
        let right = world::owners(s, ip).into_iter().find(|o| o.mac != p.dst && world::wires(s, at, o.id).is_some());
        let Some(right) = right.filter(|_| !known) else { continue };
        for (n, ns) in s.kernel.netns.iter().enumerate().filter(|(_, ns)| ns.alive) {
            let wrong = ns.neigh.entries.iter().filter(|(k, x)| k.1 == ip && x.lladdr == p.dst);
            for dev in wrong.map(|(k, _)| k.0) {
                let (ns, name) = (NetnsId(n as u32), world::name(s, dev));
                let place = format!("{}/{name}", world::place(s, ns));
                let says =
                    format!("the neighbour table of {place} says {ip} is at {}, which is {} now", p.dst, right.mac);
                out.push(
                    Found::new(Cause::StaleNeighbour, place, says)
                        .shown(format!("{ip} lladdr {}", p.dst), Some(line(sc, ns, format!("ip neigh show {ip}"))))
                        .fix(vec![line(sc, ns, format!("ip neigh replace {ip} lladdr {} dev {name}", right.mac))]),
                );
            }
        }
    }
}

/// Entries that were used, with an Ethernet address that is not the neighbour's.
pub fn stale(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen = Vec::new();
    for (i, e) in sc.events().iter().enumerate() {
        let EventKind::Neigh { ip, lladdr: Some(mac), nud } = e.kind else { continue };
        let Some(dev) = e.dev else { continue };
        if seen.contains(&(e.ns, ip)) {
            continue;
        }
        seen.push((e.ns, ip));
        let wired: Vec<&Device> =
            world::owners(s, ip).into_iter().filter(|o| world::wires(s, dev, o.id).is_some()).collect();
        let name = world::name(s, dev);
        if wired.is_empty() {
            out.extend(super::proxy::stranger(sc, i, dev, ip, mac));
        }
        let Some(right) = wired.first().filter(|_| wired.iter().all(|o| o.mac != mac)) else { continue };
        let says = format!("the neighbour table of {} says {ip} is at {mac}, which is {} now", at(sc, i), right.mac);
        let mut f = Found::new(Cause::StaleNeighbour, at(sc, i), says)
            .shown(format!("{ip} lladdr {mac} {}", nud.as_str()), Some(line(sc, e.ns, format!("ip neigh show {ip}"))));
        if nud != Nud::Permanent {
            f = f.fix(vec![line(sc, e.ns, format!("ip neigh del {ip} dev {name}"))]);
        }
        f = f.fix(vec![line(sc, e.ns, format!("ip neigh replace {ip} lladdr {} dev {name}", right.mac))]);
        out.push(f);
    }
}

/// An address that two hosts of one wire have: frames go to the one that was heard last, or first.
pub fn twice(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let mut seen = Vec::new();
    for (i, e) in sc.events().iter().enumerate() {
        let (EventKind::Tx, Some(dev)) = (&e.kind, e.dev) else { continue };
        let Some(p) = sc.packet_before(i).filter(|p| !p.dst.is_multicast()) else { continue };
        // The packet's own receiver, or the gateway that the frame is for.
        let near = |o: &&Device| o.netns != e.ns && world::wires(s, dev, o.id).is_some();
        let Some(wrong) = world::devices(s).filter(|o| o.mac == p.dst).find(near) else { continue };
        for ip in wrong.addrs.iter().map(|a| a.local) {
            let used = s.kernel.ns(e.ns).neigh.entries.get(&(dev, ip)).is_some_and(|n| n.lladdr == p.dst);
            let other = world::owners(s, ip).into_iter().filter(near).find(|o| o.netns != wrong.netns);
            let Some(other) = other.filter(|_| used && !seen.contains(&(e.ns, ip))) else { continue };
            seen.push((e.ns, ip));
            let (here, there) = (world::place(s, wrong.netns), world::place(s, other.netns));
            let place = format!("{here}/{}", wrong.name);
            let says = format!("{here} and {there} both have {ip}, and {} sends to {here}", world::place(s, e.ns));
            let prefix = wrong.addrs.iter().find(|a| a.local == ip).map_or(32, |a| a.prefix);
            let del = line(sc, wrong.netns, format!("ip addr del {ip}/{prefix} dev {}", wrong.name));
            let forget = line(sc, e.ns, format!("ip neigh flush to {ip} dev {}", world::name(s, dev)));
            let show = |ns, name: &str| Some(line(sc, ns, format!("ip addr show {name}")));
            out.push(
                Found::new(Cause::DuplicateAddress, place, says)
                    .shown(format!("{ip} lladdr {}", p.dst), Some(line(sc, e.ns, format!("ip neigh show {ip}"))))
                    .shown(format!("{here} has {ip}"), show(wrong.netns, wrong.name.as_ref()))
                    .shown(format!("{there} has {ip}"), show(other.netns, other.name.as_ref()))
                    .fix(vec![del, forget]),
            );
        }
    }
}

//! A host that is to reach its own macvlans needs one itself: the device they lie on does not hear them.

use super::{Found, line};
use crate::explain::scene::Scene;
use crate::explain::{Cause, world};
use crate::kernel::link::{DevKind, Device};
use crate::kernel::macvlan::MacvlanMode;
use crate::kernel::types::DevId;

/// A macvlan of the host's own on the same device hears the others.
pub fn find(sc: &Scene<'_>, way: &[DevId], mut f: Found) -> Found {
    let s = sc.after;
    let (upper, lower) = match s.kernel.macvlan_lower(way[0]) {
        Some(l) if l == way[1] => (way[0], way[1]),
        _ => (way[1], way[0]),
    };
    let host = s.kernel.dev(lower).netns;
    let (Some(a), Some(own)) = (s.kernel.dev(upper).addrs.first(), s.kernel.dev(lower).addrs.first()) else { return f };
    let route = |dev: &str| format!("ip route add {}/32 dev {dev}", a.local);
    let lines = |all: &[String]| all.iter().map(|l| line(sc, host, l)).collect();
    let beside = |d: &&Device| s.kernel.macvlan_lower(d.id) == Some(lower) && !d.addrs.is_empty();
    if let Some(d) = s.kernel.devs_of(host).find(beside) {
        f.blocker.says = format!("{}; {} is beside it, and does not lead to {}", f.blocker.says, d.name, a.local);
        let show = Some(line(sc, host, format!("ip -d link show {}", d.name)));
        let mode = format!("ip link set {} type macvlan mode bridge", d.name);
        let up = format!("ip link set {} up", d.name);
        return f
            .shown(format!("{} is a macvlan too", d.name), show)
            .fix(lines(&[route(&d.name)]))
            .fix(lines(std::slice::from_ref(&mode)))
            .fix(lines(&[mode, up, route(&d.name)]));
    }
    let taken = |n: &str| s.kernel.devs_of(host).any(|d| &*d.name == n);
    let names = ["shim", "shim0", "shim1"];
    let Some(name) = names.into_iter().find(|n| !taken(n)) else { return f };
    f.fix(lines(&[
        format!("ip link add {name} link {} type macvlan mode bridge", world::name(s, lower)),
        format!("ip addr add {}/32 dev {name}", own.local),
        format!("ip link set {name} up"),
        route(name),
    ]))
}

/// Two macvlans of one device hear each other where both are of mode bridge.
pub fn apart(sc: &Scene<'_>, a: DevId, b: DevId, mut f: Found) -> Found {
    let s = sc.after;
    let mut lines = Vec::new();
    for d in [a, b].map(|d| s.kernel.dev(d)) {
        let DevKind::Macvlan { mode, .. } = d.kind else { continue };
        if mode == MacvlanMode::Bridge {
            continue;
        }
        let place = format!("{}/{}", world::place(s, d.netns), d.name);
        f.blocker.cause = Cause::Isolation;
        f.blocker.says = format!("{place} is a macvlan of mode {}, and does not hear those beside it", mode.as_str());
        f = f.shown(format!("mode {}", mode.as_str()), Some(line(sc, d.netns, format!("ip -d link show {}", d.name))));
        lines.push(line(sc, d.netns, format!("ip link set {} type macvlan mode bridge", d.name)));
    }
    f.fix(lines)
}

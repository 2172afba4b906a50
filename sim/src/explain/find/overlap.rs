//! Networks of an engine that lie over one of the host's own.

use ipnet::Ipv4Net;

use super::{Found, line};
use crate::docker::Engine;
use crate::docker::types::Network;
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::fib::table;
use crate::kernel::link::Device;
use crate::kernel::types::{HostId, NetnsId};

/// Hosts of the step on which a bridge of the engine has addresses of a LAN that the host is on as well.
pub fn find(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    for (host, engine) in &s.engines {
        let root = s.kernel.host(*host).root_ns;
        for n in engine.networks.values().filter(|n| n.driver == "bridge") {
            for sub in &n.subnets {
                let lan = s.kernel.devs_of(root).find_map(|d| Some((d, lies_over(d, n, sub.net)?)));
                if let Some((d, lan)) = lan.filter(|(_, l)| is_met(sc, *host, sub.net, *l)) {
                    out.push(both(sc, root, engine, n, (sub.net, d, lan)));
                }
            }
        }
    }
}

/// The network of a host's device, where the engine's lies over it.
fn lies_over(d: &Device, n: &Network, net: Ipv4Net) -> Option<Ipv4Net> {
    if !d.alive || d.is_loopback() || n.bridge == Some(d.id) {
        return None;
    }
    let of = d.addrs.iter().filter(|a| a.prefix < 32).filter_map(|a| Ipv4Net::new(a.local, a.prefix).ok());
    of.map(|x| x.trunc()).find(|x| x.contains(&net) || net.contains(x))
}

/// A packet of the step was on that host, from or to an address that both networks have.
fn is_met(sc: &Scene<'_>, host: HostId, a: Ipv4Net, b: Ipv4Net) -> bool {
    let s = sc.after;
    let both = |x: &std::net::Ipv4Addr| a.contains(x) && b.contains(x);
    let flows = sc.events().iter().filter(|e| s.kernel.ns(e.ns).host == host && !s.kernel.ns(e.ns).is_switch);
    flows.filter_map(|e| sc.packet(e).and_then(Flow::of)).any(|f| both(&f.src) || both(&f.dst))
}

fn both(sc: &Scene<'_>, root: NetnsId, engine: &Engine, n: &Network, over: (Ipv4Net, &Device, Ipv4Net)) -> Found {
    let (net, d, lan) = over;
    let place = world::place(sc.after, root);
    let says = format!(
        "network {} of Docker is {net}, and {place}/{} is on {lan}: who is meant cannot be told",
        n.name, d.name
    );
    let mut f = Found::new(Cause::SubnetOverlap, place, says)
        .shown(format!("{lan} dev {}, {net} dev {}", d.name, n.bridge_name), Some(line(sc, root, "ip route")));
    let main = sc.after.kernel.ns(root).fib.tables.get(&table::MAIN);
    if !main.is_some_and(|t| t.routes.get(&lan).is_some_and(|r| r.iter().any(|r| r.dev == Some(d.id)))) {
        f.blocker.says = format!("{}; and the route of {} is gone", f.blocker.says, d.name);
        f = f.fix(vec![line(sc, root, format!("ip route prepend {lan} dev {}", d.name))]);
    }
    if n.name == "bridge" { f } else { f.fix(anew(sc, root, engine, n)) }
}

/// The network made anew, with a subnet that the engine chooses, and its containers on it.
fn anew(sc: &Scene<'_>, root: NetnsId, engine: &Engine, n: &Network) -> Vec<Line> {
    let on: Vec<&str> =
        engine.containers.values().filter(|c| c.endpoints.contains_key(&n.name)).map(|c| c.name.as_str()).collect();
    let internal = if n.internal { " --internal" } else { "" };
    let options: String = n.options.iter().map(|(k, v)| format!(" -o {k}={v}")).collect();
    let mut lines: Vec<String> = on.iter().map(|c| format!("docker network disconnect {} {c}", n.name)).collect();
    lines.push(format!("docker network rm {}", n.name));
    lines.push(format!("docker network create{internal}{options} {}", n.name));
    lines.extend(on.iter().map(|c| format!("docker network connect {} {c}", n.name)));
    lines.into_iter().map(|l| line(sc, root, l)).collect()
}

//! Names that nobody could tell the address of.

use super::{Found, line};
use crate::command::iptables::rule_spec;
use crate::docker::types::State;
use crate::explain::scene::{Flow, Scene};
use crate::explain::{Cause, Line, world};
use crate::kernel::types::NetnsId;
use crate::kernel::xtables::{TableKind, Variant};

/// Where containers ask Docker's name server.
pub const DOCKERS: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 0, 0, 11);
/// After a restart, nodes of a cluster need some seconds to tell each other who is there.
const HEARD: &str = "sleep 10";

/// The name that was asked for, as the look-up itself tells.
fn asked(sc: &Scene<'_>) -> Option<String> {
    let how = sc.result.report.as_ref()?.how.as_ref()?;
    how.queries.last().map(|q| q.name.trim_end_matches('.').to_owned())
}

/// The name that a probe was to reach, where nobody was asked for it.
fn wanted(sc: &Scene<'_>) -> Option<String> {
    let probe = sc.result.probe.then(|| crate::app::probe::Probe::parse(&sc.result.command).ok())??;
    probe.target.parse::<std::net::Ipv4Addr>().is_err().then_some(probe.target)
}

/// The name in a line that somebody typed, and where it was asked for: `docker exec` asks in the container.
fn typed(sc: &Scene<'_>) -> Option<(NetnsId, String)> {
    if sc.result.probe {
        return None;
    }
    let words: Vec<&str> = sc.result.command.split_whitespace().collect();
    let engine = sc.after.engines.get(&sc.after.kernel.ns(sc.ns).host);
    let named = |w: &&str| engine.and_then(|e| e.containers.values().find(|c| c.name == *w)).and_then(|c| c.netns);
    let ns = match words.as_slice() {
        ["docker", "exec", rest @ ..] => rest.iter().find_map(named)?,
        _ => sc.ns,
    };
    let last = words.iter().skip(1).rev().find(|w| !w.starts_with('-') && w.parse::<f64>().is_err())?;
    let bare = last.split_once("://").map_or(*last, |(_, r)| r);
    let name = bare.split(['/', ':']).next().filter(|n| !n.is_empty() && n.parse::<std::net::Ipv4Addr>().is_err())?;
    Some((ns, name.to_owned()))
}

/// A line of `/etc/hosts` for a place of the scenario that bears the name.
fn in_hosts(sc: &Scene<'_>, name: &str, f: Found) -> Found {
    let s = sc.after;
    let bears = |l: &str| l == name || l.rsplit('/').next().is_some_and(|x| x.strip_prefix("ns:").unwrap_or(x) == name);
    let own = world::devices(s)
        .find(|d| d.netns != sc.ns && !d.is_loopback() && !d.addrs.is_empty() && bears(&world::place(s, d.netns)));
    let Some(a) = own.and_then(|d| d.addrs.first()) else { return f };
    let place = s.kernel.ns(sc.ns).label.clone();
    f.fix(vec![Line { place, command: format!("sh -c 'echo {} {name} >> /etc/hosts'", a.local) }])
}

/// What a node has heard of the others matters only where its name server was reached.
pub fn asked_nobody(out: &mut Vec<Found>) {
    if out.iter().any(|f| f.blocker.cause == Cause::ResolverUnreachable) {
        out.retain(|f| f.blocker.cause != Cause::GossipBlocked);
    }
}

/// What shows a file as programs in a namespace see it: `nsenter -n` would show the host's.
fn file(sc: &Scene<'_>, ns: NetnsId, path: &str) -> Line {
    match world::container(sc.after, ns) {
        Some((_, c)) => {
            let host = sc.after.kernel.ns(ns).host;
            world::host_line(sc.after, host, &format!("docker exec {} cat {path}", c.name))
        }
        None => line(sc, ns, format!("cat {path}")),
    }
}

/// Nobody knows the name, as far as can be told: where asking went wrong, that was found before.
pub fn unheard(sc: &Scene<'_>, out: &mut Vec<Found>) {
    if sc.result.outcome() != Some(crate::trace::Outcome::ResolveFailed)
        || out.iter().any(|f| f.blocker.cause == Cause::NameNotFound)
    {
        return;
    }
    let place = world::place(sc.after, sc.ns);
    let (name, says) = match (asked(sc), wanted(sc)) {
        (Some(n), _) => (n.clone(), format!("{place} found no address for {n}")),
        (None, Some(n)) => (
            n.clone(),
            format!("{place} has no address for {n}: /etc/hosts does not name it, and no name server could be asked"),
        ),
        (None, None) => return,
    };
    let f = Found::new(Cause::NameNotFound, place, says)
        .shown("names that it knows itself", Some(file(sc, sc.ns, "/etc/hosts")))
        .shown("where it asks", Some(file(sc, sc.ns, "/etc/resolv.conf")));
    out.push(in_hosts(sc, &name, f));
}

/// A container's name is not known.
pub fn unknown(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let Some((ns, name)) = asked(sc).map(|n| (sc.ns, n)).or_else(|| typed(sc)) else { return };
    let s = sc.after;
    let place = world::place(s, ns);
    let mut f = Found::new(Cause::NameNotFound, place.clone(), format!("{place} found no address for {name}"))
        .shown("where it asks", Some(file(sc, ns, "/etc/resolv.conf")));
    let host = s.kernel.ns(ns).host;
    if let Some((e, c)) = world::container(s, ns) {
        let called = |x: &&crate::docker::types::Container| {
            x.name == name || x.endpoints.values().any(|p| p.aliases.contains(&name))
        };
        let Some(other) = e.containers.values().find(called) else {
            let shared = |n: &crate::docker::types::Network| c.endpoints.contains_key(&n.name);
            let elsewhere = s.engines.iter().find(|(h, e)| {
                **h != host && e.containers.values().any(|x| called(&x) && world::networks(e, x).any(shared))
            });
            if let Some((h, _)) = elsewhere {
                out.push(gossip(sc, f, &name, *h));
            }
            return;
        };
        if other.state != State::Running {
            f.blocker.says = format!("container {} does not run, and only those that do have a name", other.name);
            let show = world::host_line(s, host, &format!("docker ps -a --filter name={}", other.name));
            f = f.shown(format!("{} is stopped", other.name), Some(show));
            out.push(f.fix(vec![world::host_line(s, host, &format!("docker start {}", other.name))]));
            return;
        }
        let shared = world::networks(e, c).any(|n| n.name != "bridge" && other.endpoints.contains_key(&n.name));
        if shared {
            // Both are on a network that tells names: what went wrong is in the asking.
            return;
        }
        let both = world::networks(e, c).any(|n| other.endpoints.contains_key(&n.name));
        f.blocker.says = match both {
            true => format!("{place} and {name} share only the default bridge, where containers are not known by name"),
            false => format!("{place} and {name} share no network, and names are told on a common network only"),
        };
        let show = world::host_line(
            s,
            host,
            &format!("docker inspect -f '{{{{json .NetworkSettings.Networks}}}}' {}", other.name),
        );
        f = f.shown(format!("the networks of {}", other.name), Some(show));
        let on =
            world::networks(e, other).map(|n| n.name.as_str()).filter(|n| !matches!(*n, "bridge" | "host" | "none"));
        for n in on {
            f = f.fix(vec![world::host_line(s, host, &format!("docker network connect {n} {}", c.name))]);
        }
        let mine = world::networks(e, c).map(|n| n.name.as_str()).filter(|n| !matches!(*n, "bridge" | "host" | "none"));
        for n in mine {
            f = f.fix(vec![world::host_line(s, host, &format!("docker network connect {n} {}", other.name))]);
        }
        if f.fixes.is_empty() {
            let joint = ["docker network create joint".to_owned()]
                .into_iter()
                .chain([&c.name, &other.name].map(|x| format!("docker network connect joint {x}")));
            f = f.fix(joint.map(|l| world::host_line(s, host, &l)).collect());
        }
        out.push(f);
    }
}

/// The container runs on another node, and this one has not heard of it.
fn gossip(sc: &Scene<'_>, mut f: Found, name: &str, host: crate::kernel::types::HostId) -> Found {
    let s = sc.after;
    f.blocker.cause = Cause::GossipBlocked;
    f.blocker.says = format!(
        "container {name} runs on {}, and this node has not heard of it: nodes tell each other on port 7946",
        s.kernel.host(host).name
    );
    let mut lines = Vec::new();
    for h in s.engines.keys() {
        let root = s.kernel.host(*h).root_ns;
        let filter = s.kernel.ns(root).nf.xt.of(Variant::Nft).get(TableKind::Filter);
        for chain in filter.into_iter().flat_map(|t| t.chains()) {
            for slot in &chain.rules {
                let spec = rule_spec(&slot.rule);
                if spec.contains("7946") && (spec.contains("-j DROP") || spec.contains("-j REJECT")) {
                    let place = world::place(s, root);
                    let shown = Some(line(sc, root, format!("iptables -nvL {}", chain.name)));
                    f = f.shown(format!("{place}: -A {} {spec}", chain.name), shown);
                    lines.push(line(sc, root, format!("iptables -D {} {spec}", chain.name)));
                }
            }
        }
    }
    if !lines.is_empty() {
        // They find each other again after some seconds.
        lines.push(world::host_line(s, host, HEARD));
    }
    f.fix(lines)
}

/// The name server at a loopback address does not answer: the rules that lead to it are gone, or it was never there.
pub fn no_resolver(sc: &Scene<'_>, i: usize, flow: &Flow) -> Found {
    let e = &sc.events()[i];
    let s = sc.after;
    let place = world::place(s, e.ns);
    let own = flow.dst == DOCKERS;
    let led = own && flow.dport() != Some(53);
    let says = match own {
        true if led => format!("{place} asks Docker's name server at {}, and nobody listens there any more", flow.dst),
        true => format!("{place} asks Docker's name server at {}, and the rules that lead there are gone", flow.dst),
        false => format!("{place} asks for names at {}, its own loopback, where no name server runs", flow.dst),
    };
    let mut f = Found::new(Cause::ResolverUnreachable, place, says)
        .shown("where it asks", Some(file(sc, e.ns, "/etc/resolv.conf")));
    if led {
        let port = flow.dport().unwrap_or(0);
        f = f.shown(format!("no socket on UDP port {port}"), Some(line(sc, e.ns, "ss -lun")));
    } else if own {
        f = f.shown("no rules of Docker in the container", Some(line(sc, e.ns, "iptables -t nat -S")));
    }
    if let Some((_, c)) = world::container(s, e.ns) {
        let host = s.kernel.ns(e.ns).host;
        let again = world::host_line(s, host, &format!("docker restart {}", c.name));
        f = f.fix(vec![again.clone()]).fix(vec![again, world::host_line(s, host, HEARD)]);
    }
    other_servers(sc, e.ns, f)
}

/// A name server that some place of the scenario runs.
fn other_servers(sc: &Scene<'_>, ns: NetnsId, mut f: Found) -> Found {
    let s = sc.after;
    for d in world::devices(s).filter(|d| !d.is_loopback()) {
        let serves = s.kernel.sockets(d.netns).iter().any(|x| x.proto == "udp" && x.lport == 53);
        let outside = d.netns != ns && world::container(s, d.netns).is_none();
        if let Some(a) = d.addrs.first().filter(|_| serves && outside) {
            let place = s.kernel.ns(ns).label.clone();
            let command = format!("sh -c 'echo nameserver {} > /etc/resolv.conf'", a.local);
            f = f.fix(vec![Line { place, command }]);
        }
    }
    f
}

/// The name server that was asked has an address that is nobody's.
pub fn server_is_nobody(sc: &Scene<'_>, out: &mut Vec<Found>) {
    let s = sc.after;
    let told =
        |f: &Found| matches!(f.blocker.cause, Cause::NameNotFound | Cause::GossipBlocked | Cause::ResolverUnreachable);
    if sc.result.outcome() != Some(crate::trace::Outcome::ResolveFailed) || out.iter().any(told) {
        return;
    }
    let nobody = |e: &crate::trace::Event| {
        let f = sc.packet(e).and_then(Flow::of)?;
        let asks = f.dport() == Some(53) && !f.dst.is_loopback() && world::owners(s, f.dst).is_empty();
        asks.then_some(f.dst)
    };
    let Some(server) = sc.events().iter().find_map(nobody) else { return };
    let place = world::place(s, sc.ns);
    let says = format!("{place} asks for names at {server}, and no place of the scenario has that address");
    let f = Found::new(Cause::ResolverUnreachable, place, says)
        .shown("where it asks", Some(file(sc, sc.ns, "/etc/resolv.conf")));
    // In front of the address that nobody has: who was to be asked matters more than where.
    out.insert(0, other_servers(sc, sc.ns, f));
}

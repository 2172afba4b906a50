//! Places and groups of places by name, in a world that runs.

use std::net::Ipv4Addr;

use crate::docker::types::State;
use crate::kernel::types::{HostId, NetnsId};
use crate::scenario::matrix::is_pattern;
use crate::session::Session;
use crate::shell::pattern;

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub name: String,
    pub host: HostId,
    pub ns: NetnsId,
}

/// The places that a name stands for: a place, the containers of a network, or all that fit a pattern.
pub(super) fn spots(s: &Session, name: &str) -> Result<Vec<Spot>, String> {
    if is_pattern(name) {
        let fits = |p: &Spot| super::names(s, p.ns, None).iter().any(|n| pattern::matches(name, n));
        let all: Vec<Spot> = everywhere(s).into_iter().filter(fits).collect();
        return if all.is_empty() { Err(format!("no host, namespace or container fits \"{name}\"")) } else { Ok(all) };
    }
    let (host, net) = match name.split_once("net:") {
        Some((h, n)) => (Some(h.trim_end_matches('/')).filter(|h| !h.is_empty()), n),
        None => match s.place(name) {
            Ok((host, ns)) => return Ok(vec![Spot { name: name.to_owned(), host, ns }]),
            // More than one host has it: that says more than "no such network".
            Err(why) if !is_network(s, name) => return Err(why),
            Err(_) => (None, name),
        },
    };
    let members = members(s, host, net);
    if members.is_empty() {
        return Err(match is_network(s, net) {
            true => format!("no container is attached to the network \"{net}\""),
            false => format!("there is no network \"{net}\""),
        });
    }
    Ok(members)
}

fn is_network(s: &Session, name: &str) -> bool {
    s.engines.values().any(|e| e.networks.values().any(|n| n.name == name))
}

/// The containers attached to a network, on one host or on all.
fn members(s: &Session, host: Option<&str>, net: &str) -> Vec<Spot> {
    let mut out = Vec::new();
    for (id, e) in &s.engines {
        if host.is_some_and(|h| s.kernel.host(*id).name != h) {
            continue;
        }
        for c in e.containers.values().filter(|c| c.state == State::Running) {
            let attached = c.endpoints.get(net).is_some_and(|p| p.ip.is_some());
            if let Some(ns) = c.netns.filter(|_| attached) {
                out.push(Spot { name: short(s, *id, &c.name), host: *id, ns });
            }
        }
    }
    out
}

/// Every host, namespace of `ip netns` and running container, in this order.
fn everywhere(s: &Session) -> Vec<Spot> {
    let mut out: Vec<Spot> = Vec::new();
    for (i, h) in s.kernel.hosts.iter().enumerate() {
        let host = HostId(i as u32);
        let mut add = |name: String, ns: NetnsId| {
            if !out.iter().any(|p| p.ns == ns) {
                out.push(Spot { name, host, ns });
            }
        };
        add(h.name.clone(), h.root_ns);
        for (name, ns) in &h.named {
            add(short(s, host, name), *ns);
        }
        for c in s.engines.get(&host).into_iter().flat_map(|e| e.containers.values()) {
            if let Some(ns) = c.netns.filter(|_| c.state == State::Running) {
                add(short(s, host, &c.name), ns);
            }
        }
    }
    out
}

/// The name alone where only one host has it.
fn short(s: &Session, host: HostId, name: &str) -> String {
    match s.place(name) {
        Ok((h, _)) if h == host => name.to_owned(),
        _ => format!("{}/{name}", s.kernel.host(host).name),
    }
}

/// The addresses of a place, those first that share a subnet with another place.
pub(super) fn addresses(s: &Session, of: NetnsId, near: NetnsId) -> Vec<Ipv4Addr> {
    let devs = |ns| s.kernel.devs.iter().filter(move |d| d.alive && d.netns == ns && !d.is_loopback());
    let nets: Vec<_> = devs(near).flat_map(|d| d.addrs.iter()).filter_map(|a| net(a.local, a.prefix)).collect();
    let mut all: Vec<Ipv4Addr> = devs(of).flat_map(|d| d.addrs.iter().map(|a| a.local)).collect();
    all.sort_by_key(|a| !nets.iter().any(|n| n.contains(a)));
    all.dedup();
    all
}

fn net(addr: Ipv4Addr, prefix: u8) -> Option<ipnet::Ipv4Net> {
    ipnet::Ipv4Net::new(addr, prefix).ok()
}

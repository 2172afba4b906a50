//! The state of every namespace at a moment, in the shape of the recordings.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::os::fd::AsRawFd;
use std::thread;

use packetwalk_sim::session::Session;
use serde_json::{Map, Value};

use super::netns::NetNs;
use super::world::{Space, World};
use crate::netlink::attr::{self, Write as _};
use crate::netlink::{self, Netlink, Request};
use crate::watch::dump::{DumpError, Known, State, Tools, netns_state};

const RTM_NEWNSID: u16 = 88;
const RTM_GETNSID: u16 = 90;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;

/// What every namespace looks like, and what could not be read.
pub fn state(world: &World, plan: &Session, tools: &Tools) -> (Map<String, Value>, Vec<String>) {
    let mut unread = Vec::new();
    let names: BTreeMap<&str, BTreeMap<u64, String>> =
        world.spaces.iter().map(|(l, s)| (l.as_str(), by_index(s))).collect();
    let mut out = Map::new();
    // Namespaces without a name are not looked into.
    let dumped = world.spaces.iter().zip(dump_all(world, plan, tools));
    for ((label, space), dumped) in dumped.filter(|((l, _), _)| !l.ends_with("/ns")) {
        let mut value = match dumped {
            Ok(Ok(s)) => {
                unread.extend(s.unread.iter().map(|u| format!("{label}: {}: {}", u.what, u.why)));
                s.value
            }
            Ok(Err(e)) => {
                unread.push(format!("{label}: {e}"));
                Value::Null
            }
            Err(e) => {
                unread.push(format!("{label}: {e}"));
                Value::Null
            }
        };
        let ids = numbers(world, &space.net);
        for l in value["link"].as_array_mut().into_iter().flatten() {
            if let Some(p) = peer(l, label, &ids, &names) {
                l["peer"] = p.into();
            }
        }
        let kind = kind(label, space.host.is_none());
        if kind == "switch" {
            // Of a switch only the addresses it learned are of interest.
            value = serde_json::json!({"fdb": value["fdb"]});
        }
        value["kind"] = kind.into();
        out.insert(label.clone(), value);
    }
    (out, unread)
}

type Dumped = io::Result<Result<State, DumpError>>;

/// Every namespace's state, in their order; several are read at a time.
fn dump_all(world: &World, plan: &Session, tools: &Tools) -> Vec<Dumped> {
    let nets: Vec<(&NetNs, Vec<Known>)> =
        world.spaces.values().map(|s| (&s.net, connections(world, plan, &s.net))).collect();
    let at_a_time = thread::available_parallelism().map_or(1, NonZero::get);
    let mut all = Vec::with_capacity(nets.len());
    for some in nets.chunks(at_a_time) {
        thread::scope(|s| {
            let begun: Vec<_> =
                some.iter().map(|(net, known)| s.spawn(|| net.run(|| netns_state(tools, known)))).collect();
            // A panic ends the whole lab before anybody could join.
            all.extend(begun.into_iter().map(|t| t.join().unwrap_or_else(|p| std::panic::resume_unwind(p))));
        });
    }
    all
}

/// The connections of a namespace in the plan.
fn connections(world: &World, plan: &Session, net: &NetNs) -> Vec<Known> {
    let k = &plan.kernel;
    let of = world.places.nets.iter().find(|(_, n)| n.ino == net.ino);
    of.map_or_else(Vec::new, |(ns, _)| k.ns(*ns).nf.ct.iter(k.now()).map(|(_, c)| (c.tuples[0], c.zone)).collect())
}

fn kind(label: &str, switch: bool) -> &'static str {
    match label.split_once('/') {
        _ if switch => "switch",
        None => "host",
        Some((_, n)) if n.starts_with("ns:") => "netns",
        Some((_, "ingress_sbox")) => "sandbox",
        Some((_, n)) if n.starts_with("overlay:") || n.starts_with("lb:") => "overlay",
        Some(_) => "container",
    }
}

fn by_index(space: &Space) -> BTreeMap<u64, String> {
    space.changed();
    space.devices().into_iter().map(|d| (u64::from(d.index), d.name)).collect()
}

/// The numbers by which a namespace knows others (ip-netns(8), `list-id`), with their labels.
fn numbers(world: &World, net: &NetNs) -> BTreeMap<i64, String> {
    let others: Vec<(String, i32)> = world.spaces.iter().map(|(l, s)| (l.clone(), s.net.fd().as_raw_fd())).collect();
    let found = net.run(move || {
        let Ok(mut nl) = Netlink::open(netlink::ROUTE) else { return BTreeMap::new() };
        let mut out = BTreeMap::new();
        for (label, fd) in others {
            let mut r = Request::new(RTM_GETNSID, 0, &[0; 4]);
            r.body.put_u32(NETNSA_FD, fd as u32);
            let Ok(answer) = nl.get(&r) else { continue };
            let id = answer.iter().find(|m| m.kind == RTM_NEWNSID).and_then(|m| {
                let id = attr::find(m.body.get(4..)?, NETNSA_NSID)?;
                Some(i64::from(id.i32()))
            });
            if let Some(id) = id.filter(|i| *i >= 0) {
                out.insert(id, label);
            }
        }
        out
    });
    found.unwrap_or_default()
}

/// The other end of a veth, or what a macvlan lies on, by place and name.
fn peer(
    link: &Value,
    own: &str,
    ids: &BTreeMap<i64, String>,
    names: &BTreeMap<&str, BTreeMap<u64, String>>,
) -> Option<String> {
    let name = |label: &str, index: u64| names.get(label).and_then(|m| m.get(&index)).cloned();
    let index = link["link_index"].as_u64()?;
    let label = match link["link_netnsid"].as_i64() {
        Some(id) => match ids.get(&id) {
            Some(l) if l.ends_with("/ns") => return Some("outside".to_owned()),
            Some(l) => l.as_str(),
            None => return Some("outside".to_owned()),
        },
        None => own,
    };
    Some(format!("{label}:{}", name(label, index).unwrap_or_else(|| format!("if{index}"))))
}

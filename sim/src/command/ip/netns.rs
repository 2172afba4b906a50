//! `ip netns` (ip/ipnetns.c).

use serde_json::{Map, Value, json};

use super::args::{Args, Bad, matches};
use super::{Globals, print_json};
use crate::command::Proc;
use crate::kernel::types::{Errno, NetnsId, Pid};
use crate::op::Op;

/// An `ip netns` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetnsCmd {
    /// `list`.
    List,
    /// `add`.
    Add(String),
    /// `del`.
    Del(String),
    /// `exec`.
    Exec(String, Vec<String>),
    /// `identify`.
    Identify(Option<u32>),
    /// `pids`.
    Pids(String),
    /// `list-id`.
    ListId,
    /// `-all exec`: a command in every namespace that has a name.
    ExecAll(Vec<String>),
}

pub(super) fn parse(a: &mut Args<'_>, all: bool) -> Result<NetnsCmd, Bad> {
    let Some(w) = a.next() else { return Ok(NetnsCmd::List) };
    let name = |a: &mut Args<'_>| {
        let n = a.next().ok_or_else(|| Bad::Say("No netns name specified\n".into(), 1))?;
        if n.is_empty() || n.contains('/') || n == "." || n == ".." {
            return Err(Bad::Say(format!("Invalid netns name \"{n}\"\n"), 255));
        }
        Ok(n.to_owned())
    };
    match w {
        _ if matches(w, "list") || matches(w, "show") || matches(w, "lst") => Ok(NetnsCmd::List),
        _ if matches(w, "add") => name(a).map(NetnsCmd::Add),
        _ if matches(w, "delete") && !all => name(a).map(NetnsCmd::Del),
        "list-id" => Ok(NetnsCmd::ListId),
        _ if matches(w, "delete") && all => Err(a.refuse_last("ip -all netns del")),
        _ if matches(w, "exec") && all => match a.rest() {
            [] => Err(Bad::Say("No command specified\n".into(), 1)),
            cmd => Ok(NetnsCmd::ExecAll(cmd.to_vec())),
        },
        _ if matches(w, "exec") => {
            let n = name(a)?;
            let cmd = a.rest().to_vec();
            if cmd.is_empty() {
                return Err(Bad::Say("No command specified\n".into(), 1));
            }
            Ok(NetnsCmd::Exec(n, cmd))
        }
        _ if matches(w, "identify") => Ok(NetnsCmd::Identify(a.next().and_then(|v| v.parse().ok()))),
        _ if matches(w, "pids") => name(a).map(NetnsCmd::Pids),
        "help" => Err(super::usage("ip netns list")),
        "attach" | "set" | "monitor" => Err(a.refuse_last(&format!("ip netns {w}"))),
        _ => Err(Bad::Say(format!("Command \"{w}\" is unknown, try \"ip netns help\".\n"), 255)),
    }
}

pub(super) fn exec(p: &mut Proc<'_>, g: &Globals, c: &NetnsCmd) -> Result<i32, Bad> {
    let host = p.host;
    match c {
        NetnsCmd::List => list(p, g),
        NetnsCmd::Add(n) => {
            let op = Op::NetnsAdd { host, name: Some(n.clone()), label: None };
            if let Err(e) = p.sess.kernel.apply(&op) {
                let why = e.errno.strerror();
                return Err(Bad::Say(format!("Cannot create namespace file \"/run/netns/{n}\": {why}\n"), 1));
            }
        }
        NetnsCmd::Del(n) => {
            if let Err(e) = p.sess.kernel.apply(&Op::NetnsDel { host, name: n.clone() }) {
                let why = e.errno.strerror();
                return Err(Bad::Say(format!("Cannot remove namespace file \"/run/netns/{n}\": {why}\n"), 1));
            }
        }
        NetnsCmd::Exec(n, cmd) => {
            let Some(ns) = p.sess.kernel.host(host).named.get(n).copied() else {
                let why = Errno::ENOENT.strerror();
                return Err(Bad::Say(format!("Cannot open network namespace \"{n}\": {why}\n"), 255));
            };
            return enter(p, ns, cmd);
        }
        NetnsCmd::ExecAll(cmd) => {
            let all: Vec<_> = p.sess.kernel.host(host).named.iter().rev().map(|(n, ns)| (n.clone(), *ns)).collect();
            for (n, ns) in all {
                p.out.push_str(&format!("\nnetns: {n}\n"));
                enter(p, ns, cmd)?;
            }
        }
        NetnsCmd::ListId => {
            let k = &p.sess.kernel;
            let mut ids: Vec<_> = k.ns(p.ns).nsids.iter().map(|(ns, id)| (id, ns)).collect();
            ids.sort_unstable();
            let mut text = String::new();
            for (id, ns) in ids {
                let name = k.host(host).named.iter().find(|(_, x)| **x == ns);
                let name = name.map(|(n, _)| format!("(iproute2 netns name: {n})")).unwrap_or_default();
                text.push_str(&format!("nsid {id} {name}\n"));
            }
            p.out.push_str(&text);
        }
        NetnsCmd::Identify(pid) => {
            let ns = match pid {
                Some(n) => p.sess.ns_of_pid(host, Pid(*n)).unwrap_or(p.ns),
                None => p.ns,
            };
            let name = p.sess.kernel.host(host).named.iter().find(|(_, x)| **x == ns).map(|(n, _)| n.clone());
            // An empty line where it has no name.
            p.out.push_str(&format!("{}\n", name.unwrap_or_default()));
        }
        NetnsCmd::Pids(n) => {
            let Some(ns) = p.sess.kernel.host(host).named.get(n).copied() else {
                let why = Errno::ENOENT.strerror();
                return Err(Bad::Say(format!("Cannot open network namespace: {why}\n"), 1));
            };
            let pids: Vec<u32> =
                p.sess.procs.table.iter().filter(|(_, e)| e.alive && e.ns == ns).map(|(pid, _)| pid.0).collect();
            for pid in pids {
                p.out.push_str(&format!("{pid}\n"));
            }
        }
    }
    Ok(0)
}

/// Runs a command in another namespace.
fn enter(p: &mut Proc<'_>, ns: NetnsId, cmd: &[String]) -> Result<i32, Bad> {
    if !crate::command::is_tool(&cmd[0]) {
        return Err(Bad::Refused(crate::command::Refusal::new(format!("the tool {}", cmd[0]), 0)));
    }
    let back = std::mem::replace(&mut p.ns, ns);
    let r = crate::command::run(p, cmd);
    p.ns = back;
    r.map_err(Bad::Refused)
}

/// Names newest first, as the directory lists them, with the id that the present namespace knows them by.
fn list(p: &mut Proc<'_>, g: &Globals) {
    let k = &p.sess.kernel;
    let ids = &k.ns(p.ns).nsids;
    let named = &k.host(p.host).named;
    let mut names: Vec<(String, Option<u32>)> = named.iter().rev().map(|(n, ns)| (n.clone(), ids.get(*ns))).collect();
    // Links that lead nowhere are names in the directory like any other.
    let there = p.sess.list_dir(p.host, k.host(p.host).root_ns, "/run/netns").unwrap_or_default();
    names.extend(there.into_iter().filter(|n| !named.contains_key(n)).map(|n| (n, None)));
    if g.json {
        let v = names.iter().map(|(n, id)| {
            let mut o = Map::new();
            o.insert("name".into(), json!(n));
            if let Some(i) = id {
                o.insert("id".into(), json!(i));
            }
            Value::Object(o)
        });
        let v = Value::Array(v.collect());
        return print_json(p, g, &v);
    }
    for (n, id) in names {
        match id {
            Some(i) => p.out.push_str(&format!("{n} (id: {i})\n")),
            None => p.out.push_str(&format!("{n}\n")),
        }
    }
}

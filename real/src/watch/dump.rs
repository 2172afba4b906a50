//! State of a namespace, in the shape of the recordings (`state.LABEL.ns.PLACE`) and of `packetwalk_sim::trace::state`.
//!
//! Everything is asked over netlink or read below `/proc`, which follow the thread's namespace; a process is started for
//! `iptables-save` and its like only, and only where the namespace has tables. What iproute2 would print is printed here
//! as iproute2 6.1 does, one file per command.

mod addr;
pub(super) mod conntrack;
mod fdb;
mod link;
mod listen;
mod names;
mod neigh;
mod nstat;
mod port;
mod route;
mod rule;
mod sysctl;
mod tables;

use std::io;

use serde_json::{Map, Value};

use crate::netlink::{self, Netlink, NlError};
pub use conntrack::Known;
use link::Links;
pub use neigh::state_name;
pub use tables::Tools;

/// What a namespace looked like.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// As a recording has it, without `kind`, `also`, `files` and a link's `peer`, which the namespace does not know.
    pub value: Value,
    /// What could not be read, with the reason: not compared, never equal.
    pub unread: Vec<Unread>,
}

/// A part of the state that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its name in the state (`iptables`).
    pub what: &'static str,
    /// Why, with the remedy where there is one.
    pub why: String,
}

/// The state could not be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what} of the namespace: {error}")]
pub struct DumpError {
    /// Its name in the state.
    pub what: &'static str,
    /// What the kernel answered.
    #[source]
    pub error: NlError,
}

/// Names an error after the part that was asked for.
fn about(what: &'static str) -> impl Fn(NlError) -> DumpError {
    move |error| DumpError { what, error }
}

fn opened(what: &'static str) -> impl Fn(io::Error) -> DumpError {
    move |e| DumpError { what, error: e.into() }
}

/// The state of this thread's namespace; `known` are the connections that it may have, which saves time.
///
/// # Errors
/// Where netlink itself refuses; what merely lacks a tool or a module is told in [`State::unread`].
pub fn netns_state(tools: &Tools, known: &[Known]) -> Result<State, DumpError> {
    let mut rt = Netlink::open(netlink::ROUTE).map_err(opened("link"))?;
    let mut unread = Vec::new();
    let dump = link::ask(&mut rt).map_err(about("link"))?;
    let links = Links::new(&dump);
    let mut parts = vec![
        ("link", link::links(&links)),
        ("addr", addr::addresses(&mut rt, &links).map_err(about("addr"))?),
        ("route", route::routes(&mut rt, &links).map_err(about("route"))?),
        ("rule", rule::rules(&mut rt).map_err(about("rule"))?),
        ("neigh", neigh::neighbours(&mut rt, &links).map_err(about("neigh"))?),
        ("fdb", fdb::entries(&mut rt, &links).map_err(about("fdb"))?),
        ("blink", port::ports(&mut rt, &links).map_err(about("blink"))?),
        ("listen", listen::listeners(&links).map_err(about("listen"))?),
        ("sysctl", sysctl::sysctls(&links)),
        ("nstat", nstat::counters().map_err(opened("nstat"))?),
    ];
    let mut nf = Netlink::open(netlink::NETFILTER).map_err(opened("conntrack"))?;
    parts.push(("conntrack", conntrack::lines(&mut nf, known).map_err(about("conntrack"))?.into()));
    parts.extend(tables::rules(&mut nf, tools, &mut unread).map_err(about("iptables"))?);
    let mut out = Map::new();
    for (name, v) in parts {
        if name == "fdb" || !is_empty(&v) {
            out.insert(name.to_owned(), v);
        }
    }
    Ok(State { value: Value::Object(out), unread })
}

fn is_empty(v: &Value) -> bool {
    match v {
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        _ => false,
    }
}

fn put(o: &mut Map<String, Value>, key: &str, v: impl Into<Value>) {
    o.insert(key.to_owned(), v.into());
}

//! The connections of a namespace, without walking the table of the whole machine.
//!
//! Linux has one table of connections for all namespaces, and a dump walks every bucket of it: 5 ms for the 262,144 of a
//! small machine, whether the namespace has one connection or a thousand. A listener for conntrack's events knows which
//! connections there are, and asks for each by its tuple: some 10 µs.

use std::io;

use indexmap::IndexMap;
use nix::errno::Errno;

use super::dump::conntrack::{self, GET, HEADER, NEW, is_ipv4};
use crate::netlink::attr::{Table, Write};
use crate::netlink::{self, Message, Netlink, NlError, Request};

/// `NFNLGRP_CONNTRACK_NEW` and `_DESTROY`.
const GROUPS: [u32; 2] = [1, 3];
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE`.
const DELETE: u16 = 0x102;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// Knows the connections of a namespace from when it was started. It keeps the namespace alive.
#[derive(Debug)]
pub struct Connections {
    events: Netlink,
    query: Netlink,
    /// By id, the attributes that ask for one: tuple and zone.
    known: IndexMap<u32, Vec<u8>>,
    /// Whether an event was missed: from then on only the whole table tells.
    lost: bool,
}

impl Connections {
    /// Starts in this thread's namespace, before any packet: what was there already stays unknown. Events reach it from
    /// when the namespace tracks anything at all (`nf_conntrack_events` is 2 by default: only where somebody listens).
    ///
    /// # Errors
    /// Where the kernel has no conntrack, or we may not.
    pub fn start() -> io::Result<Self> {
        let events = Netlink::open(netlink::NETFILTER)?;
        events.enlarge()?;
        for g in GROUPS {
            events.join(g)?;
        }
        let query = Netlink::open(netlink::NETFILTER)?;
        Ok(Connections { events, query, known: IndexMap::new(), lost: false })
    }

    /// The lines of `conntrack -L`, in the order in which the connections came.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn lines(&mut self) -> Result<Vec<String>, NlError> {
        let known = &mut self.known;
        self.lost |= self.events.events(|m| hear(known, &m))?;
        if self.lost || self.count()? as usize != self.known.len() {
            // An entry of before our time, or one that an event was lost of.
            return conntrack::lines(&mut self.query);
        }
        let mut out = Vec::with_capacity(self.known.len());
        for ask in self.known.values() {
            let mut r = Request::new(GET, 0, &[super::dump::INET, 0, 0, 0]);
            r.body.extend(ask);
            match self.query.get(&r) {
                Ok(d) => out.extend(d.iter().filter(|m| m.kind == NEW).map(|m| conntrack::line(m.body, 1))),
                // Its time had run out; nobody has collected it yet.
                Err(e) if e.errno == Errno::ENOENT => {}
                Err(e) => return Err(e),
            }
        }
        Ok(out)
    }

    fn count(&mut self) -> Result<u32, NlError> {
        conntrack::count(&mut self.query)
    }
}

/// Takes an event in.
fn hear(known: &mut IndexMap<u32, Vec<u8>>, m: &Message<'_>) {
    let Some(body) = m.body.get(HEADER..).filter(|_| matches!(m.kind, NEW | DELETE)) else { return };
    let t = Table::<19>::new(body);
    let Some(id) = t.get(CTA_ID).map(|a| a.u32()) else { return };
    if m.kind == DELETE {
        known.shift_remove(&id);
    } else if let Some(tuple) = t.get(CTA_TUPLE_ORIG).filter(|_| is_ipv4(m.body)) {
        let mut ask = Vec::with_capacity(64);
        ask.put(CTA_TUPLE_ORIG | NESTED, tuple.value);
        if let Some(zone) = t.get(CTA_ZONE) {
            ask.put(CTA_ZONE, zone.value);
        }
        known.insert(id, ask);
    }
}

//! What vanishes by itself: connections whose time is over (`gc_worker`), and what a bridge or a tunnel learnt and has not
//! heard again (`br_fdb_cleanup`, `vxlan_cleanup`).
//!
//! Nothing in the model waits for that: what expired is found nowhere, and leaves its table when somebody comes by. So it
//! is told when it is noticed, with the time at which it expired. Without a reader nothing is looked at.

use super::Kernel;
use super::types::{DevId, NetnsId};
use crate::trace::event::{Event, Expired};
use crate::trace::{EventKind, Recorder};
use crate::wire::PacketId;

impl<R: Recorder> Kernel<R> {
    /// Tells what expired and was not told of yet.
    pub fn tell_expired(&mut self) {
        if !R::ON {
            return;
        }
        for ns in 0..self.netns.len() as u32 {
            self.ct_tell_expired(NetnsId(ns));
        }
        let (now, since) = (self.queue.now, self.expired_until);
        self.expired_until = now;
        let within = |at: u64| at > since && at <= now;
        let mut gone = Vec::new();
        for d in self.devs.iter().filter(|d| d.alive) {
            let learnt = d.bridge().into_iter().flat_map(|b| b.learnt());
            for (mac, port, at) in learnt.filter(|e| within(e.2)) {
                gone.push((at, d.netns, d.id, Expired::Bridge { mac, port }));
            }
            let learnt = d.vxlan().into_iter().flat_map(|v| v.learnt());
            for (mac, remote, at) in learnt.filter(|e| within(e.2)) {
                gone.push((at, d.netns, d.id, Expired::Vxlan { mac, remote }));
            }
        }
        for (at, ns, dev, what) in gone {
            self.rec.event(at, ns, Some(dev), None, EventKind::Expired { what });
        }
    }

    /// The same of a namespace's connections; asked before any of them leaves the table.
    pub(crate) fn ct_tell_expired(&mut self, ns: NetnsId) {
        let now = self.queue.now;
        if !R::ON || !self.netns[ns.ix()].alive {
            return;
        }
        let table = &mut self.netns[ns.ix()].nf.ct;
        let since = std::mem::replace(&mut table.expired_until, now);
        for (at, view) in table.expired_since(since, now) {
            self.rec.event(
                at,
                ns,
                None::<DevId>,
                None,
                EventKind::Expired { what: Expired::Connection(Box::new(view)) },
            );
        }
    }
}

/// Puts what expired in a step where its time was, among the step's other events.
pub fn in_time(events: &mut Vec<Event>, first: usize) {
    let expired = |e: &Event| matches!(e.kind, EventKind::Expired { .. });
    if !events[first..].iter().any(expired) {
        return;
    }
    let (mut gone, rest): (Vec<Event>, Vec<Event>) = events.drain(first..).partition(expired);
    debug_assert!(gone.iter().all(|e| e.packet == PacketId(0)));
    gone.sort_by_key(|e| e.at);
    let mut gone = gone.into_iter().peekable();
    for e in rest {
        while let Some(g) = gone.next_if(|g| g.at < e.at) {
            events.push(g);
        }
        events.push(e);
    }
    events.extend(gone);
}

//! Who hears that a carrier changed, and when (net/core/link_watch.c).
//!
//! The carrier itself changes at once (`LOWER_UP`). What follows from it, the operational state (`RUNNING`), the marks of
//! routes, the queueing discipline, is left to a worker: at once for a device that stands on another, and at most once a
//! second for the rest, of which bridges are the ones that lose a carrier.

use crate::engine::{Timer, WORK_NS};
use crate::kernel::Kernel;
use crate::kernel::link::{DevKind, OperState};
use crate::kernel::types::{DevId, HostId, Nanos, SEC};
use crate::trace::Recorder;

/// What a kernel's worker has before it.
#[derive(Clone, Debug, Default)]
pub struct LinkWatch {
    /// Devices to look at (`lweventlist`).
    list: Vec<DevId>,
    /// `linkwatch_nextevent`: what is not urgent waits until then.
    next_event: Nanos,
    /// The worker is called (`linkwatch_work` is pending), and when.
    scheduled: bool,
    due: Nanos,
    /// It is called at once (`LW_URGENT`).
    urgent: bool,
}

impl<R: Recorder> Kernel<R> {
    /// `linkwatch_urgent_event`: a device that stands on another, or one that gets its queue back.
    fn linkwatch_urgent(&self, dev: DevId) -> bool {
        let d = self.dev(dev);
        let stands_on_another = match &d.kind {
            DevKind::Veth { .. } | DevKind::Macvlan { .. } => true,
            DevKind::Vxlan(v) => v.cfg.lower.is_some(),
            DevKind::Bridge(_) | DevKind::Loopback => false,
        };
        d.is_up() && (stands_on_another || (d.carrier && !d.active))
    }

    /// `linkwatch_fire_event`.
    pub(crate) fn linkwatch_fire_event(&mut self, dev: DevId) {
        let host = self.ns(self.dev(dev).netns).host;
        let urgent = self.linkwatch_urgent(dev);
        let now = self.queue.now;
        let w = self.linkwatch_mut(host);
        if !w.list.contains(&dev) {
            w.list.push(dev);
        } else if !urgent {
            return;
        }
        if !urgent {
            self.linkwatch_schedule(host);
        } else if !std::mem::replace(&mut w.urgent, true) {
            self.queue.timer(now, Timer::LinkWatchWork(host));
        }
    }

    /// `linkwatch_schedule_work(0)`: a call that is under way is not moved.
    fn linkwatch_schedule(&mut self, host: HostId) {
        let soon = self.queue.now + WORK_NS;
        let w = self.linkwatch_mut(host);
        if !std::mem::replace(&mut w.scheduled, true) {
            let at = w.next_event.max(soon);
            w.due = at;
            self.queue.timer(at, Timer::LinkWatchWork(host));
        }
    }

    /// `linkwatch_event`.
    pub(crate) fn linkwatch_work(&mut self, host: HostId) {
        let now = self.queue.now;
        let w = self.linkwatch_mut(host);
        let due = w.scheduled && w.due <= now;
        // What was urgent may have been done already, as the lock was let go.
        if due || w.urgent {
            w.scheduled &= !due;
            self.linkwatch_run_queue(host);
        }
    }

    /// A request is done and lets go of the lock that the worker waits for (`rtnl_unlock`): what is urgent is next.
    pub(crate) fn linkwatch_unlocked(&mut self) {
        while let Some(host) = self.linkwatch.iter().find(|w| w.1.urgent).map(|w| *w.0) {
            self.linkwatch_run_queue(host);
        }
    }

    /// So much time passes that the worker has nothing left to do, and would do at once what comes.
    pub(crate) fn linkwatch_settle(&mut self, host: HostId) {
        // A port's carrier is the bridge's, and the bridge's that of the macvlans on it.
        for _ in 0..3 {
            self.linkwatch_mut(host).next_event = 0;
            self.linkwatch_run_queue(host);
        }
        self.linkwatch_mut(host).next_event = 0;
    }

    /// `__linkwatch_run_queue`: within a second of the last whole look only urgent ones are looked at.
    fn linkwatch_run_queue(&mut self, host: HostId) {
        let now = self.queue.now;
        let w = self.linkwatch_mut(host);
        w.urgent = false;
        let urgent_only = w.next_event > now;
        if !urgent_only {
            w.next_event = now + SEC;
        }
        for dev in std::mem::take(&mut w.list) {
            if !self.dev(dev).alive {
                continue;
            }
            if urgent_only && !self.linkwatch_urgent(dev) {
                self.linkwatch_mut(host).list.push(dev);
            } else {
                self.linkwatch_do_dev(dev);
            }
        }
        if !self.linkwatch_mut(host).list.is_empty() {
            self.linkwatch_schedule(host);
        }
    }

    /// `linkwatch_do_dev`, and what hears of it through `NETDEV_CHANGE`.
    fn linkwatch_do_dev(&mut self, dev: DevId) {
        let (was, d) = (self.dev(dev).operstate, self.dev_mut(dev));
        let on = d.carrier;
        let changed = d.active != on;
        d.active = on;
        self.update_operstate(dev);
        if !changed && was == self.dev(dev).operstate {
            return;
        }
        self.fib_sync_carrier(dev);
        self.macvlan_carrier(dev);
        if !on && self.dev(dev).is_up() && self.evicts_without_carrier(dev) {
            self.neigh_flush_dev(dev, true);
        }
        self.linkwatch_tell_bridge(dev, on);
    }

    /// `rtnl_getlink`: somebody asks about one device, and it is brought up to date (`linkwatch_sync_dev`). A list of
    /// devices is told as it is.
    pub fn rtnl_getlink(&mut self, dev: DevId) {
        let host = self.ns(self.dev(dev).netns).host;
        let list = &mut self.linkwatch_mut(host).list;
        if let Some(i) = list.iter().position(|d| *d == dev) {
            list.remove(i);
            self.linkwatch_do_dev(dev);
        }
    }

    /// A bridge has a device's state to look at again where it is not what follows from the carrier.
    pub(crate) fn linkwatch_stale(&mut self, dev: DevId) {
        if self.dev(dev).carrier && self.dev(dev).operstate != OperState::Up {
            self.linkwatch_fire_event(dev);
        }
    }

    fn linkwatch_mut(&mut self, host: HostId) -> &mut LinkWatch {
        // The switch of a lan belongs to no host, and has a kernel of its own.
        self.linkwatch.entry(host).or_default()
    }
}

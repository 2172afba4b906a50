//! A connection as evidence for the trace.

use super::tcp::state_name;
use super::types::{Conn, CtDir, CtRef, ProtoState};
use crate::kernel::Kernel;
use crate::kernel::netfilter::Hook;
use crate::kernel::types::{DevId, Nanos, NetnsId, SEC};
use crate::trace::event::{CtVerdict, CtView};
use crate::trace::{EventKind, Recorder};
use crate::wire::Packet;

impl Conn {
    /// The connection as it is at `now`.
    pub fn view(&self, now: Nanos) -> CtView {
        CtView {
            tuples: self.tuples,
            status: self.status,
            zone: self.zone.in_dir(CtDir::Original),
            mark: self.mark,
            tcp: match &self.proto {
                ProtoState::Tcp(t) => Some(state_name(t.state)),
                _ => None,
            },
            expires_s: self.left(now) / SEC,
        }
    }
}

/// The same but for the time that is left, which every packet renews.
fn same(a: &CtView, b: &CtView) -> bool {
    CtView { expires_s: b.expires_s, ..a.clone() } == *b
}

impl<R: Recorder> Kernel<R> {
    /// A connection as evidence; none where it is gone.
    pub fn ct_view(&self, ns: NetnsId, ct: CtRef) -> Option<Box<CtView>> {
        self.netns[ns.ix()].nf.ct.get(ct).map(|c| Box::new(c.view(self.queue.now)))
    }

    /// A connection as it is before a packet; looked at only where somebody reads the trace.
    #[inline]
    pub(crate) fn ct_before(&self, ns: NetnsId, ct: CtRef) -> Option<Box<CtView>> {
        if R::ON { self.ct_view(ns, ct) } else { None }
    }

    /// Tells what connection tracking made of a packet. `before` is told where it differs from what is now.
    #[inline]
    pub(crate) fn ct_ev(
        &mut self,
        ns: NetnsId,
        (hook, dev): (Hook, DevId),
        p: &mut Packet,
        verdict: CtVerdict,
        ct: Option<CtRef>,
        before: Option<Box<CtView>>,
    ) {
        if R::ON {
            let after = ct.and_then(|c| self.ct_view(ns, c));
            let before = before.filter(|b| after.as_ref().is_none_or(|a| !same(a, b)));
            self.ev(dev, p, EventKind::Ct { hook, verdict, before, after });
        }
    }
}

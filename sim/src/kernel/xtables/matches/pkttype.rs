//! `-m pkttype` (xt_pkttype): to whom the frame was addressed.

use super::PkttypeMatch;
use crate::kernel::dev::PktType;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl PkttypeMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let (ty, word) = match cx.at.ty {
            PktType::Host => (0, "unicast"),
            PktType::Broadcast => (1, "broadcast"),
            PktType::Multicast => (2, "multicast"),
            PktType::OtherHost => (3, "otherhost"),
            // What came round to oneself: by its address.
            PktType::Loopback if cx.ip.dst.is_multicast() => (2, "multicast"),
            PktType::Loopback => (1, "broadcast"),
        };
        ask((ty == self.ty) != self.inv, "--pkt-type", || Saw::Word(word))
    }
}

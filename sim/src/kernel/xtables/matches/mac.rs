//! `-m mac` (xt_mac): only for what came in by an Ethernet device.

use super::MacMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl MacMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let ethernet = cx.at.iif.is_some_and(|d| !cx.k.dev(d).is_loopback());
        ask(ethernet, "--mac-source", || Saw::Nothing)?;
        ask((cx.p.src == self.addr) != self.inv, "--mac-source", || Saw::Mac(cx.p.src))
    }
}

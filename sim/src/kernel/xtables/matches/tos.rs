//! `-m tos` and `-m dscp` (xt_dscp).

use super::TosMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl TosMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let tos = cx.ip.tos;
        ask((tos & self.mask == self.value) != self.inv, "--tos", || Saw::Hex(tos.into()))
    }

    /// The upper six bits.
    pub(crate) fn check_dscp<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let tos = cx.ip.tos;
        ask((tos & 0xfc == self.value) != self.inv, "--dscp", || Saw::Hex((tos >> 2).into()))
    }
}

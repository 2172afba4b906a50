//! `-m ttl` (xt_hl).

use super::{TtlMatch, TtlMode};
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl TtlMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let have = cx.ip.ttl;
        let (fits, option) = match self.mode {
            TtlMode::Eq => (have == self.ttl, "--ttl-eq"),
            TtlMode::Ne => (have != self.ttl, "! --ttl-eq"),
            TtlMode::Lt => (have < self.ttl, "--ttl-lt"),
            TtlMode::Gt => (have > self.ttl, "--ttl-gt"),
        };
        ask(fits, option, || Saw::Num(have.into()))
    }
}

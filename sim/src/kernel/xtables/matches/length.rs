//! `-m length` (xt_length): of the IP packet.

use super::LengthMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl LengthMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let len = cx.ip.total_len();
        let fits = (usize::from(self.min)..=usize::from(self.max)).contains(&len);
        ask(fits != self.inv, "--length", || Saw::Num(len as u64))
    }
}

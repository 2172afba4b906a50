//! `-m mark` (xt_mark) and `-m connmark` (xt_connmark).

use super::MarkMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl MarkMatch {
    #[inline]
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let mark = cx.p.mark;
        ask((mark & self.mask == self.mark) != self.inv, "--mark", || Saw::Hex(mark))
    }

    /// The mark of the connection.
    pub(crate) fn check_connection<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let Some((ct, _)) = cx.ct() else { return ask(false, "-m connmark", || Saw::Word("no connection")) };
        ask((ct.mark & self.mask == self.mark) != self.inv, "-m connmark --mark", || Saw::Hex(ct.mark))
    }
}

//! `-m iprange` (xt_iprange).

use super::IprangeMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl IprangeMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let (src, dst) = (cx.ip.src, cx.ip.dst);
        if let Some((a, b)) = self.src {
            ask((a..=b).contains(&src) != self.inv_src, "--src-range", || Saw::Addr(src))?;
        }
        if let Some((a, b)) = self.dst {
            ask((a..=b).contains(&dst) != self.inv_dst, "--dst-range", || Saw::Addr(dst))?;
        }
        Ok(())
    }
}

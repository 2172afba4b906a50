//! `-m addrtype` (xt_addrtype): asks the local table only (`inet_addr_type`).

use super::AddrtypeMatch;
use crate::kernel::fib::{RouteType, table};
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

/// `RTN_*` of a kind of route: the bit that `--src-type` and `--dst-type` set.
pub fn rtn(kind: RouteType) -> u16 {
    1 << kind.number()
}

impl AddrtypeMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let dev = if self.limit_iface_in {
            cx.at.iif
        } else if self.limit_iface_out {
            cx.at.oif
        } else {
            None
        };
        for (set, inv, a, option) in
            [(self.src, self.inv_src, cx.ip.src, "--src-type"), (self.dst, self.inv_dst, cx.ip.dst, "--dst-type")]
        {
            if set != 0 {
                let kind = cx.k.inet_addr_type_in(cx.at.ns, a, table::LOCAL, dev);
                ask((set & rtn(kind) != 0) != inv, option, || Saw::Word(kind.as_str()))?;
            }
        }
        Ok(())
    }
}

//! `-m icmp` (`icmp_match` of ip_tables).

use super::IcmpMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;
use crate::wire::L4;

impl IcmpMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let (ty, code) = match &cx.ip.l4 {
            L4::Icmp(i) => (i.ty, i.code),
            L4::Raw(1, b) if cx.ip.frag_off == 0 && b.len() >= 2 => (b[0], b[1]),
            _ => return ask(false, "-m icmp", || Saw::Nothing),
        };
        let any = self.ty == 0xff;
        let fits = any || (ty == self.ty && (self.code.0..=self.code.1).contains(&code));
        ask(fits != self.inv, "--icmp-type", || Saw::Icmp(ty, code))
    }
}

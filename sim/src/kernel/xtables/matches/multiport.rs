//! `-m multiport` (xt_multiport).

use super::{MultiportMatch, MultiportSide};
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl MultiportMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let option = match self.side {
            MultiportSide::Source => "--sports",
            MultiportSide::Destination => "--dports",
            MultiportSide::Either => "--ports",
        };
        let Some((sport, dport)) = cx.ports() else { return ask(false, option, || Saw::Nothing) };
        let listed = |p: u16| self.ports.iter().any(|(a, b)| (*a..=*b).contains(&p));
        let (fits, saw) = match self.side {
            MultiportSide::Source => (listed(sport), sport),
            MultiportSide::Destination => (listed(dport), dport),
            MultiportSide::Either => (listed(sport) || listed(dport), dport),
        };
        ask(fits != self.inv, option, || Saw::Num(saw.into()))
    }
}

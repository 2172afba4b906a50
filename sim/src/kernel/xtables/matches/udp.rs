//! `-m udp` (`udp_mt` of xt_tcpudp).

use super::UdpMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl UdpMatch {
    #[inline]
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let Some((sport, dport)) = cx.ports() else { return ask(false, "-m udp", || Saw::Nothing) };
        let within = |r: (u16, u16), p: u16| (r.0..=r.1).contains(&p);
        ask(within(self.sports, sport) != self.inv_sports, "--sport", || Saw::Num(sport.into()))?;
        ask(within(self.dports, dport) != self.inv_dports, "--dport", || Saw::Num(dport.into()))
    }
}

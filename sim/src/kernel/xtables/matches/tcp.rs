//! `-m tcp` (`tcp_mt` of xt_tcpudp).

use super::TcpMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;
use crate::wire::L4;
use crate::wire::packet::{TcpFlags, TcpOpts};

impl TcpMatch {
    #[inline]
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let Some((sport, dport)) = cx.ports() else { return ask(false, "-m tcp", || Saw::Nothing) };
        let within = |r: (u16, u16), p: u16| (r.0..=r.1).contains(&p);
        ask(within(self.sports, sport) != self.inv_sports, "--sport", || Saw::Num(sport.into()))?;
        ask(within(self.dports, dport) != self.inv_dports, "--dport", || Saw::Num(dport.into()))?;
        if self.flags_mask != 0 || self.inv_flags {
            let flags = cx.tcp_flags().unwrap_or(TcpFlags::empty());
            let fits = flags.bits() & self.flags_mask == self.flags_cmp;
            ask(fits != self.inv_flags, "--tcp-flags", || Saw::Flags(flags))?;
        }
        if self.option == 0 {
            return Ok(());
        }
        let has = matches!(&cx.ip.l4, L4::Tcp(t) if has_option(&t.opts, self.option));
        ask(has != self.inv_option, "--tcp-option", || Saw::Nothing)
    }
}

/// Is an option of this kind (RFC 9293 and its followers) among those sent?
fn has_option(o: &TcpOpts, kind: u8) -> bool {
    match kind {
        1 => {
            o.wscale.is_some() || o.ts.is_some() && !o.sack_perm || o.sack_perm && o.ts.is_none() || !o.sack.is_empty()
        }
        2 => o.mss.is_some(),
        3 => o.wscale.is_some(),
        4 => o.sack_perm,
        5 => !o.sack.is_empty(),
        8 => o.ts.is_some(),
        _ => false,
    }
}

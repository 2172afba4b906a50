//! `-m physdev` (xt_physdev): the ports of a bridge that a bridged packet passes.

use super::PhysdevMatch;
use crate::kernel::types::DevId;
use crate::kernel::xtables::types::IfMatch;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl PhysdevMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let dev = |n: u32| n.checked_sub(1).map(DevId);
        let nf = &cx.p.nf;
        let (physin, physout) = match nf.bridged {
            true => (dev(nf.physin), dev(nf.physout)),
            false => (None, None),
        };
        let key = |d: Option<DevId>| d.map_or(0, |d| IfMatch::key(&cx.k.dev(d).name));
        for (want, have, option) in
            [(self.is_in, physin, "--physdev-is-in"), (self.is_out, physout, "--physdev-is-out")]
        {
            if let Some(want) = want {
                ask(have.is_some() == want, option, || Saw::Dev(have))?;
            }
        }
        if let Some(want) = self.is_bridged {
            let is = physin.is_some() && physout.is_some();
            ask(is == want, "--physdev-is-bridged", || Saw::Word(if is { "bridged" } else { "not bridged" }))?;
        }
        for (want, have, option) in [(self.physin, physin, "--physdev-in"), (self.physout, physout, "--physdev-out")] {
            if let Some(m) = want {
                // A packet without such a port fits no name, and every negated one.
                let fits = have.is_some() && m.value.fits(key(have));
                ask(fits != m.inv, option, || Saw::Dev(have))?;
            }
        }
        Ok(())
    }
}

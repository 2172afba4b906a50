//! `-m owner` (xt_owner): the socket that sent the packet. All of a world's processes are root's.

use super::{Neg, OwnerMatch};
use crate::kernel::ip::KERNEL_SOCKET;
use crate::kernel::xtables::view::{Cx, Fit, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;

impl OwnerMatch {
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let ids = [(self.uid, "--uid-owner"), (self.gid, "--gid-owner")];
        let asks = |m: Option<Neg<(u32, u32)>>| m.is_some_and(|m| !m.inv);
        let sock = cx.p.nf.sock;
        if sock == 0 {
            // Without a socket only negated questions fit.
            let asked = asks(self.uid) || asks(self.gid) || self.socket_exists == Some(true);
            return ask(!asked, "-m owner", || Saw::Word("no socket"));
        }
        if let Some(want) = self.socket_exists {
            ask(want, "--socket-exists", || Saw::Word("a socket"))?;
        }
        for (m, option) in ids {
            let Some(m) = m else { continue };
            // The kernel's own socket belongs to nobody.
            let root = sock != KERNEL_SOCKET && m.value.0 == 0;
            ask(root != m.inv, option, || if sock == KERNEL_SOCKET { Saw::Word("nobody") } else { Saw::Num(0) })?;
        }
        Ok(())
    }
}

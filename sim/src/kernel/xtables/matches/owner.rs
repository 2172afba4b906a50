//! `-m owner` (xt_owner): the socket that sent the packet, and whose it is.

use super::{Neg, OwnerMatch};
use crate::kernel::ip::KERNEL_SOCKET;
use crate::kernel::types::SockId;
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
        // The kernel's own socket belongs to nobody.
        let cred = (sock != KERNEL_SOCKET).then(|| cx.k.sock_cred(SockId(sock - 1)));
        for (m, option) in ids {
            let Some(m) = m else { continue };
            let within = |n: u32| (m.value.0..=m.value.1).contains(&n);
            let id = cred.as_ref().map(|c| if option == "--uid-owner" { c.uid } else { c.gid });
            let more = cred.iter().flat_map(|c| &c.groups).any(|g| within(*g));
            let fits = id.is_some_and(within) || option == "--gid-owner" && self.suppl_groups && more;
            ask(fits != m.inv, option, || id.map_or(Saw::Word("nobody"), |n| Saw::Num(n.into())))?;
        }
        Ok(())
    }
}

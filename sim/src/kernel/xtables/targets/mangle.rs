//! Targets that change the packet or its mark and let it go on: `MARK`, `CONNMARK`, `CT`, `TCPMSS`, `TTL`, `TOS`,
//! `DSCP`.

use super::{ConnmarkTarget, CtTarget, MarkTarget, TtlTarget};
use crate::kernel::Kernel;
use crate::kernel::conntrack::{CtDir, CtInfo, Zone};
use crate::kernel::fib::{Flow, Lookup};
use crate::kernel::xtables::view::HookAt;
use crate::trace::Recorder;
use crate::wire::{L4, Packet};

impl MarkTarget {
    pub(crate) fn apply(self, p: &mut Packet) {
        p.mark = (p.mark & !self.mask) ^ self.value;
        p.touch();
    }
}

impl TtlTarget {
    /// `ttl_tg`: stops at 0 and at 255.
    pub(crate) fn apply(self, p: &mut Packet) {
        if let Some(ip) = p.ipv4_mut() {
            ip.ttl = match self {
                TtlTarget::Set(n) => n,
                TtlTarget::Inc(n) => ip.ttl.saturating_add(n),
                TtlTarget::Dec(n) => ip.ttl.saturating_sub(n),
            };
        }
    }
}

impl CtTarget {
    /// `xt_ct_target`: a packet that already has a connection keeps it.
    pub(crate) fn apply(&self, p: &mut Packet) {
        if p.nf.ct.is_some() || p.nf.ctinfo == CtInfo::Untracked {
            return;
        }
        if self.notrack {
            p.nf.ctinfo = CtInfo::Untracked;
            return;
        }
        let dir = self.zone_dir.map(|orig| if orig { CtDir::Original } else { CtDir::Reply });
        let id = if self.zone_mark { p.mark as u16 } else { self.zone };
        p.nf.zone = Zone { id, dir };
    }
}

impl ConnmarkTarget {
    pub(crate) fn apply<R: Recorder>(self, k: &mut Kernel<R>, at: &HookAt, p: &mut Packet) {
        let Some(ct) = p.nf.ct.and_then(|r| k.netns[at.ns.ix()].nf.ct.get_mut(r)) else { return };
        match self {
            ConnmarkTarget::Set { value, mask } => ct.mark = (ct.mark & !mask) ^ value,
            ConnmarkTarget::Save { nfmask, ctmask } => ct.mark = (ct.mark & !ctmask) ^ (p.mark & nfmask),
            ConnmarkTarget::Restore { nfmask, ctmask } => {
                p.mark = (p.mark & !nfmask) ^ (ct.mark & ctmask);
                p.touch();
            }
        }
    }
}

/// `TOS`: tos = (tos & !mask) ^ value.
pub(crate) fn set_tos(p: &mut Packet, value: u8, mask: u8) {
    if let Some(ip) = p.ipv4_mut() {
        ip.tos = (ip.tos & !mask) ^ value;
    }
}

impl<R: Recorder> Kernel<R> {
    /// `tcpmss_mangle_packet`: lowers the MSS, never raises it, and adds it to a segment without data that has none. That
    /// only SYNs come here is left to the rule, which nft does not check (`tcpmss_tg4_check`).
    pub(crate) fn xt_tcpmss(&mut self, at: &HookAt, set: Option<u16>, p: &mut Packet) {
        let Some(ip) = p.ipv4() else { return };
        let L4::Tcp(t) = &ip.l4 else { return };
        let new = match set {
            Some(n) => n,
            None => {
                let back = match self.lookup_rules_quietly(at.ns, &Flow::to(ip.src)) {
                    Lookup::Route(_, r) => r.mtu.or(r.dev.map(|d| self.dev(d).mtu)).unwrap_or(u32::MAX),
                    _ => u32::MAX,
                };
                let mtu = at.mtu.min(back);
                if mtu <= 40 {
                    return;
                }
                (mtu - 40).min(65535) as u16
            }
        };
        let old = t.opts.mss;
        let new = match old {
            Some(old) if old <= new => return,
            Some(_) => new,
            // Without the option the other side takes 536 for granted (RFC 1122); data may not be moved.
            None if !t.payload.is_empty() => return,
            None => new.min(536),
        };
        if let Some(ip) = p.ipv4_mut()
            && let L4::Tcp(t) = &mut ip.l4
        {
            t.opts.mss = Some(new);
        }
    }
}

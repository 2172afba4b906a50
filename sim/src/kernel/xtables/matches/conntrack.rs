//! `-m conntrack` (xt_conntrack) and `-m state` (its forerunner).

use std::net::Ipv4Addr;

use super::{ConntrackMatch, Neg, Ports, ctstate};
use crate::kernel::conntrack::{Conn, CtDir, CtInfo, L4Id, Status, Tuple};
use crate::kernel::xtables::view::{Cx, Fit, ask, proto_word};
use crate::trace::Recorder;
use crate::trace::event::Saw;

/// The state of a packet as a bit of [`ctstate`] and as a word.
fn state_of<R: Recorder>(cx: &Cx<'_, R>) -> (u16, &'static str) {
    if cx.p.nf.ctinfo == CtInfo::Untracked {
        return (ctstate::UNTRACKED, "UNTRACKED");
    }
    let Some((_, info)) = cx.ct() else { return (ctstate::INVALID, "INVALID") };
    match info {
        CtInfo::New => (ctstate::NEW, "NEW"),
        CtInfo::Related | CtInfo::RelatedReply => (ctstate::RELATED, "RELATED"),
        CtInfo::Established | CtInfo::EstablishedReply => (ctstate::ESTABLISHED, "ESTABLISHED"),
        CtInfo::Untracked | CtInfo::None => (ctstate::INVALID, "INVALID"),
    }
}

/// `-m state`.
pub(crate) fn check_state<R: Recorder>(m: &Neg<u16>, cx: &Cx<'_, R>) -> Fit {
    let (bit, word) = state_of(cx);
    ask((m.value & bit != 0) != m.inv, "--state", || Saw::Word(word))
}

fn addr(m: Option<Neg<(Ipv4Addr, Ipv4Addr)>>, have: Ipv4Addr, option: &'static str) -> Fit {
    let Some(Neg { value: (want, mask), inv }) = m else { return Ok(()) };
    let mask = u32::from(mask);
    ask((u32::from(have) & mask == u32::from(want) & mask) != inv, option, || Saw::Addr(have))
}

fn port(m: Option<Neg<Ports>>, have: u16, option: &'static str) -> Fit {
    let Some(Neg { value: (a, b), inv }) = m else { return Ok(()) };
    ask((a..=b).contains(&have) != inv, option, || Saw::Num(have.into()))
}

fn ports(t: &Tuple) -> (u16, u16) {
    match t.l4 {
        L4Id::Ports { src, dst } => (src, dst),
        L4Id::Icmp { id, ty, code } => (id, u16::from(ty) << 8 | u16::from(code)),
        L4Id::None => (0, 0),
    }
}

impl ConntrackMatch {
    /// `conntrack_mt`: the state first, then the rest.
    pub(crate) fn check<R: Recorder>(&self, cx: &Cx<'_, R>) -> Fit {
        let ct = cx.ct();
        if let Some(m) = self.state {
            let (mut bits, word) = state_of(cx);
            if let Some((c, _)) = ct {
                if c.status.contains(Status::SRC_NAT) {
                    bits |= ctstate::SNAT;
                }
                if c.status.contains(Status::DST_NAT) {
                    bits |= ctstate::DNAT;
                }
            }
            ask((m.value & bits != 0) != m.inv, "--ctstate", || Saw::Word(word))?;
        }
        let Some((ct, info)) = ct else {
            // Without a connection only the state can fit.
            let state_only = ConntrackMatch { state: self.state, ..ConntrackMatch::default() } == *self;
            return ask(state_only, "-m conntrack", || Saw::Word("no connection"));
        };
        self.check_connection(cx, ct, info)
    }

    fn check_connection<R: Recorder>(&self, cx: &Cx<'_, R>, ct: &Conn, info: CtInfo) -> Fit {
        let (orig, reply) = (&ct.tuples[0], &ct.tuples[1]);
        if let Some(original) = self.original {
            let is = info.dir() == CtDir::Original;
            ask(is == original, "--ctdir", || Saw::Word(if is { "ORIGINAL" } else { "REPLY" }))?;
        }
        addr(self.origsrc, orig.src, "--ctorigsrc")?;
        addr(self.origdst, orig.dst, "--ctorigdst")?;
        addr(self.replsrc, reply.src, "--ctreplsrc")?;
        addr(self.repldst, reply.dst, "--ctrepldst")?;
        if let Some(m) = self.proto {
            ask((orig.proto == m.value) != m.inv, "--ctproto", || Saw::Word(proto_word(orig.proto)))?;
        }
        port(self.origsrcport, ports(orig).0, "--ctorigsrcport")?;
        port(self.origdstport, ports(orig).1, "--ctorigdstport")?;
        port(self.replsrcport, ports(reply).0, "--ctreplsrcport")?;
        port(self.repldstport, ports(reply).1, "--ctrepldstport")?;
        if let Some(m) = self.status {
            let bits = ct.status.bits() as u16 & 0xf;
            let fits = bits & m.value != 0 || (m.value == 0 && bits == 0);
            ask(fits != m.inv, "--ctstatus", || Saw::Hex(bits.into()))?;
        }
        if let Some(m) = self.expire {
            // A connection that is not yet in the table has nothing left to wait for.
            let left = match ct.status.contains(Status::CONFIRMED) {
                true => ct.expires.saturating_sub(cx.k.now()) / crate::kernel::types::SEC,
                false => 0,
            };
            let fits = (u64::from(m.value.0)..=u64::from(m.value.1)).contains(&left);
            ask(fits != m.inv, "--ctexpire", || Saw::Num(left))?;
        }
        Ok(())
    }
}

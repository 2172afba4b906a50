//! `-m connlimit` (xt_connlimit, nf_conncount): how many connections an address has.

use std::collections::BTreeMap;

use super::written::Answer;
use crate::kernel::Kernel;
use crate::kernel::conntrack::{Conn, CtDir, ProtoState, Tuple, Zone, tcp_states, tuple_of};
use crate::kernel::types::Nanos;
use crate::kernel::xtables::view::{HookAt, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;
use crate::wire::Packet;

/// `-m connlimit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnlimitMatch {
    /// `--connlimit-above`, or `--connlimit-upto`.
    pub limit: u32,
    /// `--connlimit-upto`.
    pub upto: bool,
    /// `--connlimit-mask`, as a mask.
    pub mask: u32,
    /// `--connlimit-daddr`.
    pub daddr: bool,
}

/// The connections that a rule saw, by masked address and zone (`struct nf_conncount_data`).
#[derive(Clone, Debug, Default)]
pub struct ConnlimitTable(BTreeMap<(u32, u16), Vec<(Tuple, Zone)>>);

impl ConnlimitMatch {
    /// `connlimit_mt`.
    pub(crate) fn check<R: Recorder>(&self, table: u64, k: &mut Kernel<R>, at: &HookAt, p: &Packet) -> Answer {
        let Some(ip) = p.ipv4() else { return Ok(()).into() };
        let now = k.queue.now;
        let nf = &mut k.netns[at.ns.ix()].nf;
        let own = p.nf.ct.and_then(|r| nf.ct.get(r));
        let of_packet = || tuple_of(ip).map(|t| (t, Zone::default()));
        // A packet that is not tracked and has no ports to go by.
        let Some((tuple, zone)) = own.map(|c| (c.tuples[CtDir::Original as usize], c.zone)).or_else(of_packet) else {
            return Answer::Hotdrop;
        };
        let addr = u32::from(if self.daddr { ip.dst } else { ip.src }) & self.mask;
        let Some(t) = nf.xt.shared.connlimit(table) else { return Ok(()).into() };
        let list = t.0.entry((addr, zone.in_dir(CtDir::Original))).or_default();
        // `gc_list`: what conntrack has forgotten, or TCP has closed, counts no more.
        list.retain(|(t, z)| *t == tuple || nf.ct.find(t, *z, now).is_some_and(|(r, _)| open(nf.ct.get(r), now)));
        if !list.iter().any(|(t, _)| *t == tuple) {
            list.push((tuple, zone));
        }
        let n = list.len() as u64;
        let option = if self.upto { "--connlimit-upto" } else { "--connlimit-above" };
        ask((n > u64::from(self.limit)) != self.upto, option, || Saw::Num(n)).into()
    }
}

/// Not `already_closed`.
fn open(c: Option<&Conn>, now: Nanos) -> bool {
    c.is_some_and(|c| {
        let closed = |t: u8| matches!(t, tcp_states::TIME_WAIT | tcp_states::CLOSE);
        !c.is_expired(now) && !matches!(c.proto, ProtoState::Tcp(t) if closed(t.state))
    })
}

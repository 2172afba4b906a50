//! `-m connlimit` (xt_connlimit, nf_conncount): how many connections an address has.

use std::collections::BTreeMap;

use super::written::Answer;
use crate::kernel::Kernel;
use crate::kernel::conntrack::{Conn, CtDir, ProtoState, Status, Tuple, Zone, tcp_states, tuple_of};
use crate::kernel::types::Nanos;
use crate::kernel::xtables::shared::{Jiffies, jiffies};
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
pub struct ConnlimitTable(BTreeMap<(u32, u16), List>);

/// `struct nf_conncount_list`.
#[derive(Clone, Debug, Default)]
struct List {
    conns: Vec<(Tuple, Zone)>,
    /// When the last was taken in. In the same jiffy nobody looks through the others, up to [`UNSEEN`] times.
    last_gc: Jiffies,
    unseen: u32,
}

/// `CONNCOUNT_GC_MAX_COLLECT`.
const UNSEEN: u32 = 64;

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
        let confirmed = own.is_some_and(|c| c.status.contains(Status::CONFIRMED));
        let unseen = !confirmed && list.last_gc == jiffies(now) && list.unseen < UNSEEN;
        list.unseen = if unseen { list.unseen + 1 } else { 0 };
        if !unseen {
            // What conntrack has forgotten, or TCP has closed, counts no more.
            let known = |(t, z): &(Tuple, Zone)| nf.ct.find(t, *z, now).is_some_and(|(r, _)| open(nf.ct.get(r), now));
            list.conns.retain(|c| c.0 == tuple || known(c));
        }
        if unseen || !list.conns.iter().any(|(t, _)| *t == tuple) {
            list.conns.push((tuple, zone));
            list.last_gc = jiffies(now);
        }
        let n = list.conns.len() as u64;
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

//! Matches whose options are kept as they are printed, together with what they ask.

use std::sync::Arc;

use super::OpaqueMatch;
use super::connlimit::ConnlimitMatch;
use super::hashlimit::HashlimitMatch;
use super::recent::RecentMatch;
use super::string::StringMatch;
use crate::kernel::Kernel;
use crate::kernel::xtables::view::{Fit, HookAt, ask};
use crate::trace::Recorder;
use crate::trace::event::Saw;
use crate::wire::{L4, Packet};

/// A match with its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrittenMatch {
    /// Its name and how it is printed.
    pub text: OpaqueMatch,
    /// What it asks.
    pub asks: Asks,
}

/// What is asked of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Asks {
    Recent(RecentMatch),
    Hashlimit(HashlimitMatch),
    Connlimit(ConnlimitMatch),
    String(StringMatch),
    /// `-m quota`: fits until so many bytes have passed.
    Quota {
        bytes: u64,
        inv: bool,
    },
    /// `-m tcpmss`: the MSS option of a segment, from .. to.
    Tcpmss {
        mss: (u16, u16),
        inv: bool,
    },
}

/// How a match that may end a packet by itself (`hotdrop`) answered.
pub(crate) enum Answer {
    Fit(Fit),
    Hotdrop,
}

impl From<Fit> for Answer {
    fn from(f: Fit) -> Self {
        Answer::Fit(f)
    }
}

impl WrittenMatch {
    /// The name of the table that it shares with other rules.
    pub(crate) fn table_name(&self) -> Option<&Arc<str>> {
        match &self.asks {
            Asks::Recent(r) => Some(&r.name),
            Asks::Hashlimit(h) => Some(&h.name),
            _ => None,
        }
    }

    /// Asks. What is remembered is the number of the shared table, or what was used of a quota.
    pub(crate) fn check<R: Recorder>(
        &self,
        memory: &mut [u64; 2],
        k: &mut Kernel<R>,
        at: &HookAt,
        p: &Packet,
    ) -> Answer {
        let Some(ip) = p.ipv4() else { return Ok(()).into() };
        match &self.asks {
            Asks::Recent(r) => r.check(memory[0], k, at, p).into(),
            Asks::Hashlimit(h) => h.check(memory[0], k, at, ip),
            Asks::Connlimit(c) => c.check(memory[0], k, at, p),
            Asks::String(s) => s.check(ip).into(),
            Asks::Quota { bytes, inv } => {
                let left = bytes.saturating_sub(memory[0]);
                let len = ip.total_len() as u64;
                // A small packet does not fit either behind a large one that did not.
                memory[0] = if len <= left { memory[0] + len } else { *bytes };
                ask((len <= left) != *inv, "--quota", || Saw::Found("the quota is spent")).into()
            }
            Asks::Tcpmss { mss, inv } => {
                let found = match &ip.l4 {
                    L4::Tcp(t) => t.opts.mss,
                    _ => None,
                };
                let within = found.is_some_and(|m| (mss.0..=mss.1).contains(&m));
                ask(within != *inv, "--mss", || found.map_or(Saw::Nothing, |m| Saw::Num(m.into()))).into()
            }
        }
    }
}

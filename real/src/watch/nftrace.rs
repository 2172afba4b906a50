//! The nftables trace of a namespace: which rules took a packet, chain by chain.
//!
//! A table of our own, made over netlink, sets `meta nftrace` on every packet before any other chain sees it; it goes with
//! its namespace, however we end. The kernel then says of each base chain that a packet walks which rules decided
//! (`nf_tables_trace.c`). `iptables-save` and rule counters don't notice.
//!
//! What it cannot say:
//! - rules that were tried and did not match;
//! - rules of `iptables-legacy` and ARP: their counters are all there is;
//! - what NAT made of a packet: the verdict is `accept`; de-NAT of a reply is no rule and shows nothing;
//! - when: events have no time, but come in the order in which chains were walked in this namespace.
//!
//! An event's trace id is a hash of the buffer's address and flow: it changes on the way of one packet and comes back for
//! another. Join packets by [`Passage::key`].
//!
//! Cost, measured on Linux 6.18 where a packet passes two chains (`cost_and_losses` in `real/tests/nftrace.rs`): 2 to 4 µs
//! per packet. Some 6,500 such packets fit between two reads where the receive buffer may be enlarged (root, or a large
//! `net.core.rmem_max`). Losses (ENOBUFS) are counted by [`Tracer::lost`]; after one, a comparison of rules is worthless
//! for what was read in that call.

mod book;
mod event;
mod own;
mod packet;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::netlink::{self, Netlink, NlError};
use book::Book;
use event::{Event, What};
pub use own::NAME as OWN_TABLE;
pub use packet::{L4, PacketKey};

/// A hook, in iptables' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// `NF_INET_PRE_ROUTING`.
    Prerouting,
    /// `NF_INET_LOCAL_IN`.
    Input,
    /// `NF_INET_FORWARD`.
    Forward,
    /// `NF_INET_LOCAL_OUT`.
    Output,
    /// `NF_INET_POST_ROUTING`.
    Postrouting,
}

impl Hook {
    /// By its number, the same for `NF_INET_*` and `NF_BR_*`.
    fn of(n: u32) -> Option<Self> {
        Some(match n {
            0 => Hook::Prerouting,
            1 => Hook::Input,
            2 => Hook::Forward,
            3 => Hook::Output,
            4 => Hook::Postrouting,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Hook::Prerouting => "PREROUTING",
            Hook::Input => "INPUT",
            Hook::Forward => "FORWARD",
            Hook::Output => "OUTPUT",
            Hook::Postrouting => "POSTROUTING",
        }
    }
}

/// Whose table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `iptables`.
    Ip,
    /// `ebtables`.
    Bridge,
    /// Anything else, by `NFPROTO_*`.
    Other(u8),
}

impl Family {
    fn of(n: u8) -> Self {
        match n {
            2 => Family::Ip,
            7 => Family::Bridge,
            n => Family::Other(n),
        }
    }
}

/// What a rule or policy said (`struct nft_verdict`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `NF_DROP`.
    Drop,
    /// `NF_ACCEPT`.
    Accept,
    /// `NF_STOLEN`: the packet is somebody else's now.
    Stolen,
    /// `NF_QUEUE`.
    Queue,
    /// `NF_REPEAT`.
    Repeat,
    /// `NFT_CONTINUE`: the next rule.
    Continue,
    /// `NFT_RETURN`: back to the chain before, or to the policy.
    Return,
    /// `NFT_JUMP` to a chain.
    Jump(String),
    /// `NFT_GOTO` a chain.
    Goto(String),
    /// A number without a name.
    Unknown(u32),
}

impl Verdict {
    /// Whether nothing of the chain comes after it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Verdict::Accept | Verdict::Drop | Verdict::Stolen | Verdict::Queue | Verdict::Repeat)
    }
}

/// What decided in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A rule.
    Rule {
        /// Its place in the chain, from 1; none where the chain had changed by the time it was asked for.
        number: Option<u32>,
        /// Its handle.
        handle: u64,
    },
    /// The end of a chain of the user's: back to where it was jumped from.
    End,
    /// The policy of a base chain.
    Policy,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The chain.
    pub chain: String,
    /// What decided there.
    pub by: By,
    /// What it said.
    pub verdict: Verdict,
}

/// The way of one packet through one base chain and what it calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Whose table.
    pub family: Family,
    /// The table (`nat`).
    pub table: String,
    /// The base chain (`PREROUTING`, or a name of one's own).
    pub chain: String,
    /// Where it hangs.
    pub hook: Hook,
    /// And how early.
    pub priority: i32,
    /// The packet as it was there; none where the kernel sent no headers or no IPv4.
    pub key: Option<PacketKey>,
    /// Index of the device it came by.
    pub iif: Option<u32>,
    /// Index of the device it leaves by.
    pub oif: Option<u32>,
    /// Its mark.
    pub mark: u32,
    /// The kernel's trace id; see the module's words on it.
    pub id: u32,
    /// The decisions, in order.
    pub steps: Vec<Step>,
    /// Whether the last step ended it; not where events were lost.
    pub whole: bool,
}

impl Passage {
    /// What came out of it: the last word.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        self.steps.last().map(|s| &s.verdict)
    }
}

/// Tracing could not be switched on.
#[derive(Debug, thiserror::Error)]
#[error("cannot trace this namespace's rules: {what}: {error}")]
pub struct TraceError {
    /// What was refused.
    pub what: &'static str,
    /// What the kernel answered.
    #[source]
    pub error: NlError,
}

fn about<E: Into<NlError>>(what: &'static str) -> impl Fn(E) -> TraceError {
    move |e| TraceError { what, error: e.into() }
}

/// Traces a namespace while it lives. It keeps the namespace alive.
#[derive(Debug)]
pub struct Tracer {
    /// What our table was made with.
    owner: Netlink,
    events: Netlink,
    book: Book,
    /// Passages that have begun, the newest last. One per CPU that walks a chain: short.
    open: Vec<Passage>,
    lost: u64,
}

impl Tracer {
    /// Starts in this thread's namespace.
    ///
    /// # Errors
    /// Where the kernel has no nf_tables, or we may not.
    pub fn start() -> Result<Self, TraceError> {
        let mut owner = Netlink::open(netlink::NETFILTER).map_err(about("netlink"))?;
        let events = Netlink::open(netlink::NETFILTER).map_err(about("netlink"))?;
        events.enlarge().map_err(about("receive buffer"))?;
        events.join(event::NFNLGRP_NFTRACE).map_err(about("trace events"))?;
        own::make(&mut owner).map_err(about("a table of our own"))?;
        events.join(event::NFNLGRP_NFTABLES).map_err(about("changes of rules"))?;
        let mut book = Book::open().map_err(about("netlink"))?;
        book.refresh().map_err(about("the rules"))?;
        Ok(Tracer { owner, events, book, open: Vec::new(), lost: 0 })
    }

    /// Ends tracing where the namespace lives on; just dropped, a tracer leaves its table until the namespace goes.
    ///
    /// A socket of nfnetlink that closes soon after a change of rules, whoever made it, waits some 10 to 20 ms for the
    /// kernel to be done with it (`nft_rcv_nl_event`): drop a tracer a while after [`Tracer::start`], as one does.
    pub fn stop(mut self) {
        own::remove(&mut self.owner);
    }

    /// What was walked since the last call, in order. To be called before rules change: a rule's number is the one it has
    /// when its event is read ([`By::Rule`] has none where that can't be known any more).
    ///
    /// # Errors
    /// Where the socket or the rules cannot be read.
    pub fn drain(&mut self) -> io::Result<Vec<Passage>> {
        let mut raw = Vec::new();
        if self.events.events(|m| raw.extend(Event::read(&m)))? {
            self.lost += 1;
        }
        let (mut done, mut cut) = (Vec::new(), false);
        for e in raw {
            match e {
                Event::Cut => cut = true,
                Event::Generation(n) => self.book.changed(n),
                Event::Trace(t) => {
                    self.book.current()?;
                    self.walk(t, &mut done);
                }
            }
        }
        if cut {
            self.lost += 1;
            own::make(&mut self.owner)?;
        }
        // Nobody walks a chain while we look: what is still open lost its end.
        done.append(&mut self.open);
        Ok(done)
    }

    /// How often packets went untraced: events that were not read in time, or our table removed by a command that flushes
    /// everything (it is made again as soon as that is read).
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Puts an event where it belongs: a base chain's first event begins a passage, a final verdict ends it.
    fn walk(&mut self, t: event::Trace, done: &mut Vec<Passage>) {
        let base = self.book.base(t.family, &t.table, &t.chain);
        let same = |p: &Passage| {
            p.id == t.id && p.family == t.family && p.table == t.table && (base.is_none() || p.chain == t.chain)
        };
        // The headers come with the first event of a passage only.
        let at = match self.open.iter().rposition(same).filter(|_| t.key.is_none()) {
            Some(at) => at,
            None => {
                let Some((hook, priority)) = base else { return };
                self.open.push(Passage {
                    family: t.family,
                    table: t.table.clone(),
                    chain: t.chain.clone(),
                    hook,
                    priority,
                    key: t.key.clone().flatten(),
                    iif: t.iif,
                    oif: t.oif,
                    mark: t.mark,
                    id: t.id,
                    steps: Vec::new(),
                    whole: false,
                });
                self.open.len() - 1
            }
        };
        let by = match t.what {
            What::Rule(handle) => By::Rule { number: self.book.number(t.family, &t.table, &t.chain, handle), handle },
            What::End => By::End,
            What::Policy => By::Policy,
        };
        let ends = by == By::Policy
            || matches!(
                t.verdict,
                Verdict::Accept | Verdict::Drop | Verdict::Stolen | Verdict::Queue | Verdict::Repeat
            );
        // A base chain's end is told too, but what decides there is the policy, which follows.
        if by != By::End || base.is_none() {
            self.open[at].steps.push(Step { chain: t.chain, by, verdict: t.verdict });
        }
        if ends {
            let mut p = self.open.remove(at);
            p.whole = true;
            done.push(p);
        }
    }
}

impl AsFd for Tracer {
    /// Readable when there is something to [`Tracer::drain`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}
